//! What hooks cost: ten of them against one, and a point that nobody listens to.

use crate::Result;
use crate::host::Host;
use crate::report::{Report, Target};
use crate::rounds::{Rounds, median_of};
use peasy::feature::catalog::CallOptions;
use peasy::feature::hook_event::TurnEnd;
use peasy::limit::Limits;
use peasy::pod::{Pod, PodOptions};
use peasy::store::Durability;
use serde_json::json;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

pub const ABOUT: &str = "ten hooks on one event against one, and a point that nobody listens to; \
                         hand-over and log included";

const TOOL: &str =
    "/// Give the text back.\n/// @tool\n/// @param text string\nfn same(text) { text }\n";
const GUARD: &str = "/// @hook pre_tool_call\nfn guard(event) {\n    if event.tool == \"rm\" || event.args.text.contains(\"rm -rf\") { return deny(\"no\"); }\n}\n";
const END: &str =
    "/// @hook turn_end\nfn end(event) { if event.again > 9 { log::info(event.text); } }\n";

const ROUNDS: usize = 25;
/// Events whose median is one figure.
const EVENTS: usize = 200;

const NONE: usize = 0;
const ONE: usize = 1;
const TEN: usize = 2;

/// Measures the event of a turn by itself, and what hooks add to a call.
pub fn take(report: &mut Report) -> Result<()> {
    let folder = tempfile::TempDir::new()?;
    let host = Host::new(Limits::default())?;
    let pod = |name: &str, hook: &str, count: usize| -> Result<Pod> {
        let named: Vec<_> = (0..count).map(|n| (format!("{name}-{n}"), hook)).collect();
        let mut features = vec![("same", TOOL)];
        features.extend(named.iter().map(|(name, text)| (name.as_str(), *text)));
        open(&host, &folder.path().join(format!("{name}-{count}")), &features)
    };
    let ends = [pod("end", END, 0)?, pod("end", END, 1)?, pod("end", END, 10)?];
    let guards = [pod("guard", GUARD, 0)?, pod("guard", GUARD, 1)?, pod("guard", GUARD, 10)?];

    let event = TurnEnd { text: "word ".repeat(200), turns: 3, again: 0 };
    let turn = |pod: &Pod| {
        median_of(EVENTS, || {
            let begun = Instant::now();
            pod.turn_end(&event, CallOptions::default());
            Ok(begun.elapsed())
        })
    };
    let rounds =
        Rounds::take(ROUNDS, || Ok([turn(&ends[NONE])?, turn(&ends[ONE])?, turn(&ends[TEN])?]))?;
    let sides = [("ten", TEN), ("one", ONE)];
    report.ratio("an event with ten hooks against one", &rounds, sides, Target::AtMost(9.0));
    let sides = [("nobody", NONE), ("one", ONE)];
    report.ratio("an event that nobody hooks against one", &rounds, sides, Target::AtMost(0.05));

    let text = "word ".repeat(20);
    let call = |pod: &Pod| {
        median_of(EVENTS, || {
            let begun = Instant::now();
            pod.call("same", json!({ "text": text }), CallOptions::default()).result?;
            Ok(begun.elapsed())
        })
    };
    let rounds = Rounds::take(ROUNDS, || {
        Ok([call(&guards[NONE])?, call(&guards[ONE])?, call(&guards[TEN])?])
    })?;
    let sides = [("hooked", ONE), ("plain", NONE)];
    report.ratio("a call with one hook before it against a call", &rounds, sides, Target::None);
    let sides = [("ten", TEN), ("plain", NONE)];
    report.ratio("a call with ten hooks before it against a call", &rounds, sides, Target::None);
    Ok(())
}

fn open(host: &Host, state: &Path, features: &[(&str, &str)]) -> Result<Pod> {
    let catalog = host.catalog(features)?;
    let options = PodOptions {
        project: None,
        state: state.to_owned(),
        session: "bench".to_owned(),
        durability: Durability::Group,
        workspace: None,
        closed: Vec::new(),
        secrets: None,
    };
    let pod = Pod::open(&options, Arc::new(catalog), HashMap::new());
    pod.map_err(|error| error.to_string().into())
}
