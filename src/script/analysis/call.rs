//! Calls against what exists: the file's own functions, its imports, natives and host modules.

use super::graph::{Analysis, File, Program, Use, Used};
use super::known::{Arities, Known, ModuleInfo};
use super::walk::{Call, Method, Qualified, Receiver};
use crate::diagnostic::{Diagnostic, nearest};
use crate::feature::capability::{Audience, PodAct};
use crate::feature::descriptor::CapabilityRequest;
use crate::feature::hook::DecisionKind;
use crate::script::host::{Access, Part, parts};
use crate::script::remedy;
use crate::script::source::Loaded;
use rhai::ImmutableString;
use std::ops::Range;

/// Resolves the calls of one file, filling in the edges and uses of its nodes.
pub(super) fn resolve(
    program: &mut Program<'_>,
    file: usize,
    known: &Known,
    problems: &mut Vec<Diagnostic>,
) {
    program.link_closures(file);
    hidden_modules(&program.files[file], known, problems);
    for node in program.files[file].own.clone() {
        let mut resolver = Resolver {
            program,
            known,
            file,
            node,
            edges: Vec::new(),
            uses: Vec::new(),
            problems: Vec::new(),
        };
        resolver.run();
        let Resolver { edges, uses, problems: found, .. } = resolver;
        program.nodes[node].calls.extend(edges);
        program.nodes[node].uses.extend(uses);
        let name = &program.files[file].parsed.file.name;
        problems.extend(found.into_iter().map(|problem| problem.in_file(name)));
    }
}

/// Imports that take the name of a host module: which of the two a call means must be plain.
fn hidden_modules(file: &File<'_>, known: &Known, problems: &mut Vec<Diagnostic>) {
    for import in &file.parsed.imports {
        let alias = &import.alias;
        if known.modules.contains_key(alias) || alias == "global" {
            problems.push(
                Diagnostic::author(
                    "import/alias",
                    format!("the import `{alias}` would hide the module `{alias}` of the host"),
                )
                .in_file(&file.parsed.file.name)
                .at(import.alias_span, "")
                .help(format!("write `import \"{}\" as my_{alias};`", import.path)),
            );
        }
    }
}

struct Resolver<'a, 'b> {
    program: &'a Program<'b>,
    known: &'a Known,
    file: usize,
    node: usize,
    edges: Vec<usize>,
    uses: Vec<Used>,
    problems: Vec<Diagnostic>,
}

impl Resolver<'_, '_> {
    fn run(&mut self) {
        let facts = &self.program.nodes[self.node].facts;
        for call in &facts.calls {
            self.call(call);
        }
        for method in &facts.methods {
            self.method(method);
        }
        for call in &facts.qualified {
            self.qualified(call);
        }
        for (name, position) in &facts.names {
            self.name(name, *position);
        }
        for position in &facts.imports {
            let span = self.program.files[self.file].span(*position, 6);
            self.problems.push(
                Diagnostic::author(
                    "import/not-top-level",
                    "`import` stands inside of a function; what a feature loads is read from the \
                     top level of its file",
                )
                .at(span, "")
                .help("move it to the top of the file, before the first `fn`"),
            );
        }
    }

    /// The file's own functions of a name, whatever their parameters.
    fn own(&self, name: &str) -> Range<usize> {
        self.program.files[self.file].named(name, &self.program.nodes)
    }

    fn arity(&self, node: usize) -> usize {
        self.program.nodes[node].parameters().len()
    }

    fn call(&mut self, call: &Call) {
        let exact = self.own(&call.name).find(|&node| self.arity(node) == call.arguments);
        if let Some(node) = exact {
            self.edges.push(node);
            return;
        }
        if call.name == "call" && call.arguments > 0 {
            return;
        }
        let span = self.program.files[self.file].span(call.position, call.name.chars().count());
        if self.known.has(&call.name, call.arguments) {
            if let Some(decision) = DecisionKind::of_call(&call.name, call.arguments) {
                let (what, call) = (Use::Decision(decision), decision.name().to_owned());
                self.uses.push(Used { what, file: self.file, span, call });
            }
            return;
        }
        let mut arities = self.program.files[self.file].arities(&call.name, &self.program.nodes);
        let is_own = !arities.is_empty();
        arities.extend(self.known.globals.get(call.name.as_str()).into_iter().flatten());
        let problem = if arities.is_empty() {
            self.unknown_function(call)
        } else {
            let problem = wrong_arguments(&call.name, call.arguments, &arities);
            if is_own { problem } else { self.elsewhere(problem, call, &arities) }
        };
        self.problems.push(problem.at(span, ""));
    }

