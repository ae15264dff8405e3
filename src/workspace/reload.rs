//! Keeps the catalog of a pod in step with the files of its features.
//!
//! A save is read, checked, planned and tested, and then takes the place of what stood in one step.
//! One that is broken, or whose tests fail, changes nothing: the last good version goes on. Calls
//! that are under way end on the version that they began with.

#![allow(clippy::disallowed_methods, reason = "looks at the folders that features lie in")]

use super::place::{self, Places};
use super::watch::{Changed, Heard, Watch};
use super::{ReadFeature, Workspace};
use crate::config::Folders;
use crate::config::policy::{self, Policy, PolicyError, Stale};
use crate::diagnostic::Diagnostic;
use crate::feature::catalog::Catalog;
use crate::feature::descriptor::FeatureDescriptor;
use crate::feature::grant::HostPolicy;
use crate::feature::id::FeatureId;
use crate::pod::Pod;
use crate::script::runtime::Location;
use crate::script::testing::TestResult;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// How long nothing may change until a save counts as whole, and how long to wait for that at most.
const QUIET: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_millis(60);

/// How long a file may be gone, or empty, in the middle of being replaced.
const GONE: Duration = Duration::from_millis(250);

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
        let mut watch = Watch::new(stop.clone()).map_err(|reason| unwatched(&reason))?;
        let wanted = self.wanted(&place::find(&self.paths).folders);
        let errors = watch.follow(&wanted, &Changed::none()).errors;
        if !errors.is_empty() {
            self.tell(errors.iter().map(unwatched).collect(), Vec::new(), Instant::now());
        }
        // Somebody else's edit from before is not the user's to have made.
        let stale = self.stale().map_err(|error| error.diagnostic())?;
        // One that was written while the features were read may not be what they were planned with.
        let read_at = self.workspace.read_at;
        let policy = self.policy_stamp().filter(|(written, _)| *written < read_at);
        let listening = Listening {
            reloader: self,
            watch,
            gone: Vec::new(),
            stale,
            policy,
            unread: Changed::none(),
            untold: Vec::new(),
            is_behind: false,
            told: Vec::new(),
        };
        let thread = thread::Builder::new().name("peasy-reload".to_owned());
        let spawned = thread.spawn(move || listening.listen(&heard));
        spawned.map_err(|reason| {
            Diagnostic::operator("host/no-thread", format!("no thread could be started: {reason}"))
        })?;
        Ok(Reloading { stop })
    }

    /// The folders whose entries matter: those of every file, those in which features are looked
    /// for, their subfolders, and those around them, for they may be exchanged as a whole.
    fn wanted(&self, looked_in: &[PathBuf]) -> BTreeSet<PathBuf> {
        let mut wanted = BTreeSet::new();
        for file in self.workspace.features.iter().flat_map(|read| read.files()) {
            wanted.extend(file.parent().map(Path::to_owned));
        }
        for folder in looked_in {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            wanted.extend(entries.map(|entry| entry.path()).filter(|path| path.is_dir()));
            wanted.extend(folder.parent().map(Path::to_owned));
            wanted.insert(folder.clone());
        }
        wanted.extend(self.folders.iter().map(|folders| folders.config.clone()));
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
        Ok(Policy::load(&folders.config)?.host_policy(&self.workspace.subjects()).1)
    }

    /// Grants anew, for the texts as they are now, what was granted to those that were saved over.
    fn rebind(&self, stale_before: &[Stale]) -> Result<(), PolicyError> {
        let Some(folders) = &self.folders else { return Ok(()) };
        let subjects = self.workspace.subjects();
        let of = |id: &FeatureId, root: &Path| {
            subjects.iter().find(|subject| subject.id == *id && subject.root == root).cloned()
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

    /// The files that were written since the features were read, or a little before.
    fn saved_since(&self) -> Changed {
        let is_new = |file: &PathBuf| {
            let written = file.metadata().and_then(|about| about.modified());
            written.is_ok_and(|written| written >= self.workspace.read_at)
        };
        let files = self.workspace.features.iter().flat_map(|read| read.files());
        Changed::Paths(files.filter(is_new).collect())
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
    /// The problems that were told last.
    told: Vec<Diagnostic>,
}

impl Listening {
    fn listen(mut self, heard: &Receiver<Heard>) {
        // What was saved while the features were read and the log was opened was not heard of.
        let begun = Instant::now();
        self.look(&self.reloader.saved_since(), begun);
        loop {
            // What is not as it should be is looked at again in a while, whatever is heard of it.
            let must_look_again = !self.gone.is_empty() || self.is_behind || !self.unread.is_none();
            let first = match must_look_again {
                false => heard.recv().map_err(|_| RecvTimeoutError::Disconnected),
                true => heard.recv_timeout(GONE / 2),
            };
            let begun = Instant::now();
            let mut changed = match first {
                Ok(Heard::Changed(changed)) => changed,
                Err(RecvTimeoutError::Timeout) => Changed::none(),
                Ok(Heard::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            };
            while begun.elapsed() < PATIENCE {
                match heard.recv_timeout(QUIET) {
                    Ok(Heard::Changed(more)) => changed = changed.and(more),
                    Err(RecvTimeoutError::Timeout) => break,
                    Ok(Heard::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                }
            }
            // What happened in a folder before it was watched was not heard of: it is looked at again.
            for _ in 0..MOST_LOOKS {
                let new = self.look(&changed, begun);
                if new.is_empty() {
                    break;
                }
                changed = Changed::Paths(new);
            }
        }
    }

    /// Looks at the files, and swaps the catalog where something changed. The folders that are watched
    /// from now on.
    fn look(&mut self, changed: &Changed, begun: Instant) -> BTreeSet<PathBuf> {
        let Places { locations, folders, .. } = place::find(&self.reloader.paths);
        let changed = &std::mem::replace(&mut self.unread, Changed::none()).and(changed.clone());
        let (features, mut changes) = self.read(locations, changed);
        let policy = self.reloader.policy_stamp();
        let is_policy = std::mem::replace(&mut self.policy, policy) != policy;
        let is_new = changes.iter().any(|change| change.what.is_installed());
        let must_swap = is_policy || is_new || self.is_behind;
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
        let wanted = self.reloader.wanted(&folders);
        let followed = self.watch.follow(&wanted, changed);
        problems.extend(followed.errors.iter().map(unwatched));
        let is_told = problems == self.told;
        self.told.clone_from(&problems);
        if !changes.is_empty() || !is_told || is_policy {
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
    ) -> (Vec<Arc<ReadFeature>>, Vec<Change>) {
        let before = &self.reloader.workspace.features;
        let of = |location: &Location| before.iter().find(|read| read.location == *location);
        let (there, empty): (Vec<_>, Vec<_>) = locations
            .into_iter()
            .partition(|location| of(location).is_none() || !is_empty(&location.path));
        drop(empty);
        let mut changes = Vec::new();
        let mut features = Vec::new();
        let mut unread = Changed::none();
        let (fresh, kept): (Vec<_>, Vec<_>) = there
            .into_iter()
            .partition(|location| of(location).is_none_or(|read| read.is_touched(changed)));
        features.extend(kept.iter().filter_map(of).cloned());
        let outcomes = self.reloader.workspace.runtime.read(&fresh);
        for (location, outcome) in fresh.into_iter().zip(outcomes) {
            let before = of(&location).cloned();
            if outcome.diagnostics.iter().any(Diagnostic::is_passing) {
                // Every thread is at a call; the save is looked at again.
                unread = Changed::Everything;
                features.extend(before);
                continue;
            }
            let read = ReadFeature::new(&self.reloader.workspace.runtime, location, outcome);
            let (read, what) = self.take(read, before.as_deref());
            let read = Arc::new(read);
            changes.extend(what.map(|what| Change::of(&read, what)));
            features.push(read);
        }
        // What is missing goes on for a while: editors write a file by replacing it.
        let is_there =
            |read: &ReadFeature| features.iter().any(|one| one.location == read.location);
        let missing: Vec<_> = before.iter().filter(|read| !is_there(read)).cloned().collect();
        // One that came under another name takes the place of the one that had its tools.
        let new: Vec<_> =
            features.iter().filter(|read| of(&read.location).is_none()).cloned().collect();
        let mut gone = Vec::new();
        for read in missing {
            let known = self.gone.iter().find(|gone| gone.read.location == read.location);
            let since = known.map_or_else(Instant::now, |gone| gone.since);
            if since.elapsed() >= GONE || new.iter().any(|new| new.shares_a_tool(&read)) {
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
        let untested = tests.left;
        let what = match before {
            Some(_) => What::Changed { untested },
            None => What::Added { untested },
        };
        (read, Some(what))
    }
}

/// Whether the file of a feature is there and has nothing in it.
fn is_empty(path: &Path) -> bool {
    let main = if path.is_dir() { path.join(place::MAIN) } else { path.to_owned() };
    main.metadata().is_ok_and(|about| about.len() == 0)
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
    fn files(&self) -> BTreeSet<PathBuf> {
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
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new(".")).canonicalize().ok();
            files.extend(folder.zip(file.file_name()).map(|(folder, name)| folder.join(name)));
            files.extend(file.canonicalize().ok());
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
    fn is_touched(&self, changed: &Changed) -> bool {
        let files = self.files();
        let lacks = self.errors().next().is_some();
        changed.has(|path| {
            files.iter().any(|file| {
                file.starts_with(path)
                    || (lacks && file.parent().is_some_and(|folder| path.starts_with(folder)))
            })
        })
    }
}
