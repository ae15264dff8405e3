//! The user's folders, and what peasy keeps in them.

#![allow(clippy::disallowed_methods, reason = "looks at the user's own folders")]

use super::{Findings, State};
use crate::config::policy::Policy;
use crate::config::settings::Settings;
use crate::config::{Folders, policy, settings};
use crate::pod::session::verify;
use crate::pod::{sessions_folder, stores_folder};
use crate::secret::Secrets;
use crate::store::Stores;
use std::path::Path;

/// The largest log that is read to its end.
const MOST_LOG: u64 = 64 << 20;

/// Most sessions whose logs are looked at.
const MOST_SESSIONS: usize = 20;

/// Looks, and gives the settings; the defaults, where they cannot be read.
pub(super) fn look(folders: Option<&Folders>, all: &mut Findings) -> Settings {
    let Some(folders) = folders else {
        let help = ["set `HOME`, or `PEASY_HOME`, to an absolute path"];
        let text = "the environment names no folder for what has to last";
        all.add("folders", State::Problem, text, &help);
        return Settings::default();
    };
    let (config, state) = (Some(&folders.config), Some(&folders.state));
    let places = [("configuration", config), ("state", state), ("cache", folders.cache.as_ref())];
    for (what, path) in places {
        if let Some(path) = path {
            folder(what, path, all);
        }
    }
    let settings = configuration(folders, all);
    stores(folders, &settings, all);
    sessions(folders, all);
    settings
}

fn folder(what: &str, path: &Path, all: &mut Findings) {
    const AREA: &str = "folders";
    let place = format!("{what}: {}", path.display());
    match path.metadata() {
        Ok(kind) if !kind.is_dir() => {
            let help = ["move what stands there away; peasy makes the folder by itself"];
            all.add(AREA, State::Problem, format!("{place} is no folder"), &help);
        }
        Ok(kind) => {
            if rights(&place, path, &kind, all) {
                all.ok(AREA, place);
            }
        }
        Err(reason) if reason.kind() == std::io::ErrorKind::NotFound => {
            let above = path.ancestors().skip(1).find(|above| above.exists());
            match above {
                Some(above) if !is_writable(above) => {
                    let text = format!(
                        "{place} cannot be made: `{}` is not yours to write to",
                        above.display()
                    );
                    let help = ["name another with `PEASY_HOME`"];
                    all.add(AREA, State::Problem, text, &help);
                }
                _ => all.ok(AREA, format!("{place} (made when it is needed)")),
            }
        }
        Err(reason) => {
            let help = ["check who owns it and the folders above"];
            all.add(AREA, State::Problem, format!("{place} cannot be looked at: {reason}"), &help);
        }
    }
}

/// Whether the folder is the user's alone to write to, can be written to, and has room; says so where not.
#[cfg(unix)]
fn rights(place: &str, path: &Path, kind: &std::fs::Metadata, all: &mut Findings) -> bool {
    use std::os::unix::fs::MetadataExt;
    const AREA: &str = "folders";
    let mut is_well = true;
    let mut add = |state, text: String, help: &[&str]| {
        is_well = false;
        all.add(AREA, state, text, help);
    };
    let shown = crate::diagnostic::shell_word(&path.display().to_string());
    let mend = format!("chmod go-w {shown}");
    if kind.uid() != rustix::process::geteuid().as_raw() {
        add(
            State::Problem,
            format!("{place} belongs to another user"),
            &[
                "what lies there decides what features may do: own it, or name another with `PEASY_HOME`",
            ],
        );
    } else if kind.mode() & 0o022 != 0 {
        add(State::Problem, format!("{place} may be written to by others"), &[&mend]);
    }
    if !is_writable(path) {
        add(
            State::Problem,
            format!("{place} cannot be written to"),
            &["check its rights, and whether the disk is mounted for reading alone"],
        );
    }
    if let Ok(disk) = rustix::fs::statvfs(path) {
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        let text = format!("{place} has {} MiB left on its disk", free >> 20);
        let help = ["a call that cannot be recorded is not answered: make room"];
        if free < 16 << 20 {
            add(State::Problem, text, &help);
        } else if free < 256 << 20 {
            add(State::Warning, text, &help);
        }
    }
    is_well
}

