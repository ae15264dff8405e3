//! Servers at an address.

use super::*;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// What came with one request: its lines before the body in lower case, and its message.
struct Asked {
    head: String,
    message: Value,
}

/// A server of one thread that answers each request with what `answer` writes.
fn serve(answer: impl Fn(&Asked) -> String + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        // Ends with the test's process.
        for stream in listener.incoming().map_while(Result::ok) {
            if let Some(asked) = read(&stream) {
                let _ = (&stream).write_all(answer(&asked).as_bytes());
            }
        }
    });
    address
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        head.push_str(&line.to_ascii_lowercase());
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let mut body = vec![0; length.and_then(|length| length.trim().parse().ok()).unwrap_or(0)];
    std::io::Read::read_exact(&mut reader, &mut body).ok()?;
    Some(Asked { head, message: serde_json::from_slice(&body).unwrap_or_default() })
}

fn response(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

fn json_response(value: &Value) -> String {
    response(
        "200 OK",
        "content-type: application/json\r\nmcp-session-id: s-1\r\n",
        &value.to_string(),
    )
}

/// The result of a request as servers of the handshake era give it.
fn result(asked: &Asked) -> Value {
    let result = match asked.message["method"].as_str() {
        Some("initialize") => json!({
            "protocolVersion": "2025-06-18", "capabilities": { "tools": {} },
            "serverInfo": { "name": "far", "version": "1" },
        }),
        Some("tools/list") => {
            json!({ "tools": [{ "name": "echo", "inputSchema": { "type": "object" } }] })
        }
        _ => json!({ "content": [{ "type": "text", "text": "hello" }] }),
    };
    json!({ "jsonrpc": "2.0", "id": asked.message["id"], "result": result })
}

fn at(address: SocketAddr, headers: &[(&str, &str)]) -> McpServer {
    let spelled = |(name, value): &(&str, &str)| {
        ((*name).to_owned(), Spelled::parse(value).expect("a value"))
    };
    let reach = Reach::Http {
        url: format!("http://{address}/mcp"),
        headers: headers.iter().map(spelled).collect(),
    };
    McpServer::new("far".parse().expect("a name"), reach)
}

#[test]
fn a_server_at_an_address_answers_in_messages_and_in_streams() {
    let (told, heads) = mpsc::channel();
    let told = Mutex::new(told);
    let address = serve(move |asked| {
        let _ = told.lock().expect("nobody panics").send(asked.head.clone());
        if asked.message["id"].is_null() {
            return response("202 Accepted", "", "");
        }
        if asked.message["method"] != "tools/call" {
            return json_response(&result(asked));
        }
        let progress = json!({ "jsonrpc": "2.0", "method": "notifications/progress",
            "params": { "progressToken": asked.message["params"]["_meta"]["progressToken"], "progress": 1 } });
        let body = format!(
            ": hi\r\n\r\nevent: message\r\ndata: {progress}\r\n\r\ndata: {}\n\n",
            result(asked)
        );
        response("200 OK", "content-type: text/event-stream\r\n", &body)
    });
    let gateway = Gateway::of(&[at(address, &[("X-Key", "plain")])]);
    let kept = Arc::new(Kept::default());
    let options =
        CallOptions { sink: Arc::clone(&kept) as Arc<dyn Sink>, ..CallOptions::default() };
    let outcome = gateway.pod.call("echo", json!({}), options);
    assert_eq!(outcome.result.ok(), Some(json!("hello")));
    assert_eq!(kept.0.lock().expect("nobody panics").len(), 1);
    let heads: Vec<_> = heads.try_iter().collect();
    assert!(heads.iter().all(|head| head.contains("x-key: plain")));
    let last = heads.last().expect("a request");
    for line in [
        "mcp-session-id: s-1",
        "mcp-protocol-version: 2025-06-18",
        "mcp-method: tools/call",
        "mcp-name: echo",
    ] {
        assert!(last.contains(line), "{last}");
    }
}

#[test]
fn what_an_address_answers_that_is_no_message_is_told() {
    for (answer, said) in [
        (
            response("401 Unauthorized", "content-type: text/plain\r\n", "who are you?"),
            "status 401 and `who are you?`",
        ),
        (response("302 Found", "location: http://127.0.0.1:1/\r\n", ""), "status 302"),
        (response("200 OK", "content-type: text/html\r\n", "<html>"), "status 200 and `<html>`"),
        (response("200 OK", "content-type: application/json\r\n", "{"), "not of the protocol"),
        (
            response("200 OK", "content-type: text/event-stream\r\n", "data: x\n\n"),
            "the stream ended before the answer",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99999999\r\n\r\n"
                .to_owned()
                + "x".repeat(5 << 20).as_str(),
            "more than 4194304 bytes",
        ),
    ] {
        let address = serve(move |_| answer.clone());
        let gateway =
            Gateway::with(&[at(address, &[])], Pace { most_restarts: 0, ..quick() }, None);
        let status = gateway.until(|status| status.lifecycle == Lifecycle::Failed);
        let problem = &status.problems[0];
        assert_eq!(problem.code, "bridge/handshake", "{problem}");
        assert!(problem.message.contains(said), "{said}: {problem}");
    }
}

#[test]
fn no_secret_goes_out_in_the_clear() {
    let reach = Reach::Http {
        url: "http://mcp.example.com/".into(),
        headers: vec![(
            "Authorization".into(),
            Spelled::parse("Bearer secret:KEY").expect("a name"),
        )],
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let secrets = Secrets::new(folder.path().join("config"));
    let text = crate::feature::secret::SecretText::new("long enough".to_owned().into())
        .expect("long enough");
    secrets.keep(&"KEY".parse().expect("a name"), &text).expect("the folder takes it");
    let server = McpServer::new("far".parse().expect("a name"), reach);
    let gateway = Gateway::with(&[server], Pace { most_restarts: 0, ..quick() }, Some(secrets));
    assert_eq!(gateway.codes(), ["secret/in-the-clear"]);
}