    /// Where a function of that name takes as many arguments as are given.
    fn elsewhere(&self, problem: Diagnostic, call: &Call, arities: &Arities) -> Diagnostic {
        let name = call.name.as_str();
        let modules = self.known.modules_with(name, call.arguments);
        let in_module = modules
            .iter()
            .find(|module| self.known.modules[**module].functions[name].contains(&call.arguments));
        if let Some(module) = in_module {
            let dots = if call.arguments == 0 { "" } else { "…" };
            return problem.help(format!("or write `{module}::{name}({dots})`"));
        }
        if self.known.is_method(name) && arities.contains(&(call.arguments + 1)) {
            let dots = if call.arguments == 0 { "" } else { "…" };
            return problem.help(format!("or call it as a method: `value.{name}({dots})`"));
        }
        problem
    }

    fn unknown_function(&self, call: &Call) -> Diagnostic {
        let name = call.name.as_str();
        let problem =
            Diagnostic::author("call/unknown-function", format!("there is no function `{name}`"));
        let node = &self.program.nodes[self.node];
        if node.facts.locals.iter().chain(node.parameters()).any(|local| local == name) {
            return problem
                .help(format!("to call the closure in `{name}`, write `{name}.call(…)`"));
        }
        let own = &self.program.files[self.file].parsed.functions;
        if let Some(help) = remedy::of_function(name)
            .filter(|_| nearest(name, own.iter().map(|function| function.name.as_str())).is_none())
        {
            return problem.help(help);
        }
        if let Some((module, info)) = self.known.module_with(name, call.arguments) {
            let problem = problem.help(format!("write `{module}::{name}(…)`"));
            return match info.access {
                Access::Everybody => problem,
                Access::Granted | Access::Silent => {
                    let part = parts(module, name).first().copied().flatten();
                    problem.help(format!("and request it: {}", request_line(module, part)))
                }
            };
        }
        if let Some(alias) = self.alias_with(name) {
            return problem.help(format!("write `{alias}::{name}(…)`"));
        }
        let file = &self.program.files[self.file];
        let own = file.parsed.functions.iter().map(|function| function.name.as_str());
        let natives = self.known.globals.keys().map(String::as_str);
        let natives = natives.filter(|name| crate::script::parse::is_identifier(name));
        match nearest(name, own).or_else(|| nearest(name, natives)) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help(format!("define it: `fn {name}(…) {{ … }}`")),
        }
    }

    /// The alias of an imported file that has a function of that name.
    fn alias_with(&self, name: &str) -> Option<&str> {
        let aliases = &self.program.files[self.file].aliases;
        let mut found: Vec<&str> = aliases
            .iter()
            .filter(|(_, target)| {
                target.is_some_and(|file| {
                    !self.program.files[file].named(name, &self.program.nodes).is_empty()
                })
            })
            .map(|(alias, _)| *alias)
            .collect();
        found.sort_unstable();
        found.first().copied()
    }

    /// What a value can do is not known from the text, so that nothing here is an error.
    fn method(&mut self, method: &Method) {
        let Method { call, receiver, .. } = method;
        self.edges.extend(self.own(&call.name));
        let name = call.name.as_str();
        if !self.own(name).is_empty()
            || name == "call"
            || self.known.has(name, call.arguments + 1)
            || self.is_module(receiver)
        {
            return;
        }
        let span = self.program.files[self.file].span(call.position, name.chars().count());
        let with = match (self.known.globals.contains_key(name), call.arguments) {
            (false, _) => String::new(),
            (true, 0) => " without an argument".to_owned(),
            (true, 1) => " with 1 argument".to_owned(),
            (true, count) => format!(" with {count} arguments"),
        };
        let problem = Diagnostic::warning(
            "call/unknown-method",
            format!(
                "no value has a method `{name}`{with}, unless a map holds a closure of that name"
            ),
        )
        .at(span, "");
        self.problems.push(self.known_method(problem, call, receiver));
    }

    /// Adds what to write instead of a method that no value has.
    fn known_method(&self, problem: Diagnostic, call: &Call, receiver: &Receiver) -> Diagnostic {
        let (name, shown) = (call.name.as_str(), receiver.shown());
        if let Some(help) = remedy::of_method(name) {
            return problem.help(help.replace("value", shown));
        }
        let modules = self.known.modules_with(name, call.arguments + 1);
        if !modules.is_empty() {
            let calls: Vec<String> = remedy::general(&modules)
                .into_iter()
                .map(|module| remedy::call_of(module, name, shown, call.arguments))
                .collect();
            return problem.help(format!("write {}", calls.join(" or ")));
        }
        if let Some(arities) = self.known.globals.get(name).filter(|_| self.known.is_method(name)) {
            let counts: Vec<String> =
                arities.iter().filter(|count| **count > 0).map(|c| (c - 1).to_string()).collect();
            return problem.help(format!("as a method it takes {}", counts.join(" or ")));
        }
        let natives = self.known.globals.keys().map(String::as_str);
        let natives = natives.filter(|name| self.known.is_method(name));
        let near = nearest(name, natives.filter(|name| crate::script::parse::is_identifier(name)));
        match near {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help(format!(
                "to call a closure that a map holds, `{shown}.{name}.call(…)` says so"
            )),
        }
    }

    /// Whether a method is called on the name of a module, as in `text.upper(x)`: the name has a
    /// diagnostic of its own.
    fn is_module(&self, receiver: &Receiver) -> bool {
        let (Receiver::Variable(name) | Receiver::Part(name)) = receiver else { return false };
        let node = &self.program.nodes[self.node];
        let is_variable = node.facts.locals.iter().chain(node.parameters()).any(|one| one == name);
        let file = &self.program.files[self.file];
        !is_variable
            && (self.known.modules.contains_key(name.as_str())
                || remedy::of_name(name).is_some()
                || file.aliases.contains_key(name.as_str()))
    }

    fn qualified(&mut self, call: &Qualified) {
        let module = call.module.as_str();
        let file = &self.program.files[self.file];
        let span = file.span(call.position, module.chars().count());
        if call.nested {
            self.problems.push(
                Diagnostic::author(
                    "call/unknown-module",
                    format!("`{module}::…::{}` names more than one module", call.name),
                )
                .at(span, "")
                .help(format!("import the inner module here and write `alias::{}(…)`", call.name)),
            );
        } else if module == "global" && call.arguments.is_none() {
            self.constant(file.parsed.constants.iter().any(|known| known.name == *call.name), call);
        } else if let Some(target) = file.aliases.get(module) {
            // A file that could not be read or parsed has its own diagnostic.
            if let Some(target) = *target
                && self.program.files[target].parsed.ast.is_some()
            {
                self.imported(target, call);
            }
        } else if let Some(info) = self.known.modules.get(module) {
            self.host(info, call);
        } else {
            let problem = self.unknown_module(module).at(span, "");
            self.problems.push(problem);
        }
    }

    fn constant(&mut self, exists: bool, call: &Qualified) {
        if !exists {
            let file = &self.program.files[self.file];
            let span = file.span(call.position, call.module.chars().count());
            let message = format!("there is no constant `{}` in `{}`", call.name, call.module);
            self.problems.push(Diagnostic::author("call/unknown-name", message).at(span, ""));
        }
    }

    fn imported(&mut self, target: usize, call: &Qualified) {
        let other = &self.program.files[target];
        let Some(arguments) = call.arguments else {
            let exists = other.parsed.constants.iter().any(|known| known.name == *call.name);
            self.constant(exists, call);
            return;
        };
        let named = other.named(&call.name, &self.program.nodes);
        let exact = named.clone().find(|&node| self.arity(node) == arguments);
        let full = format!("{}::{}", call.module, call.name);
        let problem = match exact {
            Some(node) if self.program.nodes[node].is_private() => Diagnostic::author(
                "call/unknown-function",
                format!("`{full}` is `private` to its file"),
            )
            .help(format!("remove `private` in `{}`", other.parsed.file.name)),
            Some(node) => {
                self.edges.push(node);
                return;
            }
            None if named.is_empty() => {
                let functions = other.parsed.functions.iter().map(|function| &*function.name);
                unknown_in_module(&call.module, &call.name, functions)
            }
            None => {
                let arities = other.arities(&call.name, &self.program.nodes);
                wrong_arguments(&full, arguments, &arities)
            }
        };
        let span = self.call_span(call);
        self.problems.push(problem.at(span, ""));
    }

    fn host(&mut self, info: &ModuleInfo, call: &Qualified) {
        let full = || format!("{}::{}", call.module, call.name);
        let span = self.call_span(call);
        if info.access != Access::Everybody {
            for &part in parts(&call.module, &call.name) {
                let what = Use::Module(call.module.to_string(), part);
                if !self.uses.iter().any(|used| used.what == what) {
                    self.uses.push(Used { what, file: self.file, span, call: full() });
                }
            }
        }
        // A module that this host knows by name alone.
        if info.functions.is_empty() {
            return;
        }
        let problem = match (info.functions.get(call.name.as_str()), call.arguments) {
            (Some(arities), Some(count)) if arities.contains(&count) => return,
            (Some(arities), Some(count)) => wrong_arguments(&full(), count, arities),
            (Some(_), None) => {
                let full = full();
                let message = format!("`{full}` is a function, and used as a value");
                Diagnostic::author("call/unknown-name", message)
                    .help(format!("call it: `{full}(…)`, or write a closure: `|x| {full}(x)`"))
            }
            (None, _) => {
                let functions = info.functions.keys().map(String::as_str);
                unknown_in_module(&call.module, &call.name, functions)
            }
        };
        self.problems.push(problem.at(span, ""));
    }

    /// From the module's name to the end of the function's, which stand on one line by custom.
    fn call_span(&self, call: &Qualified) -> crate::diagnostic::Span {
        let length = call.module.chars().count() + 2 + call.name.chars().count();
        self.program.files[self.file].span(call.position, length)
    }

    fn unknown_module(&self, module: &str) -> Diagnostic {
        let problem =
            Diagnostic::author("call/unknown-module", format!("there is no module `{module}`"));
        let mut aliases: Vec<&str> =
            self.program.files[self.file].aliases.keys().copied().collect();
        aliases.sort_unstable();
        let hosts = self.known.modules.keys().map(String::as_str);
        match nearest(module, aliases.into_iter().chain(hosts)) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help(format!(
                "for a file of your own, write `import \"{module}\" as {module};` at the top"
            )),
        }
    }

    /// A bare name that is no variable: a constant, a function given as a value, or a slip.
    fn name(&mut self, name: &ImmutableString, position: rhai::Position) {
        let node = &self.program.nodes[self.node];
        let file = &self.program.files[self.file];
        if node.parameters().contains(name)
            || file.parsed.constants.iter().any(|known| known.name == name.as_str())
        {
            return;
        }
        if !self.own(name).is_empty() {
            self.edges.extend(self.own(name));
            return;
        }
        let span = file.span(position, name.chars().count());
        let problem =
            Diagnostic::author("call/unknown-name", format!("there is no variable `{name}`"));
        let constants = file.parsed.constants.iter().map(|constant| constant.name.as_str());
        let locals = node.facts.locals.iter().chain(node.parameters()).map(|local| local.as_str());
        let help = match name.as_str() {
            "None" | "none" | "undefined" | "Null" | "NULL" | "Nil" => "write `()`".to_owned(),
            "True" | "TRUE" => "write `true`".to_owned(),
            "False" | "FALSE" => "write `false`".to_owned(),
            "self" => "write `this`".to_owned(),
            _ if node.facts.locals.contains(name) => format!(
                "`{name}` ends with the block that declares it; declare it before: `let {name} = ();`"
            ),
            module
                if self.known.modules.contains_key(module) || file.aliases.contains_key(module) =>
            {
                let function = following_word(&file.parsed.file.text, span);
                format!(
                    "write `{module}::{}(…)`; the functions of a module are called with `::`",
                    function.unwrap_or("name")
                )
            }
            _ if self.known.globals.contains_key(name.as_str()) => {
                format!("`{name}` is a function; write a closure: `|x| {name}(x)`")
            }
            other => match (remedy::of_name(other), nearest(other, constants.chain(locals))) {
                (Some(help), _) => help.to_owned(),
                (None, Some(near)) => format!("did you mean `{near}`?"),
                (None, None) => {
                    format!("declare it: `let {name} = …;`, or give it to the function")
                }
            },
        };
        self.problems.push(problem.at(span, "").help(help));
    }
}

