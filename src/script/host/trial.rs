//! What the tests of modules with reach share: a workspace of their own, grants, and a script that
//! runs in it as in a call.

use crate::diagnostic::Diagnostic;
use crate::feature::call::{CallContext, Cancel, Conditions};
use crate::feature::capability::SecretName;
use crate::feature::event::Silent;
use crate::feature::grant::GrantSet;
use crate::feature::id::FeatureId;
use crate::feature::question::{Answers, Question};
use crate::feature::secret::SecretText;
use crate::feature::transaction::{Act, CallStart, Detached, Ending, Scratch, Transaction};
use crate::limit::{Limit, Limits};
use crate::script::frame::{self, Frame, Refusal, Role};
use crate::script::meter::{self, Bounds, Spent};
use rhai::{Dynamic, Engine, EvalAltResult, Module, Scope, Shared};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// What a test does in the middle of a call: when the host hears of an act.
pub(in crate::script::host) type Meanwhile = Box<dyn Fn(&Path) + Send + Sync>;

/// A workspace with a folder beside it that is out of reach.
pub(in crate::script::host) struct World {
    // Held so that it is removed at the end.
    _folder: tempfile::TempDir,
    host: Arc<Host>,
    grants: Vec<String>,
    pub time: Duration,
    pub operations: u64,
    pub memory: u64,
    /// Ends the running call, as its caller does.
    pub stop: Arc<AtomicBool>,
    /// What a person answered before.
    pub answers: Answers,
    /// The module `http`, on whatever network.
    #[cfg(feature = "http")]
    pub http: Shared<Module>,
}

struct Host {
    workspace: PathBuf,
    acts: Mutex<Vec<Act>>,
    meanwhile: Mutex<Option<Meanwhile>>,
    secrets: Mutex<BTreeMap<String, String>>,
}

/// How a script ended.
#[derive(Debug)]
pub(in crate::script::host) struct Came {
    /// Its value, as `debug` shows it; `code: message; help; …` of a refusal; or another error.
    pub text: String,
    /// The bound that ended it.
    pub killed: Option<Limit>,
    /// What it ended with, where a person has to answer first.
    pub question: Option<Question>,
    pub spent: Spent,
    pub took: Duration,
}

impl World {
    pub fn new(grants: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().canonicalize().expect("it is there");
        let workspace = root.join("work");
        for name in ["work", "outside"] {
            rustix::fs::mkdir(root.join(name), rustix::fs::Mode::RWXU).expect("an empty folder");
        }
        let host = Host {
            workspace,
            acts: Mutex::default(),
            meanwhile: Mutex::default(),
            secrets: Mutex::default(),
        };
        Self {
            _folder: folder,
            host: Arc::new(host),
            grants: grants.iter().map(|grant| (*grant).to_owned()).collect(),
            time: Duration::from_secs(20),
            operations: 10_000_000,
            memory: 64 << 20,
            stop: Arc::new(AtomicBool::new(false)),
            answers: Arc::new([]),
            #[cfg(feature = "http")]
            http: super::http::module(),
        }
    }

    /// Keeps a secret.
    pub fn keep(&self, name: &str, text: &str) {
        let mut secrets = self.host.secrets.lock().expect("no test panics with it");
        secrets.insert(name.to_owned(), text.to_owned());
    }

    /// The same world with other grants.
    pub fn granted(mut self, grants: &[String]) -> Self {
        self.grants = grants.to_vec();
        self
    }

    pub fn workspace(&self) -> &Path {
        &self.host.workspace
    }

    pub fn outside(&self) -> PathBuf {
        self.host.workspace.with_file_name("outside")
    }

    /// The acts that were recorded, in order.
    pub fn acts(&self) -> Vec<Act> {
        self.host.acts.lock().expect("no test panics with it").clone()
    }

    /// Does something whenever an act is recorded.
    pub fn meanwhile(&self, act: impl Fn(&Path) + Send + Sync + 'static) {
        *self.host.meanwhile.lock().expect("no test panics with it") = Some(Box::new(act));
    }

    /// Runs a script.
    pub fn run(&self, script: &str) -> Came {
        self.run_on(script, Role::Tool, Arc::clone(&self.host) as Arc<dyn Transaction>)
    }

