//! What a person writes: with editing and history on a terminal, line by line from anything else.

use super::super::usage;
use super::MOST_PROMPT;
use crate::diagnostic::Diagnostic;
use rustyline::completion::Completer;
use rustyline::config::{Builder, ColorMode};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};
use std::cell::Cell;
use std::io::{self, BufRead, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What stands before a line.
pub(super) const PROMPT: &str = "> ";
/// What stands before a line that goes on.
const MORE: &str = "… ";
/// The file of the history, below the state folder.
const HISTORY: &str = "chat_history";
/// Lines of the history.
const MOST_HISTORY: usize = 1_000;

/// What came.
pub(super) enum Line {
    /// A text.
    Text(String),
    /// The person threw away what was written.
    Cleared,
    /// The person pressed Ctrl-C at an empty line.
    Nothing,
    /// There will be no more.
    End,
}

/// Where lines come from.
pub(super) struct Lines {
    from: From,
    waiting: Arc<AtomicBool>,
}

enum From {
    Terminal(Box<rustyline::Editor<Watch, FileHistory>>, PathBuf),
    Other,
}

/// Sees whether something stands in the line: an editor that is interrupted does not say.
#[derive(Default)]
struct Watch {
    is_empty: Cell<bool>,
}

impl Hinter for Watch {
    type Hint = String;

    fn hint(&self, line: &str, _: usize, _: &Context<'_>) -> Option<String> {
        self.is_empty.set(line.is_empty());
        None
    }
}

impl Completer for Watch {
    type Candidate = String;
}

impl Highlighter for Watch {}
impl Validator for Watch {}
impl Helper for Watch {}

impl Lines {
    /// Lines of standard input. The history lies in the folder `state`.
    pub fn open(state: &Path) -> Self {
        let is_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
        let editor = || {
            let color = match std::env::var_os("NO_COLOR") {
                Some(set) if !set.is_empty() => ColorMode::Disabled,
                _ => ColorMode::Enabled,
            };
            let config = Builder::new()
                .max_history_size(MOST_HISTORY)
                .and_then(|config| config.history_ignore_dups(true))
                .map(|config| config.history_ignore_space(true).color_mode(color).build());
            let history = state.join(HISTORY);
            let mut editor = rustyline::Editor::with_config(config.ok()?).ok()?;
            editor.set_helper(Some(Watch::default()));
            // There is none at first.
            let _ = editor.load_history(&history);
            Some(From::Terminal(Box::new(editor), history))
        };
        let from = is_terminal.then(editor).flatten().unwrap_or(From::Other);
        Self { from, waiting: Arc::default() }
    }

    /// Whether a person writes them.
    pub fn is_terminal(&self) -> bool {
        matches!(self.from, From::Terminal(..))
    }

    /// Whether a line is being written, for whoever writes to the terminal meanwhile.
    pub fn waiting(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.waiting)
    }

    /// The next line; one that ends with `\` goes on with the one behind it.
    ///
    /// # Errors
    ///
    /// Standard input cannot be read, or what came is longer than a prompt may be.
    pub fn next(&mut self) -> Result<Line, Box<Diagnostic>> {
        let mut text = String::new();
        loop {
            let prompt = if text.is_empty() { PROMPT } else { MORE };
            match self.one(prompt, MOST_PROMPT.saturating_sub(text.len() as u64))? {
                Line::Text(line) => match line.strip_suffix('\\') {
                    Some(line) => {
                        text.push_str(line);
                        text.push('\n');
                    }
                    None => {
                        text.push_str(&line);
                        break;
                    }
                },
                Line::End if !text.is_empty() => break,
                Line::Nothing if !text.is_empty() => return Ok(Line::Cleared),
                other => return Ok(other),
            }
        }
        if let From::Terminal(editor, history) = &mut self.from
            && editor.add_history_entry(text.as_str()).unwrap_or(false)
        {
            // A history that cannot be kept is no reason to talk no more.
            let _ = editor.save_history(history);
        }
        Ok(Line::Text(text))
    }

    /// One line, of at most `most` bytes.
    fn one(&mut self, prompt: &str, most: u64) -> Result<Line, Box<Diagnostic>> {
        let failed = |reason: String| usage(format!("standard input cannot be read: {reason}"));
        match &mut self.from {
            From::Terminal(editor, _) => {
                self.waiting.store(true, Ordering::Release);
                let line = editor.readline(prompt);
                self.waiting.store(false, Ordering::Release);
                match line {
                    Ok(line) => Ok(Line::Text(line)),
                    Err(ReadlineError::Interrupted) => {
                        let is_empty = editor.helper().is_some_and(|watch| watch.is_empty.get());
                        Ok(if is_empty { Line::Nothing } else { Line::Cleared })
                    }
                    Err(ReadlineError::Eof) => Ok(Line::End),
                    Err(reason) => Err(failed(reason.to_string()).into()),
                }
            }
            From::Other => {
                let line = read_line(&mut io::stdin().lock(), most);
                Ok(line.map_err(|reason| failed(reason.to_string()))?.map_or(Line::End, Line::Text))
            }
        }
    }
}

/// The next line, without its end; `None` where there is none.
fn read_line(reader: &mut impl BufRead, most: u64) -> io::Result<Option<String>> {
    // One more, for the end of a line that is as long as it may be.
    let mut reader = reader.take(most.saturating_add(1));
    let mut bytes = Vec::new();
    if reader.read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    if bytes.len() as u64 > most && bytes.last() != Some(&b'\n') {
        return Err(io::Error::other(format!("a question is longer than {MOST_PROMPT} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|_| io::Error::other("it is no UTF-8"))?;
    Ok(Some(text.trim_end_matches(['\n', '\r']).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_to_its_bound_and_no_further() {
        let mut text = &b"12345\r\n\n1234\n123456789"[..];
        assert_eq!(read_line(&mut text, 6).expect("a line").as_deref(), Some("12345"));
        assert_eq!(read_line(&mut text, 4).expect("a line").as_deref(), Some(""));
        assert_eq!(read_line(&mut text, 4).expect("a line").as_deref(), Some("1234"));
        let error = read_line(&mut text, 4).expect_err("it is too long");
        assert!(error.to_string().contains("longer than"), "{error}");
        assert_eq!(text, b"6789", "the rest is not read");
        assert_eq!(read_line(&mut &b""[..], 4).expect("an end"), None);
    }
}
