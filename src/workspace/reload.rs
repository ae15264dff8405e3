//! Keeps the catalog of a pod in step with the files of its features.
//!
//! A save is read, checked, planned and tested, and then takes the place of what stood in one step.
//! One that is broken, or whose tests fail, changes nothing: the last good version goes on. Calls
//! that are under way end on the version that they began with.

#![allow(clippy::disallowed_methods, reason = "looks at the folders that features lie in")]

use super::place::{self, Places};
use super::watch::{Changed, Heard, Wanted, Watch};
use super::{ReadFeature, Workspace};
use crate::config::Folders;
use crate::config::policy::{self, Policy, PolicyError, Stale, Subject};
use crate::diagnostic::Diagnostic;
use crate::feature::catalog::Catalog;
use crate::feature::descriptor::FeatureDescriptor;
use crate::feature::descriptor::Need;
use crate::feature::grant::{HostPolicy, grant_all_command};
use crate::feature::id::FeatureId;
use crate::feature::registry::FeatureRegistryBuilder;
use crate::feature::report::{ContributionName, SkippedContribution};
use crate::pod::Pod;
use crate::script::meter;
use crate::script::runtime::{Location, ScriptFeature, Surroundings};
use crate::script::testing::TestResult;
use std::collections::{BTreeSet, HashMap};
use std::fs::DirEntry;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// How long nothing may change until a save counts as whole, and how long to wait for that at most.
const QUIET: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_millis(60);

/// How long a file may be gone in the middle of being replaced.
const GONE: Duration = Duration::from_millis(250);

/// How long it may be empty: whoever opened it to write has still to do so, however busy the system is.
const EMPTY: Duration = Duration::from_secs(2);

/// How long the tests of one save may take; then it is taken untested, with a warning.
const TESTS: Duration = Duration::from_secs(1);

/// How often to look again at once, where folders come one in the other.
const MOST_LOOKS: usize = 8;

/// What one look at the files came to.
pub struct Reload<'a> {
    /// The features as they stand now.
    pub workspace: &'a Workspace,
    /// The catalog that holds from now on.
    pub catalog: &'a Catalog,
    /// What became of each feature that changed.
    pub changes: Vec<Change>,
    /// What belongs to no feature: paths that lead nowhere, grants that no longer hold, a policy
    /// that cannot be understood.
    pub problems: Vec<Diagnostic>,
    /// From the first that was heard of it to the catalog that holds.
    pub took: Duration,
}

/// What became of one feature.
pub struct Change {
    /// The feature's file.
    pub path: PathBuf,
    /// Which it is, where that is known.
    pub id: Option<FeatureId>,
    /// What happened.
    pub what: What,
}

/// What happened to a feature.
pub enum What {
    /// It is new.
    Added {
        /// Tests that there was no time for.
        untested: usize,
    },
    /// It has another text.
    Changed {
        /// Tests that there was no time for.
        untested: usize,
    },
    /// It is gone.
    Removed,
    /// It cannot be read; what stood before goes on.
    Broken(Vec<Diagnostic>),
    /// Its tests fail; what stood before goes on.
    TestsFailed(Vec<TestResult>),
    /// It asks for more than it was granted, and would lose something for it; what stood before goes on
    /// until it is granted.
    Waits(Diagnostic),
}

/// Who hears of reloads.
pub trait ReloadObserver: Send {
    /// The files were looked at, and something changed. The new catalog holds already.
    fn reloaded(&self, reload: &Reload<'_>);
}

/// What a command adds to the policy of the user.
pub type Adjust = Box<dyn Fn(HostPolicy, &[&FeatureDescriptor]) -> HostPolicy + Send>;

/// Reads features again as their files change.
pub struct Reloader {
    /// The pod whose catalog is kept in step.
    pub pod: Arc<Pod>,
    /// The features as they were read for the catalog that stands.
    pub workspace: Workspace,
    /// The paths they were found at; without any, those of the project and of the user.
    pub paths: Vec<PathBuf>,
    /// Where the user's policy is.
    pub folders: Option<Folders>,
    /// Whether a save goes on with what was granted to the text before it: where the user writes
    /// the features that are watched.
    pub rebinds: bool,
    /// What holds beside the policy.
    pub adjust: Adjust,
    /// Who hears of it.
    pub observer: Box<dyn ReloadObserver>,
}

/// Files that are watched, until this is dropped.
pub struct Reloading {
    stop: Sender<Heard>,
}

impl Reloading {
    /// Lets it look at everything now, whether anything was heard of it or not.
    pub fn look(&self) {
        // One that has stopped looks at nothing any more.
        let _ = self.stop.send(Heard::Changed(Changed::Everything));
    }

