//! The server on standard input and output: a line, a message.
//!
//! Threads take turns at reading. One that reads a call leaves the turn to the next and runs the call
//! itself, so that a call is handed over once, to its sandbox, and a slow one keeps no other waiting.
//! What came before a call was taken up before it. Threads are started as they are needed; there are
//! never more than the limit of calls lets run, and a few that read.

use super::channel::Channel;
use super::line::{Line, read_line};
use super::list::ToolList;
use super::message::{Code, MOST_BYTES, Parsed, Reply, parse};
use super::output::Output;
use super::server::{ServeError, ServeOptions, Server, Step};
use super::session::Session;
use crate::limit::Limit;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use tokio::sync::Notify;

/// How long calls in flight get to end once the process was told to.
pub(super) const LAST_CALLS: Duration = Duration::from_secs(3);
/// How long a client that reads nothing is waited for, at the end.
const LAST_LINES: Duration = Duration::from_secs(1);
/// Threads that may wait for their turn; more end.
const MOST_IDLE: usize = 3;
/// Threads beside those that run calls.
const SPARE: usize = 8;

/// Serves the tools of a catalog over standard input and output, until input ends and every request
/// was answered, or the process is told to end.
///
/// # Errors
///
/// The system gives no threads, or the client was gone before it had an answer. A client that leaves
/// is no error.
pub fn serve_stdio(tools: Arc<ToolList>, options: ServeOptions) -> Result<(), ServeError> {
    let server = Server::new(tools, options)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let pipe = Pipe::start(server, io::stdin(), io::stdout())?;
    runtime.block_on(pipe.until_over())?;
    pipe.end();
    if pipe.output.reached_nobody() {
        return Err(ServeError::Handshake("standard output is closed".to_owned()));
    }
    Ok(())
}

/// Both ends of the pipe to the client, and the threads that are at it.
struct Pipe {
    server: Arc<Server>,
    session: Arc<Session>,
    output: Arc<Output>,
    channel: Arc<dyn Channel>,
    input: Mutex<Input>,
    threads: AtomicUsize,
    idle: AtomicUsize,
    most: usize,
    over: Arc<Over>,
}

struct Input {
    lines: Box<dyn BufRead + Send>,
    line: Vec<u8>,
}

/// How it came to the end.
#[derive(Default)]
struct Over {
    /// Nothing more is read.
    is_over: AtomicBool,
    /// The process was told to end; what is under way is bounded.
    is_urgent: AtomicBool,
    told: Notify,
}

impl Over {
    fn tell(&self, is_urgent: bool) {
        if is_urgent {
            self.is_urgent.store(true, Ordering::Release);
        }
        self.is_over.store(true, Ordering::Release);
        self.told.notify_one();
    }
}

impl Pipe {
    fn start(
        server: Arc<Server>,
        input: impl Read + Send + 'static,
        output: impl Write + Send + 'static,
    ) -> io::Result<Arc<Self>> {
        let session: Arc<Session> = Arc::default();
        let over: Arc<Over> = Arc::default();
        let gone = {
            let (session, over) = (Arc::clone(&session), Arc::clone(&over));
            move || {
                session.cancel_all();
                over.tell(true);
            }
        };
        let output = Output::start(output, gone)?;
        let catalog = server.tools.pod().catalog();
        let calls = usize::try_from(catalog.limits().get(Limit::InFlight)).unwrap_or(usize::MAX);
        let pipe = Arc::new(Self {
            server,
            session,
            channel: Arc::clone(&output) as Arc<dyn Channel>,
            output,
            input: Mutex::new(Input {
                lines: Box::new(BufReader::with_capacity(64 << 10, input)),
                line: Vec::new(),
            }),
            threads: AtomicUsize::new(0),
            idle: AtomicUsize::new(0),
            most: calls.saturating_add(SPARE),
            over,
        });
        pipe.start_thread()?;
        Ok(pipe)
    }

    fn start_thread(self: &Arc<Self>) -> io::Result<()> {
        self.threads.fetch_add(1, Ordering::AcqRel);
        let pipe = Arc::clone(self);
        let work = move || {
            pipe.work();
            pipe.threads.fetch_sub(1, Ordering::AcqRel);
        };
        let thread = thread::Builder::new().name("peasy-mcp".to_owned()).stack_size(2 << 20);
        thread.spawn(work).map(drop).inspect_err(|_| {
            self.threads.fetch_sub(1, Ordering::AcqRel);
        })
    }

