//! What a script calls, found in its syntax trees: unknown functions, capabilities that a tool
//! reaches, and habits of Rhai that trap people.
//!
//! Nothing here runs a script. What cannot be decided from the text is a warning, never an error.

mod call;
mod graph;
mod known;
mod lint;
mod walk;

pub use known::{Known, ModuleInfo};

pub(crate) use graph::{Analysis, Use};
pub(crate) use walk::Valueless;

use super::source::Loaded;
use crate::diagnostic::Diagnostic;
use crate::feature::descriptor::CapabilityRequest;

/// Looks at every function of a feature's files. What is wrong is added to `problems`.
pub(crate) fn analyse(
    loaded: &Loaded,
    known: &Known,
    requests: &[CapabilityRequest],
    problems: &mut Vec<Diagnostic>,
) -> Analysis {
    let mut program = graph::Program::new(loaded);
    program.duplicates(problems);
    for file in 0..program.files.len() {
        call::resolve(&mut program, file, known, problems);
        lint::check(&program, file, known, problems);
    }
    let analysis = program.finish();
    call::check_requests(loaded, &analysis, known, requests, problems);
    analysis
}