    /// Tells it that features that lie in no file are others now.
    pub fn signal(&self) -> impl Fn() + Send + Sync + 'static {
        let heard = self.stop.clone();
        move || {
            // One that has stopped swaps nothing any more.
            let _ = heard.send(Heard::Companions);
        }
    }
}

impl Drop for Reloading {
    fn drop(&mut self) {
        // A thread that is gone has stopped. One that is at work ends by itself: whoever hears of
        // reloads may keep it waiting, and must not keep the program.
        let _ = self.stop.send(Heard::Stop);
    }
}

impl Reloader {
    /// Watches from now on.
    ///
    /// # Errors
    ///
    /// The system gives no means to watch files, or no thread.
    pub fn start(self) -> Result<Reloading, Diagnostic> {
        let (stop, heard) = channel();
        let watch = Watch::new(stop.clone()).map_err(|reason| unwatched(&reason))?;
        // Somebody else's edit from before is not the user's to have made.
        let stale = if self.rebinds { self.stale() } else { Ok(Vec::new()) };
        let stale = stale.map_err(|error| error.diagnostic())?;
        let listening = Listening {
            reloader: self,
            watch,
            gone: Vec::new(),
            stale,
            policy: None,
            unread: Changed::none(),
            untold: Vec::new(),
            is_behind: false,
            has_others: false,
            told: Vec::new(),
        };
        let thread = thread::Builder::new().name("peasy-reload".to_owned());
        let spawned = thread.spawn(move || listening.listen(&heard));
        spawned.map_err(|reason| no_thread(&reason))?;
        Ok(Reloading { stop })
    }

    /// Looks at no files; the catalog is exchanged where features that lie in none are others.
    ///
    /// # Errors
    ///
    /// The system gives no thread.
    pub fn start_unwatched(self) -> Result<Reloading, Diagnostic> {
        let (stop, heard) = channel();
        let thread = thread::Builder::new().name("peasy-reload".to_owned());
        let listening = move || {
            let mut told = Vec::new();
            while let Ok(Heard::Companions | Heard::Changed(_)) = heard.recv() {
                let begun = Instant::now();
                let problems = self.swap().unwrap_or_else(|problem| vec![problem]);
                let new = if problems == told { Vec::new() } else { problems.clone() };
                told = problems;
                self.tell(new, Vec::new(), begun);
            }
        };
        thread.spawn(listening).map_err(|reason| no_thread(&reason))?;
        Ok(Reloading { stop })
    }

    /// The files of each feature.
    fn files(&self) -> Vec<BTreeSet<PathBuf>> {
        let mut around = Surroundings::default();
        self.workspace.features.iter().map(|read| read.files(&mut around)).collect()
    }

    /// What has to be watched: the folders of every file, those in which features are looked for, and
    /// their subfolders; and their names in the folders around them, for they may be exchanged as a
    /// whole.
    fn wanted(&self, files: &[BTreeSet<PathBuf>], looked_in: &[PathBuf]) -> Wanted {
        let mut wanted = Wanted::default();
        for folder in files.iter().flatten().filter_map(|file| file.parent()) {
            if !wanted.folders.contains(folder) {
                wanted.folders.insert(folder.to_owned());
            }
        }
        for folder in looked_in {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            wanted.folders.extend(entries.filter(leads_to_folder).map(|entry| entry.path()));
            wanted.folders.insert(folder.clone());
            wanted.names.insert(folder.clone());
        }
        wanted.names.extend(self.folders.iter().map(|folders| folders.config.join(policy::FILE)));
        wanted
    }

    fn tell(&self, problems: Vec<Diagnostic>, changes: Vec<Change>, begun: Instant) {
        let catalog = self.pod.catalog();
        self.observer.reloaded(&Reload {
            workspace: &self.workspace,
            catalog: &catalog,
            changes,
            problems,
            took: begun.elapsed(),
        });
    }

    /// The grants that do not hold, because the texts that they were given for have changed.
    fn stale(&self) -> Result<Vec<Stale>, PolicyError> {
        let Some(folders) = &self.folders else { return Ok(Vec::new()) };
        Ok(Policy::load(&folders.config)?.host_policy(self.workspace.subjects()).1)
    }

