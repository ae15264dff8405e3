//! What a person at the console hears of features that are read again as they are saved.

use super::output::{BAD, BOLD, DIM, GOOD, Output, WARN, count, paint, safe};
use super::workspace::inactive;
use super::{ColorWhen, GrantArguments};
use crate::config::Folders;
use crate::diagnostic::Diagnostic;
use crate::pod::Pod;
use crate::workspace::reload::{Change, Reload, ReloadObserver, Reloader, What};
use crate::workspace::{ReadFeature, Workspace};
use std::fmt::Display;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// The console of a command that goes on: what it says on standard error, and the features that its
/// pictures are drawn from.
pub(super) struct Console {
    output: Mutex<Output>,
    features: Mutex<Vec<Arc<ReadFeature>>>,
    /// Called at each reload.
    after: Box<dyn Fn() + Send + Sync>,
}

/// Watches the features of a command. What its flags grant holds after a save as before.
pub(super) fn reloader(
    pod: &Arc<Pod>,
    workspace: Workspace,
    paths: &[PathBuf],
    grants: &GrantArguments,
    console: &Arc<Console>,
) -> Reloader {
    let grants = grants.clone();
    Reloader {
        pod: Arc::clone(pod),
        workspace,
        paths: paths.to_vec(),
        folders: Folders::of_user(),
        rebinds: false,
        adjust: Box::new(move |policy, descriptors| {
            // A flag that was understood at the start may name a feature that is gone now.
            let adjusted = grants.policy(policy.clone(), descriptors);
            adjusted.map_or(policy, |(policy, _)| policy)
        }),
        observer: Box::new(Arc::clone(console)),
    }
}

impl Console {
    /// A console that shows colours as `output` does.
    pub fn new(
        output: &Output,
        workspace: &Workspace,
        after: impl Fn() + Send + Sync + 'static,
    ) -> Arc<Self> {
        let color = if output.is_coloured() { ColorWhen::Always } else { ColorWhen::Never };
        Arc::new(Self {
            output: Mutex::new(Output::new(color)),
            features: Mutex::new(workspace.features.clone()),
            after: Box::new(after),
        })
    }

    /// Draws what is wrong with a feature.
    #[cfg(feature = "mcp")]
    pub fn tell_of(&self, feature: &crate::feature::id::FeatureId, problems: &[Diagnostic]) {
        let features = self.features.lock().unwrap_or_else(PoisonError::into_inner);
        let read = features.iter().find(|read| read.id() == Some(feature)).cloned();
        drop(features);
        self.draw(read.as_deref(), problems);
    }

    fn draw(&self, read: Option<&ReadFeature>, problems: &[Diagnostic]) {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        for problem in problems {
            let text = read.and_then(|read| read.text_of(problem));
            output.tell_picture(problem, text.as_deref());
        }
    }

    fn tell(&self, line: impl Display) {
        self.output.lock().unwrap_or_else(PoisonError::into_inner).tell(line);
    }

    fn change(&self, change: &Change, reload: &Reload<'_>) {
        let Change { path, id, what } = change;
        let path = safe(&path.display().to_string());
        let name = paint(BOLD, id.as_ref().map_or_else(|| path.clone(), ToString::to_string));
        let mut features = reload.workspace.features.iter();
        let read = features.find(|read| read.location.path == change.path).map(Arc::as_ref);
        let took = paint(DIM, format_args!("({} ms)", reload.took.as_millis()));
        match what {
            What::Added { untested } | What::Changed { untested } => {
                let is_new = matches!(what, What::Added { .. });
                let word = if is_new { "is new" } else { "was taken over" };
                self.tell(format_args!("{} {name} {word} {took}", paint(GOOD, "✓")));
                if *untested > 0 {
                    let left = count(*untested, "test");
                    self.tell(format_args!(
                        "  {}: there was no time for {left}; run `peasy test {path}`",
                        paint(WARN, "untested")
                    ));
                }
                let report = id.as_ref().and_then(|id| reload.catalog.report(id));
                let waits: Vec<_> = report.map(inactive).unwrap_or_default();
                let warnings = read.into_iter().flat_map(|read| &read.diagnostics).cloned();
                self.draw(read, &warnings.chain(waits).collect::<Vec<_>>());
            }
            What::Removed => self.tell(format_args!("{} {name} is gone", paint(WARN, "-"))),
            What::Broken(errors) => {
                self.stays(&name, "is broken", read);
                self.draw(read, errors);
            }
            What::Waits(why) => self.draw(read, std::slice::from_ref(why)),
            What::TestsFailed(failures) => {
                self.stays(&name, "fails its tests", read);
                for test in failures {
                    self.tell(format_args!("  {} {}", paint(BAD, "FAILED"), safe(&test.name)));
                    self.draw(read, test.failure.as_slice());
                }
            }
        }
    }

    fn stays(&self, name: &str, why: &str, read: Option<&ReadFeature>) {
        let stands = match read.is_some_and(|read| !read.is_broken()) {
            true => "; the last good version goes on",
            false => "",
        };
        self.tell(format_args!("{} {name} {why}{stands}", paint(BAD, "✗")));
    }
}

impl ReloadObserver for Arc<Console> {
    fn reloaded(&self, reload: &Reload<'_>) {
        // First what others wait for: a console that nobody reads holds this up.
        (self.after)();
        *self.features.lock().unwrap_or_else(PoisonError::into_inner) =
            reload.workspace.features.clone();
        for change in &reload.changes {
            self.change(change, reload);
        }
        self.draw(None, &reload.problems);
    }
}
