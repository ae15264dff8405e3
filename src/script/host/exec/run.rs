//! From what a script says to a program that may be started, and from its end to a map.

use super::group::{Ended, Ending, Group};
use crate::diagnostic::Diagnostic;
use crate::feature::capability::{Capability, CapabilityError, ProgramName};
use crate::feature::transaction::Act;
use crate::script::frame::{self, Native, error, refusal};
use crate::script::host::{require, workspace};
use crate::script::meter;
use crate::script::outside;
use crate::script::value::type_label;
use rhai::{Dynamic, Map};
use serde_json::json;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The operations that starting a program costs.
const COST: u64 = 1_000;

/// Most arguments, and most bytes of all of them.
const MOST_ARGUMENTS: usize = 1_000;
const MAX_ARGUMENTS: usize = 128 * 1024;

/// The bytes of each of its outputs that are kept, and the most that may be asked for.
const KEPT: i64 = 256 * 1024;
const MOST_KEPT: i64 = 4 << 20;

/// The longest that a program may be given, in milliseconds; the call's own bound is as long.
const MOST_TIME: i64 = 600_000;

/// Where programs are looked for if the host has no `PATH`.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Runs a program to its end.
pub(super) fn run(program: &str, arguments: &[Dynamic], options: &Map) -> Native<Map> {
    meter::charge(COST)?;
    // As much of it as a message shows: what is longer is no program either.
    let shown: String = program.chars().take(80).collect();
    let name: ProgramName = shown.parse().map_err(|reason: CapabilityError| {
        refusal(Diagnostic::caller("exec/program", reason.to_string()))
    })?;
    frame::with(|frame| require(frame, &Capability::Exec(name.clone())))?;
    let arguments = texts(arguments)?;
    let options = Options::read(options)?;
    let asked = || {
        let timeout = options.timeout.map(|timeout| timeout.as_millis() as u64);
        json!([program, arguments, options.input, timeout, options.most])
    };
    outside::from("exec::run", asked, || start(program, &name, &arguments, &options))
}

fn start(
    program: &str,
    name: &ProgramName,
    arguments: &[String],
    options: &Options,
) -> Native<Map> {
    let workspace = workspace()?;
    let folders = folders(Path::new(&workspace));
    let file = find(name, &folders)?;
    let record = Act::Exec { program: program.to_owned(), arguments: arguments.to_vec() };
    let mut command = command(&file, arguments, Path::new(&workspace), &folders);
    command.stdin(if options.input.is_some() { Stdio::piped() } else { Stdio::null() });
    // What comes out is held as bytes and, for a moment, as text that may be three times as long.
    meter::reserve(options.most.saturating_mul(4))?;
    // The log is longer by them for good.
    meter::charge(arguments.iter().map(|argument| argument.len() as u64).sum())?;
    frame::act(&record)?;
    let group = Group::start(&mut command).map_err(|reason| {
        let message = format!("`{program}` cannot be started: {reason}");
        refusal(Diagnostic::operator("exec/failed", message))
    })?;
    let until = options.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let input = options.input.as_deref().unwrap_or_default();
    let ended = group.finish(input.as_bytes(), options.most, until)?;
    result(program, ended)
}

/// The arguments as texts: numbers are written out, everything else has to be text.
fn texts(arguments: &[Dynamic]) -> Native<Vec<String>> {
    if arguments.len() > MOST_ARGUMENTS {
        return Err(too_many());
    }
    let mut bytes = 0;
    let mut texts = Vec::with_capacity(arguments.len());
    for argument in arguments {
        meter::charge(1)?;
        let text = if argument.is_string() || argument.is_int() || argument.is_char() {
            argument.to_string()
        } else {
            let kind = type_label(argument);
            return Err(error(format!("an argument of a program is text, not {kind}")));
        };
        bytes += text.len() + 1;
        if bytes > MAX_ARGUMENTS {
            return Err(too_many());
        }
        if text.contains('\0') {
            let message = "an argument of a program cannot hold the character 0";
            return Err(refusal(Diagnostic::caller("exec/arguments", message)));
        }
        texts.push(text);
    }
    Ok(texts)
}

fn too_many() -> Box<rhai::EvalAltResult> {
    let message = "a program takes at most 1,000 arguments of 128 KiB in all";
    refusal(
        Diagnostic::caller("exec/arguments", message)
            .help("give it what is long as `#{ input: text }`"),
    )
}

