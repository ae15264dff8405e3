//! What stands inside of a paragraph: links, code, emphasis.
//!
//! One walk from left to right. What has two ends is found with a stack and with the places where
//! a search was in vain, so that no text takes more than a few looks at each byte.

use crate::script::host::text::work::{Pace, WINDOW};
use crate::script::meter;
use crate::script::native::compare::Outcome;
use crate::script::value::prefix;
use std::borrow::Cow;
use std::collections::HashMap;

/// The longest address or title that is looked for, in bytes.
const MAX_TARGET: usize = 4096;
/// The longest name of a definition, in bytes. Source: CommonMark, "link label".
const MAX_LABEL: usize = 999;
/// The longest run of backticks that opens code.
const MAX_TICKS: usize = 64;

/// A link or an image.
pub(super) struct Link<'t> {
    /// Where it begins in its block.
    pub place: usize,
    pub text: Cow<'t, str>,
    pub url: Cow<'t, str>,
    pub title: Option<Cow<'t, str>>,
    pub is_image: bool,
}

/// The lines `[name]: /url "title"` of a text.
pub(super) struct Definitions<'t>(HashMap<String, (&'t str, Option<&'t str>)>);

impl<'t> Definitions<'t> {
    pub(super) fn of(text: &'t str) -> Outcome<Self> {
        let (mut found, mut pace) = (HashMap::new(), Pace::default());
        for line in text.split('\n') {
            pace.touch(line.len())?;
            if let Some((name, url, title)) = definition(line) {
                meter::reserve(name.len() + 256)?;
                pace.touch(name.len() + 64)?;
                found.entry(label(name)).or_insert((url, title));
            }
        }
        Ok(Self(found))
    }

    fn find(&self, name: &str) -> Option<(&'t str, Option<&'t str>)> {
        if self.0.is_empty() || name.len() > MAX_LABEL {
            return None;
        }
        self.0.get(&label(name)).copied()
    }
}

/// A name as it is looked up.
fn label(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// A line that defines a link.
fn definition(line: &str) -> Option<(&str, &str, Option<&str>)> {
    let rest = line.trim_start().strip_prefix('[')?;
    let end = prefix(rest, MAX_LABEL).find(']')?;
    let (name, rest) = (&rest[..end], rest[end + 1..].strip_prefix(':')?);
    if name.trim().is_empty() || name.starts_with('^') {
        return None;
    }
    let (url, title, rest) = target(prefix(rest, MAX_TARGET).trim_start())?;
    rest.trim().is_empty().then_some((name, url, title))
}

/// An address, the title behind it, and what follows both.
fn target(text: &str) -> Option<(&str, Option<&str>, &str)> {
    let (url, rest) = match text.strip_prefix('<') {
        Some(inner) => {
            let (url, rest) = inner.split_once('>')?;
            (url, rest)
        }
        None => text.split_at(bare_target(text)),
    };
    let behind = rest.trim_start();
    let close = match behind.as_bytes().first() {
        _ if behind.len() == rest.len() => return Some((url, None, rest)),
        Some(b'"') => '"',
        Some(b'\'') => '\'',
        Some(b'(') => ')',
        _ => return Some((url, None, rest)),
    };
    match behind[1..].split_once(close) {
        Some((title, rest)) => Some((url, Some(title), rest)),
        None => Some((url, None, rest)),
    }
}

/// How long an address without brackets around it is; parentheses in it must be pairs.
fn bare_target(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if std::mem::take(&mut is_escaped) => (),
            '\\' => is_escaped = true,
            c if c.is_whitespace() || c.is_control() => return at,
            '(' => depth += 1,
            ')' if depth == 0 => return at,
            ')' => depth -= 1,
            _ => (),
        }
    }
    text.len()
}

/// The links of a block, in order.
pub(super) fn links<'t>(text: &'t str, known: &Definitions<'t>) -> Outcome<Vec<Link<'t>>> {
    let mut walk = Walk::new(text, known);
    walk.run()?;
    let mut links = Vec::new();
    for found in std::mem::take(&mut walk.links) {
        // An autolink shows its address.
        let shown = walk.words(found.words.clone())?;
        meter::reserve(shown.len() + 256)?;
        links.push(Link {
            place: found.place,
            text: shown,
            url: unescaped(found.url),
            title: found.title.map(unescaped),
            is_image: found.is_image,
        });
    }
    links.sort_by_key(|link| link.place);
    Ok(links)
}

/// The words of a block without their markup.
pub(super) fn plain(text: &str, known: &Definitions) -> Outcome<String> {
    let mut walk = Walk::new(text, known);
    walk.run()?;
    walk.words(0..text.len()).map(Cow::into_owned)
}

/// A text without the backslashes before signs.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return text.into();
    }
    let (mut result, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find('\\') {
        result.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if !rest.starts_with(|c: char| c.is_ascii_punctuation()) {
            result.push('\\');
        } else if let Some(sign) = rest.chars().next() {
            result.push(sign);
            rest = &rest[sign.len_utf8()..];
        }
    }
    result.push_str(rest);
    result.into()
}

