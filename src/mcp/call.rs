//! One call for a client: run, told of while it runs, asked about where a person has to decide, and
//! answered once.
//!
//! It decides nothing that the core decides. A call whose person is asked waits without a thread; in
//! the stateless era it waits nowhere at all, and the client brings along what the next round needs.

use super::ask::{self, MOST_ANSWERS};
use super::channel::Channel;
use super::message::{Code, Reply, RequestId, Status, notification};
use super::reply;
use super::server::{Server, now};
use super::session::Session;
use super::sink::Teller;
use super::state::{RequestState, digest};
use crate::diagnostic::Blame;
use crate::feature::call::{Cancel, Conditions, Failure, Outcome};
use crate::feature::catalog::CallOptions;
use crate::feature::event::Sink;
use crate::feature::question::{Answer, Question, Wanted};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::sync::Arc;

/// How often one question is put anew where the answer is none.
const MOST_TRIES: u8 = 3;

/// How a person is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asking {
    /// The client asks nobody.
    Not,
    /// With a request of ours, while the call's own waits.
    ByRequest,
    /// In the result: the client calls again with the answer.
    ByResult,
}

/// The end of a request: it is answered once, whatever happens to the thread that is at it.
pub(super) struct Slot {
    session: Arc<Session>,
    channel: Arc<dyn Channel>,
    id: RequestId,
    cancel: Cancel,
    is_over: bool,
}

impl Slot {
    /// Takes a request up.
    ///
    /// # Errors
    ///
    /// Its id is that of another that is not answered yet.
    pub fn begin(
        session: &Arc<Session>,
        channel: &Arc<dyn Channel>,
        id: RequestId,
    ) -> Result<Self, Reply> {
        let cancel = Cancel::default();
        if !session.begin(&id, &cancel) {
            return Err(in_use(&id));
        }
        let (session, channel) = (Arc::clone(session), Arc::clone(channel));
        Ok(Self { session, channel, id, cancel, is_over: false })
    }

    fn end(&mut self, reply: Reply) {
        self.is_over = true;
        let is_wanted = self.session.finish(&self.id, &self.cancel);
        self.channel.end(is_wanted.then_some(reply));
        self.session.leave();
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if !self.is_over && std::thread::panicking() {
            let message = "the call came to an end that was not foreseen";
            self.end(Reply::error(Some(&self.id), Code::Internal, message));
        }
    }
}

/// The refusal of a request whose id is that of another.
pub(super) fn in_use(id: &RequestId) -> Reply {
    let message = "the `id` is that of a request that is not answered yet";
    Reply::error(Some(id), Code::InvalidRequest, message)
}

/// A call that was taken up and not answered.
pub(super) struct Call {
    pub server: Arc<Server>,
    pub slot: Slot,
    pub teller: Arc<Teller>,
    /// The tool's own name.
    pub name: String,
    pub arguments: Value,
    pub conditions: Conditions,
    pub answers: Vec<Answer>,
    pub asking: Asking,
    /// Fields behind those of a result, each with a comma before it.
    pub tail: &'static str,
    /// What the person is asked, while this waits.
    pub asked: Option<Asked>,
}

/// A question on its way.
pub(super) struct Asked {
    question: Question,
    /// What the client reads where nobody answers.
    failure: Failure,
    begun: i64,
    tries: u8,
}

impl Call {
    pub fn cancel(&self) -> &Cancel {
        &self.slot.cancel
    }

    /// Runs the call and answers it, or has a person asked. Blocks for as long as the call takes.
    pub fn run(mut self) {
        let begun = self.conditions.now.unwrap_or_else(now);
        let options = CallOptions {
            sink: Arc::clone(&self.teller) as Arc<dyn Sink>,
            cancel: self.slot.cancel.clone(),
            conditions: self.conditions,
            answers: self.answers.clone().into(),
            ..CallOptions::default()
        };
        // Only a call that may be run again needs its arguments again.
        let arguments = match self.asking {
            Asking::Not => std::mem::take(&mut self.arguments),
            Asking::ByRequest | Asking::ByResult => self.arguments.clone(),
        };
        let outcome = self.server.tools.pod().call(&self.name, arguments, options);
        let Err(failure) = &outcome.result else { return self.answer(&outcome) };
        let Some(question) = &failure.question else { return self.answer(&outcome) };
        if self.answers.len() >= MOST_ANSWERS {
            return self.answer(&outcome);
        }
        let asked =
            Asked { question: (**question).clone(), failure: failure.clone(), begun, tries: 0 };
        match self.asking {
            Asking::ByRequest => self.ask(asked, None),
            Asking::ByResult => {
                let reply = self.input_required(&asked.question, begun, None);
                self.finish(reply);
            }
            Asking::Not => self.cannot_ask(&outcome, &asked.question),
        }
    }

    fn answer(self, outcome: &Outcome) {
        self.observe(outcome);
        let result = reply::result(outcome, self.tail);
        let reply = Reply::result(&self.slot.id, &result);
        self.finish(reply);
    }

    /// The last that the client hears of the call.
    fn finish(mut self, reply: Reply) {
        self.teller.close();
        self.slot.end(reply);
    }

