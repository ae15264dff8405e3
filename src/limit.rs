//! The bounds of one call: names, defaults and ceilings, in one table.
//!
//! A feature may lower its own bounds with `@limit`; only the user raises one, and never above the
//! ceiling. Nothing here enforces a bound; each is enforced where the resource is spent.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// One bounded resource. The order is that of the table in `docs/limits.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Steps of the script engine, natives charged in proportion to their work.
    Operations,
    /// Wall-clock time, in milliseconds.
    Time,
    /// Bytes allocated by the call and still held.
    Memory,
    /// Nested function calls.
    CallDepth,
    /// Bytes of one source file.
    Source,
    /// Bytes of a feature's serialized descriptor.
    Descriptor,
    /// Bytes of a call's arguments as JSON.
    Arguments,
    /// Bytes of a call's result as JSON.
    Result,
    /// Bytes of text that one hook decision may carry.
    Decision,
    /// Bytes of events that one call may emit.
    Events,
    /// Bytes of notifications, to the model and to the user, that one call may send.
    Notifications,
    /// Bytes that one call may write to the log.
    Log,
    /// Diagnostics that one check reports for one feature.
    Diagnostics,
    /// Bytes of keys and values that a feature's store may hold.
    Store,
    /// Calls that may run or wait at the same time.
    InFlight,
    /// Wall-clock time of all the hooks of one event together, in milliseconds.
    EventTime,
    /// Steps of all the hooks of one event together.
    EventOperations,
    /// How often hooks may make one turn go on.
    Again,
    /// Bytes of what one call gets from its host that the log keeps, so that it can be run again.
    Record,
}

struct Row {
    limit: Limit,
    name: &'static str,
    code: &'static str,
    unit: &'static str,
    default: u64,
    ceiling: u64,
}

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// Every bound, in the order of [`Limit`].
const TABLE: [Row; 19] = [
    row(
        Limit::Operations,
        "operations",
        "limit/operations",
        "operations",
        10_000_000,
        1_000_000_000,
    ),
    row(Limit::Time, "time", "limit/time", "ms", 5_000, 600_000),
    row(Limit::Memory, "memory", "limit/memory", "bytes", 32 * MIB, 512 * MIB),
    row(Limit::CallDepth, "call_depth", "limit/call-depth", "calls", 64, 256),
    row(Limit::Source, "source", "limit/source", "bytes", 64 * KIB, 64 * KIB),
    row(Limit::Descriptor, "descriptor", "limit/descriptor", "bytes", 64 * KIB, 256 * KIB),
    row(Limit::Arguments, "arguments", "limit/arguments", "bytes", MIB, 16 * MIB),
    row(Limit::Result, "result", "limit/result", "bytes", 256 * KIB, 16 * MIB),
    row(Limit::Decision, "decision", "limit/decision", "bytes", 4 * KIB, 64 * KIB),
    row(Limit::Events, "events", "limit/events", "bytes", 64 * KIB, MIB),
    row(Limit::Notifications, "notifications", "limit/notifications", "bytes", 8 * KIB, 64 * KIB),
    row(Limit::Log, "log", "limit/log", "bytes", 64 * KIB, MIB),
    row(Limit::Diagnostics, "diagnostics", "limit/diagnostics", "diagnostics", 100, 1_000),
    row(Limit::Store, "store", "limit/store", "bytes", 16 * MIB, 1_024 * MIB),
    row(Limit::InFlight, "in_flight", "limit/in-flight", "calls", 64, 1_024),
    row(Limit::EventTime, "event_time", "limit/event-time", "ms", 5_000, 600_000),
    row(
        Limit::EventOperations,
        "event_operations",
        "limit/event-operations",
        "operations",
        10_000_000,
        1_000_000_000,
    ),
    row(Limit::Again, "again", "limit/again", "times", 3, 100),
    row(Limit::Record, "record", "limit/record", "bytes", MIB, 64 * MIB),
];

/// The units that values may be written in: names, the limit's unit that they measure, factors.
pub(crate) const UNITS: [(&str, &str, u64); 12] = [
    ("B", "bytes", 1),
    ("KiB", "bytes", KIB),
    ("MiB", "bytes", MIB),
    ("GiB", "bytes", 1024 * MIB),
    ("KB", "bytes", 1_000),
    ("MB", "bytes", 1_000_000),
    ("GB", "bytes", 1_000_000_000),
    ("ms", "ms", 1),
    ("s", "ms", 1_000),
    ("sec", "ms", 1_000),
    ("min", "ms", 60_000),
    ("m", "ms", 60_000),
];

const fn row(
    limit: Limit,
    name: &'static str,
    code: &'static str,
    unit: &'static str,
    default: u64,
    ceiling: u64,
) -> Row {
    Row { limit, name, code, unit, default, ceiling }
}