struct Found<'t> {
    place: usize,
    words: std::ops::Range<usize>,
    url: &'t str,
    title: Option<&'t str>,
    is_image: bool,
}

/// A `[` that waits for its `]`.
struct Open {
    /// Where it begins, with the `!` of an image.
    place: usize,
    /// Where its words begin.
    words: usize,
}

struct Walk<'t, 'k> {
    text: &'t str,
    known: &'k Definitions<'t>,
    pace: Pace,
    links: Vec<Found<'t>>,
    /// What is markup and no words, as ranges in no order.
    hidden: Vec<(usize, usize)>,
    opens: Vec<Open>,
    /// Where runs of `*`, `_` and `~` wait for their ends.
    marks: [Vec<(usize, usize)>; 3],
    /// For each length of a run of backticks, from where on there is none.
    no_ticks: [usize; MAX_TICKS + 1],
}

impl<'t, 'k> Walk<'t, 'k> {
    fn new(text: &'t str, known: &'k Definitions<'t>) -> Self {
        Self {
            text,
            known,
            pace: Pace::default(),
            links: Vec::new(),
            hidden: Vec::new(),
            opens: Vec::new(),
            marks: [Vec::new(), Vec::new(), Vec::new()],
            no_ticks: [usize::MAX; MAX_TICKS + 1],
        }
    }

