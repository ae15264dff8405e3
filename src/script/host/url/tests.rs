//! What `url` does with ordinary texts, odd ones, and huge ones.

use crate::script::host::text::trial::{bounded, check, check_examples, check_refused, lateness};

#[test]
fn examples_are_true() {
    check_examples("url", &super::module());
}

#[test]
fn addresses_are_read_as_browsers_read_them() {
    check("url::parse(\"http://good.example\\\\@evil.example/\").host", "\"good.example\"");
    check("url::parse(\"http://good.example@evil.example/\").host", "\"evil.example\"");
    check("url::parse(\"http://0x7f.1/\").host", "\"127.0.0.1\"");
    check("url::parse(\"https://BÜCHER.example\").host", "\"xn--bcher-kva.example\"");
    check("url::parse(\"http://[::1]:80/\").port", "()");
    check(
        "url::parse(\"mailto:a@example.com\")",
        "#{ scheme: \"mailto\", username: (), password: (), host: (), port: (), path: \"a@example.com\", query: (), fragment: (), origin: () }",
    );
    check(
        "let u = url::parse(\"ftp://ann:s%20x@h:21/p?#\"); [u.username, u.password, u.query, u.fragment]",
        "[\"ann\", \"s%20x\", \"\", \"\"]",
    );
    check(
        "url::join(\"https://example.com/a/b?c#d\", \"//other.example\")",
        "\"https://other.example/\"",
    );
    check(
        "url::join(\"https://example.com/a/b?c\", \"#top\")",
        "\"https://example.com/a/b?c#top\"",
    );
    check("url::is_valid(\"https://a b/\")", "false");
}

#[test]
fn parts_become_addresses() {
    for address in
        ["https://ann:pw@example.com:8080/a%20b?c=d#e", "http://example.com/", "ftp://h/x"]
    {
        check(&format!("url::build(url::parse(\"{address}\"))"), &format!("\"{address}\""));
    }
    check(
        "url::build(#{ scheme: \"http\", host: \"h\", path: \"a?b#c\" })",
        "\"http://h/a%3Fb%23c\"",
    );
    check(
        "url::build(#{ scheme: \"http\", host: \"h\", query: [[\"b\", 1], [\"a\", 'c']] })",
        "\"http://h/?b=1&a=c\"",
    );
    check("url::query(#{})", "\"\"");
    check("url::query([[\"a\", [1, 2.5, true]], [\"b\", []]])", "\"a=1&a=2.5&a=true\"");
}

#[test]
fn components_come_back() {
    check("url::decode(url::encode(\"100% año & 🦀/?#+\"))", "\"100% año & 🦀/?#+\"");
    check("url::pairs(\"\")", "[]");
    check(
        "url::pairs(\"a=1&&b=%zz&c=%ff&=d\")",
        "[[\"a\", \"1\"], [\"b\", \"%zz\"], [\"c\", \"\u{fffd}\"], [\"\", \"d\"]]",
    );
    check(
        "url::pairs(url::query([[\"a b\", \"c&d=e\"], [\"ñ\", \"+\"]]))",
        "[[\"a b\", \"c&d=e\"], [\"ñ\", \"+\"]]",
    );
}

#[test]
fn mistakes_are_told_and_can_be_caught() {
    check_refused("url::parse(\"example.com/a\")", "it has no scheme");
    check_refused("url::parse(\"http://\")", "empty host");
    check_refused("url::parse(\"http://a:99999/\")", "invalid port");
    check_refused("url::parse(text::repeat(\"a\", 100000))", "16384 is the most");
    check_refused("url::join(\"mailto:a@example.com\", \"b\")", "is no address");
    check_refused("url::build(#{ host: \"h\" })", "`scheme` is missing");
    check_refused("url::build(#{ scheme: \"http\", host: \"a/b\" })", "\"a/b\" cannot be the host");
    check_refused("url::build(#{ scheme: \"http\", host: \"a@b\" })", "cannot be the host");
    check_refused("url::build(#{ scheme: \"ht tp\", host: \"a\" })", "cannot be the scheme");
    check_refused("url::build(#{ scheme: \"http://evil/\", host: \"a\" })", "cannot be the scheme");
    check_refused(
        "url::build(#{ scheme: \"http\", host: \"a\", port: 70000 })",
        "cannot be the port",
    );
    check_refused(
        "url::build(#{ scheme: \"http\", host: \"a\", hash: \"x\" })",
        "no option `hash`",
    );
    check_refused("url::query(5)", "the pairs are an int");
    check_refused("url::query([[\"a\"]])", "no list of a name and a value");
    check_refused("url::query(#{ a: #{} })", "the value of `a` is a map");
    check_refused("url::query(#{ a: || 1 })", "the value of `a` is a function");
    check_refused("url::decode(\"50%\")", "write %25");
    check_refused("url::decode(\"%ff\")", "no text in UTF-8");
}

#[test]
fn bombs_end_at_the_bounds() {
    let text = "let s = text::repeat(\" \", 1000000); ";
    for bomb in [
        "let q = []; for i in 0..1000 { q.push([\"a\", s]) } url::query(q)",
        "let q = []; for i in 0..1000 { q.push(s) } url::query([[s, q]])",
        "url::encode(text::repeat(s, 9))",
        "loop { url::decode(s) }",
        "url::pairs(text::repeat(\"a&\", 2000000))",
        "loop { url::parse(\"http://h/\" + text::repeat(\"é\", 5000)) }",
    ] {
        let started = std::time::Instant::now();
        let (killed, spent) = bounded(&format!("{text}{bomb}"), 2_000_000, 32 << 20);
        assert!(killed.is_some(), "{bomb} ends with {spent:?}");
        assert!(spent.peak_memory < 34 << 20, "{bomb}: {spent:?}");
        assert!(started.elapsed().as_secs() < 15, "{bomb}: {:?}", started.elapsed());
    }
}

#[test]
fn long_work_sees_the_deadline() {
    for work in [
        "let h = text::repeat(\"é\", 8000); loop { url::is_valid(\"http://\" + h) }",
        "let h = \"xn--\" + text::repeat(\"a\", 16000); loop { url::is_valid(\"http://\" + h) }",
        "let h = \"xn--\" + text::repeat(\"99\", 8000); loop { url::is_valid(\"http://\" + h) }",
        "let h = text::repeat(\"é.\", 5000); loop { url::is_valid(\"http://\" + h) }",
        "let h = \"http://h/\" + text::repeat(\"../a/\", 3000); loop { url::join(h, h) }",
        "let s = text::repeat(\"%41+\", 2000000); loop { url::decode(s) }",
    ] {
        let late = lateness(work);
        assert!(late < 250, "{work}: {late} ms late");
    }
}
