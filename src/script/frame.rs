//! What the running call may say and ask: its context and its budgets for text, on this thread.
//!
//! Host modules reach it with [`with`]. It exists only while a call runs; a host function that is
//! reached outside of one (a constant folder, a stray engine) finds none and refuses.

use super::meter;
use crate::diagnostic::Diagnostic;
use crate::feature::call::{CallContext, Conditions};
use crate::feature::event::{EventBody, FeatureEvent};
use crate::feature::grant::GrantSet;
use crate::feature::id::ChannelName;
use crate::limit::Limit;
use rhai::{Dynamic, EvalAltResult, Position};
use std::cell::RefCell;
use std::sync::Arc;

/// A result as natives return it.
pub(crate) type Native<T = ()> = Result<T, Box<EvalAltResult>>;

/// The running call, as host modules see it.
pub(crate) struct Frame {
    context: CallContext,
    grants: Arc<GrantSet>,
    channels: Arc<[ChannelName]>,
    random: fastrand::Rng,
    events: u64,
    notifications: u64,
    log: u64,
    notices: Vec<String>,
    dropped: u64,
    decided: bool,
    diagnostics: Vec<Diagnostic>,
}

thread_local! {
    static FRAME: RefCell<Option<Frame>> = const { RefCell::new(None) };
}

/// What a call leaves behind beside its result.
pub(crate) struct Left {
    /// Text for the model, staged.
    pub notices: Vec<String>,
    /// Calls to `emit` and `notify` that went nowhere because the request was denied.
    pub dropped: u64,
    /// What a hook said beside its decision.
    pub diagnostics: Vec<Diagnostic>,
}

impl Frame {
    pub(crate) fn new(
        context: CallContext,
        grants: Arc<GrantSet>,
        channels: Arc<[ChannelName]>,
    ) -> Self {
        let random = fastrand::Rng::with_seed(context.conditions.seed);
        Self {
            context,
            grants,
            channels,
            random,
            events: 0,
            notifications: 0,
            log: 0,
            notices: Vec::new(),
            dropped: 0,
            decided: false,
            diagnostics: Vec::new(),
        }
    }

    pub(crate) fn grants(&self) -> &GrantSet {
        &self.grants
    }

    pub(crate) fn channels(&self) -> &[ChannelName] {
        &self.channels
    }

    pub(crate) fn random(&mut self) -> &mut fastrand::Rng {
        &mut self.random
    }

    pub(crate) fn conditions(&self) -> Conditions {
        self.context.conditions
    }

    /// Sends a live event, if the call's volume allows it.
    pub(crate) fn emit(&mut self, channel: Option<ChannelName>, body: EventBody) -> Native {
        let (spent, limit) = match &body {
            EventBody::Notice { .. } => (&mut self.notifications, Limit::Notifications),
            EventBody::Log { .. } => (&mut self.log, Limit::Log),
            EventBody::Message { .. } | EventBody::Progress { .. } => {
                (&mut self.events, Limit::Events)
            }
        };
        spend(spent, size(&body), limit, self.context.limits.get(limit))?;
        meter::handing_out(|| {
            let feature = (*self.context.feature).clone();
            self.context.sink.emit(FeatureEvent { feature, channel, body });
        });
        Ok(())
    }

    /// Stages a text for the model; it leaves with the outcome, if the call succeeds.
    pub(crate) fn stage(&mut self, text: String) -> Native {
        let bound = self.context.limits.get(Limit::Notifications);
        spend(&mut self.notifications, text.len() + MESSAGE_OVERHEAD, Limit::Notifications, bound)?;
        meter::hand_out(text.len() + MESSAGE_OVERHEAD);
        self.notices.push(text);
        Ok(())
    }

    /// Counts an `emit` or `notify` that a denied optional request turned into nothing.
    pub(crate) fn drop_silently(&mut self) {
        self.dropped += 1;
    }

    /// Remembers that the script made a decision.
    pub(crate) fn decided(&mut self) {
        self.decided = true;
    }

    /// Keeps what a hook says beside its decision.
    pub(crate) fn diagnose(&mut self, diagnostic: Diagnostic) -> Native {
        let bound = self.context.limits.get(Limit::Events);
        let bytes = diagnostic.message.len() + MESSAGE_OVERHEAD;
        spend(&mut self.events, bytes, Limit::Events, bound)?;
        meter::hand_out(bytes + size_of::<Diagnostic>());
        self.diagnostics.push(diagnostic);
        Ok(())
    }
}

/// What one message costs beside its text, so that a flood of empty ones ends too.
const MESSAGE_OVERHEAD: usize = 64;

fn size(body: &EventBody) -> usize {
    let text = match body {
        EventBody::Message { summary, detail, .. } => {
            summary.len() + detail.as_ref().map_or(0, String::len)
        }
        EventBody::Progress { text, .. } => text.as_ref().map_or(0, String::len),
        EventBody::Notice { text } | EventBody::Log { text, .. } => text.len(),
    };
    text + MESSAGE_OVERHEAD
}

fn spend(spent: &mut u64, bytes: usize, limit: Limit, bound: u64) -> Native {
    *spent = spent.saturating_add(bytes as u64);
    if *spent > bound { Err(meter::kill(limit)) } else { Ok(()) }
}

/// Installs the frame of a call that begins on this thread.
pub(crate) fn enter(frame: Frame) {
    FRAME.set(Some(frame));
}

/// Takes down the frame and says what the call left.
pub(crate) fn leave() -> Left {
    FRAME.take().map_or_else(
        || Left { notices: Vec::new(), dropped: 0, diagnostics: Vec::new() },
        |frame| Left {
            notices: frame.notices,
            dropped: frame.dropped,
            diagnostics: frame.diagnostics,
        },
    )
}

/// Whether the running call made a decision, returned or not.
pub(crate) fn has_decided() -> bool {
    FRAME.with_borrow(|frame| frame.as_ref().is_some_and(|frame| frame.decided))
}

/// Lets a host function at the running call.
///
/// # Errors
///
/// No call runs on this thread.
pub(crate) fn with<T>(act: impl FnOnce(&mut Frame) -> Native<T>) -> Native<T> {
    FRAME.with_borrow_mut(|frame| match frame {
        Some(frame) => act(frame),
        None => Err(error("this function works only inside a call")),
    })
}

/// An error that a script may catch.
pub(crate) fn error(text: impl Into<String>) -> Box<EvalAltResult> {
    let text: String = text.into();
    EvalAltResult::ErrorRuntime(Dynamic::from(text), Position::NONE).into()
}

/// A refusal of the host. Scripts may catch, read and rethrow one; having no constructor, it
/// cannot be forged.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    /// The stable code, such as `grant/http`.
    pub code: String,
    /// What was refused.
    pub message: String,
    /// What to do about it.
    pub help: Vec<String>,
}

/// What `fail("…")` throws: the caller's error, in the author's words.
#[derive(Debug, Clone)]
pub(crate) struct CallerError(pub String);

/// A failed `assert…` of a test.
#[derive(Debug, Clone)]
pub(crate) struct Assertion(pub String);

/// Throws a Rust value through the script.
pub(crate) fn throw<T: Clone + Send + Sync + 'static>(value: T) -> Box<EvalAltResult> {
    EvalAltResult::ErrorRuntime(Dynamic::from(value), Position::NONE).into()
}
