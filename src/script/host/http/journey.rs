//! A request from its first address to its last: each hop is granted, on record, and told no
//! secret that is not for it.

use super::canned;
use super::dial::{Network, dial};
use super::exchange::{Answer, Fault, Wanted, exchange};
use super::options::{Asked, Coding, Header, Piece};
use super::redact::{Redactor, Spent};
use super::target::Target;
use super::wire::Connection;
use crate::diagnostic::Diagnostic;
use crate::feature::capability::{Capability, SecretName};
use crate::feature::grant::grant_command;
use crate::feature::transaction::Act;
use crate::script::frame::{self, Frame, Native, ask_host, refusal};
use crate::script::host::hash::{BASE64, base64_of};
use crate::script::meter;
use crate::script::value::prefix;
use rhai::{Dynamic, EvalAltResult, Map};
use std::sync::Arc;
use std::time::Instant;
use zeroize::Zeroizing;

/// The operations that one request costs.
const COST: u64 = 1_000;

/// Most redirects that are followed.
const MOST_REDIRECTS: usize = 5;

/// The longest message of a request that failed, in bytes.
const MAX_MESSAGE: usize = 600;

/// How requests call themselves.
const AGENT: &str = concat!("peasy/", env!("CARGO_PKG_VERSION"));

/// One hop of a request.
struct Hop {
    method: String,
    target: Target,
    has_body: bool,
    /// How many hops came before.
    number: usize,
}

/// Sends a request, follows where it is led, and gives the answer as a script sees it.
///
/// # Errors
///
/// Something is not granted, or there is no answer; the script may catch that.
pub(super) fn travel(asked: &Asked, network: &Arc<dyn Network>) -> Native<Map> {
    frame::with(|frame| {
        asked.target.require(frame)?;
        asked.secrets().try_for_each(|name| asked.target.require_secret(frame, name))
    })?;
    if let Some(name) = asked.secrets().next()
        && !is_private(&asked.target)
    {
        return Err(refusal(in_the_clear(name, &asked.target)));
    }
    let mut until = frame::with(|frame| Ok(frame.deadline()))?;
    if let Some(own) = asked.timeout.and_then(|timeout| Instant::now().checked_add(timeout)) {
        until = until.min(own);
    }
    let mut hop = Hop {
        method: asked.method.clone(),
        target: asked.target.clone(),
        has_body: asked.body.is_some(),
        number: 0,
    };
    let is_test = canned::is_test()?;
    loop {
        meter::charge(COST)?;
        let headers = headers(asked, &hop)?;
        if !is_test {
            know_secrets_of(&hop.target)?;
        }
        let answer = match is_test {
            true => canned::answered(asked, &hop.method, &hop.target, &headers, hop.has_body)?,
            false => send(asked, &hop, &headers, network, until)?,
        };
        let redactor = redactor()?;
        match next(asked, &hop, &answer, &redactor)? {
            Some(next) => hop = next,
            None => return result(asked, &hop.target, answer, &redactor),
        }
    }
}

/// Whether nobody on the way reads what is sent.
fn is_private(target: &Target) -> bool {
    target.is_encrypted() || target.is_loopback()
}

fn in_the_clear(name: &SecretName, target: &Target) -> Diagnostic {
    let message = format!("the secret `{name}` is not sent to `{}` in the clear", target.host);
    let problem = Diagnostic::caller("secret/in-the-clear", message);
    match target.is_localhost() {
        true => problem.help("name this machine by its address, `http://127.0.0.1`"),
        false => problem.help("write `https://` for `http://`"),
    }
}

/// Remembers every secret that may be spent at a host, spent or not: its server may know one from a
/// call before, and repeat it.
fn know_secrets_of(target: &Target) -> Native {
    let names = frame::with(|frame| {
        let granted = frame.grants().iter().filter_map(|grant| match grant {
            Capability::Secret { name, .. } if target.may_spend(frame, name) => Some(name.clone()),
            _ => None,
        });
        Ok(granted.collect::<Vec<_>>())
    })?;
    for name in names {
        // One that cannot be read now was perhaps never kept; spending it says so.
        if let Ok(text) = ask_host(|host| host.secret(&name)) {
            spend(&name, &Zeroizing::new(text.expose().to_owned()))?;
        }
    }
    Ok(())
}

