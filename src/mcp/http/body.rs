//! Bodies: what clients send, bounded in size and in time, and what they get, whole or bit by bit.

use crate::mcp::channel::Channel;
use crate::mcp::message::{MOST_BYTES, Reply};
use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, interval_at, timeout};

/// How long a client may take for all of a body.
const MOST_TIME: Duration = Duration::from_secs(60);
/// How often a stream says that it is still there, so that one whose client is gone is found out.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Notifications that may wait for a client that only listens; more are left out, for they all say the
/// same.
const MOST_TOLD: usize = 64;

/// Why a body is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyError {
    TooLarge,
    TooSlow,
    /// The client is gone, or did not keep to HTTP.
    Broken,
}

/// All of a body.
pub(super) async fn read(body: Incoming) -> Result<Bytes, BodyError> {
    let most = MOST_BYTES as u64;
    if body.size_hint().lower() > most {
        return Err(BodyError::TooLarge);
    }
    timeout(MOST_TIME, read_all(body)).await.unwrap_or(Err(BodyError::TooSlow))
}

async fn read_all(mut body: Incoming) -> Result<Bytes, BodyError> {
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    loop {
        let frame = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        let data = match frame {
            None if all.is_empty() => return Ok(first),
            None => return Ok(all.freeze()),
            Some(Err(_)) => return Err(BodyError::Broken),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => data,
                Err(_) => continue,
            },
        };
        if first.len() + all.len() + data.len() > MOST_BYTES {
            return Err(BodyError::TooLarge);
        }
        // Most bodies come in one piece, which need not be copied.
        if first.is_empty() && all.is_empty() {
            first = data;
            continue;
        }
        if all.is_empty() {
            all.extend_from_slice(&std::mem::take(&mut first));
        }
        all.extend_from_slice(&data);
    }
}

/// What is said to a client on the way of one request.
pub(super) enum Said {
    Told(String),
    Ended(Option<Reply>),
}

/// The way back for a request: everything is kept for it. What one call tells is bounded.
pub(super) struct Exchange(pub mpsc::UnboundedSender<Said>);

impl Channel for Exchange {
    fn tell(&self, text: String) {
        // Who is gone hears nothing.
        let _ = self.0.send(Said::Told(text));
    }

    fn end(&self, reply: Option<Reply>) {
        let _ = self.0.send(Said::Ended(reply));
    }
}

/// The way to a client that only listens.
pub(super) struct Listener(mpsc::Sender<Said>);

impl Listener {
    pub fn new() -> (Self, mpsc::Receiver<Said>) {
        let (sender, receiver) = mpsc::channel(MOST_TOLD);
        (Self(sender), receiver)
    }
}

impl Channel for Listener {
    fn tell(&self, text: String) {
        let _ = self.0.try_send(Said::Told(text));
    }

    fn end(&self, reply: Option<Reply>) {
        let _ = self.0.try_send(Said::Ended(reply));
    }
}

/// What comes of a request while it is answered.
pub(super) enum Source {
    Request(mpsc::UnboundedReceiver<Said>),
    Listening(mpsc::Receiver<Said>),
}

impl Source {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Said>> {
        match self {
            Self::Request(receiver) => receiver.poll_recv(context),
            Self::Listening(receiver) => receiver.poll_recv(context),
        }
    }
}

/// Told when the client leaves before it has the answer.
pub(super) type Left = Box<dyn FnOnce() + Send + Sync>;

/// What a client gets.
pub(super) enum Answer {
    Whole(Bytes),
    Stream(Box<Stream>),
}

/// Events, until the answer.
pub(super) struct Stream {
    first: Option<Said>,
    source: Option<Source>,
    keep_alive: Interval,
    left: Option<Left>,
}

impl Answer {
    pub fn whole(text: impl Into<Bytes>) -> Self {
        Self::Whole(text.into())
    }

    /// What is said from now on, as events; `first` was said already.
    pub fn stream(first: Option<Said>, source: Source, left: Option<Left>) -> Self {
        let begin = tokio::time::Instant::now() + KEEP_ALIVE;
        let mut keep_alive = interval_at(begin, KEEP_ALIVE);
        keep_alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self::Stream(Box::new(Stream { first, source: Some(source), keep_alive, left }))
    }
}

impl Stream {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Some(source) = &mut self.source else { return Poll::Ready(None) };
        let said = match self.first.take() {
            Some(first) => Poll::Ready(Some(first)),
            None => source.poll(context),
        };
        match said {
            Poll::Ready(Some(Said::Told(text))) => Poll::Ready(Some(event(&text))),
            Poll::Ready(Some(Said::Ended(reply))) => {
                (self.source, self.left) = (None, None);
                Poll::Ready(reply.map(|reply| event(&reply.text)))
            }
            Poll::Ready(None) => {
                (self.source, self.left) = (None, None);
                Poll::Ready(None)
            }
            Poll::Pending => {
                self.keep_alive.poll_tick(context).map(|_| Some(Bytes::from_static(b":\n\n")))
            }
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(left) = self.left.take() {
            left();
        }
    }
}

/// A message as an event. JSON is one line.
fn event(text: &str) -> Bytes {
    let mut event = String::with_capacity(text.len() + 32);
    event.push_str("event: message\ndata: ");
    event.push_str(text);
    event.push_str("\n\n");
    event.into()
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(std::mem::take(bytes))),
            Self::Stream(stream) => stream.poll(context),
        };
        bytes.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}
