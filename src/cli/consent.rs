//! Asking the person at the terminal for what a feature lacks.
//!
//! Where there is no terminal nobody is asked, and the message has the command that allows it.

use super::grant::apply;
use super::output::{BOLD, DIM, GOOD, Output, first_line, paint, safe};
use super::{GrantArguments, usage};
use crate::config::policy::Change;
use crate::diagnostic::Diagnostic;
use crate::feature::capability::Capability;
use crate::feature::descriptor::FeatureDescriptor;
use crate::feature::grant::{grant_command, revoke_command, trust_command};
use crate::feature::id::FeatureSource;
use crate::workspace::Workspace;
use std::io::{self, BufRead, IsTerminal, Write};

/// What would end a denial.
enum Remedy<'a> {
    /// A request is granted.
    Grant(&'a Capability),
    /// The project is trusted.
    Trust,
}

/// What the person says.
enum Answer {
    /// For this command.
    Once,
    /// From now on.
    Always,
    No,
}

/// Asks for what `problem` says that a feature lacks, and adds to `grants` what is allowed for this
/// command. Whether to try again.
///
/// # Errors
///
/// What was allowed cannot be written down.
pub(super) fn ask(
    workspace: &Workspace,
    feature: &FeatureDescriptor,
    problem: &Diagnostic,
    grants: &mut GrantArguments,
    output: &mut Output,
) -> Result<bool, Box<Diagnostic>> {
    let Some(remedy) = remedy(feature, problem) else { return Ok(false) };
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(false);
    }
    let id = &feature.id;
    let subject = workspace.subjects().find(|subject| subject.id == *id).cloned();
    let Some(subject) = subject else { return Ok(false) };
    output.tell(safe(&problem.message));
    let change = match &remedy {
        Remedy::Grant(capability) => {
            let asked = feature.requests.iter().find(|request| request.capability == **capability);
            if let Some(request) = asked {
                let reason = first_line(&request.reason);
                let capability = safe(&capability.to_string());
                output.tell(format_args!("  {}  {reason}", paint(BOLD, capability)));
            }
            Change::Grant(subject, (*capability).clone())
        }
        Remedy::Trust => {
            let root = subject.root;
            output.tell(format_args!(
                "  {}  its features get what your own get: hooks, store, emit, notify:user",
                paint(BOLD, first_line(&root.display().to_string()))
            ));
            Change::Trust(root, true)
        }
    };
    match answer(output)? {
        Answer::No => Ok(false),
        Answer::Once => {
            match remedy {
                Remedy::Grant(capability) => grants.grants.push(format!("{id}={capability}")),
                Remedy::Trust => grants.trust = true,
            }
            Ok(true)
        }
        Answer::Always => {
            apply(&[change])?;
            let undo = match remedy {
                Remedy::Grant(capability) => revoke_command(id, capability),
                Remedy::Trust => format!("{} --undo", trust_command(id)),
            };
            output
                .tell(format_args!("{} from now on; take it back with `{undo}`", paint(GOOD, "✓")));
            Ok(true)
        }
    }
}

/// What would end the denial: what the command in its help would do.
fn remedy<'a>(feature: &'a FeatureDescriptor, problem: &Diagnostic) -> Option<Remedy<'a>> {
    let says =
        |command: &str| problem.help.iter().any(|help| help.contains(&format!("`{command}`")));
    let id = &feature.id;
    let is_project = *id.source() == FeatureSource::Project;
    if is_project && says(&trust_command(id)) {
        return Some(Remedy::Trust);
    }
    let mut capabilities = feature.requests.iter().map(|request| &request.capability);
    // What leaves its scope open is for the person to say in words of their own.
    let is_asked =
        |capability: &&Capability| !capability.is_open() && says(&grant_command(id, capability));
    let asked = capabilities.find(is_asked);
    asked.map(Remedy::Grant)
}

fn answer(output: &mut Output) -> Result<Answer, Box<Diagnostic>> {
    let lost = |reason: io::Error| usage(format!("the terminal cannot be read: {reason}"));
    loop {
        let mut terminal = output.stderr();
        let choices = paint(DIM, "[o]nce, [a]lways, [N]o");
        write!(terminal, "Allow it? {choices} ").and_then(|()| terminal.flush()).map_err(lost)?;
        let mut line = String::new();
        if io::stdin().lock().read_line(&mut line).map_err(lost)? == 0 {
            output.tell("");
            return Ok(Answer::No);
        }
        match line.trim().to_lowercase().as_str() {
            "o" | "once" | "y" | "yes" => return Ok(Answer::Once),
            "a" | "always" => return Ok(Answer::Always),
            "" | "n" | "no" => return Ok(Answer::No),
            _ => {}
        }
    }
}
