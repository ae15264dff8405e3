//! Which hosts a request reaches, and by which addresses.

use super::{Made, Server, answer, gives, http, refused, world, world_on};
use crate::script::host::trial::World;

#[test]
fn a_request_needs_the_grant_of_its_host_and_port() {
    let world = World::new(&["http=api.example.com", "http=*.b.example.com", "http=10.0.0.3"]);
    for (url, wanted) in [
        ("https://www.example.com/", "http=www.example.com"),
        ("https://example.com/", "http=example.com"),
        ("https://api.example.com.evil.example/", "http=api.example.com.evil.example"),
        ("https://api.example.com:8443/", "http=api.example.com:8443"),
        ("https://b.example.com/", "http=b.example.com"),
        ("http://10.0.0.4/", "http=10.0.0.4"),
        ("http://10.0.0.3:81/", "http=10.0.0.3:81"),
        ("http://127.0.0.1/", "http=127.0.0.1"),
        ("http://localhost/", "http=localhost"),
        ("http://[::1]/", "http=[::1]"),
    ] {
        let text = refused(&world, &format!(r#"http::get("{url}")"#), "grant/http");
        assert!(text.contains(&format!("`{wanted}` is not granted")), "{text}");
        assert!(text.contains("peasy grant builtin:trial "), "{text}");
    }
    assert!(world.acts().is_empty());
}

#[test]
fn every_way_of_writing_an_address_is_held_against_the_grants() {
    let world = World::new(&["http=*.example.com"]);
    for url in [
        "http://0x7f.1/",
        "http://2130706433/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://127。0。0。1/",
        "http://%31%32%37.0.0.1/",
        "http:127.0.0.1",
        "http:\\\\\\\\127.0.0.1\\\\x",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[0:0:0:0:0:0:0:1]/",
    ] {
        refused(&world, &format!(r#"http::get("{url}")"#), "grant/http");
    }
    for url in [
        "",
        "x",
        "/x",
        "//api.example.com/",
        "ftp://api.example.com/",
        "file:///etc/passwd",
        "data:text/plain,x",
        "javascript:1",
        "http://",
        "http:///",
        "https://user@api.example.com/",
        "https://user:password@api.example.com/",
        "https://:password@api.example.com/",
        "https://api.example.com./",
        "https://api..example.com/",
        "https://api.example.com:0/",
        "https://api.example.com:99999/",
        "https://-x.example.com/",
        "https://a b.example.com/",
        "https://api.example.com\\n.evil.example/",
        "https://api.exa\\tmple.com/",
        "http://[::1",
        "http://[fe80::1%25eth0]/",
        "http://1.2.3.4.5/",
        "http://256.1.1.1/",
    ] {
        let text = refused(&world, &format!(r#"http::get("{url}")"#), "http/url");
        assert!(!text.contains("password@"), "{text}");
    }
    let long = r#"let t = "https://api.example.com/"; t.pad(20000, "x"); http::get(t)"#;
    refused(&world, long, "http/url");
    assert!(world.acts().is_empty());
}

#[test]
fn an_address_that_is_granted_as_such_is_reached() {
    let server = Server::saying(&[&answer("200 OK", "", "a"), &answer("200 OK", "", "b")]);
    let world = world(&[&server]);
    let port = server.address.port();
    gives(&world, &format!(r#"http::get("http://127.0.0.1:{port}").body"#), "\"a\"");
    gives(&world, &format!(r#"http::get("http://0x7f.1:{port}").body"#), "\"b\"");
    assert_eq!(world.acts()[1], http("GET", &format!("http://127.0.0.1:{port}/"), 0, &[]));
}

#[test]
fn no_name_leads_to_a_private_address() {
    let server = Server::saying::<&str>(&[]);
    for address in [
        "127.0.0.1:80",
        "10.0.0.3:80",
        "169.254.169.254:80",
        "100.64.0.1:80",
        "0.0.0.0:80",
        "224.0.0.1:80",
        "255.255.255.255:80",
        "[::1]:80",
        "[fd00::1]:80",
        "[fe80::1]:80",
        "[::ffff:10.0.0.3]:80",
        "[64:ff9b::169.254.169.254]:80",
        "[2002:7f00:1::]:80",
        "[2001:0:1:1::]:80",
    ] {
        // One that is public among them changes nothing, nor that the address itself is granted.
        for answers in [&[address][..], &["1.1.1.1:80", address], &[address, "1.1.1.1:80"]] {
            let made = Made::new(server.address, &[answers]);
            let world =
                world_on(&made, &["http=api.example.com", "http=127.0.0.1", "http=10.0.0.3"]);
            let text =
                refused(&world, r#"http::get("http://api.example.com/")"#, "http/private-address");
            assert!(text.contains("granted by its address"), "{text}");
            assert!(made.dialled().is_empty(), "{address}");
        }
    }
    // The real resolver knows this name in the same way.
    refused(
        &World::new(&["http=localhost:9"]),
        r#"http::get("http://localhost:9/")"#,
        "http/private-address",
    );
}

#[test]
fn what_was_looked_at_is_what_is_dialled() {
    let server = Server::saying(&[&answer("200 OK", "", "public")]);
    // The second answer to the same question leads inside.
    let made = Made::new(server.address, &[&["1.1.1.1:80"], &["127.0.0.1:80"]]);
    let world = world_on(&made, &["http=api.example.com"]);
    gives(&world, r#"http::get("http://api.example.com/").body"#, "\"public\"");
    assert_eq!((made.asked().len(), made.dialled()), (1, vec!["1.1.1.1:80".to_owned()]));
    refused(&world, r#"http::get("http://api.example.com/")"#, "http/private-address");
    assert_eq!(made.dialled().len(), 1);
}

#[test]
fn a_request_is_not_sent_before_it_is_on_record() {
    let server = Server::saying(&[&answer("200 OK", "", "")]);
    let made = Made::new(server.address, &[&["1.1.1.1:80"]]);
    let world = world_on(&made, &["http=api.example.com"]);
    let seen = std::sync::Arc::clone(&made);
    world.meanwhile(move |_| assert!(seen.asked().is_empty(), "not even the name was asked for"));
    gives(&world, r#"http::get("http://api.example.com/").status"#, "200");
    assert_eq!(world.acts(), [http("GET", "http://api.example.com/", 0, &[])]);
}