struct Options {
    input: Option<String>,
    timeout: Option<Duration>,
    most: usize,
}

impl Options {
    fn read(options: &Map) -> Native<Self> {
        let mut read = Self { input: None, timeout: None, most: 0 };
        read.most = usize::try_from(KEPT).unwrap_or_default();
        let number = |name: &str, value: &Dynamic, most: i64| {
            let number = value.as_int().ok().filter(|number| (1..=most).contains(number));
            number
                .and_then(|number| u64::try_from(number).ok())
                .ok_or_else(|| error(format!("`{name}` is a whole number from 1 to {most}")))
        };
        for (name, value) in options {
            match name.as_str() {
                "input" => {
                    let text = value.clone().into_immutable_string();
                    let text =
                        text.map_err(|kind| error(format!("`input` is text, not {kind}")))?;
                    meter::reserve(text.len())?;
                    read.input = Some(text.to_string());
                }
                "timeout" => {
                    let milliseconds = number(name, value, MOST_TIME)?;
                    read.timeout = Some(Duration::from_millis(milliseconds));
                }
                "most" => {
                    read.most =
                        usize::try_from(number(name, value, MOST_KEPT)?).unwrap_or_default();
                }
                _ => {
                    return Err(error(format!(
                        "`{name}` is no option of `exec::run`; there are `input`, `timeout` and `most`"
                    )));
                }
            }
        }
        Ok(read)
    }
}

/// The folders that programs are found in: those of the host's `PATH` that are absolute and not in
/// the workspace, so that what a feature writes is not what it runs.
fn folders(workspace: &Path) -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| OsString::from(PATH));
    let is_of_host = |folder: &PathBuf| {
        let real = folder.canonicalize();
        folder.is_absolute() && real.is_ok_and(|real| !real.starts_with(workspace))
    };
    std::env::split_paths(&path).filter(is_of_host).collect()
}

fn find(name: &ProgramName, folders: &[PathBuf]) -> Native<PathBuf> {
    let is_program = |file: &PathBuf| {
        file.metadata()
            .is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
    };
    for folder in folders {
        meter::charge(20)?;
        let file = folder.join(name.as_str());
        if is_program(&file) {
            return Ok(file);
        }
    }
    let message = format!("there is no program `{name}` on this host");
    Err(refusal(
        Diagnostic::operator("exec/not-found", message)
            .help("programs are found in the absolute folders of `PATH` outside of the workspace"),
    ))
}

#[expect(clippy::disallowed_methods, reason = "the one place that starts programs, once granted")]
fn command(file: &Path, arguments: &[String], workspace: &Path, folders: &[PathBuf]) -> Command {
    let mut command = Command::new(file);
    let home = std::env::var_os("HOME").unwrap_or_else(|| OsString::from("/"));
    // Each folder came out of such a list, so none holds its separator.
    let path = std::env::join_paths(folders).unwrap_or_else(|_| OsString::from(PATH));
    command
        .args(arguments)
        .current_dir(workspace)
        .env_clear()
        .envs([("PATH", path), ("HOME", home), ("LANG", "C.UTF-8".into()), ("TERM", "dumb".into())])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    command
}

fn result(program: &str, ended: Ended) -> Native<Map> {
    let status = match ended.ending {
        Ending::Exited(code) => code,
        // As shells say it.
        Ending::Killed(signal) => 128 + signal,
        Ending::Stopped => {
            let message = format!("`{program}` stopped to wait for a terminal, and there is none");
            return Err(refusal(
                Diagnostic::caller("exec/stopped", message)
                    .help("let it ask nothing, as with `--batch` or `--yes`, or give it `input`"),
            ));
        }
    };
    let text = |bytes: Vec<u8>| -> Native<Dynamic> {
        meter::charge_bytes(bytes.len())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned().into())
    };
    Ok(Map::from([
        ("status".into(), Dynamic::from_int(i64::from(status))),
        ("stdout".into(), text(ended.stdout)?),
        ("stderr".into(), text(ended.stderr)?),
        ("cut".into(), ended.is_cut.into()),
        ("timed_out".into(), ended.has_timed_out.into()),
    ]))
}