    /// Grants anew, for the texts as they are now, what was granted to those that were saved over.
    fn rebind(&self, stale_before: &[Stale]) -> Result<(), PolicyError> {
        let Some(folders) = &self.folders else { return Ok(()) };
        let of = |id: &FeatureId, root: &Path| {
            let mut subjects = self.workspace.subjects();
            subjects.find(|subject| subject.id == *id && subject.root == root).cloned()
        };
        let stale = self.stale()?.into_iter().filter(|stale| !stale_before.contains(stale));
        let changes: Vec<_> = stale
            .filter_map(|Stale { id, root, capability }| {
                Some(policy::Change::Grant(of(&id, &root)?, capability))
            })
            .collect();
        if !changes.is_empty() {
            policy::change(&folders.config, &changes)?;
        }
        Ok(())
    }

    /// Which of the files were written since the features were read, or a little before; and in which of
    /// the folders something came or went, such as a file that a feature lacks.
    fn saved_since(&self, files: Vec<BTreeSet<PathBuf>>, folders: &BTreeSet<PathBuf>) -> Changed {
        let is_new = |path: &PathBuf| {
            let written = path.metadata().and_then(|about| about.modified());
            written.is_ok_and(|written| written >= self.workspace.read_at)
        };
        let paths = files.into_iter().flatten().chain(folders.iter().cloned());
        Changed::Paths(paths.filter(is_new).collect())
    }

    /// What tells the user's policy from one that was written later.
    fn policy_stamp(&self) -> Option<Stamp> {
        let file = self.folders.as_ref()?.config.join(policy::FILE);
        let about = file.metadata().ok()?;
        Some((about.modified().ok()?, about.len()))
    }

    /// Holds calls against the rules as they stand on disk now. Where those cannot be understood, the
    /// ones that held go on, and the problem is given.
    fn refresh_permissions(&self) -> Vec<Diagnostic> {
        match self.workspace.permissions(self.folders.as_ref()) {
            Ok((permissions, warnings)) => {
                if permissions != *self.pod.permissions() {
                    self.pod.set_permissions(permissions);
                }
                warnings
            }
            Err(problem) => vec![problem],
        }
    }

    /// What keeps a feature that was saved from the place of the one that stands: a tool or a hook of
    /// it would be lost for want of grants. A feature that asks for more goes on as it was until then.
    fn waits(&self, read: &ReadFeature, stands: &Arc<ScriptFeature>) -> Option<Diagnostic> {
        let (script, before) = (read.script()?, &stands.script().descriptor);
        let id = &script.descriptor.id;
        let subject = self.workspace.subjects().find(|subject| subject.id == *id)?;
        // Where saves are the user's own, they go on with what the text before was granted.
        let digest = if self.rebinds { &subject.digest } else { &script.tree.digest };
        let new = Subject { digest: digest.clone(), ..subject.clone() };
        let report = |subject: &Subject, feature: Arc<ScriptFeature>| {
            let policy = Policy::load(&self.folders.as_ref()?.config).ok()?;
            let policy = policy.host_policy([subject]).0;
            let policy = (self.adjust)(policy, &[&feature.script().descriptor]);
            let builder = FeatureRegistryBuilder::new(policy).limits(self.workspace.limits.clone());
            builder.shared_module(feature).plan().reports().next().cloned()
        };
        let after = report(&new, read.feature.clone()?)?;
        let lost = |skipped: &SkippedContribution| match &skipped.contribution {
            ContributionName::Tool { name } => before.tools.iter().any(|tool| tool.name == *name),
            ContributionName::Hook { name, .. } => {
                before.hooks.iter().any(|hook| hook.name == *name)
            }
        };
        let mut lost: Vec<_> = after.skipped.iter().filter(|one| lost(one)).collect();
        if !lost.is_empty() {
            // What the one that stands does not have either is nothing to wait for.
            let had = report(subject, Arc::clone(stands))?;
            lost.retain(|one| {
                !had.skipped.iter().any(|skipped| skipped.contribution == one.contribution)
            });
        }
        let names: Vec<_> = lost.iter().map(|one| one.contribution.to_string()).collect();
        let asked = after.denied.iter().filter(|denial| denial.need == Need::Required);
        let asked: Vec<_> = asked.map(|denial| &denial.capability).collect();
        if names.is_empty() || asked.is_empty() {
            return None;
        }
        let message = format!(
            "`{id}` was saved and waits: {} needs what is not granted to it, so the version before goes on",
            names.join(" and ")
        );
        Some(
            Diagnostic::operator("grant/waits", message)
                .help(format!("read it, then allow it with `{}`", grant_all_command(id, &asked))),
        )
    }

