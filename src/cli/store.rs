//! `peasy store`: what features keep, for people to look at and to mend.

use super::output::{BOLD, DIM, Output, count, paint, safe};
use super::workspace::{SESSION, folders, settings};
use super::{Exit, usage};
use crate::diagnostic::{Diagnostic, nearest};
use crate::limit::Limit;
use crate::pod::PodOptions;
use crate::pod::session::SessionLog;
use crate::pod::session::entry::StoreChange;
use crate::store::{Durability, Lease, Owner, StoreError, StoreInfo, Stores};
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Map, Value};
use std::io::Read;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Looks at what features keep, and changes it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  peasy store list
  peasy store get todo                     every key and value of `todo`
  peasy store get todo todo/1
  peasy store set todo last 0              a value is JSON
  peasy store export todo > todo.json
  peasy store import todo < todo.json      adds to what is there
  peasy store clear todo --yes")]
pub struct StoreArguments {
    #[command(subcommand)]
    command: StoreCommand,
}

#[derive(Debug, Subcommand)]
enum StoreCommand {
    /// List the stores there are.
    List {
        /// Print JSON instead.
        #[arg(long)]
        json: bool,
    },
    /// Show one value, or all.
    Get {
        #[command(flatten)]
        which: WhichStore,
        /// The key; all of them without it.
        key: Option<String>,
    },
    /// Keep a value under a key.
    Set {
        #[command(flatten)]
        which: WhichStore,
        /// The key.
        key: String,
        /// The value as JSON.
        value: String,
    },
    /// Print everything as one JSON object.
    Export {
        #[command(flatten)]
        which: WhichStore,
    },
    /// Add the fields of a JSON object to a store: all of them or none.
    Import {
        #[command(flatten)]
        which: WhichStore,
        /// The file; standard input without it.
        file: Option<PathBuf>,
    },
    /// Remove everything that a feature keeps.
    Clear {
        #[command(flatten)]
        which: WhichStore,
        /// Do it without asking.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
struct WhichStore {
    /// The feature, by name or id.
    feature: String,
    /// The folder that the feature belongs to, where several of the name have a store.
    #[arg(long, value_name = "FOLDER")]
    root: Option<PathBuf>,
}

/// How long to wait for calls that use the store.
const PATIENCE: Duration = Duration::from_secs(5);

/// Most characters of a value that are shown.
const SHOWN: usize = 60;

/// Does what was asked.
///
/// # Errors
///
/// There is no such store, it is in use or cannot be read, or a value is no JSON.
pub fn run(arguments: &StoreArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let stores = options()?.stores();
    match &arguments.command {
        StoreCommand::List { json } => list(&stores, *json, output),
        StoreCommand::Get { which, key: Some(key) } => get(which, &stores, key, output),
        StoreCommand::Get { which, key: None } | StoreCommand::Export { which } => {
            let entries = entries(which, &stores)?.into_iter();
            let fields = entries.map(|(key, text)| Ok((key, parse(&text)?)));
            output.say_json(&fields.collect::<Result<Map<_, _>, Box<Diagnostic>>>()?);
            Ok(Exit::Done)
        }
        StoreCommand::Set { which, key, value } => {
            let value = parse(value)?.to_string();
            change(which, &stores, |lease| {
                lease.set(key.as_str(), value.clone())?;
                Ok(StoreChange::Set { key: key.clone() })
            })?;
            output.tell(format_args!("`{}` is {} now", safe(key), short(&value)));
            Ok(Exit::Done)
        }
        StoreCommand::Import { which, file } => {
            let fields = object(file.as_deref())?;
            let number = fields.len();
            change(which, &stores, |lease| {
                fields
                    .iter()
                    .try_for_each(|(key, value)| lease.set(key.as_str(), value.to_string()))?;
                Ok(StoreChange::Imported { keys: number as u64 })
            })?;
            output.tell(format_args!("{} imported", count(number, "key")));
            Ok(Exit::Done)
        }
        StoreCommand::Clear { which, yes } => clear(which, &stores, *yes, output),
    }
}

fn options() -> Result<PodOptions, Box<Diagnostic>> {
    Ok(PodOptions {
        project: None,
        closed: Vec::new(),
        state: folders()?.state,
        session: String::new(),
        durability: Durability::Always,
        workspace: None,
        secrets: None,
    })
}

#[derive(Serialize)]
struct Listing {
    stores: Vec<StoreInfo>,
    /// Stores that cannot be read.
    problems: Vec<Diagnostic>,
}

fn list(stores: &Stores, json: bool, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let mut listing = Listing { stores: Vec::new(), problems: Vec::new() };
    for store in stores.list().map_err(failed)? {
        match store {
            Ok(info) => listing.stores.push(info),
            Err((file, error)) => {
                listing.problems.push(error.diagnostic().in_file(file.display().to_string()));
            }
        }
    }
    let exit = if listing.problems.is_empty() { Exit::Done } else { Exit::Usage };
    if json {
        output.say_json(&listing);
        return Ok(exit);
    }
    for StoreInfo { feature, root, keys, bytes, .. } in &listing.stores {
        let amount = format!("{}, {bytes} bytes", count(*keys, "key"));
        let root = paint(DIM, safe(&root.display().to_string()));
        output.say(format_args!("{}  {amount}  {root}", paint(BOLD, safe(feature))));
    }
    if listing.stores.is_empty() {
        output.tell("no feature has a store yet");
    }
    for problem in &listing.problems {
        output.tell_picture(problem, None);
    }
    Ok(exit)
}

fn get(
    which: &WhichStore,
    stores: &Stores,
    key: &str,
    output: &mut Output,
) -> Result<Exit, Box<Diagnostic>> {
    let entries = entries(which, stores)?;
    if let Some((_, text)) = entries.iter().find(|(known, _)| known == key) {
        output.say_json(&parse(text)?);
        return Ok(Exit::Done);
    }
    let problem = Diagnostic::operator("store/no-key", format!("there is no key `{}`", safe(key)));
    Err(match nearest(key, entries.iter().map(|(known, _)| known.as_str())) {
        Some(near) => problem.help(format!("did you mean `{near}`?")).into(),
        None => problem.into(),
    })
}

/// Every key with its value as text. Nothing is locked for that.
fn entries(which: &WhichStore, stores: &Stores) -> Result<Vec<(String, String)>, Box<Diagnostic>> {
    let owner = which.owner(stores)?;
    let entries = stores.look(&owner, |look| look.entries()).map_err(failed)?;
    Ok(entries.unwrap_or_default())
}

/// Changes a store, all of it or nothing, and puts on record how before it is lasting.
fn change(
    which: &WhichStore,
    stores: &Stores,
    change: impl FnOnce(&mut Lease) -> Result<StoreChange, StoreError>,
) -> Result<Exit, Box<Diagnostic>> {
    let owner = which.owner(stores)?;
    stores.tell_before_setting_aside(|owner, file| {
        let change = StoreChange::SetAside { file: file.to_owned() };
        record(owner, change).map_err(|problem| std::io::Error::other(problem.message))
    });
    let quota = Limit::Store.ceiling();
    let mut lease = stores.lease(&owner, quota, Instant::now() + PATIENCE).map_err(failed)?;
    let change = change(&mut lease).map_err(|error| failed(lease.examined(error)))?;
    record(&owner, change)?;
    // Told from calls by its name, which no call has.
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    lease.commit(&format!("person/{}", now.as_nanos()), &[]).map_err(failed)?;
    Ok(Exit::Done)
}

/// Puts a change on record, in the log that `peasy call` and `peasy serve` write.
fn record(owner: &Owner, change: StoreChange) -> Result<(), Box<Diagnostic>> {
    let folder = options_of_record()?;
    let log = SessionLog::open(&folder.session_folder(), folder.durability);
    let written = log.and_then(|log| log.store_changes(owner, change));
    Ok(written.map_err(|error| error.diagnostic())?)
}

fn options_of_record() -> Result<PodOptions, Box<Diagnostic>> {
    let durability = settings()?.durability;
    Ok(PodOptions { session: SESSION.to_owned(), durability, ..options()? })
}

fn clear(
    which: &WhichStore,
    stores: &Stores,
    yes: bool,
    output: &mut Output,
) -> Result<Exit, Box<Diagnostic>> {
    if !yes {
        let keys = count(entries(which, stores)?.len(), "key");
        let text = format!("this would remove {keys} of `{}` for good", safe(&which.feature));
        let problem = usage(text).help("keep them with `peasy store export`, or add `--yes`");
        return Err(problem.into());
    }
    let mut removed = 0;
    change(which, stores, |lease| {
        removed = lease.keys("", usize::MAX)?.len();
        lease.clear()?;
        Ok(StoreChange::Cleared { keys: removed as u64 })
    })?;
    output.tell(format_args!("{} removed", count(removed, "key")));
    Ok(Exit::Done)
}

impl WhichStore {
    fn owner(&self, stores: &Stores) -> Result<Owner, Box<Diagnostic>> {
        let mut known = Vec::new();
        let mut broken = Vec::new();
        for listed in stores.list().map_err(failed)? {
            match listed {
                Ok(info) => known.push(info),
                Err(problem) => broken.push(problem),
            }
        }
        let root =
            self.root.as_ref().map(|root| root.canonicalize().unwrap_or_else(|_| root.clone()));
        let is_meant = |store: &&StoreInfo| {
            let name = store.feature.rsplit(':').next().unwrap_or_default();
            let is_named = self.feature == store.feature || self.feature == name;
            is_named && root.as_ref().is_none_or(|root| *root == store.root)
        };
        let meant: Vec<_> = known.iter().filter(is_meant).collect();
        match meant.as_slice() {
            [store] => {
                let feature = store.feature.parse().map_err(|_| {
                    Diagnostic::host(
                        "store/failed",
                        format!("`{}` is no feature", safe(&store.feature)),
                    )
                })?;
                Ok(Owner { feature, root: store.root.clone() })
            }
            [] => {
                let name = self.feature.rsplit(':').next().unwrap_or_default();
                // Of a file that cannot be read, its name alone says whose it is.
                let is_of = |(file, _): &(PathBuf, StoreError)| {
                    let stem = file.file_stem().and_then(|stem| stem.to_str());
                    stem.and_then(|stem| stem.rsplit_once('-')).is_some_and(|(of, _)| of == name)
                };
                Err(match broken.into_iter().find(is_of) {
                    Some((file, error)) => {
                        error.diagnostic().in_file(file.display().to_string()).into()
                    }
                    None => self.unknown(&known).into(),
                })
            }
            several => {
                let roots: Vec<_> = several
                    .iter()
                    .map(|store| format!("`{}` of {}", store.feature, store.root.display()))
                    .collect();
                let problem =
                    usage(format!("`{}` has {} stores", safe(&self.feature), several.len()));
                let help = format!("write the whole id, or `--root FOLDER`: {}", roots.join(", "));
                Err(problem.help(help).into())
            }
        }
    }

    fn unknown(&self, known: &[StoreInfo]) -> Diagnostic {
        let problem = usage(format!("the feature `{}` has no store", safe(&self.feature)));
        let names = known.iter().map(|store| store.feature.rsplit(':').next().unwrap_or_default());
        match nearest(&self.feature, names) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None if known.is_empty() => {
                problem.help("a store is made by the first call that uses it")
            }
            None => problem.help("`peasy store list` shows those that have one"),
        }
    }
}

/// The beginning of a value as JSON.
fn short(value: &str) -> String {
    let shown: String = value.chars().take(SHOWN).collect();
    let rest = if shown.len() < value.len() { "…" } else { "" };
    format!("{}{rest}", safe(&shown))
}

fn parse(text: &str) -> Result<Value, Box<Diagnostic>> {
    serde_json::from_str(text).map_err(|reason| {
        usage(format!("the value is no JSON: {reason}"))
            .help("a text stands in quotes of its own, as in '\"text\"'")
            .into()
    })
}

fn object(file: Option<&std::path::Path>) -> Result<Map<String, Value>, Box<Diagnostic>> {
    let mut text = String::new();
    let read = match file {
        Some(path) => open(path).and_then(|mut file| file.read_to_string(&mut text)),
        None => std::io::stdin().read_to_string(&mut text),
    };
    read.map_err(|reason| usage(format!("the file cannot be read: {reason}")))?;
    serde_json::from_str(&text).map_err(|reason| {
        usage(format!("this is no JSON object: {reason}"))
            .help("`peasy store export` prints one")
            .into()
    })
}

#[expect(clippy::disallowed_methods, reason = "reads the file that the command names")]
fn open(path: &std::path::Path) -> std::io::Result<std::fs::File> {
    std::fs::File::open(path)
}

fn failed(error: StoreError) -> Diagnostic {
    error.diagnostic()
}
