//! `peasy serve` as a client meets it: lines in, lines out, and an end when input ends.

#![allow(
    clippy::disallowed_methods,
    reason = "writes a feature to a folder of its own and serves it"
)]

use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use tempfile::TempDir;

const TOOLS: &str = r#"//! @feature tools
//! @request notify:model
//! @request notify:user
//! @request? emit
//! @channel steps

/// Count the words in a text.
/// @tool
/// @hint read_only idempotent
/// @title Word count
/// @param text string
///   The text to count.
/// @returns { words: int }
fn count_words(text) {
    if text == "" { fail("the text is empty; send one with words") }
    #{ words: text::words(text).len() }
}

/// Say everything that can be said.
/// @tool
/// @returns string
fn chatty() {
    emit::progress(1, 2, "half");
    emit::progress(1, 2, "still half");
    emit::warn("careful", "thin ice");
    emit::to("steps", "on a channel");
    notify::user("look here");
    emit::progress(2, 2);
    notify::model("remember this");
    "done"
}

/// Fail as scripts fail.
/// @tool
fn fault() { throw "a secret detail" }

/// Run for ever.
/// @tool
fn spin() { loop {} }

/// Say that it runs, and run for ever.
/// @tool
fn told_spin() { emit::info("begun"); loop {} }

/// A list and no object.
/// @tool
/// @returns int[]
fn numbers() { [1, 2] }
"#;

