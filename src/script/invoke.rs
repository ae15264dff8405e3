//! One call of one function: bounds in force, arguments in, result out, everything dropped before
//! the answer leaves the thread.
//!
//! This is the only way into a script. What a call may do was decided before.

use super::call::{CompileError, Entry, Instance, Instances, Program};
use super::compile::PARSE_MEMORY;
use super::explain::{self, Explainer};
use super::frame::{self, Frame, Role};
#[cfg(unix)]
use super::isolate::process::Ended;
use super::isolate::process::Processes;
use super::lend;
use super::meter::{self, Bounds, End, Spent};
use super::sandbox::{Overdue, Sandbox, SandboxError, panic_text};
use super::value;
use crate::diagnostic::Diagnostic;
use crate::feature::call::{CallContext, Failure, Headroom, Receipt};
use crate::feature::id::ChannelName;
use crate::limit::{Limit, Limits};
use rhai::{Dynamic, EvalAltResult};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Bytes that a feature may leave behind in all before it is quarantined. A healthy one leaves
/// nothing, as far as the size of its resolution caches can be told.
const LEAK_BOUND: i64 = 512 * 1024;

/// A program with its record of behaviour; shared by all of a feature's contributions.
pub(crate) struct Runnable {
    pub program: Arc<Program>,
    pub sandbox: Sandbox,
    /// Where calls run instead, if the host wants them out of its own process.
    pub processes: Option<Processes>,
    pub channels: Arc<[ChannelName]>,
    pub memory: MemoryBound,
    pub health: Health,
}

/// Whether calls have a memory bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryBound {
    /// The allocator counts, and calls that hold too much end.
    Metered,
    /// The host opted out.
    Unbounded,
}

/// What a feature's calls left behind, and whether it may still run.
#[derive(Default)]
pub(crate) struct Health {
    leaked: AtomicI64,
    quarantine: OnceLock<String>,
    /// The last of its calls that did not end in time.
    overdue: Mutex<Option<Overdue>>,
}

/// Why a feature may not run now.
enum Unfit {
    Quarantined(String),
    /// A call of before has not ended.
    StillRunning,
}

impl Health {
    fn record(&self, left_behind: i64) {
        // One call cannot make up for what another left.
        let left_behind = left_behind.max(0);
        let leaked = self.leaked.fetch_add(left_behind, Ordering::Relaxed) + left_behind;
        if leaked > LEAK_BOUND {
            self.condemn(format!("its calls left {leaked} bytes behind that nothing can free"));
        }
    }

    fn condemn(&self, reason: String) {
        if self.quarantine.set(reason).is_ok() {
            tracing::warn!("a feature was quarantined");
        }
    }

    /// Whether the feature may run.
    fn examine(&self) -> Result<(), Unfit> {
        let overdue = self.overdue.lock().unwrap_or_else(PoisonError::into_inner);
        if overdue.as_ref().is_some_and(Overdue::is_abandoned) {
            self.condemn("a native function of its call did not stop".to_owned());
        }
        if let Some(reason) = self.quarantine.get() {
            return Err(Unfit::Quarantined(reason.clone()));
        }
        if overdue.as_ref().is_some_and(Overdue::is_running) {
            return Err(Unfit::StillRunning);
        }
        Ok(())
    }

    pub(super) fn is_overdue(&self, job: Overdue) {
        *self.overdue.lock().unwrap_or_else(PoisonError::into_inner) = Some(job);
    }
}

/// The peak of memory after which a thread is not kept: heap and stack pages that a call touched
/// stay with its thread, and a new one costs less than such a call.
const WEAR: u64 = 8 << 20;

/// Marks the thread as worn where work on it was heavy. A kill may also leave a half-filled cache
/// behind, and deep recursion its stack.
pub(super) fn wear(instances: &mut Instances, spent: &Spent) {
    if spent.killed.is_some() || spent.asked || spent.peak_memory > WEAR {
        instances.wear_out();
    }
}