    /// Plans and installs what stands in the workspace, and puts it in the place of the catalog.
    fn swap(&self) -> Result<Vec<Diagnostic>, Diagnostic> {
        let (policy, warnings) = match &self.folders {
            Some(folders) => self.workspace.policy(folders).map_err(|error| error.diagnostic())?,
            None => (HostPolicy::new(), Vec::new()),
        };
        let descriptors: Vec<_> = self.workspace.descriptors().collect();
        let policy = (self.adjust)(policy, &descriptors);
        let catalog = self.workspace.install(policy, Some(&*self.pod.catalog()));
        let swapped = self.pod.swap(Arc::new(catalog), self.workspace.on_record());
        swapped.map_err(|error| error.diagnostic())?;
        Ok(warnings)
    }
}

fn no_thread(reason: &std::io::Error) -> Diagnostic {
    Diagnostic::operator("host/no-thread", format!("no thread could be started: {reason}"))
}

fn unwatched(reason: &notify::Error) -> Diagnostic {
    Diagnostic::operator("reload/unwatched", format!("changes cannot be watched for: {reason}"))
        .help("a save is seen at the next start; on Linux, `fs.inotify.max_user_watches` bounds how many folders may be watched")
}

/// When a file was written, and its length.
type Stamp = (SystemTime, u64);

/// A feature that was not there when it was looked for.
struct Gone {
    read: Arc<ReadFeature>,
    since: Instant,
}

/// Nobody wants to hear of changes any more.
struct Stopped;

struct Listening {
    reloader: Reloader,
    watch: Watch,
    /// Features whose files are missing, perhaps for a moment.
    gone: Vec<Gone>,
    /// Grants that did not hold when this began.
    stale: Vec<Stale>,
    /// The policy that the catalog was planned with.
    policy: Option<Stamp>,
    /// What could not be read because all threads were busy.
    unread: Changed,
    /// Changes that are not in the catalog yet, because it could not be exchanged.
    untold: Vec<Change>,
    /// Whether the catalog is behind the features.
    is_behind: bool,
    /// Whether features that lie in no file are others than those in the catalog.
    has_others: bool,
    /// The problems that were told last.
    told: Vec<Diagnostic>,
}

impl Listening {
    fn listen(mut self, heard: &Receiver<Heard>) {
        let begun = Instant::now();
        let files = self.reloader.files();
        let wanted = self.reloader.wanted(&files, &self.reloader.workspace.folders);
        let errors = self.watch.follow(&wanted, &Changed::none()).errors;
        if !errors.is_empty() {
            self.told = errors.iter().map(unwatched).collect();
            self.reloader.tell(self.told.clone(), Vec::new(), begun);
        }
        // One that was written while the features were read may not be what they were planned with.
        let read_at = self.reloader.workspace.read_at;
        self.policy = self.reloader.policy_stamp().filter(|(written, _)| *written < read_at);
        // What was saved while the features were read and the log was opened was not heard of.
        let mut changed = self.reloader.saved_since(files, &wanted.folders);
        let mut begun = begun;
        loop {
            // What happened in a folder before it was watched was not heard of: it is looked at again.
            for _ in 0..MOST_LOOKS {
                let new = self.look(&changed, begun);
                if new.is_empty() {
                    break;
                }
                changed = Changed::Paths(new);
            }
            meter::give_back();
            // What is not as it should be is looked at again in a while, whatever is heard of it.
            let must_look_again = !self.gone.is_empty() || self.is_behind || !self.unread.is_none();
            let again = must_look_again.then(|| Instant::now() + GONE / 2);
            changed = match self.hear(heard, again) {
                Ok(changed) => changed,
                Err(Stopped) => return,
            };
            begun = Instant::now();
            while !changed.is_none() && begun.elapsed() < PATIENCE {
                match self.hear(heard, Some(Instant::now() + QUIET)) {
                    Ok(more) if more.is_none() => break,
                    Ok(more) => changed = changed.and(more),
                    Err(Stopped) => return,
                }
            }
        }
    }

    /// Waits for a change that concerns the features; none where there is no such until then.
    fn hear(
        &mut self,
        heard: &Receiver<Heard>,
        until: Option<Instant>,
    ) -> Result<Changed, Stopped> {
        loop {
            let heard = match until {
                None => heard.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(until) => heard.recv_timeout(until.saturating_duration_since(Instant::now())),
            };
            match heard {
                Ok(Heard::Changed(changed)) => {
                    let changed = self.watch.concerning(changed);
                    if !changed.is_none() {
                        return Ok(changed);
                    }
                }
                Ok(Heard::Companions) => {
                    self.has_others = true;
                    return Ok(Changed::none());
                }
                Err(RecvTimeoutError::Timeout) => return Ok(Changed::none()),
                Ok(Heard::Stop) | Err(RecvTimeoutError::Disconnected) => return Err(Stopped),
            }
        }
    }

