//! `peasy describe`: what features and tools declare, as people, models and programs see it.

use super::list::hook_line;
use super::output::{BOLD, DIM, Output, paint, safe};
use super::policy::did_you_mean;
use super::{Exit, PolicyArguments, refused_as_json, usage, workspace};
use crate::diagnostic::{Diagnostic, shell_word};
use crate::feature::descriptor::{Example, FeatureDescriptor, Need, ToolDeclaration, ToolHints};
use crate::feature::report::FeatureInstallReport;
use crate::feature::schema::Type;
use crate::limit::{Limit, Limits};
use crate::workspace::{ReadFeature, Workspace, place};
use clap::Args;
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write;
use std::path::PathBuf;

/// Shows what a feature or a tool declares: schemas, examples, limits.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  peasy describe greet.rhai          everything that the feature declares
  peasy describe count_words         one tool, as a model sees it
  peasy describe --json greet.rhai   the descriptor and the JSON Schemas")]
pub struct DescribeArguments {
    /// A path to features, or the name of a feature or a tool.
    #[arg(value_name = "PATH|NAME")]
    targets: Vec<String>,
    /// Print JSON instead, whatever comes of it.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    policy: PolicyArguments,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Described<'a> {
    features: Vec<Entry<'a>>,
    /// Paths and names that lead to no feature.
    problems: &'a [Diagnostic],
}

/// One feature.
#[derive(Serialize)]
struct Entry<'a> {
    path: String,
    /// None where the feature is broken, as its descriptor and report.
    digest: Option<&'a str>,
    descriptor: Option<&'a FeatureDescriptor>,
    tools: Vec<ToolEntry<'a>>,
    report: Option<&'a FeatureInstallReport>,
    /// What is wrong with a broken one.
    errors: Vec<&'a Diagnostic>,
}

/// One tool as a client sees it.
#[derive(Serialize)]
struct ToolEntry<'a> {
    name: &'a str,
    usage: String,
    input_schema: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_schema: Option<Value>,
    /// Every bound of a call, in the limit's own unit.
    limits: serde_json::Map<String, Value>,
}

/// Describes.
///
/// # Errors
///
/// There is nothing of that name, or a flag cannot be understood.
pub fn run(arguments: &DescribeArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let outcome = execute(arguments, output);
    refused_as_json(outcome, arguments.json, |problem| {
        let problems = std::slice::from_ref(problem);
        output.say_json(&Described { features: Vec::new(), problems });
    })
}

fn execute(arguments: &DescribeArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let (paths, names): (Vec<_>, Vec<_>) =
        arguments.targets.iter().partition(|word| place::is_path(word));
    let paths: Vec<PathBuf> = paths.into_iter().map(PathBuf::from).collect();
    let workspace = workspace::read(&paths, &arguments.policy.limits)?;
    if !arguments.json {
        workspace.require_some()?;
    }
    let catalog = workspace::install(&workspace, &arguments.policy.grants, output)?;
    if !arguments.json {
        workspace::tell_broken(&workspace, output);
    }
    let mut chosen = choose(&workspace, &names)?;
    if !names.is_empty() {
        // What was named may stand in one of them.
        let broken = workspace.features.iter().filter(|read| read.is_broken());
        chosen.extend(broken.map(|read| Chosen { read, tool: None }));
    }
    let limits = &workspace.limits;
    let all = chosen.iter().map(|chosen| (chosen, workspace.report_of(chosen.read, &catalog)));
    if arguments.json {
        let features = all.map(|(chosen, report)| chosen.entry(report, limits)).collect();
        output.say_json(&Described { features, problems: &workspace.problems });
    } else {
        let readable = all.filter(|(chosen, _)| !chosen.read.is_broken());
        for (index, (chosen, report)) in readable.enumerate() {
            if index > 0 {
                output.say("");
            }
            output.say(chosen.text(report, limits).trim_end());
        }
    }
    let has_some = chosen.iter().any(|chosen| !chosen.read.is_broken());
    let is_empty = workspace.features.is_empty();
    Ok(if has_some || is_empty { Exit::of_first(&workspace.problems) } else { Exit::Failed })
}

/// A feature, or one tool of it.
struct Chosen<'a> {
    read: &'a ReadFeature,
    tool: Option<&'a ToolDeclaration>,
}

fn choose<'a>(
    workspace: &'a Workspace,
    names: &[&String],
) -> Result<Vec<Chosen<'a>>, Box<Diagnostic>> {
    if names.is_empty() {
        return Ok(workspace.features.iter().map(|read| Chosen { read, tool: None }).collect());
    }
    let mut chosen = Vec::new();
    for name in names {
        let before = chosen.len();
        for read in &workspace.features {
            let Some(script) = read.script() else { continue };
            let descriptor = &script.descriptor;
            if descriptor.id.name().as_str() == **name || descriptor.id.to_string() == **name {
                chosen.push(Chosen { read, tool: None });
            }
            let tools = descriptor.tools.iter().filter(|tool| tool.name.as_str() == **name);
            chosen.extend(tools.map(|tool| Chosen { read, tool: Some(tool) }));
        }
        if chosen.len() == before {
            return Err(unknown(workspace, name).into());
        }
    }
    Ok(chosen)
}

