//! `peasy mcp`: writes peasy down in the configuration of MCP clients, and takes it out again.
//!
//! What else stands in a file stays to the letter; a file that cannot be understood is refused and not
//! touched. Nothing here starts a client or a server.

mod json;
mod known;
mod server;
mod toml;

pub(super) use known::ClientName;
pub(super) use server::Written;

use super::output::{BAD, BOLD, DIM, GOOD, Output, WARN, count, paint, safe};
use super::policy::LimitArguments;
use super::replace::{read, replace};
use super::scope::{Scope, ScopeArguments};
#[cfg(feature = "bridge")]
use super::servers::ServersCommand;
use super::{Exit, usage, workspace};
use crate::config::Folders;
use crate::diagnostic::{Diagnostic, Severity, shell_word};
use crate::script::runtime::is_project_root;
use crate::workspace::place::project_features;
use clap::{Args, Subcommand, ValueEnum};
use known::{Client, Environment, Format, Shape};
use serde::Serialize;
use serde_json::Value;
use server::Server;
use std::path::{Path, PathBuf};

/// Writes peasy down in the configuration of MCP clients.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  peasy mcp install claude-code --dry-run             show what would be written
  peasy mcp install codex greet.rhai                  for all your projects
  peasy mcp install cursor --project                  for this project, in its folder
  peasy mcp list                                      where peasy is written down
  peasy mcp uninstall codex --name greet
  peasy mcp add time -- uvx mcp-server-time           another server, for `serve --gateway` and `chat`
  peasy mcp servers                                   how such servers are, and what they offer")]
pub struct McpArguments {
    #[command(subcommand)]
    command: McpCommand,
}

#[derive(Debug, Subcommand)]
enum McpCommand {
    /// Write down in a client's configuration that it starts `peasy serve`.
    Install(InstallArguments),
    /// Take that out again.
    Uninstall(UninstallArguments),
    /// List where peasy is written down, and whether it can start.
    List(ListArguments),
    #[cfg(feature = "bridge")]
    #[command(flatten)]
    Servers(ServersCommand),
}

#[derive(Debug, Args)]
struct PlaceArguments {
    /// Which client.
    #[arg(value_enum)]
    client: ClientName,
    #[command(flatten)]
    scope: ScopeArguments,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The file names this program and the features by absolute paths, for clients start servers in
folders of their own choosing. What else stands in it stays as it is, comments too. A file for a
project holds paths of this machine; share it only where they are right for others.

Examples:
  peasy mcp install claude-code .peasy/features --dry-run
  peasy mcp install zed greet.rhai --name hello")]
struct InstallArguments {
    #[command(flatten)]
    place: PlaceArguments,
    /// The server's name in the client; without it that of the feature, or `peasy` for several.
    #[arg(long, value_parser = server_name)]
    name: Option<String>,
    /// Take the place of another server of that name.
    #[arg(long)]
    force: bool,
    /// The features to serve: files or folders. Without them those of the project, for `--project`, or
    /// your own.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

#[derive(Debug, Args)]
struct UninstallArguments {
    #[command(flatten)]
    place: PlaceArguments,
    /// The server's name in the client.
    #[arg(long, default_value = "peasy")]
    name: String,
    /// Take it out even where it does not run peasy.
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Args)]
struct ListArguments {
    /// Print JSON instead.
    #[arg(long)]
    json: bool,
}

/// Names that every client takes.
fn server_name(given: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if (1..=64).contains(&given.len()) && given.chars().all(is_plain) {
        return Ok(given.to_owned());
    }
    Err("a name is 1 to 64 of `a-z A-Z 0-9 - _`".to_owned())
}

/// Installs, uninstalls or lists.
///
/// # Errors
///
/// A file cannot be read, understood or written, or a name is taken.
pub fn run(arguments: &McpArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    match &arguments.command {
        McpCommand::Install(arguments) => install(arguments, output),
        McpCommand::Uninstall(arguments) => uninstall(arguments, output),
        McpCommand::List(arguments) => list(arguments, output),
        #[cfg(feature = "bridge")]
        McpCommand::Servers(command) => super::servers::run(command, output),
    }
}

/// The file of a client, and what stands in it.
struct Opened {
    client: &'static Client,
    scope: Scope,
    file: PathBuf,
    /// The text, without a byte order mark; `None` where there is no file.
    text: Option<String>,
}

impl PlaceArguments {
    fn scope(&self) -> Scope {
        self.scope.scope()
    }

    fn open(&self) -> Result<Opened, Box<Diagnostic>> {
        Opened::open(self.client, self.scope())
    }

