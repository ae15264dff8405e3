//! The fake model of the tests, to be used by hand:
//!
//! ```sh
//! echo '[{"text": "Hello."}]' > script.json
//! cargo run --example fake_model -- script.json 8080
//! peasy chat -p hello --model openai/fake --base-url http://127.0.0.1:8080/v1
//! ```
//!
//! It says one step of the script at each request, as OpenAI's chat completions or Anthropic's messages;
//! `tests/fake_model.rs` says what a step is.

#![allow(clippy::disallowed_methods, reason = "a program of its own, for tests")]
#![allow(missing_docs, reason = "its parts belong to the tests")]

#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../tests/fake_model.rs"]
mod fake_model;

use fake_model::FakeModel;
use serde_json::Value;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let script = arguments.next().ok_or("usage: fake_model SCRIPT.json [PORT]")?;
    let port = arguments.next().map_or(Ok(0), |port| port.parse())?;
    let steps: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(script)?)?;
    let model = FakeModel::start_at(port, steps)?;
    println!("{}", model.url());
    loop {
        std::thread::park();
    }
}
