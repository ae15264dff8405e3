//! Where output goes: results to standard output, everything about them to standard error.
//!
//! A reader that goes away (`peasy list | head`) is no error. Text that a script wrote never drives
//! the terminal.

use super::{ColorWhen, Exit};
use crate::diagnostic::{Colour, Diagnostic, printable, render};
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use std::fmt::Display;
use std::io::{self, IsTerminal, Stderr, Stdout, Write};

/// Names of things.
pub(super) const BOLD: Style = Style::new().bold();
/// What matters less.
pub(super) const DIM: Style = Style::new().dimmed();
/// What went well.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
/// What deserves a look.
pub(super) const WARN: Style = AnsiColor::Yellow.on_default().bold();
/// What went wrong.
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();

/// The two streams of the process.
pub struct Output {
    out: AutoStream<Stdout>,
    err: AutoStream<Stderr>,
    choice: ColorChoice,
    /// Why standard output takes no more.
    broken: Option<io::Error>,
}

impl Output {
    /// Output with colours as asked for.
    pub fn new(color: ColorWhen) -> Self {
        let choice = match color {
            ColorWhen::Auto => ColorChoice::Auto,
            ColorWhen::Always => ColorChoice::Always,
            ColorWhen::Never => ColorChoice::Never,
        };
        let out = AutoStream::new(io::stdout(), choice);
        Self { out, err: AutoStream::new(io::stderr(), choice), choice, broken: None }
    }

    /// When colours are used, for another output that shows them as this one does.
    #[cfg(feature = "worker")]
    pub(super) fn color(&self) -> ColorWhen {
        match self.choice {
            ColorChoice::Never => ColorWhen::Never,
            ColorChoice::Auto => ColorWhen::Auto,
            ColorChoice::Always | ColorChoice::AlwaysAnsi => ColorWhen::Always,
        }
    }

    /// Whether standard error shows colours.
    pub fn is_coloured(&self) -> bool {
        self.err.current_choice() != ColorChoice::Never
    }

    /// Another handle to standard error, with the same colours.
    pub(super) fn stderr(&self) -> AutoStream<Stderr> {
        AutoStream::new(io::stderr(), self.choice)
    }

    /// Writes a line to standard output.
    pub(super) fn say(&mut self, line: impl Display) {
        let written = writeln!(self.out, "{line}");
        self.keep(written);
    }

    /// Writes a line to standard error.
    pub(super) fn tell(&mut self, line: impl Display) {
        // There is nowhere left to report that standard error is gone.
        let _ = writeln!(self.err, "{line}");
    }

    /// Writes a result as it is, with one line break at its end. On a terminal, characters that
    /// would drive it are replaced.
    pub(super) fn say_result(&mut self, text: &str) {
        let shown = if io::stdout().is_terminal() { safe(text) } else { text.to_owned() };
        let end = if shown.ends_with('\n') { "" } else { "\n" };
        let mut raw = io::stdout().lock();
        let written = write!(raw, "{shown}{end}");
        self.keep(written);
    }

    /// Writes a piece of a text to standard output, as it comes.
    #[cfg(feature = "worker")]
    pub(super) fn say_part(&mut self, text: &str) {
        let shown = if io::stdout().is_terminal() { safe(text) } else { text.to_owned() };
        let mut raw = io::stdout().lock();
        let written = raw.write_all(shown.as_bytes()).and_then(|()| raw.flush());
        self.keep(written);
    }

    /// Writes a value as one line of JSON to standard output, at once.
    #[cfg(feature = "worker")]
    pub(super) fn say_json_line(&mut self, value: &serde_json::Value) {
        let mut raw = io::stdout().lock();
        let written = writeln!(raw, "{value}").and_then(|()| raw.flush());
        self.keep(written);
    }

    /// Writes a value as indented JSON to standard output.
    pub(super) fn say_json(&mut self, value: &impl Serialize) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.say_result(&text),
            Err(reason) => self.keep(Err(reason.into())),
        }
    }

    /// Draws a problem on standard output.
    pub(super) fn say_picture(&mut self, problem: &Diagnostic, source: Option<&str>) {
        self.say(format_args!("{}\n", render(problem, source, Colour::Always)));
    }

    /// Draws a problem on standard error.
    pub(super) fn tell_picture(&mut self, problem: &Diagnostic, source: Option<&str>) {
        self.tell(render(problem, source, Colour::Always));
    }

    fn keep(&mut self, written: io::Result<()>) {
        if let Err(reason) = written {
            self.broken.get_or_insert(reason);
        }
    }

    /// Flushes, and says how the process ends: as the command says, unless its output was lost.
    pub(super) fn finish(mut self, exit: Exit) -> Exit {
        let flushed = self.out.flush();
        self.keep(flushed);
        match self.broken.take() {
            Some(reason) if reason.kind() != io::ErrorKind::BrokenPipe => {
                self.tell(format_args!("error: standard output cannot be written: {reason}"));
                Exit::Fault
            }
            _ => exit,
        }
    }
}

/// `text` in a style, for a stream that takes the style out again where it is not wanted.
pub(super) fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Text of a script or of a file name for a terminal: control characters replaced, tabs kept.
pub(super) fn safe(text: &str) -> String {
    text.split('\t').map(printable).collect::<Vec<_>>().join("\t")
}

/// The first line of a text, for listings.
pub(super) fn first_line(text: &str) -> String {
    safe(text.lines().next().unwrap_or_default().trim())
}

/// `1 error`, `2 errors`.
pub(super) fn count<N: Display + From<u8> + PartialEq>(number: N, noun: &str) -> String {
    let end = if number == N::from(1) { "" } else { "s" };
    format!("{number} {noun}{end}")
}
