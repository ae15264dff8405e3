//! Servers that keep to the protocol: what comes through, and how they come and go.

use super::*;
use crate::feature::call::Cancel;
use crate::feature::event::EventBody;
use crate::feature::secret::SecretText;
use std::io::Read;

#[test]
fn a_tool_of_a_server_is_a_tool_like_any_other() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = fake(
        "web",
        &folder,
        r#"
        tools='{"name":"add","title":"Add","description":"Adds.","inputSchema":{"type":"object","required":["a"],
            "properties":{"a":{"type":"integer"}},"x-own":1},"outputSchema":{"type":"object","required":["sum"]}}'
        tools=$(echo $tools)
        call() {
            notify notifications/progress "{\"progressToken\":$id,\"progress\":1,\"total\":2,\"message\":\"half\"}"
            notify notifications/message '{"level":"warning","data":{"a":1}}'
            answer '{"content":[],"structuredContent":{"sum":3}}'
        }"#,
    );
    let gateway = Gateway::of(&[server]);
    let catalog = gateway.pod.catalog();
    let tool = catalog.tool("add").expect("it is there");
    assert_eq!(tool.feature().to_string(), "bridge:web");
    assert_eq!(tool.declaration().parameters.to_json_schema()["x-own"], 1);
    assert_eq!(tool.limits().get(Limit::Time), 60_000, "its own bound, not that of all");
    let kept = Arc::new(Kept::default());
    let options =
        CallOptions { sink: Arc::clone(&kept) as Arc<dyn Sink>, ..CallOptions::default() };
    let outcome = gateway.pod.call("add", json!({ "a": 1 }), options);
    assert_eq!(outcome.result.ok(), Some(json!({ "sum": 3 })));
    assert_eq!((outcome.receipt.bytes_in, outcome.receipt.bytes_out), (7, 9));
    let events = std::mem::take(&mut *kept.0.lock().expect("nobody panics"));
    let [progress, log] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(progress.feature.to_string(), "bridge:web");
    assert!(matches!(&progress.body, EventBody::Progress { done: 1.0, total: Some(2.0), .. }));
    assert!(matches!(&log.body, EventBody::Log { text, .. } if text == r#"{"a":1}"#));

    assert!(
        gateway.said("add", json!({})).is_err_and(|said| said.starts_with("arguments/missing"))
    );
    assert!(
        gateway
            .said("add", json!({ "a": "x" }))
            .is_err_and(|said| said.starts_with("arguments/type"))
    );
    let log = gateway.log();
    let act = r#""act":"bridge","server":"web","tool":"add""#;
    let (at, end) = (log.find(act).expect("it is on record"), log.find(r#"{"sum":3}"#));
    assert!(end.is_some_and(|end| at < end), "it is on record before its result");
    assert_eq!(log.matches(act).count(), 1, "a call that is refused does nothing");
}

#[test]
fn a_server_says_how_it_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut server =
        fake("web", &folder, "capabilities='{\"tools\":{},\"prompts\":{},\"resources\":{}}'");
    server.timeout = Duration::from_secs(9);
    let gateway = Gateway::of(&[server]);
    let status = gateway.status();
    assert_eq!(status.lifecycle, Lifecycle::Ready);
    assert_eq!((status.title.as_deref(), status.version.as_deref()), (Some("fake"), Some("1.2")));
    assert_eq!((status.protocol.as_deref(), status.restarts), (Some("2025-06-18"), 0));
    assert_eq!(gateway.codes(), ["bridge/beyond-tools"]);
    assert!(status.problems[0].message.ends_with("and not: `prompts`, `resources`"));
    let json = serde_json::to_value(&status).expect("it is JSON");
    assert_eq!((&json["lifecycle"], &json["tools"]), (&json!("ready"), &json!(["echo"])));
}

#[test]
fn a_server_that_has_other_tools_now_is_listed_anew() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = fake(
        "web",
        &folder,
        r#"
        call() {
            tools='{"name":"new","inputSchema":{"type":"object"}}'
            notify notifications/tools/list_changed '{}'
            text done
        }"#,
    );
    let gateway = Gateway::of(&[server]);
    assert_eq!(gateway.tools(), ["echo"]);
    assert_eq!(gateway.said("echo", json!({})), Ok(json!("done")));
    gateway.swaps.recv().expect("a catalog");
    assert_eq!(gateway.tools(), ["new"]);
    assert!(
        gateway.said("echo", json!({})).is_err_and(|said| said.starts_with("call/unknown-tool"))
    );
    assert_eq!(gateway.said("new", json!({})), Ok(json!("done")));
}

#[test]
fn one_name_in_two_servers_is_refused_and_the_line_to_write_is_said() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let servers = ["a", "b-c"].map(|name| fake(name, &folder, ""));
    let gateway = Gateway::of(&servers);
    assert_eq!(gateway.tools(), [""; 0]);
    let catalog = gateway.pod.catalog();
    let report = &catalog.reports()[0];
    assert_eq!(report.skipped[0].why.code, "registry/duplicate-tool");
    assert_eq!(
        report.skipped[0].why.help,
        [
            "write `rename = { echo = \"a_echo\" }` under `[mcp.servers.a]`",
            "write `rename = { echo = \"b_c_echo\" }` under `[mcp.servers.b-c]`",
        ]
    );
    let mut servers = servers;
    servers[1].rename.insert("echo".into(), "b_c_echo".parse().expect("a name"));
    let gateway = Gateway::of(&servers);
    assert_eq!(gateway.tools(), ["echo", "b_c_echo"]);
    assert_eq!(gateway.said("b_c_echo", json!({})), Ok(json!("hello")));
}

