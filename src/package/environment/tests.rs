//! Archives from wheels that the tests make themselves: no network.

use std::process::Command;
use std::sync::LazyLock;

use sha2::{Digest as _, Sha256};

use super::*;

/// A project whose lock pins the package `tiny`, and whose folder `wheels` has its artifact.
struct Project {
    folder: tempfile::TempDir,
    host: Host,
}

impl Project {
    fn new(artifact: &str, bytes: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("wheels")).unwrap();
        fs::write(folder.path().join("wheels").join(artifact), bytes).unwrap();
        let hash: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let project = Self { folder, host: host() };
        project.lock(&format!("tiny==1.0 --hash=sha256:{hash}\n"));
        project
    }

    fn lock(&self, text: &str) {
        fs::write(self.folder.path().join("requirements.lock"), text).unwrap();
    }

    fn environment(&self) -> Environment {
        let platform = Platform { python: "3.11".into(), architecture: Architecture::X86_64 };
        Environment::read(&self.folder.path().join("requirements.lock"), platform).unwrap()
    }

    fn build(&self, into: &str) -> (Result<PathBuf>, Vec<Event>) {
        let mut events = Vec::new();
        let built = self.environment().build(&self.host, &self.folder.path().join(into), &mut events);
        (built, events)
    }
}

/// Returns this machine with a uv on PATH, which all tests share: without one, the first gets it from the index.
fn host() -> Host {
    static SHARED: LazyLock<PathBuf> = LazyLock::new(|| {
        let target = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
        let home = std::env::var_os("SOFLOW_ENGINE_DIR").map_or_else(target, PathBuf::from);
        let host = Host { path: path(), java_home: None };
        let uv = Uv::get(&host, &find(&host), &home, &format!("tests-{}", std::process::id())).unwrap();
        // As a program of that name, whatever it is called where it is kept.
        let folder = tempfile::tempdir().unwrap().keep();
        std::os::unix::fs::symlink(std::path::absolute(uv.program()).unwrap(), folder.join("uv")).unwrap();
        uv.finish().unwrap();
        folder
    });
    Host { path: [vec![SHARED.clone()], path()].concat(), java_home: None }
}

fn path() -> Vec<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH").unwrap()).collect()
}

/// Returns this machine's Python.
fn find(host: &Host) -> PathBuf {
    python::find(host, None, "a test").unwrap()
}

/// A wheel with a module, a console script and a file for one platform; `tag` as in its name.
fn wheel(tag: &str) -> (String, Vec<u8>) {
    let mut zip = super::super::archive::Zip::new();
    let about = "tiny-1.0.dist-info";
    zip.file("tiny/__init__.py", b"WORD = 'found'\n").unwrap();
    zip.file("tiny/data.txt", b"data").unwrap();
    zip.file(&format!("{about}/METADATA"), b"Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n").unwrap();
    let text = format!("Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n");
    zip.file(&format!("{about}/WHEEL"), text.as_bytes()).unwrap();
    zip.file(&format!("{about}/entry_points.txt"), b"[console_scripts]\ntiny = tiny:main\n").unwrap();
    zip.file(&format!("{about}/RECORD"), b"tiny/__init__.py,,\n").unwrap();
    (format!("tiny-1.0-{tag}.whl"), zip.finish().unwrap())
}

fn tiny(tag: &str) -> Project {
    let (name, bytes) = wheel(tag);
    Project::new(&name, &bytes)
}

fn names(archive: &Path) -> Vec<String> {
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(fs::File::open(archive).unwrap()));
    tar.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect()
}

