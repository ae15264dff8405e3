//! The features of one user in one place: found, read and planned, each on its own.
//!
//! A feature that is broken stands beside those that are not; what is wrong with it is kept for
//! whoever shows it. Nothing here prints.

mod lost;
pub mod place;
#[cfg(feature = "reload")]
pub mod reload;
pub mod replay;
mod shelf;
#[cfg(feature = "reload")]
mod watch;

use crate::config::Folders;
use crate::config::known::{self, Known};
use crate::config::permission;
use crate::config::policy::{Policy, PolicyError, Stale, Subject};
use crate::diagnostic::Diagnostic;
use crate::feature::catalog::Catalog;
use crate::feature::descriptor::FeatureDescriptor;
use crate::feature::grant::{HostPolicy, grant_all_command};
use crate::feature::hook::HookPoint;
use crate::feature::id::{FeatureId, FeatureSource};
use crate::feature::permission::Permissions;
use crate::feature::registry::{FeatureModule, FeatureRegistryBuilder};
use crate::feature::report::FeatureInstallReport;
use crate::limit::Limits;
use crate::pod;
use crate::script::runtime::{Location, ScriptFeature, ScriptRuntime, Surroundings};
use crate::script::script::{ReadOutcome, Script};
use crate::script::source::SourceTree;
use place::Places;
use shelf::Shelf;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How far the clock of a file may be behind.
const TICK: Duration = Duration::from_millis(20);

/// Features as they were read.
pub struct Workspace {
    /// What reads and runs them.
    pub runtime: ScriptRuntime,
    /// The bounds of calls.
    pub limits: Limits,
    /// Each feature that was looked for, in the order of the paths.
    pub features: Vec<Arc<ReadFeature>>,
    /// Those that can be read, as policy knows them, and their files without links.
    subjects: Vec<(Subject, PathBuf)>,
    /// Folders in which features were looked for.
    #[cfg_attr(not(feature = "reload"), allow(dead_code))]
    folders: Vec<PathBuf>,
    /// Features that lie in no file, beside those.
    pub companions: Option<Arc<dyn Companions>>,
    /// Paths that lead to no feature, or that there is nothing at all.
    pub problems: Vec<Diagnostic>,
    /// Where what features say outside of calls goes; a pod that runs them takes it over.
    pub bus: pod::Bus,
    /// What was written at this moment or later may not be what was read. A little is taken off, for
    /// the clocks of files tick slowly.
    #[cfg_attr(not(feature = "reload"), allow(dead_code))]
    read_at: SystemTime,
}

/// Whoever brings features that lie in no file, such as those of other servers. What there is may be
/// another from one look to the next.
pub trait Companions: Send + Sync {
    /// The features that there are now.
    fn now(&self) -> Vec<Companion>;
}

/// A feature that lies in no file.
pub struct Companion {
    /// Which feature.
    pub id: FeatureId,
    /// The feature.
    pub module: Arc<dyn FeatureModule>,
    /// The folder that it belongs to.
    pub root: PathBuf,
    /// The digest of what it is made from.
    pub digest: String,
    /// The bounds of its calls, as the user chose them for it alone.
    pub limits: Limits,
}

/// One feature as it was read.
pub struct ReadFeature {
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

    /// Whether a feature that is broken would perhaps have a hook at a point: its text speaks of one, or
    /// cannot be read at all.
    pub fn may_hook(&self, point: HookPoint) -> bool {
        self.tree.as_ref().is_none_or(|tree| {
            let text = &tree.main.text;
            text.contains("@hook") && text.contains(point.name())
        })
    }

    /// Whether its text declares a function of that name.
    pub fn speaks_of(&self, function: &str) -> bool {
        self.tree.as_ref().is_some_and(|tree| tree.main.head_of(function).is_some())
    }

    /// Whether an error stands in its way.
    pub fn is_broken(&self) -> bool {
        self.feature.is_none()
    }
}

impl Workspace {
    /// Reads the features at `paths`, or without paths those of the project and of the user.
    pub fn read(paths: &[PathBuf], runtime: ScriptRuntime, limits: Limits) -> Self {
        Self::read_kept(paths, runtime, limits, |features, limits| {
            (features >= shelf::FEWEST).then(|| Shelf::of(paths, limits)).flatten()
        })
    }

