//! Servers that behave, and servers that do not: each a few lines of shell.

#![allow(clippy::disallowed_methods, reason = "tests look at files and pipes of their own")]

mod behaving;
mod http;
mod misbehaving;

use super::*;
use crate::config::server::Spelled;
use crate::config::settings::Settings;
use crate::feature::call::Outcome;
use crate::feature::catalog::{CallOptions, Catalog};
use crate::feature::event::{FeatureEvent, Sink};
use crate::feature::grant::HostPolicy;
use crate::feature::registry::FeatureRegistryBuilder;
use crate::pod::{Pod, PodOptions};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::mpsc;
use tempfile::TempDir;

/// A server that answers as it should. What comes between says what it does otherwise: `tools` are those it
/// lists, and each function is what it does when it is asked for that.
const BEGIN: &str = r#"
answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$1"; }
refuse() { printf '{"jsonrpc":"2.0","id":%s,"error":{"code":%s,"message":"%s"}}\n' "$id" "$1" "$2"; }
notify() { printf '{"jsonrpc":"2.0","method":"%s","params":%s}\n' "$1" "$2"; }
text() { answer "{\"content\":[{\"type\":\"text\",\"text\":\"$1\"}]}"; }
tools='{"name":"echo","description":"Says hello.","inputSchema":{"type":"object"}}'
capabilities='{"tools":{"listChanged":true}}'
initialize() { answer "{\"protocolVersion\":\"2025-06-18\",\"capabilities\":$capabilities,\"serverInfo\":{\"name\":\"fake\",\"version\":\"1.2\"}}"; }
list() { answer "{\"tools\":[$tools]}"; }
call() { text hello; }
ping() { answer '{}'; }
other() { :; }
"#;

const END: &str = r#"
while IFS= read -r line; do
    id=${line#*\"id\":}; id=${id%%,*}
    case $line in
        *'"method":"initialize"'*) initialize ;;
        *'"method":"tools/list"'*) list ;;
        *'"method":"tools/call"'*) call ;;
        *'"method":"ping"'*) ping ;;
        *) other ;;
    esac
done
"#;

/// A server of shell, which finds its folder in `$D`.
fn fake(name: &str, folder: &TempDir, otherwise: &str) -> McpServer {
    let script = format!("D='{}'\n{BEGIN}{otherwise}{END}", folder.path().display());
    let reach = Reach::Program {
        command: "sh".into(),
        args: vec!["-c".into(), script],
        env: Vec::new(),
        cwd: None,
    };
    McpServer::new(name.parse().expect("a name"), reach)
}

/// Supervision that loses no time, and never gives up for want of it.
fn quick() -> Pace {
    Pace {
        first_pause: Duration::from_millis(5),
        longest_pause: Duration::from_millis(20),
        most_restarts: 100,
        ping_every: Duration::from_secs(600),
        ping_wait: Duration::from_millis(400),
        relist_pause: Duration::from_millis(5),
        ..Pace::default()
    }
}

/// Bridged servers in a pod, whose catalog follows them.
struct Gateway {
    pod: Arc<Pod>,
    bridge: Arc<Bridge>,
    /// A word for each catalog.
    swaps: mpsc::Receiver<()>,
    state: TempDir,
}

impl Gateway {
    fn of(servers: &[McpServer]) -> Self {
        Self::with(servers, quick(), None)
    }

    fn with(servers: &[McpServer], pace: Pace, secrets: Option<Secrets>) -> Self {
        let state = tempfile::tempdir().expect("a temporary folder");
        let options = BridgeOptions::new(secrets, Limits::default()).pace(pace);
        let bridge = Arc::new(Bridge::start(servers, options));
        bridge.wait(Duration::from_secs(60));
        let options = PodOptions {
            state: state.path().to_owned(),
            session: "default".into(),
            durability: Settings::default().durability,
            workspace: None,
            project: None,
            secrets: None,
            closed: Vec::new(),
        };
        let pod = Pod::open(&options, Arc::new(catalog(&bridge)), HashMap::new()).expect("a log");
        let (pod, (swapped, swaps)) = (Arc::new(pod), mpsc::channel());
        let (theirs, of) = (Arc::clone(&pod), Arc::downgrade(&bridge));
        let swapped = Mutex::new(swapped);
        bridge.on_change(move || {
            if let Some(bridge) = of.upgrade() {
                theirs.swap(Arc::new(catalog(&bridge)), HashMap::new()).expect("the log takes it");
                let _ = swapped.lock().expect("nobody panics").send(());
            }
        });
        Self { pod, bridge, swaps, state }
    }

    fn call(&self, tool: &str, arguments: Value) -> Outcome {
        self.pod.call(tool, arguments, CallOptions::default())
    }

    /// The result of a call, or the code of its failure and what is said of it.
    fn said(&self, tool: &str, arguments: Value) -> Result<Value, String> {
        self.call(tool, arguments).result.map_err(|failure| {
            let first = &failure.diagnostics[0];
            format!("{}: {}", first.code, first.message)
        })
    }

    fn tools(&self) -> Vec<String> {
        let catalog = self.pod.catalog();
        catalog.tools().map(|tool| tool.declaration().name.to_string()).collect()
    }

    fn status(&self) -> ServerStatus {
        self.bridge.statuses().remove(0)
    }

    fn codes(&self) -> Vec<String> {
        self.status().problems.iter().map(|problem| problem.code.to_string()).collect()
    }

    /// Waits until the first server is so.
    fn until(&self, is_so: impl Fn(&ServerStatus) -> bool) -> ServerStatus {
        loop {
            let status = self.status();
            if is_so(&status) {
                return status;
            }
            std::thread::yield_now();
        }
    }

    fn log(&self) -> String {
        let file = self.state.path().join("session/default/log.jsonl");
        std::fs::read_to_string(file).expect("there is a log")
    }
}

fn catalog(bridge: &Bridge) -> Catalog {
    let builder = FeatureRegistryBuilder::new(HostPolicy::default());
    let features = bridge.features().into_iter();
    let builder = features.fold(builder, |builder, one| {
        builder.shared_module(one.module).limits_of(one.id, one.limits)
    });
    builder.plan().install().0
}

/// Keeps events.
#[derive(Default)]
struct Kept(Mutex<Vec<FeatureEvent>>);

impl Sink for Kept {
    fn emit(&self, event: FeatureEvent) {
        self.0.lock().expect("nobody panics").push(event);
    }
}
