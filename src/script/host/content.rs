//! `content`: results that are more than one value, such as pictures and resources.
//!
//! Blocks and what is made of them are values of the host: a script makes and looks at them, and
//! returns them from a tool. They go nowhere else. What is in them is the script's own.

#[cfg(all(test, unix))]
mod tests;

use super::ModuleBuilder;
use super::options::Options;
use super::text::work::refuse;
use crate::feature::content::{
    Annotations, Audience, Content, ContentBlock, ContentBody, Link, Resource, ResourceBody,
};
use crate::script::frame::Native;
use crate::script::meter;
use crate::script::native::callback;
use crate::script::value::{self, Budget, Kind, prefix, type_label};
use rhai::{Array, Dynamic, Map, Module, Shared};
use std::sync::Arc;

/// Most blocks of one result.
const MOST_BLOCKS: usize = 1_000;

/// The operations that one block costs.
const COST: u64 = 10;

/// A block as a script holds it; copies share it.
#[derive(Debug, Clone)]
pub(crate) struct Block(Arc<ContentBlock>);

/// The blocks of a result as a script holds them, and a value beside; copies share them.
#[derive(Debug, Clone)]
pub(crate) struct Blocks {
    list: Arc<[Block]>,
    structured: Option<Arc<Dynamic>>,
}

/// The module.
pub(crate) fn module() -> Shared<Module> {
    let mut builder = ModuleBuilder::new();
    builder.about(
        "Results that are more than one value: texts, pictures, sounds, resources and links. A tool \
         returns one block, or `content::result` of several. They have the bound of any result, and \
         leave a script in no other way.",
    );
    blocks(&mut builder);
    resources(&mut builder);
    builder
        .docs(&[
            "/// A block with a word about it: `audience`, a list of `\"user\"` and `\"assistant\"`; `priority`, \
             from 0.0 to 1.0; `last_modified`, a time as `time::iso` gives it.",
            "/// content::annotated(content::text(\"details\"), #{ audience: [\"assistant\"], priority: 0.2 })",
        ])
        .function("annotated", ["block: block", "options: map", "block"], |block: Block, options: Map| {
            annotated(&block, &options)
        })
        .docs(&[
            "/// What a tool returns that gives several blocks, and a map for programs beside them, which is what \
             `@returns` speaks of.",
            "/// content::result([content::text(\"a chart\"), content::image(data, \"image/png\")])",
            "/// content::result([content::text(\"20 degrees\")], #{ degrees: 20 })",
        ])
        .function("result", ["blocks: block[]", "content"], |list: Array| result(&list, None))
        .function(
            "result",
            ["blocks: block[]", "structured: map", "content"],
            |list: Array, structured: Map| result(&list, Some(Dynamic::from_map(structured))),
        );
    builder.build()
}

fn blocks(builder: &mut ModuleBuilder) {
    builder
        .docs(&["/// A text.", "/// content::text(\"a chart of the last week\")"])
        .function("text", ["text: string", "block"], |text: &str| -> Native<Block> {
            paid(text.len())?;
            made(ContentBody::Text { text: text.to_owned() })
        })
        .docs(&[
            "/// A picture: its bytes in base64, and what they are.",
            "/// content::image(http::get(url, #{ base64: true }).body, \"image/png\")",
        ])
        .function("image", ["base64: string", "mime: string", "block"], |data: &str, mime: &str| {
            let (data, mime) = media("content::image", data, mime)?;
            made(ContentBody::Image { data, mime })
        })
        .docs(&[
            "/// A sound: its bytes in base64, and what they are.",
            "/// content::audio(data, \"audio/wav\")",
        ])
        .function(
            "audio",
            ["base64: string", "mime: string", "block"],
            |data: &str, mime: &str| {
                let (data, mime) = media("content::audio", data, mime)?;
                made(ContentBody::Audio { data, mime })
            },
        );
}