    /// As [`Self::read`], for a process that asks hooks once and ends: without what is built in, which
    /// has none, and it has parsed nothing yet, so that a single feature is looked up more quickly.
    pub fn read_for_once(paths: &[PathBuf], runtime: ScriptRuntime, limits: Limits) -> Self {
        let mut places = place::find(paths);
        places.locations.retain(|location| location.source != FeatureSource::Builtin);
        Self::read_places(places, runtime, limits, |features, limits| {
            (features > 0).then(|| Shelf::of(paths, limits)).flatten()
        })
    }

    /// As [`Self::read`], with what `shelf` gives for so many features.
    fn read_kept(
        paths: &[PathBuf],
        runtime: ScriptRuntime,
        limits: Limits,
        shelf: impl FnOnce(usize, &Limits) -> Option<Shelf>,
    ) -> Self {
        Self::read_places(place::find(paths), runtime, limits, shelf)
    }

    fn read_places(
        places: Places,
        runtime: ScriptRuntime,
        limits: Limits,
        shelf: impl FnOnce(usize, &Limits) -> Option<Shelf>,
    ) -> Self {
        let read_at = SystemTime::now() - TICK;
        let Places { locations, problems, folders, mut around, .. } = places;
        let outcomes = match shelf(locations.len(), &limits) {
            Some(shelf) => {
                let mut cache = shelf.load();
                let outcomes = runtime.read_with(&locations, &mut cache);
                shelf.save(&cache);
                outcomes
            }
            None => runtime.read(&locations),
        };
        let features: Vec<_> = locations
            .into_iter()
            .zip(outcomes)
            .map(|(location, outcome)| Arc::new(ReadFeature::new(&runtime, location, outcome)))
            .collect();
        let subjects = subjects(&features, &mut around);
        let bus = pod::Bus::default();
        let companions = None;
        Self { runtime, limits, features, subjects, folders, companions, problems, bus, read_at }
    }

    /// Leaves aside what is built in, where a command is about what people write.
    pub fn leave_out_built_ins(&mut self) {
        self.features.retain(|read| read.location.source != FeatureSource::Builtin);
        self.subjects.retain(|(subject, _)| *subject.id.source() != FeatureSource::Builtin);
        if self.features.is_empty() && self.problems.is_empty() {
            self.problems.push(place::nothing_found());
        }
    }