/// A server and both ends of its pipe.
struct Server {
    folder: TempDir,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Server {
    fn start(flags: &[&str]) -> Self {
        let folder = TempDir::new().expect("a folder for the test");
        let file = folder.path().join("tools.rhai");
        fs::write(&file, TOOLS).expect("a feature");
        let mut child = Command::new(env!("CARGO_BIN_EXE_peasy"))
            .arg("serve")
            .arg(&file)
            .args(["--grant", "notify:model"])
            .args(flags)
            .env_clear()
            .env("HOME", folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let stdin = child.stdin.take();
        let lines = BufReader::new(child.stdout.take().expect("standard output")).lines();
        Self { folder, child, stdin, lines }
    }

    /// A server after the handshake.
    fn ready(flags: &[&str]) -> Self {
        let mut server = Self::start(flags);
        let parameters = json!({
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": { "name": "test", "version": "1" },
        });
        let answer = server.ask(0, "initialize", parameters);
        assert_eq!(answer["result"]["protocolVersion"], "2025-06-18");
        assert_eq!(answer["result"]["serverInfo"]["name"], "peasy");
        server.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        server
    }

    fn line(&mut self, line: &str) {
        self.bytes(format!("{line}\n").as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("standard input is open");
        stdin.write_all(bytes).expect("the server reads");
    }

    fn send(&mut self, message: &Value) {
        self.line(&message.to_string());
    }

    fn request(&mut self, id: u64, method: &str, parameters: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": parameters }));
    }

    fn next(&mut self) -> Value {
        let line = self.lines.next().expect("a line").expect("text");
        serde_json::from_str(&line).expect("nothing but the protocol on standard output")
    }

    fn ask(&mut self, id: u64, method: &str, parameters: Value) -> Value {
        self.request(id, method, parameters);
        let answer = self.next();
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.ask(9, "tools/call", json!({ "name": tool, "arguments": arguments }))
    }

    /// Closes input, and gives what still came, standard error, and the exit code.
    fn end(mut self) -> (Vec<Value>, String, Option<i32>) {
        drop(self.stdin.take());
        let rest = self
            .lines
            .by_ref()
            .map(|line| serde_json::from_str(&line.expect("text")).expect("the protocol"))
            .collect();
        let output = self.child.wait_with_output().expect("the server ends");
        // Nobody has to look through its lines for calls that it left open.
        let instances = self.folder.path().join(".local/state/peasy/session/default/instances");
        let left = fs::read_dir(instances).expect("the log was opened").count();
        assert_eq!(left, 0, "it says that it ended");
        (rest, String::from_utf8_lossy(&output.stderr).into_owned(), output.status.code())
    }
}

#[test]
fn tools_are_listed_with_their_schemas() {
    let mut server = Server::ready(&[]);
    let answer = server.ask(1, "tools/list", json!({}));
    let tools = answer["result"]["tools"].as_array().expect("tools").clone();
    let names: Vec<_> = tools.iter().map(|tool| tool["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["count_words", "chatty", "fault", "spin", "told_spin", "numbers"]);
    assert_eq!(
        tools[0],
        json!({
            "name": "count_words",
            "title": "Word count",
            "description": "Count the words in a text.",
            "inputSchema": {
                "type": "object",
                "properties": { "text": { "description": "The text to count.", "type": "string" } },
                "required": ["text"],
                "additionalProperties": false,
            },
            "outputSchema": {
                "type": "object",
                "properties": { "words": { "type": "integer" } },
                "required": ["words"],
                "additionalProperties": false,
            },
            "annotations": { "readOnlyHint": true, "idempotentHint": true },
        })
    );
    assert!(tools[5].get("outputSchema").is_none(), "only objects have one");
    assert_eq!(server.ask(2, "tools/list", json!({}))["result"], answer["result"]);
    assert_eq!(server.end().2, Some(0));
}

#[test]
fn results_and_errors_have_their_forms() {
    let mut server = Server::ready(&[]);
    let result = |answer: Value| answer["result"].clone();
    let text = |text: &str| json!([{ "type": "text", "text": text }]);
    assert_eq!(
        result(server.call("count_words", json!({ "text": "a b" }))),
        json!({
            "content": text("{\"words\":2}"),
            "structuredContent": { "words": 2 },
            "isError": false,
        })
    );
    assert_eq!(
        result(server.call("numbers", json!({}))),
        json!({ "content": text("[1,2]"), "isError": false })
    );
    let wrong = result(server.call("count_words", json!({ "txet": 1 })));
    assert_eq!(wrong["isError"], true);
    let said = wrong["content"][0]["text"].as_str().expect("a text").to_owned();
    assert!(said.contains("`text` is missing") && said.contains("`txet` is unknown"), "{said}");
    let failed = result(server.call("count_words", json!({ "text": "" })));
    let said = failed["content"][0]["text"].as_str().expect("a text").to_owned();
    assert!(said.starts_with("the text is empty; send one with words"), "{said}");
    let fault = result(server.call("fault", json!({})));
    assert_eq!(fault["isError"], true);
    assert!(fault["content"][0]["text"].as_str().is_some_and(|text| text.contains("script/throw")));
    let unknown = server.call("count_wrods", json!({}));
    assert_eq!(unknown["error"]["code"], -32602);
    assert!(unknown["error"]["message"].as_str().is_some_and(|text| text.contains("count_words")));
    let (rest, said, code) = server.end();
    assert_eq!((rest.len(), code), (0, Some(0)));
    assert!(said.contains("error[script/throw]") && said.contains("tools.rhai"), "{said}");
}

#[test]
fn what_a_call_says_stands_before_its_answer() {
    let mut server = Server::ready(&[]);
    let parameters =
        json!({ "name": "chatty", "arguments": {}, "_meta": { "progressToken": "p" } });
    server.request(5, "tools/call", parameters);
    let message = |level: &str, logger: &str, data: Value| {
        json!({
            "jsonrpc": "2.0",
            "method": "notifications/message",
            "params": { "level": level, "logger": logger, "data": data },
        })
    };
    let half = server.next();
    assert_eq!(half["method"], "notifications/progress");
    assert_eq!(
        half["params"],
        json!({ "progressToken": "p", "progress": 1.0, "total": 2.0, "message": "half" })
    );
    let warning = json!({ "summary": "careful", "detail": "thin ice" });
    assert_eq!(server.next(), message("warning", "tools", warning));
    assert_eq!(server.next(), message("info", "tools/steps", json!("on a channel")));
    assert_eq!(server.next(), message("notice", "tools", json!("look here")));
    assert_eq!(server.next()["params"]["progress"], 2.0);
    let answer = server.next();
    assert_eq!(answer["id"], 5);
    assert_eq!(
        answer["result"]["content"],
        json!([{ "type": "text", "text": "done" }, { "type": "text", "text": "remember this" }])
    );
    server.ask(6, "logging/setLevel", json!({ "level": "error" }));
    assert_eq!(
        server.call("chatty", json!({}))["id"],
        9,
        "no progress without a token, no messages"
    );
    assert_eq!(server.end().2, Some(0));
}

#[test]
fn a_cancelled_call_stops_and_gets_no_answer() {
    let mut server = Server::ready(&["--limit", "time=10min", "--limit", "operations=1000000000"]);
    server.request(5, "tools/call", json!({ "name": "spin", "arguments": {} }));
    // Others are served meanwhile.
    assert_eq!(server.call("numbers", json!({}))["id"], 9);
    let parameters = json!({ "requestId": 5 });
    server.send(
        &json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": parameters }),
    );
    assert_eq!(server.ask(6, "ping", json!({}))["result"], json!({}));
    let (rest, _, code) = server.end();
    assert_eq!((rest.len(), code), (0, Some(0)));
}

#[test]
fn calls_in_flight_are_answered_when_input_ends() {
    let mut server = Server::ready(&["--limit", "time=300ms", "--limit", "operations=1000000000"]);
    for id in 1..=3 {
        server.request(id, "tools/call", json!({ "name": "spin", "arguments": {} }));
    }
    let (rest, _, code) = server.end();
    let mut ids: Vec<_> = rest.iter().filter_map(|answer| answer["id"].as_u64()).collect();
    ids.sort_unstable();
    assert_eq!((ids, code), (vec![1, 2, 3], Some(0)));
}

#[test]
fn no_line_ends_the_server() {
    let mut server = Server::start(&[]);
    // Before the handshake only requests count.
    server.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    server.send(&json!({ "jsonrpc": "2.0", "id": 7, "result": {} }));
    for (line, code, id) in [
        ("nonsense", -32700, Value::Null),
        ("{\"jsonrpc\":\"2.0\",", -32700, Value::Null),
        ("[]", -32600, Value::Null),
        ("{\"jsonrpc\":\"2.0\",\"id\":3}", -32600, json!(3)),
        ("{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}", -32600, Value::Null),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"initialize\",\"params\":[]}",
            -32602,
            json!(4),
        ),
    ] {
        server.line(line);
        let answer = server.next();
        assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(code), &id), "{line}");
    }
    let parameters = json!({
        "protocolVersion": "1999-01-01",
        "capabilities": {},
        "clientInfo": { "name": "test", "version": "1" },
    });
    let answer = server.ask(1, "initialize", parameters);
    assert_eq!(answer["result"]["protocolVersion"], "2025-11-25");
    for (line, code) in [
        ("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":[1]}", -32602),
        ("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"no/such\"}", -32601),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\",\"params\":{\"cursor\":\"x\"}}",
            -32602,
        ),
    ] {
        server.line(line);
        assert_eq!(server.next()["error"]["code"], code, "{line}");
    }
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    server.line(&format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\",\"params\":{{\"name\":\"numbers\",\"arguments\":{deep}}}}}"
    ));
    let answer = server.next();
    assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(-32602), &json!(3)), "too deep");
    assert_eq!(server.call("numbers", json!({}))["result"]["isError"], false);
    assert_eq!(server.end().2, Some(0));
}

