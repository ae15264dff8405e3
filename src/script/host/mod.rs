//! The host modules: what a script may call beyond the language, one file a module.
//!
//! A module is registered with an engine only where it is open to everybody or its capability was
//! granted. The table knows modules that this host cannot provide as well, so that a script which
//! asks for one gets a clear answer and not "unknown".

pub(crate) mod ask;
mod commons;
pub(crate) mod content;
pub(crate) mod csv;
pub(crate) mod date;
pub(crate) mod diff;
pub(crate) mod emit;
pub(crate) mod event;
pub(crate) mod exec;
pub(crate) mod fs;
pub(crate) mod global;
pub(crate) mod hash;
pub(crate) mod html;
#[cfg(feature = "http")]
pub(crate) mod http;
pub(crate) mod json;
pub(crate) mod list;
pub(crate) mod log;
pub(crate) mod markdown;
pub(crate) mod memory;
pub(crate) mod notify;
mod options;
pub(crate) mod pod;
pub(crate) mod random;
pub(crate) mod regex;
pub(crate) mod secret;
pub(crate) mod store;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod time;
#[cfg(all(test, unix))]
mod trial;
pub(crate) mod url;
pub(crate) mod workitem;

use crate::diagnostic::Diagnostic;
use crate::feature::capability::{Audience, Capability, FsAccess, PodAct, Scoped, StoreAccess};
use crate::feature::grant::grant_command;
use crate::feature::id::{FeatureId, FeatureSource};
use crate::script::frame::{self, Frame};
use rhai::{
    Dynamic, EvalAltResult, FuncRegistration, Module, NativeCallContext, Position, RhaiFunc,
    RhaiNativeFunc, Shared, Variant,
};
use std::path::Path;
use std::sync::OnceLock;

/// One host module.
pub(crate) struct HostModule {
    /// The namespace: `text` in `text::words(…)`.
    pub name: &'static str,
    /// Who may call it.
    pub access: Access,
    /// The module itself, built once and shared by all engines; `None` where this host has none.
    pub build: Option<fn() -> Shared<Module>>,
    /// Names and arities of the functions of a module that cannot be built here.
    pub known: &'static [(&'static str, usize)],
}

/// Who may call a host module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Every script: pure, or harmless by its bounds.
    Everybody,
    /// Scripts that asked for a capability of the module's name; without the grant its functions
    /// refuse.
    Granted,
    /// Scripts that asked for a capability of the module's name; without the grant its functions do
    /// nothing but count.
    Silent,
}

impl HostModule {
    /// Names and numbers of parameters of its functions, each pair once.
    pub fn functions(&self) -> Vec<(String, usize)> {
        let Some(build) = self.build else {
            return self.known.iter().map(|&(name, arity)| (name.to_owned(), arity)).collect();
        };
        let mut engine = rhai::Engine::new_raw();
        engine.register_static_module(self.name, build());
        let mut functions: Vec<_> = engine
            .collect_fn_metadata(
                None,
                |info| Some((info.metadata.name.to_string(), info.metadata.num_params)),
                true,
            )
            .into_iter()
            .collect();
        functions.sort();
        functions.dedup();
        functions
    }
}

/// Every host module. A new one is one file and one line.
pub(crate) fn modules() -> &'static [HostModule] {
    use Access::{Everybody, Granted, Silent};
    const fn open(name: &'static str, build: fn() -> Shared<Module>) -> HostModule {
        HostModule { name, access: Everybody, build: Some(build), known: &[] }
    }
    const fn silent(name: &'static str, build: fn() -> Shared<Module>) -> HostModule {
        HostModule { name, access: Silent, build: Some(build), known: &[] }
    }
    const fn granted(name: &'static str, build: fn() -> Shared<Module>) -> HostModule {
        HostModule { name, access: Granted, build: Some(build), known: &[] }
    }
    const fn absent(name: &'static str, known: &'static [(&'static str, usize)]) -> HostModule {
        HostModule { name, access: Granted, build: None, known }
    }
    static MODULES: [HostModule; 29] = [
        silent("emit", emit::module),
        silent("notify", notify::module),
        open("content", content::module),
        open("csv", csv::module),
        open("date", date::module),
        open("diff", diff::module),
        open("event", event::module),
        open("hash", hash::module),
        open("html", html::module),
        open("json", json::module),
        open("list", list::module),
        open("log", log::module),
        open("markdown", markdown::module),
        open("random", random::module),
        open("regex", regex::module),
        open("table", table::module),
        open("text", text::module),
        open("time", time::module),
        granted("exec", exec::module),
        granted("fs", fs::module),
        #[cfg(feature = "http")]
        granted("http", http::module),
        #[cfg(not(feature = "http"))]
        absent("http", &[]),
        granted("secret", secret::module),
        open("url", url::module),
        granted("store", store::module),
        granted("ask", ask::module),
        granted("memory", memory::module),
        granted("pod", pod::module),
        absent("provider", &[("call", 2)]),
        granted("workitem", workitem::module),
    ];
    &MODULES
}

/// The part of a host module that a function belongs to, where a grant may give one alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Part {
    /// It only looks.
    Reads,
    /// It changes something.
    Writes,
    /// It does this with sub-pods.
    Pod(PodAct),
    /// It reaches these.
    To(Audience),
}

