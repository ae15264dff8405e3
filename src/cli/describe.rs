//! `peasy describe`: what features and tools declare, as people, models and programs see it.

use super::list::hook_line;
use super::output::{BOLD, DIM, Output, paint, safe};
use super::policy::{GrantArguments, LimitArguments, did_you_mean};
use super::workspace::{ReadFeature, Workspace};
use super::{Exit, place, usage};
use crate::diagnostic::Diagnostic;
use crate::feature::catalog::Catalog;
use crate::feature::descriptor::{Example, FeatureDescriptor, Need, ToolDeclaration, ToolHints};
use crate::feature::report::FeatureInstallReport;
use crate::limit::{Limit, Limits};
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
    /// Print descriptors and schemas as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    grants: GrantArguments,
    #[command(flatten)]
    limits: LimitArguments,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Described<'a> {
    features: Vec<Entry<'a>>,
}

/// One feature.
#[derive(Serialize)]
struct Entry<'a> {
    path: String,
    digest: &'a str,
    descriptor: &'a FeatureDescriptor,
    tools: Vec<ToolEntry<'a>>,
    report: Option<&'a FeatureInstallReport>,
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
    let (paths, names): (Vec<_>, Vec<_>) =
        arguments.targets.iter().partition(|word| place::is_path(word));
    let paths: Vec<PathBuf> = paths.into_iter().map(PathBuf::from).collect();
    let workspace = Workspace::read(&paths, &arguments.limits)?;
    workspace.require_some()?;
    let catalog = workspace.install(&arguments.grants)?;
    workspace.tell_broken(output);
    let chosen = choose(&workspace, &names)?;
    if arguments.json {
        let limits = &workspace.limits;
        let features = chosen.iter().filter_map(|chosen| chosen.entry(&catalog, limits)).collect();
        output.say_json(&Described { features });
    } else {
        for (index, chosen) in chosen.iter().enumerate() {
            if index > 0 {
                output.say("");
            }
            output.say(chosen.text(&catalog, &workspace.limits).trim_end());
        }
    }
    Ok(if chosen.is_empty() { Exit::Failed } else { Exit::Done })
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
    let readable = || workspace.features.iter().filter(|read| !read.is_broken());
    if names.is_empty() {
        return Ok(readable().map(|read| Chosen { read, tool: None }).collect());
    }
    let mut chosen = Vec::new();
    for name in names {
        let before = chosen.len();
        for read in readable() {
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

    fn entry(&self, catalog: &'a Catalog, limits: &Limits) -> Option<Entry<'a>> {
        let script = self.read.script()?;
        let descriptor = &script.descriptor;
        let limits = limits.lowered(&descriptor.limits);
        Some(Entry {
            path: self.read.path(),
            digest: &script.tree.digest,
            descriptor,
            tools: self.tools().into_iter().map(|tool| tool_entry(tool, &limits)).collect(),
            report: catalog.reports().iter().find(|report| report.feature == descriptor.id),
        })
    }

    fn text(&self, catalog: &Catalog, limits: &Limits) -> String {
        let Some(script) = self.read.script() else { return String::new() };
        let descriptor = &script.descriptor;
        let limits = limits.lowered(&descriptor.limits);
        let mut text = String::new();
        if self.tool.is_none() {
            feature_text(&mut text, descriptor, &self.read.path(), catalog);
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

/// How a tool is called from the command line: `count_words text=STRING [unique=BOOL]`.
pub(super) fn usage_line(tool: &ToolDeclaration) -> String {
    let mut line = tool.name.to_string();
    for parameter in tool.parameters.iter() {
        let name = parameter.argument_name();
        let kind = &parameter.kind;
        let kind = kind.to_string();
        let kind = kind.strip_suffix('?').unwrap_or(&kind);
        let shown = format!("{name}=<{kind}>");
        let shown = if parameter.is_required() { shown } else { format!("[{shown}]") };
        let _ = write!(line, " {shown}");
    }
    safe(&line)
}

// Writing to a string cannot fail, so the results of `write!` are dropped below.

fn feature_text(text: &mut String, descriptor: &FeatureDescriptor, path: &str, catalog: &Catalog) {
    text.push_str(&paint(BOLD, &descriptor.id));
    if let Some(version) = &descriptor.version {
        let _ = write!(text, " {}", safe(version));
    }
    let _ = writeln!(text, "  {}", paint(DIM, safe(path)));
    paragraph(text, &descriptor.description, "  ");
    let report = catalog.reports().iter().find(|report| report.feature == descriptor.id);
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
    }
}

fn tool_text(text: &mut String, tool: &ToolDeclaration, limits: &Limits, path: &str) {
    let _ = writeln!(text, "{} {}", paint(DIM, "tool"), paint(BOLD, &tool.name));
    paragraph(text, &tool.description, "  ");
    for parameter in tool.parameters.iter() {
        let _ =
            write!(text, "  {}: {}", parameter.argument_name(), safe(&parameter.kind.to_string()));
        if let Some(default) = &parameter.default {
            let _ = write!(text, " = {}", safe(&default.to_string()));
        }
        let _ = writeln!(text);
        paragraph(text, &parameter.description, "    ");
    }
    if let Some(returns) = &tool.returns {
        let _ = writeln!(text, "  returns: {}", safe(&returns.to_string()));
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
    let _ = writeln!(text, "  call it: peasy call {} {}", safe(path), usage_line(tool));
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
