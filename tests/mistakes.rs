//! What people get wrong, and what they are told: one folder a mistake, no Rust needed.
//!
//! `feature.rhai` is checked; where there is a `command`, it is run as well, as arguments of
//! `peasy` in the words of a shell. `expected.txt` holds all that is printed, with the exit codes;
//! `UPDATE_EXPECTED=1 cargo test mistakes` writes it.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

fn run(folder: &Path, arguments: &[String]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_peasy"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .env("NO_COLOR", "1")
        .output()
        .expect("the binary runs");
    let mut shown = format!("$ peasy {}\n", arguments.join(" "));
    shown.push_str(&String::from_utf8_lossy(&output.stdout));
    shown.push_str(&String::from_utf8_lossy(&output.stderr));
    let code = output.status.code().expect("no signal ends it");
    writeln!(shown, "exit code {code}").expect("writing to a string");
    shown
}

/// Splits a line into words; single quotes keep what is inside together.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for letter in line.trim().chars() {
        match letter {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            letter => words.last_mut().expect("there is a first word").push(letter),
        }
    }
    words
}

#[test]
fn each_mistake_is_explained() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes");
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    let mut folders: Vec<_> = std::fs::read_dir(&cases)
        .expect("the cases are there")
        .map(|entry| entry.expect("a readable entry").path())
        .collect();
    folders.sort();
    assert!(folders.len() >= 20, "only {} cases", folders.len());
    let mut wrong = Vec::new();
    for case in folders {
        let name = case.file_name().expect("a name").to_string_lossy().into_owned();
        let outside = tempfile::tempdir().expect("a temporary folder");
        std::fs::copy(case.join("feature.rhai"), outside.path().join("feature.rhai"))
            .expect("every case has a feature");
        let check = ["check", "feature.rhai"].map(str::to_owned);
        let mut shown = run(outside.path(), &check);
        if let Ok(command) = std::fs::read_to_string(case.join("command")) {
            shown.push('\n');
            shown.push_str(&run(outside.path(), &words(&command)));
        }
        let expected = case.join("expected.txt");
        if update {
            std::fs::write(&expected, &shown).expect("the case's folder takes it");
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != shown {
            wrong.push(format!("--- {name}\n{shown}"));
        }
    }
    assert!(wrong.is_empty(), "these differ from their expected.txt:\n{}", wrong.join("\n"));
}
