//! `peasy serve` and servers that others wrote, with the same two tools.

#![expect(clippy::disallowed_methods, reason = "starts the programs that it measures")]

use crate::Result;
use crate::client::{Client, VERSION, handshake, request};
use crate::report::{Report, Target};
use crate::rounds::{Rounds, median_of, micros};
use crate::server::User;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub const ABOUT: &str = "peasy serve with 20 features, its log on (`group`), against servers of others \
                         with the same two tools: PEASY_PEERS names them";

/// Where the peers are named: `NAME=COMMAND WORD…`, with `;` between two of them.
const VARIABLE: &str = "PEASY_PEERS";

const TOOLS: &str = include_str!("features/peers.rhai");

/// Features beside the one that is called.
const OTHERS: usize = 19;

const ROUNDS: usize = 9;
/// Calls one after another, whose median is one figure.
const CALLS: usize = 500;
/// Calls that are sent without waiting, and how many of them are under way.
const MANY: u64 = 4_000;
const UNDER_WAY: u64 = 64;
/// Connections over HTTP, and calls on each of them.
const CONNECTIONS: usize = 16;
const CALLS_EACH: usize = 100;

/// How long a server may take to listen.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server that others wrote.
pub struct Peer {
    pub name: String,
    /// The program and its words, which make it serve over pipes.
    pub command: Vec<String>,
}

/// What peasy should be beside a peer.
struct Targets {
    start: Target,
    sequential: Target,
    pipelined: Target,
    http_sequential: Target,
    http_many: Target,
}

impl Peer {
    /// Those that the environment names.
    pub fn all() -> Result<Vec<Self>> {
        let named = std::env::var(VARIABLE).unwrap_or_default();
        let peers = named.split(';').map(str::trim).filter(|peer| !peer.is_empty());
        let peer = |peer: &str| {
            let (name, command) = peer.split_once('=').ok_or("write NAME=COMMAND")?;
            let command = command.split_whitespace().map(str::to_owned).collect();
            Ok(Self { name: name.to_owned(), command })
        };
        peers.map(peer).collect()
    }

    fn targets(&self) -> Targets {
        let (start, sequential, pipelined) = match self.name.as_str() {
            "rmcp" => (Target::AtMost(4.0), Target::AtMost(1.5), Target::AtMost(1.0)),
            _ => (Target::None, Target::None, Target::None),
        };
        let (http_sequential, http_many) = match self.name.as_str() {
            "typescript" => (Target::None, Target::AtMost(0.1)),
            "fastmcp" => (Target::AtMost(0.15), Target::AtMost(1.0 / 30.0)),
            _ => (Target::None, Target::None),
        };
        Targets { start, sequential, pipelined, http_sequential, http_many }
    }

    fn command(&self, http: Option<u16>) -> Result<Command> {
        let (program, words) = self.command.split_first().ok_or("a peer has no command")?;
        let mut command = Command::new(program);
        command.args(words);
        if let Some(port) = http {
            command.args(["http", &port.to_string()]);
        }
        Ok(command)
    }
}

/// Measures against each.
pub fn take(report: &mut Report) -> Result<()> {
    let peers = Peer::all()?;
    if peers.is_empty() {
        report.note(&format!(
            "{VARIABLE} names none; `benches/peers/run` builds some and names them"
        ));
    }
    let user = User::new()?;
    let folder = user.folder(OTHERS)?;
    std::fs::write(folder.join("peers.rhai"), TOOLS)?;
    for peer in peers {
        over_pipes(report, &user, &folder, &peer)?;
        over_http(report, &user, &folder, &peer)?;
    }
    Ok(())
}

/// What `word_count` is asked.
pub fn arguments() -> Value {
    json!({ "text": "to be or not to be", "unique": true })
}

fn over_pipes(report: &mut Report, user: &User, folder: &Path, peer: &Peer) -> Result<()> {
    let one = |command: Command| -> Result<[f64; 3]> {
        let begun = Instant::now();
        let mut client = Client::start(command)?;
        let listed = client.ask("tools/list", &json!({}))?;
        let start = micros(begun.elapsed());
        if !listed.contains("word_count") {
            return Err(format!("it lists no `word_count`: {listed}").into());
        }
        let (_, answer) = client.call("word_count", &arguments())?;
        check(&answer)?;
        median_of(CALLS / 2, || client.call("word_count", &arguments()).map(|(took, _)| took))?;
        let sequential =
            median_of(CALLS, || client.call("word_count", &arguments()).map(|(took, _)| took))?;
        let many = client.pipelined("word_count", &arguments(), MANY, UNDER_WAY)?;
        Ok([start, sequential, micros(many) / MANY as f64])
    };
    let rounds = Rounds::take(ROUNDS, || {
        let [a, b, c] = one(user.command(folder))?;
        let [d, e, f] = one(peer.command(None)?)?;
        Ok([a, b, c, d, e, f])
    })?;
    let Targets { start, sequential, pipelined, .. } = peer.targets();
    for (index, what, target) in [
        (0, "start to list of tools", start),
        (1, "a call after another", sequential),
        (2, "time of a call of 64 under way", pipelined),
    ] {
        let what = format!("{}, pipes: {what}", peer.name);
        report.ratio(&what, &rounds, [("peasy", index), ("peer", index + 3)], target);
    }
    Ok(())
}

