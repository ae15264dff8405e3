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
    pub receiver: Receiver,
}

/// What a method is called on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Receiver {
    /// `this`, or a part of it.
    This,
    /// A variable.
    Variable(ImmutableString),
    /// A part of a variable.
    Part(ImmutableString),
    /// What an expression gave.
    Value,
}

impl Receiver {
    fn of(expression: &Expr) -> Self {
        match expression {
            Expr::ThisPtr(_) => Self::This,
            Expr::Variable(parts, ..) if parts.2.path.is_empty() => Self::Variable(parts.1.clone()),
            _ => Self::Value,
        }
    }

    /// What the rest of a chain is called on, behind one link of it.
    fn behind(self, link: &Expr) -> Self {
        match self {
            _ if matches!(link, Expr::MethodCall(..)) => Self::Value,
            Self::Variable(name) => Self::Part(name),
            other => other,
        }
    }

    /// The variable in words; `value` where it has no name.
    pub fn shown(&self) -> &str {
        match self {
            Self::This => "this",
            Self::Variable(name) => name,
            Self::Part(_) | Self::Value => "value",
        }
    }
}

/// A statement that ends a function and gives no value, at least in one way through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Valueless {
    /// A `for`, `while` or `do` that no `break VALUE` ends.
    Loop,
    /// `let`, `const` or an assignment.
    Declaration,
    /// The `catch` of a `try`, whatever it ends with.
    Catch,
    /// An `if` whose condition may not hold, without an `else`.
    If,
    /// An empty block.
    Empty,
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
    /// A value at the end of a `catch` or of a loop, where nothing takes it.
    ValueDropped { by: Valueless, position: Position },
    /// A text in double quotes that holds `${name}`.
    Braces { name: ImmutableString, position: Position },
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
    /// Values that a `catch` drops at the end of the last statement so far.
    pending_values: Vec<Habit>,
    settled: usize,
    /// How often a `break VALUE` or a `return` stood so far.
    exits: usize,
    /// How the last statement so far gives no value, and where it begins.
    pub ending: Option<(Valueless, Position)>,
    /// Closures that stand in it, and how many variables each captures.
    pub captures: Vec<(ImmutableString, usize)>,
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
            let exits = facts.exits;
            facts.statement(statement, Place::Returned);
            facts.ending = valueless(statement, facts.exits > exits);
        }
        true
    });
    let kept = std::mem::take(&mut facts.pending_values);
    facts.habits.extend(kept);
    facts
}

/// How a statement at the end of a function gives no value: the engine gives `()` for these, and for
/// `catch` whatever its block ends with. `has_exit` says that a `break VALUE` or a `return` stands in
/// it, which may be the only way out of a loop.
fn valueless(statement: &Stmt, has_exit: bool) -> Option<(Valueless, Position)> {
    let last = |statements: &[Stmt], position: Position| match statements.last() {
        Some(last) => valueless(last, has_exit),
        None => Some((Valueless::Empty, position)),
    };
    match statement {
        Stmt::For(_, position) | Stmt::Do(_, _, position) if !has_exit => {
            Some((Valueless::Loop, *position))
        }
        // `loop` ends by `break` or `return` alone.
        Stmt::While(flow, position)
            if !has_exit && !matches!(flow.expr, Expr::Unit(_) | Expr::BoolConstant(true, _)) =>
        {
            Some((Valueless::Loop, *position))
        }
        Stmt::Var(.., position) => Some((Valueless::Declaration, *position)),
        Stmt::Assignment(parts) => Some((Valueless::Declaration, parts.1.lhs.start_position())),
        Stmt::Block(block) => last(block.statements(), block.position()),
        Stmt::TryCatch(flow, position) => {
            let caught = flow.branch.statements().last();
            match caught {
                Some(caught) if diverges(caught) => last(flow.body.statements(), *position),
                // That is a habit with a diagnostic of its own.
                _ if plain_value(flow.branch.statements()).is_some() => None,
                _ => Some((Valueless::Catch, *position)),
            }
        }
        Stmt::If(flow, position) => {
            let body = match flow.body.statements().last() {
                Some(end) if diverges(end) => None,
                _ => last(flow.body.statements(), *position),
            };
            if flow.branch.is_empty() {
                return Some((Valueless::If, *position));
            }
            body.or_else(|| match flow.branch.statements().last() {
                Some(end) if diverges(end) => None,
                _ => last(flow.branch.statements(), *position),
            })
        }
        _ => None,
    }
}

/// Whether nothing goes on behind a statement.
fn diverges(statement: &Stmt) -> bool {
    let ends = |name: &str| matches!(name, "fail" | "exit");
    match statement {
        Stmt::Return(..) | Stmt::BreakLoop(..) => true,
        Stmt::FnCall(call, _) => ends(&call.name),
        Stmt::Expr(expression) => {
            matches!(&**expression, Expr::FnCall(call, _) if ends(&call.name))
        }
        Stmt::Block(block) => block.statements().last().is_some_and(diverges),
        Stmt::If(flow, _) => {
            let ends = |statements: &[Stmt]| statements.last().is_some_and(diverges);
            ends(flow.body.statements()) && ends(flow.branch.statements())
        }
        _ => false,
    }
}

/// The place of a value that a block ends with and that does nothing but be one.
fn plain_value(statements: &[Stmt]) -> Option<Position> {
    let Stmt::Expr(expression) = statements.last()? else { return None };
    is_plain(expression).then(|| expression.start_position())
}

