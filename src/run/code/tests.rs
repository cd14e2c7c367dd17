use super::*;

/// A code folder made of these files.
struct Code(tempfile::TempDir);

impl Code {
    fn new(files: &[(&str, &str)]) -> Self {
        let code = Self(tempfile::tempdir().unwrap());
        files.iter().for_each(|(name, text)| code.write(name, text.as_bytes()));
        code
    }

    fn write(&self, name: &str, content: &[u8]) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn digest(&self, script: &str) -> Digest {
        CodeReader::new(self.0.path()).digest(Path::new(script)).unwrap()
    }

    /// Asserts which files the digest of a script changes with.
    #[track_caller]
    fn counts(&self, script: &str, those: &[&str], not: &[&str]) {
        let before = self.digest(script);
        for (name, expected) in those.iter().map(|name| (name, true)).chain(not.iter().map(|name| (name, false))) {
            let old = fs::read(self.0.path().join(name)).unwrap();
            self.write(name, &[&old[..], b"\n# edited"].concat());
            assert_eq!(self.digest(script) != before, expected, "{name} for {script}");
            self.write(name, &old);
        }
        assert_eq!(self.digest(script), before);
    }
}

#[test]
fn only_files_that_a_step_reaches_count() {
    let code = Code::new(&[
        ("steps/a.py", "from pkg import (\n    one,  # first\n    two,\n)\n"),
        ("steps/b.py", "import os, pkg.three as t\n"),
        ("pkg/__init__.py", ""),
        ("pkg/one.py", "from . import deep\nfrom .sub.leaf import x\n"),
        ("pkg/two.py", ""),
        ("pkg/three.py", ""),
        ("pkg/deep.py", ""),
        ("pkg/sub/__init__.py", ""),
        ("pkg/sub/leaf.py", ""),
    ]);
    let of_a = ["steps/a.py", "pkg/one.py", "pkg/two.py", "pkg/deep.py", "pkg/sub/__init__.py", "pkg/sub/leaf.py"];
    code.counts("steps/a.py", &of_a, &["pkg/three.py"]);
    code.counts("steps/b.py", &["pkg/three.py", "pkg/__init__.py"], &of_a);
}

#[test]
fn imports_are_seen_however_they_are_written() {
    let code = Code::new(&[
        ("steps/a.py", "import helper\nimport os; import util2\nfrom util3 import(Y)\nif True: import util4\n"),
        ("steps/helper.py", "from util5 import *\n"),
        ("util2.py", "x = '''\nimport never\n'''"),
        ("util3.py", ""),
        ("util4.py", "import native"),
        ("util5/__init__.py", ""),
        ("util5/inner.py", ""),
        ("native.cpython-311-x86_64-linux-gnu.so", ""),
        ("never.py", ""),
        ("other/helper.py", ""),
        ("steps/b.py", ""),
    ]);
    let those = ["steps/helper.py", "util2.py", "util3.py", "util4.py", "util5/__init__.py", "util5/inner.py"];
    code.counts("steps/a.py", &those, &["never.py", "other/helper.py", "steps/b.py"]);
    code.counts("steps/a.py", &["native.cpython-311-x86_64-linux-gnu.so"], &[]);
}

#[test]
fn what_is_imported_by_a_computed_name_may_be_anything() {
    for source in ["import importlib\nimportlib.import_module(name)", "import sys\nsys.path.append('lib')", "import ("]
    {
        let code = Code::new(&[
            ("steps/a.py", source),
            ("lib/any.py", ""),
            ("steps/b.py", ""),
            ("readme.md", ""),
            (".hidden/x.py", ""),
            ("venv/pyvenv.cfg", ""),
            ("venv/x.py", ""),
        ]);
        code.counts("steps/a.py", &["lib/any.py", "steps/b.py"], &["readme.md", ".hidden/x.py", "venv/x.py"]);
    }
}

#[test]
fn files_that_a_step_names_count() {
    let code = Code::new(&[
        (
            "steps/a.py",
            "from pkg import words\nhere = Path(__file__).parent\nhere.joinpath('beside.sql')\n(here / '..' / 'sql')\n\
             open(f'{folder}/{name}.ipynb')\n'../up.json'\n'steps/by_root.csv'\n",
        ),
        ("pkg/__init__.py", ""),
        ("pkg/words.py", "resources.files('pkg.data') / 'list.txt'\nget_data(__package__, 'plain.txt')\n"),
        ("pkg/data/list.txt", ""),
        ("pkg/plain.txt", ""),
        ("pkg/unnamed.txt", ""),
        ("steps/beside.sql", ""),
        ("steps/unnamed.sql", ""),
        ("steps/by_root.csv", ""),
        ("sql/any.sql", ""),
        ("sql/deeper/any.sql", ""),
        ("sql/code.py", ""),
        ("up.json", ""),
        ("books/any.ipynb", ""),
    ]);
    let those = [
        "steps/beside.sql",
        "sql/any.sql",
        "sql/deeper/any.sql",
        "books/any.ipynb",
        "up.json",
        "steps/by_root.csv",
        "pkg/data/list.txt",
        "pkg/plain.txt",
    ];
    code.counts("steps/a.py", &those, &["pkg/unnamed.txt", "steps/unnamed.sql", "sql/code.py"]);
}

#[test]
fn a_module_of_several_steps_finds_what_is_beside_each() {
    let code = Code::new(&[
        ("a/run.py", "import shared"),
        ("b/run.py", "import shared"),
        ("shared.py", "import helper"),
        ("a/helper.py", ""),
        ("b/helper.py", ""),
    ]);
    let digests = || {
        let mut reader = CodeReader::new(code.0.path());
        ["a/run.py", "b/run.py"].map(|script| reader.digest(Path::new(script)).unwrap())
    };
    let before = digests();
    code.write("b/helper.py", b"edited");
    let after = digests();
    assert_eq!([before[0] == after[0], before[1] == after[1]], [true, false]);
}

#[test]
fn content_counts_byte_by_byte() {
    let code = Code::new(&[("a.py", "open('x.bin')")]);
    code.write("x.bin", b"\xff");
    let before = code.digest("a.py");
    code.write("x.bin", b"\xfe");
    assert_ne!(code.digest("a.py"), before);
}

#[test]
fn circular_imports_and_links_end() {
    let code = Code::new(&[("a.py", "import b\nimport_module(x)"), ("b.py", "import a")]);
    std::os::unix::fs::symlink(code.0.path(), code.0.path().join("again")).unwrap();
    code.counts("a.py", &["b.py"], &[]);
}

#[test]
fn a_script_that_is_not_there_is_as_an_empty_one() {
    let code = Code::new(&[("a.py", "")]);
    code.digest("gone.py");
}
