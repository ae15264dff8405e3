//! Compiled patterns: bounded in size, and kept for the next calls on the same thread.
//!
//! What is kept belongs to the thread and not to the call that compiled it, so all of its memory is
//! allocated and freed as handed out.

use crate::script::host::text::work::refuse;
use crate::script::meter;
use crate::script::native::compare::Outcome;
use crate::script::value::prefix;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::{Compiler, NFA, WhichCaptures};
use regex_automata::util::syntax;
use regex_automata::{MatchKind, hybrid, nfa::thompson};
use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// The longest pattern, in bytes.
const MAX_PATTERN: usize = 4096;
/// How deep groups may nest.
const MAX_NESTING: u32 = 64;
/// The most groups of one pattern.
const MAX_GROUPS: usize = 100;
/// The largest compiled pattern, in bytes, each way. `\w` takes about 10 KiB of it.
const MAX_PROGRAM: usize = 512 * 1024;
/// What the states that a search has found may take, in bytes, each way.
const MAX_STATES: usize = 1 << 20;

/// Patterns that a thread keeps.
const KEPT: usize = 32;
/// Bytes that they may take.
const KEPT_BYTES: usize = 4 << 20;

/// An automaton whose states are made while it runs.
pub(super) struct Lazy {
    pub dfa: DFA,
    pub cache: Cache,
}

/// A compiled pattern.
pub(super) struct Program {
    pattern: String,
    pub nfa: NFA,
    /// Finds where a match ends, and from there where it begins. Without them the machine does.
    pub lazy: Option<(Lazy, Lazy)>,
}

impl Program {
    fn size(&self) -> usize {
        let lazy = |lazy: &Lazy| lazy.dfa.get_nfa().memory_usage() + lazy.cache.memory_usage();
        let states = self.lazy.as_ref().map_or(0, |(forward, back)| lazy(forward) + lazy(back));
        self.nfa.memory_usage() + states
    }
}

thread_local! {
    /// The patterns used last, the latest at the end.
    static PROGRAMS: RefCell<Vec<Program>> = const { RefCell::new(Vec::new()) };
}

/// A compiled pattern while a search has it; it goes back when the search is over.
pub(super) struct Lease(Option<Program>);

impl Deref for Lease {
    type Target = Program;

    fn deref(&self) -> &Program {
        self.0.as_ref().expect("it goes back on drop and not before")
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Program {
        self.0.as_mut().expect("it goes back on drop and not before")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        meter::handing_out(|| {
            let Some(program) = self.0.take() else { return };
            // A thread that ends has no table any more.
            let _ = PROGRAMS.try_with(|programs| {
                let mut programs = programs.borrow_mut();
                // A function called by a search may have used the same pattern.
                programs.retain(|kept| kept.pattern != program.pattern);
                programs.push(program);
                let mut bytes: usize = programs.iter().map(Program::size).sum();
                let mut first = 0;
                while first < programs.len()
                    && (programs.len() - first > KEPT || bytes > KEPT_BYTES)
                {
                    bytes -= programs[first].size();
                    first += 1;
                }
                programs.drain(..first);
            });
        });
    }
}

/// How many patterns this thread keeps, and their bytes.
#[cfg(test)]
pub(super) fn kept() -> (usize, usize) {
    PROGRAMS.with_borrow(|programs| (programs.len(), programs.iter().map(Program::size).sum()))
}

/// The compiled `pattern`.
///
/// # Errors
///
/// It is no pattern, or too large; the script may catch that.
pub(super) fn lease(function: &str, pattern: &str) -> Outcome<Lease> {
    if pattern.len() > MAX_PATTERN {
        return Err(refuse(format!(
            "{function}: the pattern has {} bytes, and {MAX_PATTERN} is the most; search for less \
             at once, or use text::contains for plain texts",
            pattern.len()
        )));
    }
    meter::charge_bytes(pattern.len())?;
    let kept = PROGRAMS.with_borrow_mut(|programs| {
        let place = programs.iter().rposition(|kept| kept.pattern == pattern)?;
        Some(programs.remove(place))
    });
    if let Some(program) = kept {
        return Ok(Lease(Some(program)));
    }
    compiled(function, pattern)
}

fn compiled(function: &str, pattern: &str) -> Outcome<Lease> {
    meter::charge(200 + 4 * pattern.len() as u64)?;
    meter::reserve(2 * MAX_PROGRAM)?;
    let config = syntax::Config::new().nest_limit(MAX_NESTING);
    let shown = prefix(pattern, 60);
    let tree = syntax::parse_with(pattern, &config).map_err(|error| {
        // The error draws a picture, and says in its last line what is wrong.
        let picture = error.to_string();
        let reason = picture.lines().last().unwrap_or_default();
        let reason = prefix(reason.trim_start_matches("error: "), 200);
        refuse(format!(
            "{function}: `{shown}` is no pattern: {reason}; write \\ before a character that \
             stands for itself, or use regex::escape"
        ))
    })?;
    meter::charge(0)?;
    let compile = |is_reverse: bool| {
        let captures = if is_reverse { WhichCaptures::None } else { WhichCaptures::All };
        let config = thompson::Config::new()
            .reverse(is_reverse)
            .which_captures(captures)
            .nfa_size_limit(Some(MAX_PROGRAM));
        Compiler::new().configure(config).build_from_hir(&tree).ok()
    };
    let compiled = meter::handing_out(|| {
        let nfa = compile(false).ok_or(Excess::Size)?;
        let groups = nfa.group_info().all_group_len();
        if groups > MAX_GROUPS {
            return Err(Excess::Groups(groups - 1));
        }
        let lazy = compile(true).and_then(|back| {
            let forward = lazy(nfa.clone(), MatchKind::LeftmostFirst)?;
            Some((forward, lazy(back, MatchKind::All)?))
        });
        Ok(Program { pattern: pattern.to_owned(), nfa, lazy })
    });
    if compiled.is_err() {
        // It was compiled as far as it may be.
        meter::charge(MAX_PROGRAM as u64 / 32)?;
    }
    let lease = Lease(Some(compiled.map_err(|excess| {
        refuse(match excess {
            Excess::Size => format!(
                "{function}: `{shown}` is too large once compiled; repeat fewer times, as in \
                 {{1,20}}, or write (?-u:\\w) where only ASCII is meant"
            ),
            Excess::Groups(groups) => format!(
                "{function}: the pattern has {groups} groups, and {} is the most; write (?:…) for \
                 groups whose text you do not need",
                MAX_GROUPS - 1
            ),
        })
    })?));
    meter::charge(lease.nfa.states().len() as u64 * 2)?;
    Ok(lease)
}

/// What a pattern has too much of.
enum Excess {
    Size,
    Groups(usize),
}

fn lazy(nfa: NFA, kind: MatchKind) -> Option<Lazy> {
    let config = hybrid::dfa::Config::new()
        .match_kind(kind)
        .unicode_word_boundary(true)
        .cache_capacity(MAX_STATES)
        .skip_cache_capacity_check(true);
    let dfa = hybrid::dfa::Builder::new().configure(config).build_from_nfa(nfa).ok()?;
    let cache = dfa.create_cache();
    Some(Lazy { dfa, cache })
}
