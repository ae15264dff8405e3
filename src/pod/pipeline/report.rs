//! What hooks did and what they cost, counted while a pod lives.

use crate::feature::hook::{HookOutcome, HookPoint};
use crate::feature::id::FeatureId;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What one hook did since the pod was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HookReport {
    /// Whose it is.
    pub feature: FeatureId,
    /// Its name.
    pub hook: String,
    /// Where it listens.
    pub point: HookPoint,
    /// How often it was asked.
    pub asked: u64,
    /// How often it decided what, by the word for it.
    pub decisions: BTreeMap<&'static str, u64>,
    /// How often it failed.
    pub failures: u64,
    /// The time of all its runs, in microseconds.
    pub total_us: u64,
    /// The time of its longest run, in microseconds.
    pub worst_us: u64,
}

/// The reports of a pod and of its sub-pods, by feature and hook. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Reports(Arc<Mutex<BTreeMap<(FeatureId, String), HookReport>>>);

impl Reports {
    fn all(&self) -> MutexGuard<'_, BTreeMap<(FeatureId, String), HookReport>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one run.
    pub fn count(
        &self,
        feature: &FeatureId,
        hook: &str,
        point: HookPoint,
        outcome: &HookOutcome,
        took: Duration,
    ) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let mut all = self.all();
        let report = all.entry((feature.clone(), hook.to_owned())).or_insert_with(|| HookReport {
            feature: feature.clone(),
            hook: hook.to_owned(),
            point,
            asked: 0,
            decisions: BTreeMap::new(),
            failures: 0,
            total_us: 0,
            worst_us: 0,
        });
        report.asked += 1;
        match &outcome.decision {
            Ok(decision) => *report.decisions.entry(decision.name()).or_default() += 1,
            Err(_) => report.failures += 1,
        }
        report.total_us = report.total_us.saturating_add(took);
        report.worst_us = report.worst_us.max(took);
    }

    /// Every report, by feature and hook.
    pub fn list(&self) -> Vec<HookReport> {
        self.all().values().cloned().collect()
    }
}