impl Part {
    /// Whether a capability of the module gives it.
    pub fn is_opened_by(self, capability: &Capability) -> bool {
        match capability {
            Capability::Fs { access: FsAccess::Read, .. } | Capability::Open(Scoped::FsRead) => {
                self == Self::Reads
            }
            Capability::Fs { access: FsAccess::Write, .. } | Capability::Open(Scoped::FsWrite) => {
                self == Self::Writes
            }
            Capability::Memory(access) | Capability::WorkItem(access) => {
                self == Self::Reads || *access == StoreAccess::ReadWrite
            }
            Capability::Pod(act) => self == Self::Pod(*act),
            Capability::Notify(audience) => self == Self::To(*audience),
            _ => true,
        }
    }
}

/// The parts of a module that one of its functions needs; `None` where it has no parts.
pub(crate) fn parts(module: &str, function: &str) -> &'static [Option<Part>] {
    const WHOLE: &[Option<Part>] = &[None];
    const READS: &[Option<Part>] = &[Some(Part::Reads)];
    const WRITES: &[Option<Part>] = &[Some(Part::Writes)];
    const BOTH: &[Option<Part>] = &[Some(Part::Reads), Some(Part::Writes)];
    const SPAWN: &[Option<Part>] = &[Some(Part::Pod(PodAct::Spawn))];
    const MESSAGE: &[Option<Part>] = &[Some(Part::Pod(PodAct::Message))];
    const RESTORE: &[Option<Part>] = &[Some(Part::Pod(PodAct::Restore))];
    const MODEL: &[Option<Part>] = &[Some(Part::To(Audience::Model))];
    const USER: &[Option<Part>] = &[Some(Part::To(Audience::User))];
    match (module, function) {
        ("notify", "model") => MODEL,
        ("notify", "user") => USER,
        ("pod", "start" | "stop") => SPAWN,
        ("pod", "restore") => RESTORE,
        ("pod", _) => MESSAGE,
        ("fs", "copy" | "rename") => BOTH,
        ("fs", "write" | "append" | "make_folder" | "remove") => WRITES,
        ("memory", "remember" | "forget")
        | ("workitem", "create" | "update" | "comment" | "delete") => WRITES,
        ("fs" | "memory" | "workitem", _) => READS,
        _ => WHOLE,
    }
}

/// The module of that name.
pub(crate) fn find(name: &str) -> Option<&'static HostModule> {
    modules().iter().find(|module| module.name == name)
}

/// The modules that a feature may call, built once and shared by every engine: those for everybody,
/// and those that it asked for, whose functions look at the grants.
pub(crate) fn requested(
    requested: &[Capability],
) -> impl Iterator<Item = (&'static str, Shared<Module>)> {
    static BUILT: OnceLock<Vec<(&'static HostModule, Shared<Module>)>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        modules().iter().filter_map(|module| Some((module, (module.build?)()))).collect()
    });
    built
        .iter()
        .filter(|(module, _)| match module.access {
            Access::Everybody => true,
            Access::Granted | Access::Silent => {
                requested.iter().any(|one| one.module() == Some(module.name))
            }
        })
        .map(|(module, built)| (module.name, Shared::clone(built)))
}

/// Lets a host function at what needs `wanted`.
///
/// # Errors
///
/// It is not granted; the script may catch that.
pub(crate) fn require(frame: &Frame, wanted: &Capability) -> frame::Native {
    if frame.grants().covers(wanted) {
        return Ok(());
    }
    let feature = frame.feature();
    let message = format!("`{wanted}` is not granted to `{feature}`");
    let diagnostic = Diagnostic::operator(wanted.denial_code(), message);
    Err(frame::refusal(with_remedy(diagnostic, feature, wanted)))
}

