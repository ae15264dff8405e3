//! A turn as a program follows it: one JSON object a line, on standard output.

use super::super::ask::Asking;
use super::super::output::Output;
use crate::feature::event::{FeatureEvent, Sink};
use crate::feature::question::{Answer, Question};
use crate::worker::{Audience, Event, Tokens, Turned};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};

/// Writes events.
pub(super) struct JsonLines<'a> {
    lines: Arc<Out>,
    asking: Mutex<Asking<'a>>,
}

/// Where lines go, each as a whole.
pub(super) struct Out(Mutex<Output>);

impl Out {
    pub fn new(output: Output) -> Arc<Self> {
        Arc::new(Self(Mutex::new(output)))
    }

    pub fn say(&self, value: &Value) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).say_json_line(value);
    }
}

impl Sink for Out {
    fn emit(&self, event: FeatureEvent) {
        self.say(&json!({ "event": "feature", "said": event }));
    }
}

impl<'a> JsonLines<'a> {
    pub fn new(lines: Arc<Out>, asking: Asking<'a>) -> Self {
        Self { lines, asking: Mutex::new(asking) }
    }

    /// Says which session it is.
    pub fn begin(&self, session: &str, model: &str) {
        self.lines.say(&json!({ "event": "session", "session": session, "model": model }));
    }

    /// Says what came of it all, and what sub-pods cost beside it.
    pub fn end(&self, turned: &Turned, below: Tokens) {
        let Turned { end, text, rounds, calls, tokens: spent } = turned;
        let mut line = json!({
            "event": "end",
            "why": end.word(),
            "text": text,
            "rounds": rounds,
            "calls": calls,
            "tokens": tokens(spent),
        });
        if below != Tokens::default() {
            line["sub_pods"] = tokens(&below);
        }
        if let Some(problem) = end.problem() {
            line["problem"] = serde_json::to_value(problem).unwrap_or_default();
        }
        self.lines.say(&line);
    }
}

fn tokens(tokens: &Tokens) -> Value {
    let Tokens { input, output, cached } = tokens;
    json!({ "input": input, "output": output, "cached": cached })
}

/// An event as a line.
pub(super) fn line_of(event: &Event<'_>) -> Value {
    match event {
        Event::Request(number) => json!({ "event": "request", "number": number }),
        Event::Text(text) => json!({ "event": "text", "text": text }),
        Event::Thought(text) => json!({ "event": "thought", "text": text }),
        Event::Answered { text } => json!({ "event": "answer", "text": text }),
        Event::Retry { problem, wait, is_discarded } => json!({
            "event": "retry",
            "problem": problem,
            "wait_ms": u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            "discarded": is_discarded,
        }),
        Event::CallBegins { id, tool, arguments } => {
            json!({ "event": "call", "id": id, "tool": tool, "arguments": arguments })
        }
        Event::CallEnds { id, tool, shown, is_error, elapsed } => json!({
            "event": "result",
            "id": id,
            "tool": tool,
            "shown": shown,
            "is_error": is_error,
            "elapsed_ms": u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        }),
        Event::Notice(text) => json!({ "event": "notice", "text": text }),
        Event::Problem(problem) => json!({ "event": "problem", "problem": problem }),
        Event::Usage(spent) => json!({ "event": "usage", "tokens": tokens(spent) }),
        Event::Compacted(facts) => json!({ "event": "compacted", "messages": facts }),
        Event::Ended(end) => {
            let mut line = json!({ "event": "end", "why": end.word() });
            if let Some(problem) = end.problem() {
                line["problem"] = serde_json::to_value(problem).unwrap_or_default();
            }
            line
        }
    }
}

impl Audience for JsonLines<'_> {
    fn hear(&self, event: Event<'_>) {
        // The last line says how it ended, with more.
        if !matches!(event, Event::Ended(_)) {
            self.lines.say(&line_of(&event));
        }
    }

    fn ask(&self, question: &Question) -> Option<Answer> {
        self.lines.say(&json!({ "event": "question", "question": question }));
        let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        let mut output = self.lines.0.lock().unwrap_or_else(PoisonError::into_inner);
        match asking.answer(question, &mut output) {
            Ok(true) => asking.answers().last().cloned(),
            Ok(false) => None,
            Err(problem) => {
                output.tell_picture(&problem, None);
                None
            }
        }
    }

    fn sink(&self) -> Arc<dyn Sink> {
        Arc::clone(&self.lines) as Arc<dyn Sink>
    }
}