    fn observe(&self, outcome: &Outcome) {
        if let (Some(observer), Err(failure)) = (&self.server.options.observer, &outcome.result)
            && failure.blame() != Blame::Caller
            && let Some(tool) = self.server.tools.pod().catalog().tool(&self.name)
        {
            observer.failed(tool, failure);
        }
    }

    /// A client that asks nobody reads why the call could not be run. In the stateless era a form that
    /// a script needs is a capability that was not declared; consent is none, for it can be given
    /// beforehand.
    fn cannot_ask(self, outcome: &Outcome, question: &Question) {
        let is_needed = matches!(question.wanted, Wanted::Form(_)) && !self.tail.is_empty();
        let Err(failure) = &outcome.result else { return self.answer(outcome) };
        if !is_needed {
            return self.answer(outcome);
        }
        let data = json!({ "requiredCapabilities": { "elicitation": { "form": {} } } });
        let text = reply::failure_text(failure);
        let (id, code) = (&self.slot.id, Code::MissingCapability);
        let reply = Reply::error_with(Some(id), code, &text, Some(&data));
        self.finish(reply);
    }

    /// Sends the question, and leaves the call to whoever brings the answer.
    fn ask(mut self, asked: Asked, note: Option<&str>) {
        let parameters = ask::elicitation(&asked.question, note);
        let channel = Arc::clone(&self.slot.channel);
        let (session, id) = (Arc::clone(&self.slot.session), self.slot.id.clone());
        let cancel = self.slot.cancel.clone();
        self.asked = Some(asked);
        let mut waiting = Some(Box::new(self));
        let mut question = None;
        let is_waiting = session.ask(&id, &cancel, |number| {
            question = Some(json!({
                "jsonrpc": "2.0",
                "id": number,
                "method": "elicitation/create",
                "params": parameters,
            }));
            waiting.take().expect("it is asked for once")
        });
        match (is_waiting, waiting) {
            (true, _) => channel.tell(question.unwrap_or_default().to_string()),
            (false, Some(call)) => call.give_up(),
            (false, None) => (),
        }
    }

    /// Nobody will answer the question.
    pub fn give_up(mut self) {
        if let Some(asked) = self.asked.take() {
            self.answer(&Outcome::failure(asked.failure));
        }
    }

    /// Goes on with what the client brought from the person; `None` is a client that could not ask.
    pub fn go_on(mut self: Box<Self>, result: Option<&RawValue>) -> Option<Box<Self>> {
        let mut asked = self.asked.take()?;
        let answer = match ask::answer(&asked.question, result) {
            Ok(answer) => answer,
            Err(note) if asked.tries + 1 < MOST_TRIES => {
                asked.tries += 1;
                self.ask(asked, Some(&note));
                return None;
            }
            Err(_) => Answer::Dismissed,
        };
        self.answers.push(answer);
        self.conditions.now = Some(asked.begun);
        Some(self)
    }

    /// What the client is to bring, and what it keeps for us until then.
    fn input_required(&self, question: &Question, begun: i64, note: Option<&str>) -> Reply {
        let state = RequestState {
            tool: self.name.clone(),
            arguments: digest(&self.arguments),
            answers: self.answers.clone(),
            question: question.clone(),
            begun,
            seed: self.conditions.seed,
            sealed: now(),
        };
        input_required(&self.server, &self.slot.id, &state, note)
    }

    /// Takes up a call of the stateless era where the client left it. Answers it at once where the
    /// person has to be asked again.
    pub fn take_up(
        mut self,
        state: RequestState,
        responses: Option<&RawValue>,
    ) -> Option<Box<Self>> {
        self.answers.clone_from(&state.answers);
        self.conditions = state.conditions();
        let name = key(&state);
        let given: Option<std::collections::HashMap<String, &RawValue>> =
            responses.and_then(|responses| serde_json::from_str(responses.get()).ok());
        let result = given.as_ref().and_then(|given| given.get(&name)).copied();
        let note = match result.map(|result| ask::answer(&state.question, Some(result))) {
            Some(Ok(answer)) => {
                self.answers.push(answer);
                return Some(Box::new(self));
            }
            Some(Err(note)) => Some(note),
            None => None,
        };
        let reply = self.input_required(&state.question, state.begun, note.as_deref());
        self.finish(reply);
        None
    }
}

/// The name of a question among the requests of a result.
fn key(state: &RequestState) -> String {
    match &state.question.name {
        Some(name) => name.clone(),
        None => format!("question-{}", state.answers.len() + 1),
    }
}

fn input_required(
    server: &Server,
    id: &RequestId,
    state: &RequestState,
    note: Option<&str>,
) -> Reply {
    let request = json!({
        "method": "elicitation/create",
        "params": ask::elicitation(&state.question, note),
    });
    let result = json!({
        "resultType": "input_required",
        "inputRequests": { key(state): request },
        "requestState": server.key.seal(state),
        "_meta": super::server::meta(),
    });
    Reply { text: Reply::result(id, &result.to_string()).text, status: Status::Fine }
}

/// Says to whoever asked that what it lists is another now.
pub(super) fn list_changed(subscription: Option<&RequestId>) -> String {
    let parameters =
        subscription.map(|id| json!({ "_meta": { "io.modelcontextprotocol/subscriptionId": id } }));
    notification("notifications/tools/list_changed", parameters.as_ref())
}