    /// Reads, in turn with others, and runs the calls that it reads.
    fn work(self: &Arc<Self>) {
        loop {
            if self.idle.fetch_add(1, Ordering::AcqRel) >= MOST_IDLE {
                self.idle.fetch_sub(1, Ordering::AcqRel);
                return;
            }
            let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
            self.idle.fetch_sub(1, Ordering::AcqRel);
            let Some(call) = self.next_call(&mut input) else { return self.over.tell(false) };
            self.leave_turn();
            drop(input);
            call.run();
        }
    }

    /// Takes messages up until one is a call.
    fn next_call(&self, input: &mut Input) -> Option<Box<super::call::Call>> {
        while !self.over.is_over.load(Ordering::Acquire) {
            let step = match read_line(&mut input.lines, &mut input.line) {
                Ok(Line::Whole) => self.take(&input.line),
                Ok(Line::TooLong) => {
                    let message = format!("the message has more than {MOST_BYTES} bytes");
                    Step::Reply(Reply::error(None, Code::InvalidRequest, &message))
                }
                Ok(Line::End) => return None,
                Err(reason) => {
                    tracing::warn!(%reason, "standard input cannot be read");
                    return None;
                }
            };
            match step {
                Step::Done => (),
                Step::Reply(reply) => self.output.send(&reply.text),
                Step::Call(call) => return Some(call),
            }
        }
        None
    }

    fn take(&self, line: &[u8]) -> Step {
        let (session, channel) = (&self.session, &self.channel);
        match parse(line) {
            Parsed::Request(request) => self.server.request(session, channel, request),
            Parsed::Notification { method, parameters } => {
                self.server.notification(session, &method, &parameters, Some(channel));
                Step::Done
            }
            Parsed::Response { id, result } => Server::response(session, &id, result),
            Parsed::Refused(reply) => Step::Reply(reply),
            Parsed::Nothing => Step::Done,
        }
    }

    /// Sees to it that somebody reads while this thread is at a call.
    fn leave_turn(self: &Arc<Self>) {
        let is_somebody_there = self.idle.load(Ordering::Acquire) > 0;
        if is_somebody_there || self.threads.load(Ordering::Acquire) >= self.most {
            return;
        }
        if let Err(reason) = self.start_thread() {
            // This thread reads on after its call.
            tracing::warn!(%reason, "no thread could be started to read meanwhile");
        }
    }

    /// Waits until input ends, the client is gone, or the process is told to end.
    async fn until_over(&self) -> io::Result<()> {
        let mut told = ToldToEnd::new()?;
        tokio::select! {
            () = self.over.told.notified() => (),
            () = told.wait() => {
                self.over.tell(true);
                return Ok(());
            }
        }
        // Input has ended; calls end by their own deadlines, or with the process.
        if !self.over.is_urgent.load(Ordering::Acquire) {
            for call in self.session.unanswered() {
                call.give_up();
            }
            let session = Arc::clone(&self.session);
            let idle = tokio::task::spawn_blocking(move || session.wait_until_idle(None));
            tokio::select! {
                _ = idle => (),
                () = told.wait() => self.over.tell(true),
            }
        }
        Ok(())
    }

    /// Answers what is under way, within bounds.
    fn end(&self) {
        self.session.end_listening(Server::end_of_listening);
        for call in self.session.unanswered() {
            call.give_up();
        }
        if !self.session.wait_until_idle(Some(LAST_CALLS)) {
            self.session.stop_all();
            self.session.wait_until_idle(Some(LAST_LINES));
        }
        self.output.close(LAST_LINES);
    }
}

/// The signals that tell a process to end.
pub(super) struct ToldToEnd {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl ToldToEnd {
    #[cfg(unix)]
    pub fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    #[cfg(not(unix))]
    #[expect(clippy::unnecessary_wraps, reason = "other systems have signals that may be refused")]
    pub fn new() -> io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(unix)]
    pub async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => (),
            _ = self.interrupt.recv() => (),
        }
    }

    #[cfg(not(unix))]
    pub async fn wait(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
