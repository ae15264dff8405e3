//! Habits of Rhai that trap people: code that runs and does not do what it seems to.

use super::graph::{File, Program};
use super::known::Known;
use super::walk::{Call, Habit, Method, Place, Receiver, Valueless};
use crate::diagnostic::Diagnostic;
use crate::script::remedy;

/// Methods that are called for what becomes of a value, where other languages give a new one. One that
/// ends a function is a slip; `list.push(x)` there is not.
const MADE_FOR_THE_RESULT: [&str; 14] = [
    "trim",
    "make_upper",
    "make_lower",
    "replace",
    "crop",
    "truncate",
    "sort",
    "sort_by",
    "sort_desc",
    "order",
    "order_by",
    "order_desc",
    "reverse",
    "pad",
];

/// Functions of modules that do something else than the method of their name.
const OTHER_THAN_THE_METHOD: [&str; 2] = ["truncate", "set"];

/// Looks at the functions of one file.
pub(super) fn check(
    program: &Program<'_>,
    file: usize,
    known: &Known,
    problems: &mut Vec<Diagnostic>,
) {
    let place = &program.files[file];
    if place.is_library() {
        return;
    }
    let mut found = Vec::new();
    for node in place.own.clone() {
        for habit in &program.nodes[node].facts.habits {
            found.extend(explain(habit, node, program, place));
        }
        for method in &program.nodes[node].facts.methods {
            found.extend(in_place(method, node, place, program, known));
        }
    }
    shadows(place, known, &mut found);
    problems.extend(found.into_iter().map(|problem| problem.in_file(&place.parsed.file.name)));
}

fn explain(
    habit: &Habit,
    node: usize,
    program: &Program<'_>,
    file: &File<'_>,
) -> Option<Diagnostic> {
    match habit {
        Habit::DecisionDropped(call) => {
            let own = file.arities(&call.name, &program.nodes).contains(&call.arguments);
            (!own).then(|| decision_dropped(call, file))
        }
        Habit::ForEach { closure, captured, position } => {
            let node = &program.nodes[file.named(closure, &program.nodes).next()?];
            let parameters = node.parameters().len().saturating_sub(*captured);
            let span = file.span(*position, "for_each".len());
            for_each(parameters, node.facts.uses_this).map(|problem| problem.at(span, ""))
        }
        Habit::IntegerDivision { position, literal } => {
            Some(division(*literal).at(file.span(*position, 1), "gives an integer"))
        }
        Habit::ByName { method, name, position } => Some(
            Diagnostic::author(
                "call/by-name",
                format!("`{method}` is given a function by its name in quotes, which is off"),
            )
            .at(file.span(*position, name.chars().count() + 2), "")
            .help(format!("write a closure: `|x| {name}(x)`")),
        ),
        Habit::ValueDropped { by, position } => {
            Some(value_dropped(*by).at(file.span(*position, 1), "goes nowhere"))
        }
        Habit::Braces { name, position } => {
            let node = &program.nodes[node];
            let mut variables = node.facts.locals.iter().chain(node.parameters());
            variables.any(|variable| variable == name).then(|| {
                Diagnostic::warning(
                    "lint/quotes",
                    format!("`${{{name}}}` stands in double quotes, and stays as it is"),
                )
                .at(file.span(*position, 1), "")
                .help("write the text in backticks: `` `hello ${name}` ``")
            })
        }
    }
}

fn value_dropped(by: Valueless) -> Diagnostic {
    match by {
        Valueless::Catch => {
            Diagnostic::warning("lint/no-value", "`catch` gives `()`, whatever its block ends with")
                .help("write `return …;` here, or set a variable that is declared before the `try`")
        }
        _ => Diagnostic::warning("lint/no-value", "a loop drops what its block ends with").help(
            "collect it with `found.push(…)`, make a list with `list.map(|item| …)`, or end the \
             loop with `break value;`",
        ),
    }
}

fn decision_dropped(call: &Call, file: &File<'_>) -> Diagnostic {
    let name = &call.name;
    let dots = if call.arguments == 0 { "" } else { "…" };
    Diagnostic::warning(
        "lint/decision-dropped",
        format!("`{name}` makes a decision, and nothing returns it"),
    )
    .at(file.span(call.position, name.chars().count()), "")
    .help(format!("write `return {name}({dots});`"))
}

