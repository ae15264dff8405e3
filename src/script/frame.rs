//! What the running call may say and ask: its context and its budgets for text, on this thread.
//!
//! Host modules reach it with [`with`]. It exists only while a call runs; a host function that is
//! reached outside of one (a constant folder, a stray engine) finds none and refuses.

use super::host::ask::Asking;
#[cfg(feature = "http")]
use super::host::http::Requests;
use super::meter;
use super::outside::Outside;
use crate::diagnostic::Diagnostic;
use crate::feature::call::CallContext;
use crate::feature::commons::CommonsAnswer;
use crate::feature::event::{EventBody, FeatureEvent};
use crate::feature::grant::GrantSet;
use crate::feature::hook::Decision;
use crate::feature::id::{ChannelName, FeatureId};
use crate::feature::question::{Answers, Question};
use crate::feature::secret::SecretText;
use crate::feature::subpod::{PodAnswer, SubPodState};
use crate::feature::transaction::{Act, Transaction};
use crate::limit::Limit;
use rhai::{Dynamic, EvalAltResult, Position};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::sync::Arc;
use std::time::Instant;

/// A result as natives return it.
pub(crate) type Native<T = ()> = Result<T, Box<EvalAltResult>>;

/// What a function was called as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Role {
    Tool,
    Hook,
    Test,
}

/// The running call, as host modules see it.
pub(crate) struct Frame {
    role: Role,
    context: CallContext,
    grants: Arc<GrantSet>,
    channels: Arc<[ChannelName]>,
    random: fastrand::Rng,
    events: u64,
    notifications: u64,
    log: u64,
    notices: Vec<String>,
    dropped: u64,
    /// The strictest decision that was made.
    decided: u8,
    diagnostics: Vec<Diagnostic>,
    /// What the call gets from the world, on its way into the record or out of it.
    outside: Outside,
    /// What the call has sent and spent.
    #[cfg(feature = "http")]
    requests: Requests,
    /// Whether it let something out into the world.
    has_acted: bool,
    /// What it has asked a person.
    asking: Asking,
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
    /// What a person has to answer before the call can go on.
    pub question: Option<Question>,
}

impl Frame {
    pub(crate) fn new(
        role: Role,
        context: CallContext,
        grants: Arc<GrantSet>,
        channels: Arc<[ChannelName]>,
    ) -> Self {
        let random = fastrand::Rng::with_seed(context.conditions.seed);
        let outside = meter::handing_out(|| Outside::of(&*context.transaction));
        Self {
            role,
            context,
            grants,
            channels,
            random,
            events: 0,
            notifications: 0,
            log: 0,
            notices: Vec::new(),
            dropped: 0,
            decided: 0,
            diagnostics: Vec::new(),
            outside,
            #[cfg(feature = "http")]
            requests: Requests::default(),
            has_acted: false,
            asking: Asking::default(),
        }
    }

    /// What the running function was called as.
    pub(crate) fn role(&self) -> Role {
        self.role
    }

    /// When the caller gets an answer, whatever happens.
    pub(crate) fn deadline(&self) -> Instant {
        self.context.deadline
    }

