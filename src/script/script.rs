//! One script as read: its descriptor, its files, and which function stands behind which
//! contribution.
//!
//! Reading never runs the script. What stands here is what the call shim needs; the planner sees
//! only the descriptor.

use super::analysis::{self, Analysis, Known, Use, Valueless};
use super::annotation::{self, Contribution, Declared};
use super::parse::Abort;
use super::source::{self, Loaded, Pinned, SourceTree};
use crate::diagnostic::{Diagnostic, Severity, Span};
use crate::feature::capability::Capability;
use crate::feature::descriptor::{CapabilityRequest, FeatureDescriptor, HookDeclaration, Need};
use crate::feature::hook::HookPoint;
use crate::feature::id::{FeatureSource, ToolName};
use crate::limit::{Limit, Limits};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

/// A feature written in Rhai, without an error that stands in its way.
#[derive(Debug, Clone)]
pub struct Script {
    /// What it declares.
    pub descriptor: Arc<FeatureDescriptor>,
    /// Its files.
    pub tree: Arc<SourceTree>,
    /// Its tools, in source order.
    pub tools: Vec<ToolEntry>,
    /// Its hooks, in source order.
    pub hooks: Vec<HookEntry>,
    /// Its tests, in source order, those of imported files after its own.
    pub tests: Vec<TestEntry>,
    /// Warnings and notes.
    pub diagnostics: Vec<Diagnostic>,
}

/// The function behind a tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolEntry {
    /// The declared name.
    pub name: ToolName,
    /// The function in the main file.
    pub function: String,
    /// The names of its parameters as the script writes them, trailing underscore included.
    pub parameters: Vec<String>,
}

/// The function behind a hook; it takes the event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookEntry {
    /// The declared name.
    pub name: String,
    /// The function in the main file.
    pub function: String,
}

/// A test function without parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestEntry {
    /// The function.
    pub function: String,
    /// The key of its module in [`SourceTree::modules`]; `None` is the main file.
    pub module: Option<String>,
    /// The file, as diagnostics name it.
    pub file: String,
    /// The line of the function's name.
    pub line: u32,
}

/// What came of reading: every diagnostic, and the script where no error stands in the way.
#[derive(Debug, Clone)]
pub struct ReadOutcome {
    /// The script; `None` when a diagnostic is an error.
    pub script: Option<Script>,
    /// Everything that was found, in the order of files and lines, at most as many as
    /// [`Limit::Diagnostics`] allows.
    pub diagnostics: Vec<Diagnostic>,
    /// The files that were read, as far as that went, so that pictures can be drawn of errors too.
    pub tree: Option<Arc<SourceTree>>,
}

impl ReadOutcome {
    /// The text of the file that a diagnostic's labels point into.
    pub fn source_text(&self, diagnostic: &Diagnostic) -> Option<Arc<str>> {
        self.tree.as_ref()?.text_of(diagnostic.file.as_deref()?)
    }
}

impl Script {
    /// Reads the feature at `path`: a `.rhai` file, or a folder with a `main.rhai`.
    ///
    /// `abort` is asked at every token, and a limit it names ends the reading. It borrows nothing:
    /// what it looks at belongs to the thread. Run this on a thread with a large stack, for the
    /// parser recurses.
    pub fn read<A>(
        path: &Path,
        source: FeatureSource,
        known: &Known,
        limits: &Limits,
        abort: &A,
    ) -> ReadOutcome
    where
        A: Fn() -> Option<Limit> + Copy + 'static,
    {
        read_by(source, known, limits, abort, |most, abort, problems| {
            source::load(path, most, abort, problems)
        })
    }

    /// Reads a feature whose files were read before, as they were then.
    pub fn read_pinned<A>(
        pinned: &Pinned,
        of: FeatureSource,
        known: &Known,
        limits: &Limits,
        abort: &A,
    ) -> ReadOutcome
    where
        A: Fn() -> Option<Limit> + Copy + 'static,
    {
        read_by(of, known, limits, abort, |most, abort, problems| {
            Some(source::load_pinned(pinned, most, abort, problems))
        })
    }

