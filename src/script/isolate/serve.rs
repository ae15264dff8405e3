//! The process's side: runs one call at a time and asks the host for the rest.
//!
//! The thread that runs scripts also reads what the host says of them, so that a call is handed over
//! once there and once back. Another hears of what cannot wait: a call to be cancelled, and the end of
//! the host, with which this process ends, whatever its call does.

use super::wire::{Ask, CallOrder, Ended, Line, Order, Word};
use crate::diagnostic::Diagnostic;
use crate::feature::call::{CallContext, Cancel, Conditions};
use crate::feature::capability::SecretName;
use crate::feature::commons::{Commons, CommonsAnswer, CommonsAsk};
use crate::feature::event::{FeatureEvent, Sink};
use crate::feature::heard::Heard;
use crate::feature::hook::Decision;
use crate::feature::secret::SecretText;
use crate::feature::subpod::{PodAnswer, PodAsk};
use crate::feature::transaction::{Act, CallStart, Ending, Transaction};
use crate::script::call::Instances;
use crate::script::frame::Role;
use crate::script::invoke::{Call, Given, Health, Invocation, MemoryBound, Returned, Runnable};
use crate::script::meter;
use crate::script::runtime::ToolResult;
use crate::script::sandbox::Sandbox;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::io::{self, Read};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use zeroize::Zeroizing;

/// Runs calls for the process that started this one, until that ends. What is said of calls goes
/// over standard input; standard output tells which call is to be cancelled, and ends with the host.
///
/// A program calls this first thing where it was started with the arguments of its
/// [`super::Launch`]. It must allocate through [`crate::Meter`] where its host does.
///
/// # Errors
///
/// Standard input is no socket of a host, or what comes over it cannot be understood.
pub fn serve() -> io::Result<()> {
    let socket = |end: io::Result<OwnedFd>| {
        let stream = UnixStream::from(end?);
        stream.peer_addr().map(|_| stream).map_err(|_| no_host())
    };
    let mut line = Line::new(socket(io::stdin().as_fd().try_clone_to_owned())?);
    let mut control = socket(io::stdout().as_fd().try_clone_to_owned())?;
    let begin = match line.receive() {
        Err(error) if is_gone(&error) => return Ok(()),
        begin => begin?,
    };
    let Some(Order::Begin { memory, address_space, is_metered }) = begin else {
        return Err(no_host());
    };
    bound_memory(address_space)?;
    if is_metered && !meter::Meter::is_installed() {
        return Err(io::Error::other("this program does not allocate through `peasy::Meter`"));
    }
    let sandbox = Sandbox::new(1, memory);
    let cancelled = Arc::new(Cancelled::default());
    let server = Server {
        line: Arc::new(Mutex::new(line)),
        sandbox: sandbox.clone(),
        bound: if is_metered { MemoryBound::Metered } else { MemoryBound::Unbounded },
        programs: HashMap::new(),
        cancelled: Arc::clone(&cancelled),
        left_behind: 0,
    };
    let outcome = Arc::new(Mutex::new(Ok(())));
    let (told, end) = (Arc::clone(&outcome), control.try_clone()?);
    let listen = move |instances: &mut Instances| {
        let ended = server.listen(instances);
        *told.lock().unwrap_or_else(PoisonError::into_inner) = ended;
        // So that the thread below ends as well.
        let _ = end.shutdown(Shutdown::Both);
    };
    sandbox.start(listen).map_err(io::Error::other)?;
    // The script's thread reads what it is told when it has time; this one hears of what cannot wait.
    let mut number = [0; size_of::<u64>()];
    while control.read_exact(&mut number).is_ok() {
        cancelled.cancel(u64::from_le_bytes(number));
    }
    let outcome =
        std::mem::replace(&mut *outcome.lock().unwrap_or_else(PoisonError::into_inner), Ok(()));
    match outcome {
        // The host is done with this process, or has ended.
        Err(error) if is_gone(&error) => Ok(()),
        other => other,
    }
}

fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | BrokenPipe | ConnectionReset)
}

fn no_host() -> io::Error {
    io::Error::other("this command is for peasy itself; it starts it for `--isolate process`")
}

/// Bounds what the process may map, and lets it leave no picture of its memory on the disk.
fn bound_memory(address_space: u64) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let at_most = |bytes| Rlimit { current: Some(bytes), maximum: Some(bytes) };
    setrlimit(Resource::As, at_most(address_space))?;
    setrlimit(Resource::Core, at_most(0))?;
    Ok(())
}