    /// Looks at the files, and swaps the catalog where something changed. The folders that are watched
    /// from now on.
    fn look(&mut self, changed: &Changed, begun: Instant) -> BTreeSet<PathBuf> {
        let Places { locations, folders, mut around, .. } = place::find(&self.reloader.paths);
        let changed = &std::mem::replace(&mut self.unread, Changed::none()).and(changed.clone());
        let policy = self.reloader.policy_stamp();
        let is_policy = std::mem::replace(&mut self.policy, policy) != policy;
        let (features, mut changes) = self.read(locations, changed, is_policy);
        let is_new = changes.iter().any(|change| change.what.is_installed());
        let has_others = std::mem::take(&mut self.has_others);
        // A guard that is broken and was never good is missing from now on, or no longer.
        let is_guarded_otherwise = {
            let lost = |features: &[Arc<ReadFeature>]| -> Vec<_> {
                let each = features.iter().map(|read| (read.lost_points(), Arc::clone(read)));
                let lost = each.filter(|(points, _)| !points.is_empty());
                lost.map(|(points, read)| (points, read.path(), read.diagnostics.clone())).collect()
            };
            lost(&features) != lost(&self.reloader.workspace.features)
        };
        let must_swap = is_policy || is_new || has_others || is_guarded_otherwise || self.is_behind;
        if is_new {
            self.reloader.workspace.subjects = super::subjects(&features, &mut around);
        }
        self.reloader.workspace.features = features;
        let swapped = if must_swap { self.swap() } else { Ok(Vec::new()) };
        self.is_behind = swapped.is_err();
        let mut problems = swapped.unwrap_or_else(|problem| vec![problem]);
        let mut all = std::mem::take(&mut self.untold);
        all.append(&mut changes);
        // What is not in the catalog is told once it is.
        (self.untold, changes) =
            all.into_iter().partition(|change| self.is_behind && change.what.is_installed());
        problems.extend(self.reloader.refresh_permissions());
        let wanted = self.reloader.wanted(&self.reloader.files(), &folders);
        let followed = self.watch.follow(&wanted, changed);
        problems.extend(followed.errors.iter().map(unwatched));
        let is_told = problems == self.told;
        self.told.clone_from(&problems);
        if !changes.is_empty() || !is_told || is_policy || has_others {
            self.reloader.tell(problems, changes, begun);
        }
        followed.new
    }

    fn swap(&self) -> Result<Vec<Diagnostic>, Diagnostic> {
        if self.reloader.rebinds {
            self.reloader.rebind(&self.stale).map_err(|error| error.diagnostic())?;
        }
        self.reloader.swap()
    }

