//! The call graph of a feature: its functions and closures in all of its files, which calls which,
//! and which powers of the host each reaches.

use super::walk::{self, Facts, Valueless};
use crate::diagnostic::{Diagnostic, Span};
use crate::feature::capability::Capability;
use crate::feature::hook::DecisionKind;
use crate::script::host::Part;
use crate::script::parse::{ParsedFile, span_at};
use crate::script::source::{Loaded, is_library};
use rhai::{AST, ImmutableString, Position, ScriptFuncDef, Shared};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;

/// Something of the host that a function uses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Use {
    /// A host module that needs a grant, and which part of it where a grant may give one alone.
    Module(String, Option<Part>),
    /// A decision.
    Decision(DecisionKind),
}

impl Use {
    /// Whether the capability opens it.
    pub fn is_opened_by(&self, capability: &Capability) -> bool {
        match self {
            Self::Module(module, part) => {
                capability.module() == Some(module)
                    && part.is_none_or(|part| part.is_opened_by(capability))
            }
            Self::Decision(kind) => kind.needs().is_some_and(|needed| capability.covers(&needed)),
        }
    }
}

/// A use and where it stands first.
#[derive(Debug, Clone)]
pub(crate) struct Used {
    /// What is used.
    pub what: Use,
    /// The index of the file, the main file first.
    pub file: usize,
    /// Where.
    pub span: Span,
    /// The function as the script calls it, such as `store::get`.
    pub call: String,
}

/// What the files of a feature reach.
pub(crate) struct Analysis {
    /// Functions of the main file with their arities, as nodes.
    functions: Vec<(ImmutableString, usize, usize)>,
    calls: Vec<Vec<usize>>,
    uses: Vec<Vec<Use>>,
    /// How functions of the main file end without a value, by node, and where.
    endings: Vec<Option<(Valueless, Span)>>,
    /// The first use of each kind that the feature answers for, in source order.
    pub used: Vec<Used>,
}

impl Analysis {
    /// What a function of the main file reaches, through helpers, closures and imports.
    pub fn reached(&self, function: &str, arity: usize) -> BTreeSet<&Use> {
        let node = self.node(function, arity);
        let reached = node.map_or_else(Vec::new, |node| reachable(node, &self.calls));
        reached.into_iter().flat_map(|node| &self.uses[node]).collect()
    }

    /// How a function of the main file ends without a value, and where that statement begins.
    pub fn ending(&self, function: &str, arity: usize) -> Option<(Valueless, Span)> {
        *self.endings.get(self.node(function, arity)?)?
    }

    fn node(&self, function: &str, arity: usize) -> Option<usize> {
        let mut functions = self.functions.iter();
        functions.find(|(name, count, _)| name == function && *count == arity).map(|&(.., at)| at)
    }
}

/// Everything reachable from one node, itself included.
fn reachable(start: usize, calls: &[Vec<usize>]) -> Vec<usize> {
    let mut seen = vec![false; calls.len()];
    seen[start] = true;
    let mut reached = vec![start];
    let mut next = 0;
    while let Some(&node) = reached.get(next) {
        next += 1;
        for &called in &calls[node] {
            if !std::mem::replace(&mut seen[called], true) {
                reached.push(called);
            }
        }
    }
    reached
}

/// One file of the program.
pub(super) struct File<'a> {
    /// Its key in the tree; `None` is the main file.
    pub key: Option<&'a str>,
    pub parsed: &'a ParsedFile,
    /// Its imports: alias → index of the file; `None` where that could not be read.
    pub aliases: HashMap<&'a str, Option<usize>>,
    /// Its functions and closures, as nodes in their order.
    pub own: Range<usize>,
}

