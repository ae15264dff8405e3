//! What of a front's features does not run, told when it starts.

use super::output::{Output, WARN, count, paint, safe};
use super::workspace::inactive;
use crate::diagnostic::{Diagnostic, shell_word};
use crate::feature::catalog::Catalog;
use crate::feature::report::{ContributionName, SkippedContribution};
use std::path::PathBuf;

/// Tells what of a command's features does not run. What waits for a grant was withheld by whoever reads this,
/// and is one line at each start; `peasy list` says what each waits for.
pub(super) fn tell(catalog: &Catalog, paths: &[PathBuf], output: &mut Output) {
    let (mut waiting, mut guards) = (0, "");
    for report in catalog.reports() {
        let (waits, others): (Vec<_>, Vec<_>) = inactive(report).into_iter().partition(is_withheld);
        waiting += usize::from(!waits.is_empty());
        let is_hook = |skipped: &SkippedContribution| {
            matches!(skipped.contribution, ContributionName::Hook { .. })
                && skipped.why.code.starts_with("grant/")
        };
        if report.skipped.iter().any(is_hook) {
            guards = ", hooks among them";
        }
        others.iter().for_each(|problem| output.tell_picture(problem, None));
    }
    for problem in catalog.diagnostics() {
        output.tell_picture(problem, None);
    }
    if waiting > 0 {
        let wait = if waiting == 1 { "waits" } else { "wait" };
        let words = paths.iter().map(|path| shell_word(&safe(&path.display().to_string())));
        let list = ["peasy list".to_owned()].into_iter().chain(words).collect::<Vec<_>>().join(" ");
        let features = count(waiting, "feature");
        output.tell(format_args!(
            "{} {features} {wait} for grants{guards}: `{list}`",
            paint(WARN, "note:")
        ));
    }
}

/// Whether nothing is wrong but that a grant or trust was not given.
fn is_withheld(problem: &Diagnostic) -> bool {
    !problem.is_error() && problem.code.starts_with("grant/")
}
