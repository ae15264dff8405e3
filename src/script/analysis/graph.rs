//! The call graph of a feature: its functions and closures in all of its files, which calls which,
//! and which powers of the host each reaches.

use super::walk::{self, Facts};
use crate::diagnostic::{Diagnostic, Span};
use crate::feature::capability::Capability;
use crate::script::parse::{ParsedFile, span_at};
use crate::script::source::Loaded;
use rhai::{ImmutableString, Position};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Something of the host that a function uses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Use {
    /// A host module that needs a grant.
    Module(String),
    /// A decision, by the name of its constructor.
    Decision(&'static str),
}

impl Use {
    /// Whether the capability opens it.
    pub fn is_opened_by(&self, capability: &Capability) -> bool {
        match self {
            Self::Module(module) => capability.module() == Some(module),
            Self::Decision(name) => {
                decision_needs(name).is_some_and(|needed| capability.to_string() == needed)
            }
        }
    }
}

/// The capability that a decision takes beyond being a hook's.
pub(crate) fn decision_needs(decision: &str) -> Option<&'static str> {
    match decision {
        "rewrite" => Some("hook:pre_tool_call:rewrite"),
        "replace" => Some("hook:post_tool_call:replace"),
        "again" => Some("notify:model"),
        _ => None,
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
    functions: HashMap<(String, usize), BTreeSet<Use>>,
    /// The first use of each kind that the feature answers for, in source order.
    pub used: Vec<Used>,
}

impl Analysis {
    /// What a function of the main file reaches, through helpers, closures and imports.
    pub fn reached(&self, function: &str, arity: usize) -> impl Iterator<Item = &Use> {
        self.functions.get(&(function.to_owned(), arity)).into_iter().flatten()
    }
}

/// One file of the program.
pub(super) struct File<'a> {
    /// Its key in the tree; `None` is the main file.
    pub key: Option<&'a str>,
    pub parsed: &'a ParsedFile,
    /// Its imports: alias → index of the file; `None` where that could not be read.
    pub aliases: HashMap<&'a str, Option<usize>>,
    /// Its functions and closures, as indices of nodes, by name.
    pub named: HashMap<ImmutableString, Vec<usize>>,
}

impl File<'_> {
    /// Whether it is part of the embedded library, whose authors answer for what it calls.
    pub fn is_library(&self) -> bool {
        self.key.is_some_and(|key| key.starts_with("std/"))
    }

    /// A position in it as a span.
    pub fn span(&self, position: Position, length: usize) -> Span {
        span_at(&self.parsed.file.text, position, length)
    }

    /// Its functions of that name with the number of their parameters, closures left out.
    pub fn arities(&self, name: &str, nodes: &[Node]) -> BTreeSet<usize> {
        self.named.get(name).into_iter().flatten().map(|&node| nodes[node].parameters.len()).collect()
    }
}

/// One function or closure.
pub(super) struct Node {
    pub name: ImmutableString,
    pub parameters: Vec<ImmutableString>,
    pub private: bool,
    pub facts: Facts,
    pub calls: Vec<usize>,
    pub uses: Vec<Used>,
}

impl Node {
    /// Whether it is a closure, which has no name of its own.
    pub fn is_closure(&self) -> bool {
        self.name.starts_with("anon$")
    }
}

/// The functions of all files.
pub(super) struct Program<'a> {
    pub files: Vec<File<'a>>,
    pub nodes: Vec<Node>,
    /// The nodes of each file.
    pub of_file: Vec<Vec<usize>>,
}

