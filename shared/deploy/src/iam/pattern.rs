//! Patterns of policies: `*` is any text, `?` any one character, `${*}` the character itself.

/// One element of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Any,
    One,
    Is(char),
}

/// Returns true if the text matches the pattern, by letter and case.
pub(super) fn is_match(pattern: &str, text: &str) -> bool {
    let (pieces, text) = (pieces(pattern), text.chars().collect::<Vec<_>>());
    let (mut piece, mut at) = (0, 0);
    // Where the last `*` stands, and where what follows it was tried last.
    let mut retry: Option<(usize, usize)> = None;
    while at < text.len() {
        match pieces.get(piece) {
            Some(Piece::Any) => {
                retry = Some((piece, at));
                piece += 1;
            }
            Some(Piece::One) => (piece, at) = (piece + 1, at + 1),
            Some(Piece::Is(c)) if *c == text[at] => (piece, at) = (piece + 1, at + 1),
            _ => match retry {
                Some((star, from)) => {
                    retry = Some((star, from + 1));
                    (piece, at) = (star + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pieces[piece..].iter().all(|piece| *piece == Piece::Any)
}

/// Returns true if the ARN matches the pattern field by field.
///
/// A `*` does not reach from one of the first five fields into the next. Missing fields match
/// everything.
pub(super) fn is_arn_match(pattern: &str, arn: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let mut patterns = pattern.splitn(6, ':');
    let fields: Vec<_> = arn.splitn(6, ':').collect();
    fields.len() == 6
        && fields.into_iter().all(|field| is_match(patterns.next().unwrap_or("*"), field))
}

fn pieces(pattern: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let escaped = ['*', '?', '$'].into_iter().find(|c| rest.starts_with(&format!("${{{c}}}")));
        let (piece, length) = match (escaped, first) {
            (Some(c), _) => (Piece::Is(c), "${*}".len()),
            (None, '*') => (Piece::Any, 1),
            (None, '?') => (Piece::One, 1),
            (None, c) => (Piece::Is(c), c.len_utf8()),
        };
        pieces.push(piece);
        rest = &rest[length..];
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_marks_match_as_in_policies() {
        let cases = [
            ("", "", true),
            ("*", "", true),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "abcd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*/manifest.json", "runs/p/e/manifest.json", true),
            ("*ab", "aab", true),
            ("*a*b*", "xxaxxbxx", true),
            ("A", "a", false),
            ("é?", "éü", true),
            ("a${*}b", "a*b", true),
            ("a${*}b", "axb", false),
            ("a${?}", "ab", false),
            ("${$}x", "$x", true),
        ];
        for (pattern, text, wanted) in cases {
            assert_eq!(is_match(pattern, text), wanted, "`{pattern}` on `{text}`");
        }
    }

    #[test]
    fn fields_of_an_arn_match_one_by_one() {
        let function = "arn:aws:lambda:eu-west-1:123456789012:function:air-fit:7";
        let cases = [
            ("*", function, true),
            ("arn:aws:lambda:eu-west-1:123456789012:function:air-fit:*", function, true),
            ("arn:aws:lambda:eu-west-1:123456789012:function:air-fit", function, false),
            ("arn:aws:lambda:*:*:function:air-*", function, true),
            ("arn:aws:lambda:*:function:air-fit:7", function, false),
            ("arn:aws:lambda", function, true),
            ("arn:aws:s3:::air/*", "arn:aws:s3:::air/a/b:c", true),
            ("arn:aws:s3:::air", "arn:aws:s3:::air/a", false),
            ("arn:aws:s3:::AIR/*", "arn:aws:s3:::air/a", false),
            ("arn:aws:s3:::air/*", "no arn", false),
        ];
        for (pattern, arn, wanted) in cases {
            assert_eq!(is_arn_match(pattern, arn), wanted, "`{pattern}` on `{arn}`");
        }
    }
}