/// What is looked for in answers: every secret that the call may have told so far.
fn redactor() -> Native<Redactor> {
    let spent = frame::with(|frame| Ok(frame.requests().spent.clone()))?;
    Redactor::of(&spent)
}

/// The headers of a hop: of those that a script gave, what is meant for its host.
fn headers(asked: &Asked, hop: &Hop) -> Native<Vec<Header>> {
    let is_same = hop.target.has_origin_of(&asked.target);
    frame::with(|frame| {
        let is_meant = |header: &&Header| {
            let may_spend = |name| hop.target.may_spend(frame, name) && is_private(&hop.target);
            let is_of_host = matches!(header.name.as_str(), "authorization" | "cookie");
            let mut secrets = header.secrets().peekable();
            match secrets.peek() {
                Some(_) => secrets.all(may_spend),
                // What a script wrote itself is for the host that it wrote it for.
                None if is_of_host => is_same,
                // What is said of a body goes with it.
                None => {
                    hop.has_body == asked.body.is_some() || !header.name.starts_with("content-")
                }
            }
        };
        Ok(asked.headers.iter().filter(is_meant).cloned().collect())
    })
}

/// Sends one hop and reads its answer.
fn send(
    asked: &Asked,
    hop: &Hop,
    headers: &[Header],
    network: &Arc<dyn Network>,
    until: Instant,
) -> Native<Answer> {
    let body = asked.body.as_ref().filter(|_| hop.has_body).map_or(&[][..], |body| body.as_bytes());
    let head = head(hop, headers, hop.has_body.then_some(body.len()))?;
    let redactor = redactor()?;
    let shown = redactor.clean_text(hop.target.as_str())?;
    record(hop, headers, &shown, body.len())?;
    let room = meter::memory_left().map_or(asked.most, |left| left / 4);
    let wanted = Wanted { is_head: hop.method == "HEAD", most: asked.most.min(room) };
    let answer = match dial(network, &hop.target, until)? {
        Err(error) => Err(Fault::Dial(error)),
        Ok(stream) => Connection::begin(stream, &hop.target, &**network, until)
            .map_err(Fault::from)
            .and_then(|mut connection| exchange(&mut connection, &head, body, wanted)),
    };
    answer.map_err(|fault| match (meter::killed(), fault) {
        (Some(limit), _) => meter::kill(limit),
        (None, fault) => {
            let mut problem = fault.diagnostic(&shown);
            // Cut only when it is clean: a part of a secret would not be known.
            match redactor.clean_text(&problem.message) {
                Ok(clean) => problem.message = prefix(&clean, MAX_MESSAGE).to_owned(),
                Err(over) => return over,
            }
            refusal(problem)
        }
    })
}

fn record(hop: &Hop, headers: &[Header], shown: &str, bytes: usize) -> Native {
    let mut secrets: Vec<_> =
        headers.iter().flat_map(Header::secrets).map(ToString::to_string).collect();
    secrets.sort();
    secrets.dedup();
    let act = Act::Http {
        method: hop.method.clone(),
        url: shown.to_owned(),
        bytes: bytes as u64,
        secrets,
    };
    // The log is longer by it for good.
    meter::charge(shown.len() as u64)?;
    frame::act(&act)
}

