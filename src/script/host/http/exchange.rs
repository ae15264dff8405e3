//! One request and its answer, in HTTP/1.1 (RFC 9112): written out, read piece by piece, and never
//! more than was asked for.
//!
//! One connection serves one request. There is no pool, no cookie jar and no proxy, and nothing
//! here writes to a log: a request's head may hold a secret.

use super::dial::DialError;
use crate::diagnostic::Diagnostic;
use crate::script::meter;
use crate::script::value::prefix;
use std::io::{self, ErrorKind, Read, Write};

/// The most bytes of an answer's head, and of all trailers.
const MAX_HEAD: usize = 64 * 1024;

/// The most headers of an answer.
const MOST_HEADERS: usize = 128;

/// The most answers of the kind 1xx before the one that counts.
const MOST_INTERIM: usize = 8;

/// Bytes that are read at once.
const PIECE: usize = 16 * 1024;

/// The longest line that tells the size of a chunk.
const MAX_SIZE_LINE: usize = 256;

/// An answer as it came.
pub(super) struct Answer {
    pub status: u16,
    /// In order, names as they were written.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of a name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// What is read of an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// Whether the request was `HEAD`, whose answer has no body.
    pub is_head: bool,
    /// The most bytes of its body.
    pub most: usize,
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("there is no connection to the host: {}", dialled(*.0))]
    Dial(DialError),
    #[error("the connection cannot be encrypted: {0}")]
    Encryption(String),
    #[error("the host did not answer in time")]
    TimedOut,
    #[error("the connection failed: {0}")]
    Broken(ErrorKind),
    #[error("the connection ended before the answer did")]
    Truncated,
    #[error("the head of the answer has more than {MAX_HEAD} bytes or {MOST_HEADERS} headers")]
    Headers,
    #[error("the answer has more than {0} bytes")]
    TooLarge(usize),
    #[error("the answer is compressed as `{0}`, which was not asked for")]
    Compressed(String),
    #[error("the answer is no HTTP: {0}")]
    Malformed(&'static str),
}

fn dialled(error: DialError) -> String {
    match error {
        DialError::Unknown => "its name has no address".to_owned(),
        DialError::Private(address) => {
            format!("its name leads to {address}, which is not of the public internet")
        }
        DialError::Unreachable(kind) => kind.to_string(),
        DialError::TimedOut => "it did not answer in time".to_owned(),
        DialError::Busy => "too many requests wait for one".to_owned(),
    }
}

impl Fault {
    /// The problem as data; `shown` is the address that was asked.
    pub fn diagnostic(&self, shown: &str) -> Diagnostic {
        let code = match self {
            Self::Dial(DialError::Private(_)) => "http/private-address",
            Self::Dial(DialError::Unknown) => "http/unknown-host",
            Self::Dial(DialError::TimedOut) | Self::TimedOut => "http/timeout",
            Self::Dial(DialError::Busy) => "http/busy",
            Self::Dial(DialError::Unreachable(_)) | Self::Broken(_) => "http/unreachable",
            Self::Encryption(_) => "http/encryption",
            Self::Truncated => "http/truncated",
            Self::Headers => "http/headers",
            Self::TooLarge(_) => "http/too-large",
            Self::Compressed(_) => "http/compressed",
            Self::Malformed(_) => "http/malformed",
        };
        let problem = Diagnostic::operator(code, format!("`{}`: {self}", prefix(shown, 400)));
        match self {
            Self::Dial(DialError::Private(_)) => problem.help(
                "no name may lead there; a private host is granted by its address, as in `http=127.0.0.1:8080`",
            ),
            Self::TooLarge(_) => problem
                .help("ask for less, or allow more with `#{ most: BYTES }` and `--limit memory=…`"),
            Self::TimedOut | Self::Dial(DialError::TimedOut) => {
                problem.help("give it longer with `#{ timeout: MS }` and `@limit time`")
            }
            _ => problem,
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::TimedOut => Self::TimedOut,
            ErrorKind::UnexpectedEof => Self::Truncated,
            kind => match error.get_ref() {
                // What a library says of TLS holds no secret.
                Some(inner) if inner.is::<rustls::Error>() => Self::Encryption(inner.to_string()),
                _ => Self::Broken(kind),
            },
        }
    }
}

