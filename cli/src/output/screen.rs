//! What the reader of a stream can be shown: how wide it is, and whether it has colours.

use std::os::fd::AsFd;

use console::{Term, measure_text_width};

/// The end of a text that was cut.
const ELLIPSIS: char = '…';

/// The width and the colours of a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    /// The columns of a line. Without a number nothing is cut.
    columns: Option<usize>,
    has_color: bool,
}

impl Screen {
    /// Returns what stdout can show.
    ///
    /// `COLUMNS` decides about the width, then the terminal. Text for a file or a pipe is not cut,
    /// and neither is text that the user wants whole (`--wide`).
    pub(crate) fn of_stdout(is_wide: bool) -> Self {
        Self::new(&Term::stdout(), console::colors_enabled(), is_wide)
    }

    /// Returns what stderr can show.
    pub(crate) fn of_stderr(is_wide: bool) -> Self {
        Self::new(&Term::stderr(), console::colors_enabled_stderr(), is_wide)
    }

    fn new(term: &Term, has_color: bool, is_wide: bool) -> Self {
        let given = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
        let own = || term.size_checked().map(|(_, columns)| usize::from(columns));
        let columns = given.or_else(own).filter(|columns| *columns > 0 && !is_wide);
        Self { columns, has_color }
    }

    /// Returns the columns of a line, if there is a limit.
    pub(crate) fn columns(self) -> Option<usize> {
        self.columns
    }

    /// Returns a line as long as the screen is wide, in red where colours are.
    pub(crate) fn failure(self, line: &str) -> String {
        if self.has_color { format!("\u{1b}[31m{line}\u{1b}[0m") } else { line.to_owned() }
    }

    /// Returns the line, cut to the width of the screen.
    pub(crate) fn fit(self, line: &str) -> String {
        self.columns.map_or_else(|| line.to_owned(), |columns| cut(line, columns))
    }
}

/// Cuts a text to at most `columns`, at the end of a word where there is one.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if measure_text_width(text) <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(1);
    let (mut end, mut width) = (0, 0);
    for (at, letter) in text.char_indices() {
        width += measure_text_width(letter.encode_utf8(&mut [0; 4]));
        if width > room {
            break;
        }
        end = at + letter.len_utf8();
    }
    let head = &text[..end];
    let is_word_end = text[end..].starts_with(char::is_whitespace);
    // A word that fills half of the room is cut, because too little would be left without it.
    let words = head.rfind(char::is_whitespace).filter(|at| !is_word_end && *at >= end / 2);
    let kept = words.map_or(head, |at| &head[..at]);
    format!("{}{ELLIPSIS}", kept.trim_end_matches([' ', ',', ';', ':']))
}

/// Returns true if stdout and stderr go to one place, so that their reader sees both.
pub(crate) fn is_one_stream() -> bool {
    let place = |fd: std::os::fd::BorrowedFd<'_>| {
        rustix::fs::fstat(fd).ok().map(|file| (file.st_dev, file.st_ino))
    };
    let out = place(std::io::stdout().as_fd());
    out.is_some() && out == place(std::io::stderr().as_fd())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_the_end_of_a_word() {
        let cases = [
            ("short", 5, "short"),
            ("one two three", 13, "one two three"),
            ("one two three", 12, "one two…"),
            ("one two three", 8, "one two…"),
            ("one two, three", 9, "one two…"),
            ("abcdefghijkl", 6, "abcde…"),
            ("a bcdefghijkl", 8, "a bcdef…"),
            ("日本語の文", 5, "日本…"),
            ("ab", 1, "…"),
            ("", 0, ""),
        ];
        for (text, columns, cut_text) in cases {
            let found = cut(text, columns);
            assert_eq!(found, cut_text, "{text} in {columns}");
            assert!(measure_text_width(&found) <= columns.max(1), "{text} in {columns}");
        }
    }
}
