//! What a model is shown of a result, and how a message reads as text.

use crate::feature::call::Failure;
use crate::feature::content::{Content, ContentBody, ResourceBody, decoded_bytes};
use serde_json::Value;

/// A value as a model reads it: a text as it is, everything else as JSON.
pub(super) fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Why a call gave nothing, as a model reads it.
pub(super) fn failure(failure: &Failure) -> String {
    failure.to_string()
}

/// The blocks of a result, as a model that reads text alone reads them.
pub(super) fn content(content: &Content) -> String {
    let blocks = content.content.iter().map(|block| match &block.body {
        ContentBody::Text { text } => text.clone(),
        ContentBody::Image { data, mime } => left_out("an image", mime, data),
        ContentBody::Audio { data, mime } => left_out("a sound", mime, data),
        ContentBody::Resource { resource } => match &resource.body {
            ResourceBody::Text(text) => format!("{}:\n{text}", resource.uri),
            ResourceBody::Blob(blob) => {
                let mime = resource.mime.as_deref().unwrap_or("application/octet-stream");
                format!("{}: {}", resource.uri, left_out("bytes", mime, blob))
            }
        },
        ContentBody::ResourceLink(link) => format!("{}: {}", link.name, link.uri),
    });
    blocks.collect::<Vec<_>>().join("\n")
}

fn left_out(what: &str, mime: &str, data: &str) -> String {
    format!("[{what} of type {mime} and {} bytes, which cannot be shown here]", decoded_bytes(data))
}

/// At most `most` bytes of a text; one that is longer says so. `None` where it is whole.
pub(super) fn cut(text: &str, most: usize) -> Option<String> {
    if text.len() <= most {
        return None;
    }
    let end = boundary(text, most);
    let total = text.len();
    Some(format!("{}\n[cut: the first {end} of {total} bytes; ask for less at once]", &text[..end]))
}

/// The last place up to `most` that is between two characters.
pub(super) fn boundary(text: &str, most: usize) -> usize {
    (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_says_so_and_ends_between_characters() {
        assert_eq!(cut("abc", 3), None);
        let text = cut("aäää", 4).expect("it is longer");
        assert!(text.starts_with("aä\n[cut: the first 3 of 7 bytes"), "{text}");
    }
}
