//! A turn as a person follows it: the model's text on standard output as it comes, everything about it on
//! standard error.

use super::super::ask::Asking;
use super::super::event::TerminalSink;
use super::super::output::{BAD, DIM, GOOD, Output, WARN, count, first_line, paint, safe};
use super::super::reload::Console;
use super::line::PROMPT;
use crate::feature::event::Sink;
use crate::feature::question::{Answer, Question};
use crate::worker::{Audience, Event};
use crate::workspace::reload::{Reload, ReloadObserver};
use serde_json::Value;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Most characters of arguments and of results in one line.
const MOST_SHORT: usize = 100;

/// Shows turns.
pub(super) struct Screen<'a> {
    state: Mutex<State<'a>>,
    sink: Arc<TerminalSink>,
}

struct State<'a> {
    output: Output,
    asking: Asking<'a>,
    /// Whether a line of the model's text has no end yet.
    is_open: bool,
    is_thinking: bool,
}

impl<'a> Screen<'a> {
    pub fn new(output: Output, asking: Asking<'a>) -> Self {
        let sink = Arc::new(TerminalSink::new(&output));
        let state = State { output, asking, is_open: false, is_thinking: false };
        Self { state: Mutex::new(state), sink }
    }

    fn state(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State<'_> {
    /// Ends the line of the model's text.
    fn close(&mut self) {
        if std::mem::take(&mut self.is_open) {
            self.output.say_part("\n");
        }
        self.is_thinking = false;
    }

    fn tell(&mut self, line: impl std::fmt::Display) {
        self.close();
        self.output.tell(line);
    }
}

impl Audience for Screen<'_> {
    fn hear(&self, event: Event<'_>) {
        let mut state = self.state();
        match event {
            Event::Request(_) => {}
            Event::Text(text) => {
                state.is_thinking = false;
                state.is_open = !text.ends_with('\n');
                state.output.say_part(text);
            }
            Event::Thought(_) => {
                if !std::mem::replace(&mut state.is_thinking, true) {
                    state.output.tell(paint(DIM, "thinking …"));
                }
            }
            Event::Answered { .. } => state.close(),
            Event::Retry { problem, wait, is_discarded } => {
                let again = match is_discarded {
                    true => "; what was said does not count, the answer begins anew",
                    false => "",
                };
                state.tell(format_args!(
                    "{} {}{again} (in {})",
                    paint(WARN, "again:"),
                    safe(&problem.message),
                    time(wait),
                ));
            }
            Event::CallBegins { tool, arguments, .. } => {
                state.tell(format_args!(
                    "{} {} {}",
                    paint(DIM, "→"),
                    safe(tool),
                    paint(DIM, brief(arguments)),
                ));
            }
            Event::CallEnds { tool, shown, is_error, elapsed, .. } => {
                self.sink.finish();
                let mark = match is_error {
                    true => paint(BAD, "✗"),
                    false => paint(GOOD, "←"),
                };
                let text = short(shown);
                let took = paint(DIM, format_args!("({})", time(elapsed)));
                state.tell(format_args!("{mark} {} {text} {took}", safe(tool)));
            }
            Event::Notice(text) => {
                state.tell(format_args!("{} {}", paint(WARN, "notice:"), short(text)));
            }
            Event::Problem(problem) => {
                state.close();
                state.output.tell_picture(problem, None);
            }
            Event::Usage(_) => {}
            Event::Compacted(facts) => {
                state.tell(format_args!(
                    "{} a summary stands in the place of {}; the log keeps all",
                    paint(DIM, "compacted:"),
                    count(facts, "message"),
                ));
            }
            Event::Ended(end) => {
                state.close();
                if let Some(problem) = end.problem() {
                    state.output.tell_picture(&problem, None);
                }
            }
        }
    }

    fn ask(&self, question: &Question) -> Option<Answer> {
        self.sink.finish();
        let mut state = self.state();
        state.close();
        let State { output, asking, .. } = &mut *state;
        match asking.answer(question, output) {
            Ok(true) => asking.answers().last().cloned(),
            Ok(false) => None,
            Err(problem) => {
                output.tell_picture(&problem, None);
                None
            }
        }
    }

    fn sink(&self) -> Arc<dyn Sink> {
        Arc::clone(&self.sink) as Arc<dyn Sink>
    }
}

/// Arguments in one line: `text="a b" n=3`.
fn brief(arguments: &Value) -> String {
    let text = match arguments {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{name}={value}"));
            fields.collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    };
    short(&text)
}

/// The first line of a text, or its beginning.
pub(super) fn short(text: &str) -> String {
    let line = first_line(text);
    let cut: String = line.chars().take(MOST_SHORT).collect();
    let is_whole = cut.len() == line.len() && text.trim_end().lines().count() <= 1;
    if is_whole { cut } else { format!("{cut}…") }
}

pub(super) fn time(time: Duration) -> String {
    match time.as_millis() {
        millis if millis < 10_000 => format!("{millis} ms"),
        millis => format!("{} s", millis / 1_000),
    }
}

/// Tells of something beside a line that is being written; `waiting` says whether one is.
pub(super) fn beside(waiting: &AtomicBool, tell: impl FnOnce()) {
    let is_beside = waiting.load(Ordering::Acquire) && std::io::stderr().is_terminal();
    if is_beside {
        eprintln!();
    }
    tell();
    if is_beside {
        // What was written so far shows again with the next key.
        eprint!("{PROMPT}");
        let _ = std::io::stderr().flush();
    }
}

/// Tells of reloads beside a line that is being written.
pub(super) struct Announcer {
    console: Arc<Console>,
    waiting: Arc<AtomicBool>,
}

impl Announcer {
    pub fn new(console: Arc<Console>, waiting: Arc<AtomicBool>) -> Self {
        Self { console, waiting }
    }
}

impl ReloadObserver for Announcer {
    fn reloaded(&self, reload: &Reload<'_>) {
        beside(&self.waiting, || self.console.reloaded(reload));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_call_fits_in_a_line() {
        assert_eq!(brief(&json!({ "text": "a\nb", "n": 3 })), r#"text="a\nb" n=3"#);
        assert_eq!(short("one\ntwo"), "one…");
        assert_eq!(short("one\n"), "one");
        assert_eq!(short(&"x".repeat(200)).chars().count(), MOST_SHORT + 1);
        assert_eq!(short("\u{1b}[2Jx"), "\u{fffd}[2Jx");
    }
}
