//! Servers and networks for tests: on this machine, bounded in count and time.

use crate::script::host::http::dial::Network;
use crate::script::host::http::wire::encryption;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, ServerConfig, ServerConnection, StreamOwned};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a server waits for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a server does with one connection; it gets the request as text.
pub(super) type Act = Box<dyn FnOnce(&mut TcpStream, &str) + Send>;

/// A server that serves so many connections, one after another.
pub(super) struct Server {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    // Held so that nobody else gets the port before the test is over.
    _listener: TcpListener,
}

impl Server {
    /// Serves each connection with the next of `acts`.
    pub fn acting(acts: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let held = listener.try_clone().expect("another handle");
        let (seen, is_over) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<AtomicBool>::default());
        let (heard, over) = (Arc::clone(&seen), Arc::clone(&is_over));
        let serving = move || {
            for act in acts {
                let Ok((mut stream, _)) = listener.accept() else { return };
                if over.load(Ordering::Acquire) {
                    return;
                }
                stream.set_read_timeout(Some(PATIENCE)).expect("some time");
                stream.set_write_timeout(Some(PATIENCE)).expect("some time");
                let request = request(&mut stream);
                heard.lock().expect("nobody panics with it").push(request.clone());
                act(&mut stream, &request);
            }
        };
        let thread = Some(std::thread::spawn(serving));
        Self { address, seen, is_over, thread, _listener: held }
    }

    /// Answers each request with the next of `answers`, and hangs up.
    pub fn saying<S: AsRef<str>>(answers: &[S]) -> Self {
        let say = |answer: &S| {
            let answer = answer.as_ref().to_owned();
            let act = move |stream: &mut TcpStream, _: &str| say(stream, answer.as_bytes());
            Box::new(act) as Act
        };
        Self::acting(answers.iter().map(say).collect())
    }

    /// Answers one request as `answer` says, which gets the request.
    pub fn echoing(answer: impl FnOnce(&str) -> Vec<u8> + Send + 'static) -> Self {
        Self::acting(vec![Box::new(move |stream: &mut TcpStream, request: &str| {
            say(stream, &answer(request));
        })])
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("nobody panics with it").clone()
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `http=127.0.0.1:PORT`
    pub fn grant(&self) -> String {
        format!("http={}", self.address)
    }
}

impl Drop for Server {
    #[expect(clippy::disallowed_methods, reason = "wakes a server of its own")]
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        // One that still waits for a connection gets one.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Writes as much as the other side takes.
pub(super) fn say(stream: &mut impl Write, answer: &[u8]) {
    let _ = stream.write_all(answer).and_then(|()| stream.flush());
}

/// Waits until the other side hangs up.
pub(super) fn wait_for_end(stream: &mut impl Read) {
    let _ = io::copy(stream, &mut io::sink());
}

/// Reads the head of a request, and a body of the length that it names.
fn request(stream: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") && bytes.len() < 100_000 {
        match stream.read(&mut byte) {
            // The greeting of an encrypted connection; there is no end to wait for.
            Ok(1) if bytes.is_empty() && byte[0] == 0x16 => return String::new(),
            Ok(1) => bytes.push(byte[0]),
            _ => return String::from_utf8_lossy(&bytes).into_owned(),
        }
    }
    let head = String::from_utf8_lossy(&bytes).into_owned();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    let _ = stream.read_exact(&mut body);
    format!("{head}{}", String::from_utf8_lossy(&body))
}

/// An answer with a body and its length.
pub(super) fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

/// A network in which every name has the addresses that it is told, and every connection is one to
/// a server of the test.
pub(super) struct Made {
    /// What each question is answered, the last one for good.
    pub answers: Mutex<VecDeque<Vec<SocketAddr>>>,
    /// The names that were asked for.
    pub asked: Mutex<Vec<String>>,
    /// The addresses that were dialled.
    pub dialled: Mutex<Vec<SocketAddr>>,
    pub server: SocketAddr,
    pub encryption: Arc<ClientConfig>,
}

impl Made {
    pub fn new(server: SocketAddr, answers: &[&[&str]]) -> Arc<Self> {
        let address = |text: &&str| text.parse().expect("an address with a port");
        let answers = answers.iter().map(|answer| answer.iter().map(address).collect());
        let mut roots = rustls::RootCertStore::empty();
        let authority = CertificateDer::from(include_bytes!("authority.der").to_vec());
        roots.add(authority).expect("a certificate");
        Arc::new(Self {
            answers: Mutex::new(answers.collect()),
            asked: Mutex::default(),
            dialled: Mutex::default(),
            server,
            encryption: encryption(roots),
        })
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("nobody panics with it").clone()
    }

    pub fn dialled(&self) -> Vec<String> {
        let dialled = self.dialled.lock().expect("nobody panics with it");
        dialled.iter().map(ToString::to_string).collect()
    }
}

impl Network for Made {
    fn resolve(&self, host: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        self.asked.lock().expect("nobody panics with it").push(host.to_owned());
        let mut answers = self.answers.lock().expect("nobody panics with it");
        let next = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        next.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    #[expect(clippy::disallowed_methods, reason = "connects to a server of the test")]
    fn connect(&self, address: SocketAddr, within: Duration) -> io::Result<TcpStream> {
        self.dialled.lock().expect("nobody panics with it").push(address);
        TcpStream::connect_timeout(&self.server, within)
    }

    fn encryption(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.encryption)
    }
}

/// Serves one encrypted connection for `api.example.com` with an answer that gets the request.
pub(super) fn encrypted(answer: impl FnOnce(&str) -> Vec<u8> + Send + 'static) -> EncryptedServer {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let held = listener.try_clone().expect("another handle");
    let certificate = CertificateDer::from(include_bytes!("certificate.der").to_vec());
    let key = PrivatePkcs8KeyDer::from(include_bytes!("key.der").to_vec());
    let config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has ciphers for them")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], PrivateKeyDer::from(key))
            .expect("a certificate and its key");
    let config = Arc::new(config);
    let serving = move || {
        let Ok((stream, _)) = listener.accept() else { return };
        stream.set_read_timeout(Some(PATIENCE)).expect("some time");
        let connection = ServerConnection::new(config).expect("a configuration");
        let mut stream = StreamOwned::new(connection, stream);
        let request = request(&mut stream);
        if !request.is_empty() {
            say(&mut stream, &answer(&request));
        }
        stream.conn.send_close_notify();
        let _ = stream.flush();
    };
    EncryptedServer { address, thread: Some(std::thread::spawn(serving)), _listener: held }
}

pub(super) struct EncryptedServer {
    pub address: SocketAddr,
    thread: Option<JoinHandle<()>>,
    _listener: TcpListener,
}

impl Drop for EncryptedServer {
    #[expect(clippy::disallowed_methods, reason = "wakes a server of its own")]
    fn drop(&mut self) {
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
