//! The project's own lock: what its steps import, built for a cluster and used with this machine's Python.

use super::super::super::Bundle;
use super::*;

/// Tells why the test did not run.
fn skip(why: &str) {
    println!("skipped: dependencies for a cluster: {why}");
}

/// Returns a folder with nothing but PySpark and Py4J in it, as YARN puts them on PYTHONPATH.
fn pyspark(root: &Path, into: &Path) -> Option<PathBuf> {
    let engines = std::env::var_os("SOFLOW_ENGINE_DIR").map_or(root.join(".soflow/engine"), PathBuf::from);
    let mut venvs = fs::read_dir(engines).ok()?.filter_map(|entry| Some(entry.ok()?.path().join("venv/lib")));
    let packages = venvs.find_map(|lib| {
        let python = fs::read_dir(lib).ok()?.next()?.ok()?.path().join("site-packages");
        python.join("py4j").is_dir().then_some(python)
    })?;
    for name in ["pyspark", "py4j"] {
        std::os::unix::fs::symlink(packages.join(name), into.join(name)).ok()?;
    }
    Some(into.to_path_buf())
}

#[test]
fn the_steps_import_what_they_need_from_the_archive() {
    if std::env::var_os("SOFLOW_TEST_DEPENDENCIES").is_none_or(|value| value != "1") {
        return skip("SOFLOW_TEST_DEPENDENCIES is not 1");
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let host = host();
    let Some(node) = host.program("python3.11") else {
        return skip("there is no python3.11");
    };
    let (version, home) = about(&node);
    let platform = Platform { python: version.clone(), architecture: Architecture::X86_64 };
    let environment = Environment::read(&root.join("pyspark/requirements.lock"), platform).unwrap();
    let archive = match environment.build(&host, &root.join(".soflow/dependencies"), &mut Vec::new()) {
        Ok(archive) => archive,
        Err(error) if error.message.ends_with("cannot be downloaded") => return skip("no network"),
        Err(error) => panic!("{error}: {error:?}"),
    };
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return skip("built, but this machine is not Linux x86_64");
    }
    let folder = tempfile::tempdir().unwrap();
    let unpacked = folder.path().join("environment");
    unpack(&archive, &unpacked, &version, &home);
    let Some(spark) = pyspark(root, folder.path()) else { return skip("built, but there is no Spark engine here") };
    let bundle = Bundle::read(&root.join("pyspark")).unwrap();
    let code = folder.path().join("soflow_code.zip");
    fs::write(&code, &bundle.files[0].bytes).unwrap();
    let script = "\
import pkgutil, importlib, soflow_jobs, pandas, pyarrow
names = [module.name for module in pkgutil.iter_modules(soflow_jobs.__path__)]
for name in names:
    importlib.import_module('soflow_jobs.' + name)
assert '/environment/lib/' in pandas.__file__ and 'soflow_code.zip' in soflow_jobs.__file__
print(len(names) > 20, pyarrow.array([1]).to_pandas().sum())
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer
print(SentimentIntensityAnalyzer().polarity_scores('great')['compound'] > 0.5)
";
    let paths = std::env::join_paths([&code, &spark]).unwrap();
    let mut command = Command::new(unpacked.join(INTERPRETER));
    let ran = command.args(["-s", "-c", script]).env("PYTHONPATH", paths).current_dir(folder.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "True 1\nTrue\n", "{ran:?}");
}
