//! The hook pipeline: at each point, who is asked, in which order, what their decisions come to, and
//! what happens where a hook fails.
//!
//! The host's permissions come first, then the features' hooks by band and registry order, then the
//! host's own accounting. No hook allows what the host denied: there is no such decision. Nothing here
//! runs a tool.

mod call;
mod callee;
mod compose;
mod foreign;
mod report;
mod round;
#[cfg(test)]
mod tests;
mod turn;
mod walk;

pub(super) use call::{Before, after, before};
pub(super) use compose::attributed;
pub use foreign::{CallVerdict, Judged, ResultVerdict};
pub(super) use foreign::{judge, judge_result};
pub use report::HookReport;
pub(super) use report::Reports;
pub use turn::{EndVerdict, Heard, RequestVerdict};
pub(super) use turn::{post_assistant, pre_request, turn_end};

use crate::feature::catalog::{Catalog, InstalledHook};
use crate::feature::hook::HookPoint;

/// The hooks at a point that want an event, in the order in which they are asked.
fn wanting(
    catalog: &Catalog,
    point: HookPoint,
    wants: impl Fn(&InstalledHook) -> bool,
) -> Vec<usize> {
    let hooks = catalog.hooks(point).enumerate();
    hooks.filter(|(_, hook)| wants(hook)).map(|(index, _)| index).collect()
}
