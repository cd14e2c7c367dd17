//! Listings: a header, a dim rule, aligned columns, nothing else. Laid out by `tabled`.

use anstyle::Style as Ansi;
use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::peaker::Peaker;
use tabled::settings::style::{HorizontalLine, Style as Borders};
use tabled::settings::{Alignment, Color, Padding, Width};

use super::style::{Style, paint};
use super::text;

/// Columns left free between two columns.
const GAP: usize = 2;
/// A column of words is not cut below this width.
const NARROWEST: usize = 8;

/// One cell: text, which is escaped, and its colour.
#[derive(Clone, Debug, Default)]
pub struct TextCell {
    text: String,
    style: Ansi,
}

impl TextCell {
    /// Returns a cell with a value of a table: what looks like a secret is shown in it.
    pub fn value(text: &str) -> Self {
        Self { text: text::escape(text), style: Ansi::new() }
    }

    /// Returns the cell in a colour of the palette.
    #[must_use]
    pub fn styled(mut self, style: Ansi) -> Self {
        self.style = style;
        self
    }
}

impl<T: Into<String>> From<T> for TextCell {
    fn from(text: T) -> Self {
        Self { text: text::line(&text.into()), style: Ansi::new() }
    }
}

/// Rows under named columns.
#[derive(Debug)]
pub struct TextTable {
    columns: Vec<String>,
    /// For each column whether it holds numbers: to the right, and never cut.
    pub(super) numbers: Vec<bool>,
    rows: Vec<Vec<TextCell>>,
    /// Whether to show columns without text too.
    whole: bool,
}

impl TextTable {
    /// Returns a table without rows; all columns hold words.
    pub fn new<'a>(columns: impl IntoIterator<Item = &'a str>) -> Self {
        let columns: Vec<String> = columns.into_iter().map(String::from).collect();
        Self { numbers: vec![false; columns.len()], columns, rows: Vec::new(), whole: false }
    }

    /// Returns the table with numbers in the columns of these names.
    #[must_use]
    pub fn numbers<const N: usize>(self, names: [&str; N]) -> Self {
        let numbers = self.columns.iter().map(|name| names.contains(&name.as_str())).collect();
        Self { numbers, ..self }
    }

    /// Returns the table with columns shown in which no row has text.
    #[must_use]
    pub fn whole(self) -> Self {
        Self { whole: true, ..self }
    }

    /// Adds a row: a cell for each column; missing ones stay empty, extra ones are dropped.
    pub fn row(&mut self, cells: impl IntoIterator<Item = TextCell>) {
        let mut row: Vec<TextCell> = cells.into_iter().take(self.columns.len()).collect();
        row.resize(self.columns.len(), TextCell::default());
        self.rows.push(row);
    }

    /// Returns the lines of the table, each ending in a newline. When they would be wider than `limit`, the widest
    /// columns of words are cut; numbers never are. A column in which no row has text is left out.
    pub fn render(&self, style: &Style, limit: Option<usize>) -> String {
        let shown = self.shown();
        let header = |at: &usize| TextCell::from(self.columns[*at].as_str()).styled(style.strong);
        let mut rows: Vec<Vec<TextCell>> = vec![shown.iter().map(header).collect()];
        rows.extend(self.rows.iter().map(|row| shown.iter().map(|at| row[*at].clone()).collect()));
        let mut table = Builder::from_iter(rows.iter().map(|row| row.iter().map(|cell| cell.text.as_str()))).build();
        table.with(Borders::empty().horizontals([(1, HorizontalLine::new('─'))]));
        table.with(Padding::new(0, GAP, 0, 0)).modify(Columns::last(), Padding::zero());
        for column in (0..shown.len()).filter(|column| self.numbers[shown[*column]]) {
            table.modify(Columns::one(column), Alignment::right());
        }
        if let Some(limit) = limit {
            let words = shown.iter().map(|at| !self.numbers[*at]).collect();
            table.with(Width::truncate(limit).suffix("…").priority(WidestWords(words)));
        }
        for (at, row) in rows.iter().enumerate() {
            for (column, cell) in row.iter().enumerate().filter(|(_, cell)| !cell.style.is_plain()) {
                let (on, off) = (cell.style.render().to_string(), cell.style.render_reset().to_string());
                table.modify((at, column), Color::new(on, off));
            }
        }
        // Where half of a wide character would be left, `tabled` puts a sign.
        let text = table.to_string().replace("\u{fffd}…", "… ");
        let lines = text.lines().map(str::trim_end).enumerate();
        lines.map(|(at, line)| if at == 1 { paint(style.dim, line) } else { line.to_string() } + "\n").collect()
    }

    /// Returns which columns to show.
    fn shown(&self) -> Vec<usize> {
        let has_text = |at: &usize| self.rows.iter().any(|row| !row[*at].text.is_empty());
        (0..self.columns.len()).filter(|at| self.whole || self.rows.is_empty() || has_text(at)).collect()
    }
}

/// Which column to narrow next: the widest of those that hold words.
#[derive(Clone, Debug)]
struct WidestWords(Vec<bool>);

impl Peaker for WidestWords {
    fn peak(&mut self, _: &[usize], widths: &[usize]) -> Option<usize> {
        let last = widths.len().saturating_sub(1);
        let text = |at: &usize| if *at == last { widths[*at] } else { widths[*at].saturating_sub(GAP) };
        (0..widths.len()).filter(|at| self.0[*at] && text(at) > NARROWEST).max_by_key(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs() -> TextTable {
        let mut table = TextTable::new(["run", "rows", "note"]).numbers(["rows"]);
        table.row(["daily.2026-11-22.1".into(), "1,234,567".into(), "ok".into()]);
        table.row(["日本.2026-11-22.1".into(), "12".into(), TextCell::default()]);
        table.row(["x".into(), TextCell::default(), "a\u{1b}[31mlate note, much longer than the rest".into()]);
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
