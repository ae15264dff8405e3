//! Servers that die, hang, flood, write garbage, or say what is not so: each gets its diagnostic, and none
//! costs more than itself.

use super::*;
use crate::feature::event::EventBody;

#[test]
fn a_server_that_dies_in_the_middle_of_a_call_is_told_and_started_anew() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = fake(
        "web",
        &folder,
        r#"call() { if [ -e "$D/died" ]; then text alive; else : > "$D/died"; printf '\033[31mout of luck\n' >&2; exit 3; fi; }"#,
    );
    let gateway = Gateway::of(&[server]);
    let failure = gateway.call("echo", json!({})).result.expect_err("it died");
    let problem = &failure.diagnostics[0];
    assert_eq!(
        problem.to_string(),
        "error[bridge/ended]: the server `web` ended before the call of `echo` was answered: it ended with exit code 3"
    );
    let last = problem.help.last().map(String::as_str);
    assert_eq!(last, Some("it wrote last: [31mout of luck"), "nothing drives a terminal");
    assert_eq!(gateway.said("echo", json!({})), Ok(json!("alive")), "the next call waits for it");
    assert_eq!(gateway.until(|status| status.lifecycle == Lifecycle::Ready).restarts, 1);
}

#[test]
fn a_server_that_always_dies_is_given_up_and_says_what_it_wrote_last() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = fake("web", &folder, "initialize() { echo 'no such database' >&2; exit 1; }");
    let gateway = Gateway::with(&[server], Pace { most_restarts: 2, ..quick() }, None);
    let status = gateway.until(|status| status.lifecycle == Lifecycle::Failed);
    assert_eq!(status.restarts, 2);
    let problem = &status.problems[0];
    assert_eq!(problem.code, "bridge/handshake");
    assert!(problem.message.ends_with("it ended with exit code 1"), "{problem}");
    assert_eq!(problem.help, ["it wrote last: no such database"]);
}

#[test]
fn a_program_that_is_not_there_is_told() {
    let reach = Reach::Program {
        command: "peasy-no-such-program".into(),
        args: Vec::new(),
        env: Vec::new(),
        cwd: None,
    };
    let server = McpServer::new("web".parse().expect("a name"), reach);
    let gateway = Gateway::with(&[server], Pace { most_restarts: 0, ..quick() }, None);
    let status = gateway.status();
    assert_eq!(
        (status.lifecycle, gateway.codes()),
        (Lifecycle::Failed, vec!["bridge/start".into()])
    );
    assert!(status.problems[0].help[0].contains("correct `command`"), "{:?}", status.problems);
}

#[test]
fn a_call_that_is_not_answered_ends_at_its_deadline_and_the_server_goes_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut server =
        fake("web", &folder, r#"call() { case $line in *hang*) : ;; *) text fine ;; esac; }"#);
    server.timeout = Duration::from_millis(100);
    let gateway = Gateway::of(&[server]);
    let said = gateway.said("echo", json!({ "a": "hang" })).expect_err("it hangs");
    assert!(
        said.starts_with("bridge/timeout: the server `web` did not answer the call of `echo`"),
        "{said}"
    );
    // It answers a ping, and is the same as before.
    assert_eq!(gateway.until(|status| status.lifecycle == Lifecycle::Ready).restarts, 0);
}

#[test]
fn a_server_that_answers_nothing_any_more_is_ended_and_started_anew() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut server = fake(
        "web",
        &folder,
        r#"call() { if [ -e "$D/hung" ]; then text alive; else : > "$D/hung"; while read -r line; do :; done; fi; }"#,
    );
    server.timeout = Duration::from_millis(100);
    let gateway = Gateway::of(&[server]);
    let said = gateway.said("echo", json!({})).expect_err("it hangs");
    assert!(said.starts_with("bridge/timeout"), "{said}");
    gateway.until(|status| status.restarts == 1 && status.lifecycle == Lifecycle::Ready);
}

