//! Where answers lead, and where they do not.

use super::{Made, Server, answer, encrypted, gives, http, refused, world, world_on};

fn leading(to: &str) -> String {
    answer("302 Found", &format!("Location: {to}\r\n"), "moved")
}

#[test]
fn a_redirect_is_followed_where_it_is_granted() {
    let last = Server::saying(&[answer("200 OK", "", "there")]);
    let first = Server::saying(&[
        &leading(&format!("{}/x?y", last.url())),
        &leading("../c?d#e"),
        &answer("200 OK", "", "same"),
    ]);
    let world = world(&[&first, &last]);
    gives(
        &world,
        &format!(r#"let r = http::get("{}/a"); [r.body, r.url]"#, first.url()),
        &format!(r#"["there", "{}/x?y"]"#, last.url()),
    );
    assert_eq!(
        world.acts(),
        [
            http("GET", &format!("{}/a", first.url()), 0, &[]),
            http("GET", &format!("{}/x?y", last.url()), 0, &[])
        ]
    );
    gives(
        &world,
        &format!(r#"let r = http::get("{}/a/b"); [r.body, r.url]"#, first.url()),
        &format!(r#"["same", "{}/c?d"]"#, first.url()),
    );
}

#[test]
fn an_answer_is_given_where_nothing_is_followed() {
    let server = Server::saying(&[
        &leading("http://other.example.com/"),
        &answer("302 Found", "", "nowhere"),
        &answer("304 Not Modified", "location: /x\r\n", ""),
    ]);
    let world = world(&[&server]);
    gives(
        &world,
        &format!(
            r#"let r = http::get("{}", #{{ follow: false }}); [r.status, r.headers.location]"#,
            server.url()
        ),
        r#"[302, "http://other.example.com/"]"#,
    );
    gives(
        &world,
        &format!(r#"let r = http::get("{}"); [r.status, r.body]"#, server.url()),
        r#"[302, "nowhere"]"#,
    );
    gives(&world, &format!(r#"http::get("{}").status"#, server.url()), "304");
}

#[test]
fn a_redirect_leads_to_nothing_that_is_not_granted() {
    for (to, part) in [
        ("http://other.example.com/x", "`http=other.example.com` is not granted"),
        ("http://127.0.0.1:1/", "`http=127.0.0.1:1` is not granted"),
        ("http://169.254.169.254/latest", "`http=169.254.169.254` is not granted"),
        ("//other.example.com/x", "`http=other.example.com` is not granted"),
        ("http://[::ffff:127.0.0.1]/", "is not granted"),
        ("file:///etc/passwd", "only"),
        ("http://user:word@other.example.com/", "no user and no password"),
        ("http://", "no address"),
    ] {
        let server = Server::saying(&[&leading(to)]);
        let world = world(&[&server]);
        let text = refused(&world, &format!(r#"http::get("{}")"#, server.url()), "http/redirect");
        assert!(text.contains(part) || part == "only", "{to}: {text}");
        assert_eq!(world.acts().len(), 1, "{to}");
    }
    let server = Server::saying(&[&leading("https://other.example.com:8443/x")]);
    let text =
        refused(&world(&[&server]), &format!(r#"http::get("{}")"#, server.url()), "http/redirect");
    assert!(text.contains("peasy grant builtin:trial http=other.example.com:8443"), "{text}");
}

#[test]
fn a_redirect_to_a_name_with_a_private_address_ends_there() {
    let server = Server::saying(&[&leading("http://inside.example.com/")]);
    let made = Made::new(server.address, &[&["1.1.1.1:80"], &["10.0.0.1:80"]]);
    let world = world_on(&made, &["http=*.example.com"]);
    refused(&world, r#"http::get("http://api.example.com/")"#, "http/private-address");
    assert_eq!(made.dialled(), ["1.1.1.1:80"]);
}

#[test]
fn a_redirect_does_not_lead_out_of_encryption() {
    let server = encrypted(|_| leading("http://api.example.com/").into_bytes());
    let made = Made::new(server.address, &[&["1.1.1.1:443"]]);
    let world = world_on(&made, &["http=api.example.com"]);
    let text = refused(&world, r#"http::get("https://api.example.com/")"#, "http/redirect");
    assert!(text.contains("from `https` to `http`"), "{text}");
    assert_eq!(made.dialled().len(), 1);
}

#[test]
fn redirects_in_a_circle_end() {
    let server = Server::saying(&[&leading("/again"); 8]);
    let world = world(&[&server]);
    let text = refused(&world, &format!(r#"http::get("{}")"#, server.url()), "http/redirect");
    assert!(text.contains("more than 5"), "{text}");
    assert_eq!(world.acts().len(), 6);
}

#[test]
fn the_method_after_a_redirect_is_that_of_the_standard() {
    for (status, method, then) in [
        ("301 Moved", "post", "GET"),
        ("302 Found", "post", "GET"),
        ("303 See Other", "post", "GET"),
        ("303 See Other", "put", "GET"),
        ("301 Moved", "put", "PUT"),
        ("307 Temporary", "post", "POST"),
        ("308 Permanent", "post", "POST"),
        ("302 Found", "delete", "DELETE"),
    ] {
        let server = Server::saying(&[
            &answer(status, "location: /next\r\n", ""),
            &answer("200 OK", "", ""),
        ]);
        let world = world(&[&server]);
        gives(
            &world,
            &format!(r#"http::{method}("{}", #{{ json: 1 }}).status"#, server.url()),
            "200",
        );
        let seen = server.seen();
        assert!(seen[1].starts_with(&format!("{then} /next ")), "{seen:?}");
        let keeps_body = then != "GET";
        assert_eq!(seen[1].contains("content-type: application/json"), keeps_body, "{seen:?}");
        assert_eq!(seen[1].ends_with("\r\n\r\n1"), keeps_body, "{seen:?}");
    }
}

#[test]
fn what_a_script_wrote_for_one_host_is_not_told_to_another() {
    let last = Server::saying(&[&answer("200 OK", "", "")]);
    let first = Server::saying(&[&leading(&last.url())]);
    let script = format!(
        r#"http::get("{}", #{{ headers: #{{ authorization: "Basic eA==", cookie: "a=b", "x-own": "1" }} }}).status"#,
        first.url()
    );
    gives(&world(&[&first, &last]), &script, "200");
    let (first, last) = (first.seen().remove(0), last.seen().remove(0));
    assert!(first.contains("authorization: ") && first.contains("cookie: "), "{first}");
    assert!(!last.contains("authorization: ") && !last.contains("cookie: "), "{last}");
    assert!(last.contains("x-own: 1"), "{last}");
}
