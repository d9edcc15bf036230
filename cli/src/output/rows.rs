//! Tables without lines, one row a line, that fit the screen.

use comfy_table::{Table, presets};
use console::measure_text_width;

use super::screen::{Screen, cut};

/// The least width of a column that is cut.
const LEAST: usize = 12;

/// What comfy-table puts around each cell.
const PADDING: usize = 2;

/// A table. A cell shows the first line of its text.
#[derive(Debug)]
pub(crate) struct Rows {
    header: Vec<&'static str>,
    /// Columns that may be cut, the first one first.
    flexible: Vec<usize>,
    lines: Vec<Vec<String>>,
    failed: Vec<usize>,
}

impl Rows {
    /// Returns an empty table. If it is too wide, the columns of `flexible` are cut in this order.
    pub(crate) fn new(header: &[&'static str], flexible: &[usize]) -> Self {
        Self {
            header: header.to_vec(),
            flexible: flexible.to_vec(),
            lines: Vec::new(),
            failed: Vec::new(),
        }
    }

    /// Adds a row.
    pub(crate) fn add(&mut self, row: impl IntoIterator<Item = String>) {
        let first_line = |text: String| text.lines().next().unwrap_or_default().to_owned();
        self.lines.push(row.into_iter().map(first_line).collect());
    }

    /// Adds a row that stands out.
    pub(crate) fn add_failed(&mut self, row: impl IntoIterator<Item = String>) {
        self.failed.push(self.lines.len());
        self.add(row);
    }

    /// Returns the table as lines of at most the screen's width.
    pub(crate) fn text(&self, screen: Screen) -> String {
        let widths = self.widths(screen);
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(self.header.clone());
        for row in &self.lines {
            table.add_row(row.iter().zip(&widths).map(|(cell, width)| cut(cell, *width)));
        }
        let text = table.to_string();
        let mut shown = Vec::new();
        for (place, line) in text.lines().enumerate() {
            let line = line.trim_end();
            let is_failed = place.checked_sub(1).is_some_and(|row| self.failed.contains(&row));
            shown.push(if is_failed { screen.failure(line) } else { line.to_owned() } + "\n");
        }
        shown.concat()
    }

    /// Returns the width of each column.
    fn widths(&self, screen: Screen) -> Vec<usize> {
        let mut widths: Vec<_> = self.header.iter().map(|name| measure_text_width(name)).collect();
        let least = widths.clone();
        for row in &self.lines {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(measure_text_width(cell));
            }
        }
        let total = widths.iter().map(|width| width + PADDING).sum::<usize>();
        // The last column needs no blank behind it.
        let mut over = screen.columns().map_or(0, |columns| (total - 1).saturating_sub(columns));
        for column in &self.flexible {
            let spare = widths[*column].saturating_sub(least[*column].max(LEAST));
            let taken = spare.min(over);
            widths[*column] -= taken;
            over -= taken;
        }
        widths
    }
}
