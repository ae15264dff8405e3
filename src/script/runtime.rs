//! The script runtime as a host uses it: reads features, and turns each into a feature module.
//!
//! A script enters the registry through the same door as a feature written in Rust.

use super::analysis::Known;
use super::cache::{Cache, Recalled};
use super::call::{Entry, Instances, Program};
use super::compile::{Draft, PARSE_MEMORY};
use super::frame::Role;
use super::host::content;
use super::invoke::{Given, Invocation, MemoryBound, Returned, Runnable, wear};
#[cfg(unix)]
use super::isolate::Launch;
use super::isolate::process::Processes;
use super::lend;
use super::sandbox::{Sandbox, SandboxError};
use super::script::{ReadOutcome, Script};
use super::source::Pinned;
use super::{engine, explain, format, host, meter, value};

pub use super::location::{Location, Surroundings, is_project_root};

use crate::builtin;
use crate::diagnostic::{Diagnostic, Span};
use crate::feature::call::{CallContext, Outcome};
use crate::feature::content::ResultForm;
use crate::feature::descriptor::FeatureDescriptor;
use crate::feature::grant::GrantSet;
use crate::feature::hook::{Decision, Hook, HookContribution, HookOutcome, HookThreads};
use crate::feature::id::{ChannelName, FeatureSource};
use crate::feature::registry::{FeatureInstallContext, FeatureInstallError, FeatureModule};
use crate::feature::schema::Arguments;
use crate::feature::tool::{Tool, ToolContribution};
use crate::limit::{Limit, Limits};
use rhai::Dynamic;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Why no runtime could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuntimeError {
    /// The program does not count allocations.
    #[error(
        "memory cannot be bounded: this program does not allocate through `peasy::Meter`; \
         declare it as the `#[global_allocator]`, or ask for `MemoryBound::Unbounded`"
    )]
    NoMeter,
    /// No sandbox process could be started.
    #[error("{0}")]
    NoProcess(String),
}

/// What scripts need to be read and run: threads, and the functions that they may name. Clones
/// share both.
#[derive(Clone)]
pub struct ScriptRuntime {
    sandbox: Sandbox,
    /// Where calls run, if not on threads of the sandbox.
    processes: Option<Processes>,
    memory: MemoryBound,
    limits: Arc<Limits>,
}

/// Most features that are read in one hand-over.
const MOST_AT_ONCE: usize = 64;

/// The time that reading one feature may take. A source is at most 64 KiB, and the parser takes
/// milliseconds for the worst of them.
const READ_TIME: Duration = Duration::from_secs(2);

/// The time that laying one out may take: it is parsed a few times.
const FORMAT_TIME: Duration = Duration::from_secs(10);

impl ScriptRuntime {
    /// A runtime whose calls are bounded in memory as well.
    ///
    /// # Errors
    ///
    /// The program does not allocate through [`crate::Meter`].
    pub fn new(limits: &Limits) -> Result<Self, RuntimeError> {
        if !meter::Meter::is_installed() {
            return Err(RuntimeError::NoMeter);
        }
        Ok(Self::with_bound(limits, MemoryBound::Metered))
    }

    /// A runtime without a memory bound, for a program that trusts its scripts with its memory.
    pub fn unbounded(limits: &Limits) -> Self {
        Self::with_bound(limits, MemoryBound::Unbounded)
    }

    /// The same runtime, with calls that run in processes of their own.
    ///
    /// # Errors
    ///
    /// The first of them cannot be started.
    #[cfg(unix)]
    pub fn isolated(self, launch: Launch) -> Result<Self, RuntimeError> {
        let (most, memory) = (self.sandbox.size(), self.sandbox.memory());
        let processes = Processes::new(launch, most, memory, self.memory);
        let processes =
            Some(processes.map_err(|error| RuntimeError::NoProcess(error.to_string()))?);
        Ok(Self { processes, ..self })
    }

    fn with_bound(limits: &Limits, memory: MemoryBound) -> Self {
        let sandbox = Sandbox::with_memory(limits.get(Limit::Memory));
        Self { sandbox, processes: None, memory, limits: Arc::new(limits.clone()) }
    }

