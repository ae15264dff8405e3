//! Asks the hooks of a pod about what an agent told.

use super::again::Again;
use super::{Answer, Happening, Told, Verdict, shown};
use crate::diagnostic::Diagnostic;
use crate::feature::catalog::CallOptions;
use crate::feature::event::{EventBody, FeatureEvent, Level, Sink};
use crate::feature::hook_event::{PostAssistant, TurnEnd};
use crate::pod::{CallVerdict, EndVerdict, Heard, Judged, Pod, RequestVerdict, ResultVerdict};
use std::sync::{Arc, Mutex, PoisonError};

/// What features say while their hooks run, for the person.
#[derive(Default)]
struct Messages(Mutex<Vec<String>>);

impl Sink for Messages {
    fn emit(&self, event: FeatureEvent) {
        let FeatureEvent { feature, body, .. } = event;
        let text = match body {
            EventBody::Message { summary, detail: None, .. } => summary,
            EventBody::Message { summary, detail: Some(detail), .. } => {
                format!("{summary}\n{detail}")
            }
            EventBody::Notice { text } => text,
            // A hook is over before anybody could look at how far it is.
            EventBody::Progress { .. } => return,
            EventBody::Log { level: Level::Warn | Level::Error, text } => text,
            // The rest of what a hook logs is for whoever looks for a fault, in `peasy log`.
            EventBody::Log { .. } => return,
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(format!("[{feature}] {text}"));
    }
}

/// Asks the hooks of `pod` about an event, within the rules that it holds calls against. `again` counts
/// how often hooks made a turn go on.
pub fn ask(pod: &Pod, told: &Told, again: &Again) -> Answer {
    let messages = Arc::new(Messages::default());
    let sink = Arc::clone(&messages) as Arc<dyn Sink>;
    let options = CallOptions { sink, ..CallOptions::default() };
    let mut answer = match told.happening {
        Some(Happening::BeforeCall) => before(pod, told, options),
        Some(Happening::AfterCall) => after(pod, told, options),
        Some(Happening::Request) => request(pod, told, options),
        Some(Happening::End) => end(pod, told, again, options),
        Some(Happening::Start) | None => Answer::new(Verdict::Proceed),
    };
    let said = std::mem::take(&mut *messages.0.lock().unwrap_or_else(PoisonError::into_inner));
    answer.messages.extend(said);
    answer
}

/// The answer where hooks could not be asked at all, for a reason that is ours or the user's: what a guard
/// would keep back is kept back, and everything else goes on, with the reason told.
pub fn unasked(told: &Told, problem: &Diagnostic) -> Answer {
    let reason = told_of(problem);
    match told.happening {
        Some(Happening::BeforeCall) => Answer::new(Verdict::Deny {
            reason: format!("the call is denied, because its hooks could not be asked: {reason}"),
        }),
        Some(Happening::Request) => Answer::new(Verdict::Deny {
            reason: format!(
                "the prompt is stopped, because its hooks could not be asked: {reason}"
            ),
        }),
        Some(Happening::AfterCall) => Answer::new(Verdict::Withhold {
            reason: format!(
                "the result is withheld, because its hooks could not be asked: {reason}"
            ),
        }),
        Some(Happening::End | Happening::Start) => {
            let message = format!("no hook of peasy was asked at `{}`: {reason}", told.event);
            Answer { messages: vec![message], ..Answer::new(Verdict::Proceed) }
        }
        None => Answer::new(Verdict::Proceed),
    }
}

/// A problem in one line, with what to do.
fn told_of(problem: &Diagnostic) -> String {
    let mut text = format!("{} [{}]", problem.message, problem.code);
    for help in &problem.help {
        text.push_str("; ");
        text.push_str(help);
    }
    text
}

fn with(verdict: Verdict, heard: Heard) -> Answer {
    let messages = heard.diagnostics.iter().map(told_of).collect();
    Answer { verdict, context: heard.notices, messages }
}

fn before(pod: &Pod, told: &Told, options: CallOptions) -> Answer {
    let call = match told.call() {
        Ok(call) => call,
        Err(error) => return unasked(told, &error.diagnostic()),
    };
    let Judged { verdict, arguments, mut heard } = pod.judge(&call, options);
    let verdict = match (verdict, arguments) {
        (CallVerdict::Proceed, None) => Verdict::Proceed,
        (CallVerdict::Proceed, Some(arguments)) => Verdict::Rewrite { arguments },
        (CallVerdict::Deny { reason }, _) => {
            // The reason says it already.
            heard.diagnostics.clear();
            Verdict::Deny { reason }
        }
        (CallVerdict::Ask { question }, arguments) => Verdict::Ask { question, arguments },
        (CallVerdict::Answer { feature, value }, _) => {
            Verdict::Answer { text: format!("[{feature}] {}", shown(&value)) }
        }
    };
    with(verdict, heard)
}

fn after(pod: &Pod, told: &Told, options: CallOptions) -> Answer {
    let call = match told.call() {
        Ok(call) => call,
        Err(error) => return unasked(told, &error.diagnostic()),
    };
    let (verdict, mut heard) = pod.judge_result(&call, options);
    let verdict = match verdict {
        ResultVerdict::Stands => Verdict::Proceed,
        ResultVerdict::Replace { result, .. } => Verdict::Replace { result },
        ResultVerdict::Withhold { reason } => {
            // The first is the reason, which stands in the place of the result.
            heard.diagnostics.drain(..heard.diagnostics.len().min(1));
            Verdict::Withhold { reason }
        }
    };
    with(verdict, heard)
}

fn request(pod: &Pod, told: &Told, options: CallOptions) -> Answer {
    let (verdict, heard) = pod.pre_request(&told.request(), options);
    let verdict = match verdict {
        RequestVerdict::Proceed => Verdict::Proceed,
        RequestVerdict::Stop { reason } => Verdict::Deny { reason },
    };
    with(verdict, heard)
}

fn end(pod: &Pod, told: &Told, again: &Again, options: CallOptions) -> Answer {
    let text = told.last_text();
    let said = PostAssistant { text: text.clone(), ..PostAssistant::default() };
    let before = pod.post_assistant(&said, options.clone());
    let count = if told.is_again() { again.count() } else { 0 };
    let event = TurnEnd { text, again: count, ..TurnEnd::default() };
    let (verdict, mut heard) = pod.turn_end(&event, options);
    heard.notices.splice(0..0, before.notices);
    heard.diagnostics.splice(0..0, before.diagnostics);
    let verdict = match verdict {
        EndVerdict::Again { reason } => match again.keep(count + 1) {
            Ok(()) => Verdict::Again { reason },
            Err(problem) => {
                let message = format!("the turn ends, because it cannot be counted: {problem}");
                heard.diagnostics.push(Diagnostic::operator("hook/uncounted", message));
                Verdict::Proceed
            }
        },
        EndVerdict::End => {
            if told.is_again() {
                again.forget();
            }
            Verdict::Proceed
        }
    };
    with(verdict, heard)
}