/// What came of one call, before it is an outcome or a decision.
pub(crate) struct Invocation<T> {
    pub result: Result<T, Failure>,
    pub notices: Vec<String>,
    pub diagnostics: Vec<Diagnostic>,
    pub receipt: Receipt,
}

impl<T> Invocation<T> {
    fn refused(diagnostic: Diagnostic) -> Self {
        Self {
            result: Err(diagnostic.into()),
            notices: Vec::new(),
            diagnostics: Vec::new(),
            receipt: Receipt::default(),
        }
    }
}

/// What a function is called with.
pub(crate) enum Given {
    /// These arguments.
    Arguments(Vec<Value>),
    /// An event, which other hooks are asked about as well.
    Event(Arc<Value>),
}

impl Given {
    fn into_values(self) -> Vec<Value> {
        match self {
            Self::Arguments(values) => values,
            Self::Event(event) => vec![Arc::unwrap_or_clone(event)],
        }
    }

    fn to_script(&self) -> frame::Native<Vec<Dynamic>> {
        match self {
            Self::Arguments(values) => values.iter().map(value::from_json).collect(),
            Self::Event(event) => lend::event(event).map(|event| vec![event]),
        }
    }
}

/// What a call gives back. Its type says what the function is called as.
pub(crate) trait Returned: Serialize + DeserializeOwned + Send + 'static {
    const ROLE: Role;

    /// Makes it of what the function returned, on the sandbox thread.
    ///
    /// # Errors
    ///
    /// The function returned something else.
    fn of(returned: &Dynamic, limits: &Limits) -> Result<Self, Diagnostic>;
}

impl Runnable {
    /// Calls `entry` and waits for its answer.
    pub(crate) fn invoke<T: Returned>(
        self: &Arc<Self>,
        entry: &Entry,
        arguments: Given,
        context: &CallContext,
    ) -> Invocation<T> {
        if let Err(reason) = self.health.examine() {
            return Invocation::refused(unfit(&reason));
        }
        let begun = Instant::now();
        let mut invocation = match &self.processes {
            None => self.invoke_here(entry, arguments, context),
            Some(processes) => self.invoke_in(processes, entry, arguments.into_values(), context),
        };
        invocation.receipt.elapsed = begun.elapsed();
        invocation
    }

    /// Calls on a sandbox thread of this process.
    fn invoke_here<T: Returned>(
        self: &Arc<Self>,
        entry: &Entry,
        arguments: Given,
        context: &CallContext,
    ) -> Invocation<T> {
        let call = Call::new(Arc::clone(self), entry.clone(), context.clone());
        let run = move |instances: &mut Instances| {
            // The arguments belong to the caller's thread: the call takes a copy that is counted
            // as its own, and the originals go after the count.
            let invocation = call.run(instances, &arguments);
            drop(arguments);
            invocation
        };
        let answer = match lend::run(self, run) {
            Ok(invocation) => return invocation,
            Err(run) => self.sandbox.run(context.deadline, run),
        };
        answer.unwrap_or_else(|error| {
            let diagnostic = explain::sandbox(&error, &context.limits);
            if let SandboxError::Overdue(job) = error {
                self.health.is_overdue(job);
            }
            Invocation::refused(diagnostic)
        })
    }

    /// Calls in a process of its own.
    #[cfg(unix)]
    fn invoke_in<T: Returned>(
        &self,
        processes: &Processes,
        entry: &Entry,
        arguments: Vec<Value>,
        context: &CallContext,
    ) -> Invocation<T> {
        let (program, channels) = (&self.program, &self.channels);
        match processes.call(program, channels, T::ROLE, entry, arguments, context) {
            Ok(Ended { result, notices, diagnostics, receipt, .. }) => {
                let read = |value| {
                    serde_json::from_value(value)
                        .map_err(|error| Diagnostic::host("host/lost", error.to_string()).into())
                };
                Invocation { result: result.and_then(read), notices, diagnostics, receipt }
            }
            Err(error) => Invocation::refused(explain::process(&error, &context.limits)),
        }
    }
}

