//! `peasy init`: makes the folder of a project's features. Never overwrites anything, and grants
//! nothing: trust is the user's to give.

#![allow(clippy::disallowed_methods, reason = "writes the new folder and its first files")]

use super::new::{example, plain, write};
use super::output::{BOLD, DIM, Output, paint, safe};
use super::{Exit, usage};
use crate::diagnostic::{Diagnostic, shell_word};
use crate::script::runtime::is_project_root;
use clap::Args;
use std::io;
use std::path::{Path, PathBuf};

/// Makes the folder of a project's features, with a small one to begin with.
#[derive(Debug, Args)]
#[command(after_help = "\
Writes `.peasy/README.md` and, where there is no feature yet, `.peasy/features/greet.rhai`. What
is there already stays as it is. What features keep is in your own state folder, so there is
nothing to ignore.

Examples:
  peasy init            the project of this folder
  peasy init ~/work/site
  peasy init --bare     only the folder")]
pub struct InitArguments {
    /// The project's folder; made if it is not there.
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// Write no README and no example.
    #[arg(long)]
    bare: bool,
}

/// Makes the folder and says what to do next.
///
/// # Errors
///
/// It is the home folder, or cannot be written to.
pub fn run(arguments: &InitArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let folder = &arguments.folder;
    refuse_home(folder)?;
    let above = project_above(folder);
    let features = folder.join(".peasy").join("features");
    let refused = |file: &Path, reason: &io::Error| unwritable(file, reason);
    let is_new = !features.is_dir();
    std::fs::create_dir_all(&features).map_err(|reason| refused(&features, &reason))?;
    if is_new {
        output.say(format_args!("made {}", paint(BOLD, safe(&plain(&features)))));
    }
    let mut files = Vec::new();
    if !arguments.bare {
        files.push((folder.join(".peasy").join("README.md"), README.to_owned()));
        if is_empty(&features) {
            files.push((features.join("greet.rhai"), example("greet")));
        }
    }
    let mut written = 0;
    for (file, text) in &files {
        match write(file, text) {
            Ok(()) => {
                written += 1;
                output.say(format_args!("wrote {}", paint(BOLD, safe(&plain(file)))));
            }
            Err(reason) if reason.kind() == io::ErrorKind::AlreadyExists => (),
            Err(reason) => return Err(refused(file, &reason).into()),
        }
    }
    if !is_new && written == 0 {
        output.say("everything is there already; nothing was changed");
    }
    if let Some(above) = above {
        output.tell(format_args!(
            "note: this is a part of the project `{}`; commands that are started here and below \
             take the features of this part",
            safe(&above.display().to_string())
        ));
    }
    say_next(folder, output);
    Ok(Exit::Done)
}

fn say_next(folder: &Path, output: &mut Output) {
    output.say("\nNext:");
    if folder != Path::new(".") {
        output.say(format_args!("  cd {}", shell_word(&folder.display().to_string())));
    }
    for (command, why) in [
        ("peasy test", "run the tests and examples of its features"),
        ("peasy new NAME --folder .peasy/features", "write another feature"),
        ("peasy trust", "let its hooks run and its tools keep data, once you have read them"),
        #[cfg(feature = "mcp")]
        ("peasy mcp install CLIENT --project", "offer its tools to an agent"),
    ] {
        output.say(format_args!("  {command:<41}{}", paint(DIM, why)));
    }
}

/// A `.peasy` in the home folder would make a project of everything below it.
fn refuse_home(folder: &Path) -> Result<(), Box<Diagnostic>> {
    let home = std::env::var_os("HOME").and_then(|home| Path::new(&home).canonicalize().ok());
    if home.is_none() || folder.canonicalize().ok() != home {
        return Ok(());
    }
    Err(usage("the home folder is no project: everything below it would belong to it")
        .help("name the folder of a project: `peasy init ~/work/site`")
        .help(
            "features of your own lie in `~/.config/peasy/features`: \
               `peasy new greet --folder ~/.config/peasy/features`",
        )
        .into())
}

/// The project that a folder is a part of and not the root of.
fn project_above(folder: &Path) -> Option<PathBuf> {
    let real = folder.canonicalize().ok()?;
    if is_project_root(&real) {
        return None;
    }
    real.ancestors().skip(1).find(|above| is_project_root(above)).map(Path::to_owned)
}

fn is_empty(features: &Path) -> bool {
    let found = crate::script::source::discover(features);
    found.features.is_empty() && found.diagnostics.is_empty()
}

fn unwritable(file: &Path, reason: &io::Error) -> Diagnostic {
    let message = format!("`{}` cannot be written: {reason}", safe(&plain(file)));
    Diagnostic::operator("cli/unwritable", message)
        .help("check who owns the folder, and that no file stands in its place")
}

const README: &str = "\
# Features of this project

Each `NAME.rhai` in `features/`, and each folder there with a `main.rhai`, is a peasy feature: a small script
that gives an agent new tools and hooks.

```sh
peasy list                               # what is here, and what it may do
peasy new NAME --folder .peasy/features  # write another
peasy check && peasy test                # find every mistake, run every test
```

Whoever checks this project out decides for themselves what its features may do: until they say `peasy trust`,
its tools compute and do nothing else, and its hooks do not run.
";
