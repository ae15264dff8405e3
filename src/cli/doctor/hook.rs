//! The hooks that are asked, and the agents that ask them.

use super::super::hook::asked;
use super::super::list::hook_line;
use super::{Findings, State};
use crate::feature::catalog::Catalog;
use crate::feature::hook::HookPoint;
use crate::workspace::Workspace;

const AREA: &str = "hooks";

/// Looks at those of the catalog, and at what is written down with agents.
pub(super) fn look(workspace: &Workspace, catalog: &Catalog, all: &mut Findings) {
    let mut is_any = false;
    for descriptor in workspace.descriptors() {
        let Some(report) = catalog.report(&descriptor.id) else { continue };
        for hook in descriptor.hooks.iter().filter(|hook| report.hooks.contains(&hook.name)) {
            is_any = true;
            all.ok(AREA, format!("{} of {}", hook_line(hook), descriptor.id));
        }
    }
    if !is_any {
        all.ok(AREA, "no hook of a feature is asked");
    }
    for problem in HookPoint::ALL.into_iter().filter_map(|point| catalog.lost(point)) {
        all.tell(AREA, problem);
    }
    let (agents, problems) = asked();
    if agents.is_empty() && problems.is_empty() {
        let help = ["have one do so with `peasy hook install AGENT`"];
        all.add(AREA, State::Ok, "no other agent asks them", &help);
    }
    for (agent, file) in agents {
        all.ok(AREA, format!("{} asks them ({})", agent.title(), file.display()));
    }
    for problem in &problems {
        all.tell(AREA, problem);
    }
}
