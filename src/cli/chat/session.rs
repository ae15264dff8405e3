//! Which session a chat is of, and what is known of it from before.

use super::super::output::{DIM, Output, count, paint, safe};
use super::super::{usage, workspace};
use crate::diagnostic::{Diagnostic, nearest};
use crate::feature::catalog::CallOptions;
use crate::pod::session::said::{Begin, Usage};
use crate::pod::session::{Entry, Reason, lines, sessions, size};
use crate::pod::sessions_folder;
use crate::worker::Tokens;
use crate::workspace::place;
use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};

/// How many sessions a person is shown to choose from.
const MOST_SHOWN: usize = 10;

/// A session.
pub(super) enum Chosen {
    /// One that begins.
    New(String),
    /// One to go on with.
    Known(String),
}

impl Chosen {
    pub fn name(&self) -> &str {
        match self {
            Self::New(name) | Self::Known(name) => name,
        }
    }

    pub fn is_new(&self) -> bool {
        matches!(self, Self::New(_))
    }
}

/// What a session has come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Turns that ended.
    pub turns: u64,
    /// Everything that it cost.
    pub tokens: Tokens,
    /// Tokens at the latest request.
    pub context: u64,
    /// What they were when no summary came.
    pub unsummarised: u64,
    /// What its sub-pods cost before.
    pub below: Tokens,
}

/// Adds up what a log says. Reads it once, and keeps nothing of it.
pub(super) fn tally(folder: &Path) -> Result<Tally, Box<Diagnostic>> {
    let mut tally = Tally::default();
    for line in lines(folder).map_err(|error| error.diagnostic())? {
        match line.map_err(|error| error.diagnostic())?.0.entry {
            Entry::TurnEnd(_) => tally.turns += 1,
            Entry::Usage(usage) => {
                let (input, output, cached) = (usage.input, usage.output, usage.cached);
                tally.tokens += Tokens { input, output, cached };
                tally.context = input.saturating_add(output);
            }
            // Other compactions take the place of single messages.
            Entry::Compaction(made) if matches!(made.reason, Reason::Request(_)) => {
                (tally.context, tally.unsummarised) = (0, 0);
            }
            _ => {}
        }
    }
    tally.below = below(folder);
    Ok(tally)
}

/// What the sub-pods of a session cost, at every depth, as their logs say. One that cannot be read
/// says nothing.
fn below(folder: &Path) -> Tokens {
    let mut tokens = Tokens::default();
    let (Some(parent), Some(name)) = (folder.parent(), folder.file_name()) else { return tokens };
    let prefix = format!("{}.", name.to_string_lossy());
    let all = sessions(parent).unwrap_or_default();
    for session in all.iter().filter(|session| session.starts_with(&prefix)) {
        let entries = lines(&parent.join(session)).into_iter().flatten().map_while(Result::ok);
        // Another session may have such a name without having been started by this one.
        let mut is_below = false;
        for (line, _) in entries {
            match line.entry {
                Entry::Session(begin) => {
                    is_below = begin.spawned.is_some_and(|spawned| {
                        format!("{}.", spawned.session).starts_with(&prefix)
                    });
                }
                Entry::Usage(Usage { input, output, cached, .. }) if is_below => {
                    tokens += Tokens { input, output, cached };
                }
                _ => {}
            }
        }
    }
    tokens
}

/// The session of a chat, before anything but its beginning was read.
struct Known {
    name: String,
    folder: PathBuf,
    /// When it was written to last, in milliseconds since 1970.
    written: i64,
    /// The folder of its project; none in what an older version wrote.
    root: Option<PathBuf>,
}

impl Known {
    /// How many questions it was asked. A log that cannot be read to its end has those that can be read.
    fn turns(&self) -> usize {
        let read = lines(&self.folder).into_iter().flatten().map_while(Result::ok);
        read.filter(|(line, _)| matches!(line.entry, Entry::User(_))).count()
    }

    fn is_of(&self, root: Option<&Path>) -> bool {
        self.root.is_none() || self.root.as_deref() == root
    }

    /// `3 turns, 2026-01-01 12:00 UTC`
    fn about(&self) -> String {
        let time = jiff::Timestamp::from_millisecond(self.written).unwrap_or_default();
        format!("{}, {}", count(self.turns(), "turn"), time.strftime("%Y-%m-%d %H:%M UTC"))
    }
}

/// The sessions of chats, the latest first.
fn chats(folder: &Path) -> Result<Vec<Known>, Box<Diagnostic>> {
    let failed = |reason: std::io::Error| {
        let message = format!("`{}` cannot be read: {reason}", folder.display());
        Diagnostic::operator("log/failed", message)
    };
    let mut chats = Vec::new();
    for name in sessions(folder).map_err(failed)? {
        let session = folder.join(&name);
        if let Some(Begin { root, .. }) = begun(&session) {
            let written = size(&session).map_err(failed)?.written;
            chats.push(Known { name, folder: session, written, root });
        }
    }
    chats.sort_by(|one, other| (other.written, &other.name).cmp(&(one.written, &one.name)));
    Ok(chats)
}

