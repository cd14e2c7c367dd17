//! A code folder becomes the same bundle everywhere, and what cannot be shipped is named.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::process::Command;

use super::*;

fn write(root: &Path, name: &str, text: &str) {
    fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
    fs::write(root.join(name), text).unwrap();
}

fn folder(names: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    names.iter().for_each(|name| write(folder.path(), name, &format!("NAME = '{name}'\n")));
    folder
}

fn zipped(bundle: &Bundle) -> BTreeMap<String, String> {
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(&bundle.files[0].bytes)).unwrap();
    let mut found = BTreeMap::new();
    for at in 0..zip.len() {
        let mut file = zip.by_index(at).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        found.insert(file.name().unwrap().into_owned(), text);
    }
    found
}

const CODE: &[&str] = &["steps/a.py", "steps/b.py", "pkg/__init__.py", "pkg/one.py", "pkg/data/words.txt", "alone.py"];

#[test]
fn the_zip_has_what_a_step_can_import_and_nothing_else() {
    let folder = folder(CODE);
    let root = folder.path();
    let clean = Bundle::read(root).unwrap();
    for name in [
        "tests/test_a.py",
        "pkg/__pycache__/one.cpython-311.pyc",
        "pkg/old.pyc",
        ".hidden/x.py",
        "pkg/.DS_Store",
        "pyproject.toml",
        "requirements.lock",
        "wheels/tiny.whl",
        "venv/pyvenv.cfg",
        "venv/lib/x.py",
    ] {
        write(root, name, "not code");
    }
    let cluttered = Bundle::read(root).unwrap();
    assert_eq!(cluttered, clean);
    let names: Vec<_> = zipped(&clean).into_keys().collect();
    let wanted = [
        "alone.py",
        "pkg/",
        "pkg/__init__.py",
        "pkg/data/",
        "pkg/data/words.txt",
        "pkg/one.py",
        "steps/",
        "steps/a.py",
        "steps/b.py",
    ];
    assert_eq!(names, wanted);
    assert_eq!(
        clean.files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(),
        [CODE_ARCHIVE, "alone.py", "steps/a.py", "steps/b.py", CHAIN_DRIVER]
    );
    assert_eq!(clean.files[2].bytes, b"NAME = 'steps/a.py'\n");
}

#[test]
fn the_same_code_is_the_same_bundle_in_any_folder_and_order() {
    let backwards: Vec<&str> = CODE.iter().rev().copied().collect();
    let (first, second) = (folder(CODE), folder(&backwards));
    let old = fs::File::open(second.path().join("pkg/one.py")).unwrap();
    old.file().set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000)).unwrap();
    assert_eq!(Bundle::read(first.path()).unwrap(), Bundle::read(second.path()).unwrap());
    for name in ["steps/a.py", "pkg/one.py", "pkg/data/words.txt", "pkg/new.py"] {
        let changed = folder(CODE);
        write(changed.path(), name, "changed");
        assert_ne!(Bundle::read(changed.path()).unwrap().digest, Bundle::read(first.path()).unwrap().digest, "{name}");
    }
}

#[test]
fn python_imports_from_the_zip_what_it_imports_from_the_folder() {
    let folder =
        folder(&["steps/a.py", "pkg/__init__.py", "pkg/one.py", "bare/two.py", "bare/deep/three.py", "alone.py"]);
    let zip = folder.path().join("out.zip");
    fs::write(&zip, &Bundle::read(folder.path()).unwrap().files[0].bytes).unwrap();
    let script = "import alone, pkg.one, bare.two, bare.deep.three as three; print(three.NAME)";
    let ran = Command::new("python3").args(["-c", script]).env("PYTHONPATH", &zip).current_dir("/").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "bare/deep/three.py\n", "{ran:?}");
}

#[test]
fn links_that_leave_the_folder_and_large_files_are_refused() {
    use std::os::unix::fs::symlink;
    let secret = tempfile::tempdir().unwrap();
    fs::write(secret.path().join("key"), "secret").unwrap();
    let refused = |prepare: &dyn Fn(&Path)| {
        let folder = folder(CODE);
        prepare(folder.path());
        Bundle::read(folder.path()).unwrap_err().message
    };
    let leaving = refused(&|root| symlink(secret.path().join("key"), root.join("pkg/key.py")).unwrap());
    assert_eq!(leaving, "`pkg/key.py` in the code folder is a link that leaves the code folder");
    let to_folder = refused(&|root| symlink(root.join("steps"), root.join("pkg/again")).unwrap());
    assert_eq!(to_folder, "`pkg/again` in the code folder is a link to a folder");
    let dangling = refused(&|root| symlink("nowhere", root.join("pkg/gone.py")).unwrap());
    assert_eq!(dangling, "`pkg/gone.py` in the code folder cannot be read");
    let large = refused(&|root| {
        let file = fs::File::create(root.join("pkg/big.bin")).unwrap();
        file.set_len(LARGEST_FILE + 1).unwrap();
    });
    assert_eq!(large, "`pkg/big.bin` in the code folder has 65 MB, more than the 64 MB that a file of code may have");
}

#[test]
fn a_link_within_the_folder_is_the_file() {
    let folder = folder(CODE);
    std::os::unix::fs::symlink("one.py", folder.path().join("pkg/same.py")).unwrap();
    assert_eq!(zipped(&Bundle::read(folder.path()).unwrap())["pkg/same.py"], "NAME = 'pkg/one.py'\n");
}

#[test]
fn a_sql_file_and_a_notebook_are_shipped_as_the_scripts_that_run_them() {
    let folder = folder(CODE);
    let root = folder.path();
    let notebook = |output: &str| {
        let cell = r#"{"cell_type":"code","metadata":{},"source":["x = 'ü\"'\n","x"],"outputs":[{"text":"OUT"}]}"#;
        let text = format!(r#"{{"nbformat":4,"metadata":{{}},"cells":[{cell}]}}"#).replace("OUT", output);
        write(root, "notebooks/n.ipynb", &text);
    };
    notebook("private");
    write(root, "steps/t.sql", "select 1 as a;\n");
    write(root, "steps/broken.ipynb", "{");
    let first = Bundle::read(root).unwrap();
    let names: Vec<_> = first.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names[1..4], ["alone.py", "made/notebooks/n.ipynb.py", "made/steps/t.sql.py"]);
    assert!(!zipped(&first).contains_key("notebooks/n.ipynb") && zipped(&first).contains_key("steps/t.sql"));
    let sources = Bundle::sources(root).unwrap();
    let all: Vec<u8> = sources.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    assert!(!String::from_utf8_lossy(&all).contains("private"));
    notebook("other");
    assert_eq!(Bundle::read(root).unwrap(), first);
    let script = String::from_utf8(first.files[2].bytes.clone()).unwrap();
    let line = script.lines().find_map(|line| line.strip_prefix("SOURCE = ")).unwrap();
    let given: serde_json::Value = serde_json::from_str(&serde_json::from_str::<String>(line).unwrap()).unwrap();
    assert_eq!(given["cells"][0], serde_json::json!({ "name": "cell 1", "python": "x = 'ü\"'\nx" }));
}
