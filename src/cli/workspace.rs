//! The features of one command: read, planned, installed.
//!
//! A feature that is broken stands beside those that are not; what is wrong with it is kept for the
//! command to show.

use super::exit::is_denial;
use super::output::{Output, count};
use super::place::{self, Places};
use super::policy::{GrantArguments, LimitArguments};
use super::sandbox_process;
use crate::config::Folders;
use crate::config::known::{self, Known};
use crate::config::policy::{Policy, Stale, Subject};
use crate::config::settings::{Isolation, Settings};
use crate::diagnostic::{Diagnostic, Severity};
use crate::feature::catalog::Catalog;
use crate::feature::descriptor::FeatureDescriptor;
use crate::feature::grant::{HostPolicy, grant_command};
use crate::feature::id::FeatureId;
use crate::feature::registry::FeatureRegistryBuilder;
use crate::feature::report::{ContributionName, FeatureInstallReport};
use crate::limit::Limits;
use crate::pod::session::Recovered;
use crate::pod::{Pod, PodOptions};
use crate::script::runtime::{Location, RuntimeError, ScriptFeature, ScriptRuntime};
use crate::script::script::{ReadOutcome, Script};
use crate::script::source::SourceTree;
use crate::store::Durability;
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

/// Features as they were read.
pub(super) struct Workspace {
    /// What reads and runs them.
    pub runtime: ScriptRuntime,
    /// The bounds of calls.
    pub limits: Limits,
    /// When what calls leave has to be on the disk.
    durability: Durability,
    /// Each feature that was looked for, in the order of the command line.
    pub features: Vec<ReadFeature>,
    /// Paths that lead to no feature, or that there is nothing at all.
    pub problems: Vec<Diagnostic>,
}

/// One feature as it was read.
pub(super) struct ReadFeature {
    /// Where it lies.
    pub location: Location,
    /// Everything that reading found.
    pub diagnostics: Vec<Diagnostic>,
    /// The feature, unless it is broken.
    pub feature: Option<Arc<ScriptFeature>>,
    tree: Option<Arc<SourceTree>>,
}

impl ReadFeature {
    fn new(runtime: &ScriptRuntime, location: Location, outcome: ReadOutcome) -> Self {
        let ReadOutcome { script, diagnostics, tree } = outcome;
        let feature = script.map(|script| Arc::new(runtime.feature(script)));
        Self { location, diagnostics, feature, tree }
    }

    /// The path as a person would name it.
    pub fn path(&self) -> String {
        self.location.path.display().to_string()
    }

    /// The script, unless it is broken.
    pub fn script(&self) -> Option<&Script> {
        self.feature.as_ref().map(|feature| feature.script())
    }

    /// The text that a diagnostic's labels point into.
    pub fn text_of(&self, problem: &Diagnostic) -> Option<Arc<str>> {
        self.tree.as_ref()?.text_of(problem.file.as_deref()?)
    }

    /// Its id, unless it is broken.
    pub fn id(&self) -> Option<&FeatureId> {
        Some(&self.script()?.descriptor.id)
    }

    /// The errors that stand in its way.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|problem| problem.is_error())
    }

    /// Whether an error stands in its way.
    pub fn is_broken(&self) -> bool {
        self.feature.is_none()
    }
}

impl Workspace {
    /// Reads the features at `paths`, or without paths those of the project and of the user.
    ///
    /// # Errors
    ///
    /// A limit that cannot be chosen, or a program that cannot bound memory.
    pub fn read(paths: &[PathBuf], limits: &LimitArguments) -> Result<Self, Box<Diagnostic>> {
        Self::read_isolated(paths, limits, Some(Isolation::Thread))
    }

    /// As [`Self::read`], for calls that run where the user wants them; the settings say where, if
    /// `isolation` does not.
    ///
    /// # Errors
    ///
    /// As well where a process for calls cannot be started.
    pub fn read_isolated(
        paths: &[PathBuf],
        limits: &LimitArguments,
        isolation: Option<Isolation>,
    ) -> Result<Self, Box<Diagnostic>> {
        let settings = match Folders::of_user() {
            Some(folders) => Settings::load(&folders.config).map_err(|error| error.diagnostic())?,
            None => Settings::default(),
        };
        let limits = limits.limits(settings.limits)?;
        let isolation = isolation.unwrap_or(settings.isolation);
        let runtime = ScriptRuntime::new(&limits)
            .and_then(|runtime| sandbox_process::isolated(runtime, isolation))
            .map_err(no_runtime)?;
        let Places { locations, problems, .. } = place::find(paths);
        let outcomes = runtime.read(&locations);
        let features = locations
            .into_iter()
            .zip(outcomes)
            .map(|(location, outcome)| ReadFeature::new(&runtime, location, outcome))
            .collect();
        Ok(Self { runtime, limits, durability: settings.durability, features, problems })
    }

    /// Refuses to go on with nothing at all: the first path that leads nowhere, or a hint where to
    /// put features.
    ///
    /// # Errors
    ///
    /// There is no feature, not even a broken one.
    pub fn require_some(&self) -> Result<(), Box<Diagnostic>> {
        match self.problems.iter().find(|problem| problem.is_error()) {
            Some(problem) if self.features.is_empty() => Err(problem.clone().into()),
            _ => Ok(()),
        }
    }

