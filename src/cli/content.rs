//! Results of several blocks on a terminal: texts as they are, and of what no terminal shows a line
//! that says what it is and how large.

use super::output::{DIM, Output, paint, safe};
use crate::feature::content::{
    Content, ContentBlock, ContentBody, Link, Resource, ResourceBody, decoded_bytes,
};

/// Shows the blocks in order, and the value beside them as JSON.
pub(super) fn show(content: &Content, output: &mut Output) {
    for block in &content.content {
        show_block(block, output);
    }
    if let Some(value) = &content.structured {
        output.say_json(value);
    }
}

fn show_block(block: &ContentBlock, output: &mut Output) {
    match &block.body {
        ContentBody::Text { text } => output.say_result(text),
        ContentBody::Image { data, mime } => output.say(bytes("image", Some(mime), data)),
        ContentBody::Audio { data, mime } => output.say(bytes("audio", Some(mime), data)),
        ContentBody::Resource { resource: Resource { uri, mime, body } } => match body {
            ResourceBody::Text(text) => {
                output.say(named(&format!("resource {uri}"), mime.as_deref()));
                output.say_result(text);
            }
            ResourceBody::Blob(data) => {
                output.say(bytes(&format!("resource {uri}"), mime.as_deref(), data));
            }
        },
        ContentBody::ResourceLink(link) => output.say(link_line(link)),
    }
}

fn named(what: &str, mime: Option<&str>) -> String {
    let mime = mime.map_or_else(String::new, |mime| format!(", {mime}"));
    paint(DIM, format_args!("[{}]", safe(&format!("{what}{mime}"))))
}

fn bytes(what: &str, mime: Option<&str>, base64: &str) -> String {
    let size = decoded_bytes(base64);
    let mime = mime.map_or_else(String::new, |mime| format!(", {mime}"));
    paint(DIM, format_args!("[{}]", safe(&format!("{what}{mime}, {size} bytes"))))
}

fn link_line(link: &Link) -> String {
    let name = link.title.as_ref().unwrap_or(&link.name);
    let about = link.description.as_ref().map_or_else(String::new, |about| format!(": {about}"));
    named(&format!("link {}, {name}{about}", link.uri), link.mime.as_deref())
}
