//! A text as headings, blocks of code, and what is neither.

use crate::script::host::text::work::Pace;
use crate::script::native::compare::Outcome;

/// A heading with its place in the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heading<'t> {
    pub level: usize,
    /// Its words, with their markup.
    pub text: &'t str,
    pub line: usize,
    pub start: usize,
    /// Where the next line begins.
    pub end: usize,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Block<'t> {
    Heading(Heading<'t>),
    Code {
        info: &'t str,
        code: &'t str,
        line: usize,
    },
    /// Lines without an empty one between them.
    Text {
        text: &'t str,
        line: usize,
    },
}

/// Reads the blocks of a text, one after the other.
pub(super) struct Blocks<'t> {
    text: &'t str,
    at: usize,
    /// The number of the line that begins at `at`.
    line: usize,
    pace: Pace,
}

/// A line with where the next begins.
#[derive(Clone, Copy)]
struct Line<'t> {
    text: &'t str,
    end: usize,
}

impl<'t> Blocks<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self { text, at: 0, line: 1, pace: Pace::default() }
    }

    /// The number of the line behind what was read.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    pub(super) fn next(&mut self) -> Outcome<Option<Block<'t>>> {
        if self.at == 0 {
            self.skip_head()?;
        }
        let (mut start, mut first_line) = (self.at, self.line);
        while let Some(line) = self.peek()? {
            let is_begun = self.at > start;
            if line.text.trim().is_empty() {
                if is_begun {
                    return Ok(Some(self.lines(start, first_line)));
                }
                self.take(line);
                (start, first_line) = (self.at, self.line);
                continue;
            }
            if let Some((level, text)) = heading(line.text) {
                if is_begun {
                    return Ok(Some(self.lines(start, first_line)));
                }
                self.take(line);
                let heading = Heading { level, text, line: first_line, start, end: self.at };
                return Ok(Some(Block::Heading(heading)));
            }
            if let Some(level) = underline(line.text).filter(|_| is_begun)
                && is_paragraph(&self.text[start..])
            {
                let text = self.text[start..self.at].trim();
                self.take(line);
                let heading = Heading { level, text, line: first_line, start, end: self.at };
                return Ok(Some(Block::Heading(heading)));
            }
            if let Some((fence, info)) = fence(line.text) {
                if is_begun {
                    return Ok(Some(self.lines(start, first_line)));
                }
                return self.code(line, fence, info).map(Some);
            }
            if line.text.trim_start().starts_with("<!--") {
                if is_begun {
                    return Ok(Some(self.lines(start, first_line)));
                }
                self.skip_comment()?;
                (start, first_line) = (self.at, self.line);
                continue;
            }
            self.take(line);
        }
        Ok((self.at > start).then(|| self.lines(start, first_line)))
    }

    fn lines(&self, start: usize, line: usize) -> Block<'t> {
        Block::Text { text: &self.text[start..self.at], line }
    }

    fn peek(&mut self) -> Outcome<Option<Line<'t>>> {
        let rest = &self.text[self.at..];
        if rest.is_empty() {
            return Ok(None);
        }
        let length = rest.find('\n').map_or(rest.len(), |at| at + 1);
        self.pace.touch(length)?;
        let text = rest[..length].trim_end_matches(['\n', '\r']);
        Ok(Some(Line { text, end: self.at + length }))
    }

    fn take(&mut self, line: Line) {
        self.at = line.end;
        self.line += 1;
    }

    /// Skips what stands between two lines of `---` at the start, which tells of the text.
    fn skip_head(&mut self) -> Outcome<()> {
        let Some(first) = self.peek()?.filter(|line| line.text == "---") else { return Ok(()) };
        self.take(first);
        while let Some(line) = self.peek()? {
            self.take(line);
            if line.text == "---" {
                return Ok(());
            }
        }
        (self.at, self.line) = (0, 1);
        // It is a line, and no head: it may not be asked for again.
        if let Some(first) = self.peek()? {
            self.take(first);
        }
        Ok(())
    }

    /// Skips a comment that is alone on its lines.
    fn skip_comment(&mut self) -> Outcome<()> {
        while let Some(line) = self.peek()? {
            self.take(line);
            if line.text.contains("-->") {
                break;
            }
        }
        Ok(())
    }

    fn code(&mut self, open: Line<'t>, fence: &str, info: &'t str) -> Outcome<Block<'t>> {
        let number = self.line;
        self.take(open);
        let start = self.at;
        while let Some(line) = self.peek()? {
            let end = self.at;
            self.take(line);
            let bare = line.text.trim();
            let is_closing =
                bare.len() >= fence.len() && bare.bytes().all(|byte| byte == fence.as_bytes()[0]);
            if is_closing {
                let code = self.text[start..end].trim_end_matches(['\n', '\r']);
                return Ok(Block::Code { info, code, line: number });
            }
        }
        let code = self.text[start..].trim_end_matches(['\n', '\r']);
        Ok(Block::Code { info, code, line: number })
    }
}

/// A line without the white space that a block may begin with.
fn margin(line: &str) -> Option<&str> {
    let bare = line.trim_start_matches(' ');
    (line.len() - bare.len() < 4).then_some(bare)
}

/// `# Heading #`
fn heading(line: &str) -> Option<(usize, &str)> {
    let bare = margin(line)?;
    let level = bare.bytes().take_while(|&byte| byte == b'#').count();
    let rest = &bare[level..];
    if !(1..=6).contains(&level) || !rest.is_empty() && !rest.starts_with([' ', '\t']) {
        return None;
    }
    let text = rest.trim();
    let shorter = text.trim_end_matches('#');
    // Signs at the end belong to it only where white space stands before them.
    let is_closed = shorter.is_empty() || shorter.ends_with([' ', '\t']);
    Some((level, if is_closed { shorter.trim_end() } else { text }))
}

/// The level of a heading that has a line of `=` or `-` under it.
fn underline(line: &str) -> Option<usize> {
    let bare = margin(line)?.trim_end();
    let sign = *bare.as_bytes().first()?;
    let level = match sign {
        b'=' => 1,
        b'-' => 2,
        _ => return None,
    };
    bare.bytes().all(|byte| byte == sign).then_some(level)
}

/// Whether a block begins as a paragraph: no item, no quotation, no row of a table.
fn is_paragraph(text: &str) -> bool {
    let bare = text.trim_start();
    let digits = bare.bytes().take_while(u8::is_ascii_digit).count();
    let is_numbered = digits > 0 && bare[digits..].starts_with([')', '.']);
    !is_numbered
        && !bare.starts_with(['>', '|', '<'])
        && !["- ", "* ", "+ ", "---", "***", "___"].iter().any(|mark| bare.starts_with(mark))
}

/// The fence that a line opens, and what is written behind it.
fn fence(line: &str) -> Option<(&str, &str)> {
    let bare = line.trim_start();
    let sign = *bare.as_bytes().first()?;
    if sign != b'`' && sign != b'~' {
        return None;
    }
    let length = bare.bytes().take_while(|&byte| byte == sign).count();
    let (fence, info) = bare.split_at(length);
    if length < 3 || sign == b'`' && info.contains('`') {
        return None;
    }
    Some((fence, info.trim()))
}
