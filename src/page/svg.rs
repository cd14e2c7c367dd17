//! Drawings as SVG text. Colours are classes: the page's style knows light, dark and paper.

use std::fmt::Write as _;

/// A drawing that grows.
pub(super) struct Svg {
    body: String,
    width: f64,
    height: f64,
}

/// Where a text stands towards its point.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    /// Returns a drawing of this size, in pixels at its natural size, with nothing on it.
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self { body: String::new(), width, height }
    }

    pub(super) fn text(&mut self, (x, y): Point, anchor: Anchor, class: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        self.put(format_args!("<text x=\"{}\" y=\"{}\"{anchor} class=\"{class}\">{}</text>", n(x), n(y), escape(text)));
    }

    pub(super) fn line(&mut self, (x1, y1): Point, (x2, y2): Point, class: &str) {
        let (x1, y1, x2, y2) = (n(x1), n(y1), n(x2), n(y2));
        self.put(format_args!("<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" class=\"{class}\"/>"));
    }

    /// Draws a rectangle that tells `title` to whoever points at it.
    pub(super) fn rect(&mut self, (x, y): Point, (width, height): Point, class: &str, title: &str) {
        let (width, height) = (n(width.max(0.0)), n(height.max(0.0)));
        let open =
            format!("<rect x=\"{}\" y=\"{}\" width=\"{width}\" height=\"{height}\" class=\"{class}\"", n(x), n(y));
        self.titled(&open, "rect", title);
    }

    /// Draws a circle that tells `title` to whoever points at it.
    pub(super) fn circle(&mut self, (x, y): Point, radius: f64, class: &str, title: &str) {
        let open = format!("<circle cx=\"{}\" cy=\"{}\" r=\"{}\" class=\"{class}\"", n(x), n(y), n(radius));
        self.titled(&open, "circle", title);
    }

    /// Draws a path; `more` are attributes besides its class.
    pub(super) fn path(&mut self, d: &str, class: &str, more: &str, title: &str) {
        self.titled(&format!("<path d=\"{d}\" class=\"{class}\"{more}"), "path", title);
    }

    /// Draws a line through points.
    pub(super) fn polyline(&mut self, points: &[Point], class: &str) {
        self.path(&through(points), class, "", "");
    }

    /// Draws the area between an upper and a lower line.
    pub(super) fn band(&mut self, upper: &[Point], lower: &[Point], class: &str) {
        let around: Vec<Point> = upper.iter().chain(lower.iter().rev()).copied().collect();
        if !around.is_empty() {
            self.path(&(through(&around) + "z"), class, "", "");
        }
    }

    /// Opens a group with these attributes, until [`Self::close`].
    pub(super) fn open(&mut self, attributes: &str) {
        self.put(format_args!("<g {attributes}>"));
    }

    pub(super) fn close(&mut self) {
        self.body.push_str("</g>");
    }

    /// Returns the drawing, named `label` for who does not see it.
    pub(super) fn finish(self, class: &str, label: &str) -> String {
        let Self { body, width, height } = self;
        let (width, height, label) = (n(width), n(height), escape(label));
        let size = format!("width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\"");
        format!("<svg class=\"{class}\" {size} role=\"img\" aria-label=\"{label}\">{body}</svg>")
    }

    fn titled(&mut self, open: &str, name: &str, title: &str) {
        if title.is_empty() {
            self.put(format_args!("{open}/>"));
        } else {
            self.put(format_args!("{open}><title>{}</title></{name}>", escape(title)));
        }
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        // A String takes all that is written to it.
        let _ = self.body.write_fmt(text);
    }
}

/// A place in a drawing, or a size.
pub(super) type Point = (f64, f64);

/// Returns a path through points.
fn through(points: &[Point]) -> String {
    let mut path = String::new();
    for (at, (x, y)) in points.iter().enumerate() {
        let _ = write!(path, "{}{} {}", if at == 0 { 'M' } else { 'L' }, n(*x), n(*y));
    }
    path
}

/// Returns a coordinate with one decimal at most: a tenth of a pixel is not seen.
pub(super) fn n(value: f64) -> String {
    let text = format!("{value:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0".into() } else { text.into() }
}

/// Returns text for HTML and SVG, inside and outside of quotes.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // What XML has no characters for, and what reorders the text around it.
            c if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {
                safe.push('\u{fffd}')
            }
            c => safe.push(c),
        }
    }
    safe
}
