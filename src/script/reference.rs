//! What scripts can call, as data: the host modules, the embedded library, what needs no module, and
//! the methods of values. Gathered from the documentation that stands beside each function.
//!
//! `docs/reference/` is written from it. Nothing here runs a script, and nothing is granted.

use super::host::{self, Access, ModuleBuilder, global};
use super::parse::{DocLine, parse};
use super::source::{SourceFile, std_names, std_source};
use rhai::{Engine, Module, Shared};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

/// A module and its functions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleReference {
    /// The name before `::`; of a module of the library, the last part of its import path.
    pub name: String,
    /// Who may call it.
    pub openness: Openness,
    /// What it is about, in Markdown; empty where nobody wrote it.
    pub about: String,
    /// Its functions, by name and number of parameters.
    pub functions: Vec<FunctionReference>,
}

/// Who may call the functions of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Openness {
    /// Every script.
    Everybody,
    /// A script that requests it; without the grant its functions refuse.
    Granted,
    /// A script that requests it; without the grant its functions do nothing.
    Silent,
    /// A script that imports it.
    Imported,
}

/// One function, as often as it has overloads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FunctionReference {
    /// Its name; a property is `get$NAME`.
    pub name: String,
    /// Its parameters with their types, such as `text: string`.
    pub parameters: Vec<String>,
    /// The type of its result; empty where it gives nothing.
    pub result: String,
    /// Its documentation, line by line.
    pub documentation: Vec<String>,
}

/// The host modules of this build, by name.
pub fn host_modules() -> Vec<ModuleReference> {
    let mut modules: Vec<_> = host::modules()
        .iter()
        .filter_map(|module| {
            let built = (module.build?)();
            Some(ModuleReference {
                name: module.name.to_owned(),
                openness: match module.access {
                    Access::Everybody => Openness::Everybody,
                    Access::Granted => Openness::Granted,
                    Access::Silent => Openness::Silent,
                },
                about: built.doc().to_owned(),
                functions: functions(built),
            })
        })
        .collect();
    modules.sort_by(|a, b| a.name.cmp(&b.name));
    modules
}

/// The names of modules that scripts may request and this build has not.
pub fn absent_modules() -> Vec<&'static str> {
    host::modules().iter().filter(|module| module.build.is_none()).map(|one| one.name).collect()
}

/// What every script calls without a module: `fail`, `granted`, decisions and assertions.
pub fn globals() -> Vec<FunctionReference> {
    let of_the_engine = ModuleBuilder::new()
        .docs(&[
            "/// Writes a value as a line of the log, of level `info`.",
            "/// print(`read ${count} lines`)",
        ])
        .function("print", ["value: any"], |_: rhai::Dynamic| ())
        .docs(&["/// Writes a value as a line of level `debug`, with texts in quotes.", "/// debug(map)"])
        .function("debug", ["value: any"], |_: rhai::Dynamic| ())
        .docs(&[
            "/// The name of a value's type: `i64` is a whole number and `f64` one with a fraction; \
             `string`, `char`, `bool`, `array`, `map`, `range`, `Fn` and `()` are what they say.",
            "/// type_of(\"a\") // => \"string\"",
        ])
        .function("type_of", ["value: any", "string"], |_: rhai::Dynamic| String::new())
        .build();
    let mut found = functions(global::module());
    found.extend(functions(of_the_engine));
    // Guards that the compiler puts into scripts.
    found.retain(|function| !function.name.starts_with("__"));
    found.sort();
    found
}

/// The functions of values, which are called as methods as well: by the type of the value, each as
/// its name and the types of its other parameters. Operators and properties are left out.
pub fn methods() -> BTreeMap<&'static str, Vec<(&'static str, Vec<&'static str>)>> {
    let mut methods: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for line in include_str!("native/reviewed.txt").lines() {
        let Some((name, types)) = line.strip_suffix(')').and_then(|line| line.split_once('('))
        else {
            continue;
        };
        let mut types = types.split(", ");
        let of = types.next().unwrap_or_default();
        let is_name = name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.contains(' ');
        if is_name && !of.is_empty() {
            methods.entry(of).or_default().push((name, types.collect()));
        }
    }
    methods
}

/// The modules of the embedded library, by name.
pub fn library() -> Vec<ModuleReference> {
    std_names().filter_map(|path| Some(library_module(path, std_source(path)?))).collect()
}

fn library_module(path: &str, text: &str) -> ModuleReference {
    let file = SourceFile { name: path.to_owned(), path: PathBuf::from(path), text: text.into() };
    let parsed = parse(&Arc::new(file), &(Rc::new(|| None) as _), &mut Vec::new());
    let functions = parsed
        .functions
        .iter()
        .filter(|function| {
            let is_test = function.docs.iter().any(|line| line.text.trim() == "@test");
            !function.private && !is_test
        })
        .map(|function| library_function(&function.name, &function.parameters, &function.docs))
        .collect();
    ModuleReference {
        name: path.trim_start_matches("std/").to_owned(),
        openness: Openness::Imported,
        about: trimmed(&parsed.head).join("\n"),
        functions,
    }
}

/// A function of the library gives the types of its parameters by `@param` and `@returns`, which only
/// document where there is no tool.
fn library_function(name: &str, parameters: &[String], docs: &[DocLine]) -> FunctionReference {
    let lines = trimmed(docs);
    let tag = |wanted: &'static str| {
        lines.iter().filter_map(move |line| line.strip_prefix(wanted)?.strip_prefix(' '))
    };
    let typed = |parameter: &String| {
        let types = tag("@param").filter_map(|text| text.strip_prefix(parameter.as_str()));
        match types.filter_map(|text| text.strip_prefix(' ')).next() {
            Some(kind) => format!("{parameter}: {kind}"),
            None => parameter.clone(),
        }
    };
    let documentation = lines.iter().take_while(|line| !line.starts_with('@'));
    FunctionReference {
        name: name.to_owned(),
        parameters: parameters.iter().map(typed).collect(),
        result: tag("@returns").next().unwrap_or_default().to_owned(),
        documentation: documentation.cloned().collect(),
    }
}

/// The lines without the space behind their slashes.
fn trimmed(lines: &[DocLine]) -> Vec<String> {
    lines.iter().map(|line| line.text.strip_prefix(' ').unwrap_or(&line.text).to_owned()).collect()
}

/// The functions of a native module, by name and number of parameters.
fn functions(module: Shared<Module>) -> Vec<FunctionReference> {
    let mut engine = Engine::new_raw();
    engine.register_static_module("m", module);
    let mut functions = engine.collect_fn_metadata(
        None,
        |info| {
            let lines = info.metadata.comments.iter().flat_map(|comment| comment.lines());
            let lines = lines.map(|line| line.trim_start_matches("///"));
            Some(FunctionReference {
                name: info.metadata.name.to_string(),
                parameters: info.metadata.params_info.iter().map(ToString::to_string).collect(),
                result: info.metadata.return_type.to_string(),
                documentation: lines
                    .map(|line| line.strip_prefix(' ').unwrap_or(line).to_owned())
                    .collect(),
            })
        },
        true,
    );
    functions.sort_by(|a, b| {
        (&a.name, a.parameters.len(), &a.parameters).cmp(&(
            &b.name,
            b.parameters.len(),
            &b.parameters,
        ))
    });
    functions
}