    /// Sandbox threads that were given up and still run.
    pub fn abandoned_threads(&self) -> usize {
        self.sandbox.abandoned()
    }

    /// Builds on a thread of its own what all engines have in common, for a process that is about to make
    /// its only call. Without that thread the call does it.
    pub fn warm_up(&self) {
        let thread = std::thread::Builder::new().name("peasy-warm".to_owned());
        let started = thread.spawn(|| {
            meter::widen_heap();
            drop(engine::runner(&[]));
        });
        if let Err(reason) = started {
            tracing::debug!(%reason, "the engine is built by the call");
        }
    }

    /// The functions of the host that a script can name.
    pub fn known() -> &'static Known {
        static KNOWN: OnceLock<Known> = OnceLock::new();
        KNOWN.get_or_init(|| {
            let all = engine::runner(&[]);
            Known::collect(&all, host::modules())
        })
    }

    /// Reads features, each on its own: what is wrong with one leaves the others. The order of the
    /// answers is that of the locations.
    pub fn read(&self, locations: &[Location]) -> Vec<ReadOutcome> {
        self.spread(locations, |part| self.read_part(part))
    }

    /// As [`Self::read`]; what `cache` knows of these very texts is not parsed again, and it learns the
    /// others.
    pub fn read_with(&self, locations: &[Location], cache: &mut Cache) -> Vec<ReadOutcome> {
        let most = self.limits.get(Limit::Source);
        let known = &*cache;
        let recalled = self.spread(locations, |part| known.recall(part, most));
        let is_new = |(location, recalled): (&Location, &Option<Recalled>)| {
            recalled.is_none().then(|| location.clone())
        };
        let new: Vec<_> = locations.iter().zip(&recalled).filter_map(is_new).collect();
        let mut fresh = new.iter().zip(self.read(&new));
        let all = recalled.into_iter().filter_map(|recalled| match recalled {
            Some(recalled) => Some(cache.keep(recalled)),
            None => fresh.next().map(|(location, outcome)| {
                cache.add(location, &outcome);
                outcome
            }),
        });
        all.collect()
    }

    /// What `act` makes of all `locations`, in their order, on as many threads as scripts have.
    fn spread<T: Send>(
        &self,
        locations: &[Location],
        act: impl Fn(&[Location]) -> Vec<T> + Sync,
    ) -> Vec<T> {
        // A hand-over for each part and not for each feature, and parts small enough that no thread
        // is left with more than the others.
        let share = locations.len().div_ceil(self.sandbox.size()).clamp(1, MOST_AT_ONCE);
        let parts: Vec<_> = locations.chunks(share).collect();
        let next = AtomicUsize::new(0);
        let take = || {
            let mut done = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(part) = parts.get(index) else { return done };
                done.push((index, act(part)));
            }
        };
        let threads = parts.len().min(self.sandbox.size());
        let mut done: Vec<_> = match threads {
            0 | 1 => take(),
            _ => std::thread::scope(|scope| {
                // This thread takes part.
                let begin = || {
                    meter::widen_heap();
                    take()
                };
                let others: Vec<_> = (1..threads).map(|_| scope.spawn(begin)).collect();
                let mut done = take();
                for other in others {
                    done.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
                }
                done
            }),
        };
        done.sort_by_key(|(index, _)| *index);
        done.into_iter().flat_map(|(_, outcomes)| outcomes).collect()
    }

    /// Reads a feature whose files were read before, as they were then.
    pub fn read_pinned(&self, pinned: Pinned, source: FeatureSource) -> ReadOutcome {
        let deadline = Instant::now() + READ_TIME;
        let (memory, limits) = (self.memory, Arc::clone(&self.limits));
        let read = self.sandbox.run(deadline, move |thread| {
            bounded_reading(memory, thread, || {
                let known = Self::known();
                Script::read_pinned(&pinned, source, known, &limits, &meter::reading_tick)
            })
        });
        read.unwrap_or_else(|error| {
            let diagnostics = vec![explain::sandbox(&error, &self.limits)];
            ReadOutcome { script: None, diagnostics, tree: None }
        })
    }

    fn read_part(&self, locations: &[Location]) -> Vec<ReadOutcome> {
        let deadline =
            Instant::now() + READ_TIME * u32::try_from(locations.len()).unwrap_or(u32::MAX);
        let jobs = locations.to_vec();
        let (memory, limits) = (self.memory, Arc::clone(&self.limits));
        let read = self.sandbox.run(deadline, move |thread| {
            jobs.iter().map(|job| read_one(job, memory, &limits, thread)).collect()
        });
        read.unwrap_or_else(|error| self.read_singly(locations, &error))
    }

    /// A native that hangs or panics while reading one feature must not take the others with it.
    fn read_singly(&self, locations: &[Location], error: &SandboxError) -> Vec<ReadOutcome> {
        if let [location] = locations {
            let diagnostic =
                explain::sandbox(error, &self.limits).in_file(location.path.display().to_string());
            return vec![ReadOutcome { script: None, diagnostics: vec![diagnostic], tree: None }];
        }
        locations.iter().flat_map(|one| self.read_part(std::slice::from_ref(one))).collect()
    }

    /// Lays a script out as `peasy fmt` does; `name` stands in diagnostics.
    ///
    /// # Errors
    ///
    /// It cannot be parsed, or would mean something else.
    pub fn format(&self, name: &str, text: &str) -> Result<String, Box<Diagnostic>> {
        let (script, source, memory) = (name.to_owned(), text.to_owned(), self.memory);
        let done = self.sandbox.run(Instant::now() + FORMAT_TIME, move |thread| {
            meter::begin(reading(memory, FORMAT_TIME));
            let laid_out = format::format(&script, &source, meter::reading_tick);
            wear(thread, &meter::end());
            laid_out
        });
        done.unwrap_or_else(|error| {
            Err(explain::sandbox(&error, &self.limits).in_file(name.to_owned()).into())
        })
    }

    /// A script as a feature module, ready for the registry.
    pub fn feature(&self, script: Script) -> ScriptFeature {
        let (runtime, last) = (self.clone(), Mutex::default());
        ScriptFeature { runtime, script: Arc::new(script), last }
    }

    pub(super) fn runnable(
        &self,
        script: &Script,
        grants: GrantSet,
        channels: Arc<[ChannelName]>,
    ) -> Arc<Runnable> {
        let requests = script.descriptor.requests.iter();
        let program = Program {
            tree: Arc::clone(&script.tree),
            grants: Arc::new(grants),
            requested: requests.map(|request| request.capability.clone()).collect(),
        };
        Arc::new(Runnable {
            program: Arc::new(program),
            sandbox: self.sandbox.clone(),
            processes: self.processes.clone(),
            channels,
            memory: self.memory,
            health: Default::default(),
        })
    }
}