#[test]
fn a_call_that_is_cancelled_is_called_off_at_the_server() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = fake(
        "web",
        &folder,
        r#"
        call() { case $line in *again*) text "$off" ;; *) notify notifications/message '{"data":"begun"}' ;; esac; }
        other() { case $line in *notifications/cancelled*) off=called-off ;; esac; }"#,
    );
    let gateway = Gateway::of(&[server]);
    /// Cancels as soon as the server has begun.
    struct CancelsAtOnce(Cancel);
    impl Sink for CancelsAtOnce {
        fn emit(&self, _: FeatureEvent) {
            self.0.cancel();
        }
    }
    let cancel = Cancel::default();
    let sink = Arc::new(CancelsAtOnce(cancel.clone()));
    let options = CallOptions { sink, cancel, ..CallOptions::default() };
    let outcome = gateway.pod.call("echo", json!({}), options);
    assert_eq!(outcome.result.expect_err("it was cancelled").diagnostics[0].code, "call/cancelled");
    assert_eq!(gateway.said("echo", json!({ "a": "again" })), Ok(json!("called-off")));
}

#[test]
fn a_secret_reaches_its_server_and_nothing_that_the_server_says_shows_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let secrets = Secrets::new(folder.path().join("config"));
    let text = SecretText::new("sk-4dor9horse8battery".to_owned().into()).expect("long enough");
    secrets.keep(&"KEY".parse().expect("a name"), &text).expect("the folder takes it");
    let mut server =
        fake("web", &folder, r#"call() { text "${#TOKEN} $TOKEN ${PEASY_STRAY-unset}"; }"#);
    let Reach::Program { env, .. } = &mut server.reach else { panic!("a program") };
    env.push(("TOKEN".into(), Spelled::parse("secret:KEY").expect("a name")));
    let gateway = Gateway::with(&[server.clone()], quick(), Some(secrets.clone()));
    assert_eq!(gateway.said("echo", json!({})), Ok(json!("21 [secret KEY] unset")));
    assert!(!gateway.log().contains("sk-4dor9horse8battery"));

    let Reach::Program { env, .. } = &mut server.reach else { panic!("a program") };
    env[0].1 = Spelled::parse("secret:OTHER").expect("a name");
    let pace = Pace { most_restarts: 0, ..quick() };
    let gateway = Gateway::with(&[server], pace, Some(secrets));
    assert_eq!(
        (gateway.status().lifecycle, gateway.codes()),
        (Lifecycle::Failed, vec!["secret/missing".into()])
    );
}

#[test]
fn a_server_ends_with_the_bridge_and_takes_along_what_it_started() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = fake(
        "web",
        &folder,
        r#"
        mkfifo "$D/alive"
        call() { (exec sleep 1000 > "$D/alive") & text started; }"#,
    );
    let gateway = Gateway::of(&[server]);
    // Opening waits for somebody who writes, and reading until nobody is left who could.
    let alive = folder.path().join("alive");
    let reader = std::thread::spawn(move || {
        let mut pipe = std::fs::File::open(alive).expect("a pipe");
        pipe.read_to_end(&mut Vec::new())
    });
    assert_eq!(gateway.said("echo", json!({})), Ok(json!("started")));
    drop(gateway);
    assert_eq!(reader.join().expect("it ended").ok(), Some(0));
}

#[test]
fn a_server_without_a_handshake_is_asked_request_by_request() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = fake(
        "web",
        &folder,
        r#"
        stamp='"io.modelcontextprotocol/protocolVersion":"2026-07-28"'
        initialize() { refuse -32601 'no such method'; }
        list() { case $line in *"$stamp"*) answer "{\"resultType\":\"complete\",\"tools\":[$tools]}" ;; *) refuse -32602 missing ;; esac; }
        call() { case $line in
            *'"ask":true'*) answer '{"resultType":"input_required","inputRequests":{}}' ;;
            *"$stamp"*) text stamped ;;
            *) refuse -32602 missing ;;
        esac; }
        other() { case $line in
            *server/discover*"$stamp"*) answer '{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true}},"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"modern","version":"2"}}}' ;;
            *subscriptions/listen*toolsListChanged*) tools='{"name":"later","inputSchema":{"type":"object"}}' ;;
        esac; }"#,
    );
    let gateway = Gateway::of(&[server]);
    let status = gateway.status();
    assert_eq!(
        (status.protocol.as_deref(), status.title.as_deref()),
        (Some("2026-07-28"), Some("modern"))
    );
    assert_eq!(gateway.tools(), ["later"], "it was listened to before it was listed");
    assert_eq!(gateway.said("later", json!({})), Ok(json!("stamped")));
    assert!(
        gateway
            .said("later", json!({ "ask": true }))
            .is_err_and(|said| said.starts_with("bridge/beyond-tools"))
    );
}
