//! From saving a feature to its tool being listed as it is now, while calls of it are under way.

#![expect(clippy::disallowed_methods, reason = "starts the programs that it measures")]

use crate::Result;
use crate::client::{VERSION, handshake, request};
use crate::report::{Report, Target, time};
use crate::rounds::{Spread, micros};
use crate::server::User;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

pub const ABOUT: &str = "from saving a feature to its tool being listed as it is now, with a call of \
                         it always under way, in both eras; PEASY_RELOAD_PEER names a peer";

/// `COMMAND WORD…`, with FILE where the file of a Python server goes.
const VARIABLE: &str = "PEASY_RELOAD_PEER";

/// A feature and a server in Python, with N for the number of the save.
const FEATURE: &str = "/// Version N.\n/// @tool\nfn version() { N }\n";
const PEER: &str = include_str!("../peers/version.py");

const SAVES: usize = 200;
const PEER_SAVES: usize = 8;

/// How long a client waits before it lists again, and before it gives an answer up.
const PAUSE: Duration = Duration::from_millis(1);
const LOST: Duration = Duration::from_secs(1);
/// How long a save may take to be visible at all.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a broken save is watched.
const BROKEN: Duration = Duration::from_millis(500);
/// What a user leaves between two saves. The peer misses a save that comes while it starts again.
const BETWEEN: Duration = Duration::from_millis(30);
const PEER_BETWEEN: Duration = Duration::from_millis(1_500);

/// What the peer's median is multiplied with.
const SHARE: f64 = 0.05;

/// Measures peasy in both eras, and the peer where there is one.
pub fn take(report: &mut Report) -> Result<()> {
    let peer = peer()?;
    let target = peer.as_ref().map_or(Target::None, |peer| Target::Within(peer.median() * SHARE));
    for era in [Era::Handshake, Era::Stateless] {
        let user = User::new()?;
        let folder = user.folder(0)?;
        let file = folder.join("version.rhai");
        let seen = watch(user.command(&folder), file, FEATURE, era, (SAVES, BETWEEN))?;
        let what = format!("{era:?}: a save to its tool being listed");
        let beside = format!(
            "{} saves, {} requests, {} lost, {} refused, tools {}",
            seen.times.len(),
            seen.asked,
            seen.lost,
            seen.refused,
            if seen.is_kept { "kept on a broken save" } else { "LOST on a broken save" }
        );
        report.time(&what, Spread::of(seen.times), &beside, target);
    }
    match peer {
        None => report.note(&format!("{VARIABLE} names no peer; `benches/peers/run` does")),
        Some(peer) => {
            let shown = Spread::of(peer.times.clone());
            let beside = format!(
                "{} saves, {} lost, {} refused, tools {}",
                peer.times.len(),
                peer.lost,
                peer.refused,
                if peer.is_kept { "kept on a broken save" } else { "lost on a broken save" }
            );
            report.time("the peer: the same", shown, &beside, Target::None);
            report
                .note(&format!("{SHARE} of the peer's median is {}", time(peer.median() * SHARE)));
        }
    }
    Ok(())
}

/// How a client and a server agree on a version.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Era {
    Handshake,
    Stateless,
}

/// What a client saw over some saves.
struct Seen {
    /// From each save to the list with it, in microseconds.
    times: Vec<f64>,
    asked: u64,
    /// Requests without an answer, and those with an error.
    lost: u64,
    refused: u64,
    /// Whether a tool could be called while the file was broken.
    is_kept: bool,
}

impl Seen {
    fn median(&self) -> f64 {
        Spread::of(self.times.clone()).median
    }
}

fn peer() -> Result<Option<Seen>> {
    let Ok(named) = std::env::var(VARIABLE) else { return Ok(None) };
    let folder = tempfile::TempDir::new()?;
    let file = folder.path().join("version.py");
    let words: Vec<_> = named
        .split_whitespace()
        .map(|word| word.replace("FILE", &file.display().to_string()))
        .collect();
    let (program, words) = words.split_first().ok_or("the peer has no command")?;
    let mut command = Command::new(program);
    command.args(words).current_dir(folder.path());
    watch(command, file, PEER, Era::Handshake, (PEER_SAVES, PEER_BETWEEN)).map(Some)
}

fn save(file: &Path, text: &str) -> Result<()> {
    // As most editors do: beside it, then in its place.
    let draft = file.with_extension("draft");
    fs::write(&draft, text)?;
    Ok(fs::rename(draft, file)?)
}