impl File<'_> {
    /// Its functions or closures of a name, as nodes.
    pub fn named(&self, name: &str, nodes: &[Node]) -> Range<usize> {
        let own = &nodes[self.own.clone()];
        let key = (name.starts_with(CLOSURE), name);
        let below = |node: &Node| (node.is_closure(), node.name()) < key;
        let within = |node: &Node| (node.is_closure(), node.name()) <= key;
        self.own.start + own.partition_point(below)..self.own.start + own.partition_point(within)
    }

    /// Whether it is part of the embedded library, whose authors answer for what it calls.
    pub fn is_library(&self) -> bool {
        self.key.is_some_and(is_library)
    }

    /// A position in it as a span.
    pub fn span(&self, position: Position, length: usize) -> Span {
        span_at(&self.parsed.file.text, position, length)
    }

    /// The numbers of parameters that its functions of a name take.
    pub fn arities(&self, name: &str, nodes: &[Node]) -> BTreeSet<usize> {
        self.named(name, nodes).map(|node| nodes[node].parameters().len()).collect()
    }
}

/// What the names of closures begin with.
const CLOSURE: &str = "anon$";

/// One function or closure.
pub(super) struct Node {
    definition: Shared<ScriptFuncDef>,
    pub facts: Facts,
    pub calls: Vec<usize>,
    pub uses: Vec<Used>,
}

impl Node {
    pub fn name(&self) -> &str {
        &self.definition.name
    }

    pub fn parameters(&self) -> &[ImmutableString] {
        &self.definition.params
    }

    pub fn is_private(&self) -> bool {
        self.definition.access.is_private()
    }

    /// Whether it is a closure, which has no name of its own.
    pub fn is_closure(&self) -> bool {
        self.name().starts_with(CLOSURE)
    }
}

/// The functions of all files.
pub(super) struct Program<'a> {
    pub files: Vec<File<'a>>,
    /// File by file; in a file functions before closures, by name and number of parameters.
    pub nodes: Vec<Node>,
}

impl<'a> Program<'a> {
    pub fn new(loaded: &'a Loaded) -> Self {
        let mut program = Self { files: Vec::new(), nodes: Vec::new() };
        let index: HashMap<&str, usize> =
            loaded.modules.keys().enumerate().map(|(at, key)| (key.as_str(), at + 1)).collect();
        let parsed = loaded.modules.iter().map(|(key, parsed)| (Some(key.as_str()), parsed));
        for (key, parsed) in std::iter::once((None, &loaded.main)).chain(parsed) {
            let edges = loaded.tree.imports_of(key);
            let resolved: HashMap<&str, usize> = edges
                .filter_map(|edge| Some((edge.alias.as_str(), *index.get(&*edge.module)?)))
                .collect();
            let aliases = parsed
                .imports
                .iter()
                .map(|import| (import.alias.as_str(), resolved.get(&*import.alias).copied()))
                .collect();
            program.add(key, parsed, aliases);
        }
        program
    }

    fn add(
        &mut self,
        key: Option<&'a str>,
        parsed: &'a ParsedFile,
        aliases: HashMap<&'a str, Option<usize>>,
    ) {
        let start = self.nodes.len();
        for definition in parsed.ast.iter().flat_map(AST::iter_fn_def) {
            self.nodes.push(Node {
                facts: walk::facts(definition),
                definition: Shared::clone(definition),
                calls: Vec::new(),
                uses: Vec::new(),
            });
        }
        // Rhai keeps functions in random order; diagnostics must not come in one.
        let order = |node: &Node| (node.is_closure(), node.parameters().len());
        self.nodes[start..].sort_by(|a, b| {
            let ((closure_a, count_a), (closure_b, count_b)) = (order(a), order(b));
            (closure_a, a.name(), count_a).cmp(&(closure_b, b.name(), count_b))
        });
        self.files.push(File { key, parsed, aliases, own: start..self.nodes.len() });
    }

