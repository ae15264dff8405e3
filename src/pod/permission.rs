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

/// Most characters of arguments that a question shows.
const SHOWN: usize = 300;

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
            (_, None) => Err(unanswered(None, question(name, arguments))),
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

/// What a person is asked where the rules leave a call to one.
pub(super) fn question(tool: &str, arguments: &Map<String, Value>) -> String {
    let given = Value::Object(arguments.clone()).to_string();
    let mut shown: String = given.chars().take(SHOWN).collect();
    if shown.len() < given.len() {
        shown.push('…');
    }
    format!("May `{tool}` run with {shown}?")
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
