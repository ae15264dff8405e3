//! Secrets: where they go, and that nothing of them comes back.

use super::server::Server;
use super::{Made, answer, encrypted, gives, http, refused, world, world_on};
use crate::feature::transaction::Act;
use crate::script::host::trial::World;

const KEY: &str = "sk-Tr0ub4dor&3/horse=\"9\"";

/// A world in which `KEY` may be spent at these servers.
fn spending(servers: &[&Server], at: &[&Server]) -> World {
    let grants = servers.iter().map(|server| server.grant());
    let secrets = at.iter().map(|server| format!("secret=KEY@{}", server.address));
    let grants: Vec<_> = grants.chain(secrets).collect();
    let world = world(&[]).granted(&grants);
    world.keep("KEY", KEY);
    world
}

#[test]
fn a_secret_is_spent_in_a_header() {
    let ok = answer("200 OK", "", "");
    let server = Server::saying(&[&ok; 5]);
    let world = spending(&[&server], &[&server]);
    let url = server.url();
    for (options, wanted) in [
        (r#"bearer: secret::get("KEY")"#, format!("authorization: Bearer {KEY}\r\n")),
        (r#"headers: #{ "X-Api-Key": secret::get("KEY") }"#, format!("x-api-key: {KEY}\r\n")),
        (
            r#"headers: #{ authorization: ["token ", secret::get("KEY")] }"#,
            format!("authorization: token {KEY}\r\n"),
        ),
        (
            r#"basic: #{ user: "me", password: secret::get("KEY") }"#,
            "authorization: Basic bWU6c2stVHIwdWI0ZG9yJjMvaG9yc2U9Ijki\r\n".to_owned(),
        ),
        (
            r#"basic: #{ user: secret::get("KEY") }"#,
            "authorization: Basic c2stVHIwdWI0ZG9yJjMvaG9yc2U9Ijki".to_owned(),
        ),
    ] {
        gives(&world, &format!(r#"http::get("{url}", #{{ {options} }}).status"#), "200");
        let seen = server.seen().pop().expect("a request");
        assert!(seen.contains(wanted.trim_end_matches('=')), "{options}: {seen}");
    }
    assert_eq!(world.acts()[0], http("GET", &format!("{url}/"), 0, &["KEY"]));
    let acts = format!("{:?}", world.acts());
    assert!(!acts.contains("Tr0ub4dor"), "{acts}");
}

#[test]
fn what_a_host_remembers_of_a_call_before_is_taken_out() {
    let said = answer("200 OK", "", &format!("last time: Bearer {KEY}"));
    let server = Server::saying(&[&said]);
    let world = spending(&[&server], &[&server]);
    let script = format!(r#"http::get("{}").body"#, server.url());
    gives(&world, &script, "\"last time: Bearer [secret KEY]\"");
}

#[test]
fn what_a_host_repeats_of_a_secret_is_taken_out() {
    use crate::script::host::hash::{BASE64, BASE64_URL, base64_of};
    let base64 =
        |text: &str, alphabet| base64_of(text.as_bytes(), alphabet, true).expect("no bound");
    let percent: String = ::url::form_urlencoded::byte_serialize(KEY.as_bytes()).collect();
    for echo in [
        KEY.to_owned(),
        percent,
        base64(KEY, BASE64),
        base64(KEY, BASE64_URL),
        base64(&format!("me:{KEY}"), BASE64),
        base64(&format!("{{\"auth\":\"me:{KEY}\"}}"), BASE64),
        serde_json::to_string(KEY).expect("a text"),
        KEY.bytes().map(|byte| format!("{byte:02x}")).collect(),
        KEY.to_lowercase(),
    ] {
        let headers = format!("X-Echo: {}\r\nset-cookie: {echo}\r\n", KEY.replace('"', "%22"));
        let said = answer("200 OK", &headers, &format!("<{echo}|{echo}>"));
        let server = Server::saying(&[&said]);
        let world = spending(&[&server], &[&server]);
        let script = format!(
            r#"let r = http::get("{}", #{{ basic: #{{ user: "me", password: secret::get("KEY") }} }}); json::stringify(r)"#,
            server.url()
        );
        let came = world.run(&script).text;
        assert!(came.matches("[secret KEY]").count() >= 3, "{echo}: {came}");
        for part in ["Tr0ub4", "tr0ub4", "VHIwdWI0", "5472307562", "Ryb3ViN", "UcjB1Yj"] {
            assert!(!came.contains(part), "{echo}: {came}");
        }
    }
}

#[test]
fn a_secret_that_was_spent_is_taken_out_of_later_answers_too() {
    let server = Server::saying(&[&answer("200 OK", "", "ok")]);
    let other = Server::saying(&[&answer("200 OK", "", &format!("I know {KEY}"))]);
    let world = spending(&[&server, &other], &[&server]);
    let script = format!(
        r#"http::get("{}", #{{ bearer: secret::get("KEY") }}); http::get("{}").body"#,
        server.url(),
        other.url()
    );
    gives(&world, &script, r#""I know [secret KEY]""#);
}

#[test]
fn a_refusal_does_not_repeat_a_secret() {
    for said in [
        answer("302 Found", &format!("location: https://{}.example.com/\r\n", "sk-tr0ub4dor"), ""),
        answer(
            "302 Found",
            &format!("location: https://other.example.com/?k={KEY}\r\n").replace('"', "%22"),
            "",
        ),
        answer("302 Found", "location: http://x:sk-Tr0ub4dor@other.example.com/\r\n", ""),
        answer("302 Found", "location: sk-Tr0ub4dor://x/\r\n", ""),
        answer("200 OK", "content-encoding: sk-Tr0ub4dor\r\n", ""),
        // Where a message is cut, no part of it may stay.
        answer("302 Found", &format!("location: http://{}sk-Tr0ub4dor\r\n", " ".repeat(190)), ""),
        answer("302 Found", &format!("location: x:{}sk-Tr0ub4dor\r\n", "x".repeat(192)), ""),
        answer("200 OK", &format!("content-encoding: {}sk-Tr0ub4dor\r\n", "x".repeat(34)), ""),
    ] {
        let server = Server::saying(&[&said]);
        let world = spending(&[&server], &[&server]);
        world.keep("KEY", if said.contains("/?k=") { KEY } else { "sk-Tr0ub4dor" });
        let script = format!(r#"http::get("{}", #{{ bearer: secret::get("KEY") }})"#, server.url());
        let came = world.run(&script);
        assert!(came.text.starts_with("http/"), "{came:?}");
        assert!(!came.text.to_lowercase().contains("sk-t"), "{came:?}");
        assert!(!format!("{:?}", world.acts()).to_lowercase().contains("tr0ub4dor"));
    }
}

#[test]
fn a_secret_goes_to_its_host_and_to_no_other() {
    let server = Server::saying::<&str>(&[]);
    let other = Server::saying::<&str>(&[]);
    let world = spending(&[&server, &other], &[&server]);
    let script = format!(r#"http::get("{}", #{{ bearer: secret::get("KEY") }})"#, other.url());
    let text = refused(&world, &script, "grant/secret");
    assert!(text.contains(&format!("secret=KEY@{}", other.address)), "{text}");
    let text = refused(&world, r#"secret::get("OTHER")"#, "grant/secret");
    assert!(text.contains("peasy grant builtin:trial secret=OTHER@HOST"), "{text}");
    refused(&world, r#"secret::get("a b")"#, "secret/name");
    assert!(world.acts().is_empty());
}

#[test]
fn a_redirect_takes_a_secret_along_only_where_it_may_be_spent() {
    let redirect =
        |to: &Server| answer("307 Temporary", &format!("location: {}/next\r\n", to.url()), "");
    for may_spend in [false, true] {
        let last = Server::saying(&[&answer("200 OK", "", "")]);
        let first = Server::saying(&[&redirect(&last)]);
        let at: &[&Server] = if may_spend { &[&first, &last] } else { &[&first] };
        let world = spending(&[&first, &last], at);
        let script = format!(
            r#"http::get("{}", #{{ headers: #{{ "x-key": secret::get("KEY"), "x-own": 1 }} }}).status"#,
            first.url()
        );
        gives(&world, &script, "200");
        let seen = last.seen().remove(0);
        assert_eq!(seen.contains("x-key: "), may_spend, "{seen}");
        assert!(seen.contains("x-own: 1"), "{seen}");
        let spent: Vec<_> = world
            .acts()
            .into_iter()
            .map(|act| match act {
                Act::Http { secrets, .. } => secrets.len(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(spent, [1, usize::from(may_spend)]);
    }
    // Nor in the address that it leads to.
    let last = Server::saying::<&str>(&[]);
    let first = Server::saying(&[&answer(
        "302 Found",
        &format!("location: {}/?k={}\r\n", last.url(), KEY.replace('"', "%22")),
        "",
    )]);
    let world = spending(&[&first, &last], &[&first]);
    let script = format!(r#"http::get("{}", #{{ bearer: secret::get("KEY") }})"#, first.url());
    let text = refused(&world, &script, "http/redirect");
    assert!(text.contains("carries the secret `KEY` along") && !text.contains("Tr0ub4"), "{text}");
}

#[test]
fn no_secret_is_sent_in_the_clear() {
    let server = encrypted(|_| answer("200 OK", "", "ok").into_bytes());
    let made = Made::new(server.address, &[&["1.1.1.1:443"]]);
    let world = world_on(
        &made,
        &[
            "http=api.example.com",
            "secret=KEY@api.example.com",
            "http=10.0.0.3",
            "secret=KEY@10.0.0.3",
        ],
    );
    world.keep("KEY", KEY);
    for host in ["api.example.com", "10.0.0.3"] {
        let script = format!(r#"http::get("http://{host}/", #{{ bearer: secret::get("KEY") }})"#);
        refused(&world, &script, "secret/in-the-clear");
    }
    assert!(world.acts().is_empty() && made.asked().is_empty());
    gives(
        &world,
        r#"http::get("https://api.example.com/", #{ bearer: secret::get("KEY") }).body"#,
        "\"ok\"",
    );
}

#[test]
fn a_secret_that_cannot_be_had_sends_nothing() {
    let server = Server::saying::<&str>(&[]);
    let grants = [
        server.grant(),
        format!("secret=NONE@{}", server.address),
        format!("secret=SHORT@{}", server.address),
    ];
    let world = world(&[]).granted(&grants);
    world.keep("SHORT", "1234567");
    for (name, code) in [("NONE", "secret/missing"), ("SHORT", "secret/unusable")] {
        let script =
            format!(r#"http::get("{}", #{{ bearer: secret::get("{name}") }})"#, server.url());
        refused(&world, &script, code);
    }
    assert!(world.acts().is_empty());
}

#[test]
fn a_secret_that_was_made_text_is_noticed() {
    let server = Server::saying::<&str>(&[]);
    let world = spending(&[&server], &[&server]);
    let script =
        format!(r#"http::get("{}", #{{ headers: #{{ x: "token [secret KEY]" }} }})"#, server.url());
    let text = refused(&world, &script, "http/header");
    assert!(text.contains(r#"["token ", key]"#), "{text}");
    let script =
        format!(r#"http::post("{}", #{{ json: #{{ key: secret::get("KEY") }} }})"#, server.url());
    let came = world.run(&script);
    assert!(came.text.contains("a secret has no JSON form"), "{came:?}");
    for option in [
        r#"query: #{ k: secret::get("KEY") }"#,
        r#"form: #{ k: secret::get("KEY") }"#,
        r#"body: secret::get("KEY")"#,
    ] {
        let came = world.run(&format!(r#"http::post("{}", #{{ {option} }})"#, server.url()));
        assert!(came.text.starts_with("error: "), "{came:?}");
    }
    assert!(world.acts().is_empty());
}
