//! The server over HTTP: one path, answers in one piece where they are, and as events where a call tells
//! something on its way.
//!
//! Whatever a client does to a connection, it holds nothing for ever: heads, bodies, connections and
//! sessions are bounded. Nothing here knows what a method does.

mod body;
mod guard;
mod header;
mod post;
mod sessions;

use self::body::{Answer, BodyError, Listener, Source};
use self::guard::{Guard, Refused, only};
use self::sessions::Sessions;
use super::call::list_changed;
use super::channel::Channel;
use super::list::ToolList;
use super::message::{Code, Reply, Status};
use super::server::{HANDSHAKE, STATELESS, ServeError, ServeOptions, Server};
use super::session::Session;
use super::stdio::{LAST_CALLS, ToldToEnd};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use self::guard::{Token, TokenError};

/// Where the protocol is spoken.
pub const PATH: &str = "/mcp";

/// Most connections at a time; others wait until one is closed.
const MOST_CONNECTIONS: usize = 512;
/// How long a client may take for a head, and a connection may lie idle.
const MOST_IDLE: Duration = Duration::from_secs(60);
/// Most bytes of a head.
const MOST_HEAD: usize = 64 << 10;

/// Where to listen, and for whom.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// The address; port 0 lets the system choose.
    pub address: SocketAddr,
    /// What clients have to know.
    pub token: Option<Token>,
    /// Hosts that requests may name, beside those of this machine.
    pub hosts: Vec<String>,
    /// Origins of pages that may send requests, beside those of this machine.
    pub origins: Vec<String>,
}

