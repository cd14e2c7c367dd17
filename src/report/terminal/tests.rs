//! What is on the screen while and after the bars are there.

use std::io::Write;

use indicatif::{InMemoryTerm, TermLike as _};

use super::*;
use crate::report::testing::{fetching, packaging, reading, story};

/// Writes lines where the bars are drawn.
struct Lines(InMemoryTerm);

impl Write for Lines {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        // The tty driver adds the carriage returns.
        self.0.write_str(&String::from_utf8_lossy(text).replace('\n', "\r\n"))?;
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What a terminal of `columns` x 12 shows after the events: while the listener is there, and after it is gone.
fn screens(columns: u16, events: impl IntoIterator<Item = Event>) -> (String, String) {
    let screen = InMemoryTerm::new(12, columns);
    let target = ProgressDrawTarget::term_like(Box::new(screen.clone()));
    let mut terminal = Terminal::new(target, Style::default(), Outlet(Some(Box::new(Lines(screen.clone())))));
    events.into_iter().for_each(|event| terminal.emit(event));
    let during = screen.contents();
    drop(terminal);
    (neutral(&during), neutral(&screen.contents()))
}

/// Clocks and spinners stand wherever they stand.
fn neutral(screen: &str) -> String {
    let screen = SPINNER[..10].iter().fold(screen.to_string(), |screen, at| screen.replace(at, "*"));
    regex::Regex::new(r"\d+\.\d s").unwrap().replace_all(&screen, "N.N s").into_owned()
}

#[test]
fn an_installation_shows_bytes_and_the_package() {
    let (during, after) = screens(79, story().into_iter().take(4));
    insta::assert_snapshot!(during);
    assert_eq!(after, "ingested 3 pages (questions 2, tags 1) into file:///r");
    let (during, _) = screens(49, story().into_iter().skip(1).take(3));
    insta::assert_snapshot!(during);
}

#[test]
fn packaging_shows_how_many_packages_are_there_and_leaves_a_line() {
    insta::assert_snapshot!(screens(79, packaging().into_iter().take(3)).0);
    insta::assert_snapshot!(screens(79, packaging()).1);
}

#[test]
fn a_file_being_read_shows_bytes_and_rows_and_leaves_a_line() {
    insta::assert_snapshot!(screens(79, reading().into_iter().take(3)).0);
    insta::assert_snapshot!(screens(79, reading()).1);
}

#[test]
fn an_upload_shows_bytes_and_leaves_a_line() {
    let at = |done| Event::Uploading { what: "code".into(), done, total: 40_000 };
    insta::assert_snapshot!(screens(79, [at(20_000)]).0);
    insta::assert_snapshot!(screens(79, [at(20_000), at(40_000)]).1);
}

#[test]
fn pages_of_the_api_are_counted_with_what_is_left_of_the_quota() {
    insta::assert_snapshot!(screens(79, fetching().into_iter().take(2)).0);
    insta::assert_snapshot!(screens(79, fetching()).1);
}

#[test]
fn a_run_shows_what_has_ended_what_runs_and_how_far_it_is() {
    let (during, dropped) = screens(79, story().into_iter().skip(7).take(6));
    insta::assert_snapshot!(during);
    insta::assert_snapshot!(dropped);
}

#[test]
fn finished_lines_and_warnings_stay() {
    insta::assert_snapshot!(screens(79, story()).1);
}

#[test]
fn long_lines_wrap_and_are_drawn_over_all_the_same() {
    let (during, after) = screens(40, story().into_iter().skip(7));
    assert_eq!(during, after);
    insta::assert_snapshot!(after);
}

#[test]
fn nothing_to_do_leaves_nothing() {
    let mut events = story().split_off(7);
    events.retain(|event| matches!(event, Event::RunStarted { .. } | Event::RunFinished { .. }));
    if let Event::RunStarted { steps, .. } = &mut events[0] {
        steps.iter_mut().for_each(|step| step.action = "up-to-date".into());
    }
    assert_eq!(screens(79, events).0, "");
}

#[test]
fn no_colour_leaves_no_trace() {
    let screen = InMemoryTerm::new(12, 79);
    let target = ProgressDrawTarget::term_like(Box::new(screen.clone()));
    let mut terminal = Terminal::new(target, Style::default(), Outlet(Some(Box::new(Lines(screen.clone())))));
    story().into_iter().take(12).for_each(|event| terminal.emit(event));
    drop(terminal);
    assert!(!screen.moves_since_last_check().contains("\\u{1b}"));
}
