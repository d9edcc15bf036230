//! Reads text files that an editor or a shell of Windows may have written.

use std::fs;
use std::path::Path;

use crate::output::error::{CommandError, OrError as _, user};

/// Reads a file in UTF-8, or in UTF-16 if it begins with a byte order mark, as pip does.
pub(super) fn read(path: &Path) -> Result<String, CommandError> {
    let bytes = fs::read(path).or_user(|| format!("could not read `{}`", path.display()))?;
    decode(&bytes).ok_or_else(|| {
        user(format!("`{}` is neither UTF-8 nor UTF-16", path.display())).hint("save it as UTF-8")
    })
}

fn decode(bytes: &[u8]) -> Option<String> {
    let units = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let (pairs, rest) = bytes.as_chunks::<2>();
        let wide: Vec<_> = pairs.iter().copied().map(unit).collect();
        String::from_utf16(&wide).ok().filter(|_| rest.is_empty())
    };
    match bytes {
        [0xFF, 0xFE, rest @ ..] => units(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => units(rest, u16::from_be_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8(rest.to_vec()).ok(),
        bytes => String::from_utf8(bytes.to_vec()).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_utf_8_and_utf_16_are_understood() {
        let text = "six==1.16.0\r\n# ä\n";
        let wide =
            |unit: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(unit).collect::<Vec<_>>();
        let forms = [
            text.as_bytes().to_vec(),
            [&[0xEF, 0xBB, 0xBF], text.as_bytes()].concat(),
            [&[0xFF, 0xFE], &*wide(u16::to_le_bytes)].concat(),
            [&[0xFE, 0xFF], &*wide(u16::to_be_bytes)].concat(),
        ];
        for bytes in forms {
            assert_eq!(decode(&bytes).as_deref(), Some(text));
        }
        for wrong in [&[0xFF, 0xFE, 0x41][..], &[0x80], &[0xFF, 0xFE, 0x00, 0xD8]] {
            assert_eq!(decode(wrong), None);
        }
    }
}