fn unknown(workspace: &Workspace, name: &str) -> Diagnostic {
    let names: Vec<&str> = workspace
        .descriptors()
        .flat_map(|descriptor| {
            let tools = descriptor.tools.iter().map(|tool| tool.name.as_str());
            std::iter::once(descriptor.id.name().as_str()).chain(tools)
        })
        .collect();
    did_you_mean(usage(format!("there is no feature or tool `{name}` here")), name, &names)
}

impl<'a> Chosen<'a> {
    fn tools(&self) -> Vec<&'a ToolDeclaration> {
        match (self.tool, self.read.script()) {
            (Some(tool), _) => vec![tool],
            (None, Some(script)) => script.descriptor.tools.iter().collect(),
            (None, None) => Vec::new(),
        }
    }

    fn entry(&self, report: Option<&'a FeatureInstallReport>, limits: &Limits) -> Entry<'a> {
        let script = self.read.script();
        let own = script.map_or(&[][..], |script| &script.descriptor.limits);
        let limits = limits.lowered(own);
        Entry {
            path: self.read.path(),
            digest: script.map(|script| &*script.tree.digest),
            descriptor: script.map(|script| &*script.descriptor),
            tools: self.tools().into_iter().map(|tool| tool_entry(tool, &limits)).collect(),
            report,
            errors: self.read.errors().collect(),
        }
    }

    fn text(&self, report: Option<&FeatureInstallReport>, limits: &Limits) -> String {
        let Some(script) = self.read.script() else { return String::new() };
        let descriptor = &script.descriptor;
        let limits = limits.lowered(&descriptor.limits);
        let mut text = String::new();
        if self.tool.is_none() {
            feature_text(&mut text, descriptor, &self.read.path(), report);
        }
        for tool in self.tools() {
            if !text.is_empty() {
                text.push('\n');
            }
            tool_text(&mut text, tool, &limits, &self.read.path());
        }
        text
    }
}

fn tool_entry<'a>(tool: &'a ToolDeclaration, limits: &Limits) -> ToolEntry<'a> {
    let limits = limits.lowered(&tool.limits);
    ToolEntry {
        name: tool.name.as_str(),
        usage: usage_line(tool),
        input_schema: tool.parameters.to_json_schema(),
        output_schema: tool
            .returns
            .as_ref()
            .filter(|returns| returns.is_object())
            .map(|returns| returns.to_json_schema()),
        limits: Limit::all()
            .map(|limit| (limit.name().to_owned(), limits.get(limit).into()))
            .collect(),
    }
}

/// How a tool is called from the command line: `count_words text=STRING [unique=BOOL]`. Nothing in it
/// means anything to a shell but the brackets around what may be left out.
pub(super) fn usage_line(tool: &ToolDeclaration) -> String {
    let mut line = tool.name.to_string();
    for parameter in tool.parameters.iter() {
        let shown = format!("{}={}", parameter.argument_name(), value_word(&parameter.kind));
        let shown = if parameter.is_required() { shown } else { format!("[{shown}]") };
        let _ = write!(line, " {shown}");
    }
    safe(&line)
}

/// What stands for a value in a usage line: a word for what is typed, or the first of several texts
/// of which one is to be chosen.
fn value_word(kind: &Type) -> String {
    match kind {
        Type::String(_) => "STRING".to_owned(),
        Type::Int(_) => "INT".to_owned(),
        Type::Float(_) => "NUMBER".to_owned(),
        Type::Bool => "BOOL".to_owned(),
        Type::Literal(text) => shell_word(text),
        Type::Nullable(inner) => value_word(inner),
        // Given item by item.
        Type::Array(items, _) if !matches!(**items, Type::Array(..)) => value_word(items),
        Type::Any => "VALUE".to_owned(),
        Type::Union(kinds) => kinds.first().map_or_else(|| "JSON".to_owned(), value_word),
        _ => "JSON".to_owned(),
    }
}

// Writing to a string cannot fail, so the results of `write!` are dropped below.