/// The lines before the body.
fn head(hop: &Hop, headers: &[Header], length: Option<usize>) -> Native<Zeroizing<Vec<u8>>> {
    let values = headers.iter().map(|header| Ok((header.name.as_str(), value(header)?)));
    let values = values.collect::<Native<Vec<_>>>()?;
    let has = |name: &str| values.iter().any(|(known, _)| *known == name);
    let mut lines = vec![
        ("host", hop.target.authority()),
        ("connection", "close".to_owned()),
        ("accept-encoding", "identity".to_owned()),
    ];
    if !has("user-agent") {
        lines.push(("user-agent", AGENT.to_owned()));
    }
    if !has("accept") {
        lines.push(("accept", "*/*".to_owned()));
    }
    // RFC 9110, section 8.6: these say that there is no body, others say nothing.
    let is_usual = matches!(hop.method.as_str(), "POST" | "PUT" | "PATCH");
    if let Some(length) = length.or(is_usual.then_some(0)) {
        lines.push(("content-length", length.to_string()));
    }
    let first = format!("{} {} HTTP/1.1\r\n", hop.method, hop.target.path());
    let own = lines.iter().map(|(name, value)| (*name, value.as_str()));
    let given = values.iter().map(|(name, value)| (*name, value.as_str()));
    let all: Vec<_> = own.chain(given).collect();
    let bytes: usize = all.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    // Of its whole length from the start, so that growing leaves no copy of a secret behind.
    let mut head = Zeroizing::new(Vec::with_capacity(first.len() + bytes + 2));
    head.extend_from_slice(first.as_bytes());
    for (name, value) in all {
        for part in [name, ": ", value, "\r\n"] {
            head.extend_from_slice(part.as_bytes());
        }
    }
    head.extend_from_slice(b"\r\n");
    meter::charge_bytes(head.len())?;
    Ok(head)
}

/// The value of a header with the secrets in it, which count as spent from here on.
fn value(header: &Header) -> Native<Zeroizing<String>> {
    let mut parts = Vec::with_capacity(header.pieces.len());
    for piece in &header.pieces {
        parts.push(match piece {
            Piece::Text(text) => Zeroizing::new(text.to_string()),
            Piece::Secret(name) => {
                let text = ask_host(|host| host.secret(name))?;
                let text = Zeroizing::new(text.expose().to_owned());
                spend(name, &text)?;
                text
            }
        });
    }
    let mut whole =
        Zeroizing::new(String::with_capacity(parts.iter().map(|part| part.len()).sum()));
    parts.iter().for_each(|part| whole.push_str(part));
    if header.coding == Coding::Plain {
        return Ok(whole);
    }
    // What is sent is all of it in base64, and an answer may repeat it so.
    if let Some(name) = header.secrets().next() {
        spend(name, &whole)?;
    }
    let encoded = Zeroizing::new(base64_of(whole.as_bytes(), BASE64, true)?);
    Ok(Zeroizing::new(format!("Basic {}", encoded.as_str())))
}

fn spend(name: &SecretName, text: &Zeroizing<String>) -> Native {
    frame::with(|frame| {
        let spent = &mut frame.requests().spent;
        if !spent.iter().any(|one| one.name == *name && one.text == *text) {
            spent.push(Spent { name: name.clone(), text: text.clone() });
        }
        Ok(())
    })
}

/// The hop that an answer leads to, if it leads on.
///
/// # Errors
///
/// It leads where the request may not go.
fn next(asked: &Asked, hop: &Hop, answer: &Answer, redactor: &Redactor) -> Native<Option<Hop>> {
    let is_redirect = matches!(answer.status, 301 | 302 | 303 | 307 | 308);
    let Some(link) = answer.header("location").filter(|_| is_redirect && asked.follow) else {
        return Ok(None);
    };
    let led = Led { from: hop, link, redactor };
    if hop.number >= MOST_REDIRECTS {
        return Err(led.refused(&format!("more than {MOST_REDIRECTS} redirects"), None));
    }
    let target = match hop.target.join(link)? {
        Ok(target) => target,
        // Its words repeat a part of the link, and a part of a secret would not be known.
        Err(problem) => {
            return Err(match redactor.held(link)?.is_empty() {
                true => led.refused(&problem.message, None),
                false => led.refused("it is no address that is fetched", None),
            });
        }
    };
    if hop.target.is_encrypted() && !target.is_encrypted() {
        return Err(led.refused("it leads from `https` to `http`", None));
    }
    frame::with(|frame| led.check(frame, &target))?;
    // Source: RFC 9110, sections 15.4.2 to 15.4.9.
    let becomes_get = match answer.status {
        303 => hop.method != "HEAD",
        301 | 302 => hop.method == "POST",
        _ => false,
    };
    Ok(Some(Hop {
        method: if becomes_get { "GET".to_owned() } else { hop.method.clone() },
        target,
        has_body: hop.has_body && !becomes_get,
        number: hop.number + 1,
    }))
}

