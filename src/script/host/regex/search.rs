//! One search through one text: a lazy automaton finds where a match ends, another where it begins,
//! and the machine tells the groups, or all of it where the automata do not know the way.

use super::machine::Machine;
use super::program::{Lazy, Lease, Program, lease};
use crate::script::host::text::work::Pace;
use crate::script::meter;
use crate::script::native::compare::Outcome;
use regex_automata::hybrid::LazyStateID;
use regex_automata::util::primitives::PatternID;
use regex_automata::{Anchored, Input};
use std::ops::Range;

/// Bytes read between two payments.
const BLOCK: usize = 256;

/// Where a match stands, in bytes.
pub(super) type Place = Range<usize>;

/// What an automaton found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    At(usize),
    /// It met what it cannot decide: the edge of a word beside a letter that is not ASCII.
    Lost,
}

impl Found {
    fn of(place: Option<usize>) -> Self {
        place.map_or(Self::Nothing, Self::At)
    }
}

/// How far an automaton looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Until nothing longer can match.
    Whole,
    /// Until something matches.
    First,
}

pub(super) struct Search<'t> {
    program: Lease,
    text: &'t str,
    pace: Pace,
    /// Tells matches without groups.
    plain: Option<Machine>,
    /// Tells groups.
    grouping: Option<Machine>,
    /// Whether the automata are of no use for this text.
    is_lost: bool,
    /// Where the next search begins, and where the last match ended.
    at: usize,
    last_end: Option<usize>,
}

impl<'t> Search<'t> {
    pub(super) fn new(function: &str, pattern: &str, text: &'t str) -> Outcome<Self> {
        let program = lease(function, pattern)?;
        let is_lost = program.lazy.is_none();
        Ok(Self {
            program,
            text,
            pace: Pace::default(),
            plain: None,
            grouping: None,
            is_lost,
            at: 0,
            last_end: None,
        })
    }

    /// The same search by the machine alone.
    #[cfg(test)]
    pub(super) fn by_machine(mut self) -> Self {
        self.is_lost = true;
        self
    }

    pub(super) fn text(&self) -> &'t str {
        self.text
    }

    /// The name of each group, from that of the whole match on, which has none.
    pub(super) fn names(&self) -> impl Iterator<Item = Option<&str>> {
        self.program.nfa.group_info().pattern_names(PatternID::ZERO)
    }

    pub(super) fn is_match(&mut self) -> Outcome<bool> {
        if let (false, Program { lazy: Some((forward, _)), .. }) =
            (self.is_lost, &mut *self.program)
        {
            match end(forward, &mut self.pace, self.text.as_bytes(), 0, Reach::First)? {
                Found::Nothing => return Ok(false),
                // An empty match may stand inside of a character, where there is none.
                Found::At(at) if self.text.is_char_boundary(at) => return Ok(true),
                Found::At(_) => (),
                Found::Lost => self.is_lost = true,
            }
        }
        Ok(self.next()?.is_some())
    }

    /// The next match, which does not overlap those before.
    pub(super) fn next(&mut self) -> Outcome<Option<Place>> {
        while self.at <= self.text.len() {
            let Some(place) = self.first_from(self.at)? else {
                self.at = self.text.len() + 1;
                break;
            };
            let is_split = !self.text.is_char_boundary(place.end);
            if place.is_empty() && (is_split || self.last_end == Some(place.end)) {
                let mut at = if is_split { place.end } else { self.at } + 1;
                while !self.text.is_char_boundary(at) && at < self.text.len() {
                    at += 1;
                }
                self.at = at;
                continue;
            }
            self.at = place.end;
            self.last_end = Some(place.end);
            return Ok(Some(place));
        }
        Ok(None)
    }

    fn first_from(&mut self, from: usize) -> Outcome<Option<Place>> {
        let text = self.text.as_bytes();
        let Self { program, pace, .. } = self;
        if let (false, Some((forward, back))) = (self.is_lost, &mut program.lazy) {
            match end(forward, pace, text, from, Reach::Whole)? {
                Found::Nothing => return Ok(None),
                Found::At(end) => {
                    if let Found::At(start) = start(back, pace, text, from..end)? {
                        return Ok(Some(start..end));
                    }
                }
                Found::Lost => (),
            }
            self.is_lost = true;
        }
        let machine = match &mut self.plain {
            Some(machine) => machine,
            none => none.insert(Machine::new(&self.program.nfa, 2)?),
        };
        let span = from..text.len();
        let is_found = machine.run(&mut self.pace, &self.program.nfa, text, span, false)?;
        Ok(if is_found { machine.group(0) } else { None })
    }

    /// The groups of a match, from the whole of it on.
    pub(super) fn groups(&mut self, place: &Place) -> Outcome<Vec<Option<Place>>> {
        let count = self.program.nfa.group_info().all_group_len();
        if count == 1 {
            return Ok(vec![Some(place.clone())]);
        }
        let machine = match &mut self.grouping {
            Some(machine) => machine,
            none => none.insert(Machine::new(&self.program.nfa, 2 * count)?),
        };
        let text = self.text.as_bytes();
        machine.run(&mut self.pace, &self.program.nfa, text, place.clone(), true)?;
        self.pace.pay(count as u64)?;
        Ok((0..count).map(|group| machine.group(group)).collect())
    }
}