    /// Two functions of one name and arity anywhere in the closure of imports: Rhai's resolution
    /// cache takes one for the other (RHAI.md, surprise A).
    pub fn duplicates(&self, problems: &mut Vec<Diagnostic>) {
        if self.files.len() < 2 {
            return;
        }
        let mut first: HashMap<(&str, usize), (&File<'_>, Span)> = HashMap::new();
        for file in &self.files {
            for function in &file.parsed.functions {
                if function.this_type.is_some() {
                    continue;
                }
                let key = (function.name.as_str(), function.parameters.len());
                let Some(&(other, place)) = first.get(&key) else {
                    first.insert(key, (file, function.place()));
                    continue;
                };
                if other.key == file.key {
                    continue;
                }
                // Nobody can rename what stands in the library.
                let (own, place, also) = if file.is_library() {
                    (other, place, file)
                } else {
                    (file, function.place(), other)
                };
                let (name, arity) = key;
                let noun = if arity == 1 { "parameter" } else { "parameters" };
                let (also, help) = match also.key.filter(|_| also.is_library()) {
                    Some(key) => (key, format!("rename yours, as in `my_{name}`")),
                    None => (
                        also.parsed.file.name.as_str(),
                        format!("rename one of them, as in `{name}_2`"),
                    ),
                };
                let message = format!(
                    "`fn {name}` with {arity} {noun} is also in `{also}`; imported files share one \
                     set of names"
                );
                let problem = Diagnostic::author("import/duplicate-function", message);
                problems.push(problem.in_file(&own.parsed.file.name).at(place, "").help(help));
            }
        }
    }

    /// The closures of a function, which run as a part of it.
    pub fn link_closures(&mut self, file: usize) {
        for node in self.files[file].own.clone() {
            let closures = &self.nodes[node].facts.closures;
            let named = closures.iter().map(|name| self.files[file].named(name, &self.nodes));
            let linked: Vec<usize> = named.flatten().collect();
            self.nodes[node].calls.extend(linked);
        }
    }

    pub fn finish(mut self) -> Analysis {
        let calls: Vec<Vec<usize>> =
            self.nodes.iter_mut().map(|node| std::mem::take(&mut node.calls)).collect();
        let used = self.used(&calls);
        let main = self.files.first().map_or(0..0, |file| file.own.clone());
        let functions = main
            .map(|node| {
                let definition = &self.nodes[node].definition;
                (definition.name.clone(), definition.params.len(), node)
            })
            .collect();
        let endings = self.files.first().map_or_else(Vec::new, |file| {
            let own = self.nodes[file.own.clone()].iter();
            own.map(|node| node.facts.ending.map(|(how, place)| (how, file.span(place, 1))))
                .collect()
        });
        let uses = self
            .nodes
            .into_iter()
            .map(|node| node.uses.into_iter().map(|used| used.what).collect());
        Analysis { functions, calls, uses: uses.collect(), endings, used }
    }

    /// The feature answers for its own files, and for what these call in the library.
    fn used(&self, calls: &[Vec<usize>]) -> Vec<Used> {
        let mut used: Vec<Used> = Vec::new();
        for (index, file) in self.files.iter().enumerate() {
            if file.is_library() {
                continue;
            }
            for node in file.own.clone() {
                used.extend(self.nodes[node].uses.iter().cloned());
                used.extend(self.through_library(index, node, calls));
            }
        }
        used.sort_by_key(|used| (used.file, used.span));
        let mut seen = HashSet::new();
        used.retain(|used| seen.insert(used.what.clone()));
        used
    }

    fn through_library(&self, file: usize, node: usize, calls: &[Vec<usize>]) -> Vec<Used> {
        let mut used = Vec::new();
        if self.files.len() == 1 {
            return used;
        }
        let facts = &self.nodes[node].facts;
        for call in &facts.qualified {
            let Some(&Some(target)) = self.files[file].aliases.get(call.module.as_str()) else {
                continue;
            };
            if !self.files[target].is_library() {
                continue;
            }
            for function in self.files[target].named(&call.name, &self.nodes) {
                for at in reachable(function, calls) {
                    used.extend(self.nodes[at].uses.iter().map(|inner| Used {
                        what: inner.what.clone(),
                        file,
                        span: self.files[file].span(call.position, call.module.len()),
                        call: format!("{}::{}", call.module, call.name),
                    }));
                }
            }
        }
        used
    }
}
