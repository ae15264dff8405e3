//! `peasy serve --http` as clients meet it, the ill-behaved ones as well.

use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Stdio};
use tempfile::TempDir;

const TOOLS: &str = r#"//! @feature tools
//! @request? emit

/// Count the words in a text.
/// @tool
/// @param text string
/// @returns { words: int }
fn count_words(text) { #{ words: text::words(text).len() } }

/// Tell how far it is.
/// @tool
fn tell() { emit::progress(1, 2, "half"); emit::info("a word"); "done" }

/// Say that it runs, and run for ever.
/// @tool
fn told_spin() { emit::info("begun"); loop {} }
"#;

/// A server, and where it listens.
struct Server {
    folder: TempDir,
    child: Child,
    address: String,
    console: BufReader<ChildStderr>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(flags: &[&str]) -> Self {
        Self::with_token(flags, None)
    }

    fn with_token(flags: &[&str], token: Option<&str>) -> Self {
        let folder = TempDir::new().expect("a folder for the test");
        let file = folder.path().join("tools.rhai");
        fs::write(&file, TOOLS).expect("a feature");
        let mut command = Command::new(env!("CARGO_BIN_EXE_peasy"));
        command.arg("serve").arg(&file).args(["--http", "0"]).args(flags);
        command.env_clear().env("HOME", folder.path()).current_dir(folder.path());
        command.envs(token.map(|token| ("PEASY_TOKEN", token)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the server starts");
        let mut console = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert!(console.read_line(&mut line).expect("text") > 0, "it says where it listens");
            if let Some((_, rest)) = line.split_once("http://") {
                break rest.split('/').next().expect("an address").to_owned();
            }
        };
        Self { folder, child, address, console }
    }

    fn connect(&self) -> Connection {
        let stream = TcpStream::connect(&self.address).expect("it listens");
        Connection(BufReader::new(stream), self.address.clone())
    }

    /// A connection after the handshake, and the headers of its session.
    fn session(&self) -> (Connection, Vec<(&'static str, String)>) {
        let mut connection = self.connect();
        let about = json!({
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": { "name": "test", "version": "1" },
        });
        let answer = connection.ask(&[], "initialize", about);
        assert_eq!(answer.json()["result"]["protocolVersion"], "2025-06-18");
        let id = answer.header("mcp-session-id").expect("a session").to_owned();
        let headers =
            vec![("Mcp-Session-Id", id), ("MCP-Protocol-Version", "2025-06-18".to_owned())];
        let note = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        assert_eq!(connection.post(&headers, &note.to_string()).status, 202);
        (connection, headers)
    }
}

struct Connection(BufReader<TcpStream>, String);

#[derive(Debug)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    fn error(&self) -> (u16, Value) {
        (self.status, self.json()["error"]["code"].clone())
    }
}

type Headers<'a> = &'a [(&'static str, String)];

impl Connection {
    fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).expect("it is open");
    }

    fn head(&self, method: &str, path: &str, headers: Headers<'_>) -> String {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| *name == "Host") {
            head += &format!("Host: {}\r\n", self.1);
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head
    }

    /// Sends a message, and reads the head of what comes back.
    fn begin(&mut self, headers: Headers<'_>, body: &str) -> Answer {
        let mut head = self.head("POST", "/mcp", headers);
        if !headers.iter().any(|(name, _)| *name == "Content-Type") {
            head += "Content-Type: application/json\r\n";
        }
        if !headers.iter().any(|(name, _)| *name == "Accept") {
            head += "Accept: application/json, text/event-stream\r\n";
        }
        self.send(&format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()));
        self.read_head()
    }

    fn post(&mut self, headers: Headers<'_>, body: &str) -> Answer {
        let mut answer = self.begin(headers, body);
        self.read_body(&mut answer);
        answer
    }

    fn ask(&mut self, headers: Headers<'_>, method: &str, parameters: Value) -> Answer {
        let message = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": parameters });
        self.post(headers, &message.to_string())
    }

    fn read_head(&mut self) -> Answer {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).expect("text") > 0, "it is open");
            let line = line.trim_end().to_owned();
            if line.is_empty() {
                break;
            }
            lines.push(line);
        }
        let status = lines[0].split(' ').nth(1).expect("a status").parse().expect("a number");
        let header = |line: &String| {
            let (name, value) = line.split_once(':').expect("a header");
            (name.to_lowercase(), value.trim().to_owned())
        };
        let headers = lines[1..].iter().map(header).collect();
        Answer { status, headers, body: String::new() }
    }

    fn read_body(&mut self, answer: &mut Answer) {
        if answer.header("transfer-encoding").is_some() {
            while let Some(part) = self.part() {
                answer.body += &part;
            }
            return;
        }
        let length =
            answer.header("content-length").map_or(0, |text| text.parse().expect("a number"));
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).expect("the body");
        answer.body = String::from_utf8(bytes).expect("text");
    }

    /// The next piece of a body that comes bit by bit; none at its end.
    fn part(&mut self) -> Option<String> {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("text");
        let length = usize::from_str_radix(line.trim(), 16).expect("a number");
        let mut bytes = vec![0; length + 2];
        self.0.read_exact(&mut bytes).expect("the piece");
        bytes.truncate(length);
        (length > 0).then(|| String::from_utf8(bytes).expect("text"))
    }

    /// The message of the next event; none at the end.
    fn event(&mut self) -> Option<Value> {
        loop {
            let part = self.part()?;
            if let Some((_, data)) = part.split_once("data: ") {
                return Some(serde_json::from_str(data.trim()).expect("JSON"));
            }
        }
    }

    /// Whether the server closed it.
    fn is_closed(&mut self) -> bool {
        let mut byte = [0];
        !matches!(self.0.read(&mut byte), Ok(1))
    }
}

