//! One message over HTTP: whose it is, and the form that its answer takes.

use super::body::{Answer, Exchange, Left, Listener, Said, Source, read};
use super::guard::only;
use super::{Front, accepted, accepts, header, refused, stream, unreadable, whole};
use crate::mcp::channel::Channel;
use crate::mcp::message::{Code, Parameters, Parsed, Reply, Request as Asked, RequestId, parse};
use crate::mcp::server::{STATELESS, Server, Step, missing_meta};
use crate::mcp::session::Session;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Request, Response, StatusCode};
use std::sync::Arc;
use tokio::sync::mpsc;

/// What a message comes to.
enum Taken {
    Answered(Response<Answer>),
    /// A call, or a request that goes on; the rest is said on the way.
    Open(Open),
}

/// A request on its way.
struct Open {
    step: Step,
    source: Source,
    left: Left,
    is_stateless: bool,
}

/// Tells that the client left, where it did before there was an answer.
struct Leaving(Option<Left>);

impl Drop for Leaving {
    fn drop(&mut self) {
        if let Some(left) = self.0.take() {
            left();
        }
    }
}

impl Front {
    pub(super) async fn post(self: Arc<Self>, request: Request<Incoming>) -> Response<Answer> {
        let (head, body) = request.into_parts();
        let kind = only(&head.headers, &CONTENT_TYPE).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            let message = "the `Content-Type` is not application/json";
            return refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, message);
        }
        if !accepts(&head.headers, "application", "json") {
            let message = "the `Accept` header has to name application/json and text/event-stream";
            return refused(StatusCode::NOT_ACCEPTABLE, message);
        }
        let body = match read(body).await {
            Ok(body) => body,
            Err(reason) => return unreadable(reason),
        };
        match self.take(&head.headers, &body) {
            Taken::Answered(response) => response,
            Taken::Open(open) => {
                drop(body);
                follow(open, accepts(&head.headers, "text", "event-stream")).await
            }
        }
    }

    fn take(&self, headers: &HeaderMap, body: &[u8]) -> Taken {
        let answered = |response| Taken::Answered(response);
        match parse(body) {
            Parsed::Refused(reply) => answered(whole(reply.malformed(), false)),
            Parsed::Nothing => answered(accepted()),
            Parsed::Request(request) => self.request(headers, request),
            Parsed::Notification { method, parameters } => {
                answered(self.notification(headers, &method, &parameters))
            }
            Parsed::Response { id, result } => match self.session(headers) {
                Err(response) => answered(*response),
                Ok(session) => {
                    if let Step::Call(call) = Server::response(&session, &id, result) {
                        tokio::task::spawn_blocking(move || call.run());
                    }
                    answered(accepted())
                }
            },
        }
    }

    fn notification(
        &self,
        headers: &HeaderMap,
        method: &str,
        parameters: &Parameters<'_>,
    ) -> Response<Answer> {
        if only(headers, &header::VERSION) == Some(STATELESS) {
            // In that era, a client ends a request by closing its stream.
            return match header::agree(headers, method, Some(parameters)) {
                Ok(()) => accepted(),
                Err(reason) => whole(Reply::error(None, Code::HeaderMismatch, &reason), true),
            };
        }
        match self.session(headers) {
            Ok(session) => {
                self.server.notification(&session, method, parameters, None);
                accepted()
            }
            Err(response) => *response,
        }
    }

    fn request(&self, headers: &HeaderMap, request: Asked<'_>) -> Taken {
        let said = request.parameters.as_ref().ok().and_then(|all| all.meta.version);
        let is_named = only(headers, &header::VERSION) == Some(STATELESS);
        if said.is_some() || is_named || request.method == "server/discover" {
            return self.stateless(headers, request);
        }
        if request.method == "initialize" {
            return Taken::Answered(self.initialize(request));
        }
        match self.session(headers) {
            Ok(session) => self.open(&session, request, false),
            Err(response) => Taken::Answered(*response),
        }
    }

    fn stateless(&self, headers: &HeaderMap, request: Asked<'_>) -> Taken {
        if let Ok(parameters) = &request.parameters
            && parameters.meta.version.is_none()
            && let Step::Reply(reply) = missing_meta(&request.id, parameters)
        {
            return Taken::Answered(whole(reply, true));
        }
        let parameters = request.parameters.as_ref().ok();
        if let Err(reason) = header::agree(headers, &request.method, parameters) {
            let reply = Reply::error(Some(&request.id), Code::HeaderMismatch, &reason);
            return Taken::Answered(whole(reply, true));
        }
        self.open(&Arc::default(), request, true)
    }

    fn initialize(&self, request: Asked<'_>) -> Response<Answer> {
        let session: Arc<Session> = Arc::default();
        let (sender, _) = mpsc::unbounded_channel();
        let channel: Arc<dyn Channel> = Arc::new(Exchange(sender));
        let Step::Reply(reply) = self.server.request(&session, &channel, request) else {
            return accepted();
        };
        let mut response = whole(reply, false);
        if session.client().is_none() {
            return response;
        }
        let id = self.sessions.add(session).ok().and_then(|id| HeaderValue::try_from(id).ok());
        match id {
            Some(id) => _ = response.headers_mut().insert(header::SESSION, id),
            None => {
                let message = "the system gives no random numbers";
                return refused(StatusCode::INTERNAL_SERVER_ERROR, message);
            }
        }
        response
    }

    fn open(&self, session: &Arc<Session>, request: Asked<'_>, is_stateless: bool) -> Taken {
        let is_listening = request.method == "subscriptions/listen";
        let (channel, source): (Arc<dyn Channel>, _) = match is_listening {
            true => {
                let (listener, receiver) = Listener::new();
                (Arc::new(listener), Source::Listening(receiver))
            }
            false => {
                let (sender, receiver) = mpsc::unbounded_channel();
                (Arc::new(Exchange(sender)), Source::Request(receiver))
            }
        };
        let id = request.id.clone();
        match self.server.request(session, &channel, request) {
            Step::Reply(reply) => Taken::Answered(whole(reply, is_stateless)),
            step => {
                if is_listening {
                    self.keep_listening(session);
                }
                let left = left(Arc::clone(session), id, is_stateless);
                Taken::Open(Open { step, source, left, is_stateless })
            }
        }
    }
}

/// What it means that the client left. In the stateless era, it no longer wants the answer; in the one
/// before, only that nobody is there to be asked.
fn left(session: Arc<Session>, id: RequestId, is_stateless: bool) -> Left {
    Box::new(move || match is_stateless {
        true => session.cancel(&id),
        false => session.forget_question(&id),
    })
}

/// Runs what is left to do, and answers in one piece where nothing is told before.
async fn follow(open: Open, accepts_events: bool) -> Response<Answer> {
    let Open { step, mut source, left, is_stateless } = open;
    let mut leaving = Leaving(Some(left));
    if let Step::Call(call) = step {
        tokio::task::spawn_blocking(move || call.run());
    }
    loop {
        let said = match &mut source {
            Source::Request(receiver) => receiver.recv().await,
            Source::Listening(receiver) => receiver.recv().await,
        };
        match said {
            Some(Said::Ended(Some(reply))) => {
                leaving.0 = None;
                return whole(reply, is_stateless);
            }
            // Nobody takes it, so it is as if it were not told.
            Some(Said::Told(_)) if !accepts_events => (),
            first => {
                let left = leaving.0.take();
                return stream(Answer::stream(first, source, left));
            }
        }
    }
}
