//! Paths as grants name them: globs over `/`-separated names.
//!
//! One matcher answers both "may this path be touched" and "does this grant cover that request", so
//! the two can never differ. Nothing here touches a disk; links are resolved by whoever opens files.

use crate::diagnostic::is_hidden;
use std::fmt;
use std::str::FromStr;

/// Most bytes of one glob.
const MAX_BYTES: usize = 256;

/// Why a glob was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// Nothing was given.
    #[error("the path is empty; write a glob, as in `src/**`")]
    Empty,
    /// Too many bytes.
    #[error("the path has {0} bytes and may have {MAX_BYTES}; shorten it with `**`")]
    TooLong(usize),
    /// A `.`, a `..` or nothing between two slashes.
    #[error("path `{0}` has an empty, `.` or `..` part; write it without, as in `src/**`")]
    Part(String),
    /// A `**` beside other characters.
    #[error(
        "path `{0}` has `**` beside other characters; it stands for whole folders, as in `src/**/*.md`"
    )]
    DoubleStar(String),
    /// A character that other globs give a meaning, or that hides.
    #[error(
        "path `{given}` contains `{character}`, which has no meaning here; use `*`, `?` and `**`, and one capability for each alternative"
    )]
    Character {
        /// The path.
        given: String,
        /// The character, made visible.
        character: String,
    },
}

/// Where a glob begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathRoot {
    /// The folder the host works in: `src/**`.
    Workspace,
    /// The user's home folder: `~/notes/**`.
    Home,
    /// The file system: `/etc/hosts`.
    Absolute,
}