    /// Reads a text that lies in no file. It can import the embedded library alone.
    pub fn read_text<A>(
        name: &str,
        text: &str,
        source: FeatureSource,
        known: &Known,
        limits: &Limits,
        abort: &A,
    ) -> ReadOutcome
    where
        A: Fn() -> Option<Limit> + Copy + 'static,
    {
        read_by(source, known, limits, abort, |most, abort, problems| {
            source::load_text(name, text, most, abort, problems)
        })
    }
}

/// Reads what `load` brings, wherever that is from.
fn read_by<A>(
    source: FeatureSource,
    known: &Known,
    limits: &Limits,
    abort: &A,
    load: impl FnOnce(u64, &Abort, &mut Vec<Diagnostic>) -> Option<Loaded>,
) -> ReadOutcome
where
    A: Fn() -> Option<Limit> + Copy + 'static,
{
    let abort: Abort = Rc::new(*abort);
    let mut problems = Vec::new();
    let loaded = load(limits.get(Limit::Source), &abort, &mut problems);
    finish(loaded, source, known, limits, problems)
}

fn finish(
    loaded: Option<Loaded>,
    source: FeatureSource,
    known: &Known,
    limits: &Limits,
    mut problems: Vec<Diagnostic>,
) -> ReadOutcome {
    let Some(loaded) = loaded else {
        return ReadOutcome { script: None, diagnostics: bounded(problems, limits), tree: None };
    };
    let main = &loaded.tree.main;
    let declared = annotation::read(&loaded.main, &main.path, source, &mut problems);
    let mut tests = tests_of(&declared.contributions.tests, None, &main.name);
    for (key, parsed) in &loaded.modules {
        let found = annotation::read_imported(parsed, &mut problems);
        // The library's own tests are not the feature's.
        if !source::is_library(key) {
            tests.extend(tests_of(&found, Some(key), &parsed.file.name));
        }
    }
    let requests = &declared.descriptor.requests;
    let analysis = analysis::analyse(&loaded, known, requests, &mut problems);
    unused_requests(&declared, &analysis, known, &loaded, &mut problems);
    unreachable_hosts(&declared, &loaded, &mut problems);
    misplaced_decisions(&declared, &analysis, &loaded, &mut problems);
    valueless_tools(&declared, &analysis, &loaded, &mut problems);
    if !problems.iter().any(Diagnostic::is_error) {
        problems.extend(annotation::nothing_offered(&declared, &loaded.main));
    }
    sort(&mut problems, &loaded);
    let broken = problems.iter().any(Diagnostic::is_error);
    let diagnostics = bounded(problems, limits);
    let tree = Arc::new(loaded.tree);
    let script = (!broken)
        .then(|| build(declared, &analysis, Arc::clone(&tree), tests, diagnostics.clone()));
    ReadOutcome { script, diagnostics, tree: Some(tree) }
}

fn tests_of(tests: &[Contribution<()>], module: Option<&str>, file: &str) -> Vec<TestEntry> {
    let entry = |test: &Contribution<()>| TestEntry {
        function: test.function.clone(),
        module: module.map(str::to_owned),
        file: file.to_owned(),
        line: test.span.line,
    };
    tests.iter().map(entry).collect()
}

fn build(
    declared: Declared,
    analysis: &Analysis,
    tree: Arc<SourceTree>,
    tests: Vec<TestEntry>,
    diagnostics: Vec<Diagnostic>,
) -> Script {
    let Declared { mut descriptor, contributions, .. } = declared;
    let mut tools = Vec::with_capacity(contributions.tools.len());
    for tool in contributions.tools {
        let mut declaration = tool.declaration;
        declaration.requires =
            required(&descriptor.requests, analysis, &tool.function, tool.parameters.len());
        tools.push(ToolEntry {
            name: declaration.name.clone(),
            function: tool.function,
            parameters: tool.parameters,
        });
        descriptor.tools.push(declaration);
    }
    let mut hooks = Vec::with_capacity(contributions.hooks.len());
    for hook in contributions.hooks {
        let mut declaration = hook.declaration;
        declaration.requires = required(&descriptor.requests, analysis, &hook.function, 1);
        hooks.push(HookEntry { name: declaration.name.clone(), function: hook.function });
        descriptor.hooks.push(declaration);
    }
    descriptor.shrink_to_fit();
    Script { descriptor: Arc::new(descriptor), tree, tools, hooks, tests, diagnostics }
}

