//! `date`: the calendar, in UTC.
//!
//! A moment is its milliseconds since 1970-01-01T00:00:00Z, as `time::now` gives them. There are no
//! time zones here: a text with an offset is read as the moment that it names, and one without is
//! read as UTC. Weeks begin on Monday.

use super::ModuleBuilder;
use super::options::Options;
use crate::script::host::text::work::refuse;
use crate::script::meter;
use crate::script::native::compare::Outcome;
use crate::script::value::prefix;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::fmt::strtime;
use jiff::tz::{Offset, TimeZone};
use jiff::{Span, Timestamp, ToSpan, Unit};
use rhai::{Dynamic, EvalAltResult, ImmutableString, Map, Module, Shared};
use std::sync::OnceLock;

/// The longest text that is read as a date, and the longest format, in bytes.
const MAX_TEXT: usize = 512;

/// The module, built once.
pub(crate) fn module() -> Shared<Module> {
    static MODULE: OnceLock<Shared<Module>> = OnceLock::new();
    Shared::clone(MODULE.get_or_init(|| {
        let mut builder = ModuleBuilder::new();
        builder.about(
            "The calendar, in UTC. A moment is in milliseconds since 1970-01-01T00:00:00Z, as \
             `time::now()` gives it; weeks begin on Monday. What is no moment is an error that \
             shows how to write one.",
        );
        register_texts(&mut builder);
        register_sums(&mut builder);
        builder.build()
    }))
}

fn register_texts(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// The moment that a text names: a date, a date with a time, or either with an offset.",
            "/// date::parse(\"1970-01-02\") // => 86400000",
            "/// date::parse(\"1970-01-01T01:00:00+01:00\") // => 0",
        ])
        .function("parse", ["text: string", "int"], parse)
        .docs(&[
            "/// The same for a text in another format: `%Y` year, `%m` month, `%d` day, `%H` `%M` `%S` time, \
             `%b` `%B` month in English, `%z` offset, and so on as in strftime.",
            "/// date::parse(\"2 Jan 1970\", \"%d %b %Y\") // => 86400000",
        ])
        .function("parse", ["text: string", "format: string", "int"], parse_as)
        .docs(&[
            "/// A moment as text in a format of `%` letters, as `parse` reads it.",
            "/// date::format(86400000, \"%a, %d %b %Y\") // => \"Fri, 02 Jan 1970\"",
        ])
        .function("format", ["moment: int", "format: string", "string"], format)
        .docs(&[
            "/// A moment as text in ISO 8601.",
            "/// date::iso(86400000) // => \"1970-01-02T00:00:00Z\"",
        ])
        .function("iso", ["moment: int", "string"], iso)
        .docs(&[
            "/// The day of a moment as text in ISO 8601.",
            "/// date::day(86400000) // => \"1970-01-02\"",
        ])
        .function("day", ["moment: int", "string"], day)
        .docs(&[
            "/// The name of the weekday in English.",
            "/// date::weekday(0) // => \"Thursday\"",
        ])
        .function("weekday", ["moment: int", "string"], weekday)
        .docs(&[
            "/// What a moment is made of: `year`, `month`, `day`, `hour`, `minute`, `second`, `millisecond`, \
             `weekday` (1 is Monday), `week` and `week_year` (of ISO 8601), `day_of_year`, `days_in_month`, \
             `is_leap_year`.",
            "/// date::parts(86400000).day // => 2",
        ])
        .function("parts", ["moment: int", "map"], parts)
        .docs(&[
            "/// The moment made of `year`, `month`, `day`, `hour`, `minute`, `second`, `millisecond`; only the \
             year is needed.",
            "/// date::of(#{ year: 1970, day: 2 }) // => 86400000",
        ])
        .function("of", ["parts: map", "int"], of);
}