    /// Installs what can be installed, under the grants of this command. Grants that nobody asked for
    /// are told, and give nothing.
    ///
    /// # Errors
    ///
    /// A grant that cannot be understood.
    pub fn install(
        &self,
        grants: &GrantArguments,
        output: &mut Output,
    ) -> Result<Catalog, Box<Diagnostic>> {
        let descriptors: Vec<&FeatureDescriptor> = self.descriptors().collect();
        let policy = self.policy(output)?;
        let (policy, unasked) = grants.policy(policy, &descriptors)?;
        for warning in &unasked {
            output.tell_picture(warning, None);
        }
        let mut builder = FeatureRegistryBuilder::new(policy).limits(self.limits.clone());
        for feature in self.features.iter().filter_map(|read| read.feature.clone()) {
            builder = builder.shared_module(feature);
        }
        Ok(builder.plan().install().0)
    }

    /// The features as policy knows them.
    pub fn subjects(&self) -> Vec<Subject> {
        let subject = |read: &ReadFeature| {
            let script = read.script()?;
            Some(Subject {
                id: script.descriptor.id.clone(),
                root: read.location.root(),
                digest: script.tree.digest.clone(),
            })
        };
        self.features.iter().filter_map(subject).collect()
    }

    /// What the user has written down for these features. Where they lie is remembered, so that a
    /// person can name them.
    fn policy(&self, output: &mut Output) -> Result<HostPolicy, Box<Diagnostic>> {
        let Some(folders) = Folders::of_user() else { return Ok(HostPolicy::new()) };
        let subjects = self.subjects();
        self.meet(&folders, &subjects);
        let policy = Policy::load(&folders.config).map_err(|error| error.diagnostic())?;
        let (policy, stale) = policy.host_policy(&subjects);
        for Stale { id, capability } in stale {
            let text = format!("`{capability}` was granted to `{id}` before it was changed");
            let problem = Diagnostic::warning("grant/stale", text).help(format!(
                "read what it does now, then grant it anew with `{}`",
                grant_command(&id, &capability)
            ));
            output.tell_picture(&problem, None);
        }
        Ok(policy)
    }

    fn meet(&self, folders: &Folders, subjects: &[Subject]) {
        let met = self.features.iter().filter_map(|read| {
            let id = read.id()?;
            let root = &subjects.iter().find(|subject| subject.id == *id)?.root;
            let path = read.location.path.canonicalize().ok()?;
            Some(Known { id: id.clone(), root: root.clone(), path })
        });
        known::meet(&folders.state, &met.collect::<Vec<_>>());
    }

    /// The host of this command's calls: its log is the user's, and says what was left open.
    ///
    /// # Errors
    ///
    /// There is no folder for what lasts, or the log in it cannot be written.
    pub fn open_pod(&self, catalog: Catalog, output: &mut Output) -> Result<Pod, Box<Diagnostic>> {
        let folders = folders()?;
        let workspace = std::env::current_dir().ok().and_then(|folder| folder.canonicalize().ok());
        let options = PodOptions {
            state: folders.state,
            session: SESSION.to_owned(),
            durability: self.durability,
            workspace,
        };
        let features = self.features.iter().filter_map(|read| {
            let script = read.script()?;
            let about = (read.location.root(), script.tree.digest.clone());
            Some((script.descriptor.id.clone(), about))
        });
        let pod = Pod::open(&options, Arc::new(catalog), features.collect())
            .map_err(|error| error.diagnostic())?;
        let Recovered { completed, void, open } = pod.recovered();
        if !completed.is_empty() || !void.is_empty() {
            output.tell(format_args!(
                "a process ended in the middle of its calls: {} of them completed, {} void",
                completed.len(),
                void.len()
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

    /// What the features that can be read declare.
    pub fn descriptors(&self) -> impl Iterator<Item = &FeatureDescriptor> {
        self.features.iter().filter_map(|read| Some(&*read.script()?.descriptor))
    }

    /// The feature of that id; the first where several claim it, and none of them runs.
    pub fn feature(&self, id: &FeatureId) -> Option<&ReadFeature> {
        self.features.iter().find(|read| read.id() == Some(id))
    }

    /// What became of a feature. Features that claim one id have a report each, and the same.
    pub fn report_of<'a>(
        &self,
        read: &ReadFeature,
        catalog: &'a Catalog,
    ) -> Option<&'a FeatureInstallReport> {
        let id = read.id()?;
        let same = self.features.iter().filter(|other| other.id() == Some(id));
        let index = same.take_while(|other| !std::ptr::eq(*other, read)).count();
        catalog.reports().iter().filter(|report| report.feature == *id).nth(index)
    }

    /// Tells of paths that lead nowhere.
    pub fn tell_problems(&self, output: &mut Output) {
        for problem in &self.problems {
            output.tell_picture(problem, None);
        }
    }

    /// Tells of what is broken, so that the rest can go on: paths that lead nowhere, and each broken
    /// feature with its errors.
    pub fn tell_broken(&self, output: &mut Output) {
        self.tell_problems(output);
        for read in self.features.iter().filter(|read| read.is_broken()) {
            for problem in read.errors() {
                output.tell_picture(problem, read.text_of(problem).as_deref());
            }
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
