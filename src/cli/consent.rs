//! Asking the person at the terminal for what a feature lacks.
//!
//! Where there is no terminal nobody is asked, and the message has the command that allows it.

use super::grant::apply;
use super::output::{BOLD, DIM, GOOD, Output, first_line, paint, safe};
use super::{GrantArguments, usage};
use crate::config::policy::Change;
use crate::diagnostic::{Diagnostic, shell_word};
use crate::feature::capability::Capability;
use crate::feature::descriptor::{CapabilityRequest, FeatureDescriptor};
use crate::feature::grant::{command_name, revoke_all_command, trust_command};
use crate::feature::id::FeatureSource;
use crate::workspace::Workspace;
use std::io::{self, BufRead, IsTerminal, Write};

/// What would end a denial.
enum Remedy<'a> {
    /// These requests are granted.
    Grant(Vec<&'a Capability>),
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
    let changes = match &remedy {
        Remedy::Grant(capabilities) => {
            let is_meant =
                |request: &&CapabilityRequest| capabilities.contains(&&request.capability);
            for request in feature.requests.iter().filter(is_meant) {
                let reason = first_line(&request.reason);
                let capability = safe(&request.capability.to_string());
                output.tell(format_args!("  {}  {reason}", paint(BOLD, capability)));
            }
            let grant =
                |capability: &&Capability| Change::Grant(subject.clone(), (*capability).clone());
            capabilities.iter().map(grant).collect()
        }
        Remedy::Trust => {
            let root = subject.root;
            output.tell(format_args!(
                "  {}  its features get what your own get: hooks, store, emit, notify:user",
                paint(BOLD, first_line(&root.display().to_string()))
            ));
            vec![Change::Trust(root, true)]
        }
    };
    match answer(output)? {
        Answer::No => Ok(false),
        Answer::Once => {
            match remedy {
                Remedy::Grant(capabilities) => {
                    let grant = |capability: &&Capability| format!("{id}={capability}");
                    grants.grants.extend(capabilities.iter().map(grant));
                }
                Remedy::Trust => grants.trust = true,
            }
            Ok(true)
        }
        Answer::Always => {
            apply(&changes)?;
            let undo = match remedy {
                Remedy::Grant(capabilities) => revoke_all_command(id, &capabilities),
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
    let commands = || problem.help.iter().flat_map(|help| help.split('`').skip(1).step_by(2));
    let id = &feature.id;
    let is_project = *id.source() == FeatureSource::Project;
    if is_project && commands().any(|command| command == trust_command(id)) {
        return Some(Remedy::Trust);
    }
    commands().find_map(|command| granted_by(feature, command)).map(Remedy::Grant)
}

/// The requests that a command grants, where it grants requests and nothing else. What leaves its scope open
/// is for the person to say in words of their own.
fn granted_by<'a>(feature: &'a FeatureDescriptor, command: &str) -> Option<Vec<&'a Capability>> {
    let mut rest = command.strip_prefix(&format!("peasy grant {}", command_name(&feature.id)))?;
    let mut granted = Vec::new();
    // They stand there in the order of the requests.
    for capability in feature.requests.iter().map(|request| &request.capability) {
        let word = format!(" {}", shell_word(&capability.to_string()));
        let behind = rest.strip_prefix(&word).filter(|behind| {
            !capability.is_open() && (behind.is_empty() || behind.starts_with(' '))
        });
        if let Some(behind) = behind {
            rest = behind;
            granted.push(capability);
        }
    }
    (rest.is_empty() && !granted.is_empty()).then_some(granted)
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
