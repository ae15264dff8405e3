//! What the record of a sub-pod says of its turns. Nothing here writes.

use crate::diagnostic::Diagnostic;
use crate::pod::session::entry::{Body, Entry};
use crate::pod::session::{lines, load};
use std::path::Path;

/// A turn that ended so has its answer, whatever came before it.
const ANSWERED: [&str; 2] = ["done", "cut"];

/// What came of the messages to a sub-pod.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// How many were answered, or came to an end without an answer.
    pub count: u64,
    /// The answer to the last, or why there is none.
    pub last: Option<Result<String, Box<Diagnostic>>>,
}

/// Reads it. What cannot be read says nothing.
pub(super) fn turns(folder: &Path) -> Turns {
    let mut turns = Turns::default();
    let (mut text, mut trouble, mut is_open) = (None::<Body>, None, false);
    for line in lines(folder).into_iter().flatten() {
        let Ok((line, _)) = line else { break };
        match line.entry {
            Entry::User(_) => {
                (text, trouble, turns.last) = (None, None, None);
                is_open = true;
            }
            Entry::Assistant(said) => text = Some(said.text),
            Entry::Trouble(of) => trouble = of.failure.into_iter().next_back(),
            Entry::TurnEnd(end) => {
                let said = text.take().and_then(|text| load(folder, &text).ok());
                let said = said.and_then(|text| text.as_str().map(str::to_owned));
                let answered = said.filter(|_| ANSWERED.contains(&&*end.why));
                turns.last =
                    Some(answered.ok_or_else(|| Box::new(ended(trouble.take(), &end.why))));
                turns.count += 1;
                is_open = false;
            }
            _ => {}
        }
    }
    if is_open {
        let message = "its process ended before the message was answered";
        let problem = Diagnostic::operator("pod/interrupted", message)
            .help("what it did until then is on record; send the message again");
        turns.last = Some(Err(Box::new(problem)));
    }
    turns
}

/// Why a turn has no answer.
fn ended(trouble: Option<Diagnostic>, why: &str) -> Diagnostic {
    trouble.unwrap_or_else(|| {
        Diagnostic::caller("worker/cancelled", format!("the turn came to no end: {why}"))
    })
}
