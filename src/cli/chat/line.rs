//! What a person writes: with editing and history on a terminal, line by line from anything else.

use super::super::usage;
use crate::diagnostic::Diagnostic;
use rustyline::config::{Builder, ColorMode};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use std::io::{BufRead, IsTerminal};
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
    /// The person began anew.
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
    Terminal(Box<rustyline::Editor<(), FileHistory>>, PathBuf),
    Other,
}

impl Lines {
    /// Lines of standard input. The history lies in the folder `state`.
    pub fn open(state: &Path) -> Self {
        let is_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
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
    /// Standard input cannot be read.
    pub fn next(&mut self) -> Result<Line, Box<Diagnostic>> {
        let mut text = String::new();
        loop {
            let prompt = if text.is_empty() { PROMPT } else { MORE };
            match self.one(prompt)? {
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

    fn one(&mut self, prompt: &str) -> Result<Line, Box<Diagnostic>> {
        let failed = |reason: String| usage(format!("standard input cannot be read: {reason}"));
        match &mut self.from {
            From::Terminal(editor, _) => {
                self.waiting.store(true, Ordering::Release);
                let line = editor.readline(prompt);
                self.waiting.store(false, Ordering::Release);
                match line {
                    Ok(line) => Ok(Line::Text(line)),
                    Err(ReadlineError::Interrupted) => Ok(Line::Nothing),
                    Err(ReadlineError::Eof) => Ok(Line::End),
                    Err(reason) => Err(failed(reason.to_string()).into()),
                }
            }
            From::Other => {
                let mut line = String::new();
                let read = std::io::stdin().lock().read_line(&mut line);
                match read.map_err(|reason| failed(reason.to_string()))? {
                    0 => Ok(Line::End),
                    _ => Ok(Line::Text(line.trim_end_matches(['\n', '\r']).to_owned())),
                }
            }
        }
    }
}