/// Both sides must say the same before their times mean anything.
fn check(answer: &Value) -> Result<()> {
    let structured = &answer["result"]["structuredContent"];
    match (structured["words"].as_u64(), structured["chars"].as_u64()) {
        (Some(4), Some(18)) => Ok(()),
        _ => Err(format!("it counts otherwise: {answer}").into()),
    }
}

fn over_http(report: &mut Report, user: &User, folder: &Path, peer: &Peer) -> Result<()> {
    let port = free_port()?;
    let mut command = user.command(folder);
    command.args(["--http", &port.to_string()]);
    let peasy = Listening::start(command, port)?;
    let port = free_port()?;
    let other = Listening::start(peer.command(Some(port))?, port)?;
    let one = |server: &Listening| -> Result<[f64; 2]> {
        let mut wire = Wire::open(server.address)?;
        check(&wire.call()?.1)?;
        let sequential = median_of(CALLS / 2, || wire.call().map(|(took, _)| took))?;
        let mut wires: Vec<_> =
            (0..CONNECTIONS).map(|_| Wire::open(server.address)).collect::<Result<_>>()?;
        let begun = Instant::now();
        std::thread::scope(|scope| {
            let calls = |wire: &mut Wire| -> Result<()> {
                (0..CALLS_EACH).try_for_each(|_| wire.call().map(drop))
            };
            let running: Vec<_> =
                wires.iter_mut().map(|wire| scope.spawn(move || calls(wire))).collect();
            let mut ended = running.into_iter().map(|one| one.join());
            ended.try_for_each(|one| one.unwrap_or_else(|_| Err("a client panicked".into())))
        })?;
        Ok([sequential, micros(begun.elapsed()) / (CONNECTIONS * CALLS_EACH) as f64])
    };
    let rounds = Rounds::take(ROUNDS, || {
        let [a, b] = one(&peasy)?;
        let [c, d] = one(&other)?;
        Ok([a, b, c, d])
    })?;
    let Targets { http_sequential, http_many, .. } = peer.targets();
    for (index, what, target) in [
        (0, "a call after another", http_sequential),
        (1, "time of a call on 16 connections", http_many),
    ] {
        let what = format!("{}, HTTP: {what}", peer.name);
        report.ratio(&what, &rounds, [("peasy", index), ("peer", index + 2)], target);
    }
    Ok(())
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// A server that listens.
struct Listening {
    child: Child,
    address: SocketAddr,
}

impl Listening {
    fn start(mut command: Command, port: u16) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let (child, address) = (command.spawn()?, SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let mut server = Self { child, address };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            if server.child.try_wait()?.is_some() || begun.elapsed() > PATIENCE {
                return Err("a server does not listen".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One connection that is kept.
struct Wire {
    stream: BufReader<TcpStream>,
    address: SocketAddr,
    session: Option<String>,
    id: u64,
}

impl Wire {
    fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let mut wire = Self { stream: BufReader::new(stream), address, session: None, id: 0 };
        wire.ask("initialize", &handshake())?;
        wire.post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)?;
        Ok(wire)
    }

    fn call(&mut self) -> Result<(Duration, Value)> {
        let parameters = json!({ "name": "word_count", "arguments": arguments() });
        let begun = Instant::now();
        let body = self.ask("tools/call", &parameters)?;
        let took = begun.elapsed();
        // Plain, or as the data of an event.
        let mut json = body.lines().filter_map(|line| {
            let line = line.strip_prefix("data:").unwrap_or(line).trim();
            line.starts_with('{').then_some(line)
        });
        let answer = json.rfind(|line| line.contains("\"result\""));
        Ok((took, serde_json::from_str(answer.ok_or_else(|| format!("no result: {body}"))?)?))
    }

    fn ask(&mut self, method: &str, parameters: &Value) -> Result<String> {
        self.id += 1;
        self.post(&request(self.id, method, parameters))
    }

    fn post(&mut self, body: &str) -> Result<String> {
        let session = self.session.as_ref();
        let session = session.map_or_else(String::new, |id| format!("Mcp-Session-Id: {id}\r\n"));
        let (address, length) = (self.address, body.len());
        let message = format!(
            "POST /mcp HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: {VERSION}\r\n\
             {session}Content-Length: {length}\r\n\r\n{body}"
        );
        self.stream.get_mut().write_all(message.as_bytes())?;
        let mut length = 0;
        let mut is_chunked = false;
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else {
                if line.is_empty() {
                    break;
                }
                continue;
            };
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse()?,
                "transfer-encoding" => is_chunked = value.eq_ignore_ascii_case("chunked"),
                "mcp-session-id" => self.session = Some(value.to_owned()),
                _ => (),
            }
        }
        if !is_chunked {
            return self.bytes(length);
        }
        let mut body = String::new();
        loop {
            let size = self.line()?;
            let size = usize::from_str_radix(size.split(';').next().unwrap_or_default(), 16)?;
            body.push_str(&self.bytes(size)?);
            self.line()?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line)? {
            0 => Err("the server closed the connection".into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }

    fn bytes(&mut self, length: usize) -> Result<String> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes)?;
        Ok(String::from_utf8(bytes)?)
    }
}