    /// The features that there are now, and what became of those that changed.
    fn read(
        &mut self,
        locations: Vec<Location>,
        changed: &Changed,
        is_policy: bool,
    ) -> (Vec<Arc<ReadFeature>>, Vec<Change>) {
        let before = &self.reloader.workspace.features;
        let mut touched = self.touched(changed);
        // What was waited for may have come.
        touched.iter_mut().zip(before).for_each(|(touched, read)| {
            *touched |= is_policy && read.diagnostics.iter().any(|one| one.code == "grant/waits");
        });
        let by_path: HashMap<&Path, usize> =
            before.iter().enumerate().map(|(at, read)| (&*read.location.path, at)).collect();
        let place = |location: &Location| {
            let at = *by_path.get(&*location.path)?;
            before.get(at).filter(|read| read.location == *location).map(|_| at)
        };
        let of = |location: &Location| place(location).map(|at| &before[at]);
        let is_gone = |location: &Location| {
            let is_known = |gone: &Gone| gone.read.location == *location;
            self.gone.iter().any(is_known) && is_empty(&location.path)
        };
        let mut changes = Vec::new();
        let mut features = Vec::new();
        let mut fresh = Vec::new();
        let mut unread = Changed::none();
        for location in locations {
            match place(&location) {
                // Emptied, perhaps in the middle of being written.
                Some(at) if touched[at] && is_empty(&location.path) => (),
                Some(_) if is_gone(&location) => (),
                Some(at) if !touched[at] => features.push(Arc::clone(&before[at])),
                _ => fresh.push(location),
            }
        }
        let outcomes = self.reloader.workspace.runtime.read(&fresh);
        for (location, outcome) in fresh.into_iter().zip(outcomes) {
            let before = of(&location).cloned();
            if outcome.diagnostics.iter().any(Diagnostic::is_passing) {
                // Every thread is at a call; the save is looked at again.
                unread = Changed::Everything;
                features.extend(before);
                continue;
            }
            let is_emptied = outcome.tree.as_ref().is_some_and(|tree| tree.main.text.is_empty());
            if before.is_some() && is_emptied {
                // After it was looked at and before it was read.
                continue;
            }
            let read = ReadFeature::new(&self.reloader.workspace.runtime, location, outcome);
            let (read, what) = self.take(read, before.as_deref());
            let read = Arc::new(read);
            changes.extend(what.map(|what| Change::of(&read, what)));
            features.push(read);
        }
        // What is missing goes on for a while: editors write a file by replacing it.
        let mut is_there = vec![false; before.len()];
        let mut new = Vec::new();
        for read in &features {
            match place(&read.location) {
                Some(at) => is_there[at] = true,
                // One that came under another name takes the place of the one that had its tools.
                None => new.push(Arc::clone(read)),
            }
        }
        let missing = before.iter().zip(is_there).filter(|(_, is_there)| !is_there);
        let missing: Vec<_> = missing.map(|(read, _)| Arc::clone(read)).collect();
        let mut gone = Vec::new();
        for read in missing {
            let known = self.gone.iter().find(|gone| gone.read.location == read.location);
            // One that is emptied again and again is written again and again.
            let known = known.filter(|_| !is_emptied_now(&read.location.path));
            let since = known.map_or_else(Instant::now, |gone| gone.since);
            let patience = if is_empty(&read.location.path) { EMPTY } else { GONE };
            if since.elapsed() >= patience || new.iter().any(|new| new.shares_a_tool(&read)) {
                changes.push(Change::of(&read, What::Removed));
            } else {
                features.push(Arc::clone(&read));
                gone.push(Gone { read, since });
            }
        }
        self.gone = gone;
        self.unread = unread;
        (features, changes)
    }

    /// For each feature that stands, whether a change may be one of it.
    fn touched(&self, changed: &Changed) -> Vec<bool> {
        let before = &self.reloader.workspace.features;
        if changed.is_none() {
            return vec![false; before.len()];
        }
        let files = self.reloader.files();
        before.iter().zip(&files).map(|(read, files)| read.is_touched(files, changed)).collect()
    }

    /// Decides whether a feature that was read again takes the place of what stood before.
    fn take(&self, read: ReadFeature, before: Option<&ReadFeature>) -> (ReadFeature, Option<What>) {
        let last_good = before.and_then(|before| before.feature.clone());
        let Some(script) = read.script() else {
            let errors: Vec<_> = read.errors().cloned().collect();
            let is_known = before.is_some_and(|before| before.diagnostics == read.diagnostics);
            let what = (!is_known).then_some(What::Broken(errors));
            return (ReadFeature { feature: last_good, ..read }, what);
        };
        if let Some(good) = &last_good
            && good.script().tree.digest == script.tree.digest
        {
            // The same text as before; where a broken one stood in between, that is mended.
            let was_broken = before.is_some_and(|before| before.errors().next().is_some());
            let what = was_broken.then_some(What::Changed { untested: 0 });
            return (ReadFeature { feature: last_good, ..read }, what);
        }
        let workspace = &self.reloader.workspace;
        let tests = workspace.runtime.test_within(script, &workspace.limits, TESTS);
        if !tests.failures.is_empty() {
            let why = tests.failures.iter().filter_map(|test| test.failure.clone());
            let read = ReadFeature { diagnostics: why.collect(), feature: last_good, ..read };
            let is_known = before.is_some_and(|before| before.diagnostics == read.diagnostics);
            return (read, (!is_known).then_some(What::TestsFailed(tests.failures)));
        }
        if let Some(good) = &last_good
            && let Some(waits) = self.reloader.waits(&read, good)
        {
            let is_known = before.is_some_and(|before| before.diagnostics == [waits.clone()]);
            let read = ReadFeature { diagnostics: vec![waits.clone()], feature: last_good, ..read };
            return (read, (!is_known).then_some(What::Waits(waits)));
        }
        let untested = tests.left;
        let what = match before {
            Some(_) => What::Changed { untested },
            None => What::Added { untested },
        };
        (read, Some(what))
    }
}

/// Whether there is a folder under the name, or behind a link of that name.
fn leads_to_folder(entry: &DirEntry) -> bool {
    match entry.file_type() {
        Ok(kind) if !kind.is_symlink() => kind.is_dir(),
        _ => entry.path().is_dir(),
    }
}

