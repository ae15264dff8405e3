//! `peasy grant` and `peasy revoke`: what a feature may do, written down in the user's policy.

use super::output::{BOLD, GOOD, Output, paint};
use super::policy::split;
use super::subject::{self, Found};
use super::workspace::folders;
use super::{Exit, usage};
use crate::config::policy::{self, Change, Policy, change};
use crate::diagnostic::Diagnostic;
use crate::feature::capability::Capability;
use crate::feature::grant::grant_all_command;
use crate::feature::id::FeatureSource;
use clap::Args;

/// Lets a feature do what it asks for.
#[derive(Debug, Args)]
#[command(after_help = "\
A grant is for one feature in one place. What reaches the outside world (exec, fs:write, http, secret)
is granted to a project's feature for the text that it has now; after an edit it is granted anew.

Examples:
  peasy grant weather http=api.example.com
  peasy grant ./deploy.rhai exec=git fs:read=src/**
  peasy grant weather                                what it asks for, and what it has")]
pub struct GrantCommand {
    /// The feature: its file, its name or its id.
    feature: String,
    /// What it may do; without any, what it asks for is shown.
    capabilities: Vec<String>,
}

/// Takes back what a feature was granted.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  peasy revoke weather http=api.example.com
  peasy revoke weather                         everything")]
pub struct RevokeCommand {
    /// The feature: its file, its name or its id.
    feature: String,
    /// What it may no longer do; without any, everything.
    capabilities: Vec<String>,
}

/// Grants.
///
/// # Errors
///
/// There is no such feature or capability, or the policy cannot be written.
pub fn grant(arguments: &GrantCommand, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let found = subject::find(&arguments.feature)?;
    if arguments.capabilities.is_empty() {
        return show(&found, output);
    }
    let capabilities = parse(&arguments.capabilities)?;
    for capability in &capabilities {
        let is_asked = found.requests.iter().any(|wanted| capability.narrow(wanted).is_some());
        if !is_asked && policy::binds(found.subject.id.source(), capability) {
            // It would be for the text that does not ask, and end with the edit that does.
            let id = &found.subject.id;
            let text = format!("`{id}` does not ask for `{capability}`, and would have to");
            return Err(Diagnostic::operator("grant/unasked", text)
                .help(format!("write `//! @request {capability}` into it, then grant it"))
                .into());
        }
        if !is_asked {
            let text = format!(
                "`{}` does not ask for `{capability}`; the grant waits until it does",
                found.subject.id
            );
            output.tell_picture(&Diagnostic::warning("grant/unasked", text), None);
        }
    }
    let changes: Vec<_> = capabilities
        .iter()
        .map(|capability| Change::Grant(found.subject.clone(), capability.clone()))
        .collect();
    apply(&changes)?;
    for capability in capabilities {
        let id = paint(BOLD, &found.subject.id);
        output.say(format_args!("{} {id} may use {capability}", paint(GOOD, "✓")));
    }
    Ok(Exit::Done)
}

fn show(found: &Found, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let policy = Policy::load(&folders()?.config).map_err(|error| error.diagnostic())?;
    let granted: Vec<_> = policy.granted(&found.subject).collect();
    output.say(paint(BOLD, &found.subject.id));
    let is_trusted = match found.subject.id.source() {
        FeatureSource::Project | FeatureSource::Plugin(_) => policy.is_trusted(&found.subject.root),
        FeatureSource::Builtin | FeatureSource::User | FeatureSource::Bridge => true,
    };
    let mut lacking = Vec::new();
    for wanted in &found.requests {
        let parts: Vec<_> = granted.iter().filter(|grant| wanted.covers(grant)).collect();
        if wanted.is_open() && !parts.is_empty() {
            for part in parts {
                output.say(format_args!("  {part}  granted"));
            }
            continue;
        }
        let state = match granted.iter().any(|grant| grant.covers(wanted)) {
            true => "granted",
            false if wanted.is_harmless() && is_trusted => {
                "granted, for it is harmless and the feature is trusted"
            }
            false => {
                lacking.push(wanted);
                "not granted"
            }
        };
        match wanted {
            Capability::Open(open) => output.say(format_args!("  {}  {state}", open.form())),
            _ => output.say(format_args!("  {wanted}  {state}")),
        }
    }
    for grant in granted
        .iter()
        .filter(|grant| !found.requests.iter().any(|wanted| grant.narrow(wanted).is_some()))
    {
        output.say(format_args!("  {grant}  granted, not asked for"));
    }
    if !lacking.is_empty() {
        let command = grant_all_command(&found.subject.id, &lacking);
        let all = if lacking.len() == 1 { "it" } else { "all that it lacks" };
        output.say(format_args!("allow {all} with `{command}`"));
    }
    Ok(Exit::Done)
}

/// Revokes.
///
/// # Errors
///
/// There is no such feature or capability, or the policy cannot be written.
pub fn revoke(arguments: &RevokeCommand, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let found = subject::find(&arguments.feature)?;
    let changes: Vec<_> = match arguments.capabilities.as_slice() {
        [] => vec![Change::Revoke(found.subject.clone(), None)],
        given => parse(given)?
            .into_iter()
            .map(|capability| Change::Revoke(found.subject.clone(), Some(capability)))
            .collect(),
    };
    let changed = apply(&changes)?;
    let id = &found.subject.id;
    if changed == 0 {
        return Err(usage(format!("`{id}` was not granted that"))
            .help(format!("`peasy grant {id}` shows what it has"))
            .into());
    }
    output.say(format_args!("{} taken back from {}", paint(GOOD, "✓"), paint(BOLD, id)));
    Ok(Exit::Done)
}

fn parse(texts: &[String]) -> Result<Vec<Capability>, Box<Diagnostic>> {
    let parse =
        |text: &String| Capability::with_scope(text).map_err(|reason| split(&reason).into());
    texts.iter().map(parse).collect()
}

/// Writes changes into the user's policy, and says how many made a difference.
pub(super) fn apply(changes: &[Change]) -> Result<usize, Box<Diagnostic>> {
    Ok(change(&folders()?.config, changes).map_err(|error| error.diagnostic())?)
}