impl Limit {
    /// Every limit, in table order.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.limit)
    }

    fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// The name used by `@limit` and the command line, such as `call_depth`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The diagnostic code, such as `limit/call-depth`.
    pub fn code(self) -> &'static str {
        self.row().code
    }

    /// What one unit is: `bytes`, `ms`, `operations`, …
    pub fn unit(self) -> &'static str {
        self.row().unit
    }

    /// The value in force where nobody chose another.
    pub fn default_value(self) -> u64 {
        self.row().default
    }

    /// The largest value a user may choose.
    pub fn ceiling(self) -> u64 {
        self.row().ceiling
    }

    /// Reads a value as people write it, in the limit's own unit: `10_000`, `500ms`, `2s`, `16MiB`.
    ///
    /// A bare number counts in [`Self::unit`]. Whether the value may be chosen is for
    /// [`Limits::set`] to say.
    ///
    /// # Errors
    ///
    /// The text is not a whole number, or its unit is not one of this limit's.
    pub fn parse_value(self, text: &str) -> Result<u64, LimitError> {
        let refused = || LimitError::Value { limit: self, given: text.chars().take(40).collect() };
        let end = text.find(|c: char| !(c.is_ascii_digit() || c == '_')).unwrap_or(text.len());
        let (digits, unit) = text.split_at(end);
        if !digits.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(refused());
        }
        let number: u64 = digits.replace('_', "").parse().map_err(|_| refused())?;
        let unit = unit.trim();
        if unit.is_empty() {
            return Ok(number);
        }
        let is_unit = |(name, measures, _): &&(&str, &str, u64)| {
            *measures == self.unit() && unit.eq_ignore_ascii_case(name)
        };
        let &(_, _, factor) = UNITS.iter().find(is_unit).ok_or_else(refused)?;
        // What overflows is above every ceiling, and is refused as that.
        Ok(number.saturating_mul(factor))
    }

    fn value_form(self) -> &'static str {
        match self.unit() {
            "ms" => "a whole number with `ms`, `s` or `min`, as in `500ms` or `2s`",
            "bytes" => "a whole number with `B`, `KiB` or `MiB`, as in `64KiB` or `16MiB`",
            _ => "a whole number, as in `10_000`",
        }
    }

    /// The limit of that name, if there is one.
    pub fn by_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.name == name).map(|row| row.limit)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A value for every [`Limit`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits([u64; TABLE.len()]);

impl Default for Limits {
    fn default() -> Self {
        Self(std::array::from_fn(|index| TABLE[index].default))
    }
}

/// Why a value was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// A zero would read as "unlimited" in places; there is no such thing here.
    #[error("`{0}` cannot be 0; every call is bounded, write at least 1")]
    Zero(Limit),
    /// Not a value of this limit.
    #[error("`{given}` is not a value of `{limit}`; write {}", limit.value_form())]
    Value {
        /// The limit asked for.
        limit: Limit,
        /// What was given.
        given: String,
    },
    /// Above what any user may choose.
    #[error("`{limit} {value}` is above the ceiling of {} {}", limit.ceiling(), limit.unit())]
    AboveCeiling {
        /// The limit asked for.
        limit: Limit,
        /// The value given.
        value: u64,
    },
}

impl Limits {
    /// The bound in force, in the limit's own unit.
    pub fn get(&self, limit: Limit) -> u64 {
        self.0[limit as usize]
    }

    /// Sets a bound as the user asked for it.
    ///
    /// # Errors
    ///
    /// The value is zero or above the ceiling.
    pub fn set(&mut self, limit: Limit, value: u64) -> Result<(), LimitError> {
        if value == 0 {
            return Err(LimitError::Zero(limit));
        }
        if value > limit.ceiling() {
            return Err(LimitError::AboveCeiling { limit, value });
        }
        self.0[limit as usize] = value;
        Ok(())
    }

    /// These bounds, each lowered to `wanted` where that is smaller. A feature never raises one.
    #[must_use]
    pub fn lowered(&self, wanted: &[(Limit, u64)]) -> Self {
        let mut limits = self.clone();
        for &(limit, value) in wanted {
            let slot = &mut limits.0[limit as usize];
            *slot = (*slot).min(value.max(1));
        }
        limits
    }

    /// As [`Self::lowered`]; the same where nothing is wanted, for most features want nothing.
    pub(crate) fn shared(limits: &Arc<Self>, wanted: &[(Limit, u64)]) -> Arc<Self> {
        match wanted {
            [] => Arc::clone(limits),
            wanted => Arc::new(limits.lowered(wanted)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_indexed_by_discriminant() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(row.limit as usize, index, "{}", row.name);
            assert!(row.default <= row.ceiling && row.default > 0);
            assert_eq!(row.code, format!("limit/{}", row.name.replace('_', "-")));
        }
    }

    #[test]
    fn values_are_read_as_people_write_them() {
        for (limit, text, value) in [
            (Limit::Operations, "10_000", 10_000),
            (Limit::Time, "500ms", 500),
            (Limit::Time, "2s", 2_000),
            (Limit::Time, "1 min", 60_000),
            (Limit::Time, "750", 750),
            (Limit::Memory, "16MiB", 16 * MIB),
            (Limit::Result, "64KB", 64_000),
            (Limit::Time, "9999999999999999999s", u64::MAX),
            (Limit::Memory, "99999999999GiB", u64::MAX),
        ] {
            assert_eq!(limit.parse_value(text), Ok(value), "{limit} {text}");
        }
        for (limit, text) in [
            (Limit::Operations, "10ms"),
            (Limit::Time, "2MiB"),
            (Limit::Time, "-1s"),
            (Limit::Time, "1.5s"),
            (Limit::Time, ""),
            (Limit::Memory, "_1"),
        ] {
            assert!(limit.parse_value(text).is_err(), "{limit} {text}");
        }
    }

    #[test]
    fn a_feature_lowers_and_never_raises() {
        let limits = Limits::default().lowered(&[(Limit::Time, 100), (Limit::Memory, u64::MAX)]);
        assert_eq!(limits.get(Limit::Time), 100);
        assert_eq!(limits.get(Limit::Memory), Limit::Memory.default_value());
    }

    #[test]
    fn a_user_raises_up_to_the_ceiling() {
        let mut limits = Limits::default();
        limits.set(Limit::Time, 600_000).expect("the ceiling itself is allowed");
        assert_eq!(
            limits.set(Limit::Time, 600_001),
            Err(LimitError::AboveCeiling { limit: Limit::Time, value: 600_001 })
        );
        assert_eq!(limits.set(Limit::Time, 0), Err(LimitError::Zero(Limit::Time)));
    }
}
