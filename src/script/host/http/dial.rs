//! From a host to a connection, to an address that was looked at.
//!
//! The system gives no way to end the look-up of a name, so it happens on a thread of its own,
//! together with the dialling; the sandbox waits for it in short slices and goes on without it when
//! the call ends. Every address that the name leads to is looked at, and the connection is made to
//! one of these very addresses: nothing asks for the name a second time.

use super::address::is_public;
use super::target::Target;
use crate::script::frame::Native;
use crate::script::meter;
use rustls::ClientConfig;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long to wait between two looks at the bounds of the call.
pub(super) const SLICE: Duration = Duration::from_millis(20);

/// Operations that one look at the bounds costs. As many as lie between two looks at the clock, so
/// that each sees the deadline of the call.
pub(super) const LOOK: u64 = 256;

/// Most threads that dial at once, those that nobody waits for any more included.
const MOST_THREADS: usize = 128;

/// Most addresses of one name that are dialled.
const MOST_ADDRESSES: usize = 4;

/// The longest that one of several addresses is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// The stack of a thread that dials; resolvers of the system need some.
const STACK: usize = 512 * 1024;

/// The net, as far as dialling needs it.
pub(super) trait Network: Send + Sync {
    /// The addresses of a name.
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;

    /// A connection to an address, within some time.
    fn connect(&self, address: SocketAddr, within: Duration) -> io::Result<TcpStream>;

    /// How connections are encrypted, and whose certificates are trusted.
    fn encryption(&self) -> Arc<ClientConfig>;
}

/// The net of this machine.
pub(super) struct System;

#[expect(clippy::disallowed_methods, reason = "the one place that connects, to what is granted")]
impl Network for System {
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok((host, port).to_socket_addrs()?.collect())
    }

    fn connect(&self, address: SocketAddr, within: Duration) -> io::Result<TcpStream> {
        TcpStream::connect_timeout(&address, within)
    }

    fn encryption(&self) -> Arc<ClientConfig> {
        super::wire::public_encryption()
    }
}

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DialError {
    /// The name has no address.
    Unknown,
    /// The name leads to an address that is not public.
    Private(IpAddr),
    /// No address answers.
    Unreachable(io::ErrorKind),
    /// Time is up.
    TimedOut,
    /// Too many threads dial.
    Busy,
}

/// What one dialling thread leaves for whoever waits.
#[derive(Default)]
struct Slot {
    answer: Mutex<Option<Result<TcpStream, DialError>>>,
    ready: Condvar,
}

/// Dials, at the latest until `until`.
///
/// # Errors
///
/// The outer: the call is over. The inner: there is no connection.
pub(super) fn dial(
    network: &Arc<dyn Network>,
    target: &Target,
    until: Instant,
) -> Native<Result<TcpStream, DialError>> {
    // What the thread takes with it is not the call's: it may outlive it.
    let Some(slot) = meter::handing_out(|| start(network, target, until)) else {
        return Ok(Err(DialError::Busy));
    };
    let answer = wait(&slot, until);
    meter::handing_out(|| drop(slot));
    answer
}

fn wait(slot: &Slot, until: Instant) -> Native<Result<TcpStream, DialError>> {
    let mut answer = slot.answer.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if let Some(answer) = answer.take() {
            return Ok(answer);
        }
        meter::charge(LOOK)?;
        if Instant::now() >= until {
            return Ok(Err(DialError::TimedOut));
        }
        let waited = slot.ready.wait_timeout(answer, SLICE);
        answer = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
}

fn start(network: &Arc<dyn Network>, target: &Target, until: Instant) -> Option<Arc<Slot>> {
    let place = Place::take()?;
    let slot = Arc::new(Slot::default());
    let (network, theirs) = (Arc::clone(network), Arc::clone(&slot));
    let (host, port, address) = (target.host.as_str().to_owned(), target.port, target.address);
    let dialling = move || {
        let connected = match address {
            Some(address) => connect(&*network, &[SocketAddr::new(address, port)], until),
            None => public(&*network, &host, port)
                .and_then(|addresses| connect(&*network, &addresses, until)),
        };
        *theirs.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(connected);
        theirs.ready.notify_one();
        drop(place);
    };
    let builder = std::thread::Builder::new().name("peasy-dial".to_owned()).stack_size(STACK);
    builder.spawn(dialling).ok()?;
    Some(slot)
}

/// The addresses of a name, if all of them are public.
fn public(network: &dyn Network, host: &str, port: u16) -> Result<Vec<SocketAddr>, DialError> {
    let mut addresses = network.resolve(host, port).map_err(|_| DialError::Unknown)?;
    if let Some(private) = addresses.iter().find(|address| !is_public(address.ip())) {
        return Err(DialError::Private(private.ip()));
    }
    addresses.truncate(MOST_ADDRESSES);
    if addresses.is_empty() { Err(DialError::Unknown) } else { Ok(addresses) }
}

fn connect(
    network: &dyn Network,
    addresses: &[SocketAddr],
    until: Instant,
) -> Result<TcpStream, DialError> {
    let mut failed = DialError::Unknown;
    for (index, address) in addresses.iter().enumerate() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(DialError::TimedOut);
        }
        let is_last = index + 1 == addresses.len();
        let within = if is_last { left } else { PATIENCE.min(left) };
        match network.connect(*address, within) {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => failed = DialError::TimedOut,
            Err(error) => failed = DialError::Unreachable(error.kind()),
        }
    }
    Err(failed)
}

/// A place among the threads that may dial. One count for the process: a thread that hangs in the
/// system's resolver belongs to no call and no runtime any more.
struct Place;

static TAKEN: AtomicUsize = AtomicUsize::new(0);

impl Place {
    fn take() -> Option<Self> {
        let free = |taken| (taken < MOST_THREADS).then_some(taken + 1);
        TAKEN.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free).ok().map(|_| Self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        TAKEN.fetch_sub(1, Ordering::Relaxed);
    }
}
