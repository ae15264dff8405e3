//! One turn: the model is asked, its tools are called, and again, until it calls none.

use super::attempt::{Came, Said};
use super::audience::{Audience, Event};
use super::compact::Compacted;
use super::model::{Model, Tokens, Tool};
use super::settings::WorkerSettings;
use crate::diagnostic::Diagnostic;
use crate::feature::call::Cancel;
use crate::feature::catalog::CallOptions;
use crate::feature::hook_event::{AgentCall, PostAssistant, PreRequest, TurnEnd};
use crate::pod::session::{Reason, Session, SessionError};
use crate::pod::{EndVerdict, Heard, Moment, Pod, RequestVerdict};
use serde_json::Value;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Why a turn could not be brought to an end: what happens cannot be put on record.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The session's log cannot be read or written.
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl WorkerError {
    /// The problem as data.
    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            Self::Session(error) => error.diagnostic(),
        }
    }
}

/// How a turn ended.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// The model called no more tools.
    Done,
    /// A hook stopped a request; why, as it says.
    Stopped(String),
    /// The turn was cancelled.
    Cancelled,
    /// The model called tools as often as it may, and would call more.
    Rounds(u64),
    /// The last answer was too long and was cut.
    Cut,
    /// The model cannot be asked.
    Failed(Diagnostic),
}

impl End {
    /// One word, as the log has it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Stopped(_) => "stopped",
            Self::Cancelled => "cancelled",
            Self::Rounds(_) => "rounds",
            Self::Cut => "cut",
            Self::Failed(_) => "failed",
        }
    }

    /// The problem as data; `None` where there is none.
    pub fn problem(&self) -> Option<Diagnostic> {
        Some(match self {
            Self::Done | Self::Cut => return None,
            Self::Stopped(reason) => {
                Diagnostic::operator("hook/stopped", format!("the request was stopped: {reason}"))
            }
            Self::Cancelled => Diagnostic::caller("worker/cancelled", "the turn was cancelled"),
            Self::Rounds(most) => Diagnostic::operator(
                "worker/rounds",
                format!("the turn ends: the model was asked {most} times, and would go on"),
            )
            .help("say `go on`, or set `max_rounds` below `[chat]` of the settings"),
            Self::Failed(problem) => problem.clone(),
        })
    }
}

/// What came of a turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Turned {
    /// How it ended.
    pub end: End,
    /// The last text of the model.
    pub text: String,
    /// How often the model was asked.
    pub rounds: u64,
    /// How many tools it called.
    pub calls: u64,
    /// What it cost, where the provider says so.
    pub tokens: Tokens,
}

/// What stands where a person's message was that a hook stopped.
const WITHHELD: &str = "(A message of the user was stopped by a hook, and is not shown.)";

/// What stands where one was whose turn was cancelled before it was sent.
const UNSENT: &str = "(A message of the user was taken back before it was sent, and is not shown.)";

/// The host's word for that.
const CANCELLED: &str = "worker/cancelled";

/// A request that a hook stopped.
pub(super) struct Stopped {
    /// Why, as it says.
    pub reason: String,
    /// The event, as the log has it.
    pub because: Reason,
}

/// A session in the hands of a model and a person. Cheap to make; holds nothing of the session's
/// messages.
pub struct Worker<'a> {
    pub(super) pod: &'a Pod,
    pub(super) session: &'a Session,
    pub(super) model: &'a dyn Model,
    pub(super) settings: &'a WorkerSettings,
    pub(super) audience: &'a dyn Audience,
    /// How many turns came before.
    turns: u64,
    /// How many tokens the session had at the latest request.
    pub(super) context: AtomicU64,
    /// How many it had when no summary came; 0 where that never happened.
    pub(super) unsummarised: AtomicU64,
    spent: Mutex<Tokens>,
}

impl<'a> Worker<'a> {
    /// A worker for a session of this pod.
    pub fn new(
        pod: &'a Pod,
        session: &'a Session,
        model: &'a dyn Model,
        settings: &'a WorkerSettings,
        audience: &'a dyn Audience,
    ) -> Self {
        let (turns, context, unsummarised, spent) = Default::default();
        Self { pod, session, model, settings, audience, turns, context, unsummarised, spent }
    }

    /// The same, where `turns` turns came before and the session has `context` tokens.
    #[must_use]
    pub fn after(mut self, turns: u64, context: u64) -> Self {
        self.turns = turns;
        self.context = context.into();
        self
    }

