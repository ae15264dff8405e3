//! `peasy enable` and `peasy disable`: features switched on and off, without taking back their grants.

use super::Exit;
use super::grant::apply;
use super::output::{BOLD, GOOD, Output, paint};
use super::subject;
use crate::config::policy::Change;
use crate::diagnostic::Diagnostic;
use clap::Args;

/// Which feature is switched.
#[derive(Debug, Args)]
pub struct SwitchCommand {
    /// The feature: its file, its name or its id.
    feature: String,
}

/// Switches a feature on or off.
///
/// # Errors
///
/// There is no such feature, or the policy cannot be written.
pub fn run(
    arguments: &SwitchCommand,
    enable: bool,
    output: &mut Output,
) -> Result<Exit, Box<Diagnostic>> {
    let found = subject::find(&arguments.feature)?;
    let id = paint(BOLD, &found.subject.id);
    let changed = apply(&[Change::Enable(found.subject, enable)])? > 0;
    let state = if enable { "enabled" } else { "disabled" };
    let already = if changed { "" } else { " already" };
    output.say(format_args!("{} {id} is {state}{already}", paint(GOOD, "✓")));
    Ok(Exit::Done)
}
