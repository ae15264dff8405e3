//! The tools of one answer: called side by side, asked about where a person decides, and on record in
//! the order in which the model called them.
//!
//! A call that needs a person is run to its question with all others; then the person is asked, one
//! question after the other, and it is run again. Nothing waits in a call.

use super::audience::Event;
use super::shown;
use super::turn::{Worker, WorkerError};
use crate::feature::call::{Cancel, Conditions, Outcome};
use crate::feature::catalog::CallOptions;
use crate::feature::hook::HookPoint;
use crate::feature::question::Answer;
use crate::pod::session::{Reason, SessionError};
use crate::pod::{CallId, Moment};
use serde_json::{Map, Value};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Most answers of a person to one call.
const MOST_ANSWERS: usize = 32;

/// The host's word for arguments that are no object.
const ARGUMENTS: &str = "worker/arguments";
/// The host's word for calls beyond the bound.
const CALLS: &str = "worker/calls";
/// What a hook withheld.
const WITHHELD: &str = "hook/withheld";

/// A call that the model makes.
struct Job {
    id: String,
    tool: String,
    /// What it is called with, or why it is not: the host's word and the text that the model reads.
    arguments: Result<Value, (&'static str, String)>,
}

/// A call that ran.
struct Ran {
    call: CallId,
    outcome: Outcome,
    elapsed: Duration,
    begun: i64,
    conditions: Conditions,
}

/// What is left to say of a call when all results of its answer are there.
struct Told {
    call: String,
    notices: Vec<String>,
}

impl Worker<'_> {
    /// Calls the tools of one answer. What the model sees of each is on record when this is over.
    pub(super) fn run_calls(
        &self,
        moment: &Moment,
        calls: &[(String, String, Value)],
        cancel: &Cancel,
    ) -> Result<(), WorkerError> {
        for (id, tool, arguments) in calls {
            self.audience.hear(Event::CallBegins { id, tool, arguments });
        }
        let jobs: Vec<Job> =
            calls.iter().enumerate().map(|(at, call)| self.job(at, call)).collect();
        let mut told = Vec::new();
        let mut waiting = Vec::new();
        self.side_by_side(moment, &jobs, cancel, |job, ran| {
            match ran {
                None => self.refuse(job)?,
                Some(ran) if asks(&ran) && !cancel.is_cancelled() => waiting.push((job, ran)),
                Some(ran) => told.push(self.settle(moment, job, ran)?),
            }
            Ok(())
        })?;
        for (job, ran) in waiting {
            let ran = self.with_answers(moment, job, ran, cancel);
            told.push(self.settle(moment, job, ran)?);
        }
        // Results stand together: providers want them right behind the calls.
        for Told { call, notices } in told {
            let own = self.session.append_notices_of(&call)?;
            let own = usize::try_from(own).unwrap_or(usize::MAX).min(notices.len());
            for text in &notices[own..] {
                self.session.append_notice(text, Reason::Call(call.clone()))?;
            }
            notices.iter().for_each(|text| self.audience.hear(Event::Notice(text)));
        }
        Ok(())
    }

    fn job(&self, at: usize, (id, tool, arguments): &(String, String, Value)) -> Job {
        let most = self.settings.max_calls;
        let arguments = match arguments {
            _ if at >= most => Err((
                CALLS,
                format!("not called: one answer may call {most} tools; call the rest after these"),
            )),
            Value::Object(_) => Ok(arguments.clone()),
            Value::Null => Ok(Value::Object(Map::new())),
            Value::String(text) => Err((
                ARGUMENTS,
                match serde_json::from_str::<Value>(text) {
                    Err(reason) => format!(
                        "not called: the arguments are not JSON ({reason}); send one JSON object"
                    ),
                    Ok(_) => {
                        "not called: the arguments are a JSON text; send one JSON object".into()
                    }
                },
            )),
            _ => Err((
                ARGUMENTS,
                "not called: the arguments are no JSON object; send one".to_owned(),
            )),
        };
        Job { id: id.clone(), tool: tool.clone(), arguments }
    }

    /// Runs the jobs, some at a time, and gives what came of each to `take`, in their order.
    fn side_by_side<'j>(
        &self,
        moment: &Moment,
        jobs: &'j [Job],
        cancel: &Cancel,
        mut take: impl FnMut(&'j Job, Option<Ran>) -> Result<(), WorkerError>,
    ) -> Result<(), WorkerError> {
        if let [job] = jobs {
            return take(job, self.run(moment, job, cancel));
        }
        let next = AtomicUsize::new(0);
        let threads = self.settings.parallel.clamp(1, jobs.len().max(1));
        let (sender, receiver) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                let (sender, next) = (sender.clone(), &next);
                scope.spawn(move || {
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        let Some(job) = jobs.get(at) else { return };
                        if sender.send((at, self.run(moment, job, cancel))).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            let mut came: Vec<Option<Option<Ran>>> = jobs.iter().map(|_| None).collect();
            let mut taken = 0;
            while let Ok((at, ran)) = receiver.recv() {
                came[at] = Some(ran);
                while let Some(ran) = came.get_mut(taken).and_then(Option::take) {
                    take(&jobs[taken], ran)?;
                    taken += 1;
                }
            }
            Ok(())
        })
    }