    /// The same, where no summary came when the session had `context` tokens.
    #[must_use]
    pub fn unsummarised_at(mut self, context: u64) -> Self {
        self.unsummarised = context.into();
        self
    }

    /// How many tokens the session had when it could not be summarised; 0 where that did not happen.
    pub fn unsummarised(&self) -> u64 {
        self.unsummarised.load(Ordering::Relaxed)
    }

    /// How many tokens the session had at the latest request; 0 where nobody knows.
    pub fn context(&self) -> u64 {
        self.context.load(Ordering::Relaxed)
    }

    pub(super) fn spent(&self) -> MutexGuard<'_, Tokens> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a turn about what a person wrote. Where a hook stops its first request, the model does not
    /// see it later either.
    ///
    /// # Errors
    ///
    /// What happens cannot be put on record. What was on record before stands.
    pub fn turn(&self, text: &str, cancel: &Cancel) -> Result<Turned, WorkerError> {
        let at = self.session.transcript()?.len();
        self.session.append_user(&text.into())?;
        self.take(text, Some(at), cancel)
    }

    /// Takes a turn about what stands. `text` is what the person wrote last, for hooks; what they stop
    /// goes on standing.
    ///
    /// # Errors
    ///
    /// As [`Self::turn`].
    pub fn go_on(&self, text: &str, cancel: &Cancel) -> Result<Turned, WorkerError> {
        self.take(text, None, cancel)
    }

    /// Takes a turn. `unsent` is where the message stands that no hook has seen yet.
    fn take(
        &self,
        text: &str,
        unsent: Option<usize>,
        cancel: &Cancel,
    ) -> Result<Turned, WorkerError> {
        *self.spent() = Tokens::default();
        let (tokens, last) = Default::default();
        let mut turned = Turned { end: End::Done, text: last, rounds: 0, calls: 0, tokens };
        turned.end = self.rounds(text, unsent, &mut turned, cancel)?;
        turned.tokens = *self.spent();
        if let Some(problem) = turned.end.problem().filter(|_| !is_told(&turned.end)) {
            self.session.append_trouble(None, vec![problem])?;
        }
        self.session.append_turn_end(turned.end.word())?;
        self.audience.hear(Event::Ended(&turned.end));
        Ok(turned)
    }

    fn rounds(
        &self,
        written: &str,
        mut unsent: Option<usize>,
        turned: &mut Turned,
        cancel: &Cancel,
    ) -> Result<End, WorkerError> {
        let mut again = 0;
        loop {
            if cancel.is_cancelled() {
                // No hook saw what the person wrote, and none will.
                self.withhold(unsent, UNSENT, Reason::Host(CANCELLED.to_owned()))?;
                return Ok(End::Cancelled);
            }
            if turned.rounds >= self.settings.max_rounds {
                return Ok(End::Rounds(turned.rounds));
            }
            // What the model is offered now is what it calls, whatever is saved meanwhile.
            let moment = self.pod.moment();
            let tools = self.tools(&moment);
            if self.is_long() {
                match self.compact_with(written, &tools, cancel)? {
                    Compacted::By(0) => {}
                    // The hooks let it through, and it is part of the summary.
                    Compacted::By(_) => unsent = None,
                    Compacted::Stopped(stopped) => return self.stop(stopped, unsent),
                }
                if cancel.is_cancelled() {
                    return Ok(End::Cancelled);
                }
            }
            turned.rounds += 1;
            if let Some(stopped) = self.before(written, &tools, turned.rounds, cancel)? {
                return self.stop(stopped, unsent);
            }
            unsent = None;
            self.audience.hear(Event::Request(turned.rounds));
            let said = match self.ask(&tools, cancel)? {
                Came::Said(said) => said,
                Came::Nothing(end) => return Ok(end),
            };
            let heard = self.answered(&said, cancel);
            turned.text.clone_from(&said.text);
            turned.calls += said.calls.len() as u64;
            if !said.calls.is_empty() {
                self.run_calls(&moment, &said.calls, cancel)?;
                self.tell(heard)?;
                continue;
            }
            self.tell(heard)?;
            if said.is_cut {
                return Ok(End::Cut);
            }
            let Some(reason) = self.ends(&said.text, again, cancel)? else { return Ok(End::Done) };
            again += 1;
            self.audience.hear(Event::Notice(&reason));
        }
    }

