//! The doc comment of a function: a tool, a hook, a test, or a helper.

use super::parameter::Lines;
use super::tag::{Comment, Piece, Tag, clip};
use super::value::{self, Refused, Written, type_error};
use super::{Contribution, Contributions, file, known_tags, stray, unknown};
use crate::diagnostic::{Diagnostic, nearest};
use crate::feature::descriptor::{HookDeclaration, ToolDeclaration};
use crate::feature::hook::{Band, EventKind, HookPoint, ToolFilter};
use crate::feature::id::ToolName;
use crate::feature::schema::{Mismatch, Subject, Type};
use crate::script::parse::Function;
use serde_json::Value;

/// What a function is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Tool,
    Hook,
    Test,
    Helper,
}

impl Role {
    fn of(tag: &str) -> Option<Self> {
        match tag {
            "tool" => Some(Self::Tool),
            "hook" => Some(Self::Hook),
            "test" => Some(Self::Test),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Hook => "hook",
            Self::Test => "test",
            Self::Helper => "helper",
        }
    }

    /// Whether a tag says something about a function of that role.
    fn takes(self, tag: &str) -> bool {
        match tag {
            "param" | "returns" | "example" | "hint" | "title" | "asks" | "event" => {
                self == Self::Tool
            }
            "limit" => matches!(self, Self::Tool | Self::Hook),
            _ => false,
        }
    }
}

/// Reads one function's annotations into the contributions.
pub(super) fn read(
    function: &Function,
    contributions: &mut Contributions,
    problems: &mut Vec<Diagnostic>,
) {
    if !function.docs.iter().any(|line| line.text.trim_start().starts_with('@')) {
        return;
    }
    let comment = Comment::parse(&function.docs);
    let (role, head) = role(&comment, problems);
    problems.extend(stray(&comment).filter(|_| role != Role::Helper));
    for tag in &comment.tags {
        belongs(tag, role, function, problems);
    }
    let Some(head) = head else { return };
    match role {
        Role::Tool => {
            if let Some(tool) = tool(function, &comment, head, problems) {
                unique_tool(&tool, contributions, problems);
                contributions.tools.push(tool);
            }
        }
        Role::Hook => contributions.hooks.extend(hook(function, &comment, head, problems)),
        Role::Test => contributions.tests.extend(test(function, head, problems)),
        Role::Helper => (),
    }
}

