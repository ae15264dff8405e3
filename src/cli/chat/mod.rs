//! `peasy chat`: a person, a model, and the tools of features between them.
//!
//! It reads what a person writes, shows what happens, and asks what has to be decided. What happens is the
//! [worker](crate::worker)'s, and everything that the model sees is in the session's log.

mod below;
mod interrupt;
mod json;
mod line;
mod screen;
mod servers;
mod session;
mod slash;

use super::ask::Asking;
use super::output::{BOLD, DIM, Output, count, paint, safe};
use super::reload::{Console, reloader};
use super::{Exit, IsolationArguments, PolicyArguments, refused_as_json, usage};
use super::{waiting, workspace};
use crate::config::chat::ChatSettings;
use crate::diagnostic::Diagnostic;
use crate::feature::call::Cancel;
use crate::feature::capability::SecretName;
use crate::pod::Pod;
use crate::pod::session::{About, Session};
use crate::secret::Secrets;
use crate::worker::provider::{ModelName, Provider};
use crate::worker::{
    Audience, End, Follower, Model, ModelResponder, Turned, Worker, WorkerSettings,
};
use crate::workspace::reload::Reloading;
use crate::workspace::{Workspace, place};
use below::Below;
use clap::Args;
use interrupt::Interrupts;
use line::{Line, Lines};
use screen::{Announcer, Screen};
use serde_json::json;
use servers::Servers;
use session::{Chosen, Tally};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the model is told before everything else, where nobody says otherwise.
const SYSTEM: &str = "You are an assistant in a terminal. Use the tools that you are given where they help, and say \
plainly what you did and what you could not do.";

/// The longest prompt, in bytes.
const MOST_PROMPT: u64 = 4 * 1024 * 1024;

/// Talks with a model that calls the tools of features.
#[derive(Debug, Args)]
#[command(after_help = "\
A model is PROVIDER/NAME: anthropic/…, openai/…, gemini/…, ollama/… and others; what speaks like OpenAI
goes as openai/NAME with --base-url. The key is a secret or a variable: with `peasy secret set
anthropic_api_key` or ANTHROPIC_API_KEY, and so on.

While it runs, /help lists the commands; Ctrl-C ends the model's turn, and twice the program.

  peasy chat --model ollama/qwen3                      talk
  peasy chat tools.rhai -p 'count the words of a b'    one question, with the tools of a file
  peasy chat --continue                                go on with the latest session of this project

The other MCP servers that your settings name are started, and their tools are the model's as well;
`peasy mcp add` names one, --no-servers leaves them out.

Exit codes: 0 done, 1 the turn came to no end, 2 wrong use or settings, 3 denied, 4 our fault.")]
pub struct ChatArguments {
    /// A `.rhai` file, a folder with a `main.rhai`, or a folder of features.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Ask this, print the answer, and end; `-` reads it from standard input.
    #[arg(short, long, value_name = "PROMPT")]
    prompt: Option<String>,
    /// Print what happens as JSON, one object a line. Needs `--prompt`.
    #[arg(long, requires = "prompt")]
    json: bool,
    /// Which model.
    #[arg(long, value_name = "PROVIDER/NAME")]
    model: Option<String>,
    /// Where it is: the address up to the provider's own paths, such as `http://127.0.0.1:8080/v1`.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// What the model is told before everything else: a file, or a text.
    #[arg(long, value_name = "FILE|TEXT")]
    system: Option<String>,
    /// The name of the session that begins; one is made up where none is given.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["resume", "continue_"])]
    session: Option<String>,
    /// Go on with a session; without a name, choose one.
    #[arg(
        long,
        value_name = "SESSION",
        num_args = 0..=1,
        default_missing_value = "",
        conflicts_with = "continue_"
    )]
    resume: Option<String>,
    /// Go on with the latest session of this project in which something was said.
    #[arg(long = "continue")]
    continue_: bool,
    /// An answer to a question of a tool or a permission, in the order of the questions, or `NAME=…` of the
    /// one with that name.
    #[arg(long = "answer", value_name = "ANSWER", requires = "prompt")]
    answers: Vec<String>,
    /// Go on with the features as they are now, whatever is saved.
    #[arg(long)]
    no_reload: bool,
    /// Leave out the other MCP servers that your settings name.
    ///
    /// Without it their tools are the model's like all others. `peasy mcp servers` lists them.
    #[cfg(feature = "bridge")]
    #[arg(long)]
    no_servers: bool,
    #[command(flatten)]
    policy: PolicyArguments,
    #[command(flatten)]
    isolation: IsolationArguments,
}

