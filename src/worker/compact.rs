//! A long session made short: the model writes a summary, which takes the place of what it summarises.
//!
//! The log keeps everything. The summary's reason is the request that it was written at, and the
//! question for it is on record as well, for the model saw it.

use super::attempt::{Came, Said};
use super::audience::Event;
use super::model::{Fault, ModelError, Tool};
use super::shown;
use super::turn::{End, Stopped, Worker, WorkerError};
use crate::feature::call::Cancel;
use crate::pod::session::{Content, Reason, SessionError};
use std::sync::atomic::Ordering;

/// The host's word for what it adds.
const COMPACTION: &str = "worker/compaction";

/// What the model is asked for.
const QUESTION: &str = "This conversation has become long, and what you write now will stand in its place. \
Write down everything that is needed to go on: what the user wants, what was found out and decided, names, \
paths and figures that matter, what was done, and what is to be done next. Call no tool.";

/// The number of the request for a summary, as hooks see it: it is none of those of the turn.
const SUMMARY: u64 = 0;

/// What stands where no summary came.
const NONE: &str = "(A summary was asked for here, and none came.)";

/// A session with less is left as it is.
const LEAST: usize = 4;

/// About how many bytes a model reads as one token.
const TOKEN: u64 = 4;

/// What became of making a session short.
pub(super) enum Compacted {
    /// A summary stands in the place of so many messages; 0 where there is none.
    By(u64),
    /// A hook stopped the request for it.
    Stopped(Stopped),
}

impl Worker<'_> {
    /// Whether the session has grown so long that it should be summarised, and by a fifth since that last
    /// failed.
    pub(super) fn is_long(&self) -> bool {
        let (context, failed) = (self.context(), self.unsummarised());
        let least = failed.saturating_add(failed / 5);
        self.settings.compact_at.is_some_and(|most| context >= most && context >= least)
    }

    /// About how many tokens the model sees, where its provider counts none.
    pub(super) fn estimate(&self) -> Result<u64, WorkerError> {
        let mut bytes = 0;
        for message in self.session.transcript()? {
            bytes += match message.map_err(SessionError::from)?.content {
                Content::Instructions { text }
                | Content::Notice { text }
                | Content::Summary { text, .. } => text.len(),
                Content::User { content: value } | Content::ToolResult { shown: value, .. } => {
                    shown::text_of(&value).len()
                }
                Content::Assistant { text, calls, .. } => {
                    let calls = calls.iter().map(|call| call.arguments.to_string().len());
                    text.len() + calls.sum::<usize>()
                }
            } as u64;
        }
        Ok(bytes / TOKEN)
    }

    /// Has the model write a summary of everything but the instructions, and puts it in its place. Says
    /// how many messages that were; 0 where there is too little, no summary came, or a hook stopped the request.
    ///
    /// # Errors
    ///
    /// The log cannot be read or written.
    pub fn compact(&self, cancel: &Cancel) -> Result<u64, WorkerError> {
        match self.compact_with("", &self.tools(&self.pod.moment()), cancel)? {
            Compacted::By(facts) => Ok(facts),
            Compacted::Stopped(Stopped { reason, .. }) => {
                if let Some(problem) = End::Stopped(reason).problem() {
                    self.audience.hear(Event::Problem(&problem));
                }
                Ok(0)
            }
        }
    }

    /// The same; `written` is what the person wrote last, for the hooks that may stop the request.
    pub(super) fn compact_with(
        &self,
        written: &str,
        tools: &[Tool],
        cancel: &Cancel,
    ) -> Result<Compacted, WorkerError> {
        if self.span()?.1 < LEAST {
            return Ok(Compacted::By(0));
        }
        if let Some(stopped) = self.before(written, tools, SUMMARY, cancel)? {
            return Ok(Compacted::Stopped(stopped));
        }
        // What the hooks say is summarised as well.
        let (from, facts) = self.span()?;
        let context = self.context();
        let host = || Reason::Host(COMPACTION.to_owned());
        self.session.append_notice(QUESTION, host())?;
        let came = self.ask(tools, cancel)?;
        let problem = match came {
            Came::Said(said) => {
                let heard = self.answered(&said, cancel);
                let Said { request, text, calls, is_cut } = said;
                // Calls in the place of a summary are not made, and need no results: nothing of this
                // answer is left.
                let count = facts + 2;
                if !text.trim().is_empty() && calls.is_empty() && !is_cut {
                    let because = Reason::Request(request);
                    self.session.append_compaction(from, count, text.trim(), because)?;
                    self.context.store(0, Ordering::Relaxed);
                    self.unsummarised.store(0, Ordering::Relaxed);
                    self.audience.hear(Event::Compacted(facts as u64));
                    self.tell(heard)?;
                    return Ok(Compacted::By(facts as u64));
                }
                for (id, ..) in &calls {
                    self.session.append_tool_answer(id, &NONE.into(), host())?;
                }
                let left = 2 + calls.len();
                self.session.append_compaction(from + facts, left, NONE, host())?;
                self.tell(heard)?;
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
        self.context.store(context, Ordering::Relaxed);
        self.unsummarised.store(context, Ordering::Relaxed);
        self.audience.hear(Event::Problem(&problem));
        Ok(Compacted::By(0))
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
