use super::*;
use proptest::prelude::*;
use proptest::sample::select;

fn parse(text: &str) -> Capability {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refused(text: &str) -> String {
    match Capability::with_scope(text) {
        Ok(capability) => panic!("`{text}` was taken for `{capability}`"),
        Err(error) => error.to_string(),
    }
}

const EVERY_FORM: [&str; 31] = [
    "store",
    "store:read",
    "emit",
    "notify:model",
    "notify:user",
    "fs:read=src/**",
    "fs:read=**",
    "fs:read=/etc/hosts",
    "fs:write=~/notes/*.md",
    "fs:write=a b/?.txt",
    "exec=git",
    "exec=g++",
    "http=api.example.com",
    "http=*.example.com",
    "http=localhost:8080",
    "http=192.0.2.7",
    "http=[::1]:8443",
    "http=xn--bcher-kva.example",
    "secret=API_KEY@api.example.com",
    "secret=k-1@[::1]",
    "secret=API_KEY@api.example.com:8443",
    "ask",
    "provider=image",
    "workitem",
    "workitem:read",
    "memory",
    "memory:read",
    "pod:spawn",
    "pod:message",
    "hook:pre_tool_call:rewrite",
    "hook:post_tool_call:replace",
];

#[test]
fn every_form_prints_as_it_was_written() {
    for text in EVERY_FORM {
        assert_eq!(parse(text).to_string(), text);
        let json = serde_json::to_string(&parse(text)).expect("a string");
        assert_eq!(serde_json::from_str::<Capability>(&json).expect("the same"), parse(text));
    }
}

#[test]
fn every_example_in_a_message_is_a_capability() {
    for (kind, forms) in FORMS {
        for (index, example) in forms.split('`').enumerate() {
            let placeholder =
                ["GLOB", "PROGRAM", "HOST", "NAME"].iter().any(|p| example.contains(p));
            if index % 2 == 1 && !placeholder {
                assert_eq!(parse(example).kind(), kind);
            }
        }
    }
    for head in HEADS {
        assert!(
            parse_plain(head).is_some() || parse_valued(head, "x").is_some() || head == "secret"
        );
    }
}

#[test]
fn what_leaves_its_scope_open_covers_what_says_one_and_is_covered_by_none() {
    for (open, some, other) in [
        ("fs:read", "fs:read=/etc/**", "fs:write=**"),
        ("fs:write", "fs:write=~/a", "fs:read=**"),
        ("exec", "exec=git", "http=a.example"),
        ("http", "http=*.example.com", "exec=git"),
    ] {
        let (wide, some, other) = (parse(open), parse(some), parse(other));
        assert_eq!((wide.to_string().as_str(), wide.is_open()), (open, true));
        assert!(wide.covers(&some) && wide.covers(&wide) && !some.covers(&wide), "{open}");
        assert!(!wide.covers(&other) && !other.covers(&wide), "{open}");
        assert_eq!(some.narrow(&wide), Some(some.clone()));
        assert_eq!((wide.kind(), wide.module()), (some.kind(), some.module()));
        assert!(!wide.is_harmless());
        assert!(refused(open).contains("write `"), "{}", refused(open));
    }
}

#[test]
fn refusals_say_what_to_write_instead() {
    let cases = [
        ("stroe", "did you mean `store`?"),
        ("", "write one of `store`"),
        ("network", "write one of `store`"),
        ("store:write", "write `store` or `store:read`"),
        ("store=x", "write `store` or `store:read`"),
        ("notify", "write `notify:user` or `notify:model`"),
        ("notify:modle", "did you mean `notify:model`?"),
        ("http", "write `http=HOST`"),
        ("http:api.example.com", "write `http=HOST`"),
        ("fs=src/**", "write `fs:read=GLOB` or `fs:write=GLOB`"),
        ("fs:raed=src/**", "did you mean `fs:read`?"),
        ("secret=API_KEY", "write `secret=NAME@HOST`"),
        ("secret=KEY@*.example.com", "name exactly one host"),
        ("secret=a b@example.com", "not the name of a secret"),
        ("tool", "declaring the tool or the hook is the request"),
        ("hook:pre_tool_call", "declaring the tool or the hook is the request"),
        ("hook:pre_tool_call:replace", "write `hook:pre_tool_call:rewrite`"),
        ("exec=git push", "its name alone"),
        ("exec=/usr/bin/git", "its name alone"),
        ("exec=", "its name alone"),
        ("provider=Image", "as in `provider=image`"),
        ("Store", "did you mean `store`?"),
        (" store", "did you mean `store`?"),
    ];
    for (text, expected) in cases {
        let message = refused(text);
        assert!(message.contains(expected), "{text}: {message}");
    }
    assert!(refused(&"x".repeat(MAX_BYTES + 1)).contains("513 bytes"));
}

#[test]
fn a_refusal_becomes_a_diagnostic_with_help() {
    let error = "stroe".parse::<Capability>().expect_err("a typo");
    let diagnostic = error.diagnostic();
    assert_eq!(diagnostic.code, "capability/unknown");
    assert_eq!(diagnostic.message, "`stroe` is not a capability");
    assert_eq!(diagnostic.help, ["did you mean `store`?"]);
    let error = "http=*.com".parse::<Capability>().expect_err("too wide");
    assert_eq!(error.diagnostic().code, "capability/malformed");
}

#[test]
fn hosts_are_normalised_or_refused() {
    assert_eq!(parse("http=API.Example.COM").to_string(), "http=api.example.com");
    assert_eq!(parse("http=[0:0::1]").to_string(), "http=[::1]");
    assert_eq!(parse("http=a.example:0443").to_string(), "http=a.example:443");
    let cases = [
        ("http=", "the host is empty"),
        ("http=https://api.example.com/now", "write the host alone"),
        ("http=api.example.com/now", "write the host alone"),
        ("http=user@example.com", "write the host alone"),
        ("http=*", "too wide"),
        ("http=*.com", "too wide"),
        ("http=*.localhost:80", "too wide"),
        ("fs:read=out/\u{202e}gnp.md", "no meaning"),
        ("fs:read=a\u{200b}b", "no meaning"),
        ("http=*.192.0.2.7", "too wide"),
        ("http=*:443", "too wide"),
        ("http=*example.com", "only the first label"),
        ("http=api.*.example.com", "only the first label"),
        ("http=*.*.example.com", "only the first label"),
        ("http=bücher.example", "encoded form"),
        ("http=example.com.", "is not a host"),
        ("http=.example.com", "is not a host"),
        ("http=a..b", "is not a host"),
        ("http=-a.example", "is not a host"),
        ("http=a b.example", "is not a host"),
        ("http=[::1", "is not a host"),
        ("http=::1", "is not a"),
        ("http=2130706433", "not an IPv4 address"),
        ("http=127.1", "not an IPv4 address"),
        ("http=0x7f.0.0.1", "not an IPv4 address"),
        ("http=127.0.0.0x1", "not an IPv4 address"),
        ("http=127.0.0.01", "not an IPv4 address"),
        ("http=api.example.com:0", "is not a port"),
        ("http=api.example.com:65536", "is not a port"),
        ("http=api.example.com:", "is not a port"),
        ("http=api.example.com:+1", "is not a port"),
        ("http=a:1:2", "is not a host"),
    ];
    for (text, expected) in cases {
        let message = refused(text);
        assert!(message.contains(expected), "{text}: {message}");
    }
}

#[test]
fn a_glob_may_begin_as_shells_complete_it() {
    assert_eq!(parse("fs:read=./src/**"), parse("fs:read=src/**"));
}

#[test]
fn globs_that_hide_something_are_refused() {
    let cases = [
        ("fs:read=", "the path is empty"),
        ("fs:read=../x", "`..` part"),
        ("fs:read=a/../b", "`..` part"),
        ("fs:read=././a", "`.` or `..` part"),
        ("fs:read=./", "empty"),
        ("fs:read=a//b", "empty"),
        ("fs:read=a/", "empty"),
        ("fs:read=/", "empty"),
        ("fs:read=~", "empty"),
        ("fs:read=a**/b", "beside other characters"),
        ("fs:read=***", "beside other characters"),
        ("fs:read={a,b}", "contains `{`"),
        ("fs:read=[ab]", "contains `[`"),
        ("fs:read=a\\b", "contains `\\\\`"),
        ("fs:read=a\nb", "contains `\\n`"),
    ];
    for (text, expected) in cases {
        let message = refused(text);
        assert!(message.contains(expected), "{text}: {message}");
    }
    assert!(refused(&format!("fs:read={}", "a".repeat(300))).contains("300 bytes"));
}

#[test]
fn a_wider_grant_covers_a_narrower_request() {
    let covered = [
        ("store", "store:read"),
        ("memory", "memory:read"),
        ("workitem", "workitem:read"),
        ("fs:read=src/**", "fs:read=src/a.rs"),
        ("fs:read=src/**", "fs:read=src/a/b/*.rs"),
        ("fs:read=**", "fs:read=src/**"),
        ("fs:read=*.md", "fs:read=a*b.md"),
        ("fs:read=a/**/b", "fs:read=a/b"),
        ("fs:read=?", "fs:read=a"),
        ("http=*.example.com", "http=api.example.com"),
        ("http=*.example.com", "http=a.b.example.com"),
        ("http=*.example.com", "http=*.b.example.com"),
        ("http=api.example.com", "http=api.example.com:443"),
        ("http=api.example.com", "http=api.example.com:80"),
        ("secret=K@a.example", "secret=K@a.example:443"),
    ];
    for (wide, narrow) in covered {
        assert!(parse(wide).covers(&parse(narrow)), "{wide} should cover {narrow}");
        assert!(!parse(narrow).covers(&parse(wide)), "{narrow} should not cover {wide}");
        assert_eq!(parse(wide).narrow(&parse(narrow)), Some(parse(narrow)));
        assert_eq!(parse(narrow).narrow(&parse(wide)), Some(parse(narrow)));
    }
}

#[test]
fn what_only_looks_alike_is_not_covered() {
    let apart = [
        ("notify:user", "notify:model"),
        ("fs:write=**", "fs:read=a"),
        ("fs:read=**", "fs:read=/etc/hosts"),
        ("fs:read=**", "fs:read=~/a"),
        ("fs:read=src/*", "fs:read=src/a/b"),
        ("fs:read=src/*", "fs:read=src/**"),
        ("fs:read=*.rs", "fs:read=*"),
        ("fs:read=?", "fs:read=*"),
        ("fs:read=a/**/b", "fs:read=a/c"),
        ("http=*.example.com", "http=example.com"),
        ("http=*.example.com", "http=badexample.com"),
        ("http=api.example.com", "http=api.example.com:8443"),
        ("http=api.example.com:443", "http=api.example.com"),
        ("http=api.example.com", "http=*.api.example.com"),
        ("secret=K@a.example", "secret=K@b.example"),
        ("secret=K@a.example", "secret=L@a.example"),
        ("secret=K@a.example", "http=a.example"),
        ("pod:spawn", "pod:message"),
        ("exec=git", "exec=gh"),
        ("memory", "store"),
    ];
    for (grant, request) in apart {
        assert!(!parse(grant).covers(&parse(request)), "{grant} must not cover {request}");
    }
}

#[test]
fn narrowing_takes_the_common_part() {
    let cases = [
        ("http=*.example.com:443", "http=api.example.com", Some("http=api.example.com:443")),
        ("http=api.example.com", "http=*.example.com:443", Some("http=api.example.com:443")),
        ("http=*.example.com:8443", "http=api.example.com", None),
        ("http=a.example.com", "http=b.example.com", None),
        ("fs:read=src/*", "fs:read=*/a", None),
        ("store:read", "store", Some("store:read")),
        ("exec=git", "exec=gh", None),
        ("secret=K@a.example:443", "secret=K@a.example", Some("secret=K@a.example:443")),
    ];
    for (grant, request, common) in cases {
        assert_eq!(parse(grant).narrow(&parse(request)), common.map(parse), "{grant} {request}");
    }
}

#[test]
fn only_state_and_words_to_the_user_are_harmless() {
    let harmless: Vec<_> =
        EVERY_FORM.into_iter().filter(|text| parse(text).is_harmless()).collect();
    assert_eq!(harmless, ["store", "store:read", "emit", "notify:user"]);
}

#[test]
fn modules_and_codes_follow_from_the_kind() {
    assert_eq!(parse("http=a.example").module(), Some("http"));
    assert_eq!(parse("notify:model").module(), Some("notify"));
    assert_eq!(parse("hook:pre_tool_call:rewrite").module(), None);
    for text in EVERY_FORM {
        let capability = parse(text);
        assert_eq!(capability.denial_code(), format!("grant/{}", capability.kind()));
    }
}

/// The segments are few and alike, so that generated globs often overlap.
fn glob() -> impl Strategy<Value = String> {
    let segment = select(vec!["a", "b", "*", "**", "?", "a*", "*b", "a?", "ab", "*a*", "??"]);
    let root = select(vec!["", "", "", "/", "~/"]);
    (root, prop::collection::vec(segment, 1..5))
        .prop_map(|(root, segments)| format!("{root}{}", segments.join("/")))
}

fn endpoint() -> impl Strategy<Value = String> {
    let host = select(vec!["a.example.com", "b.a.example.com", "example.com", "x.example.com"]);
    (host, select(vec!["", "", ":443", ":80", ":8443"]))
        .prop_map(|(host, port)| format!("{host}{port}"))
}

fn capability() -> impl Strategy<Value = Capability> {
    let plain = select(EVERY_FORM.to_vec()).prop_map(str::to_owned);
    let fs = (select(vec!["read", "read", "write"]), glob())
        .prop_map(|(access, glob)| format!("fs:{access}={glob}"));
    let http =
        (select(vec!["", "*."]), endpoint()).prop_map(|(star, host)| format!("http={star}{host}"));
    let secret = (select(vec!["K", "L"]), endpoint())
        .prop_map(|(name, host)| format!("secret={name}@{host}"));
    prop_oneof![1 => plain, 4 => fs, 4 => http, 1 => secret].prop_map(|text| parse(&text))
}

/// Checks every triple; gives the number of chains `a` over `b` over `c` of three different ones.
fn assert_transitive(pool: &[Capability]) -> usize {
    let covers: Vec<Vec<bool>> =
        pool.iter().map(|a| pool.iter().map(|b| a.covers(b)).collect()).collect();
    let mut chains = 0;
    for (a, over) in covers.iter().enumerate() {
        for (b, _) in over.iter().enumerate().filter(|(_, covered)| **covered) {
            for (c, _) in covers[b].iter().enumerate().filter(|(_, covered)| **covered) {
                assert!(over[c], "{} covers {} covers {}", pool[a], pool[b], pool[c]);
                chains += usize::from(a != b && b != c && a != c);
            }
        }
    }
    chains
}

#[test]
fn short_globs_cover_transitively() {
    let names = ["a", "b", "*", "**", "?", "a*", "*b", "a?", "ab", "*a*", "??"];
    let pairs = names.iter().flat_map(|a| names.iter().map(move |b| format!("{a}/{b}")));
    let globs = names.iter().map(|name| (*name).to_owned()).chain(pairs);
    let pool: Vec<_> = globs.map(|glob| parse(&format!("fs:read={glob}"))).collect();
    assert!(assert_transitive(&pool) > 10_000);
}

proptest! {
    #[test]
    fn printing_and_parsing_are_inverse(capability in capability()) {
        prop_assert_eq!(parse(&capability.to_string()), capability);
    }

    #[test]
    fn covering_is_reflexive(a in capability()) {
        prop_assert!(a.covers(&a));
        prop_assert_eq!(a.narrow(&a), Some(a));
    }

    /// Many at once, so that most runs see chains of three.
    #[test]
    fn covering_is_transitive(pool in prop::collection::vec(capability(), 24)) {
        assert_transitive(&pool);
    }

    #[test]
    fn the_common_part_is_covered_by_both(a in capability(), b in capability()) {
        if let Some(common) = a.narrow(&b) {
            prop_assert!(a.covers(&common) && b.covers(&common), "{} {} -> {}", a, b, common);
        }
        prop_assert_eq!(a.narrow(&b).is_some(), b.narrow(&a).is_some());
    }

    #[test]
    fn a_covering_glob_allows_every_path_of_the_covered(
        a in glob(),
        b in glob(),
        path in "[ab]{1,3}(/[ab]{1,2}){0,3}",
    ) {
        let [a, b] = [a, b].map(|text| text.parse::<PathGlob>().expect("a glob"));
        if a.covers(&b) && b.allows(b.root(), &path) {
            prop_assert!(a.allows(b.root(), &path), "{} covers {}, {}", a, b, path);
        }
    }

    #[test]
    fn a_covering_host_allows_every_connection_of_the_covered(
        a in (select(vec!["", "*."]), endpoint()),
        b in (select(vec!["", "*."]), endpoint()),
        host in select(vec!["example.com", "a.example.com", "b.a.example.com", "c.b.a.example.com"]),
        port in select(vec![80_u16, 443, 8443]),
    ) {
        let [a, b] = [a, b].map(|(star, host)| format!("{star}{host}").parse::<HostPattern>().expect("a host"));
        let host: HostName = host.parse().expect("a host");
        if a.covers(&b) && b.allows(&host, port) {
            prop_assert!(a.allows(&host, port), "{} covers {}", a, b);
        }
        if let Some(common) = a.narrow(&b) {
            prop_assert_eq!(common.allows(&host, port), a.allows(&host, port) && b.allows(&host, port));
        }
    }

    #[test]
    fn nothing_that_is_typed_in_panics(text in "\\PC{0,40}|[a-z:=*./@\\[\\]{}~0-9]{0,40}") {
        if let Ok(capability) = text.parse::<Capability>() {
            prop_assert_eq!(parse(&capability.to_string()), capability);
        }
    }
}

#[test]
fn paths_with_special_parts_are_in_no_glob() {
    let all: PathGlob = "**".parse().expect("a glob");
    assert!(all.allows(PathRoot::Workspace, "a/b") && all.allows(PathRoot::Workspace, ".env"));
    for path in ["../a", "a/../b", "a//b", "./a", "", "a/."] {
        assert!(!all.allows(PathRoot::Workspace, path), "{path}");
    }
    assert!(!all.allows(PathRoot::Absolute, "etc/hosts"));
    let literal: PathGlob = "a?".parse().expect("a glob");
    assert!(
        literal.allows(PathRoot::Workspace, "a*") && !literal.allows(PathRoot::Workspace, "a**")
    );
}

#[test]
fn a_folder_is_entered_only_where_something_below_may_be_meant() {
    let may_hold = |glob: &str, folder: &str| {
        let glob: PathGlob = glob.parse().expect("a glob");
        let names: Vec<_> = folder.split('/').filter(|name| !name.is_empty()).collect();
        glob.may_hold(PathRoot::Workspace, &names)
    };
    for (glob, folder) in [
        ("src/**", ""),
        ("src/**", "src"),
        ("src/**", "src/a/b"),
        ("**/*.rs", "any/thing"),
        ("a/*/c", "a"),
        ("a/*/c", "a/b"),
        ("a/**/b/**/c", "a/x/b/y"),
        ("**/**", "x"),
        ("a", ""),
    ] {
        assert!(may_hold(glob, folder), "{glob} {folder}");
    }
    for (glob, folder) in [
        ("src/**", "lib"),
        ("src/*.rs", "src/a.rs"),
        ("a/*/c", "a/b/c"),
        ("a/*/c", "b"),
        ("a", "a"),
        ("src/**", "src/.."),
        ("~/**", "x"),
    ] {
        assert!(!may_hold(glob, folder), "{glob} {folder}");
    }
    let fixed = |glob: &str| glob.parse::<PathGlob>().expect("a glob").fixed_folders().join("/");
    assert_eq!(fixed("src/lib/*.rs"), "src/lib");
    assert_eq!(fixed("src/a.rs"), "src");
    assert_eq!(fixed("**/a"), "");
    assert_eq!(fixed("/a/b*/c"), "a");
}