/// Serves the tools of a catalog over HTTP until the process is told to end. `ready` learns the
/// address once clients can connect.
///
/// # Errors
///
/// Nobody can listen at the address, or the system gives no threads.
pub fn serve_http(
    tools: Arc<ToolList>,
    options: ServeOptions,
    http: HttpOptions,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    let server = Server::new(tools, options)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(MOST_CONNECTIONS)
        .enable_all()
        .build()?;
    let served = runtime.block_on(async {
        let told = ToldToEnd::new()?;
        let refused = |reason| ServeError::Address { address: http.address, reason };
        let listener = TcpListener::bind(http.address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let guard = Guard { token: http.token, hosts: http.hosts, origins: http.origins, address };
        let front = Arc::new(Front {
            server,
            guard,
            sessions: Sessions::default(),
            listening: Mutex::default(),
        });
        ready(address);
        front.serve(listener, told).await;
        Ok(())
    });
    // A script that was given up must not keep the process alive.
    runtime.shutdown_background();
    served
}

struct Front {
    server: Arc<Server>,
    guard: Guard,
    sessions: Sessions,
    /// Clients of the stateless era that listen.
    listening: Mutex<Vec<Weak<Session>>>,
}

impl Front {
    async fn serve(self: Arc<Self>, listener: TcpListener, mut told: ToldToEnd) {
        let connections = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        let graceful = GracefulShutdown::new();
        loop {
            let next = accept(&listener, &connections);
            let (stream, permit) = tokio::select! {
                next = next => next,
                () = told.wait() => break,
            };
            let front = Arc::clone(&self);
            let service = service_fn(move |request| {
                let front = Arc::clone(&front);
                async move { Ok::<_, Infallible>(front.answer(request).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(MOST_IDLE)
                .max_buf_size(MOST_HEAD)
                .serve_connection(TokioIo::new(stream), service);
            let connection = graceful.watch(connection);
            tokio::spawn(async move {
                if let Err(reason) = connection.await {
                    tracing::debug!(%reason, "a connection broke");
                }
                drop(permit);
            });
        }
        drop(listener);
        self.end_listening();
        if tokio::time::timeout(LAST_CALLS, graceful.shutdown()).await.is_err() {
            tracing::info!("calls were under way that did not end in time");
        }
    }

    fn end_listening(&self) {
        self.sessions.end_listening();
        let listening =
            std::mem::take(&mut *self.listening.lock().unwrap_or_else(PoisonError::into_inner));
        for session in listening.iter().filter_map(Weak::upgrade) {
            session.end_listening(Server::end_of_listening);
        }
    }

    /// Keeps a client that listens in mind, for the end.
    fn keep_listening(&self, session: &Arc<Session>) {
        let mut listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner);
        listening.retain(|session| session.strong_count() > 0);
        listening.push(Arc::downgrade(session));
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Answer> {
        if let Err(reason) = self.guard.check(request.headers()) {
            let status = match reason {
                Refused::Host | Refused::Origin => StatusCode::FORBIDDEN,
                Refused::Token => StatusCode::UNAUTHORIZED,
            };
            let mut response = refused(status, &reason.to_string());
            if reason == Refused::Token {
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            return response;
        }
        if request.uri().path() != PATH {
            return refused(StatusCode::NOT_FOUND, &format!("nothing is here; the path is {PATH}"));
        }
        match *request.method() {
            Method::POST => self.post(request).await,
            Method::GET => self.get(request.headers()),
            Method::DELETE => self.delete(request.headers()),
            _ => not_allowed("POST, GET, DELETE"),
        }
    }

    /// A stream for what a client of the handshake era hears beside its requests.
    fn get(&self, headers: &HeaderMap) -> Response<Answer> {
        if only(headers, &header::VERSION) == Some(STATELESS) {
            return not_allowed("POST");
        }
        if !accepts(headers, "text", "event-stream") {
            return refused(
                StatusCode::NOT_ACCEPTABLE,
                "a stream of events is all there is to get",
            );
        }
        let session = match self.session(headers) {
            Ok(session) => session,
            Err(response) => return *response,
        };
        let (listener, receiver) = Listener::new();
        let channel: Arc<dyn Channel> = Arc::new(listener);
        let told = Arc::clone(&channel);
        let listening = self.server.tools.listen(Arc::new(move || told.tell(list_changed(None))));
        self.sessions.listen(&session, Arc::downgrade(&channel));
        let left = Box::new(move || drop((listening, channel)));
        stream(Answer::stream(None, Source::Listening(receiver), Some(left)))
    }

    fn delete(&self, headers: &HeaderMap) -> Response<Answer> {
        if only(headers, &header::VERSION) == Some(STATELESS) {
            return not_allowed("POST");
        }
        match self.session(headers) {
            Ok(session) => {
                self.sessions.remove(&session);
                let mut response = Response::new(Answer::whole(""));
                *response.status_mut() = StatusCode::NO_CONTENT;
                response
            }
            Err(response) => *response,
        }
    }

    /// The session that a request of the handshake era belongs to.
    fn session(&self, headers: &HeaderMap) -> Result<Arc<Session>, Box<Response<Answer>>> {
        let refused = |status, message| Box::new(refused(status, message));
        if headers.contains_key(header::VERSION)
            && !only(headers, &header::VERSION).is_some_and(|said| HANDSHAKE.contains(&said))
        {
            let message = "the `MCP-Protocol-Version` header names no version of this server";
            return Err(refused(StatusCode::BAD_REQUEST, message));
        }
        if !headers.contains_key(header::SESSION) {
            let message = "the `Mcp-Session-Id` header is missing; send `initialize` to get one";
            return Err(refused(StatusCode::BAD_REQUEST, message));
        }
        let id = only(headers, &header::SESSION).unwrap_or_default();
        let message = "there is no such session; send `initialize` to begin another";
        self.sessions.get(id).ok_or_else(|| refused(StatusCode::NOT_FOUND, message))
    }
}

/// The next client that there is room for.
async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> (TcpStream, OwnedSemaphorePermit) {
    let permit = Arc::clone(connections).acquire_owned().await;
    let permit = permit.expect("nobody closes the count of connections");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // An answer is written in one piece, and waits for nothing.
                if let Err(reason) = stream.set_nodelay(true) {
                    tracing::debug!(%reason, "a connection may be slow");
                }
                return (stream, permit);
            }
            Err(reason) => {
                // Mostly too many open files, which takes a moment to pass.
                tracing::warn!(%reason, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Whether a client takes answers of that kind. One that names none takes all.
fn accepts(headers: &HeaderMap, kind: &str, sub: &str) -> bool {
    let mut named = false;
    for value in headers.get_all(ACCEPT) {
        for range in value.to_str().unwrap_or_default().split(',') {
            named = true;
            let mut parts = range.split(';').map(str::trim);
            let (main, rest) = parts.next().unwrap_or_default().split_once('/').unwrap_or_default();
            let is_it = (main == "*" || main.eq_ignore_ascii_case(kind))
                && (rest == "*" || rest.eq_ignore_ascii_case(sub));
            let is_refused = parts.any(|part| {
                let weight = part.strip_prefix("q=").map(|weight| weight.trim_end_matches('0'));
                weight.is_some_and(|weight| matches!(weight, "" | "0." | "."))
            });
            if is_it && !is_refused {
                return true;
            }
        }
    }
    !named
}

fn with_kind(status: StatusCode, kind: &'static str, answer: Answer) -> Response<Answer> {
    let mut response = Response::new(answer);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// An answer in one piece.
fn whole(reply: Reply, is_stateless: bool) -> Response<Answer> {
    let status = match reply.status {
        // In the handshake era, 404 says that the session is gone.
        Status::Fine => StatusCode::OK,
        Status::Malformed => StatusCode::BAD_REQUEST,
        Status::Unknown if is_stateless => StatusCode::NOT_FOUND,
        Status::Unknown => StatusCode::OK,
    };
    with_kind(status, "application/json", Answer::whole(reply.text))
}

/// An answer in events.
fn stream(answer: Answer) -> Response<Answer> {
    let mut response = with_kind(StatusCode::OK, "text/event-stream", answer);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn accepted() -> Response<Answer> {
    let mut response = Response::new(Answer::whole(""));
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

/// A refusal of what is wrong about the request as HTTP.
fn refused(status: StatusCode, message: &str) -> Response<Answer> {
    let reply = Reply::error(None, Code::InvalidRequest, message);
    with_kind(status, "application/json", Answer::whole(reply.text))
}

fn not_allowed(methods: &'static str) -> Response<Answer> {
    let message = format!("the method is none of: {methods}");
    let mut response = refused(StatusCode::METHOD_NOT_ALLOWED, &message);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    response
}

fn unreadable(reason: BodyError) -> Response<Answer> {
    match reason {
        BodyError::TooLarge => refused(
            StatusCode::PAYLOAD_TOO_LARGE,
            &format!("the message has more than {} bytes", super::message::MOST_BYTES),
        ),
        BodyError::TooSlow => refused(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
        BodyError::Broken => refused(StatusCode::BAD_REQUEST, "the body cannot be read"),
    }
}