/// Talks until the person has enough.
///
/// # Errors
///
/// There is no model, no session of that name, or a flag cannot be understood.
pub fn run(arguments: &ChatArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let outcome = execute(arguments, output);
    refused_as_json(outcome, arguments.json, |problem| {
        output.say_json_line(&json!({ "event": "end", "why": "refused", "problem": problem }));
    })
}

fn execute(arguments: &ChatArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let chosen = workspace::settings()?.chat;
    let name = arguments.model.as_ref().or(chosen.model.as_ref()).ok_or_else(no_model)?;
    let name = ModelName::parse(name)?;
    let prompt = arguments.prompt.as_deref().map(prompt).transpose()?;
    let secrets = Secrets::new(workspace::folders()?.config);
    let keys = Keys { secrets: secrets.clone(), chosen: chosen_key(&chosen, &name) };
    // An address of the settings is the one of the model of the settings.
    let is_chosen = chosen.model.as_deref() == Some(&*name.to_string());
    let base_url = chosen.base_url.clone().filter(|_| is_chosen || arguments.model.is_none());
    let base_url = arguments.base_url.clone().or(base_url);
    let provider = keys.provider(name, base_url.as_deref())?;
    let system = arguments.system.as_deref().map(system).transpose()?;
    let which = match &arguments.session {
        Some(name) => session::begin(name)?,
        None => {
            let resume = arguments.resume.as_deref();
            session::choose(resume, arguments.continue_, prompt.is_none(), output)?
        }
    };

    let limits = &arguments.policy.limits;
    let mut workspace =
        workspace::read_to_call(&arguments.paths, limits, arguments.isolation.isolate)?;
    if !arguments.paths.is_empty() {
        workspace.require_some()?;
    }
    let servers = Servers::open(arguments, &mut workspace, &secrets, output)?;
    let catalog = workspace::install(&workspace, &arguments.policy.grants, output)?;
    for read in workspace.features.iter().filter(|read| read.is_broken()) {
        for problem in read.errors() {
            output.tell_picture(problem, read.text_of(problem).as_deref());
        }
    }
    waiting::tell(&catalog, &arguments.paths, output);
    let pod = workspace::open_pod_of(&workspace, catalog, which.name(), secrets, output)?;
    let pod = Arc::new(pod);
    let (session, tally) = open(&pod, &which, &provider)?;
    if let Some(text) = system.or_else(|| match (which.is_new(), &chosen.system) {
        (true, Some(text)) => Some((text.clone(), "the settings".to_owned())),
        (true, None) => Some((SYSTEM.to_owned(), "peasy".to_owned())),
        (false, _) => None,
    }) {
        let (text, source) = text;
        session.append_instructions(&text, &source).map_err(|error| error.diagnostic())?;
    }

    let of_chat = Arc::downgrade(&pod);
    let interrupt_below = move || {
        of_chat.upgrade().map(|pod| pod.interrupt_below());
    };
    let interrupts = Interrupts::listen(interrupt_below, servers.stopper())?;
    let lines = arguments.json.then(|| json::Out::new(Output::new(output.color())));
    let below = Arc::new(match &lines {
        Some(lines) => Below::as_json(session.id(), Arc::clone(lines)),
        None => Below::new(session.id(), Output::new(output.color())),
    });
    let settings = worker_settings(&chosen);
    let provider = Arc::new(provider);
    let mut chat =
        Chat { pod, session, provider, settings, tally, interrupts, below, keys, base_url };
    chat.answer_below();
    match prompt {
        Some(text) => chat.once(&text, arguments, lines, workspace, &servers, output),
        None => chat.talk(arguments, workspace, &servers, output),
    }
}

