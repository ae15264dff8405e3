//! One request to the model: on record before it is made, bounded, and made again where that may help.

use super::audience::Event;
use super::model::{Answer, Fault, ModelError, Piece, Request, Tokens, Tool};
use super::turn::{End, Worker, WorkerError};
use super::{retry, shown};
use crate::feature::call::Cancel;
use crate::pod::session::said::Usage;
use crate::pod::session::{Answered, Asked};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

/// What became of asking.
pub(super) enum Came {
    /// An answer, which is on record.
    Said(Said),
    /// None; the turn ends.
    Nothing(End),
}

/// An answer.
pub(super) struct Said {
    /// The line of its request.
    pub request: u64,
    pub text: String,
    /// The model's name for the call, the tool, the arguments.
    pub calls: Vec<(String, String, Value)>,
    /// Whether it was longer than it may be.
    pub is_cut: bool,
}

/// What was heard of an answer so far.
struct Heard<'a> {
    worker: &'a Worker<'a>,
    text: String,
    bytes: usize,
    /// Whether anybody saw something of it.
    is_seen: bool,
    is_too_long: bool,
}

impl Heard<'_> {
    fn take(&mut self, piece: Piece<'_>) -> ControlFlow<()> {
        let most = self.worker.settings.max_output;
        let room = most.saturating_sub(self.bytes);
        let (Piece::Text(text) | Piece::Thought(text)) = piece else {
            let Piece::Call(bytes) = piece else { return ControlFlow::Continue(()) };
            return self.count(bytes, most);
        };
        let told = &text[..shown::boundary(text, room)];
        if !told.is_empty() {
            self.is_seen = true;
            match piece {
                Piece::Text(_) => {
                    self.text.push_str(told);
                    self.worker.audience.hear(Event::Text(told));
                }
                _ => self.worker.audience.hear(Event::Thought(told)),
            }
        }
        self.count(text.len(), most)
    }

    fn count(&mut self, bytes: usize, most: usize) -> ControlFlow<()> {
        self.bytes = self.bytes.saturating_add(bytes);
        self.is_too_long = self.bytes > most;
        if self.is_too_long { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

impl Worker<'_> {
    /// Asks the model about everything that it sees. The answer is on record when it is given back.
    pub(super) fn ask(&self, tools: &[Tool], cancel: &Cancel) -> Result<Came, WorkerError> {
        let (session, settings) = (self.session, self.settings);
        let asked = Asked {
            provider: self.model.provider().to_owned(),
            model: self.model.name().to_owned(),
            tools: (!tools.is_empty()).then(|| definitions(tools)),
            settings: settings.max_tokens.map(|most| json!({ "max_tokens": most })),
        };
        let mut attempt = 0;
        loop {
            let request = session.append_request(&asked)?;
            let messages = session.transcript()?;
            let (text, bytes) = (String::new(), 0);
            let mut heard = Heard { worker: self, text, bytes, is_seen: false, is_too_long: false };
            let question = Request { messages, tools, max_tokens: settings.max_tokens };
            let came = self.model.ask(question, &mut |piece| heard.take(piece), cancel);
            let Heard { text, is_seen, is_too_long, .. } = heard;
            let error = match came.and_then(told_apart) {
                Ok(answer) => return self.keep(request, text, answer),
                Err(_) if is_too_long => return self.keep_cut(request, text),
                Err(_) if cancel.is_cancelled() => {
                    self.keep_cancelled(request, &text)?;
                    return Ok(Came::Nothing(End::Cancelled));
                }
                Err(error) => error,
            };
            let problem = error.diagnostic();
            session.append_trouble(Some(request), vec![problem.clone()])?;
            let Some(wait) = retry::wait(&error, attempt, settings.retries) else {
                return Ok(Came::Nothing(End::Failed(problem)));
            };
            let (problem, is_discarded) = (&problem, is_seen);
            self.audience.hear(Event::Retry { problem, wait, is_discarded });
            settings.pause.pause(wait, cancel);
            if cancel.is_cancelled() {
                return Ok(Came::Nothing(End::Cancelled));
            }
            attempt += 1;
        }
    }

    fn keep(&self, request: u64, text: String, answer: Answer) -> Result<Came, WorkerError> {
        let Answer { calls, opaque, stop, is_full, tokens } = answer;
        let answered = Answered { text: text.clone(), calls: calls.clone(), opaque, stop };
        self.session.append_assistant(request, &answered)?;
        match tokens {
            Some(tokens) => self.count(request, tokens)?,
            None => self.context.store(self.estimate()?, Ordering::Relaxed),
        }
        if is_full {
            let problem = ModelError::new(
                Fault::Enough,
                "the answer ends where the provider lets it be no longer",
            );
            self.audience.hear(Event::Problem(&problem.diagnostic()));
        }
        self.audience.hear(Event::Answered { text: &text });
        Ok(Came::Said(Said { request, text, calls, is_cut: false }))
    }

    /// An answer without an end: what came of it stands, with a word that it was cut. Its calls do not.
    fn keep_cut(&self, request: u64, text: String) -> Result<Came, WorkerError> {
        let most = self.settings.max_output;
        let message = format!("the answer was longer than {most} bytes, and was cut");
        let text = format!("{text}\n[cut: {message}]");
        let stop = Some("cut".to_owned());
        let answered = Answered { text: text.clone(), stop, ..Answered::default() };
        self.session.append_assistant(request, &answered)?;
        let problem = ModelError::new(Fault::Enough, message).diagnostic();
        self.audience.hear(Event::Problem(&problem));
        self.audience.hear(Event::Answered { text: &text });
        Ok(Came::Said(Said { request, text, calls: Vec::new(), is_cut: true }))
    }

    fn keep_cancelled(&self, request: u64, text: &str) -> Result<(), WorkerError> {
        if text.is_empty() {
            let problem = ModelError::new(Fault::Cancelled, "the turn was cancelled").diagnostic();
            self.session.append_trouble(Some(request), vec![problem])?;
        } else {
            // A person saw it, and may refer to it.
            let (text, stop) = (text.to_owned(), Some("cancelled".to_owned()));
            self.session
                .append_assistant(request, &Answered { text, stop, ..Answered::default() })?;
        }
        Ok(())
    }

    fn count(&self, request: u64, tokens: Tokens) -> Result<(), WorkerError> {
        let Tokens { input, output, cached } = tokens;
        self.session.append_usage(Usage { request, input, output, cached })?;
        self.context.store(input.saturating_add(output), Ordering::Relaxed);
        self.audience.hear(Event::Usage(tokens));
        *self.spent() += tokens;
        Ok(())
    }
}

/// Tools as the log has them.
fn definitions(tools: &[Tool]) -> Value {
    let tools = tools.iter().map(|tool| {
        let Tool { name, description, schema } = tool;
        json!({ "name": name, "description": description, "schema": schema })
    });
    tools.collect()
}

/// An answer whose calls have names that differ. A call that came twice is made once.
///
/// # Errors
///
/// Two calls of one tool have one name and other arguments: which of them is meant, nobody knows.
fn told_apart(mut answer: Answer) -> Result<Answer, ModelError> {
    let came = answer.calls.len();
    let mut places: HashMap<(String, String), usize> = HashMap::new();
    let mut calls: Vec<(String, String, Value)> = Vec::with_capacity(came);
    for (id, tool, arguments) in answer.calls {
        let place = *places.entry((id.clone(), tool.clone())).or_insert(calls.len());
        match calls.get_mut(place).filter(|_| !id.is_empty()) {
            None => calls.push((id, tool, arguments)),
            Some((.., known)) if *known == arguments => {}
            // What is no JSON is the beginning of the call that follows.
            Some((.., known)) if known.is_string() => *known = arguments,
            Some(_) => {
                let message = format!(
                    "the model calls `{tool}` with two sets of arguments under the one name `{id}`"
                );
                return Err(ModelError::new(Fault::Malformed, message));
            }
        }
    }
    let mut is_changed = calls.len() < came;
    let mut known = HashSet::new();
    for (index, (id, ..)) in calls.iter_mut().enumerate() {
        let mut name = id.clone();
        let mut number = index + 1;
        while name.is_empty() || known.contains(&name) {
            name = format!("{id}call-{number}");
            number += 1;
        }
        is_changed |= name != *id;
        known.insert(name.clone());
        *id = name;
    }
    if is_changed {
        // What the provider wants to see again has the calls as they came.
        answer.opaque = None;
    }
    Ok(Answer { calls, ..answer })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(calls: &[(&str, &str, Value)]) -> Result<Answer, ModelError> {
        let calls = calls
            .iter()
            .map(|(id, tool, arguments)| ((*id).to_owned(), (*tool).to_owned(), arguments.clone()));
        let opaque = Some(Value::Null);
        told_apart(Answer { calls: calls.collect(), opaque, ..Answer::default() })
    }

    #[test]
    fn calls_of_one_name_are_told_apart() {
        let null = || Value::Null;
        let answer = called(&[("a", "t", null()), ("", "t", null()), ("a", "u", null())]);
        let answer = answer.expect("three calls");
        let names: HashSet<_> = answer.calls.iter().map(|(id, ..)| id.as_str()).collect();
        assert_eq!(names.len(), 3, "{names:?}");
        assert!(names.contains("a") && !names.contains("") && answer.opaque.is_none());
        assert_eq!(called(&[("", "t", null()), ("", "t", null())]).expect("it").calls.len(), 2);
        let answer = called(&[("a", "t", null()), ("b", "t", null())]).expect("two calls");
        assert!(answer.calls.len() == 2 && answer.opaque.is_some());
    }

    #[test]
    fn a_call_that_came_twice_is_made_once() {
        let whole = || json!({ "text": "a" });
        for before in [whole(), "".into(), "{\"te".into()] {
            let answer = called(&[("a", "t", before), ("a", "t", whole())]).expect("one call");
            assert_eq!(answer.calls, [("a".to_owned(), "t".to_owned(), whole())]);
            assert!(answer.opaque.is_none());
        }
        let error = called(&[("a", "t", whole()), ("a", "t", json!({}))]).expect_err("which?");
        assert_eq!(error.fault, Fault::Malformed);
    }
}