/// The role of the function and the tag that gives it.
fn role<'a, 'b>(
    comment: &'b Comment<'a>,
    problems: &mut Vec<Diagnostic>,
) -> (Role, Option<&'b Tag<'a>>) {
    let mut first: Option<(Role, &Tag<'_>)> = None;
    for tag in &comment.tags {
        let Some(role) = Role::of(tag.name.text) else { continue };
        match first {
            None => first = Some((role, tag)),
            Some((one, _)) if one == role => {
                let problem = file::duplicate(tag, tag.name.text);
                problems.push(match role {
                    Role::Hook => problem.help(
                        "a function listens at one point; write another function for the other",
                    ),
                    _ => problem,
                });
            }
            Some((one, other)) => problems.push(
                Diagnostic::author(
                    "annotation/conflict",
                    format!("a function cannot be a {} and a {}", one.name(), role.name()),
                )
                .at(tag.span(), "")
                .at(other.span(), "")
                .help("write a function for each; both can call a third"),
            ),
        }
    }
    first.map_or((Role::Helper, None), |(role, tag)| (role, Some(tag)))
}

/// Complains about a tag that has no meaning on a function of that role.
fn belongs(tag: &Tag<'_>, role: Role, function: &Function, problems: &mut Vec<Diagnostic>) {
    let name = tag.name.text;
    if Role::of(name).is_some() || role.takes(name) {
        return;
    }
    // Helpers may be documented in any style.
    if role == Role::Helper && known_tags::DOCUMENTING.contains(&name) {
        return;
    }
    if known_tags::of_file(name) && !known_tags::of_function(name) {
        problems.push(
            Diagnostic::author(
                "annotation/misplaced-tag",
                format!("`@{name}` describes the file, and stands above `fn {}`", function.name),
            )
            .at(tag.span(), "")
            .help(format!("write `//! @{name} …` at the head of the file")),
        );
    } else if known_tags::of_function(name) {
        let message = match role {
            Role::Helper => format!("`@{name}` has no effect on a function without `@tool`"),
            other => format!("`@{name}` has no meaning for a {}", other.name()),
        };
        let help = match role {
            Role::Helper => "add `/// @tool`, or remove the line".to_owned(),
            Role::Hook => "a hook takes the event and returns a decision; remove the line".into(),
            _ => "remove the line".into(),
        };
        let problem = if role == Role::Helper {
            Diagnostic::warning("annotation/misplaced-tag", message)
        } else {
            Diagnostic::author("annotation/misplaced-tag", message)
        };
        problems.push(problem.at(tag.span(), "").help(help));
    } else if let Err(problem) = unknown(tag, &known_tags::FUNCTION) {
        problems.push(*problem);
    }
}

fn callable(function: &Function, tag: &Tag<'_>, problems: &mut Vec<Diagnostic>) {
    if function.private {
        problems.push(
            Diagnostic::author(
                "annotation/private",
                format!(
                    "`fn {}` is private, and a {} is called by others",
                    function.name, tag.name.text
                ),
            )
            .at(function.place(), "")
            .help("remove `private`"),
        );
    }
    if let Some(kind) = &function.this_type {
        problems.push(
            Diagnostic::author(
                "annotation/method",
                format!("`fn {kind}.{}` is a method, and is called without a value", function.name),
            )
            .at(function.place(), "")
            .help(format!("write `fn {}(…)` and take the value as a parameter", function.name)),
        );
    }
}

fn tool(
    function: &Function,
    comment: &Comment<'_>,
    head: &Tag<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Option<Contribution<ToolDeclaration>> {
    callable(function, head, problems);
    let name = tool_name(function, head).map_err(|problem| problems.push(*problem)).ok();
    let mut description = comment.description.clone();
    if description.is_empty() {
        description.clone_from(&head.below);
    }
    if description.is_empty() {
        problems.push(
            Diagnostic::warning(
                "annotation/no-description",
                format!("the tool `{}` has no description; a model chooses by it", function.name),
            )
            .at(function.place(), "")
            .help("write a line above the tag: `/// Count the words in a text.`"),
        );
    }
    // Without a name the rest is checked all the same.
    let known = name.is_some();
    let name = name.unwrap_or_else(|| "unnamed".parse().expect("a plain word is a tool name"));
    let mut tool = ToolDeclaration::new(name, description);
    let mut lines = Lines::default();
    let mut examples = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for tag in &comment.tags {
        let kind = tag.name.text;
        if ["returns", "title", "asks", "event"].contains(&kind) {
            if seen.contains(&kind) {
                problems.push(file::duplicate(tag, kind));
                continue;
            }
            seen.push(kind);
        }
        let read = match kind {
            "param" => lines.read(tag, function),
            "returns" => returns(tag, &mut tool),
            "title" => super::title(tag).map(|title| tool.title = Some(title)),
            "hint" => value::hints(tag, &mut tool.hints),
            "asks" => value::asks(tag).map(|()| tool.asks = true),
            "event" => value::event(tag, function).map(|event| tool.event = Some(event)),
            "limit" => value::limit(tag)
                .and_then(|(limit, amount)| super::add_limit(&mut tool.limits, limit, amount, tag)),
            "example" => value::example(tag).map(|written| examples.push(written)),
            _ => Ok(()),
        };
        problems.extend(read.err().map(|problem| *problem));
    }
    let sound = lines.build(function, &mut tool.parameters, problems);
    for written in &examples {
        if sound {
            check_example(written, &tool, problems);
        }
    }
    tool.examples = examples.into_iter().map(|written| written.example).collect();
    known.then(|| Contribution {
        declaration: tool,
        function: function.name.clone(),
        parameters: function.parameters.clone(),
        span: function.place(),
    })
}

fn tool_name(function: &Function, head: &Tag<'_>) -> Result<ToolName, Refused> {
    let (given, rest) = head.text.word();
    let dashed = given.text == "-";
    let (text, span) = if given.is_empty() || dashed {
        (function.name.as_str(), function.place())
    } else {
        (given.text, given.span())
    };
    let name = text.parse().map_err(|_| {
        let usable: String = text
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' })
            .take(64)
            .collect();
        Box::new(
            Diagnostic::author(
                "annotation/tool-name",
                format!(
                    "`{}` is not a tool name: 1 to 64 of `A-Z a-z 0-9 _ -`, so that every client \
                     takes it",
                    clip(text)
                ),
            )
            .at(span, "")
            .help(format!("write `@tool {usable}`")),
        )
    })?;
    if !dashed {
        // The text below a tool's tag is its description, where there is none above.
        head.description(rest)?;
    }
    Ok(name)
}

fn returns(tag: &Tag<'_>, tool: &mut ToolDeclaration) -> Result<(), Refused> {
    if tag.text.is_empty() {
        return Err(Box::new(
            Diagnostic::author("annotation/returns", "`@returns` names no type")
                .at(tag.span(), "")
                .help("write `@returns string`, or leave the line out"),
        ));
    }
    let (kind, taken) = Type::parse_prefix(tag.text.text)
        .map_err(|error| Box::new(type_error(&error, tag.text)))?;
    let description = tag.description(tag.text.skip(taken))?;
    if !description.is_empty() {
        // A descriptor has no place of its own for it, and the model should read it.
        if !tool.description.is_empty() {
            tool.description.push_str("\n\n");
        }
        tool.description.push_str("Returns: ");
        tool.description.push_str(&description);
    }
    tool.returns = Some(kind);
    Ok(())
}

fn check_example(written: &Written<'_>, tool: &ToolDeclaration, problems: &mut Vec<Diagnostic>) {
    let example = &written.example;
    if let Err(found) = tool.parameters.check(example.arguments.clone()) {
        let subject = Subject::Arguments;
        problems.extend(found.into_iter().map(|one| misfit(one, subject, written.arguments)));
    }
    if let (Some(kind), Some(result)) = (&tool.returns, &example.result)
        && let Err(found) = kind.check(Value::clone(result))
    {
        let subject = Subject::Result;
        problems.extend(found.into_iter().map(|one| misfit(one, subject, written.result)));
    }
}

/// A mismatch in an example is its author's, whoever would be to blame in a call.
fn misfit(mismatch: Mismatch, subject: Subject, place: Piece<'_>) -> Diagnostic {
    let message = format!("in the example, {}", mismatch.message(subject));
    let problem = Diagnostic::author("annotation/example", message).at(place.span(), "");
    mismatch.help.into_iter().fold(problem, Diagnostic::help)
}

fn unique_tool(
    tool: &Contribution<ToolDeclaration>,
    contributions: &Contributions,
    problems: &mut Vec<Diagnostic>,
) {
    let name = &tool.declaration.name;
    if let Some(first) = contributions.tools.iter().find(|other| other.declaration.name == *name) {
        problems.push(
            Diagnostic::author(
                "annotation/duplicate-tool",
                format!("two tools of this feature are named `{name}`"),
            )
            .at(tool.span, "again")
            .at(first.span, "first")
            .help(format!("give one another name: `@tool {name}_2`")),
        );
    }
}

fn hook(
    function: &Function,
    comment: &Comment<'_>,
    head: &Tag<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Option<Contribution<HookDeclaration>> {
    callable(function, head, problems);
    if function.parameters.len() != 1 {
        problems.push(
            Diagnostic::author(
                "annotation/hook",
                format!(
                    "a hook takes one parameter, the event; `fn {}` takes {}",
                    function.name,
                    function.parameters.len()
                ),
            )
            .at(function.place(), "")
            .help(format!("write `fn {}(event) {{ … }}`", function.name)),
        );
    }
    let mut limits = Vec::new();
    for tag in comment.tags.iter().filter(|tag| tag.name.text == "limit") {
        let read = value::limit(tag)
            .and_then(|(limit, amount)| super::add_limit(&mut limits, limit, amount, tag));
        problems.extend(read.err().map(|problem| *problem));
    }
    let (point, options) = hook_point(head).map_err(|problem| problems.push(*problem)).ok()?;
    let mut hook = HookDeclaration {
        name: function.name.clone(),
        point,
        filter: ToolFilter::default(),
        band: Band::Normal,
        description: comment.description.clone(),
        limits,
        requires: Vec::new(),
    };
    match hook_options(&mut hook, options) {
        Ok(rest) => match head.description(rest) {
            Ok(description) if hook.description.is_empty() => hook.description = description,
            Ok(_) => (),
            Err(problem) => problems.push(*problem),
        },
        Err(problem) => problems.push(*problem),
    }
    Some(Contribution {
        declaration: hook,
        function: function.name.clone(),
        parameters: function.parameters.clone(),
        span: function.place(),
    })
}

fn hook_error(message: String, place: Piece<'_>, help: String) -> Refused {
    Box::new(Diagnostic::author("annotation/hook", message).at(place.span(), "").help(help))
}

fn hook_point<'a>(head: &Tag<'a>) -> Result<(HookPoint, Piece<'a>), Refused> {
    let (given, rest) = head.text.word();
    let all = || HookPoint::ALL.into_iter().map(HookPoint::name);
    let list = || all().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if given.is_empty() {
        return Err(Box::new(
            Diagnostic::author("annotation/hook", "`@hook` names no point")
                .at(head.span(), "")
                .help(format!("write one of {}", list())),
        ));
    }
    let point = given.text.parse().map_err(|()| {
        let help = match by_habit(given.text).or_else(|| nearest(given.text, all())) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the points are {}", list()),
        };
        hook_error(format!("`{}` is not a hook point", clip(given.text)), given, help)
    })?;
    Ok((point, rest))
}

/// Points as other agents name them.
fn by_habit(name: &str) -> Option<&'static str> {
    let plain: String =
        name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    match plain.as_str() {
        "pretooluse" | "pretool" | "beforetool" | "pretoolcall" => Some("pre_tool_call"),
        "posttooluse" | "posttool" | "aftertool" | "posttoolcall" => Some("post_tool_call"),
        "userpromptsubmit" | "prerequest" | "beforerequest" | "beforemodel" => Some("pre_request"),
        "postassistant" | "aftermodel" => Some("post_assistant"),
        "stop" | "turnend" | "afteragent" => Some("turn_end"),
        _ => None,
    }
}