fn in_place(
    method: &Method,
    node: usize,
    file: &File<'_>,
    program: &Program<'_>,
    known: &Known,
) -> Option<Diagnostic> {
    let Method { call, place, receiver } = method;
    let name = call.name.as_str();
    if *place == Place::Dropped
        || !known.gives_nothing(name, call.arguments)
        || !file.named(name, &program.nodes).is_empty()
    {
        return None;
    }
    if *place == Place::Returned
        && (!MADE_FOR_THE_RESULT.contains(&name) || lasts(receiver, node, file, program))
    {
        return None;
    }
    let problem = Diagnostic::warning(
        "lint/in-place",
        format!("`{name}` changes its value in place and gives `()`, which is used here"),
    )
    .at(file.span(call.position, name.chars().count()), "");
    let shown = receiver.shown();
    let modules = known.modules_with(name, call.arguments + 1);
    let is_same = !OTHER_THAN_THE_METHOD.contains(&name);
    Some(match remedy::home(&modules, "").filter(|_| is_same) {
        Some(module) => {
            problem.help(format!("write {}", remedy::call_of(module, name, shown, call.arguments)))
        }
        None => {
            let dots = if call.arguments == 0 { "" } else { "…" };
            problem.help(format!("call it first, `{shown}.{name}({dots});`, then use `{shown}`"))
        }
    })
}

/// Whether what a method changes is there when its function has ended: `this`, or a variable that a
/// closure shares with the function around it.
fn lasts(receiver: &Receiver, node: usize, file: &File<'_>, program: &Program<'_>) -> bool {
    let (Receiver::Variable(name) | Receiver::Part(name)) = receiver else {
        return *receiver == Receiver::This;
    };
    let closure = &program.nodes[node];
    if !closure.is_closure() {
        return false;
    }
    let around = program.nodes[file.own.clone()].iter();
    let captured = around
        .flat_map(|node| &node.facts.captures)
        .find_map(|(name, count)| (*name == closure.name()).then_some(*count));
    closure.parameters().iter().take(captured.unwrap_or(0)).any(|shared| shared == name)
}

/// Rhai binds the element to `this` and gives the index to a parameter, if there is one.
fn for_each(parameters: usize, uses_this: bool) -> Option<Diagnostic> {
    let help = "write `for item in list { … }`, or `list.for_each(|| … this …)`";
    match parameters {
        0 => None,
        1 if uses_this => None,
        1 => Some(
            Diagnostic::warning(
                "lint/for-each",
                "`for_each` gives the index to its closure; the element is `this`",
            )
            .help(help),
        ),
        count => Some(
            Diagnostic::warning(
                "lint/for-each",
                format!(
                    "`for_each` gives its closure the index alone, and this one takes {count} \
                     parameters; the element is `this`"
                ),
            )
            .help("write `for (item, index) in list { … }`")
            .help(help),
        ),
    }
}

fn division(literal: Option<(i64, i64)>) -> Diagnostic {
    let problem = Diagnostic::warning(
        "lint/integer-division",
        "an integer divided by an integer is an integer; the rest is dropped",
    );
    match literal {
        Some((left, right)) => problem
            .help(format!("`{left} / {right}` is {}; write `{left}.0 / {right}`", left / right)),
        None => problem.help("write `a.len().to_float() / b.len()` where the rest matters"),
    }
}

/// A script's function goes before a native of the same name, in every call of the file.
fn shadows(file: &File<'_>, known: &Known, found: &mut Vec<Diagnostic>) {
    for function in &file.parsed.functions {
        if function.this_type.is_none() && known.has(&function.name, function.parameters.len()) {
            found.push(
                Diagnostic::warning(
                    "lint/shadows",
                    format!(
                        "`fn {}` with {} parameters takes the place of the built-in function of \
                         that name",
                        function.name,
                        function.parameters.len()
                    ),
                )
                .at(function.place(), "")
                .help("give it another name, unless that is what you want"),
            );
        }
    }
}