fn feature_text(
    text: &mut String,
    descriptor: &FeatureDescriptor,
    path: &str,
    report: Option<&FeatureInstallReport>,
) {
    text.push_str(&paint(BOLD, &descriptor.id));
    if let Some(version) = &descriptor.version {
        let _ = write!(text, " {}", safe(version));
    }
    let _ = writeln!(text, "  {}", paint(DIM, safe(path)));
    paragraph(text, &descriptor.description, "  ");
    if let Some(report) = report {
        let _ = writeln!(text, "  state: {}", report.state);
    }
    for request in &descriptor.requests {
        let word = match request.need {
            Need::Required => "needs",
            Need::Optional => "can use",
        };
        let _ = write!(text, "  {word} {}", request.capability);
        let reason = safe(&request.reason).replace('\n', " ");
        let _ = if reason.is_empty() { writeln!(text) } else { writeln!(text, ": {reason}") };
    }
    for channel in &descriptor.channels {
        let about = safe(&channel.description).replace('\n', " ");
        let _ = writeln!(text, "  channel {}: {about}", channel.name);
    }
    for hook in &descriptor.hooks {
        let _ = writeln!(text, "\n{} {}", paint(DIM, "hook"), paint(BOLD, hook_line(hook)));
        paragraph(text, &hook.description, "  ");
        let fields: Vec<_> = hook
            .point
            .fields()
            .iter()
            .map(|field| format!("{}: {}", field.name, field.kind))
            .collect();
        if !fields.is_empty() {
            let _ = writeln!(text, "  event: {}", fields.join(", "));
        }
    }
}

fn tool_text(text: &mut String, tool: &ToolDeclaration, limits: &Limits, path: &str) {
    let _ = write!(text, "{} {}", paint(DIM, "tool"), paint(BOLD, &tool.name));
    let _ = match &tool.title {
        Some(title) => writeln!(text, ": {}", safe(title)),
        None => writeln!(text),
    };
    paragraph(text, &tool.description, "  ");
    for parameter in tool.parameters.iter() {
        let _ =
            write!(text, "  {}: {}", parameter.argument_name(), safe(&parameter.kind.to_string()));
        if let Some(default) = &parameter.default {
            let _ = write!(text, " = {}", safe(&default.to_string()));
        }
        let _ = writeln!(text);
        paragraph(text, &parameter.description, "    ");
        nested(text, &parameter.kind, parameter.argument_name());
    }
    if let Some(returns) = &tool.returns {
        let _ = writeln!(text, "  returns: {}", safe(&returns.to_string()));
        nested(text, returns, "");
    }
    if !tool.hints.is_empty() {
        let _ = writeln!(text, "  hints: {}", hints(tool.hints));
    }
    for example in &tool.examples {
        let _ = writeln!(text, "  example: {}", example_line(example));
    }
    let own = limits.lowered(&tool.limits);
    let lowered: Vec<_> = Limit::all()
        .filter(|limit| own.get(*limit) != limit.default_value())
        .map(|limit| format!("{limit} {} {}", own.get(limit), limit.unit()))
        .collect();
    if !lowered.is_empty() {
        let _ = writeln!(text, "  limits: {}", lowered.join(", "));
    }
    let path = shell_word(&safe(path));
    let _ = writeln!(text, "  call it: peasy call {path} {}", usage_line(tool));
}

/// The fields inside of a type that somebody described, with the way to each: `items[].qty`.
fn nested(text: &mut String, kind: &Type, path: &str) {
    match kind {
        Type::Array(items, _) => nested(text, items, &format!("{path}[]")),
        Type::Map(values, _) => nested(text, values, &format!("{path}.*")),
        Type::Nullable(inner) => nested(text, inner, path),
        Type::Union(kinds) => kinds.iter().for_each(|kind| nested(text, kind, path)),
        Type::Object(fields) => {
            for field in fields {
                let path = match path {
                    "" => field.name.clone(),
                    path => format!("{path}.{}", field.name),
                };
                if !field.description.is_empty() {
                    let kind = field.kind.to_string();
                    let _ = writeln!(text, "    {}: {}", safe(&path), safe(&kind));
                    paragraph(text, &field.description, "      ");
                }
                nested(text, &field.kind, &path);
            }
        }
        _ => (),
    }
}

fn paragraph(text: &mut String, lines: &str, indent: &str) {
    for line in lines.lines() {
        let _ = writeln!(text, "{}", format!("{indent}{}", safe(line)).trim_end());
    }
}

fn hints(hints: ToolHints) -> String {
    let ToolHints { read_only, destructive, idempotent, open_world } = hints;
    let all = [
        (read_only, "read_only"),
        (destructive, "destructive"),
        (idempotent, "idempotent"),
        (open_world, "open_world"),
    ];
    let set: Vec<_> = all.into_iter().filter(|(is_set, _)| *is_set).map(|(_, name)| name).collect();
    set.join(", ")
}

fn example_line(example: &Example) -> String {
    let arguments = Value::Object(example.arguments.clone());
    match &example.result {
        Some(result) => safe(&format!("{arguments} => {result}")),
        None => safe(&arguments.to_string()),
    }
}
