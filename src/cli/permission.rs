//! `peasy permission`: for each call whether it may run, written down in the user's policy.

use super::grant::apply;
use super::output::{BAD, BOLD, DIM, GOOD, Output, WARN, paint, safe};
use super::policy::split;
use super::workspace::{self, folders};
use super::{Exit, LimitArguments, refused_as_json, usage};
use crate::config::policy::Change;
use crate::diagnostic::Diagnostic;
use crate::feature::permission::{
    Condition, Layer, Permission, PermissionError, PermissionRule, Permissions,
};
use clap::{Args, Subcommand};
use serde::Serialize;

/// Decides for each call whether it may run.
#[derive(Debug, Args)]
#[command(after_help = "\
A grant says what a feature may use at all; a permission says whether one call may run. Of the rules that
fit a call the strictest decides: deny over ask over allow. A rule for `*` holds where no other fits, and
without a rule a tool runs, unless it asks by itself. A project can narrow this in `.peasy/permissions.toml`.

Examples:
  peasy permission ask 'send_*'                   a person is asked before each call
  peasy permission deny write_note path='/etc/*'  not with such an argument
  peasy permission deny '*'                       nothing runs but what a rule allows
  peasy permission allow count_words
  peasy permission remove write_note path='/etc/*'
  peasy permission list --json")]
pub struct PermissionArguments {
    #[command(subcommand)]
    command: PermissionCommand,
}

#[derive(Debug, Subcommand)]
enum PermissionCommand {
    /// Show the rules, the user's and the project's.
    List(ListArguments),
    /// Let such calls run without asking.
    Allow(RuleArguments),
    /// Ask a person before each such call.
    Ask(RuleArguments),
    /// Keep such calls from running.
    Deny(RuleArguments),
    /// Take the rule about such calls away, whatever it says.
    Remove(RuleArguments),
}

#[derive(Debug, Args)]
struct ListArguments {
    /// Print JSON instead, whatever comes of it.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct RuleArguments {
    /// The tools: a name, with `*` for any characters.
    #[arg(value_name = "TOOL")]
    tool: String,
    /// Conditions on arguments: each value as a whole, with `*` for any characters; all have to hold.
    #[arg(value_name = "ARGUMENT=PATTERN")]
    arguments: Vec<String>,
}

/// What `--json` prints.
#[derive(Default, Serialize)]
struct Printed<'a> {
    permissions: Vec<PrintedRule<'a>>,
    problems: Vec<Diagnostic>,
}

#[derive(Serialize)]
struct PrintedRule<'a> {
    layer: Layer,
    #[serde(flatten)]
    rule: &'a PermissionRule,
}

/// Shows or changes the rules.
///
/// # Errors
///
/// A rule cannot be understood, or the policy cannot be read or written.
pub fn run(arguments: &PermissionArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    match &arguments.command {
        PermissionCommand::List(arguments) => {
            let outcome = list(arguments, output);
            refused_as_json(outcome, arguments.json, |problem| {
                output.say_json(&Printed { problems: vec![problem.clone()], ..Printed::default() });
            })
        }
        PermissionCommand::Allow(rule) => permit(Permission::Allow, rule, output),
        PermissionCommand::Ask(rule) => permit(Permission::Ask, rule, output),
        PermissionCommand::Deny(rule) => permit(Permission::Deny, rule, output),
        PermissionCommand::Remove(rule) => remove(rule, output),
    }
}

fn list(arguments: &ListArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let workspace = workspace::read(&[], &LimitArguments::default())?;
    let (permissions, warnings) = workspace.permissions(Some(&folders()?))?;
    let Permissions { user, project } = &permissions;
    let layer = |layer: Layer| move |rule| PrintedRule { layer, rule };
    let rules: Vec<_> = user
        .iter()
        .map(layer(Layer::User))
        .chain(project.iter().map(layer(Layer::Project)))
        .collect();
    if arguments.json {
        output.say_json(&Printed { permissions: rules, problems: warnings });
        return Ok(Exit::Done);
    }
    for warning in &warnings {
        output.tell_picture(warning, None);
    }
    if rules.is_empty() {
        output.tell(paint(DIM, "no rules: a tool runs unless it asks by itself"));
    }
    for PrintedRule { layer, rule } in rules {
        let whose = match layer {
            Layer::User => "",
            Layer::Project => "  (the project's)",
        };
        output.say(format_args!("{}{}", shown(rule), paint(DIM, whose)));
    }
    Ok(Exit::Done)
}

fn shown(rule: &PermissionRule) -> String {
    let colour = match rule.permission {
        Permission::Allow => GOOD,
        Permission::Ask => WARN,
        Permission::Deny => BAD,
    };
    let word = paint(colour, format_args!("{:<5}", rule.permission.name()));
    let mut text = format!("{word} {}", paint(BOLD, safe(rule.tool.as_str())));
    for condition in &rule.arguments {
        text += &format!(" {}={}", safe(&condition.argument), safe(condition.value.as_str()));
    }
    text
}

fn permit(
    permission: Permission,
    given: &RuleArguments,
    output: &mut Output,
) -> Result<Exit, Box<Diagnostic>> {
    let rule = rule(permission, given)?;
    let changed = apply(&[Change::Permit(rule.clone())])?;
    let note = if changed == 0 { paint(DIM, "  (as before)") } else { String::new() };
    output.say(format_args!("{} {}{note}", paint(GOOD, "✓"), shown(&rule)));
    Ok(Exit::Done)
}

fn remove(given: &RuleArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let rule = rule(Permission::Ask, given)?;
    if apply(&[Change::Unpermit(rule)])? == 0 {
        return Err(usage("there is no rule about just these calls")
            .help("`peasy permission list` shows the rules; a project's are in its file")
            .into());
    }
    output.say(format_args!("{} removed", paint(GOOD, "✓")));
    Ok(Exit::Done)
}

fn rule(permission: Permission, given: &RuleArguments) -> Result<PermissionRule, Box<Diagnostic>> {
    let tool = given.tool.parse().map_err(|reason| split(&reason))?;
    let condition = |word: &String| {
        let (name, value) = word.split_once('=').ok_or_else(|| {
            usage(format!("`{word}` is no condition"))
                .help("write the argument and a pattern, as in `path='/etc/*'`")
        })?;
        let condition = value.parse().and_then(|value| Condition::new(name, value));
        condition.map_err(|reason: PermissionError| split(&reason))
    };
    let arguments = given.arguments.iter().map(condition).collect::<Result<_, _>>()?;
    Ok(PermissionRule { permission, tool, arguments })
}