/// A set of paths: `*` and `?` within a name, `**` for any number of folders, none included.
///
/// Letter case counts, and `*` takes names that begin with a dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathGlob {
    root: PathRoot,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Segment {
    /// `**`
    Folders,
    /// One name.
    Name(Vec<Token>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Token {
    /// `*`
    Many,
    /// `?`
    One,
    /// Itself.
    Char(char),
}

impl PathGlob {
    /// Where it begins.
    pub fn root(&self) -> PathRoot {
        self.root
    }

    /// Whether `path`, given from the same root with `/` between names, is in the set. A path with an
    /// empty, `.` or `..` part is in none.
    pub fn allows(&self, root: PathRoot, path: &str) -> bool {
        let names: Vec<_> = path.split('/').collect();
        if root != self.root || names.iter().any(|name| is_special(name)) {
            return false;
        }
        let segments: Vec<_> = names
            .iter()
            .map(|name| Segment::Name(name.chars().map(Token::Char).collect()))
            .collect();
        covers(&self.segments, &segments)
    }

    /// Whether something below `folder`, given as to [`Self::allows`], may be in the set. The root
    /// itself has no names.
    pub fn may_hold(&self, root: PathRoot, folder: &[impl AsRef<str>]) -> bool {
        if root != self.root || folder.iter().any(|name| is_special(name.as_ref())) {
            return false;
        }
        // `reached[n]`: the first n segments can be laid over the names so far.
        let mut reached = vec![false; self.segments.len() + 1];
        reached[0] = true;
        self.skip_folders(&mut reached);
        for name in folder {
            let name = Segment::Name(name.as_ref().chars().map(Token::Char).collect());
            let mut next = vec![false; reached.len()];
            for (index, segment) in self.segments.iter().enumerate().filter(|(at, _)| reached[*at])
            {
                next[index] |= *segment == Segment::Folders;
                next[index + 1] |= covers_segment(segment, &name);
            }
            self.skip_folders(&mut next);
            reached = next;
        }
        // What is left to lay out lies below; a `**` at the end is always left.
        reached.iter().zip(&self.segments).any(|(reached, _)| *reached)
    }

    /// A `**` may stand for no folder at all.
    fn skip_folders(&self, reached: &mut [bool]) {
        for (index, segment) in self.segments.iter().enumerate() {
            reached[index + 1] |= reached[index] && *segment == Segment::Folders;
        }
    }

    /// The folders at its start that are named in full: `src` and `lib` of `src/lib/*.rs`.
    pub fn fixed_folders(&self) -> Vec<String> {
        let plain = |segment: &Segment| match segment {
            Segment::Folders => None,
            Segment::Name(tokens) => tokens
                .iter()
                .map(|token| match token {
                    Token::Char(c) => Some(*c),
                    Token::Many | Token::One => None,
                })
                .collect(),
        };
        let folders = self.segments.len().saturating_sub(1);
        self.segments[..folders].iter().map_while(plain).collect()
    }

    /// Whether every path of `other` is known to be in the set. Says no where it cannot tell.
    pub fn covers(&self, other: &Self) -> bool {
        self.root == other.root && covers(&self.segments, &other.segments)
    }
}

fn covers(wide: &[Segment], narrow: &[Segment]) -> bool {
    spread(wide, narrow, |segment| *segment == Segment::Folders, covers_segment)
}

fn covers_segment(wide: &Segment, narrow: &Segment) -> bool {
    let (Segment::Name(wide), Segment::Name(narrow)) = (wide, narrow) else { return false };
    let one = |wide: &Token, narrow: &Token| match (wide, narrow) {
        (Token::One, Token::One | Token::Char(_)) => true,
        (Token::Char(a), Token::Char(b)) => a == b,
        _ => false,
    };
    spread(wide, narrow, |token| *token == Token::Many, one)
}

/// Whether `wide` can be laid over `narrow`: each element that `is_many` over any run of elements,
/// each other over the one element it `covers`. Takes time in proportion to both lengths.
fn spread<T>(
    wide: &[T],
    narrow: &[T],
    is_many: impl Fn(&T) -> bool,
    covers: impl Fn(&T, &T) -> bool,
) -> bool {
    let mut reached = vec![false; narrow.len() + 1];
    reached[0] = true;
    for element in wide {
        if is_many(element) {
            let mut seen = false;
            for place in &mut reached {
                seen |= *place;
                *place = seen;
            }
        } else {
            for (index, other) in narrow.iter().enumerate().rev() {
                reached[index + 1] = reached[index] && covers(element, other);
            }
            reached[0] = false;
        }
    }
    reached[narrow.len()]
}

fn is_special(name: &str) -> bool {
    matches!(name, "" | "." | "..")
}

impl FromStr for PathGlob {
    type Err = GlobError;

    fn from_str(text: &str) -> Result<Self, GlobError> {
        if text.is_empty() {
            return Err(GlobError::Empty);
        }
        if text.len() > MAX_BYTES {
            return Err(GlobError::TooLong(text.len()));
        }
        if let Some(bad) = text.chars().find(|c| "[]{}\\".contains(*c) || is_hidden(*c)) {
            return Err(GlobError::Character {
                given: text.into(),
                character: bad.escape_default().to_string(),
            });
        }
        let (root, rest) = match (text.strip_prefix('/'), text.strip_prefix("~/")) {
            (Some(rest), _) => (PathRoot::Absolute, rest),
            (_, Some(rest)) => (PathRoot::Home, rest),
            // As shells complete it.
            _ => (PathRoot::Workspace, text.strip_prefix("./").unwrap_or(text)),
        };
        let segments = rest
            .split('/')
            .enumerate()
            .map(|(index, name)| match name {
                "~" if index == 0 => Err(GlobError::Part(text.into())),
                name => parse_segment(text, name),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { root, segments })
    }
}

fn parse_segment(text: &str, name: &str) -> Result<Segment, GlobError> {
    match name {
        "**" => Ok(Segment::Folders),
        name if is_special(name) => Err(GlobError::Part(text.into())),
        name if name.contains("**") => Err(GlobError::DoubleStar(text.into())),
        name => Ok(Segment::Name(
            name.chars()
                .map(|c| match c {
                    '*' => Token::Many,
                    '?' => Token::One,
                    c => Token::Char(c),
                })
                .collect(),
        )),
    }
}

impl fmt::Display for PathGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.root {
            PathRoot::Workspace => "",
            PathRoot::Home => "~/",
            PathRoot::Absolute => "/",
        })?;
        for (index, segment) in self.segments.iter().enumerate() {
            if index > 0 {
                f.write_str("/")?;
            }
            match segment {
                Segment::Folders => f.write_str("**")?,
                Segment::Name(tokens) => {
                    for token in tokens {
                        match token {
                            Token::Many => f.write_str("*")?,
                            Token::One => f.write_str("?")?,
                            Token::Char(c) => write!(f, "{c}")?,
                        }
                    }
                }
            }
        }
        Ok(())
    }
}
