//! The functions a script may call, as names and numbers of arguments.

use crate::feature::hook::DecisionKind;
use crate::script::host::{Access, HostModule};
use rhai::Engine;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Numbers of arguments that a function of one name takes.
pub type Arities = BTreeSet<usize>;

/// Every function of the host that a script can name.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Functions callable without a module, natives and decisions alike.
    pub globals: HashMap<String, Arities>,
    /// Host modules by name.
    pub modules: BTreeMap<String, ModuleInfo>,
    /// Natives, by name and number of arguments, of which every overload gives `()`.
    pub silent: HashSet<(String, usize)>,
}

/// One host module.
#[derive(Debug, Clone)]
pub struct ModuleInfo {
    /// Who may call it.
    pub(crate) access: Access,
    /// Its functions.
    pub functions: BTreeMap<String, Arities>,
}

impl ModuleInfo {
    fn has(&self, name: &str, arguments: usize) -> bool {
        self.functions.get(name).is_some_and(|arities| arities.contains(&arguments))
    }
}

/// The modules for texts and arrays, whose methods they stand beside.
const VALUE_MODULES: [&str; 2] = ["text", "list"];

/// Functions that the language provides without registering them, and those that the call shim
/// registers with every engine, beside the decisions.
const BUILT_IN: &[(&str, usize)] = &[
    ("is_shared", 1),
    ("is_def_var", 1),
    ("is_def_fn", 2),
    ("type_of", 1),
    ("print", 1),
    ("debug", 1),
    ("fail", 1),
    ("granted", 1),
    ("diagnose", 2),
    ("assert", 1),
    ("assert", 2),
    ("assert_eq", 2),
    ("assert_ne", 2),
    ("assert_fails", 1),
    ("assert_asked", 1),
    ("assert_proceeds", 1),
];

impl Known {
    /// The functions of `engine`, which must have everything registered that scripts get without
    /// a module, and of the host modules.
    pub(crate) fn collect(engine: &Engine, modules: &[HostModule]) -> Self {
        let mut globals: HashMap<String, Arities> = HashMap::new();
        let mut speaking = HashSet::new();
        let registered = engine.collect_fn_metadata(
            None,
            |info| {
                let open = info.namespace.is_empty();
                let name = || info.metadata.name.to_string();
                let silent = gives_unit(&info.metadata.return_type);
                open.then(|| (name(), info.metadata.num_params, silent))
            },
            true,
        );
        let decisions = DecisionKind::ALL.map(|kind| (kind.name(), kind.arguments()));
        let built_in = BUILT_IN.iter().copied().chain(decisions);
        let built_in = built_in.map(|(name, arity)| (name.to_owned(), arity, false));
        for (name, arity, silent) in registered.into_iter().chain(built_in) {
            if !silent {
                speaking.insert((name.clone(), arity));
            }
            globals.entry(name).or_default().insert(arity);
        }
        let each = |(name, arities): (&String, &Arities)| -> Vec<(String, usize)> {
            arities.iter().map(|arity| (name.clone(), *arity)).collect()
        };
        let mut silent: HashSet<_> = globals.iter().flat_map(each).collect();
        silent.retain(|native| !speaking.contains(native));
        let modules = modules
            .iter()
            .map(|module| {
                let mut functions: BTreeMap<String, Arities> = BTreeMap::new();
                for (name, arity) in module.functions() {
                    functions.entry(name).or_default().insert(arity);
                }
                (module.name.to_owned(), ModuleInfo { access: module.access, functions })
            })
            .collect();
        Self { globals, modules, silent }
    }

    /// The module to name for a function that was called without one: those that work on values of
    /// the language come before the others.
    pub(crate) fn module_with(&self, name: &str, arguments: usize) -> Option<(&str, &ModuleInfo)> {
        let common = VALUE_MODULES.iter().chain(&["json"]).copied();
        common
            .filter_map(|module| self.modules.get_key_value(module))
            .chain(&self.modules)
            .find(|(_, module)| module.has(name, arguments))
            .map(|(module, info)| (module.as_str(), info))
    }

    /// Whether a function without a module takes that many arguments.
    pub fn has(&self, name: &str, arguments: usize) -> bool {
        self.globals.get(name).is_some_and(|arities| arities.contains(&arguments))
    }

    /// Whether a script may name a function of its own so and hide nothing: the name is no word of the
    /// language, and no function of the host takes any number of arguments under it.
    pub fn is_free(&self, name: &str) -> bool {
        rhai::is_valid_function_name(name) && !self.globals.contains_key(name)
    }

    /// Whether a native of that name only ever gives `()` when it is called as a method with so many
    /// arguments.
    pub fn gives_nothing(&self, name: &str, arguments: usize) -> bool {
        self.silent.contains(&(name.to_owned(), arguments + 1))
    }

    /// Whether a function without a module is one that people call on a value, and not a word of its
    /// own such as `fail` or `deny`.
    pub fn is_method(&self, name: &str) -> bool {
        let is_word = name.starts_with("assert")
            || BUILT_IN.iter().any(|(known, _)| *known == name)
            || DecisionKind::ALL.iter().any(|kind| kind.name() == name);
        !is_word && self.globals.contains_key(name)
    }

    /// The modules for everybody with a function of that name; where some take that many arguments,
    /// only those.
    pub(crate) fn modules_with(&self, name: &str, arguments: usize) -> Vec<&str> {
        let with = |fits: &dyn Fn(&Arities) -> bool| -> Vec<&str> {
            let open = self.modules.iter().filter(|(_, info)| info.access == Access::Everybody);
            open.filter(|(_, info)| info.functions.get(name).is_some_and(fits))
                .map(|(module, _)| module.as_str())
                .collect()
        };
        let exact = with(&|arities| arities.contains(&arguments));
        if exact.is_empty() { with(&|_| true) } else { exact }
    }
}

/// Whether a return type, as metadata print it, is `()` or a result of it under whatever name:
/// `Result<(), Box<…>>`, `RhaiResultOf<() >`.
fn gives_unit(kind: &str) -> bool {
    let inner = kind.split_once('<').map_or(kind, |(_, inner)| inner);
    let rest = inner.trim_start().strip_prefix("()").map(str::trim_start);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['>', ',']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unit_is_seen_through_results() {
        for kind in ["()", "Outcome<()>", "RhaiResultOf<() >", "Result<(), Box<EvalAltResult>>"] {
            assert!(gives_unit(kind), "{kind}");
        }
        for kind in ["", "Dynamic", "Outcome<Dynamic>", "Result<(i64, ()), E>", "(i64)"] {
            assert!(!gives_unit(kind), "{kind}");
        }
    }
}