/// The word behind the dot that follows a place.
fn following_word(text: &str, span: crate::diagnostic::Span) -> Option<&str> {
    let line = text.lines().nth(span.line as usize - 1)?;
    let end = (span.column + span.length) as usize - 1;
    let start = line.char_indices().nth(end)?.0;
    let rest = line[start..].trim_start().strip_prefix('.')?.trim_start();
    let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    (length > 0).then(|| &rest[..length])
}

fn wrong_arguments(name: &str, given: usize, arities: &Arities) -> Diagnostic {
    let list: Vec<String> = arities.iter().map(usize::to_string).collect();
    let takes = match list.as_slice() {
        [] => "none".to_owned(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    };
    let noun = if takes == "1" { "argument" } else { "arguments" };
    Diagnostic::author(
        "call/wrong-arguments",
        format!(
            "`{name}` takes {takes} {noun}, and {given} {} given",
            if given == 1 { "is" } else { "are" }
        ),
    )
    .help(format!("give it {takes}"))
}

fn unknown_in_module<'a>(
    module: &str,
    name: &str,
    functions: impl Iterator<Item = &'a str> + Clone,
) -> Diagnostic {
    let problem = Diagnostic::author(
        "call/unknown-function",
        format!("there is no function `{name}` in `{module}`"),
    );
    match nearest(name, functions.clone()) {
        Some(near) => problem.help(format!("did you mean `{module}::{near}`?")),
        None => {
            let mut all: Vec<&str> = functions.collect();
            all.sort_unstable();
            all.dedup();
            let more = if all.len() > 12 { ", …" } else { "" };
            all.truncate(12);
            let all: Vec<String> = all.iter().map(|name| format!("`{name}`")).collect();
            problem.help(format!("it has {}{more}", all.join(", ")))
        }
    }
}

