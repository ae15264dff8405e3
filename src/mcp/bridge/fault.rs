//! What goes wrong with a server, and who must act.

use crate::diagnostic::Diagnostic;
use crate::feature::id::FeatureName;
use std::time::Duration;

/// Characters of a server's own words that are repeated.
const MOST_WORDS: usize = 2_000;

/// Why a request has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// The server answers with an error of the protocol.
    Refused { code: i64, message: String },
    /// It did not answer in time.
    Late(Duration),
    /// Whoever asked wants no answer any more.
    Cancelled,
    /// The answer has more bytes than one may have.
    TooLarge(usize),
    /// The answer is none of the protocol's.
    Malformed(String),
    /// The connection ended, and how.
    Gone(String),
    /// There is no connection: what keeps the server from being called.
    Down(Box<Diagnostic>),
    /// It wants of its client what is not bridged.
    Beyond(String),
}

/// The start of what a server says, on one line and without what drives a terminal.
pub(super) fn words(text: &str, most: usize) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let cut: String = text.trim().chars().take(most).map(plain).collect();
    if cut.len() < text.trim().len() { format!("{cut}…") } else { cut }
}

impl Fault {
    /// The problem as data; `what` is what was asked for, such as "the call of `search`".
    pub fn diagnostic(&self, server: &FeatureName, what: &str) -> Diagnostic {
        match self {
            Self::Refused { code, message } => {
                let text =
                    format!("the server `{server}` refuses {what}: {}", words(message, MOST_WORDS));
                // -32602 is said of parameters; the rest is the server's own affair.
                match code {
                    -32602 => Diagnostic::caller("bridge/refused", text),
                    _ => Diagnostic::author("bridge/refused", format!("{text} ({code})")),
                }
            }
            Self::Late(after) => Diagnostic::author(
                "bridge/timeout",
                format!(
                    "the server `{server}` did not answer {what} within {} ms",
                    after.as_millis()
                ),
            )
            .help(format!("give it longer: `timeout` under `[mcp.servers.{server}]`")),
            Self::Cancelled => Diagnostic::caller("call/cancelled", "the call was cancelled"),
            Self::TooLarge(most) => Diagnostic::author(
                "bridge/too-large",
                format!("the server `{server}` answers {what} with more than {most} bytes"),
            )
            .help("ask for less at once"),
            Self::Malformed(how) => Diagnostic::author(
                "bridge/malformed",
                format!(
                    "the server `{server}` answers {what} with what is not of the protocol: {how}"
                ),
            ),
            Self::Gone(how) => Diagnostic::operator(
                "bridge/ended",
                format!("the server `{server}` ended before {what} was answered: {how}"),
            )
            .help("whether the server did what was asked is not known; it is started anew"),
            Self::Down(problem) => Diagnostic::clone(problem),
            Self::Beyond(what) => Diagnostic::author(
                "bridge/beyond-tools",
                format!(
                    "the server `{server}` wants {what} of its client, which a bridge does not offer"
                ),
            ),
        }
    }
}
