//! The worker as what answers messages to sub-pods: each is a turn of a model, which nobody follows.

use super::audience::Silent;
use super::model::Model;
use super::settings::WorkerSettings;
use super::turn::{End, Worker};
use crate::diagnostic::Diagnostic;
use crate::pod::{Responder, SubTurn};
use std::sync::Arc;

/// Answers messages to sub-pods with a model.
pub struct ModelResponder {
    model: Arc<dyn Model>,
    settings: WorkerSettings,
}

impl ModelResponder {
    /// With this model, within these bounds in each turn.
    pub fn new(model: Arc<dyn Model>, settings: WorkerSettings) -> Self {
        Self { model, settings }
    }
}

impl Responder for ModelResponder {
    fn respond(&self, turn: &SubTurn<'_>) -> Result<String, Diagnostic> {
        let (model, settings) = (&*self.model, &self.settings);
        let worker = Worker::new(turn.pod, turn.session, model, settings, &Silent);
        let turned = worker.turn(turn.message, turn.cancel).map_err(|error| error.diagnostic())?;
        match turned.end {
            End::Done | End::Cut => Ok(turned.text),
            end => Err(end.problem().unwrap_or_else(|| {
                Diagnostic::caller("worker/cancelled", "the turn came to no end")
            })),
        }
    }
}
