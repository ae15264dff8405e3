//! The gate of a call: what the rules say of it, and what a person answered. Every question of the host
//! takes its answer here, in the order in which they are asked.

use super::host::Shared;
use super::session::Entry;
use super::session::entry::Consent;
use crate::diagnostic::Diagnostic;
use crate::feature::call::Failure;
use crate::feature::catalog::InstalledTool;
use crate::feature::id::FeatureId;
use crate::feature::permission::{Permission, Permissions, Ruling};
use crate::feature::question::{Answer, Answers, Question, Wanted};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Most characters of arguments that a question shows as they are.
const WHOLE: usize = 300;

/// Most characters of arguments that a question shows at all.
const SHOWN: usize = 4_000;

/// Fewest characters of an argument that a person can judge it by, where it has more.
const FEWEST: usize = 40;

/// The gate of one call.
pub(super) struct Gate<'a> {
    shared: &'a Shared,
    call: &'a str,
    permissions: Arc<Permissions>,
    answers: Answers,
    used: usize,
}

impl<'a> Gate<'a> {
    pub fn new(shared: &'a Shared, call: &'a str, answers: Answers) -> Self {
        Self { shared, call, permissions: shared.permissions(), answers, used: 0 }
    }

    /// The rules that hold for this call.
    pub fn permissions(&self) -> &Arc<Permissions> {
        &self.permissions
    }

    /// Lets a call with these arguments pass, or says why not. What is not plainly allowed is on record
    /// before it takes effect.
    ///
    /// # Errors
    ///
    /// The rules deny it, a person did, or a person has to be asked.
    pub fn pass(
        &mut self,
        tool: &InstalledTool,
        arguments: &Map<String, Value>,
    ) -> Result<(), Failure> {
        let declaration = tool.declaration();
        let name = declaration.name.as_str();
        let permissions = Arc::clone(&self.permissions);
        let ruling = permissions.decide(name, declaration.asks, arguments);
        let answer = match ruling.permission {
            Permission::Allow => return Ok(()),
            Permission::Ask => self.next(),
            Permission::Deny => None,
        };
        let entry = Entry::Permission {
            call: self.call.to_owned(),
            tool: name.to_owned(),
            verdict: ruling.permission,
            rule: ruling.to_string(),
            answer,
            agent: None,
        };
        self.shared.log.append(&entry).map_err(|error| error.diagnostic())?;
        match (ruling.permission, answer) {
            (_, Some(Consent::Given)) => Ok(()),
            (Permission::Deny, _) => Err(denied(name, &ruling).into()),
            (_, Some(refused)) => Err(declined("permission/declined", name, refused).into()),
            (_, None) => Err(match question(name, arguments) {
                Ok(question) => unanswered(None, question),
                Err(problem) => problem.into(),
            }),
        }
    }

    /// The next answer, where there is one more.
    pub fn next(&mut self) -> Option<Consent> {
        let answer = self.answers.get(self.used)?;
        self.used += 1;
        Some(match answer {
            Answer::Given(_) => Consent::Given,
            Answer::Declined => Consent::Declined,
            Answer::Dismissed => Consent::Dismissed,
        })
    }

    /// The answers that are left for the tool.
    pub fn rest(&self) -> Answers {
        match self.used {
            0 => Arc::clone(&self.answers),
            used => self.answers.iter().skip(used).cloned().collect(),
        }
    }
}

/// What a person is asked where the rules leave a call to one. Every argument is in it by its name; of a long
/// one the beginning and the end, and how much stands between them.
///
/// # Errors
///
/// There are more arguments than a person can be shown: nobody agrees to what was not seen.
pub(super) fn question(tool: &str, arguments: &Map<String, Value>) -> Result<String, Diagnostic> {
    let whole = Value::Object(arguments.clone()).to_string();
    if whole.chars().count() <= WHOLE {
        return Ok(format!("May `{tool}` run with {whole}?"));
    }
    let each: Vec<_> = arguments
        .iter()
        .map(|(name, value)| (Value::from(name.as_str()).to_string(), value.to_string()))
        .collect();
    // What says how much is left out takes about as much as the fewest.
    let names: usize = each.iter().map(|(name, _)| name.chars().count() + FEWEST).sum();
    let share = SHOWN.saturating_sub(names) / each.len().max(1);
    if share < FEWEST {
        let message = format!(
            "a person has to agree to this call of `{tool}`, and its {} arguments are more than can be shown",
            each.len()
        );
        return Err(Diagnostic::caller("permission/unshown", message)
            .help("call it with fewer arguments, or with shorter names"));
    }
    let shown = each.iter().map(|(name, value)| format!("{name}: {}", ends(value, share)));
    Ok(format!("May `{tool}` run with {{{}}}?", shown.collect::<Vec<_>>().join(", ")))
}

/// A text of at most so many characters, or its ends.
fn ends(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let byte = |index: usize| text.char_indices().nth(index).map_or(text.len(), |(byte, _)| byte);
    let (head, tail) = (byte(most.div_ceil(2)), byte(count - most / 2));
    format!("{} … {} bytes are not shown … {}", &text[..head], tail - head, &text[tail..])
}

/// Why rules deny a call.
pub(super) fn denied(tool: &str, ruling: &Ruling<'_>) -> Diagnostic {
    let message = format!("`{tool}` may not be called with these arguments: {ruling}");
    Diagnostic::operator("permission/denied", message)
        .help("`peasy permission list` shows the rules, `peasy permission remove` takes one away")
}

/// A person said no, or nothing.
pub(super) fn declined(code: &'static str, about: &str, answer: Consent) -> Diagnostic {
    let message = match answer {
        Consent::Dismissed => format!("nobody answered whether `{about}` may run, so it does not"),
        _ => format!("`{about}` does not run: the person who was asked said no"),
    };
    Diagnostic::operator(code, message)
}

/// The end of a call that a person has to be asked about.
pub(super) fn unanswered(feature: Option<FeatureId>, text: String) -> Failure {
    let shown = match &feature {
        Some(feature) => super::pipeline::attributed(feature, &text),
        None => text.clone(),
    };
    let diagnostic =
        Diagnostic::operator("ask/unanswered", format!("a person has to answer first: {shown}"))
            .help("call it where somebody can be asked; here nobody can");
    let question = Question { feature, name: None, text, wanted: Wanted::Consent };
    Failure { diagnostics: vec![diagnostic], question: Some(Box::new(question)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn asked(arguments: Value) -> Result<String, Diagnostic> {
        let Value::Object(arguments) = arguments else { panic!("a map") };
        question("t", &arguments)
    }

    #[test]
    fn a_question_leaves_out_no_argument_and_no_end_of_one() {
        let long = "x".repeat(100_000);
        let text =
            asked(json!({ "a": long, "b": format!("rm {long} -rf"), "c": 1 })).expect("a text");
        assert!(text.chars().count() < SHOWN + 100, "{text}");
        for part in
            [r#""a": "xxx"#, " bytes are not shown … ", r#""b": "rm xx"#, r#"x -rf", "c": 1}?"#]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(ends("abcdéfghi", 4), "ab … 6 bytes are not shown … hi");
    }

    #[test]
    fn what_cannot_be_shown_is_not_asked_about() {
        let many: Map<_, _> = (0..200).map(|n| (format!("a{n}"), json!("xxxxxxxx"))).collect();
        let problem = asked(Value::Object(many)).expect_err("it is too much");
        assert_eq!(problem.code, "permission/unshown");
        let name = "n".repeat(5_000);
        assert!(asked(json!({ name: 1 })).is_err());
    }
}
