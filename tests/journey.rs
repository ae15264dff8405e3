//! A feature that uses everything, as a new user comes to it: written, denied, granted step by step
//! with the commands that the messages give, killed, and edited.

use crate::client::Client;
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const KEY: &str = "correct-horse-battery";

fn feature(host: SocketAddr) -> String {
    format!(
        r#"//! Says how the project stands.
//! @request fs:read=**/*.md
//!   Count what is open in the notes.
//! @request http={host}
//!   Ask the service.
//! @request secret=SERVICE_KEY@{host}
//!   The key of the service.
//! @request exec=git
//!   Which version of git there is.
//! @request store
//!   Remember how often it was asked.

/// How the project stands.
/// @tool
/// @returns {{ open: int, git: bool, service: string, asked: int }}
fn status() {{
    let open = 0;
    for path in fs::glob("**/*.md") {{ open += text::count(fs::read(path), "TODO"); }}
    let git = exec::run("git", ["--version"]);
    let answer = http::get("http://{host}/state", #{{ bearer: secret::get("SERVICE_KEY") }});
    #{{ open: open, git: git.status == 0, service: answer.body, asked: store::incr("asked") }}
}}
"#
    )
}

/// A service that says what it was sent, for as long as the test lives.
fn service() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            std::thread::spawn(move || answer(stream));
        }
    });
    address
}

fn answer(mut stream: TcpStream) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(20)));
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        head.push(byte[0]);
    }
    let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", head.len());
    let _ = stream.write_all(&head);
}

/// A user with a project.
struct User(TempDir);

impl User {
    fn new(feature: &str) -> Self {
        let user = Self(TempDir::new().expect("a folder for the test"));
        fs::create_dir_all(user.project().join(".peasy/features")).expect("a project");
        fs::create_dir_all(user.project().join("docs")).expect("a folder");
        fs::write(user.project().join("docs/notes.md"), "TODO one\nTODO two\n").expect("a file");
        user.write(feature);
        user
    }

    fn project(&self) -> PathBuf {
        self.0.path().join("project")
    }

    fn write(&self, feature: &str) {
        let file = self.project().join(".peasy/features/status.rhai");
        fs::write(file, feature).expect("a feature");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peasy"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.args(arguments).env_clear().env("PATH", path);
        command.env("HOME", self.0.path().join("home")).current_dir(self.project());
        command
    }

    /// Exit code, standard output and standard error; `typed` goes to standard input.
    fn run(&self, arguments: &[&str], typed: &str) -> (Option<i32>, String, String) {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the command runs");
        let mut input = child.stdin.take().expect("a pipe");
        // Most commands read nothing.
        let _ = input.write_all(typed.as_bytes());
        drop(input);
        let output = child.wait_with_output().expect("it ends");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// Calls the tool, and runs the command of each message until nothing stands in the way. The
    /// commands, by their first words.
    fn grant_by_the_messages(&self) -> Vec<String> {
        let mut followed = Vec::new();
        loop {
            let (exit, _, said) = self.run(&["call", "status"], "");
            if exit == Some(0) {
                return followed;
            }
            let command = said.split("`peasy ").nth(1).and_then(|rest| rest.split('`').next());
            let command = command.unwrap_or_else(|| panic!("no command in: {said}"));
            let words: Vec<_> = command.split(' ').map(|word| word.trim_matches('\'')).collect();
            let (exit, _, problem) = self.run(&words, KEY);
            assert_eq!(exit, Some(0), "{command}: {problem}");
            followed.push(words[0].to_owned());
            assert!(followed.len() < 10, "no end: {followed:?}");
        }
    }

    fn result(&self, more: &[&str]) -> Value {
        let (exit, out, said) = self.run(&[&["call", "status"], more].concat(), "");
        assert_eq!(exit, Some(0), "{said}");
        serde_json::from_str(&out).expect("JSON")
    }
}

#[test]
fn a_feature_is_denied_granted_step_by_step_and_survives_a_kill() {
    let text = feature(service());
    let user = User::new(&text);
    assert_eq!(user.run(&["check"], "").0, Some(0));
    let steps = user.grant_by_the_messages();
    assert_eq!(steps, ["grant", "secret"], "one command for all that is denied");

    // The first of these was the call that went through.
    let mut asked = 1;
    for more in [&[][..], &["--isolate", "process"]] {
        let result = user.result(more);
        asked += 1;
        assert_eq!(
            (&result["open"], &result["git"], &result["asked"]),
            (&2.into(), &true.into(), &asked.into())
        );
        let service = result["service"].as_str().expect("a text");
        assert!(service.contains("Bearer [secret SERVICE_KEY]"), "{service}");
    }

    // Killed in the middle of a call, and at rest.
    let mut client = Client::start(&mut user.command(&["serve"]));
    for _ in 0..5 {
        let told = client.call("status")["structuredContent"]["asked"].as_i64().expect("a number");
        assert_eq!(told, asked + 1);
        asked = told;
    }
    client.begin("tools/call", serde_json::json!({ "name": "status", "arguments": {} }));
    client.child.kill().expect("it runs");
    client.child.wait().expect("it has ended");
    let after = user.result(&[])["asked"].as_i64().expect("a number");
    assert!((asked + 1..=asked + 2).contains(&after), "{after} after {asked}");
    let (exit, verified, _) = user.run(&["log", "verify"], "");
    assert_eq!(exit, Some(0), "{verified}");

    // Nothing but its own file has the secret.
    let state = user.0.path().join("home/.local/state");
    assert!(!holds(&state, KEY), "the secret is in the log or the store");

    // Another text is another feature to whoever granted what reaches the world.
    user.write(&text.replace("--version", "version"));
    let (exit, _, said) = user.run(&["call", "status"], "");
    assert_eq!(exit, Some(3), "{said}");
    assert_eq!(user.grant_by_the_messages(), ["grant"]);
}

/// Whether a file below a folder has a text.
fn holds(folder: &std::path::Path, text: &str) -> bool {
    fs::read_dir(folder).expect("a folder").any(|entry| {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            return holds(&path, text);
        }
        let bytes = fs::read(path).expect("a file");
        bytes.windows(text.len()).any(|part| part == text.as_bytes())
    })
}
