//! `peasy fmt` as people and scripts meet it: what it writes, what it leaves, and how it ends. What it
//! does to a text stands beside its code.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const LOOSE: &str = "fn add(a,b){\na+b\n}\n";
const TIDY: &str = "fn add(a, b) {\n    a + b\n}\n";

struct Place(TempDir);

impl Place {
    fn with(files: &[(&str, &str)]) -> Self {
        let place = Self(TempDir::new().expect("a folder for the test"));
        for (name, text) in files {
            let file = place.file(name);
            fs::create_dir_all(file.parent().expect("a folder")).expect("the folder takes it");
            fs::write(file, text).expect("the folder takes it");
        }
        place
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).expect("text")
    }

    /// The exit code, standard output and standard error.
    fn fmt(&self, arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peasy"));
        command.arg("fmt").args(arguments).current_dir(self.0.path()).env_clear();
        command.env("HOME", self.0.path()).stdin(Stdio::piped());
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("peasy starts");
        // A command that reads nothing may be gone by now.
        let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
        let Output { status, stdout, stderr } = child.wait_with_output().expect("peasy ends");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (status.code(), text(stdout), text(stderr))
    }
}

#[test]
fn a_script_is_laid_out_where_it_lies_and_only_once() {
    let place = Place::with(&[("a.rhai", LOOSE), ("b/main.rhai", TIDY), ("b/.hidden.rhai", LOOSE)]);
    let (code, out, err) = place.fmt(&["."], "");
    assert_eq!((code, &*out), (Some(0), "laid out ./a.rhai\n"), "{err}");
    assert_eq!(err, "2 scripts, 1 laid out\n");
    assert_eq!(place.read("a.rhai"), TIDY);
    assert_eq!(place.read("b/.hidden.rhai"), LOOSE);
    let (code, out, err) = place.fmt(&["."], "");
    assert_eq!((code, &*out, &*err), (Some(0), "", "2 scripts, nothing to change\n"));
}

#[test]
fn a_check_changes_nothing_and_fails() {
    let place = Place::with(&[("a.rhai", LOOSE)]);
    let (code, out, err) = place.fmt(&["--check", "a.rhai"], "");
    assert_eq!(code, Some(1), "{err}");
    assert!(out.contains("--- a.rhai\n") && out.contains("+fn add(a, b) {\n"), "{out}");
    assert_eq!(place.read("a.rhai"), LOOSE);
    let (code, out, _) = place.fmt(&["--check", "--json", "a.rhai"], "");
    let report: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, &report["files"][0]["changed"]), (Some(1), &true.into()), "{out}");
    fs::write(place.file("a.rhai"), TIDY).expect("the folder takes it");
    assert_eq!(place.fmt(&["--check", "a.rhai"], "").0, Some(0));
}

#[test]
fn standard_input_goes_to_standard_output() {
    let place = Place::with(&[]);
    for word in ["-", "--stdin"] {
        assert_eq!(place.fmt(&[word], LOOSE), (Some(0), TIDY.into(), String::new()));
    }
    assert_eq!(place.fmt(&["-", "--check"], LOOSE).0, Some(1));
    let (code, out, err) = place.fmt(&["-"], "fn add( {");
    assert_eq!((code, &*out), (Some(1), ""));
    assert!(err.contains("error[source/syntax]"), "{err}");
}

#[test]
fn a_broken_script_stays_and_the_others_are_laid_out() {
    let place = Place::with(&[("a.rhai", "fn f( {\n"), ("b.rhai", LOOSE)]);
    let (code, _, err) = place.fmt(&["."], "");
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("error[source/syntax]"), "{err}");
    assert_eq!((place.read("a.rhai"), place.read("b.rhai")), ("fn f( {\n".into(), TIDY.into()));
}

#[test]
fn without_a_path_the_project_is_laid_out() {
    let place = Place::with(&[(".peasy/features/a.rhai", LOOSE), ("other.rhai", LOOSE)]);
    assert_eq!(place.fmt(&[], "").0, Some(0));
    assert_eq!(place.read(".peasy/features/a.rhai"), TIDY);
    assert_eq!(place.read("other.rhai"), LOOSE);
    let empty = Place::with(&[]);
    let (code, _, err) = empty.fmt(&[], "");
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("error[cli/no-features]"), "{err}");
}
