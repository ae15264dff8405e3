//! Takes out of what a host says the secrets that were told to it, and lets the call pay for it.

use crate::feature::capability::SecretName;
use crate::feature::redact::{self, Work};
use crate::script::frame::Native;
use crate::script::meter;
use rhai::EvalAltResult;
use zeroize::Zeroizing;

/// A secret that the call has spent.
#[derive(Clone)]
pub(super) struct Spent {
    pub name: SecretName,
    /// Its text, or a text that it is a part of and that was sent as one.
    pub text: Zeroizing<String>,
}

/// What is looked for.
#[derive(Default)]
pub(super) struct Redactor(redact::Redactor);

fn pay(work: Work) -> Result<(), Box<EvalAltResult>> {
    meter::charge_bytes(work.looks)?;
    meter::reserve(work.holds)
}

impl Redactor {
    /// Looks for all forms of these.
    ///
    /// # Errors
    ///
    /// The call is over.
    pub fn of(spent: &[Spent]) -> Native<Self> {
        let mut redactor = redact::Redactor::default();
        for one in spent {
            let bytes = one.text.len().saturating_mul(64);
            pay(Work { looks: bytes, holds: bytes })?;
            redactor.add(&one.name, &one.text);
        }
        Ok(Self(redactor))
    }

    /// The secrets that a text holds.
    ///
    /// # Errors
    ///
    /// The call is over.
    pub fn held(&self, text: &str) -> Native<Vec<&SecretName>> {
        let looks = text.len().saturating_mul(self.0.forms());
        pay(Work { looks, holds: text.len() })?;
        Ok(self.0.held(text))
    }

    /// A text without secrets.
    ///
    /// # Errors
    ///
    /// The call is over.
    pub fn clean_text(&self, text: &str) -> Native<String> {
        let clean = self.clean(text.as_bytes().to_vec())?;
        // A form is whole characters, so what is left is text.
        Ok(String::from_utf8_lossy(&clean).into_owned())
    }

    /// Bytes without secrets.
    ///
    /// # Errors
    ///
    /// The call is over.
    pub fn clean(&self, bytes: Vec<u8>) -> Native<Vec<u8>> {
        self.0.clean(bytes, &mut pay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::host::hash::{BASE64, BASE64_URL, base64_of};

    const SECRET: &str = "s3cr&t/kéy+\"x\"='9<";

    fn percent(text: &str) -> String {
        text.bytes().map(|byte| format!("%{byte:02X}")).collect()
    }

    fn redactor(text: &str) -> Redactor {
        let name = "KEY".parse().expect("a name");
        Redactor::of(&[Spent { name, text: Zeroizing::new(text.to_owned()) }]).expect("no bound")
    }

    #[test]
    fn every_form_of_a_secret_is_found() {
        let redactor = redactor(SECRET);
        let form: String = ::url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
        let url = ::url::Url::parse_with_params("https://a.example/", [("k", SECRET)]);
        let path = ::url::Url::parse(&format!("https://a.example/{}", percent(SECRET)));
        for said in [
            SECRET.to_owned(),
            SECRET.to_uppercase().replace('É', "é"),
            serde_json::to_string(SECRET).expect("a text"),
            format!("a{SECRET}b{SECRET}{SECRET}"),
            form.clone(),
            form.to_lowercase(),
            url.expect("an address").to_string(),
            path.expect("an address").to_string(),
            "s3cr&amp;t/kéy+&quot;x&quot;=&#39;9&lt;".to_owned(),
            "\"s3cr\\u0026t/k\\u00e9y+\\\"x\\\"=\\u00279\\u003c\"".to_owned(),
            "s3cr&t\\/kéy+\\\"x\\\"='9<".to_owned(),
            SECRET.bytes().map(|byte| format!("{byte:02X}")).collect(),
        ] {
            let clean = redactor.clean_text(&said).expect("no bound");
            assert!(clean.contains("[secret KEY]"), "{said}: {clean}");
            assert!(!clean.to_lowercase().contains("s3cr"), "{said}: {clean}");
        }
    }

    #[test]
    fn base64_of_more_than_the_secret_shows_nothing_of_it() {
        let redactor = redactor("Tr0ub4dor&3-horse");
        for alphabet in [BASE64, BASE64_URL] {
            for front in ["", "u", "us", "user:", "{\"password\": \""] {
                for back in ["", "x", "xy", "\"}"] {
                    let said = format!("{front}Tr0ub4dor&3-horse{back}");
                    for is_padded in [true, false] {
                        let said =
                            base64_of(said.as_bytes(), alphabet, is_padded).expect("no bound");
                        let clean = redactor.clean_text(&said).expect("no bound");
                        assert!(clean.contains("[secret KEY]"), "{front}|{back}: {said} {clean}");
                        let rest = clean.replace("[secret KEY]", "").len();
                        assert!(rest <= (front.len() + back.len()) * 4 / 3 + 6, "{clean}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        let redactor = redactor(SECRET);
        for said in ["", "s3cr", "[secret KEY]", "čeština & <b>"] {
            assert_eq!(redactor.clean_text(said).expect("no bound"), said);
        }
        let bytes = vec![0xff, 0, 0xfe];
        assert_eq!(redactor.clean(bytes.clone()).expect("no bound"), bytes);
        assert_eq!(Redactor::default().clean_text(SECRET).expect("no bound"), SECRET);
    }

    #[test]
    fn secrets_that_overlap_leave_nothing_between() {
        let name = |name: &str| name.parse().expect("a name");
        let spent = [
            Spent { name: name("A"), text: Zeroizing::new("abcdefgh".to_owned()) },
            Spent { name: name("B"), text: Zeroizing::new("efghijkl".to_owned()) },
        ];
        let redactor = Redactor::of(&spent).expect("no bound");
        assert_eq!(redactor.clean_text("-abcdefghijkl-").expect("no bound"), "-[secret A]-");
        assert_eq!(redactor.clean_text("aaabcdefgh").expect("no bound"), "aa[secret A]");
    }
}
