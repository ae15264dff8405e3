//! Lines to the client over standard output, whole and in order.
//!
//! Whoever brings a line while nobody writes becomes the writer, until nothing waits; others leave their
//! lines with it. So an answer is written by the thread that made it, and many at once go out together.
//! What a script tells is left to a thread of its own, for a script never waits for a client.

use super::channel::Channel;
use super::message::Reply;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes that may wait for a client that reads slowly, before those that answer wait as well.
const MOST_WAITING: usize = 1 << 20;

/// Standard output, shared by all threads.
pub(super) struct Output {
    state: Mutex<State>,
    /// Lines were left for the thread that writes.
    left: Condvar,
    /// Lines were written, for those that wait for it.
    written: Condvar,
    file: Mutex<Box<dyn Write + Send>>,
    /// Called once, when the client is gone.
    gone: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    is_writing: bool,
    /// How many wait until lines are written.
    blocked: usize,
    /// Whether a line ever reached the client.
    has_written: bool,
    is_gone: bool,
    is_closed: bool,
}

impl Output {
    /// Takes over `file`.
    ///
    /// # Errors
    ///
    /// No thread can be started.
    pub fn start(
        file: impl Write + Send + 'static,
        gone: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Arc<Self>> {
        let output = Arc::new(Self {
            state: Mutex::default(),
            left: Condvar::new(),
            written: Condvar::new(),
            file: Mutex::new(Box::new(file)),
            gone: Box::new(gone),
        });
        let writer = Arc::clone(&output);
        let work = move || writer.write_what_is_left();
        thread::Builder::new()
            .name("peasy-mcp-write".to_owned())
            .stack_size(256 << 10)
            .spawn(work)?;
        Ok(output)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a line, or leaves it to whoever writes.
    pub fn send(&self, line: &str) {
        let mut state = self.state();
        while state.is_writing && state.waiting.len() > MOST_WAITING && !state.is_gone {
            state.blocked += 1;
            state = self.written.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.blocked -= 1;
        }
        if state.add(line) && !state.is_writing {
            self.write(state);
        }
    }

    /// Leaves a line to the thread that writes.
    pub fn send_later(&self, line: &str) {
        let mut state = self.state();
        if state.add(line) && !state.is_writing {
            drop(state);
            self.left.notify_one();
        }
    }

    /// Writes until nothing waits.
    fn write<'a>(&'a self, mut state: MutexGuard<'a, State>) {
        state.is_writing = true;
        let mut lines = Vec::new();
        while !state.waiting.is_empty() {
            std::mem::swap(&mut lines, &mut state.waiting);
            drop(state);
            let written = {
                let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
                file.write_all(&lines).and_then(|()| file.flush())
            };
            lines.clear();
            state = self.state();
            match written {
                Ok(()) => state.has_written = true,
                Err(reason) => {
                    tracing::info!(%reason, "standard output cannot be written");
                    let is_news = !std::mem::replace(&mut state.is_gone, true);
                    state.waiting.clear();
                    if is_news {
                        drop(state);
                        (self.gone)();
                        state = self.state();
                    }
                }
            }
            if state.waiting.is_empty() {
                state.is_writing = false;
            }
            if state.blocked > 0 {
                self.written.notify_all();
            }
        }
    }

    fn write_what_is_left(&self) {
        let mut state = self.state();
        loop {
            if !state.waiting.is_empty() && !state.is_writing {
                self.write(state);
                state = self.state();
            } else if state.is_closed {
                return;
            } else {
                state = self.left.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Waits until the client has everything, `most` at the longest, and ends the thread that writes.
    pub fn close(&self, most: Duration) {
        let deadline = Instant::now() + most;
        let mut state = self.state();
        while state.is_writing || !state.waiting.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state.blocked += 1;
            let waited = self.written.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.blocked -= 1;
        }
        state.is_closed = true;
        drop(state);
        self.left.notify_one();
    }

    /// Whether the client is gone, and never had a line.
    pub fn reached_nobody(&self) -> bool {
        let state = self.state();
        state.is_gone && !state.has_written
    }
}

impl State {
    /// Whether there is somebody to write it for.
    fn add(&mut self, line: &str) -> bool {
        if self.is_gone {
            return false;
        }
        self.waiting.extend_from_slice(line.as_bytes());
        self.waiting.push(b'\n');
        true
    }
}

impl Channel for Output {
    fn tell(&self, text: String) {
        self.send_later(&text);
    }

    fn end(&self, reply: Option<Reply>) {
        if let Some(reply) = reply {
            self.send(&reply.text);
        }
    }
}
