//! The other MCP servers that the settings name. None is started: `peasy mcp servers` does that.

use super::{Findings, State};
use crate::config::Folders;
use crate::config::server::{McpServer, Reach};
use crate::feature::capability::SecretName;
use crate::secret::Secrets;
use std::path::Path;

const AREA: &str = "servers";

/// Looks at what each needs to be started.
pub(super) fn look(servers: &[McpServer], folders: Option<&Folders>, all: &mut Findings) {
    if servers.is_empty() {
        let help = ["name one with `peasy mcp add NAME -- COMMAND`"];
        return all.add(AREA, State::Ok, "no other server is named", &help);
    }
    let kept = folders.and_then(|folders| Secrets::new(folders.config.clone()).list().ok());
    let kept: Vec<_> = kept.unwrap_or_default().into_iter().map(|(name, _)| name).collect();
    for server in servers {
        let place = format!("{}: {}", server.name, server.reach);
        if !server.enabled {
            all.ok(AREA, format!("{place} (switched off)"));
            continue;
        }
        let mut is_well = true;
        if let Reach::Program { command, cwd, .. } = &server.reach
            && !is_found(command, cwd.as_deref())
        {
            is_well = false;
            let help =
                format!("install it, or correct `command` under `[mcp.servers.{}]`", server.name);
            all.add(AREA, State::Problem, format!("{place}: there is no `{command}`"), &[&help]);
        }
        for secret in secrets(&server.reach).filter(|secret| !kept.contains(secret)) {
            is_well = false;
            let help = format!("keep it with `peasy secret set {secret}`");
            let text = format!("{place}: the secret `{secret}` is not there");
            all.add(AREA, State::Problem, text, &[&help]);
        }
        if is_well {
            let help =
                format!("see how it is with `peasy mcp servers {}`, which starts it", server.name);
            all.add(AREA, State::Ok, place, &[&help]);
        }
    }
}

/// The secrets that it is started or asked with.
fn secrets(reach: &Reach) -> impl Iterator<Item = &SecretName> {
    let values = match reach {
        Reach::Program { env: values, .. } | Reach::Http { headers: values, .. } => values,
    };
    values.iter().filter_map(|(_, value)| value.secret.as_ref())
}

/// Whether there is such a program: at its path, or in the search path.
fn is_found(command: &str, folder: Option<&Path>) -> bool {
    let named = Path::new(command);
    if named.components().count() > 1 {
        return folder.map_or_else(|| named.to_owned(), |folder| folder.join(named)).exists();
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let endings: &[&str] = if cfg!(windows) { &["", ".exe", ".cmd", ".bat"] } else { &[""] };
    std::env::split_paths(&folders).any(|folder| {
        endings.iter().any(|ending| folder.join(format!("{command}{ending}")).exists())
    })
}
