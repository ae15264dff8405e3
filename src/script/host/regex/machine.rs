//! The machine that runs a pattern state by state: slower than the lazy automata, and able to tell
//! groups and to see the edges of words in any script.
//!
//! It holds a set of states for each place in the text, in the order of preference, and pays for
//! every state that it touches.

use crate::script::host::text::work::Pace;
use crate::script::meter;
use crate::script::native::compare::Outcome;
use regex_automata::nfa::thompson::{NFA, State};
use regex_automata::util::primitives::StateID;
use std::ops::Range;

/// A slot that was not passed.
const NONE: usize = usize::MAX;

/// States in the order in which they were added, each with its slots.
struct Threads {
    order: Vec<u32>,
    place: Vec<u32>,
    slots: Vec<usize>,
}

impl Threads {
    fn new(states: usize, width: usize) -> Self {
        Self {
            order: Vec::with_capacity(states),
            place: vec![0; states],
            slots: vec![NONE; states * width],
        }
    }

    /// Adds a state; `false` where it was there before.
    fn insert(&mut self, state: usize) -> bool {
        let place = self.place[state] as usize;
        if self.order.get(place).is_some_and(|&at| at as usize == state) {
            return false;
        }
        self.place[state] = index(self.order.len());
        self.order.push(index(state));
        true
    }
}

/// A number of a state; a compiled pattern has far fewer of them.
fn index(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// What is left to do while states are followed that read nothing.
enum Step {
    Explore(StateID),
    Restore(usize, usize),
}

pub(super) struct Machine {
    current: Threads,
    next: Threads,
    steps: Vec<Step>,
    /// The slots on the way to the state that is followed.
    way: Vec<usize>,
    found: Vec<usize>,
    width: usize,
}

impl Machine {
    /// A machine that tells the first `width` slots: two a group, of which the first is the match.
    pub(super) fn new(nfa: &NFA, width: usize) -> Outcome<Self> {
        let states = nfa.states().len();
        let bytes = states.saturating_mul(2 * (8 + width * size_of::<usize>()));
        meter::reserve(bytes)?;
        meter::charge_bytes(bytes)?;
        Ok(Self {
            current: Threads::new(states, width),
            next: Threads::new(states, width),
            steps: Vec::new(),
            way: vec![NONE; width],
            found: vec![NONE; width],
            width,
        })
    }

    /// Where a group of the match that was found last begins and ends.
    pub(super) fn group(&self, group: usize) -> Option<Range<usize>> {
        let (start, end) = (*self.found.get(2 * group)?, *self.found.get(2 * group + 1)?);
        (start != NONE && end != NONE).then_some(start..end)
    }

    /// Looks for the first match inside of `span`, or for the one that begins where it does. What
    /// stands around the span counts for `^`, `$` and `\b`.
    pub(super) fn run(
        &mut self,
        pace: &mut Pace,
        nfa: &NFA,
        text: &[u8],
        span: Range<usize>,
        is_anchored: bool,
    ) -> Outcome<bool> {
        let mut is_found = false;
        self.current.order.clear();
        self.next.order.clear();
        for at in span.clone().chain([span.end]) {
            if self.current.order.is_empty() && (is_found || is_anchored && at > span.start) {
                break;
            }
            if !is_found && (!is_anchored || at == span.start) {
                self.way.fill(NONE);
                let mut current = std::mem::replace(&mut self.current, Threads::new(0, 0));
                let followed = self.follow(pace, nfa, text, at, nfa.start_anchored(), &mut current);
                self.current = current;
                followed?;
            }
            is_found |= self.step(pace, nfa, text, at, span.end)?;
            std::mem::swap(&mut self.current, &mut self.next);
            self.next.order.clear();
        }
        Ok(is_found)
    }

    /// Reads the byte at `at` with every state; whether a match ends before it.
    fn step(
        &mut self,
        pace: &mut Pace,
        nfa: &NFA,
        text: &[u8],
        at: usize,
        end: usize,
    ) -> Outcome<bool> {
        let mut next = std::mem::replace(&mut self.next, Threads::new(0, 0));
        let mut result = Ok(false);
        for place in 0..self.current.order.len() {
            let state = self.current.order[place] as usize;
            let target = match &nfa.states()[state] {
                State::Match { .. } => {
                    let slots = state * self.width..(state + 1) * self.width;
                    self.found.copy_from_slice(&self.current.slots[slots]);
                    // All that follow are liked less.
                    result = Ok(true);
                    break;
                }
                _ if at >= end => None,
                State::ByteRange { trans } => trans.matches(text, at).then_some(trans.next),
                State::Sparse(transitions) => transitions.matches(text, at),
                State::Dense(transitions) => transitions.matches(text, at),
                _ => None,
            };
            if let Some(target) = target {
                let slots = state * self.width..(state + 1) * self.width;
                self.way.copy_from_slice(&self.current.slots[slots]);
                result = self.follow(pace, nfa, text, at + 1, target, &mut next).map(|()| false);
            } else {
                result = pace.pay(u64::from(place.is_multiple_of(4))).map(|()| false);
            }
            if result.is_err() {
                break;
            }
        }
        self.next = next;
        result
    }

    /// Adds all states that `state` leads to without reading anything.
    fn follow(
        &mut self,
        pace: &mut Pace,
        nfa: &NFA,
        text: &[u8],
        at: usize,
        state: StateID,
        threads: &mut Threads,
    ) -> Outcome<()> {
        self.steps.clear();
        self.steps.push(Step::Explore(state));
        while let Some(step) = self.steps.pop() {
            let mut state = match step {
                Step::Restore(slot, value) => {
                    self.way[slot] = value;
                    continue;
                }
                Step::Explore(state) => state,
            };
            while threads.insert(state.as_usize()) {
                pace.pay(1)?;
                match &nfa.states()[state.as_usize()] {
                    State::Fail => break,
                    State::Match { .. }
                    | State::ByteRange { .. }
                    | State::Sparse(_)
                    | State::Dense(_) => {
                        pace.touch(self.width * 2)?;
                        let start = state.as_usize() * self.width;
                        threads.slots[start..start + self.width].copy_from_slice(&self.way);
                        break;
                    }
                    State::Look { look, next } => {
                        if !nfa.look_matcher().matches(*look, text, at) {
                            break;
                        }
                        state = *next;
                    }
                    State::Union { alternates } => {
                        let Some((&first, others)) = alternates.split_first() else { break };
                        pace.pay(others.len() as u64 / 8)?;
                        self.steps.extend(others.iter().rev().map(|&other| Step::Explore(other)));
                        state = first;
                    }
                    State::BinaryUnion { alt1, alt2 } => {
                        self.steps.push(Step::Explore(*alt2));
                        state = *alt1;
                    }
                    State::Capture { next, slot, .. } => {
                        let slot = slot.as_usize();
                        if slot < self.width {
                            self.steps.push(Step::Restore(slot, self.way[slot]));
                            self.way[slot] = at;
                        }
                        state = *next;
                    }
                }
            }
        }
        Ok(())
    }
}
