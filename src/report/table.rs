//! Listings: a header, a dim rule, aligned columns, nothing else.

use anstyle::Style as Ansi;

use super::style::{Style, paint};
use super::text::{self, Align};

/// Columns left free between two columns.
const GAP: usize = 2;
/// A column is not cut below this many columns.
const NARROWEST: usize = 6;

/// One cell: text, which is escaped, and its colour.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    text: String,
    style: Ansi,
}

impl Cell {
    /// Returns the cell in a colour of the palette.
    #[must_use]
    pub fn styled(mut self, style: Ansi) -> Self {
        self.style = style;
        self
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: text::line(&text.into()), style: Ansi::new() }
    }
}

/// Rows under named columns.
#[derive(Debug)]
pub struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// Returns a table without rows.
    pub fn new(columns: impl IntoIterator<Item = (&'static str, Align)>) -> Self {
        Self { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a row: a cell for each column; missing ones stay empty, extra ones are dropped.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().take(self.columns.len()).collect());
    }

    /// Returns the lines of the table, each ending in a newline. When they would be wider than `limit`, the widest
    /// columns of words are cut; numbers never are. A column in which no row has text is left out.
    pub fn render(&self, style: &Style, limit: Option<usize>) -> String {
        let kept: Vec<usize> =
            (0..self.columns.len()).filter(|at| self.rows.is_empty() || self.has_text(*at)).collect();
        if kept.len() < self.columns.len() {
            let pick = |row: &Vec<Cell>| kept.iter().map(|at| row.get(*at).cloned().unwrap_or_default()).collect();
            let columns = kept.iter().map(|at| self.columns[*at]).collect();
            return Self { columns, rows: self.rows.iter().map(pick).collect() }.render(style, limit);
        }
        let widths = self.widths(limit);
        let header: Vec<Cell> = self.columns.iter().map(|(name, _)| Cell::from(*name).styled(style.strong)).collect();
        let rule = "─".repeat(widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1));
        let mut text = self.line(&header, &widths);
        text.push_str(&format!("{}\n", paint(style.dim, &rule)));
        for row in &self.rows {
            text.push_str(&self.line(row, &widths));
        }
        text
    }

    fn has_text(&self, column: usize) -> bool {
        self.rows.iter().filter_map(|row| row.get(column)).any(|cell| !cell.text.is_empty())
    }

    fn widths(&self, limit: Option<usize>) -> Vec<usize> {
        let widest = |(at, (name, _)): (usize, &(&str, Align))| {
            let cells = self.rows.iter().filter_map(|row| row.get(at));
            cells.map(|cell| text::width(&cell.text)).fold(text::width(name), usize::max)
        };
        let mut widths: Vec<usize> = self.columns.iter().enumerate().map(widest).collect();
        let gaps = GAP * widths.len().saturating_sub(1);
        let Some(limit) = limit else { return widths };
        while widths.iter().sum::<usize>() + gaps > limit {
            let words = (0..widths.len()).filter(|at| self.columns[*at].1 == Align::Left);
            match words.max_by_key(|at| widths[*at]) {
                Some(at) if widths[at] > NARROWEST => widths[at] -= 1,
                _ => break,
            }
        }
        widths
    }

    fn line(&self, cells: &[Cell], widths: &[usize]) -> String {
        // Nothing is padded after the last cell with text: no line ends in spaces.
        let filled = cells.iter().rposition(|cell| !cell.text.is_empty()).map_or(0, |last| last + 1);
        let mut shown = Vec::with_capacity(filled);
        for (at, (cell, (width, (_, align)))) in cells.iter().zip(widths.iter().zip(&self.columns)).enumerate() {
            let padded = text::pad(&cell.text, *width, *align);
            match at + 1 {
                next if next < filled => shown.push(paint(cell.style, &padded)),
                next if next == filled => shown.push(paint(cell.style, padded.trim_end())),
                _ => break,
            }
        }
        shown.join(&" ".repeat(GAP)) + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs() -> Table {
        let mut table = Table::new([("run", Align::Left), ("rows", Align::Right), ("note", Align::Left)]);
        table.row(["daily.2026-11-22.1".into(), "1,234,567".into(), "ok".into()]);
        table.row(["日本.2026-11-22.1".into(), "12".into(), Cell::default()]);
        table.row(["x".into(), Cell::default(), "a\u{1b}[31mlate note, much longer than the rest".into()]);
        table
    }

    #[test]
    fn columns_line_up_whatever_the_script() {
        insta::assert_snapshot!(runs().render(&Style::default(), None), @r"
        run                      rows  note
        ──────────────────────────────────────────────────────────────────────────────
        daily.2026-11-22.1  1,234,567  ok
        日本.2026-11-22.1          12
        x                              a\u{1b}[31mlate note, much longer than the rest
        ");
    }

    #[test]
    fn words_are_cut_to_the_limit_and_numbers_are_not() {
        let text = runs().render(&Style::default(), Some(40));
        assert!(text.lines().all(|line| text::width(line) <= 40));
        insta::assert_snapshot!(text, @r"
        run                  rows  note
        ────────────────────────────────────────
        daily.2026-11…  1,234,567  ok
        日本.2026-11-…         12
        x                          a\u{1b}[31ml…
        ");
    }

    #[test]
    fn no_line_ends_in_a_space() {
        let text = runs().render(&Style::default(), None);
        assert!(text.lines().all(|line| !line.ends_with(' ')));
    }
}
