//! `peasy completions`: what a shell needs to complete commands and flags. Writes no file: where such
//! a script belongs is the shell's affair, and differs from system to system.

use super::{Arguments, Exit, Output};
use crate::diagnostic::Diagnostic;
use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};
use std::io::{self, IsTerminal};

/// Prints what a shell needs to complete commands and flags.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  peasy completions bash > peasy.bash
  peasy completions zsh > _peasy
  peasy completions fish > peasy.fish

Where they belong:
  bash        ~/.local/share/bash-completion/completions/peasy
  zsh         _peasy in a folder of $fpath, such as ~/.zfunc
  fish        ~/.config/fish/completions/peasy.fish
  powershell  at the end of the file that $PROFILE names
  elvish      ~/.config/elvish/lib/peasy.elv, and `use peasy` in rc.elv")]
pub struct CompletionsArguments {
    /// For which shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script.
///
/// # Errors
///
/// None but those of every command.
pub fn run(arguments: &CompletionsArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let mut text = Vec::new();
    generate(arguments.shell, &mut public(Arguments::command()), "peasy", &mut text);
    output.say_result(&String::from_utf8_lossy(&text));
    if io::stdout().is_terminal() {
        output.tell(format_args!("to install it: {}", place(arguments.shell)));
    }
    Ok(Exit::Done)
}

/// The command without what is not for people; the scripts would offer it all the same.
fn public(full: clap::Command) -> clap::Command {
    let about = full.get_about().cloned().unwrap_or_default();
    let arguments: Vec<_> = full.get_arguments().cloned().collect();
    let commands: Vec<_> =
        full.get_subcommands().filter(|command| !command.is_hide_set()).cloned().collect();
    clap::Command::new("peasy")
        .version(env!("CARGO_PKG_VERSION"))
        .about(about)
        .disable_help_subcommand(true)
        .args(arguments)
        .subcommands(commands)
}

/// How the script of a shell is installed, as a command to copy where there is one.
fn place(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => {
            "mkdir -p ~/.local/share/bash-completion/completions && \
             peasy completions bash > ~/.local/share/bash-completion/completions/peasy"
        }
        Shell::Zsh => {
            "mkdir -p ~/.zfunc && peasy completions zsh > ~/.zfunc/_peasy, with \
             `fpath+=~/.zfunc` before `compinit` in ~/.zshrc"
        }
        Shell::Fish => {
            "mkdir -p ~/.config/fish/completions && \
             peasy completions fish > ~/.config/fish/completions/peasy.fish"
        }
        Shell::PowerShell => "peasy completions powershell >> $PROFILE",
        Shell::Elvish => {
            "peasy completions elvish > ~/.config/elvish/lib/peasy.elv, and `use peasy` in \
             ~/.config/elvish/rc.elv"
        }
        _ => "ask your shell's manual where completions belong",
    }
}