/// Whether the file of a feature is there and has nothing in it.
fn is_empty(path: &Path) -> bool {
    let main = if path.is_dir() { path.join(place::MAIN) } else { path.to_owned() };
    main.metadata().is_ok_and(|about| about.len() == 0)
}

/// Whether that happened a moment ago.
fn is_emptied_now(path: &Path) -> bool {
    let written = path.metadata().and_then(|about| about.modified());
    is_empty(path) && written.is_ok_and(|at| at.elapsed().is_ok_and(|age| age < GONE))
}

impl Change {
    fn of(read: &ReadFeature, what: What) -> Self {
        Self { path: read.location.path.clone(), id: read.id().cloned(), what }
    }
}

impl What {
    /// Whether another catalog comes of it.
    fn is_installed(&self) -> bool {
        matches!(self, Self::Added { .. } | Self::Changed { .. } | Self::Removed)
    }
}

impl ReadFeature {
    /// Its files as a watcher names them: by the folder that holds the name, and where a link leads.
    fn files(&self, around: &mut Surroundings) -> BTreeSet<PathBuf> {
        let main = if self.location.path.is_dir() {
            self.location.path.join(place::MAIN)
        } else {
            self.location.path.clone()
        };
        let modules = self.tree.iter().flat_map(|tree| tree.modules.values());
        // The embedded library lies nowhere.
        let modules = modules.map(|file| file.path.clone()).filter(|path| path.is_absolute());
        let mut files = BTreeSet::new();
        for file in std::iter::once(main).chain(modules) {
            files.extend(around.named(&file));
            files.extend(around.real(&file));
        }
        files
    }

    /// Whether both declare a tool of one name.
    fn shares_a_tool(&self, other: &Self) -> bool {
        let tools = |read: &Self| -> Vec<_> {
            let script = read.script();
            let tools = script.into_iter().flat_map(|script| &script.descriptor.tools);
            tools.map(|tool| tool.name.clone()).collect()
        };
        let others = tools(other);
        tools(self).iter().any(|tool| others.contains(tool))
    }