    fn run(&mut self) -> Outcome<()> {
        let bytes = self.text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let run = bytes[at..]
                .iter()
                .take(WINDOW)
                .take_while(|&byte| !b"\\`![]<*_~".contains(byte))
                .count();
            self.pace.touch(run)?;
            at += run;
            let Some(&byte) = bytes.get(at) else { break };
            at = match byte {
                b'\\' => self.escape(at)?,
                b'`' => self.code(at)?,
                b'!' if bytes.get(at + 1) == Some(&b'[') => self.open(at, at + 2)?,
                b'[' => self.open(at, at + 1)?,
                b']' => self.close(at)?,
                b'<' => self.angle(at)?,
                b'*' | b'_' | b'~' => self.mark(at)?,
                _ if run == 0 => at + 1,
                _ => at,
            };
        }
        Ok(())
    }

    fn hide(&mut self, start: usize, end: usize) -> Outcome<()> {
        self.pace.pay(2)?;
        if self.hidden.len() == self.hidden.capacity() {
            meter::reserve(self.hidden.len().max(4).saturating_mul(4 * size_of::<usize>()))?;
        }
        self.hidden.push((start, end));
        Ok(())
    }

    fn escape(&mut self, at: usize) -> Outcome<usize> {
        match self.text.as_bytes().get(at + 1) {
            Some(sign) if sign.is_ascii_punctuation() => {
                self.hide(at, at + 1)?;
                Ok(at + 2)
            }
            _ => Ok(at + 1),
        }
    }

    /// The length of the run of that byte at a place.
    fn run_length(&self, at: usize) -> usize {
        let bytes = &self.text.as_bytes()[at..];
        bytes.iter().take_while(|&&byte| byte == bytes[0]).count()
    }

    fn code(&mut self, at: usize) -> Outcome<usize> {
        let length = self.run_length(at);
        let start = at + length;
        if length > MAX_TICKS || start >= self.no_ticks[length] {
            self.pace.touch(length)?;
            return Ok(start);
        }
        let mut next = start;
        while let Some(found) = self.text[next..].find('`').map(|found| next + found) {
            let run = self.run_length(found);
            self.pace.touch(found - next + run)?;
            if run == length {
                self.hide(at, start)?;
                self.hide(found, found + run)?;
                return Ok(found + run);
            }
            next = found + run;
        }
        self.pace.touch(self.text.len() - next)?;
        self.no_ticks[length] = start;
        Ok(start)
    }

    fn open(&mut self, place: usize, words: usize) -> Outcome<usize> {
        self.pace.pay(1)?;
        if self.opens.len() == self.opens.capacity() {
            meter::reserve(self.opens.len().max(4).saturating_mul(2 * size_of::<Open>()))?;
        }
        self.opens.push(Open { place, words });
        Ok(words)
    }

    fn close(&mut self, at: usize) -> Outcome<usize> {
        self.pace.pay(2)?;
        let Some(open) = self.opens.pop() else { return Ok(at + 1) };
        let text = self.text;
        let rest = &text[at + 1..];
        let words = open.words..at;
        let Some((url, title, end)) = self.aim(rest, &text[words.clone()])? else {
            return Ok(at + 1);
        };
        let is_image = text[open.place..].starts_with('!');
        meter::reserve(4 * size_of::<Found>())?;
        self.links.push(Found { place: open.place, words, url, title, is_image });
        self.hide(open.place, open.words)?;
        self.hide(at, at + 1 + end)?;
        if !is_image {
            // A link has no link inside of it.
            let is_inner = |open: &Open| text[open.place..].starts_with('!');
            self.opens.retain(is_inner);
        }
        Ok(at + 1 + end)
    }

    /// Where the words before a `]` lead, and how long what says so is.
    fn aim(
        &mut self,
        rest: &'t str,
        words: &str,
    ) -> Outcome<Option<(&'t str, Option<&'t str>, usize)>> {
        if let Some(inner) = rest.strip_prefix('(') {
            let inner = prefix(inner, MAX_TARGET);
            self.pace.touch(inner.len().min(256))?;
            if let Some((url, title, behind)) = target(inner.trim_start())
                && let Some(behind) = behind.trim_start().strip_prefix(')')
            {
                self.pace.touch(inner.len() - behind.len())?;
                return Ok(Some((url, title, 1 + inner.len() - behind.len())));
            }
            self.pace.touch(inner.len())?;
        }
        if self.known.0.is_empty() {
            return Ok(None);
        }
        self.pace.touch(MAX_LABEL.min(words.len() + rest.len()))?;
        if let Some(inner) = rest.strip_prefix('[')
            && let Some((name, _)) = prefix(inner, MAX_LABEL + 1).split_once(']')
        {
            let found = self.known.find(if name.trim().is_empty() { words } else { name });
            return Ok(found.map(|(url, title)| (url, title, name.len() + 2)));
        }
        if rest.starts_with(':') {
            return Ok(None);
        }
        Ok(self.known.find(words).map(|(url, title)| (url, title, 0)))
    }

    /// `<https://…>`, and tags of HTML, which are no words.
    fn angle(&mut self, at: usize) -> Outcome<usize> {
        let inner = prefix(&self.text[at + 1..], MAX_TARGET);
        let end = inner.find(['>', '<', '\n']);
        self.pace.touch(end.unwrap_or(inner.len()))?;
        let Some(end) = end.filter(|&end| inner[end..].starts_with('>')) else { return Ok(at + 1) };
        let inner = &inner[..end];
        let close = at + 1 + end;
        let is_plain = !inner.contains([' ', '\t']);
        if is_plain && inner.split_once(':').is_some_and(|(scheme, _)| is_scheme(scheme)) {
            meter::reserve(4 * size_of::<Found>())?;
            let words = at + 1..close;
            let link = Found { place: at, words, url: inner, title: None, is_image: false };
            self.links.push(link);
            self.hide(at, at + 1)?;
            self.hide(close, close + 1)?;
        } else if inner.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!') {
            self.hide(at, close + 1)?;
        } else {
            return Ok(at + 1);
        }
        Ok(close + 1)
    }

    /// A run of signs of emphasis: the end of one that was begun, a beginning, or neither.
    fn mark(&mut self, at: usize) -> Outcome<usize> {
        let length = self.run_length(at);
        self.pace.touch(length)?;
        let (sign, end) = (self.text.as_bytes()[at], at + length);
        let kind = match sign {
            b'*' => 0,
            b'_' => 1,
            _ if length == 2 => 2,
            _ => return Ok(end),
        };
        let before = self.text[..at].chars().next_back();
        let after = self.text[end..].chars().next();
        let is_space = |c: Option<char>| c.is_none_or(char::is_whitespace);
        let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let (mut opens, mut closes) = (!is_space(after), !is_space(before));
        if sign == b'_' {
            (opens, closes) = (opens && !is_word(before), closes && !is_word(after));
        }
        let mut left = length;
        while closes && left > 0 {
            let Some((start, count)) = self.marks[kind].pop() else { break };
            let used = count.min(left);
            // Those nearest to the words go first.
            self.hide(start + count - used, start + count)?;
            self.hide(end - left, end - left + used)?;
            left -= used;
            if count > used {
                self.marks[kind].push((start, count - used));
            }
        }
        if opens && left > 0 {
            meter::reserve(4 * size_of::<usize>())?;
            self.marks[kind].push((end - left, left));
        }
        Ok(end)
    }

    /// The words of a range.
    fn words(&mut self, range: std::ops::Range<usize>) -> Outcome<Cow<'t, str>> {
        if !self.hidden.is_sorted() {
            let count = self.hidden.len() as u64;
            self.pace.pay(count.saturating_mul(u64::from(count.max(2).ilog2())) / 16)?;
            self.hidden.sort_unstable();
        }
        let first = self.hidden.partition_point(|&(_, end)| end <= range.start);
        let mut result = String::new();
        let mut at = range.start;
        for &(start, end) in &self.hidden[first..] {
            if start >= range.end {
                break;
            }
            if start > at {
                self.pace.write(&mut result, &self.text[at..start])?;
            }
            at = at.max(end.min(range.end));
        }
        if at == range.start {
            self.pace.touch(range.len())?;
            return Ok(self.text[range].into());
        }
        self.pace.write(&mut result, &self.text[at..range.end])?;
        Ok(result.into())
    }
}

fn is_scheme(text: &str) -> bool {
    (2..=32).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}
