//! A client of an MCP server over pipes, in the era with a handshake.

use crate::Result;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// The version that is spoken.
pub const VERSION: &str = "2025-11-25";

/// A server and both ends of its pipes.
pub struct Client {
    child: Child,
    lines: BufReader<ChildStdout>,
    id: u64,
}

/// What a client says of itself at first.
pub fn handshake() -> Value {
    json!({
        "protocolVersion": VERSION, "capabilities": {},
        "clientInfo": { "name": "measure", "version": "1" },
    })
}

/// A request as it stands in a line.
pub fn request(id: u64, method: &str, parameters: &Value) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{parameters}}}"#)
}

/// Whether a line is the answer to a request. The text is parsed when the clock has stopped.
fn is_answer(line: &str, id: u64) -> bool {
    let at = |text: String| {
        let rest = line.split_once(&text).map(|(_, rest)| rest);
        rest.is_some_and(|rest| rest.starts_with([',', '}']))
    };
    at(format!("\"id\":{id}")) || at(format!("\"id\": {id}"))
}

impl Client {
    /// Starts a server and comes together with it.
    pub fn start(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let lines = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        let mut client = Self { child, lines, id: 0 };
        client.ask("initialize", &handshake())?;
        client.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)?;
        Ok(client)
    }

    fn say(&mut self, line: &str) -> Result<()> {
        let input = self.child.stdin.as_mut().ok_or("no standard input")?;
        Ok(input.write_all(format!("{line}\n").as_bytes())?)
    }

    /// The line that answers a request.
    pub fn ask(&mut self, method: &str, parameters: &Value) -> Result<String> {
        self.id += 1;
        let id = self.id;
        self.say(&request(id, method, parameters))?;
        loop {
            let line = self.line()?;
            if is_answer(&line, id) {
                return Ok(line);
            }
        }
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        match self.lines.read_line(&mut line)? {
            0 => Err("the server ended".into()),
            _ => Ok(line),
        }
    }

    /// A call, how long it took, and what came of it.
    pub fn call(&mut self, tool: &str, arguments: &Value) -> Result<(Duration, Value)> {
        let parameters = json!({ "name": tool, "arguments": arguments });
        let begun = Instant::now();
        let line = self.ask("tools/call", &parameters)?;
        Ok((begun.elapsed(), serde_json::from_str(&line)?))
    }

    /// How long `count` calls take, of which so many are always under way.
    pub fn pipelined(
        &mut self,
        tool: &str,
        arguments: &Value,
        count: u64,
        under_way: u64,
    ) -> Result<Duration> {
        let parameters = json!({ "name": tool, "arguments": arguments }).to_string();
        let lines = |ids: std::ops::Range<u64>| -> String {
            let line = |id| {
                format!(
                    "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{parameters}}}\n"
                )
            };
            ids.map(line).collect()
        };
        let (first, begun) = (self.id + 1, Instant::now());
        self.id += count;
        let mut sent = under_way.min(count);
        self.say(lines(first..first + sent).trim_end())?;
        for answered in 1..=count {
            // Whatever order the answers have, each makes room for another call.
            while !self.line()?.contains("\"result\"") {}
            if sent < count && answered % (under_way / 4).max(1) == 0 {
                let more = (under_way / 4).max(1).min(count - sent);
                self.say(lines(first + sent..first + sent + more).trim_end())?;
                sent += more;
            }
        }
        Ok(begun.elapsed())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It ends with its input.
        let _ = self.child.wait();
    }
}