    /// Runs a script as a hook.
    pub fn run_as_hook(&self, script: &str) -> Came {
        self.run_on(script, Role::Hook, Arc::clone(&self.host) as Arc<dyn Transaction>)
    }

    /// Runs a script as a test of a feature runs.
    pub fn run_as_test(&self, script: &str) -> Came {
        self.run_on(script, Role::Test, Arc::new(Scratch::default()))
    }

    fn run_on(&self, script: &str, role: Role, transaction: Arc<dyn Transaction>) -> Came {
        let mut engine: Engine = super::text::trial::engine();
        engine.register_static_module("ask", super::ask::module());
        engine.register_static_module("content", super::content::module());
        engine.register_global_module(super::global::module());
        engine.register_static_module("fs", super::fs::module());
        engine.register_static_module("exec", super::exec::module());
        engine.register_static_module("secret", super::secret::module());
        engine.register_static_module("json", super::json::module());
        #[cfg(feature = "http")]
        engine.register_static_module("http", Shared::clone(&self.http));
        let tree = engine.compile(script).expect("the script parses");
        let grants = self.grants.iter().map(|grant| grant.parse().expect("a capability"));
        let deadline = Instant::now() + self.time;
        let context = CallContext {
            feature: Arc::new(FeatureId::builtin("trial").expect("a name")),
            limits: Arc::new(Limits::default()),
            sink: Arc::new(Silent),
            cancel: Cancel::default(),
            answers: Arc::clone(&self.answers),
            conditions: Conditions { now: Some(0), seed: 1 },
            deadline,
            transaction,
        };
        let begun = Instant::now();
        meter::begin(Bounds {
            operations: self.operations,
            memory: Some(self.memory),
            deadline,
            stop: Arc::clone(&self.stop),
        });
        let grants = Arc::new(GrantSet::of(grants));
        frame::enter(Frame::new(role, context, grants, Arc::from([])));
        let result = engine.eval_ast_with_scope::<Dynamic>(&mut Scope::new(), &tree);
        let question = frame::leave().question;
        let spent = meter::end();
        let text = match result {
            Ok(value) => format!("{value:?}"),
            Err(error) => said(&error),
        };
        Came { text, killed: spent.killed, question, spent, took: begun.elapsed() }
    }
}

fn said(error: &EvalAltResult) -> String {
    if let EvalAltResult::ErrorRuntime(value, _) = error
        && let Some(refusal) = value.read_lock::<Refusal>()
    {
        let problem = &refusal.0;
        let help = problem.help.iter().map(|help| format!("; {help}"));
        return format!("{}: {}{}", problem.code, problem.message, help.collect::<String>());
    }
    format!("error: {error}")
}

impl Transaction for Host {
    fn begin(&self, _: &CallStart<'_>) {}

    fn store_get(&self, key: &str) -> Result<Option<String>, Diagnostic> {
        Detached.store_get(key)
    }

    fn store_set(&self, key: &str, value: &str) -> Result<(), Diagnostic> {
        Detached.store_set(key, value)
    }

    fn store_delete(&self, key: &str) -> Result<bool, Diagnostic> {
        Detached.store_delete(key)
    }

    fn store_keys(&self, prefix: &str, most: usize) -> Result<Vec<String>, Diagnostic> {
        Detached.store_keys(prefix, most)
    }

    fn act(&self, act: &Act) -> Result<(), Diagnostic> {
        self.acts.lock().expect("no test panics with it").push(act.clone());
        if let Some(meanwhile) = &*self.meanwhile.lock().expect("no test panics with it") {
            meanwhile(&self.workspace);
        }
        Ok(())
    }

    fn secret(&self, name: &SecretName) -> Result<SecretText, Diagnostic> {
        let secrets = self.secrets.lock().expect("no test panics with it");
        let Some(text) = secrets.get(name.as_str()) else {
            let message = format!("there is no secret `{name}`");
            return Err(Diagnostic::operator("secret/missing", message));
        };
        SecretText::new(Zeroizing::new(text.clone()))
            .map_err(|reason| Diagnostic::operator("secret/unusable", reason.to_string()))
    }

    fn workspace(&self) -> Option<&Path> {
        Some(&self.workspace)
    }

    fn commit(&self, _: &Ending<'_>) -> Result<(), Diagnostic> {
        Ok(())
    }

    fn roll_back(&self) {}
}