/// The required requests whose power a function reaches. Optional ones never hold a tool back.
fn required(
    requests: &[CapabilityRequest],
    analysis: &Analysis,
    function: &str,
    arity: usize,
) -> Vec<Capability> {
    if requests.iter().all(|request| request.need == Need::Optional) {
        return Vec::new();
    }
    let reached = analysis.reached(function, arity);
    let required = || {
        let required = requests.iter().filter(|request| request.need == Need::Required);
        required.map(|request| &request.capability)
    };
    // What looks needs the right to look, where that is asked for beside the right to change.
    let is_more_than_needed = |used: &Use, wide: &Capability| {
        used.is_opened_by(wide)
            && matches!(wide, Capability::Memory(_) | Capability::WorkItem(_))
            && required().any(|one| one != wide && wide.covers(one) && used.is_opened_by(one))
    };
    let needs = |used: &Use, capability: &Capability| {
        used.is_opened_by(capability) && !is_more_than_needed(used, capability)
    };
    required()
        .filter(|capability| reached.iter().any(|used| needs(used, capability)))
        .cloned()
        .collect()
}

/// Requests that nothing uses. Where a file could not be parsed, nothing can be said.
fn unused_requests(
    declared: &Declared,
    analysis: &Analysis,
    known: &Known,
    loaded: &Loaded,
    problems: &mut Vec<Diagnostic>,
) {
    let parsed = std::iter::once(&loaded.main).chain(loaded.modules.values());
    let missing = loaded.main.imports.len() > loaded.tree.imports_of(None).count();
    if missing || parsed.into_iter().any(|file| file.ast.is_none()) {
        return;
    }
    let requests = declared.descriptor.requests.iter().zip(&declared.request_spans);
    for (request, &span) in requests {
        let capability = &request.capability;
        let module = capability.module();
        let callable = module.is_none_or(|module| known.modules.contains_key(module));
        if !callable || analysis.used.iter().any(|used| used.what.is_opened_by(capability)) {
            continue;
        }
        problems.push(
            Diagnostic::warning(
                "capability/unused",
                match module {
                    Some(module) => {
                        format!("`{capability}` is requested, and nothing calls `{module}::…`")
                    }
                    None => format!("`{capability}` is requested, and no hook makes that decision"),
                },
            )
            .in_file(&loaded.tree.main.name)
            .at(span, "")
            .help("remove the line; a feature is trusted by what it asks for"),
        );
    }
}

/// Requests for a host that no request ever reaches.
fn unreachable_hosts(declared: &Declared, loaded: &Loaded, problems: &mut Vec<Diagnostic>) {
    let requests = declared.descriptor.requests.iter().zip(&declared.request_spans);
    for (request, &span) in requests {
        let host = match &request.capability {
            Capability::Http(pattern) => &pattern.endpoint().host,
            Capability::Secret { host, .. } => &host.host,
            _ => continue,
        };
        if host.is_localhost() {
            let message =
                format!("`{}` is never reached: names lead to public addresses alone", host);
            problems.push(
                Diagnostic::warning("capability/unreachable", message)
                    .in_file(&loaded.tree.main.name)
                    .at(span, "")
                    .help("name this machine by its address, as in `http=127.0.0.1:8080`"),
            );
        }
    }
}

