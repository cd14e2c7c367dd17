//! Colours, as values that are either filled or empty. Nothing here reads the environment.

use anstyle::{AnsiColor, Style as Ansi};

/// The colours of everything soflow writes. The default has none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// Headings, and the id of a run.
    pub strong: Ansi,
    /// What can be skipped: rules, units, steps that wait.
    pub dim: Ansi,
    /// Done.
    pub good: Ansi,
    /// Failed; the word `error:`.
    pub bad: Ansi,
    /// The word `warning:`, rows set aside.
    pub warning: Ansi,
    /// What moves: the spinner and the bar.
    pub active: Ansi,
    /// Commands to type; the word `hint:`.
    pub command: Ansi,
}

impl Style {
    /// Returns the palette, or none of it.
    pub fn new(colour: bool) -> Self {
        if !colour {
            return Self::default();
        }
        Self {
            strong: Ansi::new().bold(),
            dim: Ansi::new().dimmed(),
            good: AnsiColor::Green.on_default(),
            bad: AnsiColor::Red.on_default().bold(),
            warning: AnsiColor::Yellow.on_default(),
            active: AnsiColor::Cyan.on_default(),
            command: AnsiColor::Cyan.on_default(),
        }
    }
}

/// Returns `text` in `style`, closed again at its end.
pub fn paint(style: Ansi, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_palette_leaves_no_trace() {
        assert_eq!(paint(Style::new(false).bad, "x"), "x");
        assert_eq!(paint(Style::new(true).strong, "x"), "\u{1b}[1mx\u{1b}[0m");
    }
}