/// How a chat began in this log, where one did. It stands near the beginning; a log that cannot be read has
/// none.
fn begun(folder: &Path) -> Option<Begin> {
    const NEAR: usize = 64;
    let mut near = lines(folder).ok()?.take(NEAR);
    near.find_map(|line| match line.ok()?.0.entry {
        Entry::Session(begin) if begin.front == "chat" => Some(begin),
        _ => None,
    })
}

/// A session of this name, which begins.
///
/// # Errors
///
/// It can have no such name, or there is one.
pub(super) fn begin(name: &str) -> Result<Chosen, Box<Diagnostic>> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > 64 || name.starts_with('.') || !name.chars().all(fits) {
        let message = format!("`{}` is no name of a session", safe(name));
        return Err(Diagnostic::caller("worker/session", message)
            .help("use letters, digits, `-`, `_` and `.`")
            .into());
    }
    if sessions_folder(&workspace::folders()?.state).join(name).exists() {
        let message = format!("there is a session `{name}`");
        return Err(Diagnostic::caller("worker/session", message)
            .help(format!("go on with it with `--resume {name}`, or choose another name"))
            .into());
    }
    Ok(Chosen::New(name.to_owned()))
}

/// The session that the flags mean.
///
/// # Errors
///
/// There is none of that name, or none at all.
pub(super) fn choose(
    resume: Option<&str>,
    latest: bool,
    is_open: bool,
    output: &mut Output,
) -> Result<Chosen, Box<Diagnostic>> {
    if resume.is_none() && !latest {
        return Ok(Chosen::New(new_name()));
    }
    let folder = sessions_folder(&workspace::folders()?.state);
    let known = chats(&folder)?;
    if known.is_empty() {
        let message = "there is no session of a chat to go on with";
        return Err(Diagnostic::operator("session/none", message)
            .help("`peasy chat` begins one")
            .into());
    }
    match resume {
        None => {
            let root = place::project();
            let mut here = known.iter().filter(|known| known.is_of(root.as_deref()));
            let latest = here.find(|known| known.turns() > 0).ok_or_else(|| {
                let message = "there is no session of a chat of this project to go on with";
                Diagnostic::operator("session/none", message)
                    .help("`peasy chat` begins one; `peasy chat --resume` shows those of others")
            })?;
            Ok(Chosen::Known(latest.name.clone()))
        }
        Some("") => pick(known, is_open, output),
        Some(name) if known.iter().any(|known| known.name == name) => {
            Ok(Chosen::Known(name.to_owned()))
        }
        Some(name) => {
            let message = format!("there is no session `{}` of a chat", safe(name));
            let help = match nearest(name, known.iter().map(|known| known.name.as_str())) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`peasy log list` shows the sessions that there are".to_owned(),
            };
            Err(Diagnostic::operator("session/none", message).help(help).into())
        }
    }
}

/// Has the person choose.
fn pick(
    mut known: Vec<Known>,
    is_open: bool,
    output: &mut Output,
) -> Result<Chosen, Box<Diagnostic>> {
    known.truncate(MOST_SHOWN);
    let is_open = is_open && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if !is_open {
        let shown = known.iter().map(|known| format!("{} ({})", known.name, known.about()));
        return Err(usage("`--resume` names no session, and nobody can be asked")
            .help(format!("the latest are: {}", shown.collect::<Vec<_>>().join("; ")))
            .into());
    }
    let widest = known.iter().map(|known| known.name.chars().count()).max().unwrap_or_default();
    for (index, known) in known.iter().enumerate() {
        let (name, about) = (safe(&known.name), paint(DIM, known.about()));
        output.tell(format_args!("{:>3}  {name:<widest$}  {about}", index + 1));
    }
    loop {
        output.tell(paint(DIM, format_args!("which? 1 to {}", known.len())));
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        if read.map_err(|reason| usage(format!("standard input cannot be read: {reason}")))? == 0 {
            return Err(usage("no session was chosen").into());
        }
        let number = line.trim().parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        if let Some(known) = number.and_then(|number| known.get(number)) {
            return Ok(Chosen::Known(known.name.clone()));
        }
    }
}

/// `chat-20260101-120000-a1b2c3`: sorted by time, and never twice.
fn new_name() -> String {
    let now = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S");
    let drawn = CallOptions::default().conditions.seed & 0xff_ffff;
    format!("chat-{now}-{drawn:06x}")
}