fn owned(headers: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}

/// A request of the stateless era: its headers and its parameters.
fn stateless(method: &str, mut parameters: Value) -> (Vec<(&'static str, String)>, Value) {
    parameters["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let mut headers = owned(&[("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", method)]);
    if let Some(name) = parameters["name"].as_str() {
        headers.push(("Mcp-Name", name.to_owned()));
    }
    (headers, parameters)
}

#[test]
fn a_session_begins_with_the_handshake_and_ends_when_it_is_told() {
    let server = Server::start(&[]);
    let (mut connection, headers) = server.session();
    let listed = connection.ask(&headers, "tools/list", json!({}));
    assert_eq!(listed.header("content-type"), Some("application/json"));
    assert_eq!(listed.json()["result"]["tools"][0]["name"], "count_words");
    let parameters = json!({ "name": "count_words", "arguments": { "text": "a b" } });
    let called = connection.ask(&headers, "tools/call", parameters.clone());
    assert_eq!(called.json()["result"]["structuredContent"], json!({ "words": 2 }));
    assert_eq!(connection.ask(&headers, "no/such", json!({})).error(), (200, json!(-32601)));
    assert_eq!(connection.ask(&[], "tools/list", json!({})).status, 400, "no session");
    let unknown = owned(&[("Mcp-Session-Id", "0123")]);
    assert_eq!(connection.ask(&unknown, "tools/list", json!({})).status, 404);
    let mut other = headers.clone();
    other[1].1 = "1999-01-01".to_owned();
    assert_eq!(connection.ask(&other, "tools/list", json!({})).status, 400);
    let head = connection.head("DELETE", "/mcp", &headers);
    connection.send(&format!("{head}\r\n"));
    assert_eq!(connection.read_head().status, 204);
    assert_eq!(connection.ask(&headers, "tools/call", parameters).status, 404);
}

#[test]
fn what_a_call_tells_comes_as_events() {
    let server = Server::start(&[]);
    let (mut connection, headers) = server.session();
    let parameters = json!({ "name": "tell", "arguments": {}, "_meta": { "progressToken": 1 } });
    let message =
        json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": parameters });
    let answer = connection.begin(&headers, &message.to_string());
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    let events: Vec<_> = std::iter::from_fn(|| connection.event()).collect();
    let methods: Vec<_> = events.iter().map(|event| event["method"].as_str()).collect();
    assert_eq!(methods, [Some("notifications/progress"), Some("notifications/message"), None]);
    assert_eq!(events[2]["result"]["content"][0]["text"], "done");
    // Who takes no events gets the answer all the same.
    let mut plain = headers.clone();
    plain.push(("Accept", "application/json".to_owned()));
    let answer = connection.post(&plain, &message.to_string());
    assert_eq!(answer.json()["result"]["content"][0]["text"], "done");
    // In the other era, nothing is told that was not asked for.
    let (headers, parameters) = stateless("tools/call", json!({ "name": "tell" }));
    let answer = connection.ask(&headers, "tools/call", parameters);
    assert_eq!(answer.json()["result"]["resultType"], "complete");
}

#[test]
fn a_client_hears_of_changes_where_it_listens() {
    let server = Server::start(&[]);
    let (_, headers) = server.session();
    let mut stream = server.connect();
    let head = stream.head("GET", "/mcp", &headers);
    stream.send(&format!("{head}Accept: text/event-stream\r\n\r\n"));
    assert_eq!(stream.read_head().header("content-type"), Some("text/event-stream"));
    let mut listening = server.connect();
    let wanted = json!({ "notifications": { "toolsListChanged": true } });
    let (headers, parameters) = stateless("subscriptions/listen", wanted);
    let method = "subscriptions/listen";
    let message = json!({ "jsonrpc": "2.0", "id": "s", "method": method, "params": parameters });
    assert_eq!(listening.begin(&headers, &message.to_string()).status, 200);
    let first = listening.event().expect("an event");
    assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
    fs::write(
        server.folder.path().join("tools.rhai"),
        "/// Is new.\n/// @tool\nfn is_new() { 1 }\n",
    )
    .expect("a file");
    let changed = "notifications/tools/list_changed";
    assert_eq!(stream.event().expect("an event")["method"], changed);
    let heard = listening.event().expect("an event");
    assert_eq!(heard["method"], changed);
    assert_eq!(heard["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], "s");
    end(server);
    assert!(stream.event().is_none(), "the stream ends with the server");
    let last = listening.event().expect("an event");
    assert_eq!((&last["id"], &last["result"]["resultType"]), (&json!("s"), &json!("complete")));
}

/// Tells the server to end, and waits until it has.
fn end(mut server: Server) {
    let process = rustix::process::Pid::from_child(&server.child);
    rustix::process::kill_process(process, rustix::process::Signal::TERM).expect("it runs");
    assert_eq!(server.child.wait().expect("it ends").code(), Some(0));
    let mut rest = String::new();
    server.console.read_to_string(&mut rest).expect("text");
    assert!(!rest.contains("error"), "{rest}");
    let mut output = String::new();
    let stdout = server.child.stdout.as_mut().expect("a pipe");
    stdout.read_to_string(&mut output).expect("text");
    assert_eq!(output, "", "nothing but the protocol of pipes belongs there");
}

#[test]
fn headers_and_message_say_the_same_in_the_stateless_era() {
    let server = Server::start(&[]);
    let mut connection = server.connect();
    let (headers, parameters) = stateless("tools/list", json!({}));
    let listed = connection.ask(&headers, "tools/list", parameters.clone());
    assert_eq!((listed.status, &listed.json()["result"]["ttlMs"]), (200, &json!(0)));
    assert!(listed.header("mcp-session-id").is_none());
    let mismatch = (400, json!(-32020));
    for (at, value) in [(0, "2025-06-18"), (1, "tools/call"), (1, "TOOLS/LIST")] {
        let mut other = headers.clone();
        other[at].1 = value.to_owned();
        let answer = connection.ask(&other, "tools/list", parameters.clone());
        assert_eq!(answer.error(), mismatch, "{value}");
    }
    for at in [0, 1] {
        let mut fewer = headers.clone();
        fewer.remove(at);
        let answer = connection.ask(&fewer, "tools/list", parameters.clone());
        assert_eq!(answer.error(), mismatch, "{at}");
        assert_eq!(answer.json()["id"], 7);
    }
    let call = json!({ "name": "count_words", "arguments": { "text": "a" } });
    let (mut headers, parameters) = stateless("tools/call", call);
    for (name, is_right) in [
        ("  count_words  ", true),
        ("=?base64?Y291bnRfd29yZHM=?=", true),
        ("=?base64?Y291bnRfd29yZHM?=", false),
        ("another", false),
    ] {
        headers[2].1 = name.to_owned();
        let answer = connection.ask(&headers, "tools/call", parameters.clone());
        assert_eq!(answer.status == 200, is_right, "{name}");
    }
    // What each request has to say, and what it may not ask for.
    let (headers, _) = stateless("tools/list", json!({}));
    assert_eq!(connection.ask(&headers, "tools/list", json!({})).error(), (400, json!(-32602)));
    let (headers, parameters) = stateless("initialize", json!({}));
    let answer = connection.ask(&headers, "initialize", parameters);
    assert_eq!(answer.error(), (404, json!(-32601)));
    let (mut headers, mut parameters) = stateless("server/discover", json!({}));
    headers[0].1 = "v999.0.0".to_owned();
    parameters["_meta"]["io.modelcontextprotocol/protocolVersion"] = "v999.0.0".into();
    let answer = connection.ask(&headers, "server/discover", parameters);
    assert_eq!(answer.error(), (400, json!(-32022)));
    let head = connection.head("GET", "/mcp", &owned(&[("MCP-Protocol-Version", "2026-07-28")]));
    connection.send(&format!("{head}Accept: text/event-stream\r\n\r\n"));
    assert_eq!(connection.read_head().status, 405);
}

#[test]
fn who_is_not_meant_is_not_let_in() {
    let token = "0123456789abcdef0123456789abcdef";
    let server = Server::with_token(&["--host", "peasy.example"], Some(token));
    let bearer = format!("Bearer {token}");
    let ask = |headers: &[(&'static str, &str)]| {
        server.connect().ask(&owned(headers), "ping", json!({})).status
    };
    // A ping without a session is a request that was looked at.
    let is_in = 400;
    let with = ("Authorization", &*bearer);
    assert_eq!(ask(&[with]), is_in);
    assert_eq!(ask(&[with, ("Host", "localhost")]), is_in);
    assert_eq!(ask(&[with, ("Host", "peasy.example")]), is_in);
    assert_eq!(ask(&[with, ("Origin", "http://localhost:3000")]), is_in);
    assert_eq!(ask(&[with, ("Host", "evil.example")]), 403);
    assert_eq!(ask(&[with, ("Origin", "http://evil.example")]), 403);
    assert_eq!(ask(&[]), 401);
    assert_eq!(ask(&[("Authorization", "Bearer 0123456789abcdef0123456789abcdeF")]), 401);
    let answer = server.connect().ask(&[], "ping", json!({}));
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
}

#[test]
fn what_is_not_http_as_it_should_be_is_refused_in_words() {
    let server = Server::start(&[]);
    let mut connection = server.connect();
    assert_eq!(connection.post(&owned(&[("Content-Type", "text/plain")]), "{}").status, 415);
    assert_eq!(connection.post(&owned(&[("Accept", "text/html")]), "{}").status, 406);
    for (body, code) in [("{", -32700), ("[]", -32600), ("\u{1}", -32700), ("5", -32600)] {
        assert_eq!(connection.post(&[], body).error(), (400, json!(code)), "{body}");
    }
    let head = connection.head("PUT", "/mcp", &[]);
    connection.send(&format!("{head}\r\n"));
    let mut answer = connection.read_head();
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST, GET, DELETE")));
    connection.read_body(&mut answer);
    let head = connection.head("GET", "/", &[]);
    connection.send(&format!("{head}\r\n"));
    let mut answer = connection.read_head();
    assert_eq!(answer.status, 404);
    connection.read_body(&mut answer);
    assert!(answer.body.contains("/mcp"), "{answer:?}");
}

#[test]
fn a_body_without_end_ends() {
    let server = Server::start(&[]);
    let head =
        server.connect().head("POST", "/mcp", &owned(&[("Content-Type", "application/json")]));
    // Said beforehand, it is not even read.
    let mut connection = server.connect();
    connection.send(&format!("{head}Content-Length: 99999999999\r\n\r\n"));
    assert_eq!(connection.read_head().status, 413);
    // And said bit by bit, it is read as far as the bound.
    let mut connection = server.connect();
    connection.send(&format!("{head}Transfer-Encoding: chunked\r\n\r\n"));
    let part = format!("100000\r\n{}\r\n", " ".repeat(1 << 20));
    let is_refused = (0..64).any(|_| connection.0.get_mut().write_all(part.as_bytes()).is_err());
    assert!(is_refused || connection.read_head().status == 413);
    // Heads have a bound as well.
    let mut connection = server.connect();
    connection.send("POST /mcp HTTP/1.1\r\n");
    let line = format!("X-Long: {}\r\n", "x".repeat(8 << 10));
    let is_refused = (0..64).any(|_| connection.0.get_mut().write_all(line.as_bytes()).is_err());
    assert!(is_refused || connection.is_closed() || connection.read_head().status == 431);
    let (mut connection, headers) = server.session();
    assert_eq!(connection.ask(&headers, "ping", json!({})).status, 200, "others are served");
}

#[test]
fn a_client_that_leaves_in_the_middle_of_a_call_ends_it() {
    let flags =
        ["--limit", "time=10min", "--limit", "operations=1000000000", "--limit", "in_flight=1"];
    let server = Server::start(&flags);
    let (headers, mut parameters) = stateless("tools/call", json!({ "name": "told_spin" }));
    parameters["_meta"]["io.modelcontextprotocol/logLevel"] = "info".into();
    let message =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": parameters });
    let mut leaving = server.connect();
    assert_eq!(leaving.begin(&headers, &message.to_string()).status, 200);
    assert_eq!(leaving.event().expect("an event")["method"], "notifications/message", "it runs");
    let call = json!({ "name": "count_words", "arguments": { "text": "a" } });
    let (headers, parameters) = stateless("tools/call", call);
    let mut other = server.connect();
    let answer = other.ask(&headers, "tools/call", parameters.clone()).json();
    assert_eq!(answer["result"]["isError"], true, "there is room for one call alone: {answer}");
    drop(leaving);
    // The room is free as soon as the server has seen that the client is gone.
    while other.ask(&headers, "tools/call", parameters.clone()).json()["result"]["isError"] == true
    {
    }
    end(server);
}

#[test]
fn other_machines_need_a_flag_and_a_token() {
    let folder = TempDir::new().expect("a folder for the test");
    fs::write(folder.path().join("tools.rhai"), TOOLS).expect("a feature");
    let serve = |flags: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peasy"));
        command.args(["serve", "tools.rhai"]).args(flags).current_dir(folder.path());
        command.env_clear().env("HOME", folder.path()).stdin(Stdio::null());
        let output = command.output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = serve(&["--http", "0.0.0.0:0"]);
    assert!(code == Some(2) && said.contains("--remote"), "{said}");
    let (code, said) = serve(&["--http", "0.0.0.0:0", "--remote"]);
    assert!(code == Some(2) && said.contains("--token-file"), "{said}");
    fs::write(folder.path().join("short"), "short\n").expect("a file");
    let (code, said) = serve(&["--http", "0", "--token-file", "short"]);
    assert!(code == Some(2) && said.contains("error[mcp/token]"), "{said}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let (code, said) = serve(&["--http", &address]);
    assert!(code == Some(2) && said.contains("error[mcp/address]"), "{said}");
}

#[test]
fn a_token_is_made_once_and_kept() {
    let folder = TempDir::new().expect("a folder for the test");
    let file = folder.path().join("token");
    let flags = ["--token-file", file.to_str().expect("text")];
    let server = Server::start(&flags);
    let token = fs::read_to_string(&file).expect("it was made");
    assert_eq!(token.trim().len(), 64);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&file).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "nobody else reads it");
    }
    assert_eq!(server.connect().ask(&[], "ping", json!({})).status, 401);
    let bearer = vec![("Authorization", format!("Bearer {}", token.trim()))];
    assert_eq!(server.connect().ask(&bearer, "ping", json!({})).status, 400);
    drop(server);
    let server = Server::start(&flags);
    assert_eq!(server.connect().ask(&bearer, "ping", json!({})).status, 400);
}