    /// The flags that lead to the same file.
    fn words(&self) -> String {
        let client = self.client.to_possible_value();
        let client = client.as_ref().map_or("", |value| value.get_name());
        self.scope.words(client)
    }
}

impl Opened {
    fn open(name: ClientName, scope: Scope) -> Result<Self, Box<Diagnostic>> {
        let client = Client::of(name);
        let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let file = client.file(scope, &project_root()?, &Environment(&variable));
        let file = file.ok_or_else(|| {
            Diagnostic::operator(
                "config/no-home",
                "there is no home folder to find the client's \
                configuration in",
            )
            .help("set `HOME` to an absolute path")
        })?;
        let text = read(&file).map_err(|reason| {
            Diagnostic::operator(
                "config/unreadable",
                format!("`{}` cannot be read: {reason}", file.display()),
            )
            .help("check who owns the file and its folder")
        })?;
        Ok(Self { client, scope, file, text })
    }

    fn text(&self) -> &str {
        let text = self.text.as_deref().unwrap_or_default();
        text.strip_prefix(MARK).unwrap_or(text)
    }

    /// The servers of each shape that the file has.
    fn servers(&self) -> Result<Vec<(&'static Shape, Servers)>, Box<Diagnostic>> {
        let mut found = Vec::new();
        for shape in self.client.shapes {
            let read = match self.client.format {
                Format::Json => json::servers,
                Format::Toml => toml::servers,
            };
            if let Some(servers) =
                read(self.text(), shape.keys).map_err(|why| self.malformed(&why))?
            {
                found.push((shape, servers));
            }
        }
        // In a file of the second shape, the key of its servers looks like a server of the first.
        if let [(first, servers), (second, _), ..] = &mut found[..]
            && let Some(key) = second.keys.strip_prefix(first.keys).and_then(<[_]>::first)
        {
            let is_one = |entry: &Value| entry.get("type").is_some_and(Value::is_string);
            servers.retain(|(name, entry)| name != key || is_one(entry));
        }
        Ok(found)
    }

    /// The shape that a new server is written in.
    fn shape(&self) -> Result<&'static Shape, Box<Diagnostic>> {
        let found = self.servers()?;
        let last = found.last().map(|(shape, _)| *shape);
        Ok(last.unwrap_or(&self.client.shapes[0]))
    }

    fn malformed(&self, why: &str) -> Diagnostic {
        let message = format!("`{}` cannot be understood: {why}", self.file.display());
        Diagnostic::operator("mcp/client-file", message).help(format!(
            "mend it first, as {} needs it; nothing in it was changed",
            self.client.title
        ))
    }

    /// Writes the new text, or shows the difference.
    fn put(&self, new: &str, is_dry: bool, output: &mut Output) -> Result<(), Box<Diagnostic>> {
        if is_dry {
            let name = self.file.display().to_string();
            let difference = crate::script::differences(self.text(), new, &name);
            output.say_result(&difference);
            return Ok(());
        }
        let mark = if self.text.as_ref().is_some_and(|text| text.starts_with(MARK)) {
            "\u{feff}"
        } else {
            ""
        };
        replace(&self.file, self.text.as_deref(), &format!("{mark}{new}")).map_err(|reason| {
            let message = format!("`{}` cannot be written: {reason}", self.file.display());
            Diagnostic::operator("cli/unwritable", message)
                .help("nothing in it was changed; check who owns the file and its folder")
        })?;
        Ok(())
    }
}

/// Servers by their names.
type Servers = Vec<(String, Value)>;

/// A byte order mark, which some editors of Windows write.
const MARK: char = '\u{feff}';

/// The root of the project that this folder is in; the folder itself, where it is in none.
fn project_root() -> Result<PathBuf, Box<Diagnostic>> {
    let here = std::env::current_dir()
        .map_err(|reason| usage(format!("the current folder cannot be found: {reason}")))?;
    let root = here.ancestors().find(|folder| is_project_root(folder)).map(Path::to_owned);
    Ok(root.unwrap_or(here))
}

