//! Tags and texts become lines: what is open, what is owed before the next word, and what is left out.
//!
//! White space is folded as a browser folds it. Marks of emphasis and links are written with the first
//! word that they hold, so that what holds none leaves no trace.

use super::entity;
use super::token::{Token, attribute};
use crate::script::host::text::work::Pace;
use crate::script::native::compare::Outcome;
use url::Url;

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// With the marks of Markdown.
    Markdown,
    /// Words alone.
    Text,
}

/// Most lists and quotations inside of each other that are shown as such.
const MOST_DEEP: usize = 8;

/// The longest address of a link that is kept, in bytes.
const MAX_ADDRESS: usize = 2_000;

/// A list or a quotation, with what each of its lines begins with.
enum Frame {
    Bullets,
    Numbers(u32),
    Quote,
}

/// What stands around words and is written with the first of them.
struct Mark {
    open: &'static str,
    close: &'static str,
    element: &'static str,
    is_written: bool,
}

/// A link, from the place where its words begin.
struct Link {
    address: String,
    start: Option<usize>,
}

pub(super) struct Writer {
    style: Style,
    base: Option<Url>,
    out: String,
    /// Line breaks that are owed before the next word; two leave an empty line.
    breaks: usize,
    /// Whether white space is owed.
    space: bool,
    /// What the next line begins with beside what its frames say: the mark of an item or of a heading.
    lead: String,
    frames: Vec<Frame>,
    /// Frames beyond [`MOST_DEEP`].
    deeper: usize,
    marks: Vec<Mark>,
    link: Option<Link>,
    /// How many elements are open whose text nobody sees.
    hidden: usize,
    /// How many `<pre>` are open.
    pre: usize,
    /// Whether the page's main part is entered, or there is none; how many of its element are open.
    is_in: bool,
    main: usize,
    /// Cells of the row so far.
    cells: usize,
}

impl Writer {
    pub fn new(style: Style, is_in: bool, base: Option<Url>) -> Self {
        Self {
            style,
            base,
            out: String::new(),
            breaks: 0,
            space: false,
            lead: String::new(),
            frames: Vec::new(),
            deeper: 0,
            marks: Vec::new(),
            link: None,
            hidden: 0,
            pre: 0,
            is_in,
            main: 0,
            cells: 0,
        }
    }

    /// Notes where the part of the page begins and ends that is wanted.
    pub fn enter_main(&mut self, token: &Token<'_>, main: &str) {
        match token {
            Token::Open { name, .. } if name.eq_ignore_ascii_case(main) => self.main += 1,
            Token::Close(name) if name.eq_ignore_ascii_case(main) => {
                self.main = self.main.saturating_sub(1);
            }
            _ => (),
        }
        self.is_in = self.main > 0;
    }

    pub fn take(&mut self, pace: &mut Pace, token: &Token<'_>) -> Outcome<()> {
        if !self.is_in {
            return Ok(());
        }
        match *token {
            Token::Text(text) if self.hidden == 0 => self.text(pace, text),
            Token::Text(_) | Token::Other(_) => Ok(()),
            Token::Open { name, attributes } => self.open(pace, &lower(name), attributes),
            Token::Close(name) => self.close(pace, &lower(name)),
        }
    }

    /// The text, once the page is over.
    pub fn end(mut self, pace: &mut Pace) -> Outcome<String> {
        while !self.marks.is_empty() {
            self.end_mark(pace)?;
        }
        self.end_link(pace)?;
        if self.pre > 0 && self.style == Style::Markdown {
            self.fence(pace, false)?;
        }
        let length = self.out.trim_end().len();
        self.out.truncate(length);
        Ok(self.out)
    }

