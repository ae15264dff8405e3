//! The features of one command: read, planned and installed as its flags and the user's settings say,
//! with whatever a person should hear of it.

use super::exit::is_denial;
use super::output::{Output, count};
use super::policy::{GrantArguments, LimitArguments};
use super::sandbox_process;
use crate::config::Folders;
use crate::config::settings::{Isolation, Settings};
use crate::diagnostic::{Diagnostic, Severity};
use crate::feature::catalog::Catalog;
use crate::feature::descriptor::FeatureDescriptor;
use crate::feature::grant::HostPolicy;
use crate::feature::report::{ContributionName, FeatureInstallReport};
use crate::limit::Limits;
use crate::pod::session::Recovered;
use crate::pod::{Pod, PodOptions};
use crate::script::runtime::{RuntimeError, ScriptRuntime};
use crate::secret::Secrets;
use crate::workspace::{Workspace, place};
use std::path::PathBuf;
use std::sync::Arc;

/// The session that commands of one user share, unless they name another.
pub(super) const SESSION: &str = "default";

/// The folders of the user.
///
/// # Errors
///
/// The environment names none.
pub(super) fn folders() -> Result<Folders, Box<Diagnostic>> {
    Folders::of_user().ok_or_else(|| {
        Diagnostic::operator("config/no-home", "there is no folder for what has to last")
            .help("set `HOME`, or `PEASY_STATE` to an absolute path")
            .into()
    })
}

/// What the user chose for all commands.
///
/// # Errors
///
/// It cannot be read or understood.
pub(super) fn settings() -> Result<Settings, Box<Diagnostic>> {
    match Folders::of_user() {
        Some(folders) => Ok(Settings::load(&folders.config).map_err(|error| error.diagnostic())?),
        None => Ok(Settings::default()),
    }
}

/// What reads scripts, for a command that needs no features.
///
/// # Errors
///
/// A limit that cannot be chosen, or a program that cannot bound memory.
pub(super) fn runtime(limits: &LimitArguments) -> Result<ScriptRuntime, Box<Diagnostic>> {
    Ok(ScriptRuntime::new(&limits.limits(settings()?.limits)?).map_err(no_runtime)?)
}

/// Reads the features at `paths`, or without paths those of the project and of the user, for a
/// command that calls nothing.
///
/// # Errors
///
/// A limit that cannot be chosen, or a program that cannot bound memory.
pub(super) fn read(
    paths: &[PathBuf],
    limits: &LimitArguments,
) -> Result<Workspace, Box<Diagnostic>> {
    read_to_call(paths, limits, Some(Isolation::Thread))
}

/// As [`read`], for calls that run where the user wants them; the settings say where, if `isolation`
/// does not.
///
/// # Errors
///
/// As well where a process for calls cannot be started.
pub(super) fn read_to_call(
    paths: &[PathBuf],
    limits: &LimitArguments,
    isolation: Option<Isolation>,
) -> Result<Workspace, Box<Diagnostic>> {
    let (runtime, limits) = runtime_for_calls(limits, isolation)?;
    Ok(Workspace::read(paths, runtime, limits))
}

/// As [`read_to_call`], under the settings alone, for a process that answers once and ends.
///
/// # Errors
///
/// As [`read_to_call`].
pub(super) fn read_for_once(paths: &[PathBuf]) -> Result<Workspace, Box<Diagnostic>> {
    let (runtime, limits) = runtime_for_calls(&LimitArguments::default(), None)?;
    Ok(Workspace::read_for_once(paths, runtime, limits))
}

fn runtime_for_calls(
    limits: &LimitArguments,
    isolation: Option<Isolation>,
) -> Result<(ScriptRuntime, Limits), Box<Diagnostic>> {
    let settings = settings()?;
    let limits = limits.limits(settings.limits)?;
    let isolation = isolation.unwrap_or(settings.isolation);
    let runtime = ScriptRuntime::new(&limits)
        .and_then(|runtime| sandbox_process::isolated(runtime, isolation))
        .map_err(no_runtime)?;
    Ok((runtime, limits))
}

