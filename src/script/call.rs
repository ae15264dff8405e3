//! The shim: scripts compiled on this thread and kept ready, and the call of one function.
//!
//! A thread compiles a script at its first call and keeps, for each function it calls, the body,
//! the runtime state and the resolution caches, so that a further call only binds arguments and
//! evaluates. Kept state belongs to one version of one script; caches are never shared between
//! scripts and are dropped with the tree they were made for. Nothing here decides what may run.

use super::compile::{Compiled, Constant, Draft, SourceError};
use super::engine;
use super::guard::Columns;
use super::source::SourceTree;
use crate::feature::capability::Capability;
use crate::feature::grant::GrantSet;
use rhai::{
    AST, ASTFlags, ASTNode, Caches, Dynamic, Engine, EvalAltResult, EvalContext, Expr, Expression,
    GlobalRuntimeState, ImmutableString, Locked, Module, ModuleResolver, Position, Scope, Shared,
    Stmt, StmtBlock,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};

/// What a thread needs to compile and run a script: one for each version of it.
pub(crate) struct Program {
    pub tree: Arc<SourceTree>,
    pub grants: Arc<GrantSet>,
    /// What the feature asked for, granted or not.
    pub requested: Vec<Capability>,
}

/// Where a function is: in the main file, or in a module by its key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub module: Option<String>,
    pub function: String,
    pub arity: usize,
}

/// Why a program could not be made ready. Reading it found nothing wrong, so these are rare.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompileError {
    #[error("the source does not compile")]
    Source(Option<String>, SourceError),
    #[error("an import cannot be loaded: {0}")]
    Import(Box<EvalAltResult>),
    #[error("there is no function `{}` with {} parameters", .0.function, .0.arity)]
    NoFunction(Entry),
}

/// The scripts that a thread keeps ready.
#[derive(Default)]
pub(crate) struct Instances {
    ready: HashMap<usize, Instance>,
    /// Instances made since the dead ones were last swept out.
    fresh: usize,
    worn: bool,
}

/// How many new instances bring on a sweep.
const SWEEP_INTERVAL: usize = 32;

impl Instances {
    /// The instance of a program, compiled now if this thread has none.
    pub(crate) fn get(&mut self, program: &Arc<Program>) -> Result<&mut Instance, CompileError> {
        // An instance holds on to the place of its program, so no other has the same address.
        let key = Arc::as_ptr(program).addr();
        if !self.ready.contains_key(&key) {
            self.sweep();
            self.ready.insert(key, Instance::compile(program)?);
        }
        Ok(self.ready.get_mut(&key).expect("it was there or was just inserted"))
    }

    /// The instance of a program that was compiled before.
    pub(crate) fn ready(&mut self, program: &Arc<Program>) -> Option<&mut Instance> {
        self.ready.get_mut(&Arc::as_ptr(program).addr())
    }

    /// Marks the thread as worn: its stack or its heap grew, and only its end gives that back.
    pub(crate) fn wear_out(&mut self) {
        self.worn = true;
    }

    /// Whether the thread should end after this job.
    pub(crate) fn is_worn(&self) -> bool {
        self.worn
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        self.ready.clear();
    }

    fn sweep(&mut self) {
        self.fresh += 1;
        if self.fresh >= SWEEP_INTERVAL {
            self.fresh = 0;
            self.ready.retain(|_, instance| instance.program.strong_count() > 0);
        }
    }
}

/// One program, ready on one thread.
pub(crate) struct Instance {
    program: Weak<Program>,
    engine: Engine,
    /// Main file and modules, by module key.
    files: HashMap<Option<String>, File>,
    /// Functions that were called before.
    functions: HashMap<Entry, Function>,
}

struct File {
    ast: AST,
    columns: Columns,
    /// Its constants, which the engine does not know: the top level is never evaluated.
    constants: Vec<Constant>,
    /// What it imports, by alias.
    imports: Vec<(ImmutableString, Shared<Module>)>,
}

impl File {
    /// What `global::NAME` reads.
    fn global_constants(&self) -> SharedConstants {
        let constants = self
            .constants
            .iter()
            .map(|constant| (constant.written.clone().into(), constant.value.clone()));
        Shared::new(Locked::new(constants.collect()))
    }
}

type SharedConstants = Shared<Locked<BTreeMap<ImmutableString, Dynamic>>>;

struct Function {
    parameters: Vec<ImmutableString>,
    body: Expr,
    global: GlobalRuntimeState,
    caches: Caches,
}