fn register_sums(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// The moment so many units later, or earlier for a negative amount: `years`, `months`, `weeks`, \
             `days`, `hours`, `minutes`, `seconds`, `milliseconds`. A month that is too short gives its last \
             day.",
            "/// date::day(date::add(date::parse(\"2024-01-31\"), 1, \"months\")) // => \"2024-02-29\"",
        ])
        .function("add", ["moment: int", "amount: int", "unit: string", "int"], add)
        .docs(&[
            "/// The moment later by several units, `#{ days: 1, hours: -1 }`, of which the largest is added \
             first.",
            "/// date::iso(date::add(0, #{ days: 1, hours: -1 })) // => \"1970-01-01T23:00:00Z\"",
        ])
        .function("add", ["moment: int", "amounts: map", "int"], add_all)
        .docs(&[
            "/// How many whole units lie between two moments; negative where `to` is the earlier.",
            "/// date::difference(date::parse(\"2024-01-31\"), date::parse(\"2024-03-01\"), \"days\") // => 30",
        ])
        .function(
            "difference",
            ["from: int", "to: int", "unit: string", "int"],
            difference,
        )
        .docs(&[
            "/// The time between two moments as `years`, `months`, `days`, `hours`, `minutes`, `seconds`, \
             `milliseconds`.",
            "/// date::difference(0, date::parse(\"1971-03-02\")).months // => 2",
        ])
        .function("difference", ["from: int", "to: int", "map"], difference_in_all)
        .docs(&[
            "/// The moment at which the unit of a moment begins: `year`, `quarter`, `month`, `week`, `day`, \
             `hour`, `minute`, `second`.",
            "/// date::day(date::start_of(date::parse(\"2026-11-20\"), \"week\")) // => \"2026-11-16\"",
        ])
        .function("start_of", ["moment: int", "unit: string", "int"], start_of);
}

/// What every function here costs about.
fn pay() -> Outcome<()> {
    meter::charge(8)
}

fn moment(function: &str, milliseconds: i64) -> Outcome<Timestamp> {
    pay()?;
    Timestamp::from_millisecond(milliseconds).map_err(|_| {
        refuse(format!(
            "{function}: {milliseconds} ms is no moment between the years -9999 and 9999; give \
             milliseconds since 1970, as time::now does"
        ))
    })
}

fn civil(function: &str, milliseconds: i64) -> Outcome<DateTime> {
    Ok(Offset::UTC.to_datetime(moment(function, milliseconds)?))
}

fn milliseconds(function: &str, moment: DateTime) -> Outcome<i64> {
    let moment = Offset::UTC.to_timestamp(moment).map_err(|_| out_of_range(function))?;
    Ok(moment.as_millisecond())
}

#[cold]
fn out_of_range(function: &str) -> Box<EvalAltResult> {
    refuse(format!("{function}: the result lies outside of the years -9999 to 9999"))
}

/// A text that may be a date, or a format.
fn short<'t>(function: &str, name: &str, text: &'t str) -> Outcome<&'t str> {
    pay()?;
    if text.len() <= MAX_TEXT {
        return Ok(text);
    }
    Err(refuse(format!(
        "{function}: `{name}` has {} bytes, and {MAX_TEXT} is the most; give the date alone",
        text.len()
    )))
}

fn parse(text: &str) -> Outcome<i64> {
    let function = "date::parse";
    let text = short(function, "text", text)?.trim();
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment.as_millisecond());
    }
    match text.parse::<DateTime>() {
        Ok(moment) => milliseconds(function, moment),
        Err(_) => Err(refuse(format!(
            "{function}: {:?} is no date; write it as 2026-01-31 or 2026-01-31T12:00:00Z, or say \
             how it is written: date::parse(text, \"%d.%m.%Y\")",
            prefix(text, 60)
        ))),
    }
}

fn parse_as(text: &str, format: &str) -> Outcome<i64> {
    let function = "date::parse";
    let text = short(function, "text", text)?;
    let format = short(function, "format", format)?;
    let read = strtime::parse(format, text).and_then(|parts| {
        if parts.offset().is_some() || parts.timestamp().is_some() {
            return parts.to_timestamp();
        }
        let date = parts.to_date()?;
        let time = if parts.hour().is_some() { parts.to_time()? } else { Time::midnight() };
        Offset::UTC.to_timestamp(date.to_datetime(time))
    });
    read.map(|moment| moment.as_millisecond()).map_err(|error| {
        refuse(format!(
            "{function}: {:?} is not written as {:?}: {}",
            prefix(text, 60),
            prefix(format, 60),
            prefix(&error.to_string(), 200)
        ))
    })
}