fn no_model() -> Diagnostic {
    Diagnostic::caller("worker/model", "no model was chosen").help(
        "give `--model PROVIDER/NAME`, or set `model` below `[chat]` in `config.toml`; for example \
         `anthropic/claude-sonnet-4-5` or `ollama/qwen3`",
    )
}

fn prompt(text: &str) -> Result<String, Box<Diagnostic>> {
    let mut given = text.to_owned();
    if text == "-" {
        given.clear();
        let read = std::io::stdin().lock().take(MOST_PROMPT + 1).read_to_string(&mut given);
        read.map_err(|reason| usage(format!("standard input cannot be read: {reason}")))?;
    }
    if given.len() as u64 > MOST_PROMPT {
        return Err(usage(format!("the prompt is longer than {MOST_PROMPT} bytes")).into());
    }
    if given.trim().is_empty() {
        return Err(usage("the prompt is empty")
            .help("write what the model is asked after `-p`, or leave `-p` out and type it")
            .into());
    }
    Ok(given)
}

/// What the model is told before everything else, and where that comes from.
fn system(given: &str) -> Result<(String, String), Box<Diagnostic>> {
    let path = Path::new(given);
    let looks_like_text = given.contains(char::is_whitespace) || given.is_empty();
    if !path.is_file() && looks_like_text {
        return Ok((given.to_owned(), "the command line".to_owned()));
    }
    #[expect(clippy::disallowed_methods, reason = "reads the file that the user named")]
    let text = std::fs::read_to_string(path).map_err(|reason| {
        usage(format!("the file `{}` cannot be read: {reason}", safe(given)))
            .help("a text that is no file has several words")
    })?;
    Ok((text, format!("the file {}", path.display())))
}

fn worker_settings(chosen: &ChatSettings) -> WorkerSettings {
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let usual = WorkerSettings::default();
    WorkerSettings {
        max_rounds: chosen.max_rounds.unwrap_or(usual.max_rounds),
        max_output: chosen.max_output.map_or(usual.max_output, size),
        max_result: chosen.max_result.map_or(usual.max_result, size),
        max_tokens: chosen.max_tokens,
        retries: chosen.retries.unwrap_or(usual.retries),
        compact_at: match chosen.compact_at {
            Some(0) => None,
            Some(tokens) => Some(tokens),
            None => usual.compact_at,
        },
        ..usual
    }
}