impl Instance {
    fn compile(program: &Arc<Program>) -> Result<Self, CompileError> {
        let mut engine = engine::runner(&program.requested);
        let mut files: HashMap<_, File> = HashMap::new();
        let mut modules: HashMap<String, Shared<Module>> = HashMap::new();
        let drafts = drafts(&program.tree)?;
        let keeps_ranges = drafts.iter().any(|(_, draft)| draft.keeps_ranges());
        for (key, draft) in drafts {
            let file = file(&program.tree, key.as_deref(), draft, keeps_ranges, &modules)?;
            if let Some(key) = &key {
                let module = as_module(&engine, &file).map_err(CompileError::Import)?;
                modules.insert(key.clone(), module);
            }
            files.insert(key, file);
        }
        let constants: HashMap<_, _> = files
            .values()
            .flat_map(|file| &file.constants)
            .map(|constant| (constant.name.clone(), constant.value.clone()))
            .collect();
        if !constants.is_empty() {
            engine::resolve_constants(&mut engine, constants);
        }
        Ok(Self { program: Arc::downgrade(program), engine, files, functions: HashMap::new() })
    }

    /// Makes the function ready, so that its first call costs what every call costs.
    pub(crate) fn prepare(&mut self, entry: &Entry) -> Result<(), CompileError> {
        if !self.functions.contains_key(entry) {
            let function = self.function(entry)?;
            self.functions.insert(entry.clone(), function);
        }
        Ok(())
    }

    fn function(&self, entry: &Entry) -> Result<Function, CompileError> {
        let missing = || CompileError::NoFunction(entry.clone());
        let file = self.files.get(&entry.module).ok_or_else(missing)?;
        let parameters = file
            .ast
            .iter_functions()
            .find(|function| {
                function.name == entry.function && function.params.len() == entry.arity
            })
            .ok_or_else(missing)?
            .params;
        let mut global = self.engine.new_global_runtime_state();
        global.lib.push(file.ast.shared_lib().clone());
        global.source = file.ast.source().map(ImmutableString::from);
        global.constants = Some(file.global_constants());
        for (alias, module) in &file.imports {
            global.push_import(alias.clone(), Shared::clone(module));
        }
        Ok(Function {
            parameters: parameters.into_iter().map(ImmutableString::from).collect(),
            body: body(&file.ast, entry),
            global,
            caches: Caches::new(),
        })
    }

    /// About the bytes that the function keeps from call to call: its resolution caches, which grow
    /// while it finds new functions and are dropped with this instance.
    pub(crate) fn kept(&mut self, entry: &Entry) -> usize {
        let Some(function) = self.functions.get_mut(entry) else { return 0 };
        // The first call makes the cache; later ones find it empty or full at this very place.
        if function.caches.fn_resolution_caches_len() == 0 {
            return 0;
        }
        table_bytes(&function.caches.fn_resolution_cache_mut().dict)
    }

    /// Whether a name of the compiled text is that of a constant.
    pub(crate) fn has_constant(&self, name: &str) -> bool {
        self.files.values().flat_map(|file| &file.constants).any(|constant| constant.name == name)
    }

    /// The column that the author sees, for one that an error names.
    pub(crate) fn original_column(
        &self,
        module: Option<&str>,
        line: usize,
        column: usize,
    ) -> usize {
        let file = self.files.get(&module.map(str::to_owned));
        file.map_or(column, |file| file.columns.original(line, column))
    }

    /// Calls a prepared function, calls nested at most `depth` deep. The meter's bounds must be
    /// in force.
    pub(crate) fn call(
        &mut self,
        entry: &Entry,
        arguments: Vec<Dynamic>,
        depth: usize,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        let Some(function) = self.functions.get_mut(entry) else {
            let text = format!("`{}` was not prepared", entry.function);
            return Err(EvalAltResult::ErrorFunctionNotFound(text, Position::NONE).into());
        };
        self.engine.set_max_call_levels(depth);
        let mut scope = Scope::new();
        for (name, value) in function.parameters.iter().zip(arguments) {
            scope.push_dynamic(name.clone(), value);
        }
        let global = &mut function.global;
        global.num_operations = Default::default();
        global.num_modules_loaded = 0;
        // One level below the top, as inside any function.
        global.level = 1;
        let mut context =
            EvalContext::new(&self.engine, global, &mut function.caches, &mut scope, None);
        let result = context.eval_expression_tree(&Expression::from(&function.body));
        match result {
            Err(error) => match *error {
                EvalAltResult::Return(value, _) | EvalAltResult::Exit(value, _) => Ok(value),
                _ => Err(error),
            },
            value => value,
        }
    }
}

/// The bytes of a hash table: for each bucket an entry and a byte, and a group of 16 bytes more.
/// Source: the layout of hashbrown, which std uses.
fn table_bytes<K, V, S>(table: &HashMap<K, V, S>) -> usize {
    let buckets = match table.capacity() {
        0 => return 0,
        few @ 1..8 => (few + 1).next_power_of_two(),
        many => (many * 8 / 7).next_power_of_two(),
    };
    buckets * (size_of::<(K, V)>() + 1) + 16
}