#[test]
fn a_client_that_leaves_in_the_handshake_is_named() {
    let Server { folder: _folder, child, stdin, lines } = Server::start(&[]);
    drop(lines);
    let parameters = json!({
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": { "name": "test", "version": "1" },
    });
    let initialize =
        json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": parameters });
    let mut stdin = stdin.expect("standard input");
    stdin.write_all(format!("{initialize}\n").as_bytes()).expect("the server reads");
    drop(stdin);
    let output = child.wait_with_output().expect("the server ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("error[mcp/handshake]"), "{said}");
    assert_eq!(output.status.code(), Some(2), "the client must act, and not we");
}

/// What each request of the stateless era says.
fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

/// A line that goes wrong, and the error that answers it; `None` is a result.
type Fault = (&'static str, Vec<u8>, Option<i64>);

/// Everything that went wrong for some server, each answered, and a good call behind it.
fn faults(is_stateless: bool) -> Vec<Fault> {
    let request = |method: &str, mut parameters: Value| {
        if is_stateless && parameters.is_object() {
            parameters["_meta"] = meta();
        }
        json!({ "jsonrpc": "2.0", "id": 50, "method": method, "params": parameters }).to_string()
    };
    let call = |name: &str, arguments: Value| {
        request("tools/call", json!({ "name": name, "arguments": arguments }))
    };
    let good = call("count_words", json!({ "text": "a b" }));
    let in_bytes = call("count_words", json!({ "text": "@" })).replace('@', "\u{1}").into_bytes();
    let in_bytes = in_bytes.into_iter().map(|byte| if byte == 1 { 0xff } else { byte }).collect();
    let deep = format!("{}1{}", r#"{"a":"#.repeat(20_000), "}".repeat(20_000));
    let deep = format!(r#"{{"jsonrpc":"2.0","id":50,"method":"tools/call","params":{deep}}}"#);
    let text = |line: &str| line.as_bytes().to_vec();
    vec![
        ("half a message", text(r#"{"jsonrpc":"2.0","id":50,"method":"#), Some(-32700)),
        ("an empty line before", text(&format!("\n{good}")), None),
        ("an unknown method", text(&request("no/such", json!({}))), Some(-32601)),
        ("an unknown tool", text(&call("no_such_tool", json!({}))), Some(-32602)),
        ("another type", text(&call("count_words", json!({ "text": {} }))), None),
        ("nothing given", text(&call("count_words", json!({}))), None),
        ("one too many", text(&call("count_words", json!({ "text": "a", "b": 1 }))), None),
        ("arguments that are none", text(&call("count_words", json!([1]))), Some(-32602)),
        ("no parameters", text(r#"{"jsonrpc":"2.0","id":50,"method":"tools/call"}"#), Some(-32602)),
        ("bytes that are no text", in_bytes, Some(-32700)),
        ("a batch", text(&format!("[{good}]")), Some(-32600)),
        ("a deep message", text(&deep), Some(-32602)),
        ("another version", text(&good.replace("\"2.0\"", "\"1.0\"")), Some(-32600)),
        (
            "ten megabytes",
            text(&call("count_words", json!({ "text": "word ".repeat(2_000_000) }))),
            None,
        ),
    ]
}

#[test]
fn whatever_goes_wrong_is_answered_in_both_eras() {
    for is_stateless in [false, true] {
        let mut server = match is_stateless {
            true => Server::start(&[]),
            false => Server::ready(&[]),
        };
        for (what, mut line, code) in faults(is_stateless) {
            line.push(b'\n');
            server.bytes(&line);
            let answer = server.next();
            match code {
                Some(code) => assert_eq!(answer["error"]["code"], code, "{what}: {answer}"),
                None => assert!(answer["result"]["content"].is_array(), "{what}: {answer}"),
            }
            assert!(answer["id"] == 50 || answer["id"].is_null(), "{what}: {answer}");
            let mut good = json!({ "name": "numbers" });
            if is_stateless {
                good["_meta"] = meta();
            }
            assert_eq!(server.ask(51, "tools/call", good)["result"]["isError"], false, "{what}");
        }
        assert_eq!(server.end().2, Some(0));
    }
}

#[test]
fn each_request_stands_for_itself_and_may_listen() {
    let mut server = Server::start(&[]);
    let with_meta = |mut parameters: Value| {
        parameters["_meta"] = meta();
        parameters
    };
    let found = server.ask(1, "server/discover", with_meta(json!({})));
    assert_eq!(found["result"]["supportedVersions"][0], "2026-07-28");
    let listed = server.ask(2, "tools/list", with_meta(json!({})));
    assert_eq!(listed["result"]["resultType"], "complete");
    assert_eq!(listed["result"]["ttlMs"], 0, "what is saved is there at once");
    let wanted = json!({ "notifications": { "toolsListChanged": true } });
    server.request(3, "subscriptions/listen", with_meta(wanted));
    assert_eq!(server.next()["method"], "notifications/subscriptions/acknowledged");
    fs::write(
        server.folder.path().join("tools.rhai"),
        "/// Is new.\n/// @tool\nfn is_new() { 1 }\n",
    )
    .expect("a file");
    let changed = server.next();
    assert_eq!(changed["method"], "notifications/tools/list_changed");
    assert_eq!(changed["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 3);
    let called = server.ask(4, "tools/call", with_meta(json!({ "name": "is_new" })));
    assert_eq!(called["result"]["content"][0]["text"], "1");
    let (rest, _, code) = server.end();
    assert_eq!((rest.len(), code), (1, Some(0)));
    assert_eq!((&rest[0]["id"], &rest[0]["result"]["resultType"]), (&json!(3), &json!("complete")));
}

#[test]
fn a_call_before_the_handshake_is_answered() {
    let mut server = Server::start(&[]);
    let answer = server.call("numbers", json!({}));
    assert_eq!(answer["error"]["code"], -32602);
    assert!(answer["error"]["message"].as_str().is_some_and(|text| text.contains("initialize")));
    assert_eq!(server.end().2, Some(0));
}

#[cfg(unix)]
#[test]
fn who_is_told_to_end_answers_what_is_under_way() {
    let flags = ["--limit", "time=10min", "--limit", "operations=1000000000"];
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        let mut server = Server::ready(&flags);
        server.request(5, "tools/call", json!({ "name": "told_spin", "arguments": {} }));
        assert_eq!(server.next()["method"], "notifications/message", "it has begun");
        let process = rustix::process::Pid::from_child(&server.child);
        rustix::process::kill_process(process, signal).expect("it runs");
        let answer = server.next();
        assert_eq!((&answer["id"], &answer["result"]["isError"]), (&json!(5), &json!(true)));
        let Server { mut child, stdin, .. } = server;
        assert_eq!(child.wait().expect("it ends").code(), Some(0), "input is still open");
        drop(stdin);
    }
}

#[test]
fn many_calls_at_once_are_all_answered() {
    let mut server = Server::ready(&[]);
    let line = |id: u64| {
        let parameters = json!({ "name": "count_words", "arguments": { "text": "a b c" } });
        json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": parameters })
    };
    let lines: String = (0..60).map(|id| format!("{}\n", line(id))).collect();
    for _ in 0..5 {
        server.bytes(lines.as_bytes());
        let mut ids: Vec<_> = (0..60).map(|_| server.next()["id"].as_u64()).collect();
        ids.sort_unstable();
        assert_eq!(ids, (0..60).map(Some).collect::<Vec<_>>());
    }
    assert_eq!(server.end().2, Some(0));
}

#[test]
fn codex_reaches_what_came_later() {
    let mut server = Server::start(&[]);
    let about = json!({
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": { "name": "codex-mcp-client", "version": "1" },
    });
    server.ask(0, "initialize", about);
    let listed = server.ask(1, "tools/list", json!({}))["result"]["tools"].to_string();
    assert!(listed.contains("\"peasy_call\"") && listed.contains("\"peasy_tools\""), "{listed}");
    let called = server.call("peasy_call", json!({ "tool": "numbers" }));
    assert_eq!(called["result"]["content"][0]["text"], "[1,2]");
    assert_eq!(server.end().2, Some(0));
    let mut server = Server::ready(&["--peasy-call", "always"]);
    let listed = server.ask(1, "tools/list", json!({}))["result"]["tools"].to_string();
    assert!(listed.contains("\"peasy_call\""), "{listed}");
    assert_eq!(server.end().2, Some(0));
}