fn format(milliseconds: i64, format: &str) -> Outcome<ImmutableString> {
    let function = "date::format";
    let moment = moment(function, milliseconds)?.to_zoned(TimeZone::UTC);
    let format = short(function, "format", format)?;
    // A directive may ask for 255 digits.
    meter::charge_bytes(format.len().saturating_mul(128))?;
    meter::reserve(format.len().saturating_mul(256))?;
    strtime::format(format, &moment).map(ImmutableString::from).map_err(|error| {
        refuse(format!(
            "{function}: {:?} is no format: {}; write %Y-%m-%d or the like, and %% for a percent \
             sign",
            prefix(format, 60),
            prefix(&error.to_string(), 200)
        ))
    })
}

fn iso(milliseconds: i64) -> Outcome<ImmutableString> {
    Ok(moment("date::iso", milliseconds)?.to_string().into())
}

fn day(milliseconds: i64) -> Outcome<ImmutableString> {
    Ok(civil("date::day", milliseconds)?.date().to_string().into())
}

fn weekday(milliseconds: i64) -> Outcome<ImmutableString> {
    let name = match civil("date::weekday", milliseconds)?.weekday() {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    };
    Ok(name.into())
}

fn parts(milliseconds: i64) -> Outcome<Map> {
    let moment = civil("date::parts", milliseconds)?;
    let week = moment.date().iso_week_date();
    let mut map: Map = [
        ("year", i64::from(moment.year())),
        ("month", i64::from(moment.month())),
        ("day", i64::from(moment.day())),
        ("hour", i64::from(moment.hour())),
        ("minute", i64::from(moment.minute())),
        ("second", i64::from(moment.second())),
        ("millisecond", i64::from(moment.millisecond())),
        ("weekday", i64::from(moment.weekday().to_monday_one_offset())),
        ("week", i64::from(week.week())),
        ("week_year", i64::from(week.year())),
        ("day_of_year", i64::from(moment.day_of_year())),
        ("days_in_month", i64::from(moment.days_in_month())),
    ]
    .into_iter()
    .map(|(name, value)| (name.into(), Dynamic::from_int(value)))
    .collect();
    map.insert("is_leap_year".into(), Dynamic::from_bool(moment.in_leap_year()));
    Ok(map)
}

fn of(parts: Map) -> Outcome<i64> {
    pay()?;
    let function = "date::of";
    let mut options = Options::new(function, &parts);
    let mut part = |name: &'static str, least: i64| -> Outcome<i64> {
        Ok(options.number(name)?.unwrap_or(least))
    };
    let (year, month, day) = (part("year", i64::MIN)?, part("month", 1)?, part("day", 1)?);
    let (hour, minute, second) = (part("hour", 0)?, part("minute", 0)?, part("second", 0)?);
    let fraction = part("millisecond", 0)?;
    options.done()?;
    if year == i64::MIN {
        return Err(refuse(format!("{function}: the year is missing; write #{{ year: 2026 }}")));
    }
    let small = |value: i64| i8::try_from(value).unwrap_or(i8::MAX);
    let date =
        i16::try_from(year).ok().and_then(|year| Date::new(year, small(month), small(day)).ok());
    let nanoseconds = fraction.checked_mul(1_000_000).and_then(|n| i32::try_from(n).ok());
    let time =
        nanoseconds.and_then(|n| Time::new(small(hour), small(minute), small(second), n).ok());
    match (date, time) {
        (Some(date), Some(time)) => milliseconds(function, date.to_datetime(time)),
        (None, _) => Err(refuse(format!(
            "{function}: there is no day {year}-{month:02}-{day:02}; use date::add to count over \
             the end of a month"
        ))),
        (_, None) => Err(refuse(format!(
            "{function}: there is no time {hour:02}:{minute:02}:{second:02}.{fraction:03}; use \
             date::add to count over the end of a day"
        ))),
    }
}

/// A unit by its name, in singular or plural.
fn unit(function: &str, name: &str) -> Outcome<Unit> {
    Ok(match name.strip_suffix('s').unwrap_or(name) {
        "year" => Unit::Year,
        "month" => Unit::Month,
        "week" => Unit::Week,
        "day" => Unit::Day,
        "hour" => Unit::Hour,
        "minute" => Unit::Minute,
        "second" => Unit::Second,
        "millisecond" => Unit::Millisecond,
        _ => {
            return Err(refuse(format!(
                "{function}: there is no unit `{}`; write years, months, weeks, days, hours, \
                 minutes, seconds or milliseconds",
                prefix(name, 40)
            )));
        }
    })
}

