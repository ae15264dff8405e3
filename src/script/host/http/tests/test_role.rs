//! Requests in tests of features: answered by the test, and by nobody else.

use super::{Server, answer};
use crate::script::host::trial::World;

fn world() -> World {
    World::new(&["http=api.example.com", "http=*.b.example.com", "secret=KEY@api.example.com"])
}

#[track_caller]
fn gives(script: &str, wanted: &str) {
    assert_eq!(world().run_as_test(script).text, wanted, "{script}");
}

#[track_caller]
fn refused(script: &str, start: &str) -> String {
    let text = world().run_as_test(script).text;
    assert!(text.starts_with(start), "{script}: {text}");
    text
}

#[test]
fn a_test_gives_its_own_answers() {
    gives(
        r#"http::answer("https://api.example.com/a", #{ json: #{ n: 1 }, headers: #{ ETag: "x" } });
        let r = http::get("https://API.example.com/a");
        [r.status, r.ok, r.body, r.headers.etag, r.headers["content-type"], r.url]"#,
        r#"[200, true, "{\"n\":1}", "x", "application/json", "https://api.example.com/a"]"#,
    );
    // In order, and the last one stays.
    gives(
        r#"for n in 1..4 { http::answer("https://api.example.com/", #{ body: n.to_string() }); }
        let all = "";
        for n in 0..5 { all += http::get("https://api.example.com").body; }
        all"#,
        "\"12333\"",
    );
    // An answer without a query is for every query that has none of its own.
    gives(
        r#"http::answer("https://api.example.com/a", #{ body: "any" });
        http::answer("https://api.example.com/a?p=2", #{ body: "two" });
        [http::get("https://api.example.com/a?p=1").body, http::get("https://api.example.com/a", #{ query: #{ p: 2 } }).body]"#,
        r#"["any", "two"]"#,
    );
    gives(
        r#"http::answer("https://api.example.com/a", #{ status: 302, headers: #{ location: "/b" } });
        http::answer("https://api.example.com/b", #{ status: 404 });
        let r = http::get("https://api.example.com/a");
        [r.status, r.url]"#,
        r#"[404, "https://api.example.com/b"]"#,
    );
}

#[test]
fn a_test_sees_what_was_sent_and_no_secret() {
    gives(
        r#"http::answer("https://api.example.com/", #{});
        http::post("https://api.example.com/", #{ json: [1], bearer: secret::get("KEY") });
        let sent = http::sent()[0];
        [sent.method, sent.url, sent.body, sent.headers.authorization, sent.headers["content-type"]]"#,
        r#"["POST", "https://api.example.com/", "[1]", "Bearer [secret KEY]", "application/json"]"#,
    );
}

#[test]
fn a_request_without_an_answer_says_how_to_give_one() {
    let text = refused(r#"http::get("https://api.example.com/x?y=1")"#, "http/no-answer: ");
    assert!(text.contains(r#"http::answer("https://api.example.com/x", #{"#), "{text}");
}

#[test]
fn a_test_is_held_to_grants_and_options() {
    let given = r#"http::answer("https://other.example.com/", #{});"#;
    refused(&format!(r#"{given} http::get("https://other.example.com/")"#), "grant/http: ");
    let given = r#"http::answer("https://x.b.example.com/", #{}); http::answer("http://api.example.com/", #{});"#;
    refused(
        &format!(
            r#"{given} http::get("https://x.b.example.com/", #{{ bearer: secret::get("KEY") }})"#
        ),
        "grant/secret: ",
    );
    refused(
        &format!(
            r#"{given} http::get("http://api.example.com/", #{{ bearer: secret::get("KEY") }})"#
        ),
        "secret/in-the-clear: ",
    );
    refused(
        r#"http::answer("https://api.example.com/", #{ staus: 1 })"#,
        "error: Runtime error: http::answer: there is no option `staus`; did you mean `status`?",
    );
    refused(
        r#"http::answer("https://api.example.com/", #{ status: 99 })"#,
        "error: Runtime error: http::answer: `status`",
    );
    refused(r#"http::answer("nowhere", #{})"#, "http/url: ");
    refused(
        r#"http::answer("https://api.example.com/", #{ status: 302, headers: #{ location: "https://other.example.com/" } });
        http::get("https://api.example.com/")"#,
        "http/redirect: ",
    );
}

#[test]
fn answers_are_for_tests_alone() {
    let server = Server::saying(&[&answer("200 OK", "", "real")]);
    let world = super::world(&[&server]);
    let script = format!(r#"http::answer("{0}", #{{}}); http::get("{0}").body"#, server.url());
    for (script, function) in [(script.as_str(), "http::answer"), ("http::sent()", "http::sent")] {
        let text = world.run(script).text;
        assert!(
            text.contains(&format!("{function} is for functions with `@test` alone")),
            "{text}"
        );
    }
}
