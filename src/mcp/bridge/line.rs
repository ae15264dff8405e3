//! Lines of bounded length, put together from the pieces that a server writes.

/// Bytes that are kept of each end of a line that is too long.
const ENDS: usize = 256;

/// A line, or what is left of one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Whole(Vec<u8>),
    /// It had more bytes than one may have; these are its ends.
    TooLong {
        head: Vec<u8>,
        tail: Vec<u8>,
    },
}

/// Lines that are put together.
pub(super) struct Lines {
    most: usize,
    kept: Vec<u8>,
    /// The last bytes of a line that is too long; of any other there are none.
    tail: Option<Vec<u8>>,
    /// Whether lines without anything in them are given on.
    keeps_empty: bool,
}

impl Lines {
    /// Lines of at most `most` bytes.
    pub fn new(most: usize) -> Self {
        Self { most: most.max(ENDS), kept: Vec::new(), tail: None, keeps_empty: false }
    }

    /// The same, with those that have nothing in them.
    pub fn keeping_empty(most: usize) -> Self {
        Self { keeps_empty: true, ..Self::new(most) }
    }

    /// Takes the next piece, and gives each line that ends in it to `take`.
    pub fn feed(&mut self, mut piece: &[u8], mut take: impl FnMut(Line)) {
        while let Some(end) = piece.iter().position(|byte| *byte == b'\n') {
            self.add(&piece[..end]);
            piece = &piece[end + 1..];
            let line = std::mem::take(&mut self.kept);
            match self.tail.take() {
                Some(tail) => take(Line::TooLong { head: line, tail }),
                None if !self.keeps_empty && line.trim_ascii().is_empty() => (),
                None => take(Line::Whole(line)),
            }
        }
        self.add(piece);
    }

    fn add(&mut self, part: &[u8]) {
        if self.tail.is_none() && self.kept.len() + part.len() <= self.most {
            self.kept.extend_from_slice(part);
            return;
        }
        let is_new = self.tail.is_none();
        let tail = self.tail.get_or_insert_default();
        if is_new {
            tail.extend_from_slice(&self.kept[self.kept.len().saturating_sub(ENDS)..]);
            let room = ENDS.saturating_sub(self.kept.len()).min(part.len());
            self.kept.extend_from_slice(&part[..room]);
            self.kept.truncate(ENDS);
            self.kept.shrink_to_fit();
        }
        tail.extend_from_slice(&part[part.len().saturating_sub(ENDS)..]);
        let above = tail.len().saturating_sub(ENDS);
        tail.drain(..above);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(most: usize, pieces: &[&[u8]]) -> Vec<Line> {
        let mut lines = Lines::new(most);
        let mut taken = Vec::new();
        pieces.iter().for_each(|piece| lines.feed(piece, |line| taken.push(line)));
        assert!(lines.kept.len() <= lines.most && lines.kept.capacity() <= 2 * lines.most + ENDS);
        taken
    }

    #[test]
    fn a_line_that_is_too_long_keeps_its_ends_and_the_next_is_whole() {
        let long = [b"head".as_slice(), &vec![b'x'; 5_000], b"tail"].concat();
        let taken = lines(1_000, &[&long[..700], &long[700..], b"\n\r\nnext\n"]);
        let [Line::TooLong { head, tail }, Line::Whole(next)] = taken.as_slice() else {
            panic!("{taken:?}")
        };
        assert!(head.starts_with(b"headx") && head.len() == ENDS);
        assert!(tail.ends_with(b"xtail") && tail.len() == ENDS);
        assert_eq!(next, b"next");
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(text in "[a\n]{0,900}", cuts in prop::collection::vec(0..900_usize, 0..6)) {
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|pair| &text.as_bytes()[pair[0]..pair[1]]).collect();
            prop_assert_eq!(lines(300, &pieces), lines(300, &[text.as_bytes()]));
        }
    }
}