    /// Leaves out the features that are not wanted. Those that cannot be read stay.
    pub fn keep(&mut self, is_wanted: impl Fn(&FeatureDescriptor) -> bool) {
        let mut subjects = std::mem::take(&mut self.subjects).into_iter();
        self.features.retain(|read| {
            let Some(script) = read.script() else { return true };
            // One for each that can be read, in their order.
            let subject = subjects.next();
            let is_kept = is_wanted(&script.descriptor);
            self.subjects.extend(subject.filter(|_| is_kept));
            is_kept
        });
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

    /// What the user has written down for these features, and a warning for each grant that does not
    /// hold any more. Where the features lie is remembered, so that a person can name them.
    ///
    /// # Errors
    ///
    /// The policy cannot be read or understood.
    pub fn policy(&self, folders: &Folders) -> Result<(HostPolicy, Vec<Diagnostic>), PolicyError> {
        self.meet(folders);
        let others = self.others();
        let all = self.subjects().chain(&others);
        let (policy, stale) = Policy::load(&folders.config)?.host_policy(all);
        let is_asked_for = |stale: &Stale| {
            let asked = self.descriptors().filter(|one| one.id == stale.id);
            let mut requests = asked.flat_map(|one| &one.requests);
            requests.any(|request| stale.capability.narrow(&request.capability).is_some())
        };
        let stale = Stale::by_feature(stale.into_iter().filter(is_asked_for));
        let warnings = stale.into_iter().map(|(id, capabilities)| {
            let command = grant_all_command(&id, &capabilities.iter().collect::<Vec<_>>());
            let text = Stale::sentence(&id, &capabilities);
            let help = format!("read what it does now, then grant it anew with `{command}`");
            Diagnostic::warning("grant/stale", text).help(help)
        });
        Ok((policy, warnings.collect()))
    }

    /// The rules that calls are held against: those of the user's policy, and those of the projects that
    /// this folder and the project's features belong to, with a warning for each that counts for nothing.
    ///
    /// # Errors
    ///
    /// The rules of one cannot be read or understood: it is not known what they hold back.
    pub fn permissions(
        &self,
        folders: Option<&Folders>,
    ) -> Result<(Permissions, Vec<Diagnostic>), Diagnostic> {
        let user = match folders {
            None => Vec::new(),
            Some(folders) => {
                let policy = Policy::load(&folders.config).map_err(|error| error.diagnostic())?;
                policy.permissions().to_vec()
            }
        };
        let mut roots: BTreeSet<PathBuf> = place::project_root().into_iter().collect();
        let of_projects =
            self.features.iter().filter(|read| read.location.source == FeatureSource::Project);
        roots.extend(of_projects.map(|read| read.location.root()));
        let (mut project, mut warnings) = (Vec::new(), Vec::new());
        for root in roots {
            let (rules, lax) = permission::of_project(&root).map_err(|error| error.diagnostic())?;
            project.extend(rules);
            warnings.extend(lax);
        }
        Ok((Permissions { user, project }, warnings))
    }

    fn meet(&self, folders: &Folders) {
        let met = self.subjects.iter().map(|(subject, path)| {
            let Subject { id, root, .. } = subject.clone();
            Known { id, root, path: path.clone() }
        });
        known::meet(&folders.state, &met.collect::<Vec<_>>());
    }

    /// Installs what can be installed under a policy. Calls are counted on where the catalog that
    /// stood `before` counts them. Where a guard is broken or was refused, the catalog knows that it is missing.
    pub fn install(&self, policy: HostPolicy, before: Option<&Catalog>) -> Catalog {
        let mut builder = FeatureRegistryBuilder::new(policy.clone())
            .limits(self.limits.clone())
            .sink(self.bus.sink());
        if let Some(before) = before {
            builder = builder.in_flight(before.in_flight().clone());
        }
        for feature in self.features.iter().filter_map(|read| read.feature.clone()) {
            builder = builder.shared_module(feature);
        }
        for Companion { id, module, limits, .. } in self.companions_now() {
            builder = builder.shared_module(module).limits_of(id, limits);
        }
        let catalog = builder.plan().into_catalog();
        let lost = self.lost(&policy, &catalog);
        catalog.with_lost(lost)
    }

    fn companions_now(&self) -> Vec<Companion> {
        self.companions.as_ref().map_or_else(Vec::new, |companions| companions.now())
    }

    /// The features that lie in no file, as policy knows them.
    fn others(&self) -> Vec<Subject> {
        let subject = |Companion { id, root, digest, .. }| Subject { id, root, digest };
        self.companions_now().into_iter().map(subject).collect()
    }

    /// The features that can be read, as policy knows them.
    pub fn subjects(&self) -> impl Iterator<Item = &Subject> {
        self.subjects.iter().map(|(subject, _)| subject)
    }

    /// The features as the log knows them.
    pub fn on_record(&self) -> pod::Features {
        let on_record = |read: &Arc<ReadFeature>| {
            let tree = Arc::clone(&read.script()?.tree);
            Some(move || serde_json::to_value(tree.pinned()).unwrap_or_default())
        };
        let mut features: pod::Features = self
            .subjects()
            .cloned()
            .chain(self.others())
            .map(|Subject { id, root, digest }| (id, pod::OnRecord { root, digest, source: None }))
            .collect();
        for read in &self.features {
            let known = read.id().and_then(|id| features.get_mut(id));
            if let Some((known, source)) = known.zip(on_record(read)) {
                known.source = Some(Arc::new(source));
            }
        }
        features
    }

    /// What the features that can be read declare.
    pub fn descriptors(&self) -> impl Iterator<Item = &FeatureDescriptor> {
        self.features.iter().filter_map(|read| Some(&*read.script()?.descriptor))
    }

    /// The feature of that id; the first where several claim it, and none of them runs.
    pub fn feature(&self, id: &FeatureId) -> Option<&ReadFeature> {
        self.features.iter().map(Arc::as_ref).find(|read| read.id() == Some(id))
    }

    /// What became of a feature. Features that claim one id have a report each, and the same.
    pub fn report_of<'a>(
        &self,
        read: &ReadFeature,
        catalog: &'a Catalog,
    ) -> Option<&'a FeatureInstallReport> {
        let id = read.id()?;
        let same = self.features.iter().filter(|other| other.id() == Some(id));
        let index = same.take_while(|other| !std::ptr::eq(&***other, read)).count();
        catalog.reports().iter().filter(|report| report.feature == *id).nth(index)
    }
}

fn subjects(features: &[Arc<ReadFeature>], around: &mut Surroundings) -> Vec<(Subject, PathBuf)> {
    let subject = |read: &Arc<ReadFeature>| {
        let script = read.script()?;
        let path = &read.location.path;
        let subject = Subject {
            id: script.descriptor.id.clone(),
            root: around.root(&read.location),
            digest: script.tree.digest.clone(),
        };
        Some((subject, around.real(path).unwrap_or_else(|| path.clone())))
    };
    features.iter().filter_map(subject).collect()
}