#[cfg(not(unix))]
fn rights(_: &str, _: &Path, _: &std::fs::Metadata, _: &mut Findings) -> bool {
    true
}

#[cfg(unix)]
fn is_writable(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok()
}

#[cfg(not(unix))]
fn is_writable(_: &Path) -> bool {
    true
}

fn configuration(folders: &Folders, all: &mut Findings) -> Settings {
    const AREA: &str = "settings";
    let there =
        |file: &str| if folders.config.join(file).exists() { "" } else { " (none; defaults hold)" };
    let settings = match Settings::load(&folders.config) {
        Ok(settings) => {
            all.ok(AREA, format!("{}{}", settings::FILE, there(settings::FILE)));
            settings
        }
        Err(error) => {
            all.tell(AREA, &error.diagnostic());
            Settings::default()
        }
    };
    match Policy::load(&folders.config) {
        Ok(read) => {
            let grants = super::count(read.grants().count(), "grant");
            all.ok(AREA, format!("{}: {grants}{}", policy::FILE, there(policy::FILE)));
        }
        Err(error) => all.tell(AREA, &error.diagnostic()),
    }
    match Secrets::new(folders.config.clone()).list() {
        Ok(secrets) => all.ok(AREA, super::count(secrets.len(), "secret")),
        Err(error) => all.tell(AREA, &error.diagnostic()),
    }
    settings
}

fn stores(folders: &Folders, settings: &Settings, all: &mut Findings) {
    const AREA: &str = "stores";
    match Stores::new(stores_folder(&folders.state), settings.durability).list() {
        Err(error) => all.tell(AREA, &error.diagnostic()),
        Ok(stores) => {
            let (mut number, mut bytes) = (0, 0);
            for store in stores {
                match store {
                    Ok(store) => (number, bytes) = (number + 1, bytes + store.bytes),
                    Err((file, error)) => {
                        let mut problem = error.diagnostic();
                        problem.message = format!("{}: {}", file.display(), problem.message);
                        all.tell(AREA, &problem);
                    }
                }
            }
            all.ok(
                AREA,
                format!(
                    "{} with {} KiB",
                    super::count(number, "readable store"),
                    bytes.div_ceil(1 << 10)
                ),
            );
        }
    }
}

fn sessions(folders: &Folders, all: &mut Findings) {
    const AREA: &str = "log";
    let Ok(entries) = std::fs::read_dir(sessions_folder(&folders.state)) else {
        return all.ok(AREA, "no session yet");
    };
    let mut sessions: Vec<_> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect();
    sessions.sort();
    for session in sessions.iter().take(MOST_SESSIONS) {
        let name = session.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let size = std::fs::read_dir(session).into_iter().flatten().filter_map(|entry| {
            let about = entry.ok()?.metadata().ok()?;
            about.is_file().then_some(about.len())
        });
        let size: u64 = size.sum();
        let whole = format!("peasy log verify --session {}", crate::diagnostic::shell_word(&name));
        if size > MOST_LOG {
            let text = format!("session `{name}`: {} MiB, too large to read here", size >> 20);
            all.add(AREA, State::Ok, text, &[&format!("check it with `{whole}`")]);
            continue;
        }
        match verify(session, None, &mut |_| ()) {
            Ok(found) if found.is_sound() => {
                all.ok(
                    AREA,
                    format!("session `{name}`: {}, whole", super::count(found.lines, "line")),
                );
            }
            Ok(found) => {
                let first = found.findings.first().map_or("", |finding| &finding.problem);
                let number = super::count(found.findings.len(), "thing");
                let text = format!("session `{name}`: {number} wrong; first: {first}");
                all.add(AREA, State::Problem, text, &[&format!("see all of it with `{whole}`")]);
            }
            Err(error) => all.tell(AREA, &error.diagnostic()),
        }
    }
    if sessions.len() > MOST_SESSIONS {
        all.ok(
            AREA,
            format!("{} sessions more were not looked at", sessions.len() - MOST_SESSIONS),
        );
    }
}
