//! Results that are more than one value: texts, pictures, sounds, resources and links, in order.
//!
//! Plain data in the form that MCP gives them, which every front can show in its own way. They are
//! a result like any other: hooks see them, the log holds them, and their bytes count.

use super::schema::{Mismatch, Type};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How the result of an outcome is to be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResultForm {
    /// It is the value that the tool gave.
    #[default]
    Value,
    /// It is a [`Content`], as JSON.
    Content,
}

impl ResultForm {
    /// Holds a result against its type; of content, what stands beside the blocks. Hands it back with
    /// defaults filled in.
    ///
    /// # Errors
    ///
    /// Every place where it does not fit.
    pub fn check(self, kind: &Type, mut value: Value) -> Result<Value, Vec<Mismatch>> {
        if self == Self::Value {
            return kind.check(value);
        }
        let beside = value.get_mut(STRUCTURED).map(Value::take);
        let beside = beside.or_else(|| (*kind != Type::Any).then_some(Value::Null));
        if let (Some(beside), Some(fields)) = (beside, value.as_object_mut()) {
            fields.insert(STRUCTURED.to_owned(), kind.check(beside)?);
        }
        Ok(value)
    }

    /// Whether it is the value that the tool gave.
    pub fn is_value(&self) -> bool {
        *self == Self::Value
    }
}

/// The name of what stands beside the blocks, in [`Content`].
const STRUCTURED: &str = "structured";

/// What a tool gave in several blocks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// The blocks, in order.
    pub content: Vec<ContentBlock>,
    /// The same, or a part of it, as an object for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub structured: Option<Value>,
}

/// One block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContentBlock {
    /// What it is.
    #[serde(flatten)]
    pub body: ContentBody,
    /// For whom it is, and how much it matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Annotations>,
}

/// What a block is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ContentBody {
    /// A text.
    Text {
        /// The text.
        text: String,
    },
    /// A picture.
    Image {
        /// Its bytes, in base64.
        data: String,
        /// What they are, such as `image/png`.
        #[serde(rename = "mimeType")]
        mime: String,
    },
    /// A sound.
    Audio {
        /// Its bytes, in base64.
        data: String,
        /// What they are, such as `audio/wav`.
        #[serde(rename = "mimeType")]
        mime: String,
    },
    /// A resource with what is in it.
    Resource {
        /// The resource.
        resource: Resource,
    },
    /// Where a resource lies.
    ResourceLink(Link),
}

/// A resource with what is in it: a text or bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// Its address.
    pub uri: String,
    /// What it is.
    #[serde(rename = "mimeType", default, skip_serializing_if = "Option::is_none")]
    pub mime: Option<String>,
    /// What is in it.
    #[serde(flatten)]
    pub body: ResourceBody,
}

/// What is in a resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceBody {
    /// A text.
    Text(String),
    /// Bytes, in base64.
    Blob(String),
}

/// Where a resource lies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// Its address.
    pub uri: String,
    /// What it is called.
    pub name: String,
    /// What it is called for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it is.
    #[serde(rename = "mimeType", default, skip_serializing_if = "Option::is_none")]
    pub mime: Option<String>,
    /// Its bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

/// For whom a block is, and how much it matters.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Annotations {
    /// For whom it is; everybody where it is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audience: Vec<Audience>,
    /// From 0.0, of no weight, to 1.0, needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<f64>,
    /// When it was changed, as ISO 8601 has it.
    #[serde(rename = "lastModified", default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
}

/// For whom a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// The person.
    User,
    /// The model.
    Assistant,
}

impl Content {
    /// What a result holds; `None` where it is no content.
    pub fn read(result: &Value) -> Option<Self> {
        Self::deserialize(result).ok()
    }
}

impl From<ContentBody> for ContentBlock {
    fn from(body: ContentBody) -> Self {
        Self { body, annotations: None }
    }
}

impl ContentBlock {
    /// About the bytes of its texts.
    pub fn bytes(&self) -> usize {
        match &self.body {
            ContentBody::Text { text } => text.len(),
            ContentBody::Image { data, mime } | ContentBody::Audio { data, mime } => {
                data.len() + mime.len()
            }
            ContentBody::Resource { resource } => {
                let (ResourceBody::Text(body) | ResourceBody::Blob(body)) = &resource.body;
                resource.uri.len() + body.len()
            }
            ContentBody::ResourceLink(link) => {
                let more = [&link.title, &link.description]
                    .map(|text| text.as_ref().map_or(0, String::len));
                link.uri.len() + link.name.len() + more[0] + more[1]
            }
        }
    }
}

/// The bytes that a text in base64 stands for.
pub fn decoded_bytes(base64: &str) -> usize {
    base64.trim_end_matches('=').len() * 3 / 4
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn blocks_have_the_form_of_the_protocol() {
        let all = json!({
            "content": [
                { "type": "text", "text": "a" },
                { "type": "image", "data": "AAAA", "mimeType": "image/png" },
                { "type": "audio", "data": "AAAA", "mimeType": "audio/wav",
                  "annotations": { "audience": ["user"], "priority": 0.5 } },
                { "type": "resource", "resource": { "uri": "a://b", "mimeType": "text/plain", "text": "c" } },
                { "type": "resource", "resource": { "uri": "a://b", "blob": "AAAA" } },
                { "type": "resource_link", "uri": "a://b", "name": "b", "size": 3 },
            ],
            "structured": { "n": 1 },
        });
        let content = Content::read(&all).expect("it is content");
        assert_eq!(serde_json::to_value(&content).expect("plain data"), all);
        assert_eq!(content.content.len(), 6);
        for other in [
            json!({ "content": [{ "type": "film" }] }),
            json!({ "content": [], "more": 1 }),
            json!("a"),
        ] {
            assert_eq!(Content::read(&other), None, "{other}");
        }
    }
}
