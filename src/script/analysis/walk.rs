//! One walk over the body of one function: what it calls, and which habits it shows.
//!
//! `AST::walk` would skip `break EXPR` and visit switch arms twice, and says nothing about whether
//! a value is used; this walk does. It looks at one body and knows nothing of other functions.

use crate::feature::hook::DecisionKind;
use rhai::{
    AST, ASTNode, Dynamic, Expr, FlowControl, FnCallExpr, FnPtr, ImmutableString, Module, Position,
    Stmt, Token,
};

/// What became of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Something uses it.
    Used,
    /// Nothing does.
    Dropped,
    /// It is what the function returns.
    Returned,
}

/// A call by name.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub name: ImmutableString,
    /// How many arguments stand in the parentheses.
    pub arguments: usize,
    pub position: Position,
}

/// A call on a value, and what became of what it gave.
#[derive(Debug, Clone)]
pub(super) struct Method {
    pub call: Call,
    pub place: Place,
}

/// A call or a value of a module.
#[derive(Debug, Clone)]
pub(super) struct Qualified {
    pub module: ImmutableString,
    /// Whether more than one module is named, as in `a::b::f`.
    pub nested: bool,
    pub name: ImmutableString,
    /// The number of arguments; `None` is a value, as in `a::LIMIT`.
    pub arguments: Option<usize>,
    /// Where the module's name stands.
    pub position: Position,
}

/// A habit that traps people, with the place.
#[derive(Debug, Clone)]
pub(super) enum Habit {
    /// A decision that is made and dropped.
    DecisionDropped(Call),
    /// A closure given to `for_each`, by its name, and how many parameters it captures.
    ForEach { closure: ImmutableString, captured: usize, position: Position },
    /// A division of two integers.
    IntegerDivision { position: Position, literal: Option<(i64, i64)> },
    /// A callback that is given as the name of a function in quotes.
    ByName { method: ImmutableString, name: ImmutableString, position: Position },
}

/// What one function's body holds.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub calls: Vec<Call>,
    pub methods: Vec<Method>,
    pub qualified: Vec<Qualified>,
    /// Bare names that are no local variable: constants, functions, slips.
    pub names: Vec<(ImmutableString, Position)>,
    /// Names of the variables it declares, for suggestions.
    pub locals: Vec<ImmutableString>,
    /// The closures that stand in it.
    pub closures: Vec<ImmutableString>,
    /// `import` statements in the body.
    pub imports: Vec<Position>,
    pub habits: Vec<Habit>,
    /// Decisions of the last statement so far, and the first of its methods: whether it is the
    /// last of its function is known when the next one comes, or none.
    pending: Vec<Call>,
    settled: usize,
    /// Whether `this` is used.
    pub uses_this: bool,
}

/// Methods of arrays that also take the name of a function as text (RHAI.md, surprise C), without
/// `index_of`, which looks for text as well.
const CALLBACK_METHODS: [&str; 11] = [
    "map",
    "filter",
    "some",
    "all",
    "dedup",
    "reduce",
    "reduce_rev",
    "sort",
    "drain",
    "retain",
    "for_each",
];

/// The facts of one function of a tree.
///
/// The type of a function's body has no public name, so that the body cannot be matched out; a
/// tree of that function alone can be walked.
pub(super) fn facts(function: &rhai::Shared<rhai::ScriptFuncDef>) -> Facts {
    let mut module = Module::new();
    module.set_script_fn(rhai::Shared::clone(function));
    let mut facts = Facts::default();
    AST::new([], module).walk(&mut |path| {
        if let [ASTNode::Stmt(statement)] = path {
            facts.settle();
            facts.statement(statement, Place::Returned);
        }
        true
    });
    facts
}

impl Facts {
    /// Another statement follows: what the last one gave is dropped.
    fn settle(&mut self) {
        self.habits.extend(self.pending.drain(..).map(Habit::DecisionDropped));
        for method in &mut self.methods[self.settled..] {
            if method.place == Place::Returned {
                method.place = Place::Dropped;
            }
        }
        self.settled = self.methods.len();
    }

