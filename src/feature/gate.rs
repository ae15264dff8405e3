//! The gate between a feature and the host's sink: it stamps, checks and bounds every event.
//!
//! What was not granted or does not fit is withheld and counted; it never fails the call. Nothing
//! here reaches a model.

use super::event::{EventBody, FeatureEvent, Level, Sink};
use super::grant::GrantSet;
use super::id::{ChannelName, FeatureId};
use crate::feature::capability::{Audience, Capability};
use crate::limit::{Limit, Limits};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// The host has it.
    Sent,
    /// It was not granted, its channel is not declared, or it is over its bound.
    Withheld,
}

/// What a bound counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    /// Everything that one call says.
    Call,
    /// Each event by itself, for what is said outside of calls.
    Event,
}

/// Who speaks, and what it may say.
#[derive(Clone)]
pub(super) struct Speaker {
    pub feature: Arc<FeatureId>,
    pub grants: Arc<GrantSet>,
    pub channels: Arc<BTreeSet<ChannelName>>,
}

/// A sink that lets through what its speaker may say.
pub(super) struct Gate {
    speaker: Speaker,
    limits: Arc<Limits>,
    span: Span,
    inner: Arc<dyn Sink>,
    events: AtomicU64,
    notifications: AtomicU64,
    log: AtomicU64,
    withheld: AtomicU64,
    warned: AtomicBool,
}

impl Gate {
    pub fn new(speaker: Speaker, limits: Arc<Limits>, span: Span, inner: Arc<dyn Sink>) -> Self {
        Self {
            speaker,
            limits,
            span,
            inner,
            events: AtomicU64::new(0),
            notifications: AtomicU64::new(0),
            log: AtomicU64::new(0),
            withheld: AtomicU64::new(0),
            warned: AtomicBool::new(false),
        }
    }

    /// Sends `body` if it may be sent.
    pub fn say(&self, channel: Option<ChannelName>, body: EventBody) -> Delivery {
        let bound = body.bound();
        if !self.is_allowed(channel.as_ref(), &body) {
            return self.withhold();
        }
        if !self.spend(bound, body.cost()) {
            self.warn_once(bound);
            return self.withhold();
        }
        let feature = FeatureId::clone(&self.speaker.feature);
        self.inner.emit(FeatureEvent { feature, channel, body });
        Delivery::Sent
    }

    /// How many events were withheld.
    pub fn withheld(&self) -> u64 {
        self.withheld.load(Ordering::Relaxed)
    }

    fn withhold(&self) -> Delivery {
        self.withheld.fetch_add(1, Ordering::Relaxed);
        Delivery::Withheld
    }

    fn is_allowed(&self, channel: Option<&ChannelName>, body: &EventBody) -> bool {
        let granted = match body {
            EventBody::Message { .. } => self.speaker.grants.covers(&Capability::Emit),
            EventBody::Progress { done, total, .. } => {
                let finite = done.is_finite() && total.is_none_or(f64::is_finite);
                finite && self.speaker.grants.covers(&Capability::Emit)
            }
            EventBody::Notice { .. } => {
                self.speaker.grants.covers(&Capability::Notify(Audience::User))
            }
            EventBody::Log { .. } => true,
        };
        granted && channel.is_none_or(|channel| self.speaker.channels.contains(channel))
    }

    fn spend(&self, bound: Limit, bytes: u64) -> bool {
        let most = self.limits.get(bound);
        if self.span == Span::Event {
            return bytes <= most;
        }
        let spent = match bound {
            Limit::Notifications => &self.notifications,
            Limit::Log => &self.log,
            _ => &self.events,
        };
        let add = |sum: u64| sum.checked_add(bytes).filter(|sum| *sum <= most);
        spent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok()
    }

    /// Says once that something is missing; the one line comes on top of the bound.
    fn warn_once(&self, bound: Limit) {
        if self.warned.swap(true, Ordering::Relaxed) {
            return;
        }
        let text = format!(
            "what `{}` says is over its bound and was cut: {} {} of {} ({})",
            self.speaker.feature,
            self.limits.get(bound),
            bound.unit(),
            bound,
            bound.code(),
        );
        let feature = FeatureId::clone(&self.speaker.feature);
        let body = EventBody::Log { level: Level::Warn, text };
        self.inner.emit(FeatureEvent { feature, channel: None, body });
    }
}

/// Takes an event from the feature; the name on it is the speaker's, whatever was written there.
impl Sink for Gate {
    fn emit(&self, event: FeatureEvent) {
        self.say(event.channel, event.body);
    }
}

/// A way for a feature to speak to people outside of calls, on one channel. It can be kept and
/// cloned, by background work too; it reaches nothing but the host's sink.
#[derive(Clone)]
pub struct EventChannel {
    gate: Arc<Gate>,
    channel: Option<ChannelName>,
}

impl EventChannel {
    pub(super) fn new(gate: Arc<Gate>, channel: Option<ChannelName>) -> Self {
        Self { gate, channel }
    }

    /// A message for people. Needs `emit`.
    pub fn message(
        &self,
        level: Level,
        summary: impl Into<String>,
        detail: Option<String>,
    ) -> Delivery {
        let body = EventBody::Message { level, summary: summary.into(), detail };
        self.gate.say(self.channel.clone(), body)
    }

    /// How far a long piece of work is. Needs `emit`.
    pub fn progress(&self, done: f64, total: Option<f64>, text: Option<String>) -> Delivery {
        self.gate.say(self.channel.clone(), EventBody::Progress { done, total, text })
    }
}

/// A way for a feature to tell the user something outside of calls. Text for a model goes another
/// way: it is staged with a call and leaves with its outcome.
#[derive(Clone)]
pub struct FeatureNotifySink {
    gate: Arc<Gate>,
}

impl FeatureNotifySink {
    pub(super) fn new(gate: Arc<Gate>) -> Self {
        Self { gate }
    }

    /// A notification that the user should not miss. Needs `notify:user`.
    pub fn user(&self, text: impl Into<String>) -> Delivery {
        self.gate.say(None, EventBody::Notice { text: text.into() })
    }
}
