//! Names: what a feature, a tool, a channel is called, each parsed once at the edge.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A feature or channel name.
    #[error(
        "`{0}` is not a feature name; write 1 to 64 of `a-z 0-9 -`, beginning with a letter, as in `word-count`"
    )]
    Feature(String),
    /// A tool name.
    #[error(
        "`{0}` is not a tool name; write 1 to 64 of `A-Z a-z 0-9 _ -`, as in `count_words`, so that every client takes it"
    )]
    Tool(String),
    /// A channel name.
    #[error(
        "`{0}` is not a channel name; write 1 to 64 of `a-z 0-9 -`, beginning with a letter, as in `work-item`"
    )]
    Channel(String),
    /// A source-qualified id.
    #[error(
        "`{0}` is not a feature id; write a source and a name, as in `user:word-count` or `plugin:<digest>:word-count`"
    )]
    Id(String),
}

fn is_kebab(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $error:ident, $accepts:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                let accepts: fn(&str) -> bool = $accepts;
                if accepts(text) { Ok(Self(text.into())) } else { Err(NameError::$error(text.into())) }
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// A feature's own name, without its source: `word-count`.
    FeatureName, Feature, is_kebab
}

name! {
    /// The name of a tool as a model sees it: `count_words`. Never prefixed.
    ToolName, Tool, |text| {
        (1..=64).contains(&text.len())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    }
}

name! {
    /// The name of an event channel: `work-item`.
    ChannelName, Channel, is_kebab
}

/// Where a feature came from; part of its identity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FeatureSource {
    /// Built into the binary.
    Builtin,
    /// The user's configuration folder, or a path outside any project.
    User,
    /// A file inside a project, however it was named.
    Project,
    /// A server of the user's configuration, whose tools are bridged.
    Bridge,
    /// An installed package, by the digest of its content in hexadecimal.
    Plugin(String),
}

/// A source-qualified identity: `builtin:memory`, `project:word-count`, `bridge:github`,
/// `plugin:<digest>:bar`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FeatureId {
    source: FeatureSource,
    name: FeatureName,
}

impl FeatureId {
    /// The id of `name` from `source`.
    pub fn new(source: FeatureSource, name: FeatureName) -> Self {
        Self { source, name }
    }

    /// The id of a feature built into the program.
    ///
    /// # Errors
    ///
    /// `name` is not a feature name.
    pub fn builtin(name: &str) -> Result<Self, NameError> {
        Ok(Self::new(FeatureSource::Builtin, name.parse()?))
    }

    /// Where the feature came from.
    pub fn source(&self) -> &FeatureSource {
        &self.source
    }

    /// The name without the source.
    pub fn name(&self) -> &FeatureName {
        &self.name
    }
}

impl fmt::Display for FeatureId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            FeatureSource::Builtin => write!(f, "builtin:{}", self.name),
            FeatureSource::User => write!(f, "user:{}", self.name),
            FeatureSource::Project => write!(f, "project:{}", self.name),
            FeatureSource::Bridge => write!(f, "bridge:{}", self.name),
            FeatureSource::Plugin(digest) => write!(f, "plugin:{digest}:{}", self.name),
        }
    }
}

impl FromStr for FeatureId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let refused = || NameError::Id(text.into());
        let (source, name) = text.rsplit_once(':').ok_or_else(refused)?;
        let source = match source {
            "builtin" => FeatureSource::Builtin,
            "user" => FeatureSource::User,
            "project" => FeatureSource::Project,
            "bridge" => FeatureSource::Bridge,
            other => match other.strip_prefix("plugin:") {
                Some(digest)
                    if (8..=64).contains(&digest.len())
                        && digest.chars().all(|c| c.is_ascii_hexdigit()) =>
                {
                    FeatureSource::Plugin(digest.into())
                }
                _ => return Err(refused()),
            },
        };
        Ok(Self { source, name: name.parse()? })
    }
}

impl TryFrom<String> for FeatureId {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<FeatureId> for String {
    fn from(id: FeatureId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_print_and_parse() {
        for text in [
            "builtin:memory",
            "user:a",
            "project:word-count",
            "bridge:github",
            "plugin:0123abcd:bar",
        ] {
            assert_eq!(text.parse::<FeatureId>().map(|id| id.to_string()).as_deref(), Ok(text));
        }
        for text in ["memory", "other:memory", "plugin:bar", "plugin:xyz:bar", "user:Word", "user:"]
        {
            assert!(text.parse::<FeatureId>().is_err(), "{text}");
        }
    }
}