fn read_one(
    location: &Location,
    memory: MemoryBound,
    limits: &Limits,
    thread: &mut Instances,
) -> ReadOutcome {
    bounded_reading(memory, thread, || {
        let source = location.source.clone();
        let known = ScriptRuntime::known();
        match location.built_in_name() {
            Some(name) => {
                let text = builtin::text(name).unwrap_or_default();
                let name = location.path.display().to_string();
                Script::read_text(&name, text, source, known, limits, &meter::reading_tick)
            }
            None => Script::read(&location.path, source, known, limits, &meter::reading_tick),
        }
    })
}

fn bounded_reading(
    memory: MemoryBound,
    thread: &mut Instances,
    read: impl FnOnce() -> ReadOutcome,
) -> ReadOutcome {
    meter::begin(reading(memory, READ_TIME));
    let mut outcome = read();
    check_guards(&mut outcome);
    wear(thread, &meter::end());
    outcome
}

/// The bounds of what only parses.
fn reading(memory: MemoryBound, time: Duration) -> meter::Bounds {
    meter::Bounds {
        operations: u64::MAX,
        memory: (memory == MemoryBound::Metered).then_some(PARSE_MEMORY),
        deadline: Instant::now() + time,
        stop: Arc::new(AtomicBool::new(false)),
    }
}

