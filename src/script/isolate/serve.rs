//! The process's side: runs one call at a time and asks the host for the rest.
//!
//! One thread listens to the host for as long as the process lives, a sandbox thread runs the call.
//! So the process ends with its host, whatever its call does.

use super::wire::{Ask, CallOrder, Ended, Line, Order, Word};
use crate::diagnostic::Diagnostic;
use crate::feature::call::{CallContext, Cancel, Conditions};
use crate::feature::capability::SecretName;
use crate::feature::event::{FeatureEvent, Sink};
use crate::feature::hook::Decision;
use crate::feature::secret::SecretText;
use crate::feature::transaction::{Act, CallStart, Ending, Transaction};
use crate::script::call::Instances;
use crate::script::frame::Role;
use crate::script::invoke::{Call, Health, Invocation, MemoryBound, Returned, Runnable};
use crate::script::meter;
use crate::script::sandbox::Sandbox;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use zeroize::Zeroizing;

/// Runs calls for the process that started this one, over standard input, until that ends.
///
/// A program calls this first thing where it was started with the arguments of its
/// [`super::Launch`]. It must allocate through [`crate::Meter`] where its host does.
///
/// # Errors
///
/// Standard input is no socket of a host, or what comes over it cannot be understood.
pub fn serve() -> io::Result<()> {
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    let stream = UnixStream::from(input);
    stream.peer_addr().map_err(|_| no_host())?;
    let orders = Line::new(stream.try_clone()?);
    let host = Host(Arc::new(Mutex::new(Line::new(stream))));
    match serve_host(orders, host) {
        // The host is done with this process, or has ended.
        Err(error) if is_gone(&error) => Ok(()),
        other => other,
    }
}

fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | BrokenPipe | ConnectionReset)
}

fn serve_host(mut orders: Line, host: Host) -> io::Result<()> {
    let Some(Order::Begin { memory, address_space, is_metered }) = orders.receive()? else {
        return Err(no_host());
    };
    bound_memory(address_space)?;
    let bound = if is_metered { MemoryBound::Metered } else { MemoryBound::Unbounded };
    if is_metered && !meter::Meter::is_installed() {
        return Err(io::Error::other("this program does not allocate through `peasy::Meter`"));
    }
    host.say(&Word::Ready(env!("CARGO_PKG_VERSION").to_owned()))?;
    let sandbox = Sandbox::new(1, memory);
    let server = Server {
        host,
        sandbox,
        bound,
        programs: HashMap::new(),
        running: None,
        left_behind: Arc::default(),
    };
    server.listen(&mut orders)
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

struct Server {
    host: Host,
    sandbox: Sandbox,
    bound: MemoryBound,
    programs: HashMap<u64, Arc<Runnable>>,
    running: Option<Running>,
    /// Bytes that calls left behind.
    left_behind: Arc<AtomicU64>,
}

/// The call that runs, or ran last.
struct Running {
    cancel: Cancel,
    answers: Sender<Result<Value, Diagnostic>>,
}

impl Server {
    fn listen(mut self, orders: &mut Line) -> io::Result<()> {
        loop {
            match orders.receive()? {
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
                Some(Order::Call(call)) => self.call(*call)?,
                Some(Order::Answer(answer)) => {
                    if let Some(running) = &self.running {
                        // A call that has ended takes no answer.
                        let _ = running.answers.send(answer);
                    }
                }
                Some(Order::Cancel) => {
                    if let Some(running) = &self.running {
                        running.cancel.cancel();
                    }
                }
                Some(Order::Begin { .. }) => return Err(no_host()),
                None => {}
            }
        }
    }

    fn call(&mut self, order: CallOrder) -> io::Result<()> {
        let runnable = self.programs.get(&order.program).ok_or_else(no_host)?;
        let (answers, answered) = channel();
        let cancel = Cancel::default();
        self.running = Some(Running { cancel: cancel.clone(), answers });
        let deadline = Instant::now() + order.time_left;
        let context = CallContext {
            feature: Arc::new(order.feature.clone()),
            limits: Arc::new(order.limits()),
            sink: Arc::new(self.host.clone()),
            cancel,
            conditions: Conditions { now: order.now, seed: order.seed },
            deadline,
            transaction: Arc::new(Remote {
                host: self.host.clone(),
                answered: Mutex::new(answered),
                workspace: order.workspace,
                closed: order.closed,
            }),
        };
        let call = Call::new(Arc::clone(runnable), order.entry, context);
        let (host, left_behind) = (self.host.clone(), Arc::clone(&self.left_behind));
        let (role, arguments) = (order.role, order.arguments);
        let run = move |instances: &mut Instances| {
            misbehave(call.function());
            let run = AssertUnwindSafe(|| match role {
                Role::Tool => ended(call.run::<Value>(instances, &arguments)),
                Role::Hook => ended(call.run::<Decision>(instances, &arguments)),
                Role::Test => ended(call.run::<()>(instances, &arguments)),
            });
            // What panics in a script is caught within; this would be a defect of ours.
            let ended = catch_unwind(run).unwrap_or_else(|_| std::process::abort());
            drop(arguments);
            // A worn thread ends; its process would go on with what the thread left.
            let leaked = left_behind.fetch_add(ended.receipt.leaked_memory, Ordering::Relaxed);
            let is_worn = instances.is_worn() || leaked > MOST_LEFT_BEHIND;
            // A host that is gone is what the listening thread finds out.
            let _ = host.say(&Word::Ended(Box::new(Ended { is_worn, ..ended })));
        };
        self.sandbox.start(run).map_err(io::Error::other)
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

    fn say(&self, word: &Word) -> io::Result<()> {
        self.line().send(word)
    }
}

impl Sink for Host {
    fn emit(&self, event: FeatureEvent) {
        // A host that is gone is what the listening thread finds out.
        let _ = self.say(&Word::Event(event));
    }
}

/// The transaction of a call, which the host keeps.
struct Remote {
    host: Host,
    answered: Mutex<Receiver<Result<Value, Diagnostic>>>,
    workspace: Option<PathBuf>,
    closed: Vec<PathBuf>,
}

impl Remote {
    fn ask<T: DeserializeOwned>(&self, ask: Ask) -> Result<T, Diagnostic> {
        let lost = || Diagnostic::host("host/lost", "the host of this call is gone");
        let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        self.host.say(&Word::Ask(ask)).map_err(|_| lost())?;
        let answer = answered.recv().map_err(|_| lost())??;
        serde_json::from_value(answer).map_err(|_| lost())
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
