//! How far long work is, on one line of standard error that goes when the work is done.
//!
//! Nothing is shown where standard error is no terminal, nor of work that is done at once.

use super::output::Output;
use anstream::AutoStream;
use std::io::{IsTerminal, Stderr, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// Work that takes less is not told.
const PATIENCE: Duration = Duration::from_millis(300);
/// How often the line is written.
const STEP: Duration = Duration::from_millis(100);

/// Work under way.
pub(super) struct Watched {
    word: &'static str,
    /// What the work has in all, where that is known.
    total: Option<u64>,
    stream: Option<AutoStream<Stderr>>,
    next: Instant,
    is_shown: bool,
}

impl Watched {
    /// Work over the bytes of a session's log.
    pub fn bytes(word: &'static str, folder: &Path, output: &Output) -> Self {
        let total = crate::pod::session::size(folder).ok().map(|size| size.log.max(1));
        let is_watched = std::io::stderr().is_terminal();
        Self::new(word, total, is_watched.then(|| output.stderr()))
    }

    /// Work over so many lines, while results are printed; where those go to the terminal they are
    /// progress enough.
    pub fn lines(word: &'static str, output: &Output) -> Self {
        let is_watched = std::io::stderr().is_terminal() && !std::io::stdout().is_terminal();
        Self::new(word, None, is_watched.then(|| output.stderr()))
    }

    fn new(word: &'static str, total: Option<u64>, stream: Option<AutoStream<Stderr>>) -> Self {
        Self { word, total, stream, next: Instant::now() + PATIENCE, is_shown: false }
    }

    /// So much is done.
    pub fn tell(&mut self, done: u64) {
        let Some(stream) = &mut self.stream else { return };
        if Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + STEP;
        self.is_shown = true;
        // There is nowhere left to report that standard error is gone.
        let _ = match self.total {
            Some(total) => write!(stream, "\r{} {} %", self.word, (done * 100 / total).min(100)),
            None => write!(stream, "\r{} {done} lines", self.word),
        };
        let _ = stream.flush();
    }

    /// The work is done.
    pub fn end(mut self) {
        if let Some(stream) = self.stream.as_mut().filter(|_| self.is_shown) {
            let _ = write!(stream, "\r\x1b[K");
            let _ = stream.flush();
        }
    }
}