    fn block<'a>(&mut self, statements: impl IntoIterator<Item = &'a Stmt>, place: Place) {
        let mut statements = statements.into_iter().peekable();
        while let Some(statement) = statements.next() {
            let last = statements.peek().is_none();
            self.statement(statement, if last { place } else { Place::Dropped });
        }
    }

    fn branches(&mut self, flow: &FlowControl, place: Place) {
        self.expression(&flow.expr, Place::Used);
        self.block(&flow.body, place);
        self.block(&flow.branch, place);
    }

    fn statement(&mut self, statement: &Stmt, place: Place) {
        match statement {
            Stmt::If(flow, _) => self.branches(flow, place),
            Stmt::While(flow, _) | Stmt::Do(flow, ..) => self.branches(flow, Place::Dropped),
            Stmt::For(parts, _) => {
                let (name, counter, flow) = &**parts;
                self.locals.push(name.name.clone());
                self.locals.extend(counter.iter().map(|counter| counter.name.clone()));
                self.branches(flow, Place::Dropped);
            }
            Stmt::Switch(parts, _) => {
                self.expression(&parts.0, Place::Used);
                for case in &parts.1.expressions {
                    self.expression(&case.lhs, Place::Used);
                    self.expression(&case.rhs, place);
                }
            }
            Stmt::Var(parts, ..) => {
                self.locals.push(parts.0.name.clone());
                self.expression(&parts.1, Place::Used);
            }
            Stmt::Assignment(parts) => {
                self.expression(&parts.1.lhs, Place::Used);
                self.expression(&parts.1.rhs, Place::Used);
            }
            Stmt::FnCall(call, position) => self.call(call, *position, place),
            Stmt::Block(block) => self.block(block.statements(), place),
            // Its expression is the variable it declares; its blocks give no value.
            Stmt::TryCatch(flow, _) => {
                if let Expr::Variable(parts, ..) = &flow.expr {
                    self.locals.push(parts.1.clone());
                }
                self.block(&flow.body, Place::Dropped);
                self.block(&flow.branch, Place::Dropped);
            }
            Stmt::Expr(expression) => self.expression(expression, place),
            Stmt::BreakLoop(Some(expression), ..) | Stmt::Return(Some(expression), ..) => {
                self.expression(expression, Place::Used);
            }
            Stmt::Import(parts, position) => {
                self.imports.push(*position);
                self.expression(&parts.0, Place::Used);
            }
            _ => (),
        }
    }

    fn expression(&mut self, expression: &Expr, place: Place) {
        match expression {
            Expr::Variable(..) => self.variable(expression),
            Expr::ThisPtr(_) => self.uses_this = true,
            Expr::DynamicConstant(value, _) => self.constant(value),
            Expr::InterpolatedString(parts, _) | Expr::Array(parts, _) => {
                parts.iter().for_each(|part| self.expression(part, Place::Used));
            }
            Expr::Map(parts, _) => {
                parts.0.iter().for_each(|(_, value)| self.expression(value, Place::Used));
            }
            Expr::FnCall(call, position) => self.call(call, *position, place),
            Expr::MethodCall(call, position) => self.method(call, *position, place),
            Expr::Stmt(block) => self.block(block.statements(), place),
            Expr::Dot(parts, ..) | Expr::Index(parts, ..) => {
                self.expression(&parts.lhs, Place::Used);
                self.expression(&parts.rhs, place);
            }
            Expr::And(parts, _) | Expr::Or(parts, _) | Expr::Coalesce(parts, _) => {
                parts.iter().for_each(|part| self.expression(part, Place::Used));
            }
            _ => (),
        }
    }

    fn variable(&mut self, expression: &Expr) {
        let Expr::Variable(parts, short_index, position) = expression else { return };
        let (index, name, namespace, _) = &**parts;
        if let Some(module) = namespace.path.first() {
            self.qualified.push(Qualified {
                module: module.name.clone(),
                nested: namespace.path.len() > 1,
                name: name.clone(),
                arguments: None,
                position: namespace.position(),
            });
        } else if index.is_none() && short_index.is_none() {
            self.names.push((name.clone(), *position));
        }
    }

    /// Closures are constants of the tree; arrays and maps may hold them.
    fn constant(&mut self, value: &Dynamic) {
        if let Some(closure) = closure_name(value) {
            self.closures.push(closure);
        }
    }

    fn call(&mut self, call: &FnCallExpr, position: Position, place: Place) {
        self.arguments(call);
        if let Some(operator) = &call.op_token {
            if *operator == Token::Divide {
                self.division(call, position);
            }
            return;
        }
        if let Some(module) = call.namespace.path.first() {
            self.qualified.push(Qualified {
                module: module.name.clone(),
                nested: call.namespace.path.len() > 1,
                name: call.name.clone(),
                arguments: Some(call.args.len()),
                position: call.namespace.position(),
            });
            return;
        }
        // The parser writes a capturing closure as a call of `curry`; scripts cannot.
        if call.name == "curry" {
            return;
        }
        let called = Call { name: call.name.clone(), arguments: call.args.len(), position };
        // A call that drops one is a mistake wherever it stands.
        let is_decision = DecisionKind::of_call(&call.name, call.args.len()).is_some();
        match place {
            Place::Dropped if is_decision => {
                self.habits.push(Habit::DecisionDropped(called.clone()));
            }
            Place::Returned if is_decision => self.pending.push(called.clone()),
            _ => (),
        }
        if let [_, callback, ..] = &*call.args {
            self.callback(&call.name, callback, position);
        }
        self.calls.push(called);
    }

    fn method(&mut self, call: &FnCallExpr, position: Position, place: Place) {
        self.arguments(call);
        let called = Call { name: call.name.clone(), arguments: call.args.len(), position };
        if let Some(callback) = call.args.first() {
            self.callback(&call.name, callback, position);
        }
        self.methods.push(Method { call: called, place });
    }

    fn arguments(&mut self, call: &FnCallExpr) {
        call.args.iter().for_each(|argument| self.expression(argument, Place::Used));
    }

    fn callback(&mut self, method: &ImmutableString, callback: &Expr, position: Position) {
        if !CALLBACK_METHODS.contains(&method.as_str()) {
            return;
        }
        if let Expr::StringConstant(name, position) = callback
            && super::super::parse::is_identifier(name)
        {
            self.habits.push(Habit::ByName {
                method: method.clone(),
                name: name.clone(),
                position: *position,
            });
        } else if method == "for_each"
            && let Some((closure, captured)) = closure_of(callback)
        {
            self.habits.push(Habit::ForEach { closure, captured, position });
        }
    }

    fn division(&mut self, call: &FnCallExpr, position: Position) {
        let [left, right] = &*call.args else { return };
        match (left, right) {
            (Expr::IntegerConstant(left, _), Expr::IntegerConstant(right, _)) => {
                let rest = left.checked_rem(*right).unwrap_or(0);
                let literal = (rest != 0).then_some((*left, *right));
                let habit = literal.map(|_| Habit::IntegerDivision { position, literal });
                self.habits.extend(habit);
            }
            (left, right) if is_length(left) && is_length(right) => {
                self.habits.push(Habit::IntegerDivision { position, literal: None });
            }
            _ => (),
        }
    }
}