fn resources(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// A resource with its text.",
            "/// content::resource(\"notes://today\", \"text/markdown\", \"# Today\")",
        ])
        .function(
            "resource",
            ["uri: string", "mime: string", "text: string", "block"],
            |uri: &str, mime: &str, text: &str| {
                paid(text.len())?;
                resource("content::resource", uri, mime, ResourceBody::Text(text.to_owned()))
            },
        )
        .docs(&[
            "/// A resource with its bytes, in base64.",
            "/// content::blob(\"notes://photo\", \"image/jpeg\", data)",
        ])
        .function(
            "blob",
            ["uri: string", "mime: string", "base64: string", "block"],
            |uri: &str, mime: &str, data: &str| {
                let data = base64("content::blob", data)?;
                resource("content::blob", uri, mime, ResourceBody::Blob(data))
            },
        )
        .docs(&[
            "/// Where a resource lies. Options are `title`, `description`, `mime` and `size` in bytes.",
            "/// content::link(\"https://example.com/report.pdf\", \"report\", #{ mime: \"application/pdf\" })",
        ])
        .function("link", ["uri: string", "name: string", "block"], |uri: &str, name: &str| {
            link(uri, name, &Map::new())
        })
        .function(
            "link",
            ["uri: string", "name: string", "options: map", "block"],
            |uri: &str, name: &str, options: Map| link(uri, name, &options),
        );
}

/// What scripts read of blocks, in the global namespace: `block.kind`, `result.blocks`, ….
pub(super) fn properties(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// What a block of `content::…` is: `text`, `image`, `audio`, `resource` or `resource_link`.",
            "/// content::text(\"a\").kind",
        ])
        .function("get$kind", ["block: block", "string"], |block: &mut Block| kind(&block.0).to_owned())
        .docs(&[
            "/// The text of a block; `()` of one that has none.",
            "/// content::text(\"a\").text",
        ])
        .function("get$text", ["block: block", "string?"], |block: &mut Block| -> Native<Dynamic> {
            let text = match &block.0.body {
                ContentBody::Text { text } => Some(text),
                ContentBody::Resource { resource } => match &resource.body {
                    ResourceBody::Text(text) => Some(text),
                    ResourceBody::Blob(_) => None,
                },
                _ => None,
            };
            copy(text.map(String::as_str))
        })
        .docs(&[
            "/// The base64 of a block; `()` of one that has none.",
            "/// content::image(data, \"image/png\").data",
        ])
        .function("get$data", ["block: block", "string?"], |block: &mut Block| -> Native<Dynamic> {
            let data = match &block.0.body {
                ContentBody::Image { data, .. } | ContentBody::Audio { data, .. } => Some(data),
                ContentBody::Resource { resource } => match &resource.body {
                    ResourceBody::Blob(data) => Some(data),
                    ResourceBody::Text(_) => None,
                },
                _ => None,
            };
            copy(data.map(String::as_str))
        })
        .docs(&[
            "/// The address of a resource or a link; `()` of other blocks.",
            "/// content::link(\"https://example.com\", \"home\").uri",
        ])
        .function("get$uri", ["block: block", "string?"], |block: &mut Block| -> Native<Dynamic> {
            copy(match &block.0.body {
                ContentBody::Resource { resource } => Some(&resource.uri),
                ContentBody::ResourceLink(link) => Some(&link.uri),
                _ => None,
            })
        })
        .docs(&[
            "/// The blocks of a `content::result`.",
            "/// content::result([content::text(\"a\")]).blocks[0].text",
        ])
        .function("get$blocks", ["result: content", "block[]"], |blocks: &mut Blocks| -> Native<Array> {
            meter::charge(blocks.list.len() as u64)?;
            meter::reserve(blocks.list.len() * size_of::<Dynamic>())?;
            Ok(blocks.list.iter().cloned().map(Dynamic::from).collect())
        })
        .docs(&[
            "/// The map beside the blocks of a `content::result`; `()` where there is none.",
            "/// content::result([], #{ n: 1 }).structured.n",
        ])
        .function("get$structured", ["result: content", "map?"], |blocks: &mut Blocks| -> Native<Dynamic> {
            blocks.structured.as_deref().map_or(Ok(Dynamic::UNIT), callback::copied)
        });
}

