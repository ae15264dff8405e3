//! What a feature says while it runs, on standard error: messages, notifications, log lines, and
//! progress as a bar where there is a terminal.
//!
//! Nothing here goes to standard output, and nothing a script says drives the terminal.

use super::output::{BAD, DIM, Output, WARN, paint, safe};
use crate::feature::event::{EventBody, FeatureEvent, Level, Sink};
use anstream::AutoStream;
use std::fmt::Write as _;
use std::io::{IsTerminal, Stderr, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Columns of a progress bar.
const BAR: usize = 24;

/// Shows events as they come.
pub(super) struct TerminalSink {
    is_terminal: bool,
    state: Mutex<State>,
}

struct State {
    stream: AutoStream<Stderr>,
    /// Whether a bar stands on the last line.
    has_bar: bool,
    /// The tenth that the last plain line of progress told, and its text.
    told: Option<(u8, Option<String>)>,
}

impl TerminalSink {
    /// A sink to the standard error of this output.
    pub(super) fn new(output: &Output) -> Self {
        let state = State { stream: output.stderr(), has_bar: false, told: None };
        Self { is_terminal: std::io::stderr().is_terminal(), state: Mutex::new(state) }
    }

    /// Takes the bar away; the call is over.
    pub(super) fn finish(&self) {
        self.state().clear_bar();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for TerminalSink {
    fn emit(&self, event: FeatureEvent) {
        let mut state = self.state();
        match &event.body {
            EventBody::Progress { done, total, text } => {
                if self.is_terminal {
                    state.bar(*done, *total, text.as_deref());
                } else {
                    state.plain_progress(&event, *done, *total, text);
                }
            }
            _ => state.line(&describe(&event)),
        }
    }
}

impl State {
    fn line(&mut self, text: &str) {
        self.clear_bar();
        // There is nowhere left to report that standard error is gone.
        let _ = writeln!(self.stream, "{text}");
    }

    fn clear_bar(&mut self) {
        if self.has_bar {
            let _ = write!(self.stream.as_inner().lock(), "\r\x1b[K");
            self.has_bar = false;
        }
    }

    fn bar(&mut self, done: f64, total: Option<f64>, text: Option<&str>) {
        let mut line = String::new();
        if let Some(share) = share(done, total) {
            let full = (share * BAR as f64) as usize;
            let _ = write!(line, "[{}{}] ", "=".repeat(full), " ".repeat(BAR - full));
        }
        line.push_str(&numbers(done, total));
        if let Some(text) = text {
            // One line that does not wrap on most terminals.
            let text: String = safe(text).replace(['\n', '\t'], " ").chars().take(40).collect();
            let _ = write!(line, " {text}");
        }
        let mut raw = self.stream.as_inner().lock();
        let _ = write!(raw, "\r\x1b[K{line}").and_then(|()| raw.flush());
        self.has_bar = true;
    }

    /// At most a line for each tenth and each new text.
    fn plain_progress(
        &mut self,
        event: &FeatureEvent,
        done: f64,
        total: Option<f64>,
        text: &Option<String>,
    ) {
        let tenth = share(done, total).map_or(0, |share| (share * 10.0) as u8);
        let now = Some((tenth, text.clone()));
        if total.is_none() || self.told != now {
            self.told = now;
            self.line(&describe(event));
        }
    }
}

/// The part that is done, from 0 to 1.
fn share(done: f64, total: Option<f64>) -> Option<f64> {
    let total = total.filter(|total| *total > 0.0)?;
    Some((done / total).clamp(0.0, 1.0))
}

fn numbers(done: f64, total: Option<f64>) -> String {
    total.map_or_else(|| done.to_string(), |total| format!("{done}/{total}"))
}

/// One event as text: `warn[word-count/slow]: the text`.
pub(super) fn describe(event: &FeatureEvent) -> String {
    let name = event.feature.name();
    let who = match &event.channel {
        Some(channel) => format!("{name}/{channel}"),
        None => name.to_string(),
    };
    match &event.body {
        EventBody::Message { level, summary, detail } => {
            let mut text = format!("{}[{who}]: {}", level_word(*level), indented(summary));
            if let Some(detail) = detail {
                let _ = write!(text, "\n  {}", indented(detail));
            }
            text
        }
        EventBody::Progress { done, total, text } => {
            let mut line = format!("progress[{who}]: {}", numbers(*done, *total));
            if let Some(text) = text {
                let _ = write!(line, " {}", indented(text));
            }
            line
        }
        EventBody::Notice { text } => {
            format!("{}[{who}]: {}", paint(WARN, "notice"), indented(text))
        }
        EventBody::Log { level, text } => {
            let word = paint(DIM, format_args!("log {}", level_name(*level)));
            format!("{word}[{who}]: {}", indented(text))
        }
    }
}

fn indented(text: &str) -> String {
    safe(text).replace('\n', "\n  ")
}

fn level_word(level: Level) -> String {
    match level {
        Level::Debug | Level::Info => level_name(level).to_owned(),
        Level::Warn => paint(WARN, "warn"),
        Level::Error => paint(BAD, "error"),
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}

/// Keeps events, for JSON output.
#[derive(Default)]
pub(super) struct Recorder(Mutex<Vec<FeatureEvent>>);

impl Recorder {
    /// What was said, in order.
    pub(super) fn events(&self) -> Vec<FeatureEvent> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Sink for Recorder {
    fn emit(&self, event: FeatureEvent) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}