/// A redirect.
struct Led<'a> {
    from: &'a Hop,
    link: &'a str,
    redactor: &'a Redactor,
}

impl Led<'_> {
    fn check(&self, frame: &Frame, target: &Target) -> Native {
        if !target.is_granted(frame) {
            let wanted = target.wanted()?;
            let feature = frame.feature();
            // Whoever answers writes the address: it is no advice where it leads inside.
            let help = target
                .may_be_public()
                .then(|| format!("allow it with `{}`", grant_command(feature, &wanted)));
            return Err(self.refused(&format!("`{wanted}` is not granted to `{feature}`"), help));
        }
        let held = self.redactor.held(target.as_str())?;
        let is_led_away =
            |name: &&SecretName| !target.may_spend(frame, name) || !is_private(target);
        match held.into_iter().find(is_led_away) {
            Some(name) => Err(self.refused(&format!("it carries the secret `{name}` along"), None)),
            None => Ok(()),
        }
    }

    /// The refusal of a redirect, without the secrets that it may repeat.
    fn refused(&self, reason: &str, help: Option<String>) -> Box<EvalAltResult> {
        let help =
            help.unwrap_or_else(|| "with `#{ follow: false }` the answer itself is given".into());
        self.problem(reason, &help).unwrap_or_else(|over| over)
    }

    fn problem(&self, reason: &str, help: &str) -> Native<Box<EvalAltResult>> {
        // Cut only when it is clean: a secret without its end would not be known.
        let clean = |text: &str| self.redactor.clean_text(text);
        let (from, link) = (clean(self.from.target.as_str())?, clean(self.link)?);
        let (from, link) = (prefix(&from, 200), prefix(&link, 200));
        let message = format!("`{from}` leads to `{link}`: {}", clean(reason)?);
        Ok(refusal(Diagnostic::operator("http/redirect", message).help(clean(help)?)))
    }
}

/// The answer as a script sees it.
fn result(asked: &Asked, target: &Target, answer: Answer, redactor: &Redactor) -> Native<Map> {
    let mut headers = Map::new();
    for (name, value) in &answer.headers {
        let name = redactor.clean_text(name)?.to_ascii_lowercase();
        let value = redactor.clean_text(value)?;
        let value = match headers.get(name.as_str()) {
            None => value,
            // Of all headers this one alone may hold commas; RFC 9110, section 5.3.
            Some(before) if name == "set-cookie" => format!("{before}\n{value}"),
            Some(before) => format!("{before}, {value}"),
        };
        headers.insert(name.as_str().into(), value.into());
    }
    let kind = answer.header("content-type").unwrap_or_default().to_owned();
    let body = redactor.clean(answer.body)?;
    meter::charge_bytes(body.len())?;
    let body: Dynamic = match asked.base64 {
        true => base64_of(&body, BASE64, true)?.into(),
        false => match String::from_utf8(body) {
            Ok(text) => text.into(),
            Err(_) => return Err(refusal(not_text(target, &kind, redactor)?)),
        },
    };
    Ok(Map::from([
        ("status".into(), Dynamic::from_int(answer.status.into())),
        ("ok".into(), (200..300).contains(&answer.status).into()),
        ("headers".into(), Dynamic::from_map(headers)),
        ("body".into(), body),
        ("url".into(), redactor.clean_text(target.as_str())?.into()),
    ]))
}

fn not_text(target: &Target, kind: &str, redactor: &Redactor) -> Native<Diagnostic> {
    let shown = redactor.clean_text(target.as_str())?;
    let kind = redactor.clean_text(kind)?;
    let kind = if kind.is_empty() { "a body of an unknown kind" } else { &kind };
    let message = format!(
        "`{}` answers with `{}`, which is not text in UTF-8",
        prefix(&shown, 200),
        prefix(kind, 80)
    );
    Ok(Diagnostic::caller("http/not-utf8", message)
        .help("with `#{ base64: true }` the body is given in base64"))
}