fn install(arguments: &InstallArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let place = &arguments.place;
    let (paths, default_name) = served(arguments, output)?;
    let name = arguments.name.clone().unwrap_or(default_name);
    let server = Server::here(&paths).map_err(usage)?;
    let opened = place.open()?;
    let shape = opened.shape()?;
    let entry = (shape.entry)(&server);
    let there = opened.servers()?.into_iter().flat_map(|(_, servers)| servers);
    let there = there.into_iter().find(|(known, _)| *known == name).map(|(_, entry)| entry);
    let file = safe(&opened.file.display().to_string());
    if there.as_ref() == Some(&entry) {
        output.say(format_args!("`{name}` stands in {file} already; nothing was changed"));
        return Ok(Exit::Done);
    }
    if let Some(there) = &there
        && !arguments.force
    {
        return Err(taken(&name, there, &entry, opened.client).in_file(file).into());
    }
    let set = match opened.client.format {
        Format::Json => json::set,
        Format::Toml => toml::set,
    };
    let new =
        set(opened.text(), shape.keys, &name, &entry).map_err(|why| opened.malformed(&why))?;
    opened.put(&new, place.scope.dry_run, output)?;
    if place.scope.dry_run {
        output.tell(paint(DIM, "nothing was changed; without `--dry-run` it is"));
        return Ok(Exit::Done);
    }
    let verb = if there.is_some() { "changed" } else { "added" };
    let done = format!("{verb} `{name}` in {}", paint(BOLD, &file));
    output.say(format_args!("{} {}: {done}", paint(GOOD, "✓"), opened.client.title));
    if let Some(written) = Written::of(&entry) {
        output.say(format_args!("  it starts  {}", safe(&written.line())));
    }
    output.say(format_args!("  next       {}", opened.client.then));
    output.say(format_args!("  undo       peasy mcp uninstall {} --name {name}", place.words()));
    Ok(Exit::Done)
}

/// The absolute paths to serve, and the name of the server unless another is given. Says what will not
/// be offered as it is now.
fn served(
    arguments: &InstallArguments,
    output: &mut Output,
) -> Result<(Vec<PathBuf>, String), Box<Diagnostic>> {
    let paths = match (arguments.paths.as_slice(), arguments.place.scope()) {
        ([], Scope::Project) => vec![project_features().ok_or_else(|| {
            usage("there is no `.peasy/features` here or in a folder above").help(
                "make it with `peasy init`, or name the features: `peasy mcp install CLIENT PATH`",
            )
        })?],
        ([], Scope::User) => vec![own_features()?],
        (paths, _) => paths.to_vec(),
    };
    let workspace = workspace::read(&paths, &LimitArguments::default())?;
    workspace.require_some()?;
    workspace::tell_broken(&workspace, output);
    let absolute = |path: &PathBuf| {
        path.canonicalize()
            .map_err(|reason| usage(format!("`{}` cannot be followed: {reason}", path.display())))
    };
    let name = match (workspace.features.as_slice(), arguments.paths.as_slice()) {
        ([only], [path]) if !is_folder_of_features(path) => {
            only.id().map_or("peasy".to_owned(), |id| id.name().to_string())
        }
        _ => "peasy".to_owned(),
    };
    Ok((paths.iter().map(absolute).collect::<Result<_, _>>()?, name))
}

fn is_folder_of_features(path: &Path) -> bool {
    path.is_dir() && !path.join("main.rhai").exists()
}

fn own_features() -> Result<PathBuf, Box<Diagnostic>> {
    let own = Folders::of_user().map(|folders| folders.features());
    own.filter(|folder| folder.is_dir()).ok_or_else(|| {
        let problem = usage("you have no features of your own that every project could have");
        let problem = match project_features() {
            Some(_) => problem.help("those of this project are written down with `--project`"),
            None => problem,
        };
        problem.help("name them: `peasy mcp install CLIENT PATH`").into()
    })
}

fn taken(name: &str, there: &Value, entry: &Value, client: &Client) -> Diagnostic {
    let shown = |entry: &Value| {
        Written::of(entry).map_or_else(|| entry.to_string(), |written| written.line())
    };
    let problem = Diagnostic::operator(
        "mcp/client-name",
        format!("{} has another server `{name}` already", client.title),
    );
    problem
        .help(format!("it has  {}", shown(there)))
        .help(format!("not     {}", shown(entry)))
        .help("choose another name with `--name`, or take its place with `--force`")
}

