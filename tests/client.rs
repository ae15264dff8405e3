//! A served feature, spoken to line by line.

use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A client of the handshake era, and the server that it started.
pub struct Client {
    pub child: Child,
    lines: BufReader<ChildStdout>,
    id: u64,
    /// What came while an answer was waited for.
    told: VecDeque<Value>,
}

impl Client {
    /// Starts a server, and shakes hands.
    pub fn start(server: &mut Command) -> Self {
        let server = server.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = server.spawn().expect("the server starts");
        let lines = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut client = Self { child, lines, id: 0, told: VecDeque::new() };
        let about = json!({
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": { "name": "test", "version": "1" },
        });
        client.ask("initialize", about);
        client.say(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        client
    }

    fn say(&mut self, message: &Value) {
        let input = self.child.stdin.as_mut().expect("a pipe");
        writeln!(input, "{message}").expect("the server reads");
    }

    fn next(&mut self) -> Value {
        let mut line = String::new();
        assert!(self.lines.read_line(&mut line).expect("text") > 0, "the server went on");
        serde_json::from_str(&line).expect("JSON")
    }

    /// Sends a request, and says under which id.
    pub fn begin(&mut self, method: &str, parameters: Value) -> u64 {
        self.id += 1;
        let id = self.id;
        self.say(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": parameters }));
        id
    }

    /// Waits for the result of a request, or its error.
    pub fn answer(&mut self, id: u64) -> Value {
        loop {
            let message = self.next();
            if message["id"] != json!(id) {
                self.told.push_back(message);
                continue;
            }
            return message.get("result").unwrap_or(&message["error"]).clone();
        }
    }

    /// The result of a request that may have been answered before.
    pub fn result_of(&mut self, id: u64) -> Value {
        let is_it = |message: &Value| message["id"] == json!(id);
        match self.told.iter().position(is_it).and_then(|at| self.told.remove(at)) {
            Some(message) => message["result"].clone(),
            None => self.answer(id),
        }
    }

    /// Sends a request and waits for its result.
    pub fn ask(&mut self, method: &str, parameters: Value) -> Value {
        let id = self.begin(method, parameters);
        self.answer(id)
    }

    /// Calls a tool without arguments.
    pub fn call(&mut self, tool: &str) -> Value {
        self.ask("tools/call", json!({ "name": tool, "arguments": {} }))
    }

    /// Calls a tool without arguments, and gives the text of its result.
    pub fn text_of(&mut self, tool: &str) -> Option<String> {
        self.call(tool)["content"][0]["text"].as_str().map(str::to_owned)
    }

    /// The names of the tools.
    pub fn tools(&mut self) -> Vec<String> {
        let listed = self.ask("tools/list", json!({}));
        let tools = listed["tools"].as_array().expect("a list").iter();
        tools.map(|tool| tool["name"].as_str().expect("a name").to_owned()).collect()
    }

    /// How many notifications of that method came so far, those before the answer to a ping.
    pub fn heard(&mut self, method: &str) -> usize {
        self.ask("ping", json!({}));
        let (heard, rest) = self.told.drain(..).partition(|message| message["method"] == method);
        self.told = rest;
        let heard: VecDeque<Value> = heard;
        heard.len()
    }

    /// The rest of what the server says, after it was ended.
    pub fn rest(mut self) -> String {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).expect("text");
        rest
    }
}