impl Runnable {
    /// Elsewhere there are no such processes.
    #[cfg(not(unix))]
    fn invoke_in<T: Returned>(
        &self,
        processes: &Processes,
        _: &Entry,
        _: Vec<Value>,
        _: &CallContext,
    ) -> Invocation<T> {
        match *processes {}
    }
}

/// One call, ready to run on a sandbox thread.
pub(crate) struct Call {
    runnable: Arc<Runnable>,
    entry: Entry,
    context: CallContext,
}

impl Call {
    pub(crate) fn new(runnable: Arc<Runnable>, entry: Entry, context: CallContext) -> Self {
        Self { runnable, entry, context }
    }

    /// The name of the function.
    #[cfg(unix)]
    pub(crate) fn function(&self) -> &str {
        &self.entry.function
    }

    pub(crate) fn run<T: Returned>(
        self,
        instances: &mut Instances,
        arguments: &Given,
    ) -> Invocation<T> {
        let started = Instant::now();
        if let Given::Event(event) = arguments {
            lend::keep(event);
        }
        if let Err(diagnostic) = self.prepare(instances) {
            return Invocation::refused(diagnostic);
        }
        let kept_before = self.kept(instances);
        let limits = &self.context.limits;
        let memory = limits.get(Limit::Memory).min(self.runnable.sandbox.memory());
        meter::begin(self.bounds(limits.get(Limit::Operations), memory));
        frame::enter(Frame::new(
            T::ROLE,
            self.context.clone(),
            Arc::clone(&self.runnable.program.grants),
            Arc::clone(&self.runnable.channels),
        ));
        let run = AssertUnwindSafe(|| self.evaluate(instances, arguments));
        let result = catch_unwind(run);
        let left = frame::leave();
        let mut spent = meter::end();
        // What the thread keeps of the function is no leak: it goes with the instance.
        spent.left_behind -= self.kept(instances) - kept_before;
        self.runnable.health.record(spent.left_behind);
        wear(instances, &spent);
        let result = result.unwrap_or_else(|payload| {
            // A panic may have left kept state in the middle of a change.
            instances.clear();
            instances.wear_out();
            let error = SandboxError::Panicked(panic_text(&*payload));
            Err(explain::sandbox(&error, &self.context.limits))
        });
        let failed = result.is_err();
        let question = left.question.filter(|_| spent.asked).map(Box::new);
        Invocation {
            result: result
                .map_err(|diagnostic| Failure { diagnostics: vec![diagnostic], question }),
            notices: if failed { Vec::new() } else { left.notices },
            diagnostics: left.diagnostics,
            receipt: self.receipt(&spent, started.elapsed(), left.dropped),
        }
    }

    /// The bytes that this thread keeps of the function between calls.
    fn kept(&self, instances: &mut Instances) -> i64 {
        let instance = instances.ready(&self.runnable.program);
        instance.map_or(0, |instance| instance.kept(&self.entry) as i64)
    }

    /// Compiles the program and readies the function, where this thread has not done it before.
    fn prepare(&self, instances: &mut Instances) -> Result<(), Diagnostic> {
        meter::begin(self.bounds(u64::MAX, PARSE_MEMORY));
        let ready = instances
            .get(&self.runnable.program)
            .and_then(|instance| instance.prepare(&self.entry))
            .map_err(|error: CompileError| self.explainer(None).uncompiled(&error));
        wear(instances, &meter::end());
        ready
    }

    fn evaluate<T: Returned>(
        &self,
        instances: &mut Instances,
        arguments: &Given,
    ) -> Result<T, Diagnostic> {
        let instance = instances
            .get(&self.runnable.program)
            .map_err(|error| meter::handing_out(|| self.explainer(None).uncompiled(&error)))?;
        let limits = &self.context.limits;
        let depth = usize::try_from(limits.get(Limit::CallDepth)).unwrap_or(usize::MAX);
        let result =
            arguments.to_script().and_then(|values| instance.call(&self.entry, values, depth));
        // A kill holds even where a native or a `try` made something else of it.
        if let (Ok(_), Some(end)) = (&result, meter::over()) {
            return meter::handing_out(|| Err(self.ended(end)));
        }
        match result {
            Ok(value) => {
                let value = value.flatten();
                // The value itself is dropped outside, where what stays of it is a leak.
                meter::handing_out(|| {
                    T::of(&value, limits).map_err(|diagnostic| self.in_function(diagnostic))
                })
            }
            Err(error) => meter::handing_out(|| self.fail(&error, instance)),
        }
    }

