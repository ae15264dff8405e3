//! Events of a running call, on their way to the client: log messages and progress.
//!
//! The script's side never waits for the client, and nothing goes out after the answer.

use super::channel::Channel;
use super::message::notification;
use crate::feature::event::{EventBody, FeatureEvent, Level, Sink};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How much a log message matters, as RFC 5424 orders them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LogLevel {
    Debug,
    Info,
    Notice,
    Warning,
    Error,
    Critical,
    Alert,
    Emergency,
}

impl LogLevel {
    const NAMES: [(Self, &'static str); 8] = [
        (Self::Debug, "debug"),
        (Self::Info, "info"),
        (Self::Notice, "notice"),
        (Self::Warning, "warning"),
        (Self::Error, "error"),
        (Self::Critical, "critical"),
        (Self::Alert, "alert"),
        (Self::Emergency, "emergency"),
    ];

    /// The level of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(level, _)| *level)
    }

    fn name(self) -> &'static str {
        Self::NAMES[self as usize].1
    }
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warn => Self::Warning,
            Level::Error => Self::Error,
        }
    }
}

/// Sends the events of one call to whoever asked for it.
pub(super) struct Teller {
    channel: Arc<dyn Channel>,
    /// Where progress goes, as JSON; none when the client did not ask.
    token: Option<Value>,
    /// The least level that the client wants; none when it wants none.
    level: Option<LogLevel>,
    state: Mutex<State>,
}

struct State {
    is_open: bool,
    /// The progress that was last sent: the protocol wants it to grow.
    last: f64,
}

impl Teller {
    pub fn new(
        channel: Arc<dyn Channel>,
        token: Option<&RawValue>,
        level: Option<LogLevel>,
    ) -> Self {
        let token = token.and_then(|token| serde_json::from_str(token.get()).ok());
        // Progress is told by a text or a whole number alone.
        let token = token.filter(|token: &Value| token.is_string() || token.is_i64());
        let state = Mutex::new(State { is_open: true, last: f64::NEG_INFINITY });
        Self { channel, token, level, state }
    }

    /// What is emitted from now on goes nowhere.
    pub fn close(&self) {
        self.state().is_open = false;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The notification of an event; none where the client wants none.
    fn notification(&self, event: FeatureEvent, state: &mut State) -> Option<String> {
        let (level, data) = match event.body {
            EventBody::Progress { done, total, text } => {
                let token = self.token.as_ref().filter(|_| done > state.last)?;
                state.last = done;
                let mut parameters = json!({ "progressToken": token, "progress": done });
                if let Some(total) = total {
                    parameters["total"] = total.into();
                }
                if let Some(text) = text {
                    parameters["message"] = text.into();
                }
                return Some(notification("notifications/progress", Some(&parameters)));
            }
            EventBody::Message { level, summary, detail: None } => (level.into(), json!(summary)),
            EventBody::Message { level, summary, detail } => {
                (level.into(), json!({ "summary": summary, "detail": detail }))
            }
            EventBody::Notice { text } => (LogLevel::Notice, json!(text)),
            EventBody::Log { level, text } => (level.into(), json!(text)),
        };
        if self.level.is_none_or(|least| level < least) {
            return None;
        }
        let logger = match &event.channel {
            Some(channel) => format!("{}/{channel}", event.feature.name()),
            None => event.feature.name().to_string(),
        };
        let parameters = json!({ "level": level.name(), "logger": logger, "data": data });
        Some(notification("notifications/message", Some(&parameters)))
    }
}

impl Sink for Teller {
    fn emit(&self, event: FeatureEvent) {
        let mut state = self.state();
        if state.is_open
            && let Some(text) = self.notification(event, &mut state)
        {
            self.channel.tell(text);
        }
    }
}
