//! Lines of bounded length, from a stream that need not even be text.

use super::message::MOST_BYTES;
use std::io::{self, BufRead};

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line, without its break.
    Whole,
    /// A line above the bound, which was skipped to its end.
    TooLong,
    /// The end of input.
    End,
}

/// Most bytes of room that are kept from one line to the next.
const MOST_KEPT: usize = 64 << 10;

/// Reads up to a line break or the end of input.
///
/// # Errors
///
/// Input cannot be read.
pub(super) fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Line> {
    if line.capacity() > MOST_KEPT {
        *line = Vec::new();
    }
    line.clear();
    let mut is_too_long = false;
    loop {
        let available = match input.fill_buf() {
            Err(reason) if reason.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        if available.is_empty() {
            return Ok(match (is_too_long, line.is_empty()) {
                (true, _) => Line::TooLong,
                (false, true) => Line::End,
                (false, false) => Line::Whole,
            });
        }
        let end = end_of_line(available);
        let part = &available[..end.unwrap_or(available.len())];
        if is_too_long || line.len() + part.len() > MOST_BYTES {
            is_too_long = true;
            *line = Vec::new();
        } else {
            line.extend_from_slice(part);
        }
        let used = part.len() + usize::from(end.is_some());
        input.consume(used);
        if end.is_some() {
            return Ok(if is_too_long { Line::TooLong } else { Line::Whole });
        }
    }
}

fn end_of_line(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_is_skipped_whole() {
        let mut text = vec![b'x'; MOST_BYTES + 10];
        text.extend_from_slice(b"\nnext\n\nlast");
        let (mut input, mut line) = (io::BufReader::new(text.as_slice()), Vec::new());
        assert_eq!(read_line(&mut input, &mut line).ok(), Some(Line::TooLong));
        for next in [&b"next"[..], b"", b"last"] {
            assert_eq!(read_line(&mut input, &mut line).ok(), Some(Line::Whole));
            assert_eq!(line, next);
        }
        assert_eq!(read_line(&mut input, &mut line).ok(), Some(Line::End));
    }
}