/// Whether an expression only has a value: it calls nothing that a script or the host defines.
fn is_plain(expression: &Expr) -> bool {
    match expression {
        Expr::Unit(_) => false,
        Expr::Variable(..)
        | Expr::Property(..)
        | Expr::InterpolatedString(..)
        | Expr::Array(..)
        | Expr::Map(..) => true,
        Expr::Dot(parts, ..) | Expr::Index(parts, ..) => {
            is_plain(&parts.lhs) && is_plain(&parts.rhs)
        }
        Expr::FnCall(call, _) => call.op_token.is_some() && call.args.iter().all(is_plain),
        other => other.is_constant(),
    }
}

impl Facts {
    /// Another statement follows: what the last one gave is dropped.
    fn settle(&mut self) {
        self.habits.extend(self.pending.drain(..).map(Habit::DecisionDropped));
        self.pending_values.clear();
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
            Stmt::While(flow, _) | Stmt::Do(flow, ..) => {
                self.dropped_by_loop(flow);
                self.branches(flow, Place::Dropped);
            }
            Stmt::For(parts, _) => {
                self.dropped_by_loop(&parts.2);
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
            // Its expression is the variable it declares; the block of `catch` gives no value.
            Stmt::TryCatch(flow, _) => {
                if let Expr::Variable(parts, ..) = &flow.expr {
                    self.locals.push(parts.1.clone());
                }
                if let Some(position) = plain_value(flow.branch.statements()) {
                    let habit = Habit::ValueDropped { by: Valueless::Catch, position };
                    match place {
                        Place::Used => self.habits.push(habit),
                        Place::Returned => self.pending_values.push(habit),
                        Place::Dropped => (),
                    }
                }
                self.block(&flow.body, place);
                self.block(&flow.branch, Place::Dropped);
            }
            Stmt::Expr(expression) => self.expression(expression, place),
            Stmt::BreakLoop(Some(expression), ..) | Stmt::Return(Some(expression), ..) => {
                self.exits += 1;
                self.expression(expression, Place::Used);
            }
            Stmt::Import(parts, position) => {
                self.imports.push(*position);
                self.expression(&parts.0, Place::Used);
            }
            _ => (),
        }
    }

    fn dropped_by_loop(&mut self, flow: &FlowControl) {
        if let Some(position) = plain_value(flow.body.statements()) {
            self.habits.push(Habit::ValueDropped { by: Valueless::Loop, position });
        }
    }

    fn expression(&mut self, expression: &Expr, place: Place) {
        match expression {
            Expr::StringConstant(text, position) => self.braces(text, *position),
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
            Expr::MethodCall(call, position) => {
                self.method(call, *position, place, Receiver::Value);
            }
            Expr::Stmt(block) => {
                if let Some(captured) = closure_of(expression) {
                    self.captures.push(captured);
                }
                self.block(block.statements(), place);
            }
            Expr::Dot(parts, ..) => {
                self.expression(&parts.lhs, Place::Used);
                self.chain(&parts.rhs, Receiver::of(&parts.lhs), place);
            }
            Expr::Index(parts, ..) => {
                self.expression(&parts.lhs, Place::Used);
                self.indexed(&parts.rhs, Receiver::of(&parts.lhs), place);
            }
            Expr::And(parts, _) | Expr::Or(parts, _) | Expr::Coalesce(parts, _) => {
                parts.iter().for_each(|part| self.expression(part, Place::Used));
            }
            _ => (),
        }
    }

    /// What follows a dot.
    fn chain(&mut self, rest: &Expr, receiver: Receiver, place: Place) {
        match rest {
            Expr::MethodCall(call, position) => self.method(call, *position, place, receiver),
            Expr::Dot(parts, ..) => {
                self.chain(&parts.lhs, receiver.clone(), Place::Used);
                self.chain(&parts.rhs, receiver.behind(&parts.lhs), place);
            }
            Expr::Index(parts, ..) => {
                self.chain(&parts.lhs, receiver.clone(), Place::Used);
                self.indexed(&parts.rhs, receiver.behind(&parts.lhs), place);
            }
            other => self.expression(other, place),
        }
    }

    /// What stands between brackets, and, as the parser has it, all that follows them.
    fn indexed(&mut self, index: &Expr, receiver: Receiver, place: Place) {
        match index {
            Expr::Dot(parts, ..) => {
                self.expression(&parts.lhs, Place::Used);
                self.chain(&parts.rhs, receiver.behind(&parts.lhs), place);
            }
            Expr::Index(parts, ..) => {
                self.expression(&parts.lhs, Place::Used);
                self.indexed(&parts.rhs, receiver.behind(&parts.lhs), place);
            }
            other => self.expression(other, place),
        }
    }

    /// The names in `${name}` of a text that is none in backticks: there they would be values.
    fn braces(&mut self, text: &ImmutableString, position: Position) {
        let mut rest = text.as_str();
        while let Some((_, after)) = rest.split_once("${") {
            let Some((name, tail)) = after.split_once('}') else { return };
            let root = name.split(['.', '[', '(']).next().unwrap_or(name);
            if super::super::parse::is_identifier(root) {
                self.habits.push(Habit::Braces { name: root.into(), position });
            }
            rest = tail;
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

    fn method(&mut self, call: &FnCallExpr, position: Position, place: Place, receiver: Receiver) {
        self.arguments(call);
        let called = Call { name: call.name.clone(), arguments: call.args.len(), position };
        if let Some(callback) = call.args.first() {
            self.callback(&call.name, callback, position);
        }
        self.methods.push(Method { call: called, place, receiver });
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
