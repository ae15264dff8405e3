//! Answers that a test gives to its own requests, for a test has no network.

use super::exchange::Answer;
use super::options::{Asked, Header, few, json, map};
use super::target::Target;
use crate::diagnostic::Diagnostic;
use crate::script::frame::{self, Frame, Native, Role, refusal};
use crate::script::host::options::Options;
use crate::script::host::text::work::refuse;
use crate::script::meter;
use crate::script::native::display::{self, Style};
use crate::script::value::prefix;
use rhai::{Array, Dynamic, ImmutableString, Map};

/// The operations that one answer costs.
const COST: u64 = 20;

/// An answer of a test.
#[derive(Clone)]
pub(super) struct Canned {
    target: Target,
    status: u16,
    headers: Vec<(String, String)>,
    body: ImmutableString,
    /// Whether a request got it.
    is_used: bool,
}

/// A request of a test.
#[derive(Clone)]
pub(super) struct Sent {
    method: String,
    url: String,
    /// Names and what a test may see of values.
    headers: Vec<(String, String)>,
    body: ImmutableString,
}

/// Keeps an answer for the requests of the running test.
pub(super) fn answer(url: &str, options: &Map) -> Native {
    meter::charge(COST)?;
    let function = "http::answer";
    require_test(function)?;
    let mut options = Options::new(function, options);
    let status = options.number("status")?.unwrap_or(200);
    let status = u16::try_from(status).ok().filter(|status| (200..=599).contains(status));
    let status = status
        .ok_or_else(|| refuse(format!("{function}: `status` is a number from 200 to 599")))?;
    let mut headers = Vec::new();
    if let Some(given) = options.take("headers") {
        let fields = map(function, "headers", given, "#{ etag: \"1\" }")?;
        few(fields.len())?;
        for (name, value) in &fields {
            headers.push((name.to_string(), display::text(value, Style::Print).into()));
        }
    }
    let text = options.text("body", "\"text\"")?;
    let value = options.take("json");
    let body = match (text, value) {
        (Some(_), Some(_)) => {
            return Err(refuse(format!("{function}: `body` and `json` are one body; give one")));
        }
        (Some(text), None) => text,
        (None, Some(value)) => {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
            json(function, value)?
        }
        (None, None) => ImmutableString::new(),
    };
    options.done()?;
    let target = Target::read(url)?;
    let canned = Canned { target, status, headers, body, is_used: false };
    frame::with(|frame| {
        frame.requests().canned.push(canned);
        Ok(())
    })
}

/// What the running test has asked for so far.
pub(super) fn sent() -> Native<Array> {
    require_test("http::sent")?;
    let sent = frame::with(|frame| Ok(frame.requests().sent.clone()))?;
    meter::charge(sent.len() as u64 * COST)?;
    let maps = sent.into_iter().map(|one| {
        let headers = one.headers.into_iter().map(|(name, value)| (name.into(), value.into()));
        Dynamic::from_map(Map::from([
            ("method".into(), one.method.into()),
            ("url".into(), one.url.into()),
            ("headers".into(), Dynamic::from_map(headers.collect())),
            ("body".into(), one.body.into()),
        ]))
    });
    Ok(maps.collect())
}

/// Whether the running function is a test, and its requests stay here.
pub(super) fn is_test() -> Native<bool> {
    frame::with(|frame| Ok(frame.role() == Role::Test))
}

fn require_test(function: &str) -> Native {
    if is_test()? {
        return Ok(());
    }
    Err(refuse(format!("{function} is for functions with `@test` alone")))
}

/// The answer that the running test has for a request.
///
/// # Errors
///
/// It has none.
pub(super) fn answered(
    asked: &Asked,
    method: &str,
    target: &Target,
    headers: &[Header],
    has_body: bool,
) -> Native<Answer> {
    meter::charge(COST)?;
    let body = asked.body.clone().filter(|_| has_body).unwrap_or_default();
    let shown = headers.iter().map(|header| (header.name.clone(), header.shown())).collect();
    let sent =
        Sent { method: method.to_owned(), url: target.as_str().to_owned(), headers: shown, body };
    frame::with(|frame| {
        // As the request itself would.
        frame.acted();
        frame.requests().sent.push(sent);
        let Some(canned) = find(frame, target) else { return Err(none(target)) };
        let Canned { status, headers, body, .. } = canned.clone();
        canned.is_used = true;
        meter::reserve(body.len())?;
        let is_empty = method == "HEAD" || matches!(status, 204 | 304);
        let body = if is_empty { Vec::new() } else { body.as_bytes().to_vec() };
        Ok(Answer { status, headers, body })
    })
}

/// The first answer for an address that no request got yet, or the last one. One that was given
/// for the address without a query stands for every query that has none of its own.
fn find<'f>(frame: &'f mut Frame, target: &Target) -> Option<&'f mut Canned> {
    let canned = &mut frame.requests().canned;
    let exact = |one: &Canned| one.target.as_str() == target.as_str();
    let any_query = |one: &Canned| one.target.as_str() == target.without_query();
    let place = |fits: &dyn Fn(&Canned) -> bool| {
        let fresh = canned.iter().position(|one| fits(one) && !one.is_used);
        fresh.or_else(|| canned.iter().rposition(fits))
    };
    let place = place(&exact).or_else(|| place(&any_query))?;
    canned.get_mut(place)
}

fn none(target: &Target) -> Box<rhai::EvalAltResult> {
    let shown = prefix(target.as_str(), 400);
    let message = format!("a test has no network, and this one has no answer for `{shown}`");
    refusal(Diagnostic::author("http/no-answer", message).help(format!(
        "give it one before: `http::answer({:?}, #{{ status: 200, json: #{{ … }} }})`",
        prefix(target.without_query(), 200)
    )))
}
