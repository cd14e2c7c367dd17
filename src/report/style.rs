//! Colours, as values that are either filled or empty. Nothing here reads the environment.

use anstyle::{AnsiColor, Style as Ansi};

/// What `--color` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorChoice {
    /// Colours on a terminal, unless the environment says otherwise.
    #[default]
    Auto,
    /// Colours even into a pipe.
    Always,
    /// No colours.
    Never,
}

/// Everything that decides about colours, gathered by the caller.
#[derive(Clone, Copy, Debug, Default)]
pub struct ColorInputs {
    /// The flag `--color`. It outranks the environment.
    pub choice: ColorChoice,
    /// `NO_COLOR` is set and not empty.
    pub no_color: bool,
    /// `CLICOLOR_FORCE` is set, neither empty nor `0`.
    pub force: bool,
    /// What [`is_dumb`] says of `TERM`.
    pub dumb: bool,
    /// The stream is a terminal.
    pub terminal: bool,
}

impl ColorInputs {
    /// Returns whether to colour: the flag, then `NO_COLOR`, then `CLICOLOR_FORCE`, then what the stream is.
    pub const fn decide(self) -> bool {
        match self.choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => !self.no_color && (self.force || (self.terminal && !self.dumb)),
        }
    }
}

/// Returns whether a terminal cannot move its cursor, by its `TERM`: that of an editor, a serial line, or one that says
/// nothing of itself. Source: terminfo's entries `dumb` and `unknown`.
pub fn is_dumb(term: Option<&str>) -> bool {
    matches!(term, None | Some("" | "dumb" | "unknown"))
}

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
    pub const fn new(colour: bool) -> Self {
        let none = Ansi::new();
        if !colour {
            let (strong, dim, good, bad, warning) = (none, none, none, none, none);
            return Self { strong, dim, good, bad, warning, active: none, command: none };
        }
        Self {
            strong: none.bold(),
            dim: none.dimmed(),
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
    fn the_flag_outranks_the_environment_which_outranks_the_stream() {
        let tty = ColorInputs { terminal: true, ..ColorInputs::default() };
        assert!(tty.decide());
        assert!(!ColorInputs::default().decide(), "a pipe");
        assert!(!ColorInputs { dumb: true, ..tty }.decide());
        assert!(is_dumb(None) && is_dumb(Some("dumb")) && is_dumb(Some("")) && !is_dumb(Some("xterm")));
        assert!(!ColorInputs { no_color: true, force: true, ..tty }.decide());
        assert!(ColorInputs { force: true, ..ColorInputs::default() }.decide());
        assert!(ColorInputs { choice: ColorChoice::Always, no_color: true, ..ColorInputs::default() }.decide());
        assert!(!ColorInputs { choice: ColorChoice::Never, force: true, ..tty }.decide());
    }

    #[test]
    fn an_empty_palette_leaves_no_trace() {
        assert_eq!(paint(Style::new(false).bad, "x"), "x");
        assert_eq!(paint(Style::new(true).strong, "x"), "\u{1b}[1mx\u{1b}[0m");
    }
}