/// Where keys of providers come from.
struct Keys {
    secrets: Secrets,
    /// The secret that the settings name, and the provider that it is for.
    chosen: Option<(&'static str, String)>,
}

/// The secret of the settings is a key for the provider of their model; where they name none, of the
/// model that the chat begins with.
fn chosen_key(chosen: &ChatSettings, first: &ModelName) -> Option<(&'static str, String)> {
    let provider = match &chosen.model {
        Some(model) => ModelName::parse(model).ok()?.provider(),
        None => first.provider(),
    };
    Some((provider, chosen.key.clone()?))
}

impl Keys {
    /// The model, with the key that the user has for its provider: the secret of the settings, where it is
    /// for this one, the one named like the provider's variable, or the variable itself.
    fn provider(
        &self,
        name: ModelName,
        base_url: Option<&str>,
    ) -> Result<Provider, Box<Diagnostic>> {
        let until = Instant::now() + Duration::from_secs(60);
        let usual = name.key_variable().map(str::to_ascii_lowercase);
        let is_kept = |wanted: &SecretName| {
            self.secrets.list().is_ok_and(|list| list.iter().any(|(known, _)| known == wanted))
        };
        let chosen = self.chosen.as_ref().filter(|(provider, _)| *provider == name.provider());
        let named = match (chosen, &usual) {
            (Some((_, chosen)), _) => Some(secret_name(chosen)?),
            (None, Some(usual)) => Some(secret_name(usual)?).filter(is_kept),
            (None, None) => None,
        };
        let key = match (named, name.key_variable()) {
            (Some(secret), _) => {
                Some(self.secrets.read(&secret, until).map_err(|error| error.diagnostic())?)
            }
            (None, Some(variable)) => match std::env::var(variable) {
                Ok(text) if !text.is_empty() => {
                    let key = crate::feature::secret::SecretText::new(text.into());
                    let key = key.map_err(|reason| {
                        Diagnostic::operator(
                            "worker/key",
                            format!("{variable} holds no key: {reason}"),
                        )
                    })?;
                    if let Some(usual) = &usual {
                        // It stands in no log either.
                        self.secrets.exposed().add(&secret_name(usual)?, key.expose());
                    }
                    Some(key)
                }
                _ => None,
            },
            (None, None) => None,
        };
        Ok(Provider::new(name, base_url, key)?)
    }
}

fn secret_name(text: &str) -> Result<SecretName, Box<Diagnostic>> {
    text.parse().map_err(|_| {
        let message = format!("`{}` is no name of a secret", safe(text));
        Diagnostic::operator("worker/key", message)
            .help("`peasy secret list` shows the names; mend `key` below `[chat]`")
            .into()
    })
}

/// Begins a session, or goes on with one.
fn open(
    pod: &Arc<Pod>,
    which: &Chosen,
    provider: &Provider,
) -> Result<(Session, Tally), Box<Diagnostic>> {
    let agent = Some(provider.full_name().to_string());
    let about = About { front: "chat".into(), agent, root: place::project() };
    let log = Arc::clone(pod.log());
    let (session, tally) = match which {
        Chosen::New(_) => (Session::begin(log, &about), Tally::default()),
        Chosen::Known(_) => {
            let tally = session::tally(log.folder())?;
            (Session::resume(log, &about), tally)
        }
    };
    Ok((session.map_err(|error| error.diagnostic())?, tally))
}

/// A conversation under way.
struct Chat {
    pod: Arc<Pod>,
    session: Session,
    provider: Arc<Provider>,
    settings: WorkerSettings,
    tally: Tally,
    interrupts: Interrupts,
    below: Arc<Below>,
    keys: Keys,
    base_url: Option<String>,
}

impl Chat {
    /// Messages to sub-pods are answered by the model of the chat.
    fn answer_below(&self) {
        let model = Arc::clone(&self.provider) as Arc<dyn Model>;
        let below = Arc::clone(&self.below) as Arc<dyn Follower>;
        let responder = ModelResponder::new(model, self.settings.clone()).followed_by(below);
        self.pod.set_responder(Arc::new(responder));
    }

    fn turn(&mut self, text: &str, audience: &dyn Audience) -> Result<Turned, Box<Diagnostic>> {
        let cancel = Cancel::default();
        let _turn = self.interrupts.during(&cancel);
        let worker =
            Worker::new(&self.pod, &self.session, &*self.provider, &self.settings, audience)
                .after(self.tally.turns, self.tally.context)
                .unsummarised_at(self.tally.unsummarised);
        let turned = worker.turn(text, &cancel).map_err(|error| error.diagnostic())?;
        self.tally.turns += 1;
        self.tally.context = worker.context();
        self.tally.unsummarised = worker.unsummarised();
        self.tally.tokens += turned.tokens;
        if turned.end == End::Cancelled {
            // What its last calls still began goes no further either.
            self.pod.interrupt_below();
        }
        Ok(turned)
    }

    /// One question, one answer.
    fn once(
        &mut self,
        text: &str,
        arguments: &ChatArguments,
        lines: Option<Arc<json::Out>>,
        workspace: Workspace,
        servers: &Servers,
        output: &mut Output,
    ) -> Result<Exit, Box<Diagnostic>> {
        let color = output.color();
        // What servers offer meanwhile is there at the next request; nothing else is read again.
        let _following = match servers.is_any() {
            true => {
                let console = Console::new(output, &workspace, || ());
                let (paths, grants) = (&arguments.paths, &arguments.policy.grants);
                let reloader = reloader(&self.pod, workspace, paths, grants, &console);
                let reloading = reloader.start_unwatched().map_err(Box::new)?;
                servers.follow(&reloading, Arc::default(), output);
                Some(reloading)
            }
            false => None,
        };
        let asking = Asking::new(&arguments.answers, !arguments.json);
        let asking = asking.unless(self.interrupts.is_cancelled());
        let turned = if let Some(lines) = lines {
            let audience = json::JsonLines::new(lines, asking);
            audience.begin(self.session.id(), &self.provider.full_name().to_string());
            let turned = self.turn(text, &audience)?;
            audience.end(&turned, self.below.spent());
            turned
        } else {
            let screen = Screen::new(Output::new(color), asking);
            self.turn(text, &screen)?
        };
        self.end_below(output);
        Ok(exit_of(&turned.end))
    }