    /// Whether whoever waits for the call ends it.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.context.cancel.is_cancelled()
    }

    /// What the call has sent and spent.
    #[cfg(feature = "http")]
    pub(crate) fn requests(&mut self) -> &mut Requests {
        &mut self.requests
    }

    /// Whether the call let something out into the world, which running it again would repeat.
    pub(crate) fn has_acted(&self) -> bool {
        self.has_acted
    }

    /// Remembers that the call let something out into the world, or would have done so.
    pub(crate) fn acted(&mut self) {
        self.has_acted = true;
    }

    /// What the call has asked a person, and what was answered.
    pub(crate) fn asking(&mut self) -> (&mut Asking, &Answers) {
        (&mut self.asking, &self.context.answers)
    }

    /// Counts a text that a person reads, as [`Self::stage`] does.
    ///
    /// # Errors
    ///
    /// The call said too much; it is over.
    pub(crate) fn spend_notice(&mut self, bytes: usize) -> Native {
        let bound = self.context.limits.get(Limit::Notifications);
        let cost = bytes.saturating_add(MESSAGE_OVERHEAD) as u64;
        spend(&mut self.notifications, cost, Limit::Notifications, bound)
    }

    pub(crate) fn grants(&self) -> &GrantSet {
        &self.grants
    }

    /// Whose call it is.
    pub(crate) fn feature(&self) -> &FeatureId {
        &self.context.feature
    }

    pub(crate) fn limit(&self, limit: Limit) -> u64 {
        self.context.limits.get(limit)
    }

    pub(crate) fn channels(&self) -> &[ChannelName] {
        &self.channels
    }

    pub(crate) fn random(&mut self) -> &mut fastrand::Rng {
        &mut self.random
    }

    /// The wall clock as the call sees it, in milliseconds since the Unix epoch.
    pub(crate) fn now(&mut self) -> i64 {
        let now = self.context.conditions.now;
        now.unwrap_or_else(|| meter::handing_out(|| self.outside.clock()))
    }

    /// What the call gets from the world.
    pub(crate) fn outside(&mut self) -> &mut Outside {
        &mut self.outside
    }

    /// Sends a live event, if the call's volume allows it.
    pub(crate) fn emit(&mut self, channel: Option<ChannelName>, body: EventBody) -> Native {
        let limit = body.bound();
        let spent = match limit {
            Limit::Notifications => &mut self.notifications,
            Limit::Log => &mut self.log,
            _ => &mut self.events,
        };
        spend(spent, body.cost(), limit, self.context.limits.get(limit))?;
        // Whether the sink keeps the texts or drops them, the call made them and no longer has them.
        body.heap().for_each(meter::hand_out);
        channel.iter().for_each(|channel| meter::hand_out(channel.as_str().len()));
        meter::handing_out(|| {
            let feature = (*self.context.feature).clone();
            self.context.sink.emit(FeatureEvent { feature, channel, body });
        });
        Ok(())
    }

    /// Stages a text for the model; it leaves with the outcome, if the call succeeds.
    pub(crate) fn stage(&mut self, text: String) -> Native {
        self.spend_notice(text.len())?;
        meter::hand_out(text.capacity());
        meter::handing_out(|| self.notices.push(text));
        Ok(())
    }

    /// Counts an `emit` or `notify` that a denied optional request turned into nothing.
    pub(crate) fn drop_silently(&mut self) {
        self.dropped += 1;
    }

    /// Remembers that the script made a decision, and how strict it is.
    pub(crate) fn decided(&mut self, decision: &Decision) {
        self.decided = self.decided.max(strictness(decision));
    }

    /// Keeps what a hook says beside its decision.
    ///
    /// # Errors
    ///
    /// A tool runs, or the call said too much.
    pub(crate) fn diagnose(&mut self, diagnostic: Diagnostic) -> Native {
        if self.role == Role::Tool {
            return Err(error("`diagnose` is for hooks; in a tool, write `log::warn(…)`"));
        }
        let bound = self.context.limits.get(Limit::Events);
        let bytes = diagnostic.message.len() + MESSAGE_OVERHEAD;
        spend(&mut self.events, bytes as u64, Limit::Events, bound)?;
        meter::hand_out(diagnostic.message.capacity());
        meter::handing_out(|| self.diagnostics.push(diagnostic));
        Ok(())
    }
}

/// What a staged text or a diagnostic costs beside its text.
const MESSAGE_OVERHEAD: usize = 64;

fn spend(spent: &mut u64, bytes: u64, limit: Limit, bound: u64) -> Native {
    *spent = spent.saturating_add(bytes);
    if *spent > bound { Err(meter::kill(limit)) } else { Ok(()) }
}

/// Installs the frame of a call that begins on this thread.
pub(crate) fn enter(frame: Frame) {
    FRAME.set(Some(frame));
}

/// Takes down the frame and says what the call left.
pub(crate) fn leave() -> Left {
    FRAME.take().map_or_else(
        || Left { notices: Vec::new(), dropped: 0, diagnostics: Vec::new(), question: None },
        |frame| {
            meter::handing_out(|| frame.outside.tell(&*frame.context.transaction));
            Left {
                notices: frame.notices,
                dropped: frame.dropped,
                diagnostics: frame.diagnostics,
                question: frame.asking.question,
            }
        },
    )
}

/// Whether the running call made a decision that is stricter than the one it returned.
pub(crate) fn decided_stricter_than(returned: &Decision) -> bool {
    let made = FRAME.with_borrow(|frame| frame.as_ref().map_or(0, |frame| frame.decided));
    made > strictness(returned)
}