    fn fail<T>(&self, error: &EvalAltResult, instance: &Instance) -> Result<T, Diagnostic> {
        Err(self.cancelled().unwrap_or_else(|| self.explainer(Some(instance)).explain(error)))
    }

    /// A call that was ended, where no error tells the place.
    fn ended(&self, end: End) -> Diagnostic {
        self.cancelled().unwrap_or_else(|| self.explainer(None).ended(end))
    }

    fn cancelled(&self) -> Option<Diagnostic> {
        let was = self.context.cancel.is_cancelled() && meter::killed() == Some(Limit::Time);
        was.then(|| Diagnostic::caller("call/cancelled", "the call was cancelled"))
    }

    /// A problem with what the function returned: it points at the function.
    fn in_function(&self, diagnostic: Diagnostic) -> Diagnostic {
        let Some(file) = self.runnable.program.tree.file(self.entry.module.as_deref()) else {
            return diagnostic;
        };
        let diagnostic = diagnostic.in_file(file.name.clone());
        match file.head_of(&self.entry.function) {
            Some(span) => diagnostic.at(span, ""),
            None => diagnostic,
        }
    }

    fn explainer<'a>(&'a self, instance: Option<&'a Instance>) -> Explainer<'a> {
        Explainer {
            instance,
            tree: &self.runnable.program.tree,
            limits: &self.context.limits,
            module: self.entry.module.as_deref(),
        }
    }

    fn bounds(&self, operations: u64, memory: u64) -> Bounds {
        Bounds {
            operations,
            memory: (self.runnable.memory == MemoryBound::Metered).then_some(memory),
            deadline: self.context.deadline,
            stop: self.context.cancel.flag(),
        }
    }

    fn receipt(&self, spent: &Spent, time: Duration, dropped_messages: u64) -> Receipt {
        let limits = &self.context.limits;
        let left = |used: u64, limit: Limit| {
            let bound = limits.get(limit).max(1);
            u8::try_from(100 - used.min(bound).saturating_mul(100) / bound).unwrap_or(0)
        };
        let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Receipt {
            operations: spent.operations,
            time,
            peak_memory: spent.peak_memory,
            leaked_memory: u64::try_from(spent.left_behind).unwrap_or(0),
            dropped_messages,
            headroom: Headroom {
                operations: left(spent.operations, Limit::Operations),
                time: left(milliseconds, Limit::Time),
                memory: left(spent.peak_memory, Limit::Memory),
            },
            ..Receipt::default()
        }
    }
}

