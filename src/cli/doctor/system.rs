//! What the system gives: the program itself, processes, a keyring, watching, the terminal.

use super::super::output::Output;
use super::super::sandbox_process;
use super::{Findings, State};
use crate::config::Folders;
use crate::config::settings::{Isolation, Settings};
use crate::script::runtime::ScriptRuntime;
use crate::secret::{Secrets, Source, keyring_status};
use std::io::IsTerminal;
use std::sync::mpsc;
use std::time::Duration;

/// How long a keyring may take to say whether it is there.
const PATIENCE: Duration = Duration::from_secs(5);

/// Which peasy this is.
pub(super) fn program(all: &mut Findings) {
    let parts = [
        ("http", cfg!(feature = "http")),
        ("keyring", cfg!(feature = "keyring")),
        ("mcp", cfg!(feature = "mcp")),
    ];
    let parts: Vec<_> =
        parts.into_iter().filter(|(_, is_in)| *is_in).map(|(name, _)| name).collect();
    let (version, os, arch) = (all.version, std::env::consts::OS, std::env::consts::ARCH);
    let with = if parts.is_empty() { "nothing more".to_owned() } else { parts.join(", ") };
    all.ok("program", format!("peasy {version} for {os} on {arch}, with {with}"));
    match std::env::current_exe() {
        Ok(path) => all.ok("program", path.display().to_string()),
        Err(reason) => {
            all.add("program", State::Warning, format!("where it lies is not known: {reason}"), &[])
        }
    }
}

/// Looks at what may be missing.
pub(super) fn look(folders: Option<&Folders>, settings: &Settings, all: &mut Findings) {
    isolation(settings, all);
    keyring(folders, all);
    watching(all);
}

fn isolation(settings: &Settings, all: &mut Findings) {
    const AREA: &str = "isolation";
    let chosen = settings.isolation == Isolation::Process;
    let started = ScriptRuntime::new(&settings.limits)
        .and_then(|runtime| sandbox_process::isolated(runtime, Isolation::Process));
    match started {
        Ok(_) if chosen => all.ok(AREA, "calls run in processes of their own, and one was started"),
        Ok(_) => all.ok(AREA, "calls run on threads; processes of their own can be started"),
        Err(reason) => {
            let state = if chosen { State::Problem } else { State::Warning };
            let help = if chosen {
                "take `isolate` out of `config.toml`, or let peasy start processes"
            } else {
                "without `--isolate process` nothing needs it"
            };
            all.add(AREA, state, reason.to_string(), &[help]);
        }
    }
}

fn keyring(folders: Option<&Folders>, all: &mut Findings) {
    const AREA: &str = "keyring";
    let secrets = folders.and_then(|folders| Secrets::new(folders.config.clone()).list().ok());
    let is_needed =
        secrets.unwrap_or_default().iter().any(|(_, source)| *source == Source::Keyring);
    let (tell, heard) = mpsc::channel();
    // A keyring may wait for a person, and nothing ends that: the thread ends with the process.
    let asked = std::thread::Builder::new().spawn(move || _ = tell.send(keyring_status()));
    let status = match asked {
        Ok(_) => {
            heard.recv_timeout(PATIENCE).unwrap_or_else(|_| Err("it does not answer".to_owned()))
        }
        Err(reason) => Err(reason.to_string()),
    };
    match status {
        Ok(()) => all.ok(AREA, "there is one"),
        Err(reason) if is_needed => {
            let help = ["unlock it, or keep the secrets elsewhere: `peasy secret set NAME`"];
            all.add(AREA, State::Problem, format!("secrets lie in it, and {reason}"), &help);
        }
        Err(reason) => {
            all.ok(
                AREA,
                format!(
                    "none ({}); secrets can be kept in files",
                    reason.lines().next().unwrap_or_default()
                ),
            );
        }
    }
}

/// What Linux lets one user watch; each folder of features takes one of them.
#[cfg(target_os = "linux")]
#[expect(clippy::disallowed_methods, reason = "asks the kernel for its limits")]
fn watching(all: &mut Findings) {
    const AREA: &str = "watching";
    let limit = |name: &str| -> Option<u64> {
        let text = std::fs::read_to_string(format!("/proc/sys/fs/inotify/{name}")).ok()?;
        text.trim().parse().ok()
    };
    match (limit("max_user_watches"), limit("max_user_instances")) {
        (Some(folders), Some(programs)) => {
            let text = format!(
                "{folders} folders by {programs} programs at a time, all of yours together"
            );
            let help = [
                "more with `sysctl fs.inotify.max_user_watches=65536 fs.inotify.max_user_instances=512`",
            ];
            let state = if folders < 1_024 || programs < 16 { State::Warning } else { State::Ok };
            all.add(AREA, state, text, if state == State::Ok { &[] } else { &help });
        }
        _ => all.ok(AREA, "the system does not say how much it watches"),
    }
}

#[cfg(not(target_os = "linux"))]
fn watching(all: &mut Findings) {
    all.ok("watching", "the system watches by itself");
}

/// What the terminal shows.
pub(super) fn terminal(output: &Output, all: &mut Findings) {
    let shown = |is_terminal| if is_terminal { "a terminal" } else { "no terminal" };
    let (out, input) = (std::io::stdout().is_terminal(), std::io::stdin().is_terminal());
    let colours = if output.is_coloured() { "colours" } else { "no colours" };
    let questions = if input { "" } else { "; standard input is none, so nobody is asked" };
    all.ok("terminal", format!("standard output is {}, {colours}{questions}", shown(out)));
}