/// Saves some versions of a file, with a pause before each, and watches what a client of its server sees.
fn watch(
    command: Command,
    file: PathBuf,
    text: &str,
    era: Era,
    (saves, pause): (usize, Duration),
) -> Result<Seen> {
    let version = |number: usize| text.replace('N', &number.to_string());
    save(&file, &version(0))?;
    let mut session = Session::start(command, era)?;
    session.until("Version 0.", &Instant::now())?;
    let mut times = Vec::new();
    for number in 1..=saves {
        std::thread::sleep(pause);
        let begun = Instant::now();
        save(&file, &version(number))?;
        times.push(micros(session.until(&format!("Version {number}."), &begun)?));
    }
    save(&file, "fn ((( def\n")?;
    let begun = Instant::now();
    let mut is_kept = true;
    while begun.elapsed() < BROKEN {
        is_kept &= session.lists(&format!("Version {saves}."))?;
        std::thread::sleep(PAUSE);
    }
    save(&file, &version(saves + 1))?;
    session.until(&format!("Version {}.", saves + 1), &Instant::now())?;
    session.rest();
    let Session { asked, lost, refused, .. } = session;
    Ok(Seen { times, asked, lost, refused, is_kept })
}

/// A client with a call always under way.
struct Session {
    child: Child,
    lines: Receiver<String>,
    era: Era,
    id: u64,
    /// The call that is under way, and since when.
    call: Option<(u64, Instant)>,
    asked: u64,
    lost: u64,
    refused: u64,
}

impl Session {
    fn start(mut command: Command, era: Era) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let output = child.stdout.take().ok_or("no standard output")?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(std::result::Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let (id, call, asked, lost, refused) = Default::default();
        let mut session = Self { child, lines, era, id, call, asked, lost, refused };
        session.shake_hands()?;
        Ok(session)
    }

    fn shake_hands(&mut self) -> Result<()> {
        if self.era == Era::Handshake {
            let id = self.send("initialize", handshake())?;
            self.answer(id, PATIENCE)?;
            self.write(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)?;
        }
        Ok(())
    }

    fn write(&mut self, line: &str) -> Result<()> {
        let input = self.child.stdin.as_mut().ok_or("no standard input")?;
        Ok(input.write_all(format!("{line}\n").as_bytes())?)
    }

    fn send(&mut self, method: &str, mut parameters: Value) -> Result<u64> {
        if self.era == Era::Stateless {
            parameters["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": { "name": "measure", "version": VERSION },
                "io.modelcontextprotocol/clientCapabilities": {},
            });
        }
        self.id += 1;
        self.asked += 1;
        self.write(&request(self.id, method, &parameters))?;
        Ok(self.id)
    }

    /// The answer to a request; whatever comes before it is counted. `None` where there is none.
    fn answer(&mut self, id: u64, patience: Duration) -> Result<Option<Value>> {
        let until = Instant::now() + patience;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                if left.is_zero() || self.child.try_wait()?.is_none() {
                    self.lost += 1;
                    return Ok(None);
                }
                return Err("the server ended".into());
            };
            let answer: Value = serde_json::from_str(&line)?;
            if answer["method"].is_string() {
                continue;
            }
            let result = &answer["result"];
            let is_refused = result.is_null() || result["isError"] == true;
            self.refused += u64::from(is_refused);
            if answer["id"] == json!(id) {
                return Ok(Some(answer));
            }
            self.call = self.call.filter(|(call, _)| answer["id"] != json!(call));
        }
    }

    /// Whether the tool is listed with those words. A call is under way all the time.
    fn lists(&mut self, words: &str) -> Result<bool> {
        if self.call.is_some_and(|(_, since)| since.elapsed() > LOST) {
            self.lost += 1;
            self.call = None;
        }
        if self.call.is_none() {
            let call = self.send("tools/call", json!({ "name": "version", "arguments": {} }))?;
            self.call = Some((call, Instant::now()));
        }
        let id = self.send("tools/list", json!({}))?;
        let answer = self.answer(id, LOST)?;
        if answer.as_ref().is_some_and(|answer| answer["error"].is_object()) {
            // A peer that was started again knows nothing of the session. No client would do this for it.
            self.call = None;
            self.shake_hands()?;
        }
        Ok(answer.is_some_and(|answer| answer["result"]["tools"].to_string().contains(words)))
    }

    /// Lists until the words are there; how long that took.
    fn until(&mut self, words: &str, begun: &Instant) -> Result<Duration> {
        while !self.lists(words)? {
            if begun.elapsed() > PATIENCE {
                return Err(format!("`{words}` is never listed").into());
            }
            std::thread::sleep(PAUSE);
        }
        Ok(begun.elapsed())
    }

    /// Waits for the call that is under way.
    fn rest(&mut self) {
        if let Some((call, _)) = self.call.take() {
            let _ = self.answer(call, LOST);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let begun = Instant::now();
        while self.child.try_wait().is_ok_and(|ended| ended.is_none()) && begun.elapsed() < LOST {
            std::thread::sleep(PAUSE);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