/// Whether the expression is the length of something, which is always an integer.
fn is_length(expression: &Expr) -> bool {
    match expression {
        Expr::FnCall(call, _) => call.name == "len" && call.args.len() == 1,
        Expr::MethodCall(call, _) => call.name == "len" && call.args.is_empty(),
        Expr::Property(name, _) => name.2 == "len",
        Expr::Dot(parts, ..) | Expr::Index(parts, ..) => is_length(&parts.rhs),
        _ => false,
    }
}

fn closure_name(value: &Dynamic) -> Option<ImmutableString> {
    value.read_lock::<FnPtr>().map(|closure| closure.fn_name().into())
}

/// The closure an expression is, and how many variables it captures.
fn closure_of(expression: &Expr) -> Option<(ImmutableString, usize)> {
    match expression {
        Expr::DynamicConstant(value, _) => Some((closure_name(value)?, 0)),
        // A block that shares the captured variables and then curries the closure.
        Expr::Stmt(block) => {
            let Stmt::Expr(last) = block.statements().last()? else { return None };
            let Expr::FnCall(call, _) = &**last else { return None };
            let (closure, _) = closure_of(call.args.first()?)?;
            (call.name == "curry").then(|| (closure, call.args.len().saturating_sub(1)))
        }
        _ => None,
    }
}