#[test]
fn a_server_that_reads_nothing_holds_nobody_up() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut server = fake("web", &folder, "call() { exec sleep 1000; }");
    server.timeout = Duration::from_millis(200);
    let gateway = Gateway::of(&[server]);
    // More than a pipe holds: the first call is read, the others are not.
    let large = json!({ "text": "x".repeat(400_000) });
    for _ in 0..2 {
        let said = gateway.said("echo", large.clone()).expect_err("nobody reads");
        assert!(said.starts_with("bridge/"), "{said}");
    }
}

#[test]
fn a_flood_of_notifications_fills_nothing_and_the_answer_comes_through() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = fake(
        "web",
        &folder,
        r#"
        flood() {
            i=0
            while [ $i -lt 3000 ]; do
                notify notifications/message '{"level":"info","data":"again and again and again"}'
                notify notifications/progress "{\"progressToken\":$id,\"progress\":$i}"
                notify notifications/tools/list_changed '{}'
                i=$((i + 1))
            done
        }
        call() { flood; text done; }"#,
    );
    let gateway = Gateway::of(&[server]);
    let kept = Arc::new(Kept::default());
    let options =
        CallOptions { sink: Arc::clone(&kept) as Arc<dyn Sink>, ..CallOptions::default() };
    let outcome = gateway.pod.call("echo", json!({}), options);
    assert_eq!(outcome.result.ok(), Some(json!("done")));
    let events = kept.0.lock().expect("nobody panics");
    let log = events.iter().filter(|event| matches!(event.body, EventBody::Log { .. })).count();
    assert!(log < 1_000, "{log} lines, within the bound of a call's log");
    assert_eq!(gateway.swaps.try_iter().count(), 0, "its tools are the same as before");
}

#[test]
fn what_is_no_message_is_told_and_passed_over() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = fake(
        "web",
        &folder,
        r#"
        echo 'Server is running'
        call() { case $line in *broken*) printf '{"jsonrpc":"2.0","id":%s,"result":{"content":[}}\n' "$id" ;; *) echo '[1,'; text fine ;; esac; }"#,
    );
    let gateway = Gateway::of(&[server]);
    assert_eq!(gateway.said("echo", json!({})), Ok(json!("fine")));
    let said = gateway.said("echo", json!({ "a": "broken" })).expect_err("it is no JSON");
    assert!(
        said.starts_with("bridge/malformed: the server `web` answers the call of `echo`"),
        "{said}"
    );
    assert_eq!(gateway.codes(), ["bridge/malformed"]);
    assert!(gateway.status().problems[0].message.ends_with("no message: `Server is running`"));
}

#[test]
fn a_server_that_writes_nothing_but_garbage_is_ended() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = fake("web", &folder, "initialize() { while echo garbage; do :; done; }");
    let gateway = Gateway::with(&[server], Pace { most_restarts: 0, ..quick() }, None);
    let status = gateway.until(|status| status.lifecycle == Lifecycle::Failed);
    assert_eq!(status.problems[0].code, "bridge/handshake");
    assert!(
        status.problems[0].message.contains("1000 lines that are no messages"),
        "{:?}",
        status.problems
    );
}

#[test]
fn a_line_of_a_hundred_megabytes_costs_its_own_call_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = fake(
        "web",
        &folder,
        r#"
        call() { case $line in *large*)
            printf '{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"' "$id"
            head -c 100000000 /dev/zero | tr '\0' x
            printf '"}]}}\n' ;;
        *) text fine ;;
        esac; }"#,
    );
    let gateway = Gateway::of(&[server]);
    let said = gateway.said("echo", json!({ "a": "large" })).expect_err("it is too large");
    assert_eq!(
        said,
        "bridge/too-large: the server `web` answers the call of `echo` with more than 4194304 bytes"
    );
    assert_eq!(gateway.said("echo", json!({})), Ok(json!("fine")));
    assert_eq!(gateway.status().restarts, 0);
}