fn uninstall(arguments: &UninstallArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let (place, name) = (&arguments.place, &arguments.name);
    let opened = place.open()?;
    let found = opened.servers()?;
    let file = safe(&opened.file.display().to_string());
    let is_it = |(known, _): &&(String, Value)| known == name;
    let there =
        found.iter().find_map(|(shape, servers)| Some((*shape, servers.iter().find(is_it)?)));
    let Some((shape, (_, entry))) = there else {
        let problem = usage(format!("there is no server `{}` in {file}", safe(name)));
        let ours: Vec<_> = found
            .iter()
            .flat_map(|(_, servers)| ours(servers))
            .map(|(name, _)| safe(name))
            .collect();
        return Err(match ours.as_slice() {
            [] => problem
                .help("nothing there runs peasy; `peasy mcp list` shows where it is written down"),
            [only] => problem.help(format!(
                "peasy is written down there as `{only}`: `peasy mcp uninstall {} --name {}`",
                place.words(),
                shell_word(only)
            )),
            names => problem.help(format!(
                "peasy is written down there as {}; say which with `--name`",
                names.join(", ")
            )),
        }
        .into());
    };
    if !arguments.force && !Written::of(entry).is_some_and(|written| written.is_ours()) {
        let problem = usage(format!("the server `{name}` in {file} does not run peasy"));
        return Err(problem.help("take it out all the same with `--force`").into());
    }
    let remove = match opened.client.format {
        Format::Json => json::remove,
        Format::Toml => toml::remove,
    };
    let new = remove(opened.text(), shape.keys, name).map_err(|why| opened.malformed(&why))?;
    opened.put(new.as_deref().unwrap_or(opened.text()), place.scope.dry_run, output)?;
    if place.scope.dry_run {
        output.tell(paint(DIM, "nothing was changed; without `--dry-run` it is"));
    } else {
        let title = opened.client.title;
        output.say(format_args!(
            "{} {title}: took `{name}` out of {}",
            paint(GOOD, "✓"),
            paint(BOLD, file)
        ));
    }
    Ok(Exit::Done)
}

fn ours(servers: &[(String, Value)]) -> impl Iterator<Item = (&String, Written)> {
    servers
        .iter()
        .filter_map(|(name, entry)| Some((name, Written::of(entry).filter(Written::is_ours)?)))
}

/// A place where peasy is written down.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    /// What people call the client.
    pub client: &'static str,
    /// `user` or `project`.
    pub scope: &'static str,
    pub file: PathBuf,
    pub name: String,
    #[serde(flatten)]
    pub written: Written,
    /// What keeps it from starting.
    pub problem: Option<String>,
}

/// Every place where peasy is written down, and the files that cannot be understood.
pub(super) fn listed() -> (Vec<Listed>, Vec<Diagnostic>) {
    let (mut all, mut problems) = (Vec::new(), Vec::new());
    for client in ClientName::value_variants() {
        for scope in [Scope::User, Scope::Project] {
            match Opened::open(*client, scope).and_then(|opened| Ok((opened.servers()?, opened))) {
                Ok((found, opened)) => {
                    for (name, written) in found.iter().flat_map(|(_, servers)| ours(servers)) {
                        let (name, problem) = (name.clone(), written.problem());
                        let (client, file) = (opened.client.title, opened.file.clone());
                        let scope = match opened.scope {
                            Scope::User => "user",
                            Scope::Project => "project",
                        };
                        all.push(Listed { client, scope, file, name, written, problem });
                    }
                }
                // Without a home there is nothing to look at, and one client's file is not another's.
                Err(problem) if problem.code == "config/no-home" => (),
                Err(mut problem) => {
                    problem.severity = Severity::Warning;
                    problems.push(*problem);
                }
            }
        }
    }
    (all, problems)
}

/// What `list --json` prints.
#[derive(Serialize)]
struct Report {
    servers: Vec<Listed>,
    problems: Vec<Diagnostic>,
}

fn list(arguments: &ListArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let (servers, problems) = listed();
    if arguments.json {
        output.say_json(&Report { servers, problems });
        return Ok(Exit::Done);
    }
    for problem in &problems {
        output.tell_picture(problem, None);
    }
    if servers.is_empty() {
        output.say("peasy is written down in no client's configuration");
        output.tell("write it down with `peasy mcp install CLIENT`");
    }
    for one in &servers {
        let file = safe(&one.file.display().to_string());
        output.say(format_args!(
            "{} {} ({}) in {file}",
            paint(BOLD, safe(&one.name)),
            one.client,
            one.scope
        ));
        output.say(format_args!("  {}", safe(&one.written.line())));
        if let Some(problem) = &one.problem {
            output.say(format_args!("  {}: {}", paint(BAD, "problem"), safe(problem)));
        } else if let Some(doubt) = one.written.doubt() {
            output.say(format_args!("  {}: {}", paint(WARN, "warning"), safe(&doubt)));
        }
    }
    if servers.len() > 1 {
        output.tell(paint(DIM, count(servers.len(), "server")));
    }
    Ok(Exit::Done)
}