impl Lazy {
    /// Runs `act`, which may make new states, and pays for them and for the bytes it reads. What is
    /// made stays with the pattern.
    fn run<T>(
        &mut self,
        pace: &mut Pace,
        bytes: usize,
        act: impl FnOnce(&mut Self) -> T,
    ) -> Outcome<T> {
        let before = (self.cache.memory_usage(), self.cache.clear_count());
        let result = meter::handing_out(|| act(self));
        let after = (self.cache.memory_usage(), self.cache.clear_count());
        pace.touch(bytes)?;
        if before != after {
            // A new state looks at no more than all states of the pattern.
            let grown = after.0.saturating_sub(before.0) as u64;
            let states = self.dfa.get_nfa().states().len() as u64;
            pace.pay(grown / 32 + states / 16 + 1)?;
            if before.1 != after.1 {
                pace.pay(bytes as u64 * states / 64)?;
            }
        }
        Ok(result)
    }
}

/// Where a walk over a block of bytes led.
enum Walk {
    On(LazyStateID),
    Over,
    Lost,
}

/// Where the first match that begins at `from` or behind it ends.
fn end(lazy: &mut Lazy, pace: &mut Pace, text: &[u8], from: usize, reach: Reach) -> Outcome<Found> {
    let input = Input::new(text).range(from..).anchored(Anchored::No);
    let begin = |lazy: &mut Lazy| lazy.dfa.start_state_forward(&mut lazy.cache, &input).ok();
    let Some(mut state) = lazy.run(pace, 0, begin)? else { return Ok(Found::Lost) };
    let (mut at, mut last) = (from, None);
    while at < text.len() {
        let stop = text.len().min(at + BLOCK);
        let block = |lazy: &mut Lazy| {
            walk(lazy, state, (at..stop).map(|at| (at, text[at])), &mut last, reach)
        };
        match lazy.run(pace, stop - at, block)? {
            Walk::On(reached) => state = reached,
            Walk::Over => return Ok(Found::of(last)),
            Walk::Lost => return Ok(Found::Lost),
        }
        at = stop;
    }
    let finish = |lazy: &mut Lazy| lazy.dfa.next_eoi_state(&mut lazy.cache, state).ok();
    match lazy.run(pace, 0, finish)? {
        Some(state) if state.is_match() => Ok(Found::At(text.len())),
        Some(state) if !state.is_quit() => Ok(Found::of(last)),
        _ => Ok(Found::Lost),
    }
}

/// Where the match that ends with `span`, and begins in it, begins.
fn start(lazy: &mut Lazy, pace: &mut Pace, text: &[u8], span: Range<usize>) -> Outcome<Found> {
    let input = Input::new(text).range(span.clone()).anchored(Anchored::Yes);
    let begin = |lazy: &mut Lazy| lazy.dfa.start_state_reverse(&mut lazy.cache, &input).ok();
    let Some(mut state) = lazy.run(pace, 0, begin)? else { return Ok(Found::Lost) };
    let (mut at, mut last) = (span.end, None);
    while at > span.start {
        let stop = span.start.max(at.saturating_sub(BLOCK));
        let block = |lazy: &mut Lazy| {
            let bytes = (stop..at).rev().map(|at| (at + 1, text[at]));
            walk(lazy, state, bytes, &mut last, Reach::Whole)
        };
        match lazy.run(pace, at - stop, block)? {
            Walk::On(reached) => state = reached,
            Walk::Over => return Ok(Found::of(last)),
            Walk::Lost => return Ok(Found::Lost),
        }
        at = stop;
    }
    let finish = |lazy: &mut Lazy| match span.start.checked_sub(1) {
        None => lazy.dfa.next_eoi_state(&mut lazy.cache, state).ok(),
        Some(before) => lazy.dfa.next_state(&mut lazy.cache, state, text[before]).ok(),
    };
    match lazy.run(pace, 0, finish)? {
        Some(state) if state.is_match() => Ok(Found::At(span.start)),
        Some(state) if !state.is_quit() => Ok(Found::of(last)),
        _ => Ok(Found::Lost),
    }
}

/// Reads bytes; `last` becomes the last place at which something matched. An automaton tells of a
/// match one byte late, so each byte comes with the place before it.
fn walk(
    lazy: &mut Lazy,
    mut state: LazyStateID,
    bytes: impl Iterator<Item = (usize, u8)>,
    last: &mut Option<usize>,
    reach: Reach,
) -> Walk {
    for (place, byte) in bytes {
        let Ok(reached) = lazy.dfa.next_state(&mut lazy.cache, state, byte) else {
            return Walk::Lost;
        };
        state = reached;
        if state.is_tagged() {
            if state.is_match() {
                *last = Some(place);
                if reach == Reach::First {
                    return Walk::Over;
                }
            } else if state.is_dead() {
                return Walk::Over;
            } else if state.is_quit() {
                return Walk::Lost;
            }
        }
    }
    Walk::On(state)
}
