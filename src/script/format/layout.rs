//! Where lines begin and how pieces of one stand together. Never joins two lines and never splits one.

use super::scan::{Kind, Line, Piece};

/// Spaces of one step.
const STEP: usize = 4;

/// An open bracket.
struct Frame<'a> {
    /// The indent of the line that it was opened in.
    outside: usize,
    /// The indent of what stands in it.
    inside: usize,
    /// The first word of the statement that is being read in it.
    statement: &'a str,
    /// Whether that statement begins in the line of the bracket.
    hangs: bool,
}

/// Lines with their indents.
pub(super) struct Layout<'a> {
    frames: Vec<Frame<'a>>,
    /// The last piece of the code before.
    last: Option<Piece<'a>>,
}

impl<'a> Layout<'a> {
    pub fn new() -> Self {
        let top = Frame { outside: 0, inside: 0, statement: "", hangs: false };
        Self { frames: vec![top], last: None }
    }

    /// The indent of a line; `next` is the first piece of code in the lines that follow it.
    pub fn indent(&mut self, line: &Line<'a>, next: Option<&Piece<'a>>) -> usize {
        let Some(first) = line.pieces.first() else { return 0 };
        let top = self.top();
        let (inside, statement) = (top.inside, top.statement);
        // What stands in the line of its bracket goes on as deep as anything in that bracket.
        let deeper = inside + if top.hangs { 0 } else { STEP };
        let is_comment =
            |piece: &Piece<'_>| matches!(piece.kind, Kind::LineComment | Kind::BlockComment);
        if line.pieces.iter().all(is_comment) {
            let goes_on = next.is_some_and(|next| next.kind != Kind::Close && self.goes_on(next));
            return if goes_on { deeper } else { inside };
        }
        let goes_on = self.goes_on(first);
        let indent = match first.kind {
            Kind::Close => top.outside,
            _ if goes_on => deeper,
            _ => inside,
        };
        if !goes_on && first.kind != Kind::Close {
            self.top_mut().statement = first.text;
            self.top_mut().hangs = false;
        }
        self.follow(line, indent, goes_on.then_some((inside, statement)));
        indent
    }

    fn top(&self) -> &Frame<'a> {
        self.frames.last().expect("the outermost frame stays")
    }

    fn top_mut(&mut self) -> &mut Frame<'a> {
        self.frames.last_mut().expect("the outermost frame stays")
    }

    /// Whether a line that begins with this piece goes on with the statement of the line before.
    fn goes_on(&self, first: &Piece<'_>) -> bool {
        let Some(last) = &self.last else { return false };
        let is_over =
            matches!(last.kind, Kind::Semicolon | Kind::Comma | Kind::Open | Kind::PipeClose);
        match first.kind {
            Kind::Close => false,
            Kind::Dot => !is_over,
            Kind::Binary if !is_over => true,
            _ => matches!(last.kind, Kind::Binary | Kind::Dot),
        }
    }

    /// Opens and closes what the line does.
    fn follow(&mut self, line: &Line<'a>, indent: usize, continued: Option<(usize, &'a str)>) {
        let depth = self.frames.len();
        let mut lowest = depth;
        for piece in &line.pieces {
            if matches!(piece.kind, Kind::LineComment | Kind::BlockComment) {
                continue;
            }
            if self.frames.len() > depth {
                self.top_mut().hangs = true;
            }
            match piece.kind {
                Kind::Open => {
                    // Brackets that one line opens together indent once.
                    let is_first = self.frames.len() == lowest;
                    let outside = match continued {
                        // The block of a condition that takes several lines belongs to its first.
                        Some((inside, "if" | "while" | "for" | "switch" | "}"))
                            if is_first && piece.text == "{" =>
                        {
                            inside
                        }
                        _ => indent,
                    };
                    self.frames.push(Frame {
                        outside,
                        inside: outside + STEP,
                        statement: "",
                        hangs: false,
                    });
                }
                Kind::Close if self.frames.len() > 1 => {
                    self.frames.pop();
                    lowest = lowest.min(self.frames.len());
                }
                Kind::Semicolon => self.top_mut().statement = "",
                _ => (),
            }
            self.last = Some(*piece);
        }
        if let Some(first) = line.pieces.first().filter(|first| first.kind == Kind::Close) {
            self.top_mut().statement = first.text;
        }
    }
}

/// The pieces of a line with the spaces between them.
pub(super) fn text_of(line: &Line<'_>, out: &mut String) {
    let mut before: Option<&Piece<'_>> = None;
    for piece in &line.pieces {
        let spaces = before.map_or(0, |before| spaces(before, piece));
        out.extend(std::iter::repeat_n(' ', spaces));
        out.push_str(piece.text);
        before = Some(piece);
    }
}

fn spaces(before: &Piece<'_>, piece: &Piece<'_>) -> usize {
    use Kind::*;
    let kept = piece.space.min(1);
    match (before.kind, piece.kind) {
        (_, LineComment) => piece.space.max(1),
        (BlockComment, _) | (_, BlockComment) => kept,
        (_, Comma | Semicolon) => 0,
        (Open, Close) => 0,
        (Open, _) if is_brace(before) => 1,
        (Open, _) => 0,
        (_, Close) if is_brace(piece) => 1,
        (_, Close) => 0,
        (Dot, _) | (_, Dot) => 0,
        (PipeOpen, _) | (_, PipeClose) => 0,
        (Unary, _) => kept,
        (Other, _) | (_, Other) => kept,
        (_, Colon) => 0,
        (_, Open) if piece.text == "(" || piece.text == "[" || piece.text == "?[" => {
            match (before.kind, piece.text) {
                (Word, "(") => 0,
                (Word | Text | Close, _) => kept,
                _ => 1,
            }
        }
        _ => 1,
    }
}

fn is_brace(piece: &Piece<'_>) -> bool {
    matches!(piece.text, "{" | "#{" | "}")
}
