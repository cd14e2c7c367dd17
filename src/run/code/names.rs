//! What a Python file names: modules that it imports, and texts that may be paths of files.

use std::collections::BTreeSet;

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, InterpolatedStringElement, Mod, Stmt};
use ruff_python_parser::{Mode, ParseOptions, parse_unchecked};

/// The part of a module's name that stands for all modules of a package: `from package import *`.
pub const ALL: &str = "*";

/// Stands in a text for what is computed.
const COMPUTED: char = '*';

/// The most brackets within each other that are parsed. Source: MAXLEVEL of CPython's tokenizer, which refuses more.
const MOST_NESTED: usize = 200;

/// The longest text that may be a path, in bytes. Source: NAME_MAX of Linux.
const LONGEST_NAME: usize = 255;

/// What imports a module or a file whose name is its first argument.
const IMPORTERS: &[&str] = &["import_module", "__import__"];

/// What imports, or makes it possible to import, what is named nowhere.
const LOADERS: &[&str] = &[
    "run_path",
    "run_module",
    "walk_packages",
    "iter_modules",
    "spec_from_file_location",
    "SourceFileLoader",
    "addsitedir",
];

/// A module that may be imported.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Module {
    /// How many dots it begins with: 0 is absolute.
    pub level: usize,
    /// The words between the dots.
    pub parts: Vec<String>,
}

impl Module {
    fn new(level: usize, dotted: &str, more: Option<&str>) -> Self {
        let parts = dotted.split('.').filter(|part| !part.is_empty()).chain(more);
        Self { level, parts: parts.map(str::to_string).collect() }
    }
}

/// What a Python file names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The modules it may import.
    pub modules: BTreeSet<Module>,
    /// The texts in it that may be paths.
    pub texts: BTreeSet<String>,
    /// Whether more may be imported than can be seen: from a path or by a name that is computed, or since the file
    /// cannot be parsed.
    pub computed: bool,
}

impl Names {
    /// Returns what `source` names.
    pub fn of(source: &str) -> Self {
        let mut names = Self::default();
        if nesting(source) > MOST_NESTED {
            names.computed = true;
            return names;
        }
        let parsed = parse_unchecked(source, ParseOptions::from(Mode::Module));
        names.computed = parsed.has_invalid_syntax();
        if let Mod::Module(module) = parsed.syntax() {
            names.visit_body(&module.body);
        }
        names
    }

    fn text(&mut self, text: &str) {
        let fits = !text.is_empty() && text.len() <= LONGEST_NAME && !text.contains("://");
        if fits && !text.chars().any(char::is_control) {
            self.texts.insert(text.to_string());
        }
    }

    fn call(&mut self, function: &str, first: Option<&Expr>) {
        if LOADERS.contains(&function) {
            self.computed = true;
        } else if IMPORTERS.contains(&function) {
            match first {
                Some(Expr::StringLiteral(literal)) => {
                    let name = literal.value.to_str();
                    let level = name.len() - name.trim_start_matches('.').len();
                    self.modules.insert(Module::new(level, name, None));
                }
                _ => self.computed = true,
            }
        }
    }
}

impl<'a> SourceOrderVisitor<'a> for Names {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Import(import) => {
                self.modules.extend(import.names.iter().map(|alias| Module::new(0, &alias.name, None)));
            }
            Stmt::ImportFrom(import) => {
                let (level, from) =
                    (import.level as usize, import.module.as_ref().map_or("", |module| module.as_str()));
                self.modules.insert(Module::new(level, from, None));
                self.modules.extend(import.names.iter().map(|alias| Module::new(level, from, Some(&alias.name))));
                self.computed |= from == "sys" && import.names.iter().any(|alias| alias.name.as_str() == "path");
            }
            _ => {}
        }
        walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Call(call) => {
                let first = call.arguments.find_argument_value("name", 0);
                match call.func.as_ref() {
                    Expr::Name(name) => self.call(&name.id, first),
                    Expr::Attribute(attribute) => self.call(&attribute.attr, first),
                    _ => {}
                }
            }
            Expr::Attribute(attribute) if attribute.attr.as_str() == "path" => {
                self.computed |= matches!(attribute.value.as_ref(), Expr::Name(name) if name.id.as_str() == "sys");
            }
            Expr::StringLiteral(literal) => self.text(literal.value.to_str()),
            Expr::FString(string) => {
                let mut text = String::new();
                for part in &string.value {
                    match part {
                        ruff_python_ast::FStringPart::Literal(literal) => text.push_str(literal),
                        ruff_python_ast::FStringPart::FString(part) => {
                            for element in &part.elements {
                                match element {
                                    InterpolatedStringElement::Literal(literal) => text.push_str(literal),
                                    InterpolatedStringElement::Interpolation(_) => text.push(COMPUTED),
                                }
                            }
                        }
                    }
                }
                self.text(&text);
            }
            _ => {}
        }
        walk_expr(self, expression);
    }
}

