//! Requests against servers of this machine: what goes out, what comes back, and what never ends.

mod bound;
mod grant;
mod redirect;
mod secret;
mod server;
mod test_role;

use super::wire::public_encryption;
use crate::feature::transaction::Act;
use crate::script::host::trial::{Came, World};
use server::{Made, Server, answer, encrypted};
use std::sync::Arc;

/// A world in which a feature may ask these servers.
fn world(servers: &[&Server]) -> World {
    let grants: Vec<_> = servers.iter().map(|server| server.grant()).collect();
    World::new(&grants.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A world with a network that was made up.
fn world_on(network: &Arc<Made>, grants: &[&str]) -> World {
    let mut world = World::new(grants);
    let network = Arc::clone(network) as Arc<dyn super::dial::Network>;
    world.http = super::module_on(&network);
    world
}

#[track_caller]
fn gives(world: &World, script: &str, wanted: &str) {
    assert_eq!(world.run(script).text, wanted, "{script}");
}

#[track_caller]
fn refused(world: &World, script: &str, code: &str) -> String {
    let Came { text, killed, .. } = world.run(script);
    assert!(text.starts_with(&format!("{code}: ")) && killed.is_none(), "{script}: {text}");
    text
}

/// The same of a script that holds the address of a server as `URL`.
#[track_caller]
fn refused_by(server: &Server, script: &str, code: &str) -> String {
    let script = script.replace("URL", &server.url());
    refused(&world(&[server]), &script, code)
}

fn http(method: &str, url: &str, bytes: u64, secrets: &[&str]) -> Act {
    Act::Http {
        method: method.to_owned(),
        url: url.to_owned(),
        bytes,
        secrets: secrets.iter().map(|name| (*name).to_owned()).collect(),
    }
}

#[test]
fn an_answer_has_status_headers_and_body() {
    let headers =
        "Content-Type: text/plain\r\nX-One: 1\r\nx-one: 2\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n";
    let server = Server::saying(&[&answer("200 OK", headers, "grüezi")]);
    let world = world(&[&server]);
    let url = server.url();
    let script = format!(
        r#"let r = http::get("{url}/a%20b?q=1#part");
        [r.status, r.ok, r.body, r.headers["x-one"], r.headers["set-cookie"], r.headers["content-type"], r.url]"#
    );
    let wanted =
        format!(r#"[200, true, "grüezi", "1, 2", "a\nb", "text/plain", "{url}/a%20b?q=1"]"#);
    gives(&world, &script, &wanted);
    let agent = concat!("peasy/", env!("CARGO_PKG_VERSION"));
    let seen = format!(
        "GET /a%20b?q=1 HTTP/1.1\r\nhost: {}\r\nconnection: close\r\naccept-encoding: identity\r\nuser-agent: {agent}\r\naccept: */*\r\n\r\n",
        server.address
    );
    assert_eq!(server.seen(), [seen]);
    assert_eq!(world.acts(), [http("GET", &format!("{url}/a%20b?q=1"), 0, &[])]);
}

#[test]
fn what_is_no_success_is_an_answer_too() {
    let server = Server::saying(&[&answer("404 Not Found", "", "none"), "HTTP/1.1 204 \r\n\r\n"]);
    let world = world(&[&server]);
    gives(
        &world,
        &format!(r#"let r = http::get("{}"); [r.status, r.ok, r.body]"#, server.url()),
        r#"[404, false, "none"]"#,
    );
    gives(
        &world,
        &format!(r#"let r = http::delete("{}"); [r.status, r.ok, r.body]"#, server.url()),
        r#"[204, true, ""]"#,
    );
}

#[test]
fn bodies_are_sent_with_their_kind() {
    let ok = answer("200 OK", "", "");
    let server = Server::saying(&[&ok; 7]);
    let world = world(&[&server]);
    let url = server.url();
    for (script, first, head, body) in [
        (
            r#"http::post("URL", #{ json: #{ a: [1, ()] } })"#,
            "POST / ",
            "application/json",
            r#"{"a":[1,null]}"#,
        ),
        (
            r#"http::put("URL/x", #{ body: "grüezi" })"#,
            "PUT /x ",
            "text/plain; charset=utf-8",
            "grüezi",
        ),
        (
            r#"http::patch("URL", #{ form: #{ q: "a b&c" } })"#,
            "PATCH / ",
            "application/x-www-form-urlencoded",
            "q=a%20b%26c",
        ),
        (
            r#"http::post("URL", #{ json: 1, headers: #{ "Content-Type": "application/x" } })"#,
            "POST / ",
            "application/x",
            "1",
        ),
        (r#"http::post("URL")"#, "POST / ", "content-length: 0", ""),
        (
            r#"http::get("URL?a=1", #{ query: #{ q: "x y", n: 2 } })"#,
            "GET /?a=1&n=2&q=x%20y ",
            "accept: */*",
            "",
        ),
        (
            r#"http::request("options", "URL", #{ headers: #{ "User-Agent": "mine", accept: "text/html" } })"#,
            "OPTIONS / ",
            "user-agent: mine\r\n",
            "",
        ),
    ] {
        gives(&world, &format!("{}.status", script.replace("URL", &url)), "200");
        let seen = server.seen().pop().expect("a request");
        assert!(seen.starts_with(first) && seen.contains(head), "{script}: {seen}");
        assert!(seen.ends_with(&format!("\r\n\r\n{body}")), "{script}: {seen}");
        assert_eq!(seen.matches("content-type: ").count(), usize::from(!body.is_empty()), "{seen}");
    }
    assert_eq!(world.acts()[1], http("PUT", &format!("{url}/x"), 7, &[]));
}

#[test]
fn a_body_ends_as_its_answer_says() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=1\r\nabc\r\n0A\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";
    let server = Server::saying(&[
        chunked,
        "HTTP/1.1 200 OK\r\n\r\nto the end",
        "HTTP/1.0 200 OK\ncontent-length: 2\n\nok and more",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\ncontent-encoding: gzip\r\n\r\n",
    ]);
    let world = world(&[&server]);
    let url = server.url();
    for wanted in ["abc0123456789", "to the end", "ok", "ok"] {
        gives(&world, &format!(r#"http::get("{url}").body"#), &format!("{wanted:?}"));
    }
    gives(
        &world,
        &format!(r#"let r = http::head("{url}"); [r.status, r.headers["content-length"], r.body]"#),
        r#"[200, "10", ""]"#,
    );
}

#[test]
fn what_is_no_answer_is_said_to_be_none() {
    for (said, code) in [
        ("", "http/truncated"),
        ("HTTP/1.1 200 OK\r\ncontent-", "http/truncated"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort", "http/truncated"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab", "http/truncated"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n", "http/truncated"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n", "http/malformed"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabc\r\n", "http/malformed"),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffffff\r\n",
            "http/malformed",
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", "http/malformed"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", "http/malformed"),
        ("HTTP/1.1 101 Switching\r\n\r\n", "http/malformed"),
        ("HTTP/2 200\r\n\r\n", "http/malformed"),
        ("SSH-2.0-x\r\n", "http/malformed"),
        ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "http/malformed"),
        ("HTTP/1.1 999999 OK\r\n\r\n", "http/malformed"),
        (
            "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\nab",
            "http/compressed",
        ),
        ("HTTP/1.1 200 OK\r\ncontent-encoding: br\r\n\r\nab", "http/compressed"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n", "http/compressed"),
    ] {
        let server = Server::saying(&[said]);
        let text = refused_by(&server, r#"http::get("URL")"#, code);
        assert!(text.contains(&server.url()), "{text}");
    }
}

#[test]
fn bytes_that_are_no_text_are_given_when_asked_for() {
    let say = || {
        Server::echoing(|_| {
            let mut said = b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n\r\n".to_vec();
            said.extend_from_slice(&[0x89, b'P', 0xff]);
            said
        })
    };
    let server = say();
    let text = refused_by(&server, r#"http::get("URL")"#, "http/not-utf8");
    assert!(text.contains("image/png") && text.contains("#{ base64: true }"), "{text}");
    let server = say();
    let script = format!(r#"http::get("{}", #{{ base64: true }}).body"#, server.url());
    gives(&world(&[&server]), &script, r#""iVD/""#);
}

#[test]
fn a_host_that_is_not_there_is_said_to_be_none() {
    let server = Server::saying::<&str>(&[]);
    let text = {
        let made = Made::new(server.address, &[]);
        refused(
            &world_on(&made, &["http=api.example.com"]),
            r#"http::get("http://api.example.com")"#,
            "http/unknown-host",
        )
    };
    assert!(text.contains("`http://api.example.com/`"), "{text}");
    // Nobody listens on the first port.
    let world = World::new(&["http=127.0.0.1:1"]);
    refused(&world, r#"http::get("http://127.0.0.1:1")"#, "http/unreachable");
}

#[test]
fn connections_are_encrypted_and_the_host_is_who_it_says() {
    let server = encrypted(|request| {
        answer("200 OK", "", request.lines().next().unwrap_or_default()).into_bytes()
    });
    let made = Made::new(server.address, &[&["1.1.1.1:443"]]);
    let world = world_on(&made, &["http=*.example.com"]);
    let came = world.run(r#"http::get("https://api.example.com/x").body"#);
    assert_eq!(came.text, r#""GET /x HTTP/1.1""#);
    assert!(came.spent.left_behind.abs() < 4096, "{came:?}");
    assert_eq!(
        (made.asked(), made.dialled()),
        (vec!["api.example.com".to_owned()], vec!["1.1.1.1:443".to_owned()])
    );
    // The certificate is for another name.
    let server = encrypted(|_| Vec::new());
    let made = Made::new(server.address, &[&["1.1.1.1:443"]]);
    let world = world_on(&made, &["http=*.example.com"]);
    let text = refused(&world, r#"http::get("https://www.example.com/x")"#, "http/encryption");
    assert!(text.contains("certificate"), "{text}");
    // It is of an authority that nobody knows.
    let server = encrypted(|_| Vec::new());
    let mut made = Made::new(server.address, &[&["1.1.1.1:443"]]);
    Arc::get_mut(&mut made).expect("nobody has it yet").encryption = public_encryption();
    let world = world_on(&made, &["http=*.example.com"]);
    let text = refused(&world, r#"http::get("https://api.example.com/x")"#, "http/encryption");
    assert!(text.contains("certificate"), "{text}");
    // What is no TLS at all.
    let server = Server::saying(&["HTTP/1.1 400 Bad Request\r\n\r\n"]);
    let made = Made::new(server.address, &[&["1.1.1.1:443"]]);
    let world = world_on(&made, &["http=api.example.com"]);
    refused(&world, r#"http::get("https://api.example.com/x")"#, "http/encryption");
}

#[test]
fn what_a_request_held_is_free_when_it_is_over() {
    let ok = answer("200 OK", "", &"x".repeat(50_000));
    let server = Server::saying(&[&ok; 3]);
    let mut grants = vec![server.grant()];
    grants.push(format!("secret=KEY@{}", server.address));
    let world = world(&[&server]).granted(&grants);
    world.keep("KEY", "12345678");
    for _ in 0..3 {
        let script = format!(
            r#"http::get("{}", #{{ bearer: secret::get("KEY") }}).body.len()"#,
            server.url()
        );
        let came = world.run(&script);
        assert_eq!(came.text, "50000");
        assert!(came.spent.left_behind.abs() < 4096, "{came:?}");
    }
}