    /// The tools of a moment, as the model reads them.
    pub(super) fn tools(&self, moment: &Moment) -> Vec<Tool> {
        let tools = moment.catalog().tools().map(|tool| {
            let tool = tool.declaration();
            let description = match &tool.title {
                Some(title) if tool.description.is_empty() => title.clone(),
                _ => tool.description.clone(),
            };
            let schema = tool.parameters.to_json_schema();
            Tool { name: tool.name.as_str().to_owned(), description, schema }
        });
        tools.collect()
    }

    fn options(&self, cancel: &Cancel) -> CallOptions {
        let sink = self.audience.sink();
        CallOptions { sink, cancel: cancel.clone(), ..CallOptions::default() }
    }

    /// Ends a turn that a hook stopped. What the person wrote is taken from the model, where no hook let
    /// it through.
    fn stop(&self, stopped: Stopped, unsent: Option<usize>) -> Result<End, WorkerError> {
        self.withhold(unsent, WITHHELD, stopped.because)?;
        Ok(End::Stopped(stopped.reason))
    }

    /// Puts a word in the place of a message that no hook let through, so that it goes out with no later
    /// request, of which the hooks see another text.
    fn withhold(
        &self,
        unsent: Option<usize>,
        word: &str,
        because: Reason,
    ) -> Result<(), WorkerError> {
        if let Some(at) = unsent {
            self.session.append_compaction(at, 1, word, because)?;
        }
        Ok(())
    }

    /// Asks the hooks whether the request is made, and says what they stop it with.
    pub(super) fn before(
        &self,
        written: &str,
        tools: &[Tool],
        request: u64,
        cancel: &Cancel,
    ) -> Result<Option<Stopped>, WorkerError> {
        let event = PreRequest {
            model: self.model.name().to_owned(),
            messages: self.session.transcript()?.len() as u64,
            text: written.to_owned(),
            tools: tools.iter().map(|tool| tool.name.clone()).collect(),
            request,
        };
        let (verdict, heard) = self.pod.pre_request(&event, self.options(cancel));
        let because = because(&heard);
        self.tell(heard)?;
        Ok(match verdict {
            RequestVerdict::Proceed => None,
            RequestVerdict::Stop { reason } => Some(Stopped { reason, because }),
        })
    }

    /// Tells the hooks of an answer.
    pub(super) fn answered(&self, said: &Said, cancel: &Cancel) -> Heard {
        let tool_calls = said.calls.iter().map(|(_, tool, arguments)| AgentCall {
            tool: tool.clone(),
            args: match arguments {
                Value::Object(args) => args.clone(),
                _ => serde_json::Map::new(),
            },
        });
        let event = PostAssistant {
            model: self.model.name().to_owned(),
            text: said.text.clone(),
            tool_calls: tool_calls.collect(),
        };
        self.pod.post_assistant(&event, self.options(cancel))
    }

    /// Asks the hooks whether the turn ends; gives the reason, which the model sees, where it goes on.
    fn ends(&self, text: &str, again: u64, cancel: &Cancel) -> Result<Option<String>, WorkerError> {
        let event = TurnEnd { text: text.to_owned(), turns: self.turns + 1, again };
        let (verdict, heard) = self.pod.turn_end(&event, self.options(cancel));
        let because = because(&heard);
        self.tell(heard)?;
        match verdict {
            EndVerdict::End => Ok(None),
            EndVerdict::Again { reason } => {
                self.session.append_notice(&reason, because)?;
                Ok(Some(reason))
            }
        }
    }

    /// Puts on record, and tells, what hooks say beside what they decide.
    pub(super) fn tell(&self, heard: Heard) -> Result<(), WorkerError> {
        for problem in &heard.diagnostics {
            self.audience.hear(Event::Problem(problem));
        }
        for text in &heard.notices {
            self.session.append_notice(text, because(&heard))?;
            self.audience.hear(Event::Notice(text));
        }
        Ok(())
    }
}

/// Why the model sees what hooks say: their event is on record.
fn because(heard: &Heard) -> Reason {
    match &heard.event {
        Some(event) => Reason::Call(event.clone()),
        None => Reason::Host("hook".to_owned()),
    }
}

/// Whether the log says of an end what was wrong already.
fn is_told(end: &End) -> bool {
    matches!(end, End::Failed(_) | End::Cancelled)
}