/// How much a decision holds back: a decision that is dropped for a weaker one counts as dropped.
fn strictness(decision: &Decision) -> u8 {
    match decision {
        Decision::Proceed => 0,
        Decision::Answer { .. }
        | Decision::Rewrite { .. }
        | Decision::Replace { .. }
        | Decision::Again { .. } => 1,
        Decision::Ask { .. } => 2,
        Decision::Deny { .. } | Decision::Stop { .. } => 3,
    }
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
pub(crate) struct Refusal(pub Arc<Diagnostic>);

/// What `fail("…")` throws: the caller's error, in the author's words.
#[derive(Debug, Clone)]
pub(crate) struct CallerError(pub String);

/// A failed `assert…` of a test.
#[derive(Debug, Clone)]
pub(crate) struct Assertion(pub String);

/// A refusal of the host as an error that a script may catch.
pub(crate) fn refusal(diagnostic: Diagnostic) -> Box<EvalAltResult> {
    throw(Refusal(Arc::new(diagnostic)))
}

/// Asks the host to do something for the running call. What it allocates is the host's, but for the
/// texts that come back.
///
/// # Errors
///
/// No call runs, or the host refuses; the script may catch that.
pub(crate) fn ask_host<T: Heap>(
    act: impl FnOnce(&dyn Transaction) -> Result<T, Diagnostic>,
) -> Native<T> {
    let transaction = with(|frame| Ok(Arc::clone(&frame.context.transaction)))?;
    let answer = meter::handing_out(|| act(&*transaction));
    match answer {
        Ok(answer) => {
            answer.each_allocation(&mut meter::take_in);
            Ok(answer)
        }
        Err(diagnostic) => Err(meter::handing_out(|| refusal(diagnostic))),
    }
}

/// What a call meets that is run again and asks for what its record does not hold.
pub(crate) fn missed(what: &str) -> Box<EvalAltResult> {
    let told = with(|frame| Ok(Arc::clone(&frame.context.transaction)));
    meter::handing_out(|| {
        if let Ok(host) = told {
            host.missed(what);
        }
        let message = format!("the record of the call does not hold {what}");
        refusal(Diagnostic::operator("replay/not-recorded", message))
    })
}

/// Records an act on the outside world, which may happen after this and not before.
///
/// # Errors
///
/// As [`ask_host`].
pub(crate) fn act(act: &Act) -> Native {
    ask_host(|host| host.act(act))?;
    with(|frame| {
        frame.acted();
        Ok(())
    })
}

/// What an answer of the host holds on the heap.
pub(crate) trait Heap {
    /// Tells the bytes of each allocation.
    fn each_allocation(&self, tell: &mut dyn FnMut(usize));
}

impl Heap for () {
    fn each_allocation(&self, _: &mut dyn FnMut(usize)) {}
}

impl Heap for bool {
    fn each_allocation(&self, _: &mut dyn FnMut(usize)) {}
}

impl Heap for String {
    fn each_allocation(&self, tell: &mut dyn FnMut(usize)) {
        tell(self.capacity());
    }
}

impl Heap for CommonsAnswer {
    fn each_allocation(&self, tell: &mut dyn FnMut(usize)) {
        match self {
            Self::Value(value) => value.each_allocation(tell),
            Self::Done(_) => (),
            Self::Entries(entries) => {
                tell(entries.capacity() * size_of::<(String, String)>());
                for (key, value) in entries {
                    key.each_allocation(tell);
                    value.each_allocation(tell);
                }
            }
        }
    }
}

impl Heap for PodAnswer {
    fn each_allocation(&self, tell: &mut dyn FnMut(usize)) {
        let mut one = |state: &SubPodState| {
            state.pod.each_allocation(tell);
            state.session.each_allocation(tell);
            state.text.each_allocation(tell);
        };
        match self {
            Self::One(state) => one(state),
            Self::All(states) => states.iter().for_each(one),
            Self::Done(_) => (),
        }
    }
}

impl Heap for SecretText {
    fn each_allocation(&self, tell: &mut dyn FnMut(usize)) {
        tell(self.expose().len());
    }
}

impl<T: Heap> Heap for Option<T> {
    fn each_allocation(&self, tell: &mut dyn FnMut(usize)) {
        self.iter().for_each(|inner| inner.each_allocation(tell));
    }
}

impl<T: Heap> Heap for Vec<T> {
    fn each_allocation(&self, tell: &mut dyn FnMut(usize)) {
        tell(self.capacity() * size_of::<T>());
        self.iter().for_each(|inner| inner.each_allocation(tell));
    }
}

/// What was thrown, in words, where it is one of the host's own kinds.
pub(crate) fn words(value: &Dynamic) -> Option<String> {
    let caller = || Some(value.read_lock::<CallerError>()?.0.clone());
    let refusal = || Some(value.read_lock::<Refusal>()?.0.message.clone());
    let assertion = || Some(value.read_lock::<Assertion>()?.0.clone());
    caller().or_else(refusal).or_else(assertion)
}

/// Throws a Rust value through the script.
pub(crate) fn throw<T: Clone + Send + Sync + 'static>(value: T) -> Box<EvalAltResult> {
    EvalAltResult::ErrorRuntime(Dynamic::from(value), Position::NONE).into()
}