    fn open(&mut self, pace: &mut Pace, name: &str, attributes: &str) -> Outcome<()> {
        if is_hidden(name) {
            self.hidden += 1;
            return Ok(());
        }
        if self.hidden > 0 {
            return Ok(());
        }
        match name {
            "br" => self.line_break(pace)?,
            "hr" => {
                self.paragraph();
                if self.style == Style::Markdown {
                    self.word(pace, "---")?;
                }
                self.paragraph();
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.paragraph();
                let level = usize::from(name.as_bytes()[1] - b'0');
                self.lead = format!("{} ", &"######"[..level]);
            }
            "ul" | "menu" | "dl" => self.enter(Frame::Bullets),
            "ol" => {
                let start = attribute(attributes, "start").and_then(|start| start.parse().ok());
                self.enter(Frame::Numbers(start.unwrap_or(1)));
            }
            "blockquote" => self.enter(Frame::Quote),
            "li" | "dt" | "dd" => self.item(),
            "pre" => {
                self.paragraph();
                if self.style == Style::Markdown && self.pre == 0 {
                    self.fence(pace, true)?;
                }
                self.pre += 1;
            }
            "tr" => {
                self.line();
                self.cells = 0;
            }
            "td" | "th" => {
                if self.cells > 0 && self.breaks == 0 {
                    self.space = true;
                    self.word(pace, "|")?;
                    self.space = true;
                }
                self.cells += 1;
            }
            "a" => {
                self.end_link(pace)?;
                if self.style == Style::Markdown
                    && let Some(address) = attribute(attributes, "href")
                {
                    self.link =
                        self.address(pace, address)?.map(|address| Link { address, start: None });
                }
            }
            "img" => self.image(pace, attributes)?,
            "b" | "strong" => self.mark("**", "**", "b"),
            "i" | "em" => self.mark("*", "*", "i"),
            "del" | "s" => self.mark("~~", "~~", "s"),
            "code" | "kbd" | "samp" | "tt" if self.pre == 0 => self.mark("`", "`", "code"),
            "option" => self.line(),
            name if is_paragraph(name) => self.paragraph(),
            name if is_line(name) => self.line(),
            _ => (),
        }
        Ok(())
    }

