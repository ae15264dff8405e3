//! The bounds that a type may carry: numbers and lengths. Never holds an empty range.

use std::fmt;

/// The smallest and the largest integer allowed, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IntRange {
    min: Option<i64>,
    max: Option<i64>,
}

impl IntRange {
    /// A range, or `None` if it holds no integer.
    pub fn new(min: Option<i64>, max: Option<i64>) -> Option<Self> {
        let empty = matches!((min, max), (Some(min), Some(max)) if min > max);
        (!empty).then_some(Self { min, max })
    }

    /// The smallest integer allowed; `None` for that of `i64`.
    pub fn min(self) -> Option<i64> {
        self.min
    }

    /// The largest integer allowed; `None` for that of `i64`.
    pub fn max(self) -> Option<i64> {
        self.max
    }

    /// Whether the integer is allowed.
    pub fn contains(self, value: i64) -> bool {
        self.min.is_none_or(|min| value >= min) && self.max.is_none_or(|max| value <= max)
    }

    /// Whether everything that `other` allows is allowed here.
    pub(super) fn covers(self, other: Self) -> bool {
        self.min.is_none_or(|min| other.min.is_some_and(|low| low >= min))
            && self.max.is_none_or(|max| other.max.is_some_and(|high| high <= max))
    }
}

/// The smallest float allowed, included, and the largest, included or not. Both are finite.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct FloatRange {
    min: Option<f64>,
    max: Option<f64>,
    end: RangeEnd,
}

/// Neither bound is ever NaN.
impl Eq for FloatRange {}

/// Whether the upper bound itself is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RangeEnd {
    /// `..=max`
    #[default]
    Included,
    /// `..max`
    Excluded,
}

impl FloatRange {
    /// A range, or `None` if it holds no number or a bound is not finite.
    pub fn new(min: Option<f64>, max: Option<f64>, end: RangeEnd) -> Option<Self> {
        if !min.unwrap_or(0.0).is_finite() || !max.unwrap_or(0.0).is_finite() {
            return None;
        }
        let empty = match (min, max, end) {
            (Some(min), Some(max), RangeEnd::Included) => min > max,
            (Some(min), Some(max), RangeEnd::Excluded) => min >= max,
            _ => false,
        };
        let end = if max.is_none() { RangeEnd::Included } else { end };
        (!empty).then_some(Self { min, max, end })
    }

    /// The smallest number allowed.
    pub fn min(self) -> Option<f64> {
        self.min
    }

    /// The upper bound.
    pub fn max(self) -> Option<f64> {
        self.max
    }

    /// Whether the upper bound itself is allowed.
    pub fn end(self) -> RangeEnd {
        self.end
    }

    /// Whether the number is allowed.
    pub fn contains(self, value: f64) -> bool {
        self.min.is_none_or(|min| value >= min)
            && self.max.is_none_or(|max| match self.end {
                RangeEnd::Included => value <= max,
                RangeEnd::Excluded => value < max,
            })
    }

    /// Whether everything that `other` allows is allowed here.
    pub(super) fn covers(self, other: Self) -> bool {
        self.min.is_none_or(|min| other.min.is_some_and(|low| low >= min))
            && self.max.is_none_or(|max| {
                other.max.is_some_and(|high| {
                    high < max
                        || high == max
                            && (self.end == RangeEnd::Included || other.end == RangeEnd::Excluded)
                })
            })
    }
}

/// The smallest and the largest length allowed, both included: characters of a string, items of an
/// array, entries of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LengthRange {
    min: u64,
    max: Option<u64>,
}

impl LengthRange {
    /// A range, or `None` if it holds no length.
    pub fn new(min: u64, max: Option<u64>) -> Option<Self> {
        max.is_none_or(|max| min <= max).then_some(Self { min, max })
    }

    /// The smallest length allowed.
    pub fn min(self) -> u64 {
        self.min
    }

    /// The largest length allowed.
    pub fn max(self) -> Option<u64> {
        self.max
    }

    /// Whether every length is allowed.
    pub fn is_unbounded(self) -> bool {
        self.min == 0 && self.max.is_none()
    }

    /// Whether the length is allowed.
    pub fn contains(self, length: usize) -> bool {
        let length = length as u64;
        length >= self.min && self.max.is_none_or(|max| length <= max)
    }

    /// Whether everything that `other` allows is allowed here.
    pub(super) fn covers(self, other: Self) -> bool {
        other.min >= self.min
            && self.max.is_none_or(|max| other.max.is_some_and(|high| high <= max))
    }
}

/// `(1..=5)`, or nothing for a range without bounds.
impl fmt::Display for IntRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.min, self.max) {
            (None, None) => Ok(()),
            (Some(min), None) => write!(f, "({min}..)"),
            (None, Some(max)) => write!(f, "(..={max})"),
            (Some(min), Some(max)) => write!(f, "({min}..={max})"),
        }
    }
}

/// `(0.0..=1.0)`, `(0.0..1.0)`, or nothing for a range without bounds.
impl fmt::Display for FloatRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.min.is_none() && self.max.is_none() {
            return Ok(());
        }
        f.write_str("(")?;
        if let Some(min) = self.min {
            write!(f, "{min:?}")?;
        }
        f.write_str("..")?;
        if let Some(max) = self.max {
            let sign = if self.end == RangeEnd::Included { "=" } else { "" };
            write!(f, "{sign}{max:?}")?;
        }
        f.write_str(")")
    }
}

/// `(1..=5)`, or nothing for a range without bounds.
impl fmt::Display for LengthRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.min, self.max) {
            (0, None) => Ok(()),
            (min, None) => write!(f, "({min}..)"),
            (0, Some(max)) => write!(f, "(..={max})"),
            (min, Some(max)) => write!(f, "({min}..={max})"),
        }
    }
}