/// Reads `tools=`, `kind=` and `band=`, and gives back what follows them.
fn hook_options<'a>(hook: &mut HookDeclaration, mut rest: Piece<'a>) -> Result<Piece<'a>, Refused> {
    const OPTIONS: [&str; 3] = ["tools", "kind", "band"];
    let mut seen = Vec::new();
    loop {
        let (word, after) = rest.word();
        let Some((key, values)) = word.text.split_once('=') else { return Ok(rest) };
        let place = word.skip(key.len() + 1);
        match key {
            "tools" => tools(hook, values, place)?,
            "kind" => kinds(hook, values, place)?,
            "band" => band(hook, values, place)?,
            other => {
                let help = match nearest(other, OPTIONS) {
                    Some(near) => format!("did you mean `{near}=`?"),
                    None => "the options are `tools=`, `kind=` and `band=`".into(),
                };
                let message = format!("`{}` is not an option of `@hook`", clip(other));
                return Err(hook_error(message, word, help));
            }
        }
        if seen.contains(&key) {
            let help = "join the values: `tools=fs_*,git_*`".to_owned();
            return Err(hook_error(format!("`{key}=` is given twice"), word, help));
        }
        if key != "band" && !hook.point.is_about_tools() {
            let message = format!("`{key}=` narrows tool events, and `{}` has none", hook.point);
            let help = "remove it, or listen at `pre_tool_call` or `post_tool_call`".to_owned();
            return Err(hook_error(message, word, help));
        }
        seen.push(key);
        rest = after;
    }
}