/// Bytes that calls may leave behind before their process is replaced. A few are caches that fill.
const MOST_LEFT_BEHIND: u64 = 1 << 20;

/// Which call runs, and which is to be cancelled: either may be heard of first.
#[derive(Default)]
struct Cancelled(Mutex<(u64, Option<(u64, Cancel)>)>);

impl Cancelled {
    fn state(&self) -> MutexGuard<'_, (u64, Option<(u64, Cancel)>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call begins.
    fn begin(&self, call: u64) -> Cancel {
        let cancel = Cancel::default();
        let mut state = self.state();
        if state.0 == call {
            cancel.cancel();
        }
        state.1 = Some((call, cancel.clone()));
        cancel
    }

    fn cancel(&self, call: u64) {
        let mut state = self.state();
        state.0 = call;
        if let Some((_, cancel)) = state.1.as_ref().filter(|(running, _)| *running == call) {
            cancel.cancel();
        }
    }
}

struct Server {
    line: Arc<Mutex<Line>>,
    sandbox: Sandbox,
    bound: MemoryBound,
    programs: HashMap<u64, Arc<Runnable>>,
    cancelled: Arc<Cancelled>,
    /// Bytes that calls left behind.
    left_behind: u64,
}

impl Server {
    /// Does what the host says, on the thread that scripts run on.
    fn listen(mut self, instances: &mut Instances) -> io::Result<()> {
        let host = Host(Arc::clone(&self.line));
        host.line().send(&Word::Ready(env!("CARGO_PKG_VERSION").to_owned()))?;
        loop {
            let order = host.line().receive()?;
            match order {
                Some(Order::Load { number, program }) => {
                    let runnable = Runnable {
                        channels: program.channels.clone().into(),
                        program: Arc::new(program.program()),
                        sandbox: self.sandbox.clone(),
                        processes: None,
                        memory: self.bound,
                        health: Health::default(),
                    };
                    self.programs.insert(number, Arc::new(runnable));
                }
                Some(Order::Forget(numbers)) => {
                    self.programs.retain(|number, _| !numbers.contains(number));
                }
                Some(Order::Call(call)) => {
                    let ended = self.call(*call, instances)?;
                    host.line().send(&Word::Ended(Box::new(ended)))?;
                }
                Some(Order::Begin { .. } | Order::Answer(_)) => return Err(no_host()),
                None => {}
            }
        }
    }

    fn call(&mut self, order: CallOrder, instances: &mut Instances) -> io::Result<Ended> {
        let runnable = self.programs.get(&order.program).ok_or_else(no_host)?;
        let host = Host(Arc::clone(&self.line));
        let context = CallContext {
            feature: Arc::new(order.feature.clone()),
            limits: Arc::new(order.limits()),
            sink: Arc::new(host.clone()),
            cancel: self.cancelled.begin(order.number),
            answers: order.answers.into(),
            conditions: Conditions { now: order.now, seed: order.seed },
            deadline: Instant::now() + order.time_left,
            transaction: Arc::new(Remote {
                host,
                workspace: order.workspace,
                closed: order.closed,
                record_room: order.record_room,
            }),
        };
        let call = Call::new(Arc::clone(runnable), order.entry, context);
        let arguments = Given::Arguments(order.arguments);
        misbehave(call.function());
        let run = AssertUnwindSafe(|| match order.role {
            Role::Tool => ended(call.run::<ToolResult>(instances, &arguments)),
            Role::Hook => ended(call.run::<Decision>(instances, &arguments)),
            Role::Test => ended(call.run::<()>(instances, &arguments)),
        });
        // What panics in a script is caught within; this would be a defect of ours.
        let ended = catch_unwind(run).unwrap_or_else(|_| std::process::abort());
        self.left_behind += ended.receipt.leaked_memory;
        // A worn thread ends; its process would go on with what the thread left.
        let is_worn = instances.is_worn() || self.left_behind > MOST_LEFT_BEHIND;
        Ok(Ended { is_worn, ..ended })
    }
}

fn ended<T: Returned>(invocation: Invocation<T>) -> Ended {
    let Invocation { result, notices, diagnostics, receipt } = invocation;
    let result = result.and_then(|value| {
        serde_json::to_value(value)
            .map_err(|error| Diagnostic::host("host/lost", error.to_string()).into())
    });
    Ended { result, notices, diagnostics, receipt, is_worn: false }
}