/// Returns the ending of the files that a text may name when the rest of their name is computed, `.sql` of `.sql`,
/// `*.sql`, `{}.sql` and `%s.sql`; `None` when it names one file, or says nothing about its end.
pub fn ending(text: &str) -> Option<&str> {
    let name = text.rsplit('/').next()?;
    let at = name.rfind('.')?;
    let (before, ending) = name.split_at(at);
    let computed = before.is_empty() || before.contains(is_open);
    let plain = ending.len() > 1 && ending[1..].chars().all(|c| c.is_ascii_alphanumeric());
    (computed && plain).then_some(ending)
}

/// Returns the part of a text that is the same for all files it may name: what precedes the first computed part of the
/// path.
pub fn fixed(text: &str) -> &str {
    let Some(at) = text.find(is_open) else { return text };
    text[..at].rfind('/').map_or("", |end| &text[..end])
}

/// Returns whether the character stands for others: in patterns of `glob`, and in templates of `format` and `%`.
fn is_open(c: char) -> bool {
    matches!(c, COMPUTED | '?' | '[' | '{' | '%')
}

fn nesting(source: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in source.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modules(source: &str) -> Vec<String> {
        let names = Names::of(source);
        assert!(!names.computed, "{source}");
        names.modules.iter().map(|module| ".".repeat(module.level) + &module.parts.join(".")).collect()
    }

    #[test]
    fn imports_are_found_however_they_are_written() {
        for (source, expected) in [
            ("import os; import util2", vec!["os", "util2"]),
            ("from util2 import(Y)", vec!["util2", "util2.Y"]),
            ("import a.b as c, d", vec!["a.b", "d"]),
            ("from . import (\n    one,  # first\n    two as t,\n)", vec![".", ".one", ".two"]),
            ("from ..x.y import z", vec!["..x.y", "..x.y.z"]),
            ("from pkg import *", vec!["pkg", "pkg.*"]),
            ("from pkg \\\n  import name", vec!["pkg", "pkg.name"]),
            ("if True: import late", vec!["late"]),
            ("def f():\n\timport within\n", vec!["within"]),
            ("try:\n  import fast\nexcept ImportError: import slow as fast", vec!["fast", "slow"]),
            ("class A:\r\n  from m import n\r\n", vec!["m", "m.n"]),
            ("\u{feff}import marked", vec!["marked"]),
            ("importlib.import_module('named.so')", vec!["named.so"]),
            ("import_module('.near', __package__)", vec![".near"]),
            ("x = '''\nimport not_this\n'''", vec![]),
            ("# import not_this\nimporter = 1", vec![]),
        ] {
            assert_eq!(modules(source), expected, "{source}");
        }
    }

    #[test]
    fn what_cannot_be_seen_is_said() {
        let deep = "(".repeat(100_000);
        for source in [
            "import_module(name)",
            "importlib.import_module(f'steps.{name}')",
            "__import__(name)",
            "sys.path.insert(0, here)",
            "from sys import path",
            "runpy.run_path(str(file))",
            "import broken(",
            &deep,
        ] {
            assert!(Names::of(source).computed, "{}", &source[..source.len().min(60)]);
        }
    }

    #[test]
    fn texts_are_what_python_makes_of_them() {
        let names = Names::of("open('caf\\u00e9' '.sql'); f'sql/{name}.sql'; b'not'; 's3://bucket/x'; '''a\nb'''");
        assert_eq!(names.texts.into_iter().collect::<Vec<_>>(), ["café.sql", "sql/*.sql"]);
    }

    #[test]
    fn a_name_that_is_computed_has_an_ending_and_a_folder() {
        for (text, its_ending, its_folder) in [
            ("q.sql", None, "q.sql"),
            (".sql", Some(".sql"), ".sql"),
            ("*.sql", Some(".sql"), ""),
            ("sql/{}.sql", Some(".sql"), "sql"),
            ("a/b/%s.json", Some(".json"), "a/b"),
            ("a/*/q.sql", None, "a"),
            ("{}", None, ""),
            ("*.tar.gz", Some(".gz"), ""),
        ] {
            assert_eq!((ending(text), fixed(text)), (its_ending, its_folder), "{text}");
        }
    }
}