    /// Whether a change may be one of it. One that is broken may lack a file that has come.
    fn is_touched(&self, files: &BTreeSet<PathBuf>, changed: &Changed) -> bool {
        let lacks = self.errors().next().is_some();
        changed.has(|path| {
            files.iter().any(|file| {
                file.starts_with(path)
                    || (lacks && file.parent().is_some_and(|folder| path.starts_with(folder)))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::Limits;
    use crate::pod::PodOptions;
    use crate::script::runtime::ScriptRuntime;
    use crate::store::Durability;
    use std::fs;
    use std::sync::Mutex;
    use tempfile::TempDir;

    /// What was told, feature by feature.
    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<Vec<PathBuf>>>);

    impl ReloadObserver for Heard {
        fn reloaded(&self, reload: &Reload<'_>) {
            let mut heard = self.0.lock().expect("nobody panics");
            heard.extend(reload.changes.iter().map(|change| change.path.clone()));
        }
    }

    /// Someone who watches a folder of features, one look at a time.
    struct Watcher {
        folder: TempDir,
        heard: Heard,
        listening: Listening,
    }

    impl Watcher {
        fn new(features: usize) -> Self {
            let folder = TempDir::new().expect("a temporary folder");
            fs::create_dir(folder.path().join("features")).expect("a folder");
            for index in 0..features {
                fs::write(Self::at(&folder, index), text(index, 0)).expect("a file");
            }
            let limits = Limits::default();
            let runtime = ScriptRuntime::new(&limits).expect("the tests count allocations");
            let paths = vec![folder.path().join("features")];
            let workspace = Workspace::read_kept(&paths, runtime, limits, |_, _| None);
            let options = PodOptions {
                project: None,
                state: folder.path().join("state"),
                session: "test".to_owned(),
                durability: Durability::Group,
                workspace: None,
                secrets: None,
                closed: Vec::new(),
            };
            let catalog = Arc::new(workspace.install(HostPolicy::new(), None));
            let pod = Pod::open(&options, catalog, workspace.on_record()).expect("a pod");
            let heard = Heard::default();
            let reloader = Reloader {
                pod: Arc::new(pod),
                workspace,
                paths,
                folders: None,
                rebinds: false,
                adjust: Box::new(|policy, _| policy),
                observer: Box::new(heard.clone()),
            };
            let watch = Watch::new(channel().0).expect("the system watches files");
            let listening = Listening {
                reloader,
                watch,
                gone: Vec::new(),
                stale: Vec::new(),
                policy: None,
                unread: Changed::none(),
                untold: Vec::new(),
                is_behind: false,
                has_others: false,
                told: Vec::new(),
            };
            Self { folder, heard, listening }
        }

        fn at(folder: &TempDir, index: usize) -> PathBuf {
            folder.path().join(format!("features/one-{index:03}.rhai"))
        }

        fn features(&self) -> Vec<Arc<ReadFeature>> {
            self.listening.reloader.workspace.features.clone()
        }

        /// Looks after changes of these features, and gives those that were told.
        fn look(&mut self, changed: &[usize]) -> Vec<PathBuf> {
            let real = |path: PathBuf| path.canonicalize().unwrap_or(path);
            let changed = changed.iter().map(|index| real(Self::at(&self.folder, *index)));
            self.listening.look(&Changed::Paths(changed.collect()), Instant::now());
            std::mem::take(&mut *self.heard.0.lock().expect("nobody panics"))
        }
    }

    fn text(index: usize, value: usize) -> String {
        format!("/// Gives a number.\n/// @tool\nfn give_{index}() {{ {value} }}\n")
    }

    #[test]
    fn one_save_among_many_features_reads_that_one_again() {
        let mut watcher = Watcher::new(40);
        watcher.look(&[]);
        let before = watcher.features();
        let changed = Watcher::at(&watcher.folder, 7);
        fs::write(&changed, text(7, 1)).expect("a file");
        assert_eq!(watcher.look(&[7]), [changed]);
        let after = watcher.features();
        assert_eq!((before.len(), after.len()), (40, 40));
        let kept = after.iter().filter(|read| before.iter().any(|one| Arc::ptr_eq(one, read)));
        assert_eq!(kept.count(), 39);
        // Nothing changed, and nothing is read.
        assert!(watcher.look(&[]).is_empty());
        let unchanged = watcher.features();
        let is_kept = |read: &Arc<ReadFeature>| after.iter().any(|one| Arc::ptr_eq(one, read));
        assert!(unchanged.len() == 40 && unchanged.iter().all(is_kept));
    }

    #[test]
    fn a_file_that_is_emptied_is_waited_for() {
        let mut watcher = Watcher::new(2);
        let at = Watcher::at(&watcher.folder, 0);
        fs::write(&at, "").expect("a file");
        assert!(watcher.look(&[0]).is_empty(), "it may be written in a moment");
        assert!(watcher.look(&[]).is_empty(), "nor is it read meanwhile");
        assert_eq!(watcher.listening.reloader.pod.catalog().tools().len(), 2);
        fs::write(&at, text(0, 5)).expect("a file");
        assert_eq!(watcher.look(&[0]), std::slice::from_ref(&at));
        assert!(watcher.listening.gone.is_empty());
        // One that was emptied a while ago is meant to be empty.
        fs::write(&at, "").expect("a file");
        assert!(watcher.look(&[0]).is_empty());
        let open = fs::File::options().append(true).open(&at).expect("it is there");
        open.set_modified(SystemTime::now() - 2 * GONE).expect("it is ours");
        watcher.listening.gone[0].since -= EMPTY;
        assert_eq!(watcher.look(&[]), [at]);
        assert_eq!(watcher.listening.reloader.pod.catalog().tools().len(), 1);
    }

    #[test]
    fn what_lies_beside_the_features_concerns_nobody() {
        let mut watcher = Watcher::new(1);
        let folder = watcher.folder.path().canonicalize().expect("it is there");
        let missing = folder.join("missing/deep");
        let wanted = Wanted {
            folders: [folder.join("features"), missing.clone()].into(),
            names: [folder.join("features"), folder.join("policy.toml")].into(),
        };
        let followed = watcher.listening.watch.follow(&wanted, &Changed::none());
        assert!(followed.errors.is_empty());
        for (path, concerns) in [
            ("features/new.rhai", true),
            ("features/.one.swp", true),
            ("features", true),
            ("policy.toml", true),
            ("missing", true),
            ("missing/deep", true),
            ("missing/deep/new.rhai", true),
            ("build.log", false),
            ("policy.toml.new", false),
            ("missing/other", false),
            ("features-2", false),
        ] {
            let changed = Changed::Paths([folder.join(path)].into());
            assert_eq!(!watcher.listening.watch.concerning(changed).is_none(), concerns, "{path}");
        }
        assert_eq!(watcher.listening.watch.concerning(Changed::Everything), Changed::Everything);
    }
}
