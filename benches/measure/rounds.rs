//! Figures taken turn by turn, so that what disturbs the machine disturbs all sides alike.

use crate::Result;
use std::time::Duration;

/// The middle of some figures, with the least and the greatest.
#[derive(Debug, Clone, Copy)]
pub struct Spread {
    pub median: f64,
    pub least: f64,
    pub greatest: f64,
}

impl Spread {
    /// The spread of `figures`; zeros where there are none.
    pub fn of(mut figures: Vec<f64>) -> Self {
        figures.sort_by(f64::total_cmp);
        let at = |index: usize| figures.get(index).copied().unwrap_or_default();
        let last = figures.len().saturating_sub(1);
        let median = f64::midpoint(at(last / 2), at(last.div_ceil(2)));
        Self { median, least: at(0), greatest: at(last) }
    }
}

/// The figures of several sides, one of each in every round.
pub struct Rounds<const SIDES: usize>(Vec<[f64; SIDES]>);

impl<const SIDES: usize> Rounds<SIDES> {
    /// Takes `count` rounds after one that warms up and is forgotten.
    pub fn take(count: usize, mut round: impl FnMut() -> Result<[f64; SIDES]>) -> Result<Self> {
        round()?;
        (0..count).map(|_| round()).collect::<Result<_>>().map(Self)
    }

    /// The rounds that `keep` accepts. What it looks at must not be what is then reported.
    pub fn only(&self, keep: impl Fn(&[f64; SIDES]) -> bool) -> Self {
        Self(self.0.iter().filter(|round| keep(round)).copied().collect())
    }

    /// How many rounds there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The figures of one side.
    pub fn side(&self, side: usize) -> Spread {
        Spread::of(self.0.iter().map(|round| round[side]).collect())
    }

    /// One side by another, round by round.
    pub fn ratio(&self, side: usize, by: usize) -> Spread {
        Spread::of(self.0.iter().map(|round| round[side] / round[by]).collect())
    }
}

/// The median of `count` durations, in microseconds.
pub fn median_of(count: usize, mut one: impl FnMut() -> Result<Duration>) -> Result<f64> {
    let times = (0..count).map(|_| one().map(micros)).collect::<Result<_>>()?;
    Ok(Spread::of(times).median)
}

/// A duration in microseconds.
pub fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