    /// Runs a call to its end or its question; `None` where there is nothing to run.
    fn run(&self, moment: &Moment, job: &Job, cancel: &Cancel) -> Option<Ran> {
        let arguments = job.arguments.as_ref().ok()?.clone();
        let conditions = CallOptions::default().conditions;
        Some(self.run_with(moment, job, arguments, conditions, Vec::new(), cancel))
    }

    fn run_with(
        &self,
        moment: &Moment,
        job: &Job,
        arguments: Value,
        conditions: Conditions,
        answers: Vec<Answer>,
        cancel: &Cancel,
    ) -> Ran {
        let (started, begun) = (Instant::now(), jiff::Timestamp::now().as_millisecond());
        let call = self.pod.next_call();
        let options = CallOptions {
            sink: self.audience.sink(),
            cancel: cancel.clone(),
            conditions,
            answers: answers.into(),
            ..CallOptions::default()
        };
        let outcome = self.pod.call_at(moment, call.clone(), &job.tool, arguments, options);
        Ran { call, outcome, elapsed: started.elapsed(), begun, conditions }
    }

    /// Asks the person what a call asks, and runs it again with each answer.
    fn with_answers(&self, moment: &Moment, job: &Job, mut ran: Ran, cancel: &Cancel) -> Ran {
        let conditions =
            Conditions { now: ran.conditions.now.or(Some(ran.begun)), ..ran.conditions };
        let mut answers: Vec<Answer> = Vec::new();
        while let (Ok(arguments), Err(failure)) = (&job.arguments, &ran.outcome.result) {
            let Some(question) = &failure.question else { break };
            if answers.len() >= MOST_ANSWERS || cancel.is_cancelled() {
                break;
            }
            let Some(answer) = self.audience.ask(question) else { break };
            answers.push(answer);
            let (arguments, given) = (arguments.clone(), answers.clone());
            ran = self.run_with(moment, job, arguments, conditions, given, cancel);
        }
        ran
    }

    /// Puts on record what the model sees of a call that did not run.
    fn refuse(&self, job: &Job) -> Result<(), WorkerError> {
        let Err((code, text)) = &job.arguments else { return Ok(()) };
        let reason = Reason::Host((*code).to_owned());
        self.session.append_tool_answer(&job.id, &text.as_str().into(), reason)?;
        self.tell_end(job, text, true, Duration::ZERO);
        Ok(())
    }

    /// Puts on record what the model sees of a call that ran.
    fn settle(&self, moment: &Moment, job: &Job, ran: Ran) -> Result<Told, WorkerError> {
        let Ran { call, outcome, elapsed, .. } = ran;
        let (id, call) = (&job.id, call.as_str().to_owned());
        let because = || Reason::Call(call.clone());
        let most = self.settings.max_result;
        let (text, is_error) = match &outcome.result {
            Ok(value) => {
                let blocks = outcome.content().map(|content| shown::content(&content));
                // Hooks may have put another value in the place of the one that the log has of the call.
                let is_own = moment.catalog().hooks(HookPoint::PostToolCall).len() == 0;
                let has_blocks = blocks.is_some();
                let text = blocks.unwrap_or_else(|| shown::text_of(value));
                if let Some(cut) = shown::cut(&text, most) {
                    self.session.append_tool_answer(id, &cut.as_str().into(), because())?;
                    (cut, false)
                } else if has_blocks {
                    self.session.append_tool_answer(id, &text.as_str().into(), because())?;
                    (text, false)
                } else if is_own {
                    self.session.append_tool_result(id, &call)?;
                    (text, false)
                } else {
                    self.session.append_tool_answer(id, value, because())?;
                    (text, false)
                }
            }
            Err(failure) => {
                let text = shown::failure(failure);
                let code = failure.diagnostics.first().map_or("", |first| &*first.code);
                let is_on_record = code != WITHHELD && text.len() <= most;
                let appended = match is_on_record {
                    true => self.session.append_tool_result(id, &call),
                    false => Err(SessionError::Unexplained(String::new())),
                };
                if let Err(SessionError::Unexplained(_)) = appended {
                    let text = shown::cut(&text, most).unwrap_or_else(|| text.clone());
                    let reason = Reason::Host(code.to_owned());
                    self.session.append_tool_answer(id, &text.into(), reason)?;
                } else {
                    appended?;
                }
                (text, true)
            }
        };
        self.tell_end(job, &text, is_error, elapsed);
        Ok(Told { call, notices: outcome.notices })
    }

    fn tell_end(&self, job: &Job, shown: &str, is_error: bool, elapsed: Duration) {
        let (id, tool) = (&job.id, &job.tool);
        self.audience.hear(Event::CallEnds { id, tool, shown, is_error, elapsed });
    }
}

/// Whether a person has to be asked before the call can be run to its end.
fn asks(ran: &Ran) -> bool {
    ran.outcome.result.as_ref().is_err_and(|failure| failure.question.is_some())
}