fn grown(function: &str, span: Span, unit: Unit, amount: i64) -> Outcome<Span> {
    match unit {
        Unit::Year => span.try_years(amount),
        Unit::Month => span.try_months(amount),
        Unit::Week => span.try_weeks(amount),
        Unit::Day => span.try_days(amount),
        Unit::Hour => span.try_hours(amount),
        Unit::Minute => span.try_minutes(amount),
        Unit::Second => span.try_seconds(amount),
        _ => span.try_milliseconds(amount),
    }
    .map_err(|_| out_of_range(function))
}

fn moved(function: &str, milliseconds_: i64, span: Span) -> Outcome<i64> {
    let moment = civil(function, milliseconds_)?;
    milliseconds(function, moment.checked_add(span).map_err(|_| out_of_range(function))?)
}

fn add(milliseconds: i64, amount: i64, unit_name: &str) -> Outcome<i64> {
    let function = "date::add";
    let unit = unit(function, unit_name)?;
    moved(function, milliseconds, grown(function, Span::new(), unit, amount)?)
}

fn add_all(mut milliseconds: i64, amounts: Map) -> Outcome<i64> {
    let function = "date::add";
    let mut options = Options::new(function, &amounts);
    let names = ["years", "months", "weeks", "days", "hours", "minutes", "seconds", "milliseconds"];
    for name in names {
        if let Some(amount) = options.number(name)? {
            milliseconds = add(milliseconds, amount, name)?;
        }
    }
    options.done()?;
    Ok(milliseconds)
}

fn difference(from: i64, to: i64, unit_name: &str) -> Outcome<i64> {
    let function = "date::difference";
    let unit = unit(function, unit_name)?;
    let (start, end) = (civil(function, from)?, civil(function, to)?);
    let length = match unit {
        Unit::Year | Unit::Month => {
            let span = start.until((unit, end)).map_err(|_| out_of_range(function))?;
            return Ok(if unit == Unit::Year {
                i64::from(span.get_years())
            } else {
                i64::from(span.get_months())
            });
        }
        Unit::Week => 7 * 86_400_000,
        Unit::Day => 86_400_000,
        Unit::Hour => 3_600_000,
        Unit::Minute => 60_000,
        Unit::Second => 1_000,
        _ => 1,
    };
    // Both are moments, and far from the ends of the integers.
    Ok(to.saturating_sub(from) / length)
}

fn difference_in_all(from: i64, to: i64) -> Outcome<Map> {
    let function = "date::difference";
    let (start, end) = (civil(function, from)?, civil(function, to)?);
    let span = start.until((Unit::Year, end)).map_err(|_| out_of_range(function))?;
    Ok([
        ("years", i64::from(span.get_years())),
        ("months", i64::from(span.get_months())),
        ("days", i64::from(span.get_days())),
        ("hours", i64::from(span.get_hours())),
        ("minutes", span.get_minutes()),
        ("seconds", span.get_seconds()),
        ("milliseconds", span.get_milliseconds()),
    ]
    .into_iter()
    .map(|(name, value)| (name.into(), Dynamic::from_int(value)))
    .collect())
}

fn start_of(moment: i64, unit: &str) -> Outcome<i64> {
    let function = "date::start_of";
    let moment = civil(function, moment)?;
    let (date, time) = (moment.date(), moment.time());
    let is_found = |result: Result<DateTime, jiff::Error>| {
        result.map_err(|_| out_of_range(function)).and_then(|at| milliseconds(function, at))
    };
    let hour = |minute: i8, second: i8| {
        Time::new(time.hour(), minute, second, 0).map(|time| date.to_datetime(time))
    };
    let first =
        |month: i8| Date::new(date.year(), month, 1).map(|date| date.to_datetime(Time::midnight()));
    is_found(match unit {
        "year" => first(1),
        "quarter" => first((date.month() - 1) / 3 * 3 + 1),
        "month" => first(date.month()),
        "week" => date
            .checked_sub(i64::from(date.weekday().to_monday_zero_offset()).days())
            .map(|date| date.to_datetime(Time::midnight())),
        "day" => Ok(date.to_datetime(Time::midnight())),
        "hour" => hour(0, 0),
        "minute" => hour(time.minute(), 0),
        "second" => hour(time.minute(), time.second()),
        _ => {
            return Err(refuse(format!(
                "{function}: there is no unit `{}`; write year, quarter, month, week, day, hour, \
                 minute or second",
                prefix(unit, 40)
            )));
        }
    })
}

