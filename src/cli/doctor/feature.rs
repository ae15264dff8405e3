//! The features that commands find from here: which run, and why the others do not.

use super::super::workspace::inactive;
use super::{Finding, Findings, State, hook};
use crate::config::Folders;
use crate::config::policy::{Policy, Stale};
use crate::config::settings::Settings;
use crate::diagnostic::Blame;
use crate::feature::grant::{HostPolicy, grant_all_command};
use crate::script::runtime::ScriptRuntime;
use crate::workspace::{ReadFeature, Workspace};
use std::path::PathBuf;

const AREA: &str = "features";

/// Looks at each.
pub(super) fn look(
    paths: &[PathBuf],
    folders: Option<&Folders>,
    settings: &Settings,
    all: &mut Findings,
) {
    let runtime = match ScriptRuntime::new(&settings.limits) {
        Ok(runtime) => runtime,
        Err(reason) => return all.add(AREA, State::Problem, reason.to_string(), &[]),
    };
    let workspace = Workspace::read(paths, runtime, settings.limits.clone());
    for problem in &workspace.problems {
        let mut problem = problem.clone();
        if paths.is_empty() && problem.code == "cli/no-features" {
            // Nothing was asked for, so nothing is missing.
            problem.severity = crate::diagnostic::Severity::Warning;
        }
        all.tell(AREA, &problem);
    }
    // A policy that cannot be read was told of before, and grants nothing.
    let policy = folders.and_then(|folders| Policy::load(&folders.config).ok());
    let (policy, stale) = match &policy {
        Some(policy) => policy.host_policy(workspace.subjects()),
        None => (HostPolicy::new(), Vec::new()),
    };
    let catalog = workspace.install(policy, None);
    for read in &workspace.features {
        match workspace.report_of(read, &catalog) {
            None => broken(read, all),
            Some(report) => {
                let place = format!("{} ({})", report.feature, read.path());
                let (tools, hooks) = (report.tools.len(), report.hooks.len());
                let has =
                    format!("{}, {}", super::count(tools, "tool"), super::count(hooks, "hook"));
                let problems = inactive(report);
                if problems.is_empty() && report.is_enabled() {
                    all.ok(AREA, format!("{place}: {has}"));
                } else if problems.is_empty() {
                    let help = format!("switch it on with `peasy enable {}`", report.feature);
                    all.add(AREA, State::Warning, format!("{place} is {}", report.state), &[&help]);
                }
                for mut problem in problems {
                    problem.message = format!("{place}: {}", problem.message);
                    all.tell(AREA, &problem);
                }
            }
        }
    }
    for (id, capabilities) in Stale::by_feature(stale) {
        let command = grant_all_command(&id, &capabilities.iter().collect::<Vec<_>>());
        let help = format!("read what it does now, then `{command}`");
        all.add(AREA, State::Warning, Stale::sentence(&id, &capabilities), &[&help]);
    }
    hook::look(&workspace, &catalog, all);
}

fn broken(read: &ReadFeature, all: &mut Findings) {
    let errors: Vec<_> = read.errors().collect();
    let first = errors
        .first()
        .map_or(String::new(), |error| format!(": {} [{}]", error.message, error.code));
    let path = crate::diagnostic::shell_word(&read.path());
    all.push(Finding {
        area: AREA,
        state: State::Problem,
        text: format!("{} is broken{first}", read.path()),
        help: vec![format!("see everything with `peasy check {path}`")],
        // Who must act for a file that cannot be read is not its author.
        blame: errors.first().map_or(Blame::Author, |error| error.blame),
    });
}
