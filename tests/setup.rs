//! The commands that set things up: `init`, `completions`, `mcp install`, `doctor`. What they write,
//! what they leave alone, and what they refuse.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A person with a home folder and a work folder.
struct Person(TempDir);

impl Person {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder for the test");
        for name in ["home", "work"] {
            fs::create_dir(folder.path().join(name)).expect("an empty folder");
        }
        Self(folder)
    }

    fn home(&self) -> PathBuf {
        self.0.path().canonicalize().expect("the folder").join("home")
    }

    fn work(&self) -> PathBuf {
        self.0.path().canonicalize().expect("the folder").join("work")
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.0.path().join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("the folder takes it");
        fs::write(&file, text).expect("the folder takes it");
        file
    }

    fn read(&self, name: &str) -> String {
        let file = self.0.path().join(name);
        fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peasy"));
        command.args(arguments).current_dir(self.work()).env_clear().stdin(Stdio::null());
        command.env("HOME", self.home()).env("PATH", "/usr/bin:/bin");
        command
    }

    /// The exit code and both streams, with the folders of the test by name.
    fn says(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let Output { status, stdout, stderr } =
            self.command(arguments).output().expect("the command runs");
        let all = [stdout, stderr].concat();
        (status.code(), self.named(&String::from_utf8_lossy(&all)))
    }

    fn named(&self, text: &str) -> String {
        let text = text.replace(&self.home().display().to_string(), "HOME");
        let text = text.replace(&self.work().display().to_string(), "WORK");
        text.replace(env!("CARGO_BIN_EXE_peasy"), "PEASY")
    }
}

/// Every file below a folder, with its text.
fn files(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let text = fs::read_to_string(&path).expect("text");
            found.push((path, text));
        }
    }
    found.sort();
    found
}

#[test]
fn a_project_begins_with_a_feature_that_works() {
    let person = Person::new();
    let (code, said) = person.says(&["init"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("wrote .peasy/features/greet.rhai"), "{said}");
    let (code, said) = person.says(&["check"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = person.says(&["test"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = person.says(&["call", ".peasy/features/greet.rhai", "name=World"]);
    assert_eq!((code, &*said), (Some(0), "Hello, World!\n"));
}

#[test]
fn a_project_is_begun_again_without_a_change() {
    let person = Person::new();
    person.write("work/.peasy/README.md", "ours\n");
    person.write("work/.peasy/features/own.rhai", "/// Say it.\n/// @tool\nfn own() { 1 }\n");
    let before = files(&person.work());
    let (code, said) = person.says(&["init"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("nothing was changed"), "{said}");
    assert_eq!(files(&person.work()), before);
}

#[test]
fn a_project_is_not_begun_where_it_would_do_harm() {
    let person = Person::new();
    let home = person.home().display().to_string();
    let (code, said) = person.says(&["init", &home]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("error[cli/usage]: the home folder is no project"), "{said}");
    assert_eq!(files(&person.home()), []);
    person.write("work/.peasy", "a file");
    let (code, said) = person.says(&["init"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("error[cli/unwritable]"), "{said}");
    assert_eq!(person.read("work/.peasy"), "a file");
}

#[test]
fn a_part_of_a_project_is_said_to_be_one() {
    let person = Person::new();
    fs::create_dir(person.work().join(".git")).expect("an empty folder");
    let (code, said) = person.says(&["init", "part/of it", "--bare"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("  cd 'part/of it'\n"), "{said}");
    assert_eq!(files(&person.work()), [], "bare means bare");
    assert!(person.work().join("part/of it/.peasy/features").is_dir());
}

#[test]
fn every_shell_gets_completions_of_every_command() {
    let person = Person::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = person.command(&["completions", shell]).output().expect("it runs");
        assert_eq!(output.status.code(), Some(0), "{shell}");
        assert_eq!(output.stderr, b"", "{shell}: the hint is for terminals");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        for word in ["describe", "deny-warnings", "completions", "verify"] {
            assert!(text.contains(word), "{shell} does not know `{word}`");
        }
        assert!(!text.contains("sandbox-process"), "{shell} offers what is not for people");
    }
    let (code, said) = person.says(&["completions", "tcsh"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("possible values: bash, elvish, fish, powershell, zsh"), "{said}");
}

#[test]
fn a_shell_reads_its_completions() {
    let person = Person::new();
    let output = person.command(&["completions", "bash"]).output().expect("it runs");
    let script = person.write("work/peasy.bash", &String::from_utf8_lossy(&output.stdout));
    // Asked as bash asks: what may follow `peasy des`.
    let ask = format!(
        "source '{}'; COMP_WORDS=(peasy des); COMP_CWORD=1; _peasy peasy des peasy; \
         echo \"${{COMPREPLY[@]}}\"",
        script.display()
    );
    let Ok(answer) = Command::new("bash").args(["-c", &ask]).output() else { return };
    assert_eq!(String::from_utf8_lossy(&answer.stdout), "describe\n");
}