#[cfg(test)]
mod tests {
    use crate::script::host::text::trial::{check, check_examples, check_refused};

    #[test]
    fn examples_are_true() {
        check_examples("date", &super::module());
    }

    #[test]
    fn texts_name_moments() {
        check(
            "date::parse(\"2026-11-20T12:30:00.250Z\") - date::parse(\"2026-11-20 12:30\")",
            "250",
        );
        check("date::parse(\" 1970-01-01T00:00:00-00:30 \")", "1800000");
        check(
            "date::parse(\"20.11.2026 07:05\", \"%d.%m.%Y %H:%M\") - date::parse(\"2026-11-20\")",
            "25500000",
        );
        check("date::parse(\"1970-01-01 02:00 +0200\", \"%Y-%m-%d %H:%M %z\")", "0");
        check("date::parse(\"0\", \"%s\")", "0");
        check("date::iso(date::parse(\"-000001-01-01\"))", "\"-000001-01-01T00:00:00Z\"");
        check("date::format(-1, \"%H:%M:%S%.3f %%\")", "\"23:59:59.999 %\"");
    }

    #[test]
    fn the_calendar_is_kept() {
        check("date::day(date::add(date::parse(\"2024-02-29\"), 1, \"year\"))", "\"2025-02-28\"");
        check(
            "date::day(date::add(date::parse(\"2024-03-31\"), -1, \"months\"))",
            "\"2024-02-29\"",
        );
        check("date::add(5, 0, \"days\")", "5");
        check(
            "date::difference(date::parse(\"2025-03-01\"), date::parse(\"2024-02-29\"), \"years\")",
            "-1",
        );
        check("date::difference(0, 1999, \"seconds\")", "1");
        check("date::difference(1999, 0, \"seconds\")", "-1");
        check(
            "date::day(date::start_of(date::parse(\"2026-11-22T23:59:59\"), \"week\"))",
            "\"2026-11-16\"",
        );
        check(
            "date::day(date::start_of(date::parse(\"2026-11-20\"), \"quarter\"))",
            "\"2026-10-01\"",
        );
        check("date::start_of(-1, \"day\")", "-86400000");
        check("date::start_of(3723004, \"second\")", "3723000");
        check("date::parts(date::parse(\"2024-12-30\")).week_year", "2025");
        check(
            "let p = date::parts(date::parse(\"2023-02-01\")); [p.days_in_month, p.is_leap_year]",
            "[28, false]",
        );
    }

    #[test]
    fn mistakes_are_told_and_can_be_caught() {
        check_refused("date::parse(\"yesterday\")", "is no date; write it as 2026-01-31");
        check_refused("date::parse(text::repeat(\"1\", 100000))", "512 is the most");
        check_refused("date::parse(\"5\", \"%d\")", "is not written as");
        check_refused("date::format(0, \"%!\")", "is no format");
        check_refused("date::iso(9223372036854775807)", "is no moment");
        check_refused("date::add(0, 9223372036854775807, \"years\")", "outside of the years");
        check_refused(
            "date::add(0, 9000000000000000000, \"milliseconds\")",
            "outside of the years",
        );
        check_refused("date::add(0, 1, \"fortnights\")", "there is no unit `fortnights`");
        check_refused("date::add(0, #{ day: 1 })", "there is no option `day`");
        check_refused("date::of(#{ year: 2023, month: 2, day: 29 })", "there is no day 2023-02-29");
        check_refused("date::of(#{ year: 2023, hour: 24 })", "there is no time 24:00:00.000");
        check_refused("date::of(#{ day: 5 })", "the year is missing");
        check_refused("date::start_of(0, \"days\")", "there is no unit `days`");
        check_refused("date::difference(0, 9223372036854775807, \"days\")", "is no moment");
    }
}
