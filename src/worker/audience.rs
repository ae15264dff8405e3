//! Who follows a turn: hears what happens, and is asked what a person decides.

use super::model::Tokens;
use super::turn::End;
use crate::diagnostic::Diagnostic;
use crate::feature::event::Sink;
use crate::feature::question::{Answer, Question};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// Something that happens in a turn. What it tells is on record already, but for the pieces of an answer
/// that is not whole yet.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// The model is asked; the number in this turn, from 1.
    Request(u64),
    /// A piece of its text.
    Text(&'a str),
    /// A piece of what it thinks.
    Thought(&'a str),
    /// A request came to nothing, and is made again after a while.
    Retry {
        /// What happened.
        problem: &'a Diagnostic,
        /// How long nothing is done.
        wait: Duration,
        /// Whether pieces of the answer were heard: they do not count, the answer begins anew.
        is_discarded: bool,
    },
    /// The answer is whole.
    Answered {
        /// Its text.
        text: &'a str,
    },
    /// A tool is about to be called.
    CallBegins {
        /// The model's name for the call.
        id: &'a str,
        /// The tool.
        tool: &'a str,
        /// What it is called with.
        arguments: &'a Value,
    },
    /// A call ended, and the model will see this of it.
    CallEnds {
        /// The model's name for the call.
        id: &'a str,
        /// The tool.
        tool: &'a str,
        /// What the model is shown.
        shown: &'a str,
        /// Whether the call failed.
        is_error: bool,
        /// How long it took.
        elapsed: Duration,
    },
    /// The model is shown a text.
    Notice(&'a str),
    /// Something went wrong that does not end the turn.
    Problem(&'a Diagnostic),
    /// What the latest request cost.
    Usage(Tokens),
    /// A summary takes the place of so many messages.
    Compacted(u64),
    /// The turn is over.
    Ended(&'a End),
}

/// Who follows a turn. It is told from the thread of the turn alone.
pub trait Audience: Sync {
    /// Hears what happens.
    fn hear(&self, event: Event<'_>);

    /// Asks a person. `None` where nobody can be asked; the model then reads that the call needs an
    /// answer.
    fn ask(&self, question: &Question) -> Option<Answer>;

    /// Where live events of features go.
    fn sink(&self) -> Arc<dyn Sink>;
}

/// Nobody: it hears nothing, and nobody can be asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Audience for Silent {
    fn hear(&self, _: Event<'_>) {}

    fn ask(&self, _: &Question) -> Option<Answer> {
        None
    }

    fn sink(&self) -> Arc<dyn Sink> {
        crate::feature::catalog::CallOptions::default().sink
    }
}