#[test]
fn an_archive_has_the_packages_and_nothing_of_this_machine() {
    let project = tiny("py3-none-any");
    let (archive, events) = project.build("cache");
    let archive = archive.unwrap();
    assert_eq!(
        archive.file_name().unwrap().to_string_lossy(),
        format!("{}.tar.gz", project.environment().key().as_str())
    );
    insta::assert_snapshot!(names(&archive).join("\n"), @r"
    bin/python
    lib/python3.11/site-packages/tiny/__init__.py
    lib/python3.11/site-packages/tiny/data.txt
    lib/python3.11/site-packages/tiny-1.0.dist-info/METADATA
    lib/python3.11/site-packages/tiny-1.0.dist-info/WHEEL
    lib/python3.11/site-packages/tiny-1.0.dist-info/entry_points.txt
    pyvenv.cfg
    ");
    let what = "dependencies for Python 3.11 on Linux x86_64".to_string();
    let bytes = fs::metadata(&archive).unwrap().len();
    assert_eq!(
        events,
        [
            Event::Packaging { what: what.clone(), packages: 1 },
            Event::PackagingItem { name: "tiny".into() },
            Event::PackagingItem { name: String::new() },
            Event::Packaged { what, bytes },
        ]
    );
    let (again, quiet) = project.build("cache");
    assert_eq!((again.unwrap(), quiet), (archive.clone(), vec![]));
    let other = project.build("elsewhere").0.unwrap();
    assert!(fs::read(archive).unwrap() == fs::read(other).unwrap(), "built twice, the bytes differ");
    let left: Vec<_> =
        fs::read_dir(project.folder.path().join("cache")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn the_key_follows_from_what_is_pinned_and_for_whom() {
    let project = tiny("py3-none-any");
    let key = project.environment().key();
    let text = fs::read_to_string(project.folder.path().join("requirements.lock")).unwrap();
    project.lock(&format!("# a comment\n\n{}", text.replace(" --hash", " \\\n    --hash")));
    assert_eq!(project.environment().key(), key);
    project.lock(&text.replace("1.0", "1.1"));
    assert_ne!(project.environment().key(), key);
    project.lock(&text);
    for (python, architecture) in [("3.12", Architecture::X86_64), ("3.11", Architecture::Aarch64)] {
        let platform = Platform { python: python.into(), architecture };
        let other = Environment::read(&project.folder.path().join("requirements.lock"), platform).unwrap();
        assert_ne!(other.key(), key);
    }
}

#[test]
fn builders_at_the_same_time_build_once() {
    let project = tiny("py3-none-any");
    let mut packaged = 0;
    std::thread::scope(|scope| {
        let builders: Vec<_> = (0..3).map(|_| scope.spawn(|| project.build("cache"))).collect();
        for builder in builders {
            let (archive, events) = builder.join().unwrap();
            assert!(archive.unwrap().is_file());
            packaged += events.iter().filter(|event| matches!(event, Event::Packaged { .. })).count();
        }
    });
    assert_eq!(packaged, 1);
}

#[test]
fn what_a_killed_build_left_is_removed() {
    let project = tiny("py3-none-any");
    let left = project.folder.path().join("cache/.making-dependencies-abc/packages");
    fs::create_dir_all(&left).unwrap();
    project.build("cache").0.unwrap();
    assert!(!left.exists());
}

/// Returns what filling a folder with the project's packages comes to.
fn fill(project: &Project) -> Result<()> {
    let into = project.folder.path().join("cache");
    let packages = into.join("packages");
    fs::create_dir_all(&packages).unwrap();
    project.environment().fetch(&project.host, &into, &packages, &mut Vec::new())
}

#[test]
fn a_package_without_a_wheel_for_the_nodes_is_named() {
    let source = Project::new("tiny-1.0.tar.gz", b"source");
    for project in [source, tiny("cp310-cp310-manylinux2014_x86_64"), tiny("cp311-cp311-manylinux_2_17_aarch64")] {
        let error = fill(&project).unwrap_err();
        assert_eq!(
            (error.kind, error.message.as_str()),
            (Kind::Usage, "`tiny==1.0` has no wheel for Python 3.11 on Linux x86_64")
        );
        assert!(error.hints[0].contains("pip wheel --no-deps --wheel-dir"), "{:?}", error.hints);
    }
}

#[test]
fn wheels_for_the_nodes_are_taken_whatever_this_machine_is() {
    let compiled = ["cp311-cp311-manylinux_2_28_x86_64", "cp38-abi3-manylinux2014_x86_64", "cp311-cp311-linux_x86_64"];
    for tag in compiled.into_iter().chain(["py2.py3-none-any"]) {
        fill(&tiny(tag)).unwrap_or_else(|error| panic!("{tag}: {error:?}"));
    }
}

/// In a process of its own: a test cannot change the variables of the one it runs in.
#[test]
fn a_persons_settings_of_pip_and_python_do_not_matter() {
    const CHILD: &str = "SOFLOW_TEST_HOSTILE";
    if let Some(folder) = std::env::var_os(CHILD).map(PathBuf::from) {
        let (venv, host) = (folder.join("venv"), host());
        let (uv, python) = (Uv::get(&host, &find(&host), &folder, "t").unwrap(), venv.join("bin/python"));
        uv.venv(&venv).unwrap();
        let options = ["--python".as_ref(), python.as_os_str(), "-r".as_ref(), "requirements.lock".as_ref()];
        std::env::set_current_dir(&folder).unwrap();
        uv.install(options, &mut |_| ()).unwrap().unwrap();
        let ran = Command::new(python).args(["-I", "-c", "import tiny; print(tiny.__file__)"]).output().unwrap();
        assert!(String::from_utf8_lossy(&ran.stdout).starts_with(venv.to_str().unwrap()), "{ran:?}");
        return;
    }
    let project = tiny("py3-none-any");
    let folder = project.folder.path();
    // The only way to the package is in this file.
    let file = format!(
        "[global]\nuser = true\nno-index = true\n[install]\nfind-links = {}\n",
        folder.join("wheels").display()
    );
    fs::write(folder.join("pip.conf"), file).unwrap();
    fs::write(folder.join("constraints.txt"), "tiny<1\n").unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "package::environment::tests::a_persons_settings_of_pip_and_python_do_not_matter"]);
    child.env(CHILD, folder).env("PIP_CONFIG_FILE", folder.join("pip.conf"));
    child.env("PIP_CONSTRAINT", folder.join("constraints.txt")).env_remove("PIP_FIND_LINKS");
    for name in ["PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PYTHONHOME", "PYTHONUSERBASE", "PYTHONPLATLIBDIR"] {
        child.env(name, folder.join("theirs"));
    }
    for name in ["PIP_USER", "PIP_DRY_RUN", "PIP_REQUIRE_VIRTUALENV", "PIP_IGNORE_INSTALLED", "PYTHONOPTIMIZE"] {
        child.env(name, "1");
    }
    for name in ["UV_NO_VERIFY_HASHES", "UV_SYSTEM_PYTHON", "UV_COMPILE_BYTECODE", "UV_OFFLINE"] {
        child.env(name, "1");
    }
    child.env("UV_CONSTRAINT", folder.join("constraints.txt")).env("UV_EXCLUDE_NEWER", "2000-01-01");
    child.env("UV_PYTHON", "/nowhere/python").env("UV_LINK_MODE", "symlink");
    let ran = child.env("PIP_PYTHON", "/nowhere/python").output().unwrap();
    assert!(ran.status.success() && String::from_utf8_lossy(&ran.stdout).contains("1 passed"), "{ran:?}");
    assert!(!folder.join("theirs").exists());
}

#[test]
fn another_artifact_than_the_pinned_one_is_refused() {
    let project = tiny("py3-none-any");
    project.lock(&format!("tiny==1.0 --hash=sha256:{}\n", "0".repeat(64)));
    let error = fill(&project).unwrap_err();
    assert!(error.message.starts_with("an artifact is not the one that `"), "{error:?}");
}

#[test]
fn a_build_that_fails_leaves_nothing() {
    let project = Project::new("tiny-1.0.tar.gz", b"source");
    let (built, events) = project.build("cache");
    assert!(built.is_err() && !events.iter().any(|event| matches!(event, Event::Packaged { .. })));
    let left: Vec<_> =
        fs::read_dir(project.folder.path().join("cache")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, [".lock"]);
}

#[test]
fn the_unpacked_archive_is_a_python_in_any_folder() {
    let project = tiny("py3-none-any");
    let (version, home) = about(&find(&project.host));
    let platform = Platform { python: version.clone(), architecture: Architecture::X86_64 };
    let lock = project.folder.path().join("requirements.lock");
    let environment = Environment::read(&lock, platform).unwrap();
    let archive = environment.build(&project.host, project.folder.path(), &mut Vec::new()).unwrap();
    for place in ["one", "two/deep"] {
        let folder = project.folder.path().join(place);
        unpack(&archive, &folder, &version, &home);
        let script = "import sys, tiny; print(tiny.WORD, [p for p in sys.path if p.endswith('-packages')])";
        let ran = Command::new("./bin/python").args(["-I", "-c", script]).current_dir(&folder).output().unwrap();
        let packages = folder.join(format!("lib/python{version}/site-packages"));
        assert_eq!(String::from_utf8_lossy(&ran.stdout), format!("found ['{}']\n", packages.display()), "{ran:?}");
    }
}

/// Returns a Python's version, `3.11`, and the folder of its program.
fn about(python: &Path) -> (String, String) {
    let script =
        "import os, sys; print('%d.%d' % sys.version_info[:2], os.path.dirname(os.path.realpath(sys.executable)))";
    let said = Command::new(python).args(["-I", "-c", script]).output().unwrap().stdout;
    let said = String::from_utf8(said).unwrap();
    let (version, home) = said.trim().split_once(' ').unwrap();
    (version.into(), home.into())
}

/// Unpacks an archive as a node does; its Python is in `home` instead of where nodes have it.
fn unpack(archive: &Path, folder: &Path, version: &str, home: &str) {
    fs::create_dir_all(folder).unwrap();
    let ran = Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(folder).status().unwrap();
    assert!(ran.success());
    let link = folder.join(INTERPRETER);
    assert_eq!(fs::read_link(&link).unwrap(), Path::new(&format!("/usr/bin/python{version}")));
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(format!("{home}/python{version}"), link).unwrap();
    let config = folder.join("pyvenv.cfg");
    let text = fs::read_to_string(&config).unwrap().replace("home = /usr/bin\n", &format!("home = {home}\n"));
    fs::write(config, text).unwrap();
}

#[path = "real.rs"]
mod real;

#[test]
fn a_lock_is_its_requirements_however_they_are_laid_out() {
    let (a, b) = ("a".repeat(64), "b".repeat(64));
    let lock = format!(
        "# a comment\nb==1.0 \\\n    --hash=sha256:{b} \\\n    --hash=sha256:{a}  # wheel\n\n\
         a[x]==2 ; python_version >= '3.11' \\\n  --hash=sha256:{a}\n"
    );
    let pins = super::pins("r.lock", &lock).unwrap();
    let expected = [
        format!("a[x]==2 ; python_version >= '3.11' --hash=sha256:{a}"),
        format!("b==1.0 --hash=sha256:{b} --hash=sha256:{a}"),
    ];
    assert_eq!(pins, expected);
    assert_eq!(pinned(&pins[0]), "a[x]==2");
}

#[test]
fn an_option_in_a_lock_is_refused_with_its_line() {
    let error = super::pins("r.lock", "\n-r other.txt").unwrap_err();
    assert_eq!(error.message, "r.lock:2: a lock has packages only, no options");
}