/// The host at the other end; clones share the line.
#[derive(Clone)]
struct Host(Arc<Mutex<Line>>);

impl Host {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Host {
    fn emit(&self, event: FeatureEvent) {
        // A host that is gone is found out where its next order is read.
        let _ = self.line().send(&Word::Event(event));
    }
}

/// The transaction of a call, which the host keeps.
struct Remote {
    host: Host,
    workspace: Option<PathBuf>,
    closed: Vec<PathBuf>,
    record_room: u64,
}

impl Remote {
    fn ask<T: DeserializeOwned>(&self, ask: Ask) -> Result<T, Diagnostic> {
        let lost = || Diagnostic::host("host/lost", "the host of this call is gone");
        let mut line = self.host.line();
        line.send(&Word::Ask(ask)).map_err(|_| lost())?;
        match line.receive() {
            Ok(Some(Order::Answer(answer))) => serde_json::from_value(answer?).map_err(|_| lost()),
            _ => Err(lost()),
        }
    }
}

/// What only the catalog asks for is answered there, so it never crosses the line.
impl Transaction for Remote {
    fn begin(&self, _: &CallStart<'_>) {}

    fn store_get(&self, key: &str) -> Result<Option<String>, Diagnostic> {
        self.ask(Ask::StoreGet(key.to_owned()))
    }

    fn store_set(&self, key: &str, value: &str) -> Result<(), Diagnostic> {
        self.ask(Ask::StoreSet(key.to_owned(), value.to_owned()))
    }

    fn store_delete(&self, key: &str) -> Result<bool, Diagnostic> {
        self.ask(Ask::StoreDelete(key.to_owned()))
    }

    fn store_keys(&self, prefix: &str, most: usize) -> Result<Vec<String>, Diagnostic> {
        self.ask(Ask::StoreKeys(prefix.to_owned(), most))
    }

    fn commons(&self, commons: Commons, ask: &CommonsAsk) -> Result<CommonsAnswer, Diagnostic> {
        self.ask(Ask::Commons(commons, ask.clone()))
    }

    fn pod(&self, ask: &PodAsk) -> Result<PodAnswer, Diagnostic> {
        self.ask(Ask::Pod(ask.clone()))
    }

    fn act(&self, act: &Act) -> Result<(), Diagnostic> {
        self.ask(Ask::Act(act.clone()))
    }

    fn secret(&self, name: &SecretName) -> Result<SecretText, Diagnostic> {
        let text: String = self.ask(Ask::Secret(name.to_string()))?;
        // The host keeps none that could not be spent.
        SecretText::new(Zeroizing::new(text))
            .map_err(|reason| Diagnostic::host("host/lost", reason.to_string()))
    }

    fn workspace(&self) -> Option<&Path> {
        self.workspace.as_deref()
    }

    fn closed(&self) -> &[PathBuf] {
        &self.closed
    }

    fn record_room(&self) -> u64 {
        self.record_room
    }

    fn heard(&self, heard: Heard) {
        // A host that is gone is found out where its next order is read.
        let _ = self.ask::<()>(Ask::Heard(Box::new(heard)));
    }

    fn commit(&self, _: &Ending<'_>) -> Result<(), Diagnostic> {
        Ok(())
    }

    fn roll_back(&self) {}
}

/// Tells a process of a test which function does what no script can: `abort:NAME`, `hang:NAME` or
/// `eat:NAME`.
#[cfg(debug_assertions)]
pub(super) const MISBEHAVE: &str = "PEASY_TEST_MISBEHAVE";

#[cfg(debug_assertions)]
fn misbehave(function: &str) {
    let Ok(told) = std::env::var(MISBEHAVE) else { return };
    match told.split_once(':').filter(|(_, name)| *name == function) {
        Some(("abort", _)) => std::process::abort(),
        Some(("hang", _)) => loop {
            std::thread::park();
        },
        // Each is far below the bound; together they are above any.
        Some(("eat", _)) => {
            let mut eaten: Vec<Vec<u8>> = Vec::new();
            loop {
                eaten.push(vec![0; 8 << 20]);
            }
        }
        _ => {}
    }
}

#[cfg(not(debug_assertions))]
fn misbehave(_: &str) {}
