//! Takes the secrets that a server was given out of whatever it says.

use crate::feature::capability::SecretName;
use crate::feature::secret::SecretText;
use std::borrow::Cow;

/// The secrets that one server was given.
#[derive(Debug, Default)]
pub(super) struct Redactor(Vec<(SecretName, SecretText)>);

impl Redactor {
    /// Looks for this one as well.
    pub fn add(&mut self, name: SecretName, text: SecretText) {
        self.0.push((name, text));
    }

    /// The text without them: as they are, and as JSON writes them.
    pub fn clean<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut clean = Cow::Borrowed(text);
        for (name, secret) in &self.0 {
            let plain = secret.expose();
            let json = serde_json::Value::from(plain).to_string();
            for form in [plain, json.trim_matches('"')] {
                if clean.contains(form) {
                    clean = Cow::Owned(clean.replace(form, &format!("[secret {name}]")));
                }
            }
        }
        clean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_taken_out_as_it_is_and_as_json_writes_it() {
        let mut redactor = Redactor::default();
        let text = SecretText::new(r#"pass"word\1"#.to_owned().into()).expect("long enough");
        redactor.add("KEY".parse().expect("a name"), text);
        assert_eq!(redactor.clean(r#"a pass"word\1 b"#), "a [secret KEY] b");
        assert_eq!(redactor.clean(r#"{"a":"pass\"word\\1"}"#), r#"{"a":"[secret KEY]"}"#);
        assert!(matches!(redactor.clean("nothing"), Cow::Borrowed("nothing")));
    }
}
