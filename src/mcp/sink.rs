//! Events of a running call, on their way to the client: log messages and progress.
//!
//! The script's side never waits for the client.

use crate::feature::event::{EventBody, FeatureEvent, Level, Sink};
#[expect(deprecated, reason = "clients of the handshake era know log messages by these types")]
use rmcp::model::{LoggingLevel, LoggingMessageNotificationParam};
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::{Peer, RoleServer};
use serde_json::json;
use tokio::sync::mpsc;

/// Takes events on the sandbox's thread. What one call may emit is bounded, so the channel is not.
pub(super) struct ChannelSink(pub mpsc::UnboundedSender<FeatureEvent>);

impl Sink for ChannelSink {
    fn emit(&self, event: FeatureEvent) {
        // After the answer nobody listens any more.
        let _ = self.0.send(event);
    }
}

/// Sends the events of one call to the client.
#[expect(deprecated, reason = "as above")]
pub(super) struct Forwarder {
    pub peer: Peer<RoleServer>,
    /// Where progress goes; none when the client did not ask.
    pub token: Option<ProgressToken>,
    /// The least level that the client wants; none when it wants none.
    pub level: Option<LoggingLevel>,
    /// The progress that was last sent: the protocol wants it to grow.
    pub last: f64,
}

impl Forwarder {
    /// Sends one event. A client that is gone is noticed elsewhere.
    #[expect(deprecated, reason = "as above")]
    pub(super) async fn forward(&mut self, event: FeatureEvent) {
        let (level, data) = match event.body {
            EventBody::Progress { done, total, text } => {
                return self.progress(done, total, text).await;
            }
            EventBody::Message { level, summary, detail: None } => {
                (level_of(level), json!(summary))
            }
            EventBody::Message { level, summary, detail } => {
                (level_of(level), json!({ "summary": summary, "detail": detail }))
            }
            EventBody::Notice { text } => (LoggingLevel::Notice, json!(text)),
            EventBody::Log { level, text } => (level_of(level), json!(text)),
        };
        if self.level.is_none_or(|least| rank(level) < rank(least)) {
            return;
        }
        let mut parameters = LoggingMessageNotificationParam::new(level, data);
        parameters.logger = Some(match &event.channel {
            Some(channel) => format!("{}/{channel}", event.feature.name()),
            None => event.feature.name().to_string(),
        });
        let _ = self.peer.notify_logging_message(parameters).await;
    }

    async fn progress(&mut self, done: f64, total: Option<f64>, text: Option<String>) {
        let Some(token) = self.token.clone().filter(|_| done > self.last) else { return };
        self.last = done;
        let mut parameters = ProgressNotificationParam::new(token, done);
        parameters.total = total;
        parameters.message = text;
        let _ = self.peer.notify_progress(parameters).await;
    }
}

#[expect(deprecated, reason = "as above")]
fn level_of(level: Level) -> LoggingLevel {
    match level {
        Level::Debug => LoggingLevel::Debug,
        Level::Info => LoggingLevel::Info,
        Level::Warn => LoggingLevel::Warning,
        Level::Error => LoggingLevel::Error,
    }
}

/// The order of the levels, from RFC 5424.
#[expect(deprecated, reason = "as above")]
fn rank(level: LoggingLevel) -> u8 {
    match level {
        LoggingLevel::Debug => 0,
        LoggingLevel::Info => 1,
        LoggingLevel::Notice => 2,
        LoggingLevel::Warning => 3,
        LoggingLevel::Error => 4,
        LoggingLevel::Critical => 5,
        LoggingLevel::Alert => 6,
        _ => 7,
    }
}
