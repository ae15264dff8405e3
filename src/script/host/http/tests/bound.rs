//! What never ends, ends.

use super::server::{Act, say, wait_for_end};
use super::{Made, Server, answer, refused, refused_by, world, world_on};
use crate::limit::Limit;
use crate::script::host::trial::World;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// A server that says `first` and then `again` until nobody listens.
fn endless(first: &'static str, again: &'static str) -> Server {
    let act = move |stream: &mut TcpStream, _: &str| {
        let mut written = stream.write_all(first.as_bytes());
        while written.is_ok() {
            written = stream.write_all(again.as_bytes());
        }
    };
    Server::acting(vec![Box::new(act) as Act])
}

/// A server that takes a request and never answers.
fn silent() -> Server {
    Server::acting(vec![Box::new(|stream: &mut TcpStream, _: &str| wait_for_end(stream)) as Act])
}

#[test]
fn an_endless_body_ends_at_what_was_asked_for() {
    for first in
        ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"]
    {
        let server = endless(first, "10\r\n0123456789abcdef\r\n");
        let text = refused_by(&server, r#"http::get("URL", #{ most: 100000 })"#, "http/too-large");
        assert!(text.contains("more than 100000 bytes") && text.contains("most"), "{text}");
    }
    let server = endless("HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999999\r\n\r\n", "x");
    refused_by(&server, r#"http::get("URL")"#, "http/too-large");
    let server = endless("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n7fffffff\r\n", "x");
    refused_by(&server, r#"http::get("URL")"#, "http/too-large");
}

#[test]
fn a_body_keeps_within_the_memory_of_the_call() {
    let server = endless("HTTP/1.1 200 OK\r\n\r\n", "0123456789abcdef");
    let mut world = world(&[&server]);
    world.memory = 2 << 20;
    let script = format!(r#"http::get("{}", #{{ most: 16000000 }})"#, server.url());
    refused(&world, &script, "http/too-large");
}

#[test]
fn endless_headers_end() {
    for (first, again) in [
        ("HTTP/1.1 200 OK\r\n", "x: y\r\n"),
        ("HTTP/1.1 200 OK\r\nx: ", "yyyyyyyyyyyyyyyy"),
        ("HTTP/1.1 2", "0000000000000000"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n", "x: y\r\n"),
    ] {
        refused_by(&endless(first, again), r#"http::get("URL")"#, "http/headers");
    }
    for again in ["HTTP/1.1 100 Continue\r\n\r\n", "\r\n"] {
        refused_by(&endless("", again), r#"http::get("URL")"#, "http/malformed");
    }
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(200));
    let server = Server::saying(&[&many]);
    refused_by(&server, r#"http::get("URL")"#, "http/headers");
}

#[test]
fn a_host_that_never_answers_is_given_up() {
    let text = refused_by(&silent(), r#"http::get("URL", #{ timeout: 50 })"#, "http/timeout");
    assert!(text.contains("timeout"), "{text}");
    // Nor one that says nothing to the greeting of an encrypted connection.
    let server = silent();
    let made = Made::new(server.address, &[&["1.1.1.1:443"]]);
    let world = world_on(&made, &["http=api.example.com"]);
    refused(&world, r#"http::get("https://api.example.com", #{ timeout: 50 })"#, "http/timeout");
}

#[test]
fn a_slow_drip_ends_when_time_is_up() {
    let drip = |first: &'static str| {
        let act = move |stream: &mut TcpStream, _: &str| {
            say(stream, first.as_bytes());
            // A byte for every 10 ms that the other side does not hang up.
            let _ = stream.set_read_timeout(Some(Duration::from_millis(10)));
            while !matches!(std::io::Read::read(stream, &mut [0]), Ok(0)) {
                if stream.write_all(b"x").is_err() {
                    break;
                }
            }
        };
        Server::acting(vec![Box::new(act) as Act])
    };
    for first in
        ["", "HTTP/1.1 200 OK\r\nx: ", "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n"]
    {
        let server = drip(if first.is_empty() { "HTTP/1.1 2" } else { first });
        refused_by(&server, r#"http::get("URL", #{ timeout: 100 })"#, "http/timeout");
    }
}

#[test]
fn a_host_that_takes_no_body_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let (done, over) = mpsc::channel::<()>();
    let serving = std::thread::spawn(move || {
        // It reads nothing, and keeps the connection until the test is over.
        let stream = listener.accept();
        let _ = over.recv();
        drop(stream);
    });
    let script = format!(
        r#"let t = "x"; t.pad(15000000, "x"); http::post("http://{address}", #{{ body: t, timeout: 100 }})"#
    );
    refused(&World::new(&[&format!("http={address}")]), &script, "http/timeout");
    drop(done);
    serving.join().expect("it ends with the test");
}

#[test]
fn the_deadline_of_the_call_ends_a_request() {
    let server = silent();
    let mut world = world(&[&server]);
    world.time = Duration::from_millis(150);
    let script = format!(r#"try {{ http::get("{}") }} catch {{ }} 1"#, server.url());
    let came = world.run(&script);
    assert_eq!(came.killed, Some(Limit::Time), "{came:?}");
}

#[test]
fn who_waits_for_a_call_may_end_it_in_the_middle_of_a_request() {
    let (world, server) = {
        let server = silent();
        (world(&[&server]), server)
    };
    // The act is recorded on the thread of the call, right before it connects.
    let stop = Arc::clone(&world.stop);
    world.meanwhile(move |_| stop.store(true, Ordering::Relaxed));
    let came = world.run(&format!(r#"try {{ http::get("{}") }} catch {{ }} 1"#, server.url()));
    assert_eq!(came.killed, Some(Limit::Time), "{came:?}");
    assert_eq!(world.acts().len(), 1);
}

#[test]
fn a_look_up_that_hangs_does_not_hold_the_call_up() {
    let server = Server::saying::<&str>(&[]);
    let made = Made::new(server.address, &[&["1.1.1.1:80"]]);
    let mut world = world_on(&made, &["http=api.example.com"]);
    // The resolver waits for as long as the test holds this.
    let held = made.asked.lock().expect("nobody panics with it");
    refused(&world, r#"http::get("http://api.example.com", #{ timeout: 50 })"#, "http/timeout");
    world.time = Duration::from_millis(100);
    let came = world.run(r#"http::get("http://api.example.com")"#);
    assert_eq!(came.killed, Some(Limit::Time), "{came:?}");
    drop(held);
}

#[test]
fn options_are_held_against_their_bounds() {
    let server = Server::saying(&[&answer("200 OK", "", "")]);
    let world = world(&[&server]);
    for (options, wanted) in [
        ("#{ timeout: 0 }", "`timeout` is 0; write a whole number from 1 to 600000"),
        ("#{ timeout: \"1s\" }", "`timeout` is a string"),
        ("#{ most: 99999999999 }", "`most` is 99999999999"),
        ("#{ most: -1 }", "`most` is -1"),
        ("#{ timout: 5 }", "there is no option `timout`; did you mean `timeout`?"),
        ("#{ header: #{} }", "did you mean `headers`?"),
        ("#{ headers: 1 }", "`headers` is an int"),
        ("#{ body: 1 }", "`body` is an int"),
        ("#{ body: \"\", json: 1 }", "give one of them"),
        ("#{ json: |x| x }", "a function cannot leave"),
        ("#{ query: 1 }", "the pairs are an int"),
        ("#{ follow: 1 }", "`follow` is an int"),
        ("#{ basic: \"x\" }", "`basic` is a string"),
        ("#{ basic: #{ name: \"x\" } }", "`basic` has no `name`"),
        ("#{ basic: #{ user: \"a:b\" } }", "cannot hold a colon"),
    ] {
        let came = world.run(&format!(r#"http::post("{}", {options})"#, server.url()));
        assert!(
            came.text.starts_with("error: ") && came.text.contains(wanted),
            "{options}: {came:?}"
        );
    }
    for script in [
        r#"http::request("GE T", "URL")"#,
        r#"http::request("CONNECT", "URL")"#,
        r#"http::request("", "URL")"#,
        r#"http::request("GET\r\nx: y", "URL")"#,
    ] {
        refused(&world, &script.replace("URL", &server.url()), "http/method");
    }
    assert!(world.acts().is_empty());
}

#[test]
fn headers_are_what_they_say_and_nothing_more() {
    let server = Server::saying::<&str>(&[]);
    let world = world(&[&server]);
    for headers in [
        r#"#{ "x": "a\r\ny: b" }"#,
        r#"#{ "x": "a\ny" }"#,
        r#"#{ "x": "a\x00" }"#,
        r#"#{ "x\r\ny": "a" }"#,
        r#"#{ "x y": "a" }"#,
        r#"#{ "x:": "a" }"#,
        r#"#{ "": "a" }"#,
        r#"#{ "ä": "a" }"#,
        r#"#{ "x": #{} }"#,
        r#"#{ "x": ["a", 1, #{}] }"#,
        r#"#{ "x": "a", "X": "b" }"#,
        r#"#{ "Host": "other" }"#,
        r#"#{ "Content-Length": "5" }"#,
        r#"#{ "Transfer-Encoding": "chunked" }"#,
        r#"#{ "connection": "keep-alive" }"#,
        r#"#{ "Upgrade": "x" }"#,
        r#"#{ "Expect": "100-continue" }"#,
        r#"#{ "Accept-Encoding": "gzip" }"#,
        r#"#{ "Proxy-Authorization": "x" }"#,
    ] {
        let script = format!(r#"http::get("{}", #{{ headers: {headers} }})"#, server.url());
        refused(&world, &script, "http/header");
    }
    let long = format!(
        r#"let t = "x"; t.pad(40000, "x"); http::get("{}", #{{ headers: #{{ x: t }} }})"#,
        server.url()
    );
    refused(&world, &long, "http/header");
    let many = format!(
        r#"let h = #{{}}; for n in 0..65 {{ h[`x${{n}}`] = "" }} http::get("{}", #{{ headers: h }})"#,
        server.url()
    );
    refused(&world, &many, "http/header");
    assert!(world.acts().is_empty());
}