/// The line to add for a module.
fn request_line(module: &str, part: Option<Part>) -> String {
    let capability = match module {
        "notify" if part == Some(Part::To(Audience::Model)) => "notify:model",
        "notify" => "notify:user",
        "fs" if part == Some(Part::Writes) => "fs:write=GLOB",
        "fs" => "fs:read=GLOB",
        "memory" if part == Some(Part::Reads) => "memory:read",
        "workitem" if part == Some(Part::Reads) => "workitem:read",
        "http" => "http=HOST",
        "exec" => "exec=PROGRAM",
        "secret" => "secret=NAME@HOST",
        "provider" => "provider=NAME",
        "pod" if part == Some(Part::Pod(PodAct::Spawn)) => "pod:spawn",
        "pod" if part == Some(Part::Pod(PodAct::Restore)) => "pod:restore",
        "pod" => "pod:message",
        other => other,
    };
    format!("`//! @request {capability}`")
}

/// Uses without a request, and requests without a use.
pub(super) fn check_requests(
    loaded: &Loaded,
    analysis: &Analysis,
    known: &Known,
    requests: &[CapabilityRequest],
    problems: &mut Vec<Diagnostic>,
) {
    let _ = known;
    let files: Vec<_> = std::iter::once(&loaded.main).chain(loaded.modules.values()).collect();
    for used in &analysis.used {
        let requested = requests.iter().any(|request| used.what.is_opened_by(&request.capability));
        let line = match &used.what {
            Use::Module(module, part) => request_line(module, *part),
            Use::Decision(kind) => match kind.needs() {
                Some(needed) => format!("`//! @request {needed}`"),
                None => continue,
            },
        };
        if !requested {
            problems.push(
                Diagnostic::author(
                    "capability/not-requested",
                    format!("`{}` is called, and the feature does not ask for it", used.call),
                )
                .in_file(&files[used.file].file.name)
                .at(used.span, "")
                .help(format!("add {line} at the head of `{}`", loaded.tree.main.name)),
            );
        }
    }
}
