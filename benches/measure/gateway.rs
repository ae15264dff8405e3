//! A call through `peasy serve --gateway` against the same call to the same server.

#![expect(clippy::disallowed_methods, reason = "starts the programs that it measures")]

use crate::client::Client;
use crate::peers::{self, Peer};
use crate::report::{Report, Target};
use crate::rounds::{Rounds, median_of};
use crate::{Problem, Result};
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

pub const ABOUT: &str = "a call through the gateway, log included, against the same call made to \
                         another instance of the bridged server";

/// The word that makes this program a server that does nothing but answer.
pub const WORD: &str = "mcp-echo";

const FEATURE: &str = include_str!("features/bench.rhai");

const ROUNDS: usize = 25;
/// Calls whose median is one figure.
const CALLS: usize = 100;

const GATEWAY: usize = 0;
const DIRECT: usize = 1;

/// Measures a server of scripts, one that does nothing, and those of others.
pub fn take(report: &mut Report) -> Result<()> {
    let peasy = peasy()?;
    let home = TempDir::new()?;
    let feature = home.path().join("bench.rhai");
    std::fs::write(&feature, FEATURE)?;
    let feature = feature.display().to_string();
    let this = std::env::current_exe()?.display().to_string();
    let text = |bytes: usize| json!({ "text": "word ".repeat(bytes / 5) });
    for (what, command, tool, arguments, target) in [
        (
            "word_count of 20 B",
            vec![peasy, "serve", &feature],
            "word_count",
            text(20),
            Target::AtMost(1.5),
        ),
        (
            "word_count of 10 KB",
            vec![peasy, "serve", &feature],
            "word_count",
            text(10_000),
            Target::AtMost(1.5),
        ),
        (
            "loop of 20,000 steps",
            vec![peasy, "serve", &feature],
            "crunch",
            json!({ "n": 20_000 }),
            Target::AtMost(1.5),
        ),
        ("a server that does nothing", vec![&*this, WORD], "echo", json!({}), Target::None),
    ] {
        let home = home.path().join(format!("home-{}", what.replace(' ', "-")));
        compare(report, &home, what, &command, (tool, &arguments), target)?;
    }
    for Peer { name, command } in Peer::all()? {
        let home = home.path().join(format!("home-{name}"));
        let (what, call) = (format!("{name}, word_count"), ("word_count", &peers::arguments()));
        let command: Vec<_> = command.iter().map(String::as_str).collect();
        compare(report, &home, &what, &command, call, Target::AtMost(1.5))?;
    }
    Ok(())
}

fn peasy() -> Result<&'static str> {
    let program = option_env!("CARGO_BIN_EXE_peasy");
    Ok(program.ok_or("the command is not built without the feature `cli`")?)
}

/// One call through the gateway and to a server, turn by turn.
fn compare(
    report: &mut Report,
    home: &Path,
    what: &str,
    command: &[&str],
    (tool, arguments): (&str, &Value),
    target: Target,
) -> Result<()> {
    settings(home, command)?;
    let mut direct = start(command, home)?;
    let mut gateway = start(&[peasy()?, "serve", "--gateway"], home)?;
    agree(&direct.call(tool, arguments)?.1, &gateway.call(tool, arguments)?.1)?;
    let rounds = Rounds::take(ROUNDS, || {
        let one = |client: &mut Client| {
            median_of(CALLS, || client.call(tool, arguments).map(|(took, _)| took))
        };
        Ok([one(&mut gateway)?, one(&mut direct)?])
    })?;
    report.ratio(what, &rounds, [("gateway", GATEWAY), ("direct", DIRECT)], target);
    Ok(())
}

fn settings(home: &Path, command: &[&str]) -> Result<()> {
    let folder = home.join(".config/peasy");
    std::fs::create_dir_all(&folder)?;
    let (program, args) = command.split_first().ok_or("no command")?;
    let (program, args) = (json!(program), json!(args));
    let text = format!("[mcp.servers.one]\ncommand = {program}\nargs = {args}\n");
    Ok(std::fs::write(folder.join("config.toml"), text)?)
}

/// Both sides must say the same before their times mean anything.
fn agree(direct: &Value, gateway: &Value) -> Result<()> {
    match direct["result"]["content"] == gateway["result"]["content"] && !direct["result"].is_null()
    {
        true => Ok(()),
        false => Err(Problem::from(format!("{direct} on one side, {gateway} on the other"))),
    }
}

fn start(command: &[&str], home: &Path) -> Result<Client> {
    let (program, args) = command.split_first().ok_or("no command")?;
    let mut command = Command::new(program);
    command.args(args).env_clear().env("HOME", home).current_dir(home);
    Client::start(command)
}

/// What this program does as a server that does nothing but answer.
pub fn echo() -> std::io::Result<()> {
    let mut output = std::io::stdout();
    for line in std::io::stdin().lines() {
        let asked: Value = serde_json::from_str(&line?).unwrap_or_default();
        let result = match asked["method"].as_str() {
            Some("initialize") => json!({
                "protocolVersion": "2025-11-25", "capabilities": { "tools": {} },
                "serverInfo": { "name": "echo", "version": "1" },
            }),
            Some("tools/list") => {
                json!({ "tools": [{ "name": "echo", "inputSchema": { "type": "object" } }] })
            }
            Some("tools/call") => json!({ "content": [{ "type": "text", "text": "hello" }] }),
            _ => continue,
        };
        let answer = json!({ "jsonrpc": "2.0", "id": asked["id"], "result": result });
        output.write_all(format!("{answer}\n").as_bytes())?;
        output.flush()?;
    }
    Ok(())
}
