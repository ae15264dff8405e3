//! What goes on in sub-pods while a chat is open: one line for each call, and what it costs. Nothing here
//! decides anything.

use super::super::output::{BAD, DIM, GOOD, Output, paint, safe};
use super::json::{self, Out};
use super::screen::{beside, short, time};
use crate::worker::{Event, Follower, Tokens};
use serde_json::json;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Follows the sub-pods of a chat.
pub(super) struct Below {
    /// The session of the chat, which theirs begin with.
    session: String,
    spent: Mutex<Tokens>,
    shown: Shown,
    /// Whether a line is being written, where lines are.
    waiting: OnceLock<Arc<AtomicBool>>,
}

enum Shown {
    Lines(Mutex<Output>),
    Json(Arc<Out>),
}

impl Below {
    /// For a person.
    pub fn new(session: &str, output: Output) -> Self {
        Self::with(session, Shown::Lines(Mutex::new(output)))
    }

    /// For a program.
    pub fn as_json(session: &str, out: Arc<Out>) -> Self {
        Self::with(session, Shown::Json(out))
    }

    fn with(session: &str, shown: Shown) -> Self {
        let (spent, waiting) = Default::default();
        Self { session: format!("{session}."), spent, shown, waiting }
    }

    /// From now on lines are written.
    pub fn beside(&self, waiting: Arc<AtomicBool>) {
        let _ = self.waiting.set(waiting);
    }

    /// What all of them cost since the chat was opened.
    pub fn spent(&self) -> Tokens {
        *self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, output: &Mutex<Output>, line: String) {
        let tell = || output.lock().unwrap_or_else(PoisonError::into_inner).tell(line);
        match self.waiting.get() {
            Some(waiting) => beside(waiting, tell),
            None => tell(),
        }
    }
}

impl Follower for Below {
    fn hear(&self, session: &str, event: &Event<'_>) {
        if let Event::Usage(tokens) = event {
            *self.spent.lock().unwrap_or_else(PoisonError::into_inner) += *tokens;
        }
        let output = match &self.shown {
            Shown::Lines(output) => output,
            Shown::Json(out) => {
                // Pieces of answers that come side by side can be told by nobody; each comes whole.
                if !matches!(event, Event::Text(_) | Event::Thought(_)) {
                    let said = json::line_of(event);
                    out.say(&json!({ "event": "sub_pod", "session": session, "said": said }));
                }
                return;
            }
        };
        let name = safe(session.strip_prefix(&self.session).unwrap_or(session));
        match event {
            Event::CallEnds { tool, shown, is_error, elapsed, .. } => {
                let mark = if *is_error { paint(BAD, "✗") } else { paint(GOOD, "←") };
                let took = paint(DIM, format_args!("({})", time(*elapsed)));
                let name = paint(DIM, name);
                self.tell(output, format!("{name} {mark} {} {} {took}", safe(tool), short(shown)));
            }
            Event::Ended(end) => {
                if let Some(problem) = end.problem() {
                    let (name, mark) = (paint(DIM, name), paint(BAD, "✗"));
                    self.tell(output, format!("{name} {mark} {}", safe(&problem.message)));
                }
            }
            _ => {}
        }
    }
}
