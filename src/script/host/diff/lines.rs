//! The shortest way from one list of lines to another, as far as that is worth its price.
//!
//! Source: E. Myers, "An O(ND) Difference Algorithm and Its Variations" (1986), its greedy form.
//! Where two texts have more than [`MAX_CHANGES`] lines of difference, they are cut first at the
//! lines that stand once in both, in one order (the patience diff of B. Cohen), and what lies
//! between two of those is compared for itself.

use crate::script::host::text::work::{Pace, WINDOW};
use crate::script::meter;
use crate::script::native::compare::Outcome;
use std::collections::HashMap;
use std::ops::Range;

/// The longest way that is looked for, in lines added and removed.
const MAX_CHANGES: usize = 512;

/// Lines of one text that stand in place of lines of the other; one of both may be none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub before: Range<usize>,
    pub after: Range<usize>,
}

/// Two texts as lines, each with its end, and as numbers that are equal where lines are.
pub(super) struct Lines<'t> {
    pub before: Vec<&'t str>,
    pub after: Vec<&'t str>,
    old: Vec<u32>,
    new: Vec<u32>,
}

impl<'t> Lines<'t> {
    pub(super) fn of(before: &'t str, after: &'t str) -> Outcome<Self> {
        let mut pace = Pace::default();
        let before = split(&mut pace, before)?;
        let after = split(&mut pace, after)?;
        let count = before.len() + after.len();
        // Of the table, for each line: an entry and room to grow.
        meter::reserve(count.saturating_mul(4 + 2 * size_of::<(&str, u32)>()))?;
        let mut numbers = HashMap::new();
        let mut number = |line: &&'t str| -> Outcome<u32> {
            pace.touch(line.len() + 64)?;
            let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
            Ok(*numbers.entry(*line).or_insert(next))
        };
        let old = before.iter().map(&mut number).collect::<Outcome<_>>()?;
        let new = after.iter().map(&mut number).collect::<Outcome<_>>()?;
        Ok(Self { before, after, old, new })
    }

    /// What changed, in order and not touching each other.
    pub(super) fn changes(&self) -> Outcome<Vec<Change>> {
        let mut search = Search { lines: self, pace: Pace::default(), changes: Vec::new() };
        let (old, new) = search.trimmed(0..self.old.len(), 0..self.new.len())?;
        if !search.compare(old.clone(), new.clone())? {
            search.compare_between_anchors(old, new)?;
        }
        Ok(search.changes)
    }
}

fn split<'t>(pace: &mut Pace, text: &'t str) -> Outcome<Vec<&'t str>> {
    let mut count = 0;
    for window in text.as_bytes().chunks(WINDOW) {
        pace.touch(window.len())?;
        count += window.iter().filter(|&&byte| byte == b'\n').count();
    }
    meter::reserve((count + 1).saturating_mul(2 * size_of::<&str>()))?;
    let mut lines = Vec::with_capacity(count + 1);
    for line in text.split_inclusive('\n') {
        pace.touch(line.len())?;
        lines.push(line);
    }
    Ok(lines)
}

struct Search<'l, 't> {
    lines: &'l Lines<'t>,
    pace: Pace,
    changes: Vec<Change>,
}

impl Search<'_, '_> {
    /// The ranges without what is the same at their starts and at their ends.
    fn trimmed(
        &mut self,
        mut old: Range<usize>,
        mut new: Range<usize>,
    ) -> Outcome<(Range<usize>, Range<usize>)> {
        let (a, b) = (&self.lines.old, &self.lines.new);
        while !old.is_empty() && !new.is_empty() && a[old.start] == b[new.start] {
            (old.start, new.start) = (old.start + 1, new.start + 1);
            self.pace.pay(u64::from(old.start.is_multiple_of(16)))?;
        }
        while !old.is_empty() && !new.is_empty() && a[old.end - 1] == b[new.end - 1] {
            (old.end, new.end) = (old.end - 1, new.end - 1);
            self.pace.pay(u64::from(old.end.is_multiple_of(16)))?;
        }
        Ok((old, new))
    }

    /// Adds a change, to the one before where they touch.
    fn add(&mut self, before: Range<usize>, after: Range<usize>) -> Outcome<()> {
        if before.is_empty() && after.is_empty() {
            return Ok(());
        }
        match self.changes.last_mut() {
            Some(last) if last.before.end == before.start && last.after.end == after.start => {
                (last.before.end, last.after.end) = (before.end, after.end);
            }
            _ => {
                if self.changes.len() == self.changes.capacity() {
                    meter::reserve(
                        self.changes.len().max(4).saturating_mul(2 * size_of::<Change>()),
                    )?;
                }
                self.changes.push(Change { before, after });
            }
        }
        self.pace.pay(1)
    }