/// Installs what can be installed, under the grants of this command. Grants that nobody asked for are
/// told, and give nothing.
///
/// # Errors
///
/// A grant that cannot be understood.
pub(super) fn install(
    workspace: &Workspace,
    grants: &GrantArguments,
    output: &mut Output,
) -> Result<Catalog, Box<Diagnostic>> {
    let (policy, warnings) = match Folders::of_user() {
        Some(folders) => workspace.policy(&folders).map_err(|error| error.diagnostic())?,
        None => (HostPolicy::new(), Vec::new()),
    };
    let descriptors: Vec<&FeatureDescriptor> = workspace.descriptors().collect();
    let (policy, unasked) = grants.policy(policy, &descriptors)?;
    for warning in warnings.iter().chain(&unasked) {
        output.tell_picture(warning, None);
    }
    Ok(workspace.install(policy, None))
}

/// The host of this command's calls: its log is the user's, and says what was left open.
///
/// # Errors
///
/// There is no folder for what lasts, or the log in it cannot be written.
pub(super) fn open_pod(
    workspace: &Workspace,
    catalog: Catalog,
    output: &mut Output,
) -> Result<Pod, Box<Diagnostic>> {
    let secrets = Secrets::new(folders()?.config);
    open_pod_of(workspace, catalog, SESSION, secrets, output)
}

/// As [`open_pod`], with the log of another session. What is read of `secrets` is kept out of it.
///
/// # Errors
///
/// As [`open_pod`].
pub(super) fn open_pod_of(
    workspace: &Workspace,
    catalog: Catalog,
    session: &str,
    secrets: Secrets,
    output: &mut Output,
) -> Result<Pod, Box<Diagnostic>> {
    let folders = folders()?;
    let (permissions, warnings) = workspace.permissions(Some(&folders))?;
    for warning in warnings {
        output.tell_picture(&warning, None);
    }
    let options = PodOptions {
        project: place::project(),
        closed: Folders::all_of_user(),
        secrets: Some(secrets),
        state: folders.state,
        session: session.to_owned(),
        durability: settings()?.durability,
        workspace: std::env::current_dir().ok().and_then(|folder| folder.canonicalize().ok()),
    };
    let pod = Pod::open(&options, Arc::new(catalog), workspace.on_record())
        .map_err(|error| error.diagnostic())?
        .with_bus(workspace.bus.clone());
    pod.set_permissions(permissions);
    let Recovered { completed, void, interrupted, open } = pod.recovered();
    if !completed.is_empty() || !void.is_empty() {
        output.tell(format_args!(
            "a process ended in the middle of its calls: {} of them completed, {} void",
            completed.len(),
            void.len()
        ));
    }
    for call in interrupted {
        output.tell(format_args!(
            "a process ended in the middle of the call {call}, after it let something out into the world; \
             `peasy log show --call {call}` shows it",
        ));
    }
    if !open.is_empty() {
        output.tell(format_args!(
            "{} of a process that ended cannot be brought to an end yet: the store cannot be read",
            count(open.len(), "call")
        ));
    }
    Ok(pod)
}

/// Tells of paths that lead nowhere.
pub(super) fn tell_problems(workspace: &Workspace, output: &mut Output) {
    for problem in &workspace.problems {
        output.tell_picture(problem, None);
    }
}

/// Tells of what is broken, so that the rest can go on: paths that lead nowhere, and each broken
/// feature with its errors.
pub(super) fn tell_broken(workspace: &Workspace, output: &mut Output) {
    tell_problems(workspace, output);
    for read in workspace.features.iter().filter(|read| read.is_broken()) {
        for problem in read.errors() {
            output.tell_picture(problem, read.text_of(problem).as_deref());
        }
    }
}

/// What a report leaves inactive or refused; a guard that does not run comes first. What waits for a
/// grant is a warning: others can live with it, and it is nobody's mistake.
pub(super) fn inactive(report: &FeatureInstallReport) -> Vec<Diagnostic> {
    let mut skipped: Vec<_> = report.skipped.iter().collect();
    skipped.sort_by_key(|skipped| matches!(skipped.contribution, ContributionName::Tool { .. }));
    let lost = skipped.into_iter().map(|skipped| softened(skipped.why.clone()));
    lost.chain(report.diagnostics.iter().cloned()).collect()
}

fn softened(mut problem: Diagnostic) -> Diagnostic {
    if is_denial(&problem) && problem.is_error() {
        problem.severity = Severity::Warning;
    }
    problem
}

fn no_runtime(reason: RuntimeError) -> Diagnostic {
    let text = reason.to_string();
    match reason {
        RuntimeError::NoMeter => Diagnostic::host("host/no-meter", text),
        RuntimeError::NoProcess(_) => Diagnostic::operator("host/no-process", text)
            .help("without `--isolate process` scripts run on threads of this process"),
    }
}
