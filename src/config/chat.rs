//! `[chat]` in the settings: which model, and how far it may go.

use super::settings::unknown;
use toml_edit::{Item, Table};

/// What the user chose for `peasy chat`. What is `None` was not chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChatSettings {
    /// `PROVIDER/NAME`.
    pub model: Option<String>,
    /// Where the model is, where that is not its provider's own address.
    pub base_url: Option<String>,
    /// The name of the secret that is the provider's key.
    pub key: Option<String>,
    /// What the model is told before everything else.
    pub system: Option<String>,
    /// Most requests of one turn.
    pub max_rounds: Option<u64>,
    /// Most bytes of one answer.
    pub max_output: Option<u64>,
    /// Most bytes of one result that the model is shown.
    pub max_result: Option<u64>,
    /// Most tokens that the model may write at once.
    pub max_tokens: Option<u32>,
    /// How often a request is made again.
    pub retries: Option<u32>,
    /// How many tokens a session may have before it is summarised; 0 is never.
    pub compact_at: Option<u64>,
}

const KEYS: [&str; 10] = [
    "model",
    "base_url",
    "key",
    "system",
    "max_rounds",
    "max_output",
    "max_result",
    "max_tokens",
    "retries",
    "compact_at",
];

/// Reads the table.
pub(super) fn read(table: &Table) -> Result<ChatSettings, String> {
    let mut chat = ChatSettings::default();
    for (key, item) in table {
        match key {
            "model" => chat.model = Some(text(key, item)?),
            "base_url" => chat.base_url = Some(text(key, item)?),
            "key" => chat.key = Some(text(key, item)?),
            "system" => chat.system = Some(text(key, item)?),
            "max_rounds" => chat.max_rounds = Some(number(key, item, 1, 10_000)?),
            "max_output" => chat.max_output = Some(number(key, item, 1_000, 1 << 30)?),
            "max_result" => chat.max_result = Some(number(key, item, 1_000, 1 << 30)?),
            "max_tokens" => chat.max_tokens = Some(small(key, item, 1)?),
            "retries" => chat.retries = Some(small(key, item, 0)?.min(100)),
            "compact_at" => chat.compact_at = Some(number(key, item, 0, u64::MAX)?),
            other => return Err(format!("`[chat]`: {}", unknown(other, &KEYS))),
        }
    }
    Ok(chat)
}

fn text(key: &str, item: &Item) -> Result<String, String> {
    item.as_str().map(str::to_owned).ok_or_else(|| format!("`chat.{key}` is a text"))
}

fn number(key: &str, item: &Item, least: u64, most: u64) -> Result<u64, String> {
    let number = item.as_integer().and_then(|number| u64::try_from(number).ok());
    number.filter(|number| (least..=most).contains(number)).ok_or_else(|| match most {
        u64::MAX => format!("`chat.{key}` is a whole number from {least}"),
        most => format!("`chat.{key}` is a whole number from {least} to {most}"),
    })
}

fn small(key: &str, item: &Item, least: u64) -> Result<u32, String> {
    let number = number(key, item, least, u64::from(u32::MAX))?;
    Ok(u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::super::settings::Settings;

    #[test]
    fn the_table_is_read_and_what_is_wrong_is_told() {
        let text =
            "[chat]\nmodel = \"ollama/qwen3\"\nmax_rounds = 5\ncompact_at = 0\nretries = 0\n";
        let chat = Settings::parse(text).expect("it is sound").chat;
        assert_eq!(chat.model.as_deref(), Some("ollama/qwen3"));
        assert_eq!((chat.max_rounds, chat.compact_at, chat.retries), (Some(5), Some(0), Some(0)));
        for (text, told) in [
            ("chat = 1", "write `[chat]`"),
            ("[chat]\nmodl = \"x\"", "did you mean `model`?"),
            ("[chat]\nmodel = 1", "`chat.model` is a text"),
            ("[chat]\nmax_rounds = 0", "from 1 to 10000"),
            ("[chat]\nmax_tokens = \"many\"", "is a whole number"),
            ("[chat]\ncompact_at = -1", "from 0"),
        ] {
            let problem = Settings::parse(text).expect_err(text);
            assert!(problem.contains(told), "{text}: {problem}");
        }
    }
}
