//! A connection that never keeps the sandbox waiting: it reads and writes in slices, pays for what
//! it moves, and gives up when the call is over or the request's time is.

use super::dial::{LOOK, Network, SLICE};
use super::target::Target;
use crate::script::meter;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// A connection to a server.
pub(super) enum Connection {
    Plain(Wire),
    Encrypted(Box<StreamOwned<ClientConnection, Wire>>),
}

impl Connection {
    /// Begins to talk on a connection that was just made.
    ///
    /// # Errors
    ///
    /// The handshake fails, time is up, or the call is over.
    pub fn begin(
        stream: TcpStream,
        target: &Target,
        network: &dyn Network,
        until: Instant,
    ) -> io::Result<Self> {
        // A wait ends with a slice, whatever the system takes for one.
        stream.set_read_timeout(Some(SLICE))?;
        stream.set_write_timeout(Some(SLICE))?;
        stream.set_nodelay(true)?;
        let mut wire = Wire { stream, until, next_look: Instant::now() };
        if !target.is_encrypted() {
            return Ok(Self::Plain(wire));
        }
        let name = match target.address {
            Some(address) => ServerName::from(address),
            None => ServerName::try_from(target.host.as_str().to_owned())
                .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?,
        };
        let config = network.encryption();
        let mut client = ClientConnection::new(config, name).map_err(io::Error::other)?;
        while client.is_handshaking() {
            client.complete_io(&mut wire)?;
        }
        Ok(Self::Encrypted(Box::new(StreamOwned::new(client, wire))))
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(wire) => wire.read(buffer),
            Self::Encrypted(stream) => stream.read(buffer),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(wire) => wire.write(bytes),
            Self::Encrypted(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(wire) => wire.flush(),
            Self::Encrypted(stream) => stream.flush(),
        }
    }
}

/// A socket that looks at the bounds while it waits.
pub(super) struct Wire {
    stream: TcpStream,
    until: Instant,
    next_look: Instant,
}

impl Wire {
    /// Does `act` until it no longer has to wait.
    fn patiently(
        &mut self,
        mut act: impl FnMut(&mut TcpStream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        loop {
            self.look()?;
            match act(&mut self.stream) {
                Ok(bytes) => {
                    meter::charge_bytes(bytes).map_err(|_| over())?;
                    return Ok(bytes);
                }
                Err(error) if is_later(&error) => (),
                Err(error) => return Err(error),
            }
        }
    }

    fn look(&mut self) -> io::Result<()> {
        let now = Instant::now();
        let is_late = now >= self.until;
        // A server may send a byte at a time: that is no reason to look at the bounds more often.
        if now >= self.next_look || is_late {
            self.next_look = now + SLICE;
            meter::charge(LOOK).map_err(|_| over())?;
        }
        if is_late { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
    }
}

/// The call is over; the meter knows why.
fn over() -> io::Error {
    io::ErrorKind::ConnectionAborted.into()
}

fn is_later(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.patiently(|stream| stream.read(buffer))
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.patiently(|stream| stream.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// How connections are encrypted, with `roots` to hold certificates against. No session is kept for
/// a later call, and no key is logged.
pub(super) fn encryption(roots: rustls::RootCertStore) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has ciphers for every version that rustls has")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

/// The same with the roots of Mozilla's list, made once.
pub(super) fn public_encryption() -> Arc<ClientConfig> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    // It stays for every call that follows.
    let make = || encryption(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect());
    Arc::clone(CONFIG.get_or_init(|| meter::handing_out(make)))
}
