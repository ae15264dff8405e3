//! A long session made short: the model writes a summary, which takes the place of what it summarises.
//!
//! The log keeps everything. The summary's reason is the request that it was written at, and the
//! question for it is on record as well, for the model saw it.

use super::attempt::{Came, Said};
use super::audience::Event;
use super::model::{Fault, ModelError, Tool};
use super::turn::{End, Worker, WorkerError};
use crate::feature::call::Cancel;
use crate::pod::session::{Content, Reason, SessionError};
use std::sync::atomic::Ordering;

/// The host's word for what it adds.
const COMPACTION: &str = "worker/compaction";

/// What the model is asked for.
const QUESTION: &str = "This conversation has become long, and what you write now will stand in its place. \
Write down everything that is needed to go on: what the user wants, what was found out and decided, names, \
paths and figures that matter, what was done, and what is to be done next. Call no tool.";

/// What stands where no summary came.
const NONE: &str = "(A summary was asked for here, and none came.)";

/// A session with less is left as it is.
const LEAST: usize = 4;

impl Worker<'_> {
    /// Whether the session has grown so long that it should be summarised.
    pub(super) fn is_long(&self) -> bool {
        let context = self.context.load(Ordering::Relaxed);
        self.settings.compact_at.is_some_and(|most| context >= most)
    }

    /// Has the model write a summary of everything but the instructions, and puts it in its place. Says
    /// how many messages that were; 0 where there is too little, or no summary came.
    ///
    /// # Errors
    ///
    /// The log cannot be read or written.
    pub fn compact(&self, cancel: &Cancel) -> Result<u64, WorkerError> {
        self.compact_with(&self.tools(&self.pod.moment()), cancel)
    }

    pub(super) fn compact_with(&self, tools: &[Tool], cancel: &Cancel) -> Result<u64, WorkerError> {
        let (from, facts) = self.span()?;
        if facts < LEAST {
            return Ok(0);
        }
        let host = || Reason::Host(COMPACTION.to_owned());
        self.session.append_notice(QUESTION, host())?;
        let came = self.ask(tools, cancel)?;
        let problem = match came {
            Came::Said(Said { request, text, calls, is_cut }) => {
                // Calls in the place of a summary are not made, and need no results: nothing of this
                // answer is left.
                let count = facts + 2;
                if !text.trim().is_empty() && calls.is_empty() && !is_cut {
                    let because = Reason::Request(request);
                    self.session.append_compaction(from, count, text.trim(), because)?;
                    self.context.store(0, Ordering::Relaxed);
                    self.audience.hear(Event::Compacted(facts as u64));
                    return Ok(facts as u64);
                }
                for (id, ..) in &calls {
                    self.session.append_tool_answer(id, &NONE.into(), host())?;
                }
                let left = 2 + calls.len();
                self.session.append_compaction(from + facts, left, NONE, host())?;
                ModelError::new(Fault::Malformed, "the model wrote no summary").diagnostic()
            }
            Came::Nothing(end) => {
                // One that was cancelled may have left its beginning.
                let (_, now) = self.span()?;
                self.session.append_compaction(from + facts, now - facts, NONE, host())?;
                match end {
                    End::Failed(problem) => problem,
                    _ => ModelError::new(Fault::Cancelled, "there is no summary").diagnostic(),
                }
            }
        };
        // It is not tried at each request from here on.
        self.context.store(0, Ordering::Relaxed);
        self.audience.hear(Event::Problem(&problem));
        Ok(0)
    }

    /// Where what may be summarised begins, and how many messages it is.
    fn span(&self) -> Result<(usize, usize), WorkerError> {
        let mut transcript = self.session.transcript()?;
        let all = transcript.len();
        let mut from = 0;
        for message in &mut transcript {
            match message.map_err(SessionError::from)?.content {
                Content::Instructions { .. } => from += 1,
                _ => break,
            }
        }
        Ok((from, all - from))
    }
}