#[test]
fn a_result_is_held_against_the_bounds_and_against_what_the_server_says_of_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = fake(
        "web",
        &folder,
        r#"
        tools='{"name":"sum","inputSchema":{"type":"object"},"outputSchema":{"type":"object","required":["sum"],"properties":{"sum":{"type":"integer"}}}},{"name":"long","inputSchema":{"type":"object"}}'
        call() { case $line in
            *lie*) answer '{"content":[],"structuredContent":{"sum":"three"}}' ;;
            *silent*) text three ;;
            *long*) printf '{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"' "$id"; head -c 600000 /dev/zero | tr '\0' x; printf '"}]}}\n' ;;
            *failed*) answer '{"content":[{"type":"text","text":"no such city"}],"isError":true}' ;;
            *) refuse -32000 'on fire' ;;
        esac; }"#,
    );
    let gateway = Gateway::of(&[server]);
    let code = |tool: &str, word: &str| {
        let said = gateway.said(tool, json!({ "a": word })).expect_err("a failure");
        said.split(':').next().map(str::to_owned).unwrap_or_default()
    };
    assert_eq!(code("sum", "lie"), "result/type");
    assert_eq!(code("sum", "silent"), "result/type");
    assert_eq!(
        gateway.said("sum", json!({ "a": "failed" })),
        Err("bridge/failed: no such city".into())
    );
    assert_eq!(code("sum", "x"), "bridge/refused");
    let Ok(Value::String(long)) = gateway.said("long", json!({})) else { panic!("a text") };
    assert!(long.len() <= 256 * 1024 && long.contains("[cut: "), "{}", long.len());
}

#[test]
fn what_a_server_wants_beyond_tools_is_refused_and_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = fake(
        "web",
        &folder,
        r#"
        call() { mine=$id; printf '{"jsonrpc":"2.0","id":"s1","method":"sampling/createMessage","params":{}}\n'; }
        other() { case $line in *s1*error*32601*) id=$mine; text refused ;; esac; }"#,
    );
    let gateway = Gateway::of(&[server]);
    assert_eq!(gateway.said("echo", json!({})), Ok(json!("refused")));
    assert_eq!(gateway.codes(), ["bridge/beyond-tools"]);
    assert!(
        gateway.status().problems[0]
            .message
            .contains("`web` asked its client for sampling/createMessage")
    );
}

#[test]
fn a_list_without_an_end_and_a_version_that_nobody_speaks_are_no_handshake() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (otherwise, said) in [
        (
            "list() { answer \"{\\\"tools\\\":[$tools],\\\"nextCursor\\\":\\\"more\\\"}\"; }",
            "more than 64 pages",
        ),
        ("list() { answer '{}'; }", "it has no list of tools"),
        ("list() { answer '5'; }", "is no object"),
        (
            "initialize() { answer '{\"protocolVersion\":\"1999-01-01\"}'; }",
            "the version `1999-01-01`",
        ),
        ("initialize() { refuse -1 'go away'; }", "go away"),
    ] {
        let gateway = Gateway::with(
            &[fake("web", &folder, otherwise)],
            Pace { most_restarts: 0, ..quick() },
            None,
        );
        let status = gateway.until(|status| status.lifecycle == Lifecycle::Failed);
        let problem = &status.problems[0];
        assert_eq!(problem.code, "bridge/handshake", "{problem}");
        assert!(problem.message.contains(said), "{said}: {problem}");
    }
}

#[test]
fn a_server_that_is_down_is_said_to_be() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = fake(
        "web",
        &folder,
        r#"if [ -e "$D/once" ]; then exit 1; fi; : > "$D/once"; call() { exit 1; }"#,
    );
    let gateway = Gateway::with(&[server], Pace { most_restarts: 1, ..quick() }, None);
    let said = gateway.said("echo", json!({})).expect_err("it dies");
    assert!(said.starts_with("bridge/ended"), "{said}");
    gateway.until(|status| status.lifecycle == Lifecycle::Failed);
    assert_eq!(gateway.tools(), ["echo"], "what was listed stays listed");
    let said = gateway.said("echo", json!({})).expect_err("it is down");
    assert_eq!(said, "bridge/down: the server `web` cannot be called: it is failed");
}