fn kind(block: &ContentBlock) -> &'static str {
    match &block.body {
        ContentBody::Text { .. } => "text",
        ContentBody::Image { .. } => "image",
        ContentBody::Audio { .. } => "audio",
        ContentBody::Resource { .. } => "resource",
        ContentBody::ResourceLink(_) => "resource_link",
    }
}

/// Pays for a copy of a text.
fn paid(bytes: usize) -> Native {
    meter::charge(COST)?;
    meter::charge_bytes(bytes)?;
    meter::reserve(bytes)
}

fn copy(text: Option<&str>) -> Native<Dynamic> {
    let Some(text) = text else { return Ok(Dynamic::UNIT) };
    paid(text.len())?;
    Ok(text.into())
}

fn made(body: ContentBody) -> Native<Block> {
    Ok(Block(Arc::new(body.into())))
}

fn media(function: &str, data: &str, mime: &str) -> Native<(String, String)> {
    let mime = mime_type(function, mime)?;
    Ok((base64(function, data)?, mime))
}

/// `type/subtype`, and parameters behind it.
fn mime_type(function: &str, mime: &str) -> Native<String> {
    let is_token = |word: &str| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "!#$&-^_.+".contains(c);
        !word.is_empty() && word.chars().all(is_part)
    };
    let bare = mime.split(';').next().unwrap_or_default().trim_end();
    let is_right = bare.split_once('/').is_some_and(|(kind, sub)| is_token(kind) && is_token(sub));
    if !is_right || mime.len() > 200 || mime.chars().any(char::is_control) {
        return Err(refuse(format!(
            "{function}: {:?} is no type of content; write one such as \"image/png\"",
            prefix(mime, 40)
        )));
    }
    Ok(mime.to_owned())
}

/// A text that is base64, with its padding.
fn base64(function: &str, data: &str) -> Native<String> {
    paid(data.len())?;
    let bytes = data.trim_end_matches('=');
    let padding = data.len() - bytes.len();
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    if !data.len().is_multiple_of(4) || padding > 2 || !bytes.bytes().all(is_digit) {
        return Err(refuse(format!(
            "{function}: the bytes are no base64; `hash::base64(text)` and `http::get(url, #{{ base64: true }})` \
             give it"
        )));
    }
    Ok(data.to_owned())
}

/// An address with a scheme.
fn address(function: &str, uri: &str) -> Native<String> {
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    let has_scheme = uri.split_once(':').is_some_and(|(scheme, _)| is_scheme(scheme));
    let is_clean = !uri.chars().any(|c| c.is_control() || c.is_whitespace());
    if !has_scheme || !is_clean || uri.len() > 4_096 {
        return Err(refuse(format!(
            "{function}: {:?} is no address; write one with its scheme, such as \"notes://today\"",
            prefix(uri, 40)
        )));
    }
    Ok(uri.to_owned())
}

fn resource(function: &str, uri: &str, mime: &str, body: ResourceBody) -> Native<Block> {
    let uri = address(function, uri)?;
    let mime = match mime {
        "" => None,
        mime => Some(mime_type(function, mime)?),
    };
    made(ContentBody::Resource { resource: Resource { uri, mime, body } })
}

fn link(uri: &str, name: &str, options: &Map) -> Native<Block> {
    let function = "content::link";
    paid(name.len())?;
    if name.trim().is_empty() {
        return Err(refuse(format!("{function}: the name is empty")));
    }
    let mut options = Options::new(function, options);
    let title = options.text("title", "\"Report\"")?;
    let description = options.text("description", "\"Of last week.\"")?;
    let mime = options.text("mime", "\"application/pdf\"")?;
    let size = options.number("size")?;
    options.done()?;
    paid(
        title.as_ref().map_or(0, |text| text.len())
            + description.as_ref().map_or(0, |text| text.len()),
    )?;
    made(ContentBody::ResourceLink(Link {
        uri: address(function, uri)?,
        name: name.to_owned(),
        title: title.map(String::from),
        description: description.map(String::from),
        mime: mime.map(|mime| mime_type(function, &mime)).transpose()?,
        size: size.and_then(|size| u64::try_from(size).ok()),
    }))
}

