//! Converts byte offsets into lines and columns.

/// The starts of the lines of a text. A line ends at LF, CR LF, or CR.
#[derive(Debug)]
pub(super) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let bytes = text.as_bytes();
        let ends = bytes.iter().enumerate().filter(|(at, byte)| match byte {
            b'\n' => true,
            b'\r' => bytes.get(at + 1) != Some(&b'\n'),
            _ => false,
        });
        let starts = std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// Returns line and column of a byte, both from 1, the column in characters. An offset past the
    /// end is the end.
    pub(super) fn place(&self, offset: usize) -> (usize, usize) {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts[line - 1];
        (line, self.text[start..offset].chars().count() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_every_line_ending_ends_a_line() {
        let lines = Lines::new("é{\r\n  \"ü\" x\ry\nz");
        assert_eq!(lines.place(0), (1, 1));
        assert_eq!(lines.place(2), (1, 2));
        assert_eq!(lines.place(12), (2, 7));
        assert_eq!(lines.place(14), (3, 1));
        assert_eq!(lines.place(16), (4, 1));
        assert_eq!(lines.place(99), (4, 2));
        assert_eq!(lines.place(1), (1, 1));
        assert_eq!(Lines::new("").place(0), (1, 1));
    }
}