/// Decisions that mean nothing at the point of the hook that reaches them.
fn misplaced_decisions(
    declared: &Declared,
    analysis: &Analysis,
    loaded: &Loaded,
    problems: &mut Vec<Diagnostic>,
) {
    for Contribution { declaration, function, span, .. } in &declared.contributions.hooks {
        let HookDeclaration { point, .. } = declaration;
        for used in analysis.reached(function, 1) {
            let Use::Decision(kind) = used else { continue };
            if !point.takes(*kind) {
                let name = kind.name();
                let points: Vec<String> = HookPoint::ALL
                    .into_iter()
                    .filter(|point| point.takes(*kind))
                    .map(|point| format!("`{point}`"))
                    .collect();
                problems.push(
                    Diagnostic::warning(
                        "lint/decision-point",
                        format!(
                            "`{function}` can return `{name}`, which means nothing at `{point}`"
                        ),
                    )
                    .in_file(&loaded.tree.main.name)
                    .at(*span, "")
                    .help(format!("`{name}` belongs to {}", points.join(", "))),
                );
            }
        }
    }
}

/// Tools that promise a value and may end without one.
fn valueless_tools(
    declared: &Declared,
    analysis: &Analysis,
    loaded: &Loaded,
    problems: &mut Vec<Diagnostic>,
) {
    for tool in &declared.contributions.tools {
        let Some(returns) = &tool.declaration.returns else { continue };
        let Some((how, span)) = analysis.ending(&tool.function, tool.parameters.len()) else {
            continue;
        };
        if returns.check(serde_json::Value::Null).is_ok() {
            continue;
        }
        let (why, help) = match how {
            Valueless::Catch => (
                "`catch` gives `()`, whatever its block ends with",
                "end the `catch` with `return …;`, or with `fail(…)`",
            ),
            Valueless::Loop => {
                ("a loop gives `()` when it is over", "write what the result is behind the loop")
            }
            Valueless::Declaration => {
                ("it ends in an assignment", "write the value itself as the last statement")
            }
            Valueless::If => (
                "an `if` without `else` gives `()` where its condition does not hold",
                "add an `else { … }`, or write behind it what the result is then",
            ),
            Valueless::Empty => ("a block is empty", "write what the result is"),
        };
        let name = &tool.declaration.name;
        problems.push(
            Diagnostic::warning(
                "lint/no-value",
                format!("`{name}` promises a value, and may end without one: {why}"),
            )
            .in_file(&loaded.tree.main.name)
            .at(span, "")
            .help(help),
        );
    }
}

/// The main file first, then the modules by key; inside a file by place, errors before the rest.
fn sort(problems: &mut [Diagnostic], loaded: &Loaded) {
    if problems.len() < 2 {
        return;
    }
    let modules = loaded.tree.modules.values();
    let order: HashMap<&str, usize> = std::iter::once(&loaded.tree.main)
        .chain(modules)
        .enumerate()
        .map(|(index, file)| (file.name.as_str(), index))
        .collect();
    problems.sort_by_cached_key(|problem| {
        let file = problem.file.as_deref().and_then(|name| order.get(name)).copied();
        let place = problem.labels.first().map_or(Span::new(1, 1, 1), |label| label.span);
        (file.unwrap_or(usize::MAX), place, std::cmp::Reverse(problem.severity))
    });
}

/// Keeps as many diagnostics as may be reported, the worst of them, in their order.
fn bounded(mut problems: Vec<Diagnostic>, limits: &Limits) -> Vec<Diagnostic> {
    let most = usize::try_from(limits.get(Limit::Diagnostics)).unwrap_or(usize::MAX);
    if problems.len() <= most {
        return problems;
    }
    let total = problems.len();
    let count = |severity| problems.iter().filter(|problem| problem.severity == severity).count();
    let mut free = most - 1;
    let mut quota = |severity| {
        let share = count(severity).min(free);
        free -= share;
        share
    };
    let mut errors = quota(Severity::Error);
    let mut warnings = quota(Severity::Warning);
    let mut notes = quota(Severity::Note);
    problems.retain(|problem| {
        let left = match problem.severity {
            Severity::Error => &mut errors,
            Severity::Warning => &mut warnings,
            Severity::Note => &mut notes,
        };
        let keep = *left > 0;
        *left = left.saturating_sub(1);
        keep
    });
    let left_out = total - problems.len();
    problems.push(
        Diagnostic::warning(
            Limit::Diagnostics.code(),
            format!("{left_out} more diagnostics are left out"),
        )
        .help("mend these first and check again"),
    );
    problems
}
