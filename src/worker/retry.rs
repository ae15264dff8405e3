//! When a request is made again, and how long nothing is done before.

use super::model::{Fault, ModelError};
use crate::feature::call::Cancel;
use crate::feature::catalog::CallOptions;
use std::fmt::Debug;
use std::time::{Duration, Instant};

/// The first wait; each further one is twice as long.
const FIRST: Duration = Duration::from_millis(500);
/// The longest wait that nobody asked for.
const LONGEST: Duration = Duration::from_secs(30);
/// The longest wait that a provider may ask for. Who wants more is told to the person instead.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often the switch is looked at while waiting.
const LOOK: Duration = Duration::from_millis(50);

/// How time passes between two attempts; given, so that tests need none.
pub trait Pause: Debug + Send + Sync {
    /// Does nothing for a while, or until `cancel` is.
    fn pause(&self, wait: Duration, cancel: &Cancel);
}

/// Waits.
#[derive(Debug)]
pub(super) struct Wait;

impl Pause for Wait {
    fn pause(&self, wait: Duration, cancel: &Cancel) {
        let until = Instant::now() + wait;
        while !cancel.is_cancelled() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::park_timeout(left.min(LOOK));
        }
    }
}

/// How long to wait before the attempt that follows `attempt` failed ones; `None` where no further one
/// would help.
pub(super) fn wait(error: &ModelError, attempt: u32, retries: u32) -> Option<Duration> {
    let may_help =
        matches!(error.fault, Fault::Busy | Fault::Server | Fault::Unreachable | Fault::Cut);
    if !may_help || attempt >= retries {
        return None;
    }
    match error.retry_after {
        Some(wanted) => (wanted <= PATIENCE).then_some(wanted),
        None => {
            let most = FIRST.saturating_mul(1 << attempt.min(16)).min(LONGEST);
            // Between half and all of it: those who failed together do not come back together.
            let seed = CallOptions::default().conditions.seed;
            Some(most.mul_f64(0.5 + 0.5 * fastrand::Rng::with_seed(seed).f64()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_what_a_provider_asks_for_goes_first() {
        let error =
            |fault, retry_after| ModelError { retry_after, ..ModelError::new(fault, "it failed") };
        for attempt in 0..40 {
            let most = FIRST.saturating_mul(1 << attempt.min(16)).min(LONGEST);
            let waited = wait(&error(Fault::Server, None), attempt, 100).expect("again");
            assert!(waited >= most / 2 && waited <= most, "{attempt}: {waited:?}");
        }
        let asked = Duration::from_secs(7);
        assert_eq!(wait(&error(Fault::Busy, Some(asked)), 0, 4), Some(asked));
        let far = Duration::from_secs(3_600);
        assert_eq!(wait(&error(Fault::Busy, Some(far)), 0, 4), None, "nobody waits an hour");
        assert_eq!(wait(&error(Fault::Busy, None), 4, 4), None, "enough is enough");
        for fault in [Fault::Denied, Fault::Refused, Fault::Malformed, Fault::Cancelled] {
            assert_eq!(wait(&error(fault, None), 0, 4), None, "{fault:?}");
        }
    }

    #[test]
    fn a_wait_that_is_cancelled_ends() {
        let cancel = Cancel::default();
        cancel.cancel();
        // A wait that went on would keep this test for an hour.
        Wait.pause(Duration::from_secs(3_600), &cancel);
    }
}
