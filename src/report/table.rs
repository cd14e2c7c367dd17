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

/// How answers are laid out for people.
#[derive(Clone, Copy, Debug, Default)]
pub struct Layout {
    /// The colours.
    pub style: Style,
    /// The columns of the terminal; `None` when it is none: nothing is cut then.
    pub width: Option<usize>,
}

/// One cell: text, which is escaped, and its colour.
#[derive(Clone, Debug, Default)]
pub struct TextCell {
    text: String,
    style: Ansi,
    /// Whether its column holds numbers: to the right, and never cut.
    number: bool,
}

impl TextCell {
    /// Returns a cell of a column that holds numbers.
    pub fn number(text: impl Into<String>) -> Self {
        Self { number: true, ..text.into().into() }
    }

    /// Returns a cell with a value of a table: what looks like a secret is shown in it.
    pub(super) fn value(text: &str, number: bool) -> Self {
        Self { text: text::escape(text), style: Ansi::new(), number }
    }

    /// Returns the cell in a colour of the palette.
    #[must_use]
    pub fn styled(self, style: Ansi) -> Self {
        Self { style, ..self }
    }
}

impl<T: Into<String>> From<T> for TextCell {
    fn from(text: T) -> Self {
        Self { text: text::line(&text.into()), style: Ansi::new(), number: false }
    }
}

impl Layout {
    /// Returns the lines of a table, each ending in a newline. A column in which no row has text is left out.
    pub fn table<const N: usize>(&self, columns: [&str; N], rows: impl IntoIterator<Item = [TextCell; N]>) -> String {
        let rows: Vec<[TextCell; N]> = rows.into_iter().collect();
        let has_text = |at: &usize| rows.is_empty() || rows.iter().any(|row| !row[*at].text.is_empty());
        let shown: Vec<usize> = (0..N).filter(has_text).collect();
        let names: Vec<&str> = shown.iter().map(|at| columns[*at]).collect();
        self.whole_table(&names, rows.iter().map(|row| shown.iter().map(|at| row[*at].clone()).collect()))
    }

    /// Returns the lines of a table with all its columns. When they would be wider than the terminal, the widest columns
    /// of words are cut.
    pub(super) fn whole_table(&self, columns: &[&str], rows: impl Iterator<Item = Vec<TextCell>>) -> String {
        let header = columns.iter().map(|name| TextCell::from(*name).styled(self.style.strong)).collect();
        let rows: Vec<Vec<TextCell>> = std::iter::once(header).chain(rows).collect();
        let words: Vec<bool> = (0..columns.len()).map(|at| rows.iter().all(|row| !row[at].number)).collect();
        let mut table = Builder::from_iter(rows.iter().map(|row| row.iter().map(|cell| cell.text.as_str()))).build();
        table.with(Borders::empty().horizontals([(1, HorizontalLine::new('─'))]));
        table.with(Padding::new(0, GAP, 0, 0)).modify(Columns::last(), Padding::zero());
        for column in (0..columns.len()).filter(|column| !words[*column]) {
            table.modify(Columns::one(column), Alignment::right());
        }
        if let Some(limit) = self.width {
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
        let dim = self.style.dim;
        lines.map(|(at, line)| if at == 1 { paint(dim, line) } else { line.to_string() } + "\n").collect()
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

    fn runs(width: Option<usize>) -> String {
        let rows: [[TextCell; 4]; 3] = [
            ["daily.2026-11-22.1".into(), TextCell::number("1,234,567"), "".into(), "ok".into()],
            ["日本.2026-11-22.1".into(), TextCell::number("12"), "".into(), TextCell::default()],
            ["x".into(), TextCell::default(), "".into(), "a\u{1b}[31mlate note, much longer than the rest".into()],
        ];
        Layout { width, ..Layout::default() }.table(["run", "rows", "never", "note"], rows)
    }

    #[test]
    fn columns_line_up_whatever_the_script() {
        insta::assert_snapshot!(runs(None), @r"
        run                      rows  note
        ──────────────────────────────────────────────────────────────────────────────
        daily.2026-11-22.1  1,234,567  ok
        日本.2026-11-22.1          12
        x                              a\u{1b}[31mlate note, much longer than the rest
        ");
    }

    #[test]
    fn words_are_cut_to_the_limit_and_numbers_are_not() {
        let text = runs(Some(40));
        assert!(text.lines().all(|line| console::measure_text_width(line) <= 40));
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
        let text = runs(None);
        assert!(text.lines().all(|line| !line.ends_with(' ')));
    }
}