fn tools(hook: &mut HookDeclaration, values: &str, place: Piece<'_>) -> Result<(), Refused> {
    for tool in values.split(',') {
        let Ok(tool) = tool.parse() else {
            let message = format!("`{}` is not a pattern of tool names", clip(tool));
            let help = "write names with `*`, joined by commas: `tools=fs_*,git_commit`".to_owned();
            return Err(hook_error(message, place, help));
        };
        hook.filter.tools.push(tool);
    }
    Ok(())
}

fn kinds(hook: &mut HookDeclaration, values: &str, place: Piece<'_>) -> Result<(), Refused> {
    for name in values.split([',', '|']) {
        let Some(kind) = EventKind::by_name(name) else {
            let all = EventKind::ALL.into_iter().map(EventKind::name);
            let help = match nearest(name, all) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "the kinds are `shell`, `file`, `fetch`, `mcp` and `other`".into(),
            };
            let message = format!("`{}` is not a kind of tool event", clip(name));
            return Err(hook_error(message, place, help));
        };
        if !hook.filter.kinds.contains(&kind) {
            hook.filter.kinds.push(kind);
        }
    }
    Ok(())
}

fn band(hook: &mut HookDeclaration, value: &str, place: Piece<'_>) -> Result<(), Refused> {
    hook.band = match value {
        "early" => Band::Early,
        "normal" => Band::Normal,
        "late" => Band::Late,
        other => {
            let help = "write `band=early`, `band=normal` or `band=late`".to_owned();
            return Err(hook_error(format!("`{}` is not a band", clip(other)), place, help));
        }
    };
    Ok(())
}

fn test(
    function: &Function,
    head: &Tag<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Option<Contribution<()>> {
    if let Err(problem) = head.description(head.text) {
        problems.push(*problem);
    }
    if !function.parameters.is_empty() {
        problems.push(
            Diagnostic::author(
                "annotation/test",
                format!("a test takes no parameters; `fn {}` takes some", function.name),
            )
            .at(function.place(), "")
            .help(format!("write `fn {}() {{ … }}`", function.name)),
        );
        return None;
    }
    if function.this_type.is_some() {
        callable(function, head, problems);
        return None;
    }
    Some(Contribution {
        declaration: (),
        function: function.name.clone(),
        parameters: Vec::new(),
        span: function.place(),
    })
}