    fn close(&mut self, pace: &mut Pace, name: &str) -> Outcome<()> {
        if is_hidden(name) {
            self.hidden = self.hidden.saturating_sub(1);
            return Ok(());
        }
        if self.hidden > 0 {
            return Ok(());
        }
        match name {
            "ul" | "menu" | "dl" | "ol" | "blockquote" => self.leave(),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.lead.clear();
                self.paragraph();
            }
            "pre" if self.pre > 0 => {
                self.pre -= 1;
                if self.style == Style::Markdown && self.pre == 0 {
                    self.fence(pace, false)?;
                }
                self.paragraph();
            }
            "a" => self.end_link(pace)?,
            "b" | "strong" => self.end_marks(pace, "b")?,
            "i" | "em" => self.end_marks(pace, "i")?,
            "del" | "s" => self.end_marks(pace, "s")?,
            "code" | "kbd" | "samp" | "tt" => self.end_marks(pace, "code")?,
            "li" | "dt" | "dd" | "tr" => self.line(),
            name if is_paragraph(name) => self.paragraph(),
            name if is_line(name) => self.line(),
            _ => (),
        }
        Ok(())
    }

    fn text(&mut self, pace: &mut Pace, text: &str) -> Outcome<()> {
        if self.pre > 0 {
            return self.text_as_it_is(pace, text);
        }
        if text.starts_with(is_white) {
            self.space = true;
        }
        let mut is_first = true;
        for word in text.split(is_white).filter(|word| !word.is_empty()) {
            if !is_first {
                self.space = true;
            }
            is_first = false;
            self.begin(pace)?;
            self.decoded(pace, word)?;
        }
        if !is_first && text.ends_with(is_white) {
            self.space = true;
        }
        Ok(())
    }

    fn text_as_it_is(&mut self, pace: &mut Pace, text: &str) -> Outcome<()> {
        for (index, line) in text.split('\n').enumerate() {
            if index > 0 {
                // The line break after the tag is none.
                match self.out.ends_with("```\n") && self.breaks == 0 {
                    true => (),
                    false => self.breaks += 1,
                }
            }
            let line = line.strip_suffix('\r').unwrap_or(line);
            if !line.is_empty() {
                self.begin(pace)?;
                self.decoded(pace, line)?;
            }
        }
        Ok(())
    }

    fn decoded(&mut self, pace: &mut Pace, text: &str) -> Outcome<()> {
        if !text.contains(['&', '\0', '\u{1b}']) && !text.chars().any(is_noise) {
            return pace.write(&mut self.out, text);
        }
        let out = &mut self.out;
        entity::each_piece(text, |piece| {
            for part in piece.split(is_noise) {
                pace.write(out, part)?;
            }
            Ok(())
        })
    }

    /// Writes a word that is no text of the page.
    fn word(&mut self, pace: &mut Pace, word: &str) -> Outcome<()> {
        self.begin(pace)?;
        pace.write(&mut self.out, word)
    }

    /// Writes what is owed before a word.
    fn begin(&mut self, pace: &mut Pace) -> Outcome<()> {
        if self.link.is_some() && self.breaks > 0 && self.link_has_begun() {
            // A link stays in its line.
            self.breaks = 0;
            self.space = true;
        }
        if self.out.is_empty() {
            self.breaks = 0;
            self.begin_line(pace)?;
        } else if self.breaks > 0 {
            for at in 0..std::mem::take(&mut self.breaks).min(MOST_BREAKS) {
                if at > 0 {
                    self.quotes(pace)?;
                }
                pace.write(&mut self.out, "\n")?;
            }
            self.begin_line(pace)?;
        } else if self.space {
            pace.write(&mut self.out, " ")?;
        }
        self.space = false;
        if let Some(link) = self.link.as_mut().filter(|link| link.start.is_none()) {
            pace.write(&mut self.out, "[")?;
            link.start = Some(self.out.len());
        }
        for mark in self.marks.iter_mut().filter(|mark| !mark.is_written) {
            pace.write(&mut self.out, mark.open)?;
            mark.is_written = true;
        }
        Ok(())
    }

    fn link_has_begun(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.start.is_some())
    }

    /// The marks of quotations in an empty line between two paragraphs.
    fn quotes(&mut self, pace: &mut Pace) -> Outcome<()> {
        if self.style == Style::Text || !matches!(self.frames.first(), Some(Frame::Quote)) {
            return Ok(());
        }
        pace.write(&mut self.out, ">")
    }

    fn begin_line(&mut self, pace: &mut Pace) -> Outcome<()> {
        self.space = false;
        let lead = std::mem::take(&mut self.lead);
        if self.style == Style::Markdown {
            let last = self.frames.len().saturating_sub(1);
            for (index, frame) in self.frames.iter().enumerate() {
                let is_item = index == last && lead.ends_with(' ') && !lead.starts_with('#');
                match frame {
                    Frame::Quote => pace.write(&mut self.out, "> ")?,
                    // The mark of an item stands in the place of its list's.
                    _ if is_item => (),
                    Frame::Bullets => pace.write(&mut self.out, "  ")?,
                    Frame::Numbers(_) => pace.write(&mut self.out, "   ")?,
                }
            }
            pace.write(&mut self.out, &lead)?;
        }
        Ok(())
    }

    /// The next word stands in a line of its own.
    fn line(&mut self) {
        self.breaks = self.breaks.max(1);
    }

    /// The next word begins a paragraph.
    fn paragraph(&mut self) {
        // An item begins beside its mark.
        if self.lead.is_empty() {
            self.breaks = self.breaks.max(2);
        }
    }

    fn line_break(&mut self, pace: &mut Pace) -> Outcome<()> {
        pace.pay(1)?;
        self.breaks = (self.breaks + 1).min(MOST_BREAKS);
        Ok(())
    }

    fn enter(&mut self, frame: Frame) {
        match self.frames.is_empty() {
            true => self.paragraph(),
            false => self.line(),
        }
        // An item that begins with a list has no words of its own.
        self.lead.clear();
        match self.frames.len() < MOST_DEEP {
            true => self.frames.push(frame),
            false => self.deeper += 1,
        }
    }

    fn leave(&mut self) {
        match self.deeper {
            0 => drop(self.frames.pop()),
            _ => self.deeper -= 1,
        }
        self.lead.clear();
        match self.frames.is_empty() {
            true => self.paragraph(),
            false => self.line(),
        }
    }

    fn item(&mut self) {
        self.line();
        self.lead = match self.frames.last_mut() {
            Some(Frame::Numbers(number)) => {
                let lead = format!("{number}. ");
                *number = number.saturating_add(1);
                lead
            }
            _ => "- ".to_owned(),
        };
    }

    /// The line before a block of code or after it.
    fn fence(&mut self, pace: &mut Pace, is_start: bool) -> Outcome<()> {
        self.breaks = self.breaks.clamp(1, 2);
        if !is_start {
            self.breaks = 1;
        }
        self.word(pace, "```")?;
        if is_start {
            pace.write(&mut self.out, "\n")?;
        }
        Ok(())
    }

    fn mark(&mut self, open: &'static str, close: &'static str, element: &'static str) {
        let is_open = self.marks.iter().any(|mark| mark.element == element);
        if self.style == Style::Markdown && self.pre == 0 && !is_open {
            self.marks.push(Mark { open, close, element, is_written: false });
        }
    }

    /// Ends the marks of an element, and those that were begun inside of it and have no end.
    fn end_marks(&mut self, pace: &mut Pace, element: &str) -> Outcome<()> {
        if let Some(at) = self.marks.iter().position(|mark| mark.element == element) {
            while self.marks.len() > at {
                self.end_mark(pace)?;
            }
        }
        Ok(())
    }

    fn end_mark(&mut self, pace: &mut Pace) -> Outcome<()> {
        match self.marks.pop() {
            Some(mark) if mark.is_written => pace.write(&mut self.out, mark.close),
            _ => Ok(()),
        }
    }

    fn end_link(&mut self, pace: &mut Pace) -> Outcome<()> {
        let Some(Link { address, start: Some(_) }) = self.link.take() else { return Ok(()) };
        // Emphasis that was begun inside of it ends there as well.
        while self.marks.last().is_some_and(|mark| mark.is_written) {
            self.end_mark(pace)?;
        }
        pace.write(&mut self.out, "](")?;
        pace.write(&mut self.out, &address)?;
        pace.write(&mut self.out, ")")
    }

    /// Where a link leads; `None` where that says nothing.
    fn address(&self, pace: &mut Pace, written: &str) -> Outcome<Option<String>> {
        let written = written.trim();
        if written.len() > MAX_ADDRESS || written.is_empty() || written.starts_with('#') {
            return Ok(None);
        }
        pace.pay(written.len() as u64 / 4 + 8)?;
        let mut address = String::new();
        entity::each_piece(written, |piece| {
            address.extend(piece.chars().filter(|c| !c.is_control()));
            Ok(())
        })?;
        let scheme = address.split_once(':').map_or("", |(scheme, _)| scheme);
        if ["javascript", "data", "vbscript"].iter().any(|one| one.eq_ignore_ascii_case(scheme)) {
            return Ok(None);
        }
        let joined = self.base.as_ref().and_then(|base| base.join(&address).ok());
        let address = joined.map_or(address, String::from);
        // So that the link ends where it ends.
        let address = address.replace(' ', "%20").replace('(', "%28").replace(')', "%29");
        Ok(Some(address))
    }

    fn image(&mut self, pace: &mut Pace, attributes: &str) -> Outcome<()> {
        let Some(alt) = attribute(attributes, "alt").filter(|alt| !alt.trim().is_empty()) else {
            return Ok(());
        };
        // In words: what it shows is not read, and its address seldom helps.
        self.text(pace, alt)
    }
}

