//! `peasy serve` as a client starts it, over a folder with many features.

#![expect(clippy::disallowed_methods, reason = "starts the program that it measures")]

use crate::Result;
use crate::client::handshake;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A feature of thirty lines with a tool; INDEX and FACTOR make it one of many.
const TEMPLATE: &str = include_str!("features/load.rhai");

/// The text of one feature, with names and figures of its own.
pub fn feature(index: usize) -> String {
    TEMPLATE
        .replace("INDEX", &format!("{index:04}"))
        .replace("FACTOR", &(index % 97 + 2).to_string())
}

/// A user of peasy, with folders of features.
pub struct User {
    program: &'static str,
    home: TempDir,
}

/// A server that has listed its tools.
pub struct Server {
    child: Child,
    /// From before it was started to the answer with all of its tools.
    pub took: Duration,
}

impl User {
    /// A user who has never used peasy.
    pub fn new() -> Result<Self> {
        let program = option_env!("CARGO_BIN_EXE_peasy");
        let program = program.ok_or("the command is not built without the feature `cli`")?;
        Ok(Self { program, home: TempDir::new()? })
    }

    /// A folder of `count` features.
    pub fn folder(&self, count: usize) -> Result<PathBuf> {
        let folder = self.home.path().join(format!("features-{count}"));
        std::fs::create_dir(&folder)?;
        for index in 0..count {
            std::fs::write(folder.join(format!("order-{index:04}.rhai")), feature(index))?;
        }
        Ok(folder)
    }

    /// Takes away what was kept of reading.
    pub fn forget(&self) -> Result<()> {
        let cache = self.home.path().join(".cache");
        if cache.exists() {
            std::fs::remove_dir_all(cache)?;
        }
        Ok(())
    }

    /// What starts a server over a folder.
    pub fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(self.program);
        command.arg("serve").arg(folder).env_clear().env("HOME", self.home.path());
        command
    }

    /// Starts a server over a folder and waits until it has listed `count` tools.
    pub fn serve(&self, folder: &Path, count: usize) -> Result<Server> {
        let mut command = self.command(folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let begun = Instant::now();
        let mut child = command.spawn()?;
        let handshake = handshake();
        let lines = [
            json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": handshake }),
            json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
            json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {} }),
        ];
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        child.stdin.as_mut().ok_or("no standard input")?.write_all(text.as_bytes())?;
        let mut answers = BufReader::new(child.stdout.as_mut().ok_or("no standard output")?);
        let mut answer = String::new();
        let took = loop {
            answer.clear();
            if answers.read_line(&mut answer)? == 0 {
                return Err("the server ended before it listed its tools".into());
            }
            // Notifications have no id; the text is parsed when the clock has stopped.
            if answer.contains("\"id\":1") {
                break begun.elapsed();
            }
        };
        let answer: Value = serde_json::from_str(&answer)?;
        let tools = answer["result"]["tools"].as_array().map_or(0, Vec::len);
        if tools != count {
            return Err(format!("{tools} tools were listed").into());
        }
        Ok(Server { child, took })
    }
}

impl Server {
    /// Its resident bytes, once it has come to rest.
    pub fn resident(&self) -> Result<u64> {
        let mut before = u64::MAX;
        loop {
            let now = crate::machine::resident_of(&self.child.id().to_string())?;
            if now == before {
                return Ok(now);
            }
            before = now;
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// Closes its input and waits for its end.
    pub fn end(mut self) -> Result<()> {
        drop(self.child.stdin.take());
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that ended by itself is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