fn annotated(block: &Block, options: &Map) -> Native<Block> {
    let function = "content::annotated";
    let mut options = Options::new(function, options);
    let mut annotations = Annotations::default();
    for name in options.names("audience", "[\"user\"]")?.unwrap_or_default() {
        annotations.audience.push(match name.as_str() {
            "user" => Audience::User,
            "assistant" => Audience::Assistant,
            other => {
                return Err(refuse(format!(
                    "{function}: `{}` is no audience; there are \"user\" and \"assistant\"",
                    prefix(other, 40)
                )));
            }
        });
    }
    if let Some(weight) = options.take("priority") {
        let number = weight.as_float().ok().or_else(|| Some(weight.as_int().ok()? as f64));
        let number = number.filter(|number| (0.0..=1.0).contains(number));
        annotations.priority = Some(number.ok_or_else(|| {
            refuse(format!("{function}: `priority` is a number from 0.0 to 1.0"))
        })?);
    }
    let modified = options.text("last_modified", "time::iso()")?;
    options.done()?;
    annotations.last_modified = modified.map(|text| prefix(&text, 40).to_owned());
    paid(block.0.bytes())?;
    Ok(Block(Arc::new(ContentBlock { body: block.0.body.clone(), annotations: Some(annotations) })))
}

fn result(list: &Array, structured: Option<Dynamic>) -> Native<Blocks> {
    let function = "content::result";
    if list.len() > MOST_BLOCKS {
        return Err(refuse(format!("{function}: there are more than {MOST_BLOCKS} blocks")));
    }
    meter::charge(COST + list.len() as u64)?;
    let mut blocks = Vec::with_capacity(list.len());
    for (index, one) in list.iter().enumerate() {
        match one.read_lock::<Block>() {
            Some(block) => blocks.push(block.clone()),
            None if Kind::of(one) == Kind::Text => {
                let text = one.read_lock::<rhai::ImmutableString>();
                let text = text.map(|text| text.to_string()).unwrap_or_default();
                paid(text.len())?;
                blocks.push(made(ContentBody::Text { text })?);
            }
            None => {
                return Err(refuse(format!(
                    "{function}: `blocks[{index}]` is {}; give a text or what `content::text`, \
                     `content::image`, … make",
                    type_label(one)
                )));
            }
        }
    }
    Ok(Blocks { list: blocks.into(), structured: structured.map(Arc::new) })
}

/// What a tool returned, where it is content.
///
/// # Errors
///
/// It has more bytes than `most`, or its map has no JSON form.
pub(crate) fn returned(value: &Dynamic, most: usize) -> Option<Result<Content, String>> {
    if let Some(block) = value.read_lock::<Block>() {
        return Some(gathered(std::slice::from_ref(&*block), None, most));
    }
    let blocks = value.read_lock::<Blocks>()?;
    Some(gathered(&blocks.list, blocks.structured.as_deref(), most))
}

fn gathered(list: &[Block], structured: Option<&Dynamic>, most: usize) -> Result<Content, String> {
    let too_large = || format!("its blocks have more than {most} bytes");
    let mut bytes = 0_usize;
    for block in list {
        bytes = bytes.saturating_add(block.0.bytes());
        if bytes > most {
            return Err(too_large());
        }
    }
    meter::charge_bytes(bytes).and_then(|()| meter::reserve(bytes)).map_err(|_| too_large())?;
    let structured = structured
        .map(|map| value::to_json(map, Budget::of_bytes(most)))
        .transpose()
        .map_err(|reason| reason.to_string())?;
    let content = list.iter().map(|block| ContentBlock::clone(&block.0)).collect();
    Ok(Content { content, structured })
}