/// Adds what only compiling for a call would find: a `switch` that cannot be guarded.
fn check_guards(outcome: &mut ReadOutcome) {
    let (Some(tree), Some(_)) = (&outcome.tree, &outcome.script) else { return };
    let files = std::iter::once(&tree.main).chain(tree.modules.values());
    let problems: Vec<_> = files
        .filter(|file| file.text.contains("switch"))
        .filter_map(|file| {
            let compiled = Draft::new(&file.text).and_then(|draft| draft.compile(None, true));
            Some(explain::source(&compiled.err()?, file))
        })
        .collect();
    if !problems.is_empty() {
        outcome.script = None;
        outcome.diagnostics.extend(problems);
    }
}

/// A script behind the door of the registry.
pub struct ScriptFeature {
    runtime: ScriptRuntime,
    script: Arc<Script>,
    /// What runs it in the catalog that it was installed in last: one that comes after it takes this
    /// over, with what threads keep ready of it and with its record, where the grants are the same.
    last: Mutex<Option<Arc<Runnable>>>,
}

impl ScriptFeature {
    /// The script as it was read.
    pub fn script(&self) -> &Script {
        &self.script
    }

    fn runnable(&self, grants: &GrantSet) -> Arc<Runnable> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some(last) if *last.program.grants == *grants => Arc::clone(last),
            _ => {
                let declared = &self.script.descriptor.channels;
                let channels = declared.iter().map(|channel| channel.name.clone()).collect();
                let new = self.runtime.runnable(&self.script, grants.clone(), channels);
                *last = Some(Arc::clone(&new));
                new
            }
        }
    }
}

impl FeatureModule for ScriptFeature {
    fn descriptor(&self) -> FeatureDescriptor {
        FeatureDescriptor::clone(&self.script.descriptor)
    }

    fn shared_descriptor(&self) -> Arc<FeatureDescriptor> {
        Arc::clone(&self.script.descriptor)
    }

    fn install(&self, context: &mut FeatureInstallContext<'_>) -> Result<(), FeatureInstallError> {
        let runnable = self.runnable(context.grants);
        for channel in &self.script.descriptor.channels {
            context.events.declare(&channel.name)?;
        }
        for tool in &self.script.tools {
            let entry = Entry {
                module: None,
                function: tool.function.clone(),
                arity: tool.parameters.len(),
            };
            let runnable = Arc::clone(&runnable);
            let tool = ToolContribution::new(tool.name.clone(), ScriptTool { runnable, entry });
            context.tools.register(tool)?;
        }
        for hook in &self.script.hooks {
            let entry = Entry { module: None, function: hook.function.clone(), arity: 1 };
            let runnable = Arc::clone(&runnable);
            let hook = HookContribution::new(
                hook.name.clone(),
                ScriptHook { limits: Arc::clone(&self.runtime.limits), runnable, entry },
            );
            context.hooks.register(hook)?;
        }
        Ok(())
    }
}

struct ScriptTool {
    runnable: Arc<Runnable>,
    entry: Entry,
}

impl Tool for ScriptTool {
    fn call(&self, arguments: Arguments, context: &CallContext) -> Outcome {
        let arguments = arguments.into_values().collect();
        let Invocation { result, notices, receipt, .. } =
            self.runnable.invoke::<ToolResult>(&self.entry, Given::Arguments(arguments), context);
        let form = result.as_ref().map_or(ResultForm::Value, |result| result.form);
        Outcome { result: result.map(|result| result.value), form, notices, receipt }
    }

    fn narrowed(&self, grants: &GrantSet) -> Option<Arc<dyn Tool>> {
        let Runnable { program, sandbox, processes, channels, memory, health: _ } = &*self.runnable;
        let program = Program {
            tree: Arc::clone(&program.tree),
            grants: Arc::new(grants.clone()),
            requested: program.requested.clone(),
        };
        let runnable = Runnable {
            program: Arc::new(program),
            sandbox: sandbox.clone(),
            processes: processes.clone(),
            channels: Arc::clone(channels),
            memory: *memory,
            health: Default::default(),
        };
        Some(Arc::new(Self { runnable: Arc::new(runnable), entry: self.entry.clone() }))
    }