    /// Ends the turns that sub-pods are at, and says how many.
    fn end_below(&self, output: &mut Output) {
        let ended = self.pod.interrupt_below();
        if ended > 0 {
            output.tell(format_args!("{} of sub-pods ended", count(ended, "turn")));
        }
    }

    fn talk(
        &mut self,
        arguments: &ChatArguments,
        workspace: Workspace,
        servers: &Servers,
        output: &mut Output,
    ) -> Result<Exit, Box<Diagnostic>> {
        let asking = Asking::new(&[], true).unless(self.interrupts.is_cancelled());
        let screen = Screen::new(Output::new(output.color()), asking);
        let mut lines = Lines::open(&workspace::folders()?.state);
        self.below.beside(lines.waiting());
        let console = Console::new(output, &workspace, || ());
        let (paths, grants) = (&arguments.paths, &arguments.policy.grants);
        let mut reloader = reloader(&self.pod, workspace, paths, grants, &console);
        reloader.observer = Box::new(Announcer::new(console, lines.waiting()));
        let reloading = match arguments.no_reload {
            true => reloader.start_unwatched(),
            false => reloader.start(),
        };
        let reloading = reloading.map_err(|problem| output.tell_picture(&problem, None)).ok();
        if let Some(reloading) = &reloading {
            servers.follow(reloading, lines.waiting(), output);
        }
        self.greet(&lines, output);
        let mut exit = Exit::Done;
        let mut is_leaving = false;
        loop {
            let was_leaving = std::mem::take(&mut is_leaving);
            let text = match lines.next()? {
                Line::Text(text) => text,
                Line::Cleared => continue,
                Line::Nothing => {
                    self.end_below(output);
                    if was_leaving {
                        break;
                    }
                    is_leaving = true;
                    output.tell(paint(
                        DIM,
                        "Ctrl-D or /quit ends the chat; Ctrl-C once more as well",
                    ));
                    continue;
                }
                Line::End => break,
            };
            let text = text.trim();
            if text.is_empty() {
                continue;
            }
            if let Some(command) = text.strip_prefix('/') {
                match self.slash(command, reloading.as_ref(), &screen, output) {
                    Ok(slash::Next::Quit) => break,
                    Ok(slash::Next::GoOn) => {}
                    Err(problem) => {
                        output.tell_picture(&problem, None);
                        exit = first_of(exit, Exit::of(&problem), &lines);
                    }
                }
                continue;
            }
            let turned = self.turn(text, &screen)?;
            exit = first_of(exit, exit_of(&turned.end), &lines);
        }
        self.end_below(output);
        output.tell(paint(
            DIM,
            format_args!("go on with `peasy chat --resume {}`", self.session.id()),
        ));
        Ok(exit)
    }

    fn greet(&self, lines: &Lines, output: &mut Output) {
        let tools = count(self.pod.catalog().tools().len(), "tool");
        output.tell(format_args!(
            "{} with {tools}, session {}",
            paint(BOLD, safe(&self.provider.full_name().to_string())),
            safe(self.session.id()),
        ));
        if lines.is_terminal() {
            output.tell(paint(DIM, "/help lists the commands; Ctrl-D ends"));
        }
    }

    fn slash(
        &mut self,
        command: &str,
        reloading: Option<&Reloading>,
        screen: &Screen<'_>,
        output: &mut Output,
    ) -> Result<slash::Next, Box<Diagnostic>> {
        slash::run(self, command, reloading, screen, output)
    }
}

/// Where lines come from a program, the first that goes wrong decides how the process ends; a person
/// saw it.
fn first_of(before: Exit, now: Exit, lines: &Lines) -> Exit {
    if before != Exit::Done || lines.is_terminal() { before } else { now }
}

fn exit_of(end: &End) -> Exit {
    match end {
        End::Done => Exit::Done,
        End::Cut | End::Rounds(_) | End::Cancelled => Exit::Failed,
        End::Stopped(_) => Exit::Denied,
        End::Failed(problem) => Exit::of(problem),
    }
}