impl<'a> Program<'a> {
    pub fn new(loaded: &'a Loaded) -> Self {
        let mut program = Self { files: Vec::new(), nodes: Vec::new(), of_file: Vec::new() };
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
            program.add(File { key, parsed, aliases, named: HashMap::new() });
        }
        program
    }

    fn add(&mut self, mut file: File<'a>) {
        let mut own = Vec::new();
        for function in file.parsed.ast.iter().flat_map(rhai::AST::iter_fn_def) {
            let node = self.nodes.len();
            own.push(node);
            file.named.entry(function.name.clone()).or_default().push(node);
            self.nodes.push(Node {
                name: function.name.clone(),
                parameters: function.params.iter().cloned().collect(),
                private: function.access.is_private(),
                facts: walk::facts(function),
                calls: Vec::new(),
                uses: Vec::new(),
            });
        }
        // Rhai keeps functions in random order; diagnostics must not come in one.
        own.sort_by(|&a, &b| {
            let key = |node: usize| {
                let node = &self.nodes[node];
                (node.is_closure(), node.name.clone(), node.parameters.len())
            };
            key(a).cmp(&key(b))
        });
        self.of_file.push(own);
        self.files.push(file);
    }

    /// Two functions of one name and arity anywhere in the closure of imports: Rhai's resolution
    /// cache takes one for the other (RHAI.md, surprise A).
    pub fn duplicates(&self, problems: &mut Vec<Diagnostic>) {
        if self.files.len() < 2 {
            return;
        }
        let mut first: HashMap<(&str, usize), &File<'_>> = HashMap::new();
        for file in &self.files {
            for function in &file.parsed.functions {
                if function.this_type.is_some() {
                    continue;
                }
                let key = (function.name.as_str(), function.parameters.len());
                let Some(other) = first.get(&key) else {
                    first.insert(key, file);
                    continue;
                };
                if other.key == file.key {
                    continue;
                }
                problems.push(
                    Diagnostic::author(
                        "import/duplicate-function",
                        format!(
                            "`fn {}` with {} parameters is also in `{}`; imported files share one \
                             set of names",
                            key.0, key.1, other.parsed.file.name
                        ),
                    )
                    .in_file(&file.parsed.file.name)
                    .at(function.place(), "")
                    .help(format!("rename one of them, as in `{}_2`", key.0)),
                );
            }
        }
    }

    /// The closures of a function, which run as a part of it.
    pub fn link_closures(&mut self, file: usize) {
        for &node in &self.of_file[file] {
            let closures: Vec<usize> = self.nodes[node]
                .facts
                .closures
                .iter()
                .filter_map(|name| self.files[file].named.get(name))
                .flatten()
                .copied()
                .collect();
            self.nodes[node].calls.extend(closures);
        }
    }

    /// Everything reachable from one node, itself included.
    fn reachable(&self, start: usize) -> HashSet<usize> {
        let mut seen = HashSet::from([start]);
        let mut open = vec![start];
        while let Some(node) = open.pop() {
            open.extend(self.nodes[node].calls.iter().filter(|&&next| seen.insert(next)));
        }
        seen
    }

    pub fn finish(self) -> Analysis {
        let mut functions = HashMap::new();
        for &node in &self.of_file[0] {
            if self.nodes[node].is_closure() {
                continue;
            }
            let reached = self.reachable(node);
            let uses = reached.iter().flat_map(|&at| &self.nodes[at].uses);
            let uses: BTreeSet<Use> = uses.map(|used| used.what.clone()).collect();
            let key = (self.nodes[node].name.to_string(), self.nodes[node].parameters.len());
            functions.insert(key, uses);
        }
        Analysis { functions, used: self.used() }
    }

    /// The feature answers for its own files, and for what these call in the library.
    fn used(&self) -> Vec<Used> {
        let mut used: Vec<Used> = Vec::new();
        for (index, file) in self.files.iter().enumerate() {
            if file.is_library() {
                continue;
            }
            for &node in &self.of_file[index] {
                used.extend(self.nodes[node].uses.iter().cloned());
                used.extend(self.through_library(index, node));
            }
        }
        used.sort_by_key(|used| (used.file, used.span));
        let mut seen = HashSet::new();
        used.retain(|used| seen.insert(used.what.clone()));
        used
    }

    fn through_library(&self, file: usize, node: usize) -> Vec<Used> {
        let facts = &self.nodes[node].facts;
        let mut used = Vec::new();
        for call in &facts.qualified {
            let Some(&Some(target)) = self.files[file].aliases.get(call.module.as_str()) else {
                continue;
            };
            if !self.files[target].is_library() {
                continue;
            }
            let named = self.files[target].named.get(&call.name);
            for &function in named.into_iter().flatten() {
                for at in self.reachable(function) {
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