/// The module keys with every file after all it imports, the main file (`None`) last. Reading
/// has made sure that there are no cycles.
fn bottom_up(tree: &SourceTree) -> Vec<Option<String>> {
    fn visit(tree: &SourceTree, key: Option<String>, order: &mut Vec<Option<String>>) {
        if order.contains(&key) {
            return;
        }
        for edge in tree.imports_of(key.as_deref()) {
            visit(tree, Some(edge.module.clone()), order);
        }
        order.push(key);
    }
    let mut order = Vec::with_capacity(tree.modules.len() + 1);
    visit(tree, None, &mut order);
    order
}

/// Every file, parsed, in the order of [`bottom_up`].
fn drafts(tree: &SourceTree) -> Result<Vec<(Option<String>, Draft<'_>)>, CompileError> {
    let draft = |key: Option<String>| match Draft::new(text_of(tree, key.as_deref())) {
        Ok(draft) => Ok((key, draft)),
        Err(error) => Err(CompileError::Source(key, error)),
    };
    bottom_up(tree).into_iter().map(draft).collect()
}

fn text_of<'a>(tree: &'a SourceTree, key: Option<&str>) -> &'a str {
    tree.file(key).map_or("", |file| &*file.text)
}

fn file(
    tree: &SourceTree,
    key: Option<&str>,
    draft: Draft<'_>,
    keeps_ranges: bool,
    modules: &HashMap<String, Shared<Module>>,
) -> Result<File, CompileError> {
    // A file alone has nobody to keep its constants apart from.
    let place = || tree.modules.keys().position(|module| Some(module.as_str()) == key);
    let number = (!tree.modules.is_empty()).then(|| place().map_or(0, |place| place + 1));
    let Compiled { mut ast, columns, constants } = draft
        .compile(number, keeps_ranges)
        .map_err(|error| CompileError::Source(key.map(str::to_owned), error))?;
    ast.set_source(key.unwrap_or_default());
    let imports = tree
        .imports_of(key)
        .filter_map(|edge| {
            Some((edge.alias.as_str().into(), Shared::clone(modules.get(&edge.module)?)))
        })
        .collect();
    Ok(File { ast, columns, constants, imports })
}

/// The file's functions as a module that carries what they need: its own functions and imports.
///
/// The engine collects a module's environment while it evaluates its top level: the imports here,
/// each under its alias, and the constants as literals that `global::NAME` reads.
fn as_module(engine: &Engine, file: &File) -> Result<Shared<Module>, Box<EvalAltResult>> {
    let mut loader = Engine::new_raw();
    loader.set_module_resolver(Prepared(file.imports.clone()));
    let position = Position::NONE;
    let imports = file.imports.iter().map(|(alias, _)| {
        let path = Expr::StringConstant(alias.clone(), position);
        let name = rhai::Ident { name: alias.clone(), pos: position };
        Stmt::Import(Box::new((path, name)), position)
    });
    let constants = file.constants.iter().map(|constant| {
        let name = rhai::Ident { name: constant.written.as_str().into(), pos: position };
        let value = Expr::DynamicConstant(Box::new(constant.value.clone()), position);
        Stmt::Var(Box::new((name, value, None)), ASTFlags::CONSTANT, position)
    });
    let source = file.ast.source().unwrap_or_default().to_owned();
    let top_level = imports.chain(constants).collect::<Vec<_>>();
    let ast = AST::new_with_source(top_level, file.ast.shared_lib().clone(), source);
    let mut global = engine.new_global_runtime_state();
    let mut module = Module::eval_ast_as_new_raw(&loader, &mut Scope::new(), &mut global, &ast)?;
    // What `alias::NAME` reads.
    for constant in &file.constants {
        module.set_var(constant.written.clone(), constant.value.clone());
    }
    module.build_index();
    Ok(Shared::new(module))
}

/// Resolves an alias to the module that was made for it.
struct Prepared(Vec<(ImmutableString, Shared<Module>)>);

impl ModuleResolver for Prepared {
    fn resolve(
        &self,
        _: &Engine,
        _: Option<&str>,
        path: &str,
        position: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        self.0
            .iter()
            .find(|(alias, _)| alias == path)
            .map(|(_, module)| Shared::clone(module))
            .ok_or_else(|| EvalAltResult::ErrorModuleNotFound(path.to_owned(), position).into())
    }
}

/// The body of a function as an expression. The engine does not name the type that holds it, so
/// the tree is narrowed to the one function and walked.
fn body(ast: &AST, entry: &Entry) -> Expr {
    let mut one = ast.clone_functions_only();
    one.retain_functions(|_, _, name, arity| name == entry.function && arity == entry.arity);
    let mut statements = Vec::new();
    one.walk(&mut |path: &[ASTNode]| {
        if let [ASTNode::Stmt(statement)] = path {
            statements.push(Stmt::clone(statement));
        }
        true
    });
    Expr::Stmt(Box::new(StmtBlock::new(statements, Position::NONE, Position::NONE)))
}