fn unfit(reason: &Unfit) -> Diagnostic {
    match reason {
        Unfit::Quarantined(reason) => Diagnostic::author(
            "feature/quarantined",
            format!("the feature is quarantined: {reason}"),
        )
        .help("mend the script and load it again; a value that holds itself, through a closure, is never freed"),
        Unfit::StillRunning => Diagnostic::operator(
            "call/busy",
            "a call of this feature passed its deadline and has not ended yet",
        )
        .help("call again in a moment"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Span;
    use crate::feature::call::{Cancel, Conditions};
    use crate::feature::event::Silent;
    use crate::feature::grant::GrantSet;
    use crate::feature::id::FeatureId;
    use crate::feature::transaction::Detached;
    use crate::script::runtime::ToolResult;
    use crate::script::source::{ImportEdge, SourceFile, SourceTree};
    use serde_json::json;
    use std::collections::BTreeMap;

    fn file(name: &str, text: &str) -> Arc<SourceFile> {
        Arc::new(SourceFile { name: name.into(), path: name.into(), text: text.into() })
    }

    /// A main file that imports `parts`, each under its own name.
    fn runnable(main: &str, parts: &[(&str, &str)]) -> Arc<Runnable> {
        let imports = parts.iter().map(|(name, _)| ImportEdge {
            from: None,
            path: (*name).into(),
            alias: (*name).into(),
            module: (*name).into(),
            span: Span::new(1, 1, 1),
        });
        let tree = SourceTree {
            main: file("main.rhai", main),
            modules: parts
                .iter()
                .map(|(name, text)| ((*name).to_owned(), file(name, text)))
                .collect::<BTreeMap<_, _>>(),
            imports: imports.collect(),
            digest: String::new(),
            root: "/".into(),
        };
        Arc::new(Runnable {
            program: Arc::new(Program {
                tree: Arc::new(tree),
                grants: Arc::new(GrantSet::none()),
                requested: Vec::new(),
            }),
            sandbox: Sandbox::new(1, Limit::Memory.default_value()),
            processes: None,
            channels: Arc::new([]),
            memory: MemoryBound::Metered,
            health: Health::default(),
        })
    }

    fn call_with(
        runnable: &Arc<Runnable>,
        function: &str,
        arguments: Vec<Value>,
        limits: Limits,
    ) -> Invocation<Value> {
        let entry = Entry { module: None, function: function.into(), arity: arguments.len() };
        let deadline = Instant::now() + Duration::from_millis(limits.get(Limit::Time));
        let context = CallContext {
            feature: Arc::new(FeatureId::builtin("trial").expect("a name")),
            limits: Arc::new(limits),
            sink: Arc::new(Silent),
            cancel: Cancel::default(),
            answers: Arc::new([]),
            conditions: Conditions { now: Some(0), seed: 1 },
            deadline,
            transaction: Arc::new(Detached),
        };
        let Invocation { result, notices, diagnostics, receipt } =
            runnable.invoke::<ToolResult>(&entry, Given::Arguments(arguments), &context);
        Invocation { result: result.map(|result| result.value), notices, diagnostics, receipt }
    }

    fn call(
        runnable: &Arc<Runnable>,
        function: &str,
        arguments: Vec<Value>,
    ) -> Result<Value, String> {
        let invocation = call_with(runnable, function, arguments, Limits::default());
        invocation.result.map_err(|failure| failure.diagnostics[0].to_string())
    }

    #[test]
    fn constants_are_read_by_bare_name_everywhere() {
        let runnable = runnable(
            r#"
            const LIMIT = 3; const LIST = [1, [2]]; const MAP = #{ a: #{ b: 4 } };
            fn helper() { LIMIT * 10 }
            fn closure() { let f = |x| x + LIMIT; [1, 2].map(f) }
            fn nested() { let f = |x| { let g = |y| y + LIMIT; g.call(x) }; f.call(1) }
            fn all() { [LIMIT, global::LIMIT, LIST[1][0], MAP.a.b, helper(), closure(), nested()] }
            fn shadowed(LIMIT) { LIMIT }
            fn lent() { part::apply(|x| x + LIMIT, 1) }
            fn theirs() { [part::limit(), LIMIT, part::LIMIT] }
            fn change() { LIMIT = 4; }
            "#,
            &[(
                "part",
                "const LIMIT = 100; fn apply(f, x) { f.call(x) } fn limit() { let f = |x| x + LIMIT; f.call(global::LIMIT) }",
            )],
        );
        let seen = call(&runnable, "all", vec![]);
        assert_eq!(seen, Ok(json!([3, 3, 2, 4, 30, [4, 5], 4])));
        assert_eq!(call(&runnable, "shadowed", vec![json!(7)]), Ok(json!(7)));
        assert_eq!(call(&runnable, "lent", vec![]), Ok(json!(4)));
        assert_eq!(call(&runnable, "theirs", vec![]), Ok(json!([200, 3, 100])));
        assert!(call(&runnable, "change", vec![]).is_err_and(|text| text.contains("constant")));
    }

    #[test]
    fn errors_point_into_the_right_file_and_column() {
        let runnable = runnable(
            "fn here(x) { switch x { 1 => 10 / (x - 1), _ => part::there(x) } }",
            &[("part", "\nfn there(x) {\n    throw \"no \" + x\n}")],
        );
        let text = |x| call(&runnable, "here", vec![json!(x)]).unwrap_err();
        assert_eq!(text(1), "main.rhai:1:33: error[script/arithmetic]: division by zero: 10 / 0");
        assert_eq!(text(2), "part:3:5: error[script/throw]: no 2");
    }

    #[test]
    fn a_limit_ends_the_call_and_no_script_can_catch_it() {
        let runnable = runnable(
            "fn spin() { loop { try { loop {} } catch {} } } fn grow() { let s = \"a\"; loop { s += s; } }
             fn deep(n) { deep(n + 1) } fn sorted() { [3, 2, 1].sort(|a, b| loop {}); 1 }",
            &[],
        );
        for (function, arguments, code) in [
            ("spin", vec![], "limit/operations"),
            ("grow", vec![], "limit/memory"),
            ("deep", vec![json!(1)], "limit/call-depth"),
            ("sorted", vec![], "limit/operations"),
        ] {
            let text = call(&runnable, function, arguments).unwrap_err();
            assert!(text.contains(code), "{function}: {text}");
        }
        assert_eq!(runnable.sandbox.abandoned(), 0);
    }

    #[test]
    fn a_deadline_is_kept_where_operations_are_not_the_bound() {
        let runnable = runnable("fn spin() { loop {} }", &[]);
        let mut limits = Limits::default();
        limits.set(Limit::Operations, 1_000_000_000).expect("below the ceiling");
        limits.set(Limit::Time, 50).expect("below the ceiling");
        let invocation = call_with(&runnable, "spin", vec![], limits);
        let failure = invocation.result.expect_err("it spins");
        assert_eq!(failure.diagnostics[0].code, "limit/time");
    }

    #[test]
    fn what_a_cycle_leaves_is_counted_and_the_feature_quarantined() {
        let runnable = runnable(
            "fn leak() { let s = \"a\"; s.pad(1000000, \"a\"); let m = #{ s: s + 1 }; let f = || m; m.f = f; 1 }
             fn clean(text) { #{ n: text.len(), parts: text.split(' ') } }",
            &[],
        );
        for _ in 0..200 {
            let text = json!("some words of a text ".repeat(100));
            assert!(call(&runnable, "clean", vec![text]).is_ok());
        }
        assert!(runnable.health.leaked.load(Ordering::Relaxed) < 32 * 1024);
        let first = call_with(&runnable, "leak", vec![], Limits::default());
        assert!(first.receipt.leaked_memory > 900_000);
        let again = call(&runnable, "leak", vec![]).unwrap_err();
        assert!(again.contains("feature/quarantined"), "{again}");
    }

    #[test]
    fn what_is_said_and_what_is_kept_is_no_leak() {
        let runnable = runnable(
            "fn say(text) { log::info(text); log::warn([text]); print(text); text.len() }
             fn heavy(n) { let s = \"a\"; s.pad(n, \"a\"); helper(s) } fn helper(s) { s.len() }
             fn many(x) { let n = 0; n += a(x); n += b(x); n += c(x).len(); `${n}${[n]}` }
             fn a(x) { x + 1 } fn b(x) { x * 2 } fn c(x) { [x].map(|y| y) }",
            &[],
        );
        for round in 0..200 {
            let text = json!("words of a text ".repeat(100));
            assert_eq!(call(&runnable, "say", vec![text]), Ok(json!(1600)));
            // Over the bound of wear: its thread ends, and the next call begins on a new one.
            assert_eq!(call(&runnable, "heavy", vec![json!(9_000_000)]), Ok(json!(9_000_000)));
            assert!(call(&runnable, "many", vec![json!(round)]).is_ok());
            assert!(call(&runnable, "many", vec![json!("text")]).is_err());
        }
        let leaked = runnable.health.leaked.load(Ordering::Relaxed);
        assert!(leaked < 32 * 1024, "{leaked} bytes");
    }

    #[test]
    fn a_panic_of_the_host_is_a_failure_that_is_accounted_for() {
        struct Panics;
        impl crate::feature::event::Sink for Panics {
            fn emit(&self, _: crate::feature::event::FeatureEvent) {
                std::panic::panic_any("a sink that panics");
            }
        }
        let runnable = runnable(
            "fn leak() { let s = \"a\"; s.pad(1000000, \"a\"); let m = #{ s: s }; let f = || m; m.f = f; log::info(1) }",
            &[],
        );
        let entry = Entry { module: None, function: "leak".into(), arity: 0 };
        let deadline = Instant::now() + Duration::from_secs(5);
        let context = CallContext {
            feature: Arc::new(FeatureId::builtin("trial").expect("a name")),
            limits: Arc::default(),
            sink: Arc::new(Panics),
            cancel: Cancel::default(),
            answers: Arc::new([]),
            conditions: Conditions { now: Some(0), seed: 1 },
            deadline,
            transaction: Arc::new(Detached),
        };
        let invoke =
            || runnable.invoke::<ToolResult>(&entry, Given::Arguments(Vec::new()), &context);
        let first = invoke();
        let failure = first.result.expect_err("the sink panics");
        assert_eq!(failure.diagnostics[0].code, "script/panic");
        assert!(first.receipt.leaked_memory > 900_000, "{:?}", first.receipt);
        let again = invoke().result.expect_err("it leaked");
        assert_eq!(again.diagnostics[0].code, "feature/quarantined");
    }

    #[test]
    fn a_first_line_for_the_shell_and_a_small_bound_of_memory_change_nothing() {
        let main =
            format!("#!/usr/bin/env peasy\nfn f(x) {{ `${{x}}` }}\n// {}", "x".repeat(50_000));
        let runnable = runnable(&main, &[]);
        let limits = Limits::default().lowered(&[(Limit::Memory, 64 * 1024)]);
        let invocation = call_with(&runnable, "f", vec![json!(1)], limits);
        assert_eq!(invocation.result, Ok(json!("1")));
    }

    #[test]
    fn arguments_are_held_against_the_bound_of_memory() {
        let runnable = runnable("fn f(x) { x.len() }", &[]);
        let many = json!(vec![json!({ "": 0 }); 100_000]);
        let failure = call(&runnable, "f", vec![many]).expect_err("tens of megabytes as values");
        assert!(failure.contains("limit/memory"), "{failure}");
    }

    #[test]
    fn exit_ends_the_call_from_anywhere() {
        let runnable = runnable(
            "fn f(x) { try { [1, 2].map(|y| exit(x)); } catch (e) { return 0; } 1 }
             fn g(x) { [2, 1].sort(|a, b| exit(x)); 1 } fn h(x) { assert_fails(|| exit(x)); 1 }",
            &[],
        );
        for function in ["f", "g", "h"] {
            assert_eq!(call(&runnable, function, vec![json!(7)]), Ok(json!(7)), "{function}");
        }
    }

    #[test]
    fn what_was_thrown_can_be_read() {
        let runnable = runnable(
            "fn f() { try { fail(\"too long\") } catch (e) { return `${e}|${e.message}|${type_of(e)}`; } }",
            &[],
        );
        assert_eq!(call(&runnable, "f", vec![]), Ok(json!("too long|too long|error")));
    }

    #[test]
    fn kept_state_does_not_remember_calls() {
        let runnable = runnable(
            "fn f(x) { let y = x; y += 1; y } fn g(x) { if x > 1 { return x; } f(x) }",
            &[],
        );
        for x in 0..50 {
            assert_eq!(call(&runnable, "f", vec![json!(x)]), Ok(json!(x + 1)));
            assert_eq!(
                call(&runnable, "g", vec![json!(x)]),
                Ok(json!(if x > 1 { x } else { x + 1 }))
            );
        }
    }
}
