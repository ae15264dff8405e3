//! Doc comments: a space before the text, and descriptions of tags on a line of their own.

use super::comment_of;
use super::same::is_doc;
use super::scan::Line;

/// What stands between a tag and a description in the same line.
pub(super) const DASHES: [&str; 3] = ["-", "–", "—"];

/// The tags that have descriptions.
const DESCRIBED: [&str; 5] = ["@param", "@returns", "@request", "@request?", "@channel"];

/// The lines with a space before the text of each doc comment. Where one line of a comment has none, all
/// of it moves: what stands deeper belongs to what stands above it.
pub(super) fn spaced(lines: Vec<Line<'_>>) -> Vec<Line<'_>> {
    let is_doc_line = |line: &Line<'_>| comment_of(line).is_some_and(is_doc);
    let mut all: Vec<Line<'_>> = Vec::with_capacity(lines.len());
    let mut first = 0;
    for line in lines {
        if line.gap > 0 || !is_doc_line(&line) {
            space_out(&mut all[first..]);
            first = all.len();
        }
        let is_code = !is_doc_line(&line);
        all.push(line);
        if is_code {
            first = all.len();
        }
    }
    space_out(&mut all[first..]);
    all
}

/// Puts a space before each text of one comment, where a line of it has none.
fn space_out(comment: &mut [Line<'_>]) {
    let mut texts = comment.iter().filter_map(comment_of).map(|comment| &comment[3..]);
    if !texts.any(|text| !text.is_empty() && !text.starts_with([' ', '\t'])) {
        return;
    }
    for line in comment {
        if let [only] = line.pieces.as_mut_slice()
            && only.text.len() > 3
        {
            // A text that is longer cannot be borrowed: the mark and the rest become two pieces.
            let (mark, rest) = only.text.split_at(3);
            only.text = mark;
            let rest = super::scan::Piece { text: rest, space: 1, ..*only };
            line.pieces.push(rest);
        }
    }
}

/// Moves descriptions that stand behind a tag to the line below it. Only the grammar of tags knows which
/// dash begins one, so the first of each is tried, then the others one by one: `is_same` says whether
/// the script still means what it did.
pub(super) fn move_descriptions(text: &str, most: usize, is_same: impl Fn(&str) -> bool) -> String {
    let tags = candidates(text);
    if tags.is_empty() {
        return text.to_owned();
    }
    let first: Vec<_> = tags.iter().filter_map(|tag| tag.first().copied()).collect();
    let all = moved(text, &first);
    if is_same(&all) {
        return all;
    }
    let mut tried = 0;
    let mut chosen: Vec<Place> = Vec::new();
    for tag in &tags {
        for place in tag {
            if tried == most {
                return moved(text, &chosen);
            }
            tried += 1;
            chosen.push(*place);
            if is_same(&moved(text, &chosen)) {
                break;
            }
            chosen.pop();
        }
    }
    moved(text, &chosen)
}

/// A dash that may begin a description.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// The line of the tag, from 0.
    line: usize,
    /// The byte in the line where the tag's own words end.
    end: usize,
    /// The byte where the description begins.
    start: usize,
}

/// For each tag in a doc comment, every dash in its line.
fn candidates(text: &str) -> Vec<Vec<Place>> {
    let mut found = Vec::new();
    for (line, text) in text.lines().enumerate() {
        let comment = text.trim_start();
        if !is_doc(comment) {
            continue;
        }
        let tag = comment[3..].trim_start();
        let name = tag.split(char::is_whitespace).next().unwrap_or_default();
        if !DESCRIBED.contains(&name) {
            continue;
        }
        let dashes = DASHES.iter().flat_map(|dash| {
            let dash = format!(" {dash} ");
            let places = text.match_indices(&dash).map(|(at, dash)| (at, at + dash.len()));
            places.collect::<Vec<_>>()
        });
        let mut places: Vec<_> = dashes
            .filter(|(_, start)| !text[*start..].trim().is_empty())
            .map(|(end, start)| Place { line, end, start })
            .collect();
        places.sort_by_key(|place| place.end);
        if !places.is_empty() {
            found.push(places);
        }
    }
    found
}

fn moved(text: &str, places: &[Place]) -> String {
    let mut out = String::with_capacity(text.len() + places.len() * 16);
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for (index, line) in lines.iter().enumerate() {
        let Some(place) = places.iter().find(|place| place.line == index) else {
            out.push_str(line);
            continue;
        };
        let end = &line[line.trim_end_matches(['\r', '\n']).len()..];
        let (lead, indent) = margin(line);
        // What stands below already says how deep descriptions of this tag stand.
        let below = lines[index + 1..].iter().map(|line| (margin(line), text_in(line)));
        let below = below.take_while(|((_, deep), text)| {
            text.is_some_and(|text| text.trim().is_empty() || *deep > indent)
        });
        let deep = below
            .filter(|(_, text)| text.is_some_and(|text| !text.trim().is_empty()))
            .map(|((_, deep), _)| deep)
            .min();
        out.push_str(line[..place.end].trim_end());
        out.push_str(if end.is_empty() { "\n" } else { end });
        out.push_str(lead);
        out.extend(std::iter::repeat_n(' ', deep.unwrap_or(indent + 2)));
        out.push_str(line[place.start..].trim());
        out.push_str(end);
    }
    out
}

/// What a line of a doc comment begins with, up to its mark, and the spaces behind that.
fn margin(line: &str) -> (&str, usize) {
    let Some(text) = text_in(line) else { return ("", 0) };
    let mark = &line[..line.len() - text.len()];
    (mark, text.len() - text.trim_start_matches(' ').len())
}

/// The text of a line of a doc comment.
fn text_in(line: &str) -> Option<&str> {
    let comment = line.trim_start();
    is_doc(comment).then(|| &comment[3..])
}