    /// Points at the tool's `@returns`, or at its function where it has none.
    fn locate(&self, problem: Diagnostic) -> Diagnostic {
        let file = &self.runnable.program.tree.main;
        let problem = problem.in_file(file.name.clone());
        let Some(function) = file.head_of(&self.entry.function) else { return problem };
        let lines: Vec<_> = file.text.lines().take(function.line as usize - 1).collect();
        let returns = lines
            .iter()
            .enumerate()
            .rev()
            .take_while(|(_, line)| line.trim_start().starts_with("///"))
            .find_map(|(index, line)| Some((index, line, line.find("@returns")?)));
        let span = returns.map_or(function, |(index, line, start)| {
            let column = line[..start].chars().count() + 1;
            Span::new(index + 1, column, line[start..].trim_end().chars().count())
        });
        problem.at(span, "")
    }
}

/// How much more than the bound a result may be while it is converted: the catalog, which checks
/// it, says by how much it is too large.
const RESULT_SLACK: u64 = 2;

/// What a tool's function returned.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ToolResult {
    pub value: Value,
    pub form: ResultForm,
}

impl ToolResult {
    fn value(value: Value) -> Self {
        Self { value, form: ResultForm::Value }
    }
}

impl Returned for ToolResult {
    const ROLE: Role = Role::Tool;

    fn of(returned: &Dynamic, limits: &Limits) -> Result<Self, Diagnostic> {
        // Text is cut later, with a word about it, so it passes whole here.
        if let Some(text) = returned.read_lock::<rhai::ImmutableString>() {
            return Ok(Self::value(Value::String(text.to_string())));
        }
        let bytes = limits.get(Limit::Result).saturating_mul(RESULT_SLACK);
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let refused = |why: &dyn std::fmt::Display| {
            let message = format!("the result cannot be given back: {why}");
            Diagnostic::author("result/not-json", message)
        };
        if let Some(content) = content::returned(returned, bytes) {
            let content = content.map_err(|why| refused(&why))?;
            let value = serde_json::to_value(content).map_err(|why| refused(&why))?;
            return Ok(Self { value, form: ResultForm::Content });
        }
        let value = value::to_json(returned, value::Budget::of_bytes(bytes));
        value.map(Self::value).map_err(|error| refused(&error))
    }
}

struct ScriptHook {
    /// The bounds of the host, for what is said of a thread that did not end.
    limits: Arc<Limits>,
    runnable: Arc<Runnable>,
    entry: Entry,
}

impl Hook for ScriptHook {
    fn decide(&self, event: &Arc<Value>, context: &CallContext) -> HookOutcome {
        let event = Given::Event(Arc::clone(event));
        let Invocation { result, notices, diagnostics, receipt } =
            self.runnable.invoke(&self.entry, event, context);
        HookOutcome { decision: result, notices, diagnostics, receipt }
    }

    /// In a process of its own each is handed over by itself.
    fn threads(&self) -> Option<Arc<dyn HookThreads>> {
        let Runnable { sandbox, processes: None, .. } = &*self.runnable else { return None };
        let (sandbox, limits) = (sandbox.clone(), Arc::clone(&self.limits));
        Some(Arc::new(lend::Threads { sandbox, limits }))
    }
}

impl Returned for Decision {
    const ROLE: Role = Role::Hook;

    fn of(returned: &Dynamic, _: &Limits) -> Result<Self, Diagnostic> {
        let decision = match returned.read_lock::<Self>() {
            Some(decision) => decision.clone(),
            None => Self::Proceed,
        };
        if !returned.is_unit() && !returned.is::<Self>() {
            let given = value::type_label(returned);
            return Err(Diagnostic::author(
                "hook/decision-type",
                format!("the hook returned a value of type {given}, which is no decision"),
            )
            .help("return `deny(…)`, `ask(…)`, `answer(…)`, or nothing to let it pass"));
        }
        if super::frame::decided_stricter_than(&decision) {
            return Err(Diagnostic::author(
                "hook/decision-dropped",
                "the hook made a decision and did not return it",
            )
            .help(
                "write `return deny(…);`, or make the decision the last expression without a semicolon",
            ));
        }
        Ok(decision)
    }
}
