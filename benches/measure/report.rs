//! The table that the measures print, line by line as figures come in.

use crate::rounds::{Rounds, Spread};

/// What a figure should be.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    AtMost(f64),
    /// A duration in microseconds.
    Within(f64),
    AtLeast(f64),
    /// Printed beside the others, without a target.
    None,
}

impl Target {
    fn verdict(self, figure: f64) -> &'static str {
        match self {
            Self::AtMost(most) | Self::Within(most) if figure <= most => "met",
            Self::AtLeast(least) if figure >= least => "met",
            Self::None => "",
            _ => "MISSED",
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtMost(most) => format!("≤ {most}"),
            Self::Within(most) => format!("≤ {:.0} ms", most / 1e3),
            Self::AtLeast(least) => format!("≥ {least}"),
            Self::None => String::new(),
        }
    }
}

/// A side of a ratio: what it is called and where its figures stand in the rounds.
pub type Side = (&'static str, usize);

/// Prints figures and counts the targets that were missed.
#[derive(Default)]
pub struct Report {
    with_target: usize,
    missed: usize,
}

impl Report {
    /// Begins the lines of one measure.
    pub fn begin(&self, name: &str, about: &str) {
        println!("\n{name}: {about}");
    }

    /// A ratio of two sides, times in microseconds.
    pub fn ratio<const SIDES: usize>(
        &mut self,
        what: &str,
        rounds: &Rounds<SIDES>,
        sides: [Side; 2],
        target: Target,
    ) {
        let [(left, a), (right, b)] = sides;
        let beside = format!(
            "{left} {}, {right} {}",
            time(rounds.side(a).median),
            time(rounds.side(b).median)
        );
        self.line(
            what,
            &two_digits(rounds.ratio(a, b)),
            &beside,
            rounds.ratio(a, b).median,
            target,
        );
    }

    /// A spread of durations in microseconds, held against a target in the same unit.
    pub fn time(&mut self, what: &str, spread: Spread, beside: &str, target: Target) {
        let least = time(spread.least);
        let shown = format!("{} ({least} – {})", time(spread.median), time(spread.greatest));
        self.line(what, &shown, beside, spread.median, target);
    }

    /// A ratio that was taken otherwise.
    pub fn spread(&mut self, what: &str, spread: Spread, beside: &str, target: Target) {
        self.line(what, &two_digits(spread), beside, spread.median, target);
    }

    /// A plain number.
    pub fn number(&mut self, what: &str, figure: f64, unit: &str, beside: &str, target: Target) {
        let shown =
            if figure.fract() == 0.0 { format!("{figure}") } else { format!("{figure:.1}") };
        self.line(what, &format!("{shown}{unit}"), beside, figure, target);
    }

    /// A line that is no figure.
    pub fn note(&mut self, text: &str) {
        println!("  {text}");
    }

    /// The last line: how many targets were met.
    pub fn end(&self) {
        let met = self.with_target - self.missed;
        println!("  {met} of {} targets met", self.with_target);
    }

    fn line(&mut self, what: &str, shown: &str, beside: &str, figure: f64, target: Target) {
        let verdict = target.verdict(figure);
        self.with_target += usize::from(!verdict.is_empty());
        self.missed += usize::from(verdict == "MISSED");
        println!("  {what:<58} {shown:<28} {:<8} {verdict:<6} {beside}", target.text());
    }
}

fn two_digits(spread: Spread) -> String {
    format!("{:.2} ({:.2} – {:.2})", spread.median, spread.least, spread.greatest)
}

/// A duration in microseconds with the unit that people read.
pub fn time(micros: f64) -> String {
    match micros.abs() {
        below if below < 1_000.0 => format!("{micros:.2} µs"),
        below if below < 1_000_000.0 => format!("{:.2} ms", micros / 1e3),
        _ => format!("{:.2} s", micros / 1e6),
    }
}