/// Says what would allow `wanted`. What is built in asks for all that a user may name.
fn with_remedy(diagnostic: Diagnostic, feature: &FeatureId, wanted: &Capability) -> Diagnostic {
    let diagnostic = diagnostic.help(format!("allow it with `{}`", grant_command(feature, wanted)));
    match feature.source() {
        FeatureSource::Builtin => diagnostic,
        _ => diagnostic
            .help(format!("the feature has to ask for it: `//! @request {wanted}`, or wider")),
    }
}

/// The folder that the call works in. Without one there is neither `fs` nor `exec`: so no test
/// reaches the disk, whatever its feature asks for.
///
/// # Errors
///
/// The host works in none; the script may catch that.
fn workspace() -> frame::Native<String> {
    frame::ask_host(|host| match host.workspace().map(Path::to_str) {
        Some(Some(folder)) => Ok(folder.to_owned()),
        Some(None) => Err(Diagnostic::operator(
            "host/no-workspace",
            "the name of the folder that this host works in is not UTF-8",
        )),
        None => Err(Diagnostic::operator("host/no-workspace", "this host works in no folder")
            .help("`peasy call` and `peasy serve` work in the current folder")
            .help("a test has no files and starts no programs; test what works on their text")),
    })
}

/// Whether the running call was granted a capability, written as in `@request`.
pub(crate) fn is_granted(frame: &Frame, capability: &str) -> bool {
    capability.parse().is_ok_and(|capability| frame.grants().covers(&capability))
}

/// Builds a module whose functions carry their documentation.
pub(crate) struct ModuleBuilder {
    module: Module,
    docs: Vec<&'static str>,
}

impl ModuleBuilder {
    pub(crate) fn new() -> Self {
        Self { module: Module::new(), docs: Vec::new() }
    }

    /// What the module is about, in Markdown: the head of its page in `docs/reference/`.
    pub(crate) fn about(&mut self, text: &str) -> &mut Self {
        self.module.set_doc(text);
        self
    }

    /// The documentation of the functions that follow, until the next: sentences in Markdown, then
    /// examples, each a line that begins with the call and may end with ` // => ` and what it gives.
    pub(crate) fn docs(&mut self, lines: &[&'static str]) -> &mut Self {
        self.docs = lines.to_vec();
        self
    }

    /// Adds a function.
    pub(crate) fn function<
        A,
        const N: usize,
        const X: bool,
        R,
        const F: bool,
        FUNC,
        const P: usize,
    >(
        &mut self,
        name: &str,
        parameters: [&str; P],
        function: FUNC,
    ) -> &mut Self
    where
        A: 'static,
        R: Variant + Clone,
        FUNC: RhaiNativeFunc<A, N, X, R, F> + Send + Sync + 'static,
    {
        FuncRegistration::new(name)
            .with_params_info(parameters)
            .with_comments(self.docs.iter().copied())
            .set_into_module_raw(
                &mut self.module,
                FUNC::param_types(),
                placed(function.into_rhai_function(true, false)),
            );
        self
    }

    pub(crate) fn build(&mut self) -> Shared<Module> {
        self.module.build_index();
        Shared::new(std::mem::take(&mut self.module))
    }
}

/// A function whose errors tell the place of the call: the engine gives them none where a call
/// names a module.
fn placed(function: RhaiFunc) -> RhaiFunc {
    match function {
        RhaiFunc::Pure { func, has_context, is_pure, is_volatile } => {
            let func = Shared::new(move |context: Option<NativeCallContext>, args: &mut Args| {
                let position = position(context.as_ref());
                func(context.filter(|_| has_context), args).map_err(|error| place(error, position))
            });
            RhaiFunc::Pure { func, has_context: true, is_pure, is_volatile }
        }
        RhaiFunc::Method { func, has_context, is_pure, is_volatile } => {
            let func = Shared::new(move |context: Option<NativeCallContext>, args: &mut Args| {
                let position = position(context.as_ref());
                func(context.filter(|_| has_context), args).map_err(|error| place(error, position))
            });
            RhaiFunc::Method { func, has_context: true, is_pure, is_volatile }
        }
        other => other,
    }
}

/// The arguments of a native, as the engine hands them over.
type Args<'a> = [&'a mut Dynamic];

fn position(context: Option<&NativeCallContext>) -> Position {
    context.map_or(Position::NONE, NativeCallContext::call_position)
}

fn place(mut error: Box<EvalAltResult>, position: Position) -> Box<EvalAltResult> {
    if error.position().is_none() {
        error.set_position(position);
    }
    error
}
