//! Text from outside, shown so that it cannot command the terminal.
//!
//! Outputs, errors, log lines and names of objects are chosen by functions, and by all who may
//! upload. Raw escapes in them could set the clipboard or the title, clear the screen, or forge
//! lines. Here each control and formatting character becomes `\u001b` and the like, as in JSON, so
//! that JSON documents stay what they are.

use std::borrow::Cow;
use std::fmt::{self, Write};

/// Text from outside within a line: line breaks and tabs are shown, too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printable<'a>(pub(crate) &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&escaped(self.0, |character| !is_hostile(character)))
    }
}

/// Returns text of many lines, in which only line breaks and tabs are obeyed.
pub(crate) fn block(text: &str) -> Cow<'_, str> {
    escaped(text, |character| matches!(character, '\n' | '\t') || !is_hostile(character))
}

/// Returns the text of [`block`], with the colours that this command uses itself.
pub(crate) fn styled(text: &str) -> Cow<'_, str> {
    if !text.contains(ESCAPE) {
        return block(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(ESCAPE) {
        shown += &block(before);
        if let Some(end) = style(after) {
            shown.push(ESCAPE);
            shown += &after[..end];
            rest = &after[end..];
        } else {
            shown += &block("\u{1b}");
            rest = after;
        }
    }
    shown += &block(rest);
    Cow::Owned(shown)
}

const ESCAPE: char = '\u{1b}';

/// Returns the length of a colour or weight after its escape: `[31m`.
fn style(text: &str) -> Option<usize> {
    let (codes, _) = text.strip_prefix('[')?.split_once('m')?;
    let is_ours = |code: &str| {
        matches!(code.parse::<u8>(), Ok(0..=4 | 22 | 24 | 30..=37 | 39 | 90..=97))
            || code.is_empty()
    };
    codes.split(';').all(is_ours).then_some(codes.len() + 2)
}

/// Replaces each character that may not be kept.
fn escaped(text: &str, keep: impl Fn(char) -> bool) -> Cow<'_, str> {
    let Some(first) = text.find(|character| !keep(character)) else { return Cow::Borrowed(text) };
    let mut shown = text[..first].to_owned();
    for character in text[first..].chars() {
        if keep(character) {
            shown.push(character);
            continue;
        }
        match character {
            '\n' => shown += "\\n",
            '\r' => shown += "\\r",
            '\t' => shown += "\\t",
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let _ = write!(shown, "\\u{unit:04x}");
                }
            }
        }
    }
    Cow::Owned(shown)
}

/// Returns true for what Unicode counts as control or formatting, and for separators of lines.
fn is_hostile(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{600}'..='\u{605}'
                | '\u{61c}'
                | '\u{6dd}'
                | '\u{70f}'
                | '\u{890}'..='\u{891}'
                | '\u{8e2}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{110bd}'
                | '\u{110cd}'
                | '\u{13430}'..='\u{1343f}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0001}'
                | '\u{e0020}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_commands_a_terminal_is_shown_and_not_sent() {
        let cases = [
            ("plain – ✈ 日本", "plain – ✈ 日本"),
            ("\u{1b}]52;c;aGk=\u{7}", "\\u001b]52;c;aGk=\\u0007"),
            ("\u{1b}[2J", "\\u001b[2J"),
            ("\u{9b}2J", "\\u009b2J"),
            ("a\rb", "a\\rb"),
            ("a\u{202e}b\u{2066}", "a\\u202eb\\u2066"),
            ("\u{e0041}", "\\udb40\\udc41"),
            ("\u{0}\u{7f}", "\\u0000\\u007f"),
        ];
        for (text, shown) in cases {
            assert_eq!(block(text), shown);
            assert_eq!(styled(text), shown);
            assert_eq!(Printable(text).to_string(), shown);
        }
        assert_eq!(block("a\n\tb"), "a\n\tb");
        assert_eq!(Printable("a\n\tb").to_string(), "a\\n\\tb");
        assert_eq!(format!("{:>5}|{:<4}|", Printable("\u{7}"), Printable("a")), "\\u0007|a   |");
    }

    #[test]
    fn of_all_escapes_only_colours_are_sent() {
        let kept = ["\u{1b}[0m", "\u{1b}[m", "\u{1b}[1;31m", "x\u{1b}[2my\u{1b}[0m\n"];
        for text in kept {
            assert_eq!(styled(text), text);
        }
        for text in ["\u{1b}[8m", "\u{1b}[31;5m", "\u{1b}[", "\u{1b}", "\u{1b}]0;m"] {
            assert!(!styled(text).contains(ESCAPE), "{text:?}");
        }
        assert_eq!(styled("\u{1b}[31m\u{1b}[2J"), "\u{1b}[31m\\u001b[2J");
    }

    #[test]
    fn a_json_document_says_the_same_after_it() {
        let value = serde_json::json!({"a": "\u{1b}[2J\u{9b}\u{202e}\u{e0041}\n"});
        let shown = block(&value.to_string()).into_owned();
        assert!(!shown.contains('\u{9b}'), "{shown}");
        let read: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(read, value);
    }
}
