//! `peasy doctor`: looks at everything of the user's that peasy needs, and says what to do where
//! something is wrong. Changes nothing.

mod feature;
mod hook;
mod place;
#[cfg(feature = "bridge")]
mod server;
mod system;

use super::output::{BAD, BOLD, DIM, GOOD, Output, WARN, count, paint, safe};
use super::{Exit, PathArguments};
use crate::config::Folders;
use crate::diagnostic::{Blame, Diagnostic};
use clap::Args;
use serde::Serialize;

/// Looks at everything that peasy needs, and says what is wrong and what to do.
#[derive(Debug, Args)]
#[command(after_help = "\
Changes nothing, and calls nothing of a feature. Ends with 0 where nothing is wrong, warnings
included; with 1 where only features are broken; with 2 where something of yours has to be mended.

Examples:
  peasy doctor
  peasy doctor --json | jq '.findings[] | select(.state != \"ok\")'")]
pub struct DoctorArguments {
    /// The features to look at, besides everything else.
    #[command(flatten)]
    places: PathArguments,
    /// Print JSON instead.
    #[arg(long)]
    json: bool,
}

/// How things stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    /// Something does not work, or not as one might think; others can live with it.
    Warning,
    /// Something is wrong.
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    area: &'static str,
    state: State,
    text: String,
    /// What to do.
    help: Vec<String>,
    /// Who must act, where something is wrong.
    #[serde(skip)]
    blame: Blame,
}

/// Everything that was found.
#[derive(Debug, Serialize)]
struct Findings {
    version: &'static str,
    findings: Vec<Finding>,
    warnings: usize,
    problems: usize,
}

impl Findings {
    fn add(&mut self, area: &'static str, state: State, text: impl Into<String>, help: &[&str]) {
        let help = help.iter().map(|help| (*help).to_owned()).collect();
        self.push(Finding { area, state, text: text.into(), help, blame: Blame::Operator });
    }

    fn ok(&mut self, area: &'static str, text: impl Into<String>) {
        self.add(area, State::Ok, text, &[]);
    }

    /// Adds what a diagnostic says; it is a problem where it is an error.
    fn tell(&mut self, area: &'static str, problem: &Diagnostic) {
        let state = if problem.is_error() { State::Problem } else { State::Warning };
        let text = format!("{} [{}]", problem.message, problem.code);
        let (help, blame) = (problem.help.clone(), problem.blame);
        self.push(Finding { area, state, text, help, blame });
    }

    fn push(&mut self, finding: Finding) {
        match finding.state {
            State::Ok => (),
            State::Warning => self.warnings += 1,
            State::Problem => self.problems += 1,
        }
        self.findings.push(finding);
    }
}

/// Looks, and says what was found.
///
/// # Errors
///
/// None but those of every command: what is wrong is what it prints.
pub fn run(arguments: &DoctorArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let version = env!("CARGO_PKG_VERSION");
    let mut all = Findings { version, findings: Vec::new(), warnings: 0, problems: 0 };
    system::program(&mut all);
    let folders = Folders::of_user();
    let settings = place::look(folders.as_ref(), &mut all);
    feature::look(&arguments.places.paths, folders.as_ref(), &settings, &mut all);
    #[cfg(feature = "bridge")]
    server::look(&settings.servers, folders.as_ref(), &mut all);
    system::look(folders.as_ref(), &settings, &mut all);
    #[cfg(feature = "mcp")]
    clients(&mut all);
    system::terminal(output, &mut all);
    if arguments.json {
        output.say_json(&all);
    } else {
        print(&all, output);
    }
    Ok(exit(&all))
}

/// Clients whose configuration names peasy.
#[cfg(feature = "mcp")]
fn clients(all: &mut Findings) {
    const AREA: &str = "clients";
    let (servers, problems) = super::client::listed();
    if servers.is_empty() {
        let help = ["write peasy down with `peasy mcp install CLIENT`"];
        let text = "no MCP client's configuration names peasy";
        all.push(Finding {
            area: AREA,
            state: State::Ok,
            text: text.to_owned(),
            help: help.map(str::to_owned).into(),
            blame: Blame::Operator,
        });
    }
    for one in servers {
        let place = format!("{} starts `{}` ({})", one.client, one.name, one.file.display());
        let help = "install it anew with `peasy mcp install CLIENT --force`, or take it out with \
                    `peasy mcp uninstall CLIENT`";
        match (one.problem, one.written.doubt()) {
            (Some(problem), _) => {
                all.add(AREA, State::Problem, format!("{place}: {problem}"), &[help])
            }
            (None, Some(doubt)) => {
                all.add(AREA, State::Warning, format!("{place}: {doubt}"), &[help])
            }
            (None, None) => all.ok(AREA, place),
        }
    }
    for problem in &problems {
        all.tell(AREA, problem);
    }
}

fn print(all: &Findings, output: &mut Output) {
    let mut area = "";
    for finding in &all.findings {
        if finding.area != area {
            area = finding.area;
            output.say(paint(BOLD, area));
        }
        let mark = match finding.state {
            State::Ok => paint(GOOD, "ok     "),
            State::Warning => paint(WARN, "warning"),
            State::Problem => paint(BAD, "problem"),
        };
        let mut lines = finding.text.lines();
        output.say(format_args!("  {mark}  {}", safe(lines.next().unwrap_or_default())));
        for line in lines {
            output.say(format_args!("           {}", safe(line)));
        }
        for help in finding.help.iter().flat_map(|help| help.lines()) {
            output.say(paint(DIM, format_args!("           {}", safe(help))));
        }
    }
    output.say(match (all.problems, all.warnings) {
        (0, 0) => paint(GOOD, "nothing is wrong"),
        (problems, warnings) => {
            format!("{}, {}", count(problems, "problem"), count(warnings, "warning"))
        }
    });
}

/// Who must act decides the code: the user first, then authors.
fn exit(all: &Findings) -> Exit {
    let mut problems = all.findings.iter().filter(|one| one.state == State::Problem);
    if all.problems == 0 {
        Exit::Done
    } else if problems.all(|one| one.blame == Blame::Author) {
        Exit::Failed
    } else {
        Exit::Usage
    }
}