/// Most line breaks after each other.
const MOST_BREAKS: usize = 2;

/// What a browser takes for white space; a space that does not break stays.
fn is_white(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}')
}

/// Characters that say nothing: controls, and marks that only say where a word may break.
fn is_noise(c: char) -> bool {
    (c.is_control() && c != '\t') || matches!(c, '\u{ad}' | '\u{200b}' | '\u{feff}')
}

/// The name of an element, in small letters; a long one is none that is known.
fn lower(name: &str) -> String {
    match name.len() {
        0..=16 => name.to_ascii_lowercase(),
        _ => String::new(),
    }
}

/// What is not shown, or is no part of the text.
fn is_hidden(name: &str) -> bool {
    matches!(
        name,
        "head"
            | "script"
            | "style"
            | "template"
            | "svg"
            | "math"
            | "noscript"
            | "iframe"
            | "object"
            | "select"
            | "canvas"
            | "audio"
            | "video"
    )
}

fn is_paragraph(name: &str) -> bool {
    matches!(
        name,
        "p" | "section"
            | "article"
            | "main"
            | "table"
            | "figure"
            | "form"
            | "fieldset"
            | "details"
            | "header"
            | "footer"
            | "nav"
            | "aside"
            | "address"
    )
}

fn is_line(name: &str) -> bool {
    matches!(
        name,
        "div"
            | "caption"
            | "figcaption"
            | "summary"
            | "legend"
            | "label"
            | "center"
            | "body"
            | "thead"
            | "tbody"
    )
}