/// Sends a request and reads its answer.
///
/// # Errors
///
/// There is no answer, or the call is over: the meter knows of that.
pub(super) fn exchange(
    connection: &mut (impl Read + Write),
    head: &[u8],
    body: &[u8],
    wanted: Wanted,
) -> Result<Answer, Fault> {
    match send(connection, head, body) {
        // A server may refuse a long body by an answer, and read no further.
        Err(error) if is_hang_up(&error) => receive(connection, wanted).map_err(|_| error.into()),
        Err(error) => Err(error.into()),
        Ok(()) => receive(connection, wanted),
    }
}

fn send(connection: &mut impl Write, head: &[u8], body: &[u8]) -> io::Result<()> {
    connection.write_all(head)?;
    connection.write_all(body)?;
    connection.flush()
}

fn is_hang_up(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

fn receive(connection: &mut impl Read, wanted: Wanted) -> Result<Answer, Fault> {
    let mut incoming = Incoming { connection, piece: vec![0; PIECE], start: 0, end: 0 };
    let (status, headers) = incoming.head()?;
    let mut answer = Answer { status, headers, body: Vec::new() };
    let framing = framing(&answer, wanted.is_head)?;
    if !matches!(framing, Framing::None)
        && let Some(encoding) = answer.header("content-encoding")
        && !matches!(encoding.trim(), "" | "identity")
    {
        return Err(Fault::Compressed(encoding.trim().to_owned()));
    }
    answer.body = match framing {
        Framing::None => Vec::new(),
        Framing::Length(length) if length > wanted.most as u64 => {
            return Err(Fault::TooLarge(wanted.most));
        }
        Framing::Length(length) => {
            incoming.sized(usize::try_from(length).unwrap_or(usize::MAX), wanted.most)?
        }
        Framing::Chunked => incoming.chunked(wanted.most)?,
        Framing::UntilEnd => incoming.until_end(wanted.most)?,
    };
    Ok(answer)
}

/// Where a body ends. Source: RFC 9112, section 6.3.
enum Framing {
    None,
    Length(u64),
    Chunked,
    UntilEnd,
}

fn framing(answer: &Answer, is_head: bool) -> Result<Framing, Fault> {
    if is_head || matches!(answer.status, 204 | 304) {
        return Ok(Framing::None);
    }
    if let Some(coding) = answer.header("transfer-encoding") {
        return match coding.trim() {
            coding if coding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
            other => Err(Fault::Compressed(other.to_owned())),
        };
    }
    let is_length = |(name, _): &&(String, String)| name.eq_ignore_ascii_case("content-length");
    let mut lengths = answer.headers.iter().filter(is_length).map(|(_, value)| value.trim());
    let Some(first) = lengths.next() else { return Ok(Framing::UntilEnd) };
    let is_number = !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || lengths.any(|other| other != first) {
        return Err(Fault::Malformed("its length is no number, or several"));
    }
    // More digits than fit are more bytes than anybody asked for.
    Ok(Framing::Length(first.parse().unwrap_or(u64::MAX)))
}

/// What comes in, a piece at a time.
struct Incoming<'c, C> {
    connection: &'c mut C,
    piece: Vec<u8>,
    start: usize,
    end: usize,
}