    /// Adds the changes between two ranges; `false`, and none, where there are too many.
    fn compare(&mut self, old: Range<usize>, new: Range<usize>) -> Outcome<bool> {
        let (a, b) = (&self.lines.old[old.clone()], &self.lines.new[new.clone()]);
        if a.is_empty() || b.is_empty() {
            self.add(old, new)?;
            return Ok(true);
        }
        // `reached[k]` is how far the old lines are used up on the diagonal k, which lies
        // `k - middle` lines ahead of the new ones.
        let most = MAX_CHANGES.min(a.len() + b.len());
        let middle = most + 1;
        let mut reached = vec![0_usize; 2 * middle + 1];
        let mut trace: Vec<Vec<u32>> = Vec::new();
        let mut is_found = false;
        'ways: for length in 0..=most {
            // A way is kept as far as it reached before each step.
            let kept = &reached[middle - length..=middle + length];
            meter::reserve(kept.len() * 4)?;
            trace.push(kept.iter().map(|&at| u32::try_from(at).unwrap_or(u32::MAX)).collect());
            for step in (0..=2 * length).step_by(2) {
                let k = middle - length + step;
                let is_down = step == 0 || step < 2 * length && reached[k - 1] < reached[k + 1];
                let mut x = if is_down { reached[k + 1] } else { reached[k - 1] + 1 };
                // A diagonal that begins beyond the first line is reached where it begins.
                let mut y = (x + middle).saturating_sub(k);
                let start = x;
                while x < a.len() && y < b.len() && a[x] == b[y] {
                    (x, y) = (x + 1, y + 1);
                }
                reached[k] = x;
                self.pace.pay((x - start) as u64 / 16 + u64::from(step.is_multiple_of(8)))?;
                if x == a.len() && y == b.len() {
                    is_found = true;
                    break 'ways;
                }
            }
        }
        if is_found {
            self.follow(&trace, old, new)?;
        }
        Ok(is_found)
    }

    /// Adds the changes of the way that was found, which is followed from its end.
    fn follow(&mut self, trace: &[Vec<u32>], old: Range<usize>, new: Range<usize>) -> Outcome<()> {
        let (mut x, mut y) = (old.len(), new.len());
        let mut steps = Vec::with_capacity(trace.len());
        for (length, reached) in trace.iter().enumerate().skip(1).rev() {
            // The diagonal `length` of `reached` is the middle one.
            let at = |k: usize| reached.get(k).map_or(0, |&at| at as usize);
            let k = (x + length).saturating_sub(y);
            let is_down = k == 0 || k < 2 * length && at(k - 1) < at(k + 1);
            let before = if is_down { at(k + 1) } else { at(k - 1) };
            let from = if is_down { k + 1 } else { k - 1 };
            let y_before = (before + length).saturating_sub(from);
            steps.push((is_down, before, y_before));
            (x, y) = (before, y_before);
        }
        for (is_down, x, y) in steps.into_iter().rev() {
            let (x, y) = (old.start + x, new.start + y);
            if is_down {
                self.add(x..x, y..y + 1)?;
            } else {
                self.add(x..x + 1, y..y)?;
            }
        }
        Ok(())
    }

    /// Compares what lies between the lines that stand once in both texts, in one order.
    fn compare_between_anchors(&mut self, old: Range<usize>, new: Range<usize>) -> Outcome<()> {
        let anchors = self.anchors(&old, &new)?;
        let (mut x, mut y) = (old.start, new.start);
        for (next_x, next_y) in anchors.into_iter().chain([(old.end, new.end)]) {
            // An anchor that was passed by what is the same around another.
            if next_x < x || next_y < y {
                continue;
            }
            let (old, new) = self.trimmed(x..next_x, y..next_y)?;
            if !self.compare(old.clone(), new.clone())? {
                self.add(old, new)?;
            }
            (x, y) = (next_x + 1, next_y + 1);
        }
        Ok(())
    }

    /// The longest list of pairs of unique lines that goes up in both texts.
    fn anchors(&mut self, old: &Range<usize>, new: &Range<usize>) -> Outcome<Vec<(usize, usize)>> {
        const MANY: u32 = u32::MAX;
        let count = self.lines.old.len() + self.lines.new.len();
        meter::reserve(count.saturating_mul(32))?;
        meter::charge_bytes(count.saturating_mul(32))?;
        // For each line, how often and where it stands in each text.
        let mut places = vec![[0_u32; 2]; count];
        for (text, range) in
            [(&self.lines.old, old), (&self.lines.new, new)].into_iter().enumerate()
        {
            for at in range.1.clone() {
                self.pace.pay(u64::from(at.is_multiple_of(8)))?;
                let place = &mut places[range.0[at] as usize][text];
                let number = u32::try_from(at).unwrap_or(MANY - 2) + 1;
                *place = if *place == 0 { number } else { MANY };
            }
        }
        let is_unique = |place: u32| place != 0 && place != MANY;
        // Patience: each pile's top is the end of the best list of its length so far.
        let mut pairs: Vec<(usize, usize, Option<usize>)> = Vec::new();
        let mut piles: Vec<usize> = Vec::new();
        for at in old.clone() {
            let [x, y] = places[self.lines.old[at] as usize];
            if !is_unique(x) || !is_unique(y) {
                continue;
            }
            self.pace.pay(2)?;
            let (x, y) = (x as usize - 1, y as usize - 1);
            let pile = piles.partition_point(|&top| pairs[top].1 < y);
            let below = pile.checked_sub(1).map(|below| piles[below]);
            pairs.push((x, y, below));
            if pile == piles.len() {
                piles.push(pairs.len() - 1);
            } else {
                piles[pile] = pairs.len() - 1;
            }
        }
        let (mut anchors, mut next) = (Vec::with_capacity(piles.len()), piles.last().copied());
        while let Some(at) = next {
            let (x, y, below) = pairs[at];
            anchors.push((x, y));
            next = below;
        }
        anchors.reverse();
        Ok(anchors)
    }
}
