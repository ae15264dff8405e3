//! The worker as what answers messages to sub-pods: each is a turn of a model. Nobody is asked in it; a front
//! may follow it.

use super::audience::{Audience, Event, Silent};
use super::model::Model;
use super::settings::WorkerSettings;
use super::turn::{End, Worker};
use crate::diagnostic::Diagnostic;
use crate::feature::event::Sink;
use crate::feature::question::{Answer, Question};
use crate::pod::{Responder, SubTurn};
use std::sync::Arc;

/// Hears what happens in the turns of sub-pods, of each from a thread of its own.
pub trait Follower: Send + Sync {
    /// Something happens in a turn of the sub-pod that is on record in `session`.
    fn hear(&self, session: &str, event: &Event<'_>);
}

/// Answers messages to sub-pods with a model.
pub struct ModelResponder {
    model: Arc<dyn Model>,
    settings: WorkerSettings,
    follower: Option<Arc<dyn Follower>>,
}

/// The audience of one turn.
struct Below<'a> {
    session: &'a str,
    follower: Option<&'a dyn Follower>,
}

impl Audience for Below<'_> {
    fn hear(&self, event: Event<'_>) {
        if let Some(follower) = self.follower {
            follower.hear(self.session, &event);
        }
    }

    fn ask(&self, question: &Question) -> Option<Answer> {
        Silent.ask(question)
    }

    fn sink(&self) -> Arc<dyn Sink> {
        Silent.sink()
    }
}

impl ModelResponder {
    /// With this model, within these bounds in each turn.
    pub fn new(model: Arc<dyn Model>, settings: WorkerSettings) -> Self {
        Self { model, settings, follower: None }
    }

    /// The same, where this follower hears what happens in each turn.
    #[must_use]
    pub fn followed_by(self, follower: Arc<dyn Follower>) -> Self {
        Self { follower: Some(follower), ..self }
    }
}

impl Responder for ModelResponder {
    fn respond(&self, turn: &SubTurn<'_>) -> Result<String, Diagnostic> {
        let (model, settings) = (&*self.model, &self.settings);
        let below = Below { session: turn.session.id(), follower: self.follower.as_deref() };
        let worker = Worker::new(turn.pod, turn.session, model, settings, &below);
        let worker = worker.after(turn.turns, 0);
        let turned = worker.turn(turn.message, turn.cancel).map_err(|error| error.diagnostic())?;
        match turned.end {
            End::Done | End::Cut => Ok(turned.text),
            end => Err(end.problem().unwrap_or_else(|| {
                Diagnostic::caller("worker/cancelled", "the turn came to no end")
            })),
        }
    }
}