impl<C: Read> Incoming<'_, C> {
    /// Reads on when nothing is left; whether there is something.
    fn fill(&mut self) -> Result<bool, Fault> {
        if self.start == self.end {
            self.start = 0;
            self.end = self.connection.read(&mut self.piece)?;
        }
        Ok(self.start < self.end)
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        if !self.fill()? {
            return Err(Fault::Truncated);
        }
        self.start += 1;
        Ok(self.piece[self.start - 1])
    }

    /// The next line with its end, of at most `most` bytes; `too_long` where it has more.
    fn line(&mut self, line: &mut Vec<u8>, most: usize, too_long: Fault) -> Result<(), Fault> {
        let begin = line.len();
        loop {
            let byte = self.byte()?;
            if line.len() - begin >= most {
                return Err(too_long);
            }
            line.push(byte);
            if byte == b'\n' {
                return Ok(());
            }
        }
    }

    /// The head of the answer that counts.
    fn head(&mut self) -> Result<(u16, Vec<(String, String)>), Fault> {
        let mut left = MAX_HEAD;
        for _ in 0..MOST_INTERIM {
            let mut head = Vec::new();
            loop {
                let begin = head.len();
                self.line(&mut head, left, Fault::Headers)?;
                left -= head.len() - begin;
                // The line of the status comes first, so an empty one is the end.
                if matches!(&head[begin..], b"\n" | b"\r\n") && begin > 0 {
                    break;
                }
                if begin == 0 && !head.starts_with(b"HTTP/1.") {
                    return Err(Fault::Malformed("it does not begin with `HTTP/1.`"));
                }
            }
            let (status, headers) = parse(&head)?;
            match status {
                101 => return Err(Fault::Malformed("it changes to another protocol")),
                100..=199 => (),
                200..=999 => return Ok((status, headers)),
                _ => return Err(Fault::Malformed("its status is below 100")),
            }
        }
        Err(Fault::Malformed("it announces itself too often"))
    }

    /// Adds at most `most` of the bytes that follow to `body`; how many it were.
    fn take(&mut self, body: &mut Vec<u8>, most: usize) -> Result<usize, Fault> {
        if !self.fill()? {
            return Ok(0);
        }
        let bytes = most.min(self.end - self.start);
        if body.capacity() - body.len() < bytes {
            let wanted = (body.capacity() * 2).max(body.len() + bytes);
            meter::reserve(wanted).map_err(|_| Fault::Broken(ErrorKind::OutOfMemory))?;
            body.reserve_exact(wanted - body.len());
        }
        body.extend_from_slice(&self.piece[self.start..self.start + bytes]);
        self.start += bytes;
        Ok(bytes)
    }

    /// Adds exactly `length` bytes to `body`.
    fn exactly(&mut self, body: &mut Vec<u8>, length: usize) -> Result<(), Fault> {
        let mut left = length;
        while left > 0 {
            match self.take(body, left)? {
                0 => return Err(Fault::Truncated),
                bytes => left -= bytes,
            }
        }
        Ok(())
    }

    fn sized(&mut self, length: usize, most: usize) -> Result<Vec<u8>, Fault> {
        let mut body = Vec::new();
        self.exactly(&mut body, length.min(most))?;
        Ok(body)
    }

    fn until_end(&mut self, most: usize) -> Result<Vec<u8>, Fault> {
        let mut body = Vec::new();
        // One byte more than is wanted tells that there is more.
        let mut left = most + 1;
        while left > 0 {
            match self.take(&mut body, left)? {
                0 => return Ok(body),
                bytes => left -= bytes,
            }
        }
        Err(Fault::TooLarge(most))
    }

    /// Source: RFC 9112, section 7.1. Extensions and trailers are passed over.
    fn chunked(&mut self, most: usize) -> Result<Vec<u8>, Fault> {
        let malformed = || Fault::Malformed("the size of a chunk is no number");
        let mut body = Vec::new();
        let mut line = Vec::new();
        loop {
            line.clear();
            self.line(&mut line, MAX_SIZE_LINE, malformed())?;
            let size = line.split(|byte| *byte == b';').next().unwrap_or_default();
            let size = std::str::from_utf8(size.trim_ascii()).map_err(|_| malformed())?;
            let is_hex = !size.is_empty() && size.bytes().all(|byte| byte.is_ascii_hexdigit());
            let size = if is_hex { usize::from_str_radix(size, 16).ok() } else { None };
            let size = size.ok_or_else(malformed)?;
            if size == 0 {
                break;
            }
            if size > most - body.len() {
                return Err(Fault::TooLarge(most));
            }
            self.exactly(&mut body, size)?;
            line.clear();
            self.line(&mut line, 2, malformed())?;
            if !line.trim_ascii().is_empty() {
                return Err(malformed());
            }
        }
        let mut left = MAX_HEAD;
        loop {
            line.clear();
            self.line(&mut line, left, Fault::Headers)?;
            left -= line.len();
            if line.trim_ascii().is_empty() {
                return Ok(body);
            }
        }
    }
}

fn parse(head: &[u8]) -> Result<(u16, Vec<(String, String)>), Fault> {
    let mut room = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut room);
    match response.parse(head) {
        Ok(httparse::Status::Complete(_)) => (),
        Ok(httparse::Status::Partial) => return Err(Fault::Malformed("its head has no end")),
        Err(httparse::Error::TooManyHeaders) => return Err(Fault::Headers),
        Err(_) => return Err(Fault::Malformed("its head cannot be read")),
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = response.headers.iter().map(|one| (one.name.to_owned(), text(one.value)));
    Ok((response.code.unwrap_or_default(), headers.collect()))
}
