//! `http`: requests to the hosts that a feature was granted, and to no others.
//!
//! An address is read once, its host held against the grants, and on every redirect again. A name
//! leads to the public internet or nowhere: the addresses that it has are looked at, and one of
//! these very addresses is dialled ([`dial`]). A request is on record before it goes out, ends with
//! its call at the latest, and is bounded in all that it brings in. Secrets are spent here, each at
//! the hosts that are granted for it, and taken out of whatever comes back ([`redact`]).
//!
//! The messages are written and read here, on a connection of rustls, and not by one of the HTTP
//! libraries: those wait where nothing can stop them, keep connections and their buffers beyond the
//! call, and write heads of requests to the program's log.

mod address;
mod canned;
mod dial;
mod exchange;
mod journey;
mod options;
mod redact;
mod target;
#[cfg(all(test, unix))]
mod tests;
mod wire;

use super::ModuleBuilder;
use crate::script::frame::Native;
use crate::script::outside;
use canned::{Canned, Sent};
use dial::{Network, System};
use options::Asked;
use redact::Spent;
use rhai::{Map, Module, Shared};
use std::sync::Arc;

/// What one call has sent and spent.
#[derive(Default)]
pub(crate) struct Requests {
    /// The answers that a test gave to its requests, in order.
    canned: Vec<Canned>,
    /// The requests of a test, in order.
    sent: Vec<Sent>,
    /// The secrets that were told to hosts; they are taken out of every answer from then on.
    spent: Vec<Spent>,
}

/// The module of a feature that asked for `http=…`.
pub(crate) fn module() -> Shared<Module> {
    module_on(&(Arc::new(System) as Arc<dyn Network>))
}

/// The module on some network.
fn module_on(network: &Arc<dyn Network>) -> Shared<Module> {
    let mut builder = ModuleBuilder::new();
    builder.about(
        "Requests to the hosts that were granted: request `http=HOST` for each. An answer is a map of \
         `status`, `ok` (a status from 200 to 299), `headers` (names in lower case), `body` and `url`, \
         where it came from after redirections. What keeps an answer from coming is an error that a \
         script may catch; a status is none. Options are `query` and `headers` (maps), `bearer` (a \
         secret), `basic` (a map of `user` and `password`), one of `body` (a text), `json` (any value) \
         and `form` (a map), `timeout` in ms, `most` bytes of the body, `base64` for a body that is no \
         text, and `follow: false` to stay where the first answer comes from.",
    );
    for (function, method, docs) in METHODS {
        let on = Arc::clone(network);
        builder.docs(docs).function(
            method.to_ascii_lowercase().as_str(),
            ["url: string", "map"],
            move |url: &str| -> Native<Map> { request(&on, function, method, url, &Map::new()) },
        );
        let on = Arc::clone(network);
        builder.function(
            method.to_ascii_lowercase().as_str(),
            ["url: string", "options: map", "map"],
            move |url: &str, options: Map| -> Native<Map> {
                request(&on, function, method, url, &options)
            },
        );
    }
    any_method(&mut builder, network);
    for_tests(&mut builder);
    builder.build()
}

type Method = (&'static str, &'static str, &'static [&'static str]);

const METHODS: [Method; 6] = [
    (
        "http::get",
        "GET",
        &[
            "/// Asks for what is at an address.",
            "/// http::get(\"https://api.example.com/now\").body",
            "/// http::get(url, #{ query: #{ q: \"Rome\" }, bearer: secret::get(\"API_KEY\") }).status",
        ],
    ),
    (
        "http::head",
        "HEAD",
        &[
            "/// As `get`, without the body.",
            "/// http::head(\"https://api.example.com/file\").headers[\"content-length\"]",
        ],
    ),
    (
        "http::post",
        "POST",
        &[
            "/// Sends a body to an address.",
            "/// http::post(\"https://api.example.com/notes\", #{ json: #{ text: \"hello\" } }).status",
        ],
    ),
    (
        "http::put",
        "PUT",
        &[
            "/// Puts a body at an address.",
            "/// http::put(\"https://api.example.com/notes/7\", #{ json: #{ text: \"hello\" } }).ok",
        ],
    ),
    (
        "http::patch",
        "PATCH",
        &[
            "/// Changes what is at an address.",
            "/// http::patch(\"https://api.example.com/notes/7\", #{ json: #{ done: true } }).ok",
        ],
    ),
    (
        "http::delete",
        "DELETE",
        &[
            "/// Removes what is at an address.",
            "/// http::delete(\"https://api.example.com/notes/7\").ok",
        ],
    ),
];

fn any_method(builder: &mut ModuleBuilder, network: &Arc<dyn Network>) {
    let function = "http::request";
    let on = Arc::clone(network);
    builder
        .docs(&[
            "/// As `get` and `post`, with any method.",
            "/// http::request(\"OPTIONS\", \"https://api.example.com/notes\").headers.allow",
        ])
        .function(
            "request",
            ["method: string", "url: string", "map"],
            move |method: &str, url: &str| -> Native<Map> {
                request(&on, function, method, url, &Map::new())
            },
        );
    let on = Arc::clone(network);
    builder.function(
        "request",
        ["method: string", "url: string", "options: map", "map"],
        move |method: &str, url: &str, options: Map| -> Native<Map> {
            request(&on, function, method, url, &options)
        },
    );
}

fn for_tests(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// In a test: what requests to an address are answered, in the order given; the last \
             answer stays. It is a map of `status` (200 without it), `headers`, and `body` or `json`.",
            "/// http::answer(\"https://api.example.com/now\", #{ json: #{ degrees: 20 } })",
        ])
        .function(
            "answer",
            ["url: string", "answer: map"],
            |url: &str, answer: Map| -> Native { canned::answer(url, &answer) },
        )
        .docs(&[
            "/// In a test: the requests so far, each as `method`, `url`, `headers` and `body`.",
            "/// http::sent()[0].url",
        ])
        .function("sent", ["map[]"], canned::sent);
}

fn request(
    network: &Arc<dyn Network>,
    function: &'static str,
    method: &str,
    url: &str,
    options: &Map,
) -> Native<Map> {
    let asked = Asked::read(function, method, url, options)?;
    outside::from("http::request", || asked.on_record(), || journey::travel(&asked, network))
}
