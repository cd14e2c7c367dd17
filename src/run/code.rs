//! The digest of a step's code: its script and everything of the project that it imports, directly or not.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::error::Result;
use crate::job::Job;
use crate::names::Digest;

/// Returns the digest of each step's code, by step. A step's digest changes only when a file it can reach changes:
/// editing one step's module does not make the others run again.
pub fn code_digests(root: &Path, job: &Job) -> Result<BTreeMap<String, Digest>> {
    let mut reader = Reader { root, files: BTreeMap::new() };
    job.steps.iter().map(|step| Ok((step.name.clone(), reader.digest(&step.script)?))).collect()
}

struct Reader<'a> {
    root: &'a Path,
    files: BTreeMap<PathBuf, Option<String>>,
}

impl Reader<'_> {
    fn digest(&mut self, script: &Path) -> Result<Digest> {
        let mut reached = BTreeSet::from([script.to_path_buf()]);
        let mut waiting = VecDeque::from([script.to_path_buf()]);
        while let Some(file) = waiting.pop_front() {
            let text = self.read(&file)?.unwrap_or_default();
            for module in imports(&text, &file) {
                for candidate in files_of(&module) {
                    if self.read(&candidate)?.is_some() && reached.insert(candidate.clone()) {
                        waiting.push_back(candidate);
                    }
                }
            }
        }
        let mut parts = Vec::new();
        for file in reached {
            parts.push(file.to_string_lossy().into_owned());
            parts.push(self.read(&file)?.unwrap_or_default());
        }
        Ok(Digest::of(parts))
    }

    fn read(&mut self, file: &Path) -> Result<Option<String>> {
        if let Some(known) = self.files.get(file) {
            return Ok(known.clone());
        }
        let path = self.root.join(file);
        let text = if path.is_file() { Some(String::from_utf8_lossy(&fs::read(path)?).into_owned()) } else { None };
        self.files.insert(file.to_path_buf(), text.clone());
        Ok(text)
    }
}

/// Returns the dotted names a file may import. Text that only looks like an import costs nothing: no file of that
/// name is found. An import whose name is computed at run time is not seen.
fn imports(text: &str, file: &Path) -> Vec<String> {
    let package: Vec<String> =
        file.parent().into_iter().flat_map(Path::iter).map(|part| part.to_string_lossy().into_owned()).collect();
    let mut names = Vec::new();
    let joined = text.replace("\\\n", " ");
    let mut lines = joined.lines();
    while let Some(line) = lines.next() {
        let line = line.trim();
        if let Some(list) = line.strip_prefix("import ") {
            names.extend(list.split(',').filter_map(|item| Some(item.split_whitespace().next()?.to_string())));
        } else if let Some((module, list)) = line.strip_prefix("from ").and_then(|rest| rest.split_once(" import ")) {
            let mut list = list.to_string();
            while list.contains('(') && !list.contains(')') {
                let Some(more) = lines.next() else { break };
                list.push_str(more.split('#').next().unwrap_or_default());
            }
            let module = absolute(module.trim(), &package);
            let items = list.split([',', '(', ')']).filter_map(|item| item.split_whitespace().next());
            names.extend(items.map(|item| format!("{module}.{item}")));
            names.push(module);
        }
    }
    names
}

fn absolute(module: &str, package: &[String]) -> String {
    let dots = module.chars().take_while(|c| *c == '.').count();
    if dots == 0 {
        return module.to_string();
    }
    let kept = package.len().saturating_sub(dots - 1);
    let rest = &module[dots..];
    package[..kept].iter().map(String::as_str).chain((!rest.is_empty()).then_some(rest)).collect::<Vec<_>>().join(".")
}

/// Returns the files that importing `module` may read: the module itself and the `__init__.py` of its packages.
fn files_of(module: &str) -> Vec<PathBuf> {
    let parts: Vec<&str> = module.split('.').collect();
    let mut files = vec![PathBuf::from(format!("{}.py", parts.join("/")))];
    files.extend((1..=parts.len()).map(|depth| PathBuf::from(parts[..depth].join("/")).join("__init__.py")));
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(root: &Path, script: &str) -> Digest {
        Reader { root, files: BTreeMap::new() }.digest(Path::new(script)).unwrap()
    }

    #[test]
    fn only_files_that_a_step_reaches_count() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let write = |name: &str, text: &str| {
            fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            fs::write(root.join(name), text).unwrap();
        };
        write("steps/a.py", "from pkg import (\n    one,  # first\n    two,\n)\n");
        write("steps/b.py", "import os, pkg.three as t\n");
        write("pkg/__init__.py", "");
        write("pkg/one.py", "from . import deep\nfrom .sub.leaf import x\n");
        write("pkg/two.py", "");
        write("pkg/three.py", "");
        write("pkg/deep.py", "");
        write("pkg/sub/__init__.py", "");
        write("pkg/sub/leaf.py", "");
        let (a, b) = (digest(root, "steps/a.py"), digest(root, "steps/b.py"));
        let changed = |name: &str| {
            let old = fs::read_to_string(root.join(name)).unwrap();
            write(name, &format!("{old}\n# edited"));
            let now = (digest(root, "steps/a.py") != a, digest(root, "steps/b.py") != b);
            write(name, &old);
            now
        };
        for name in ["steps/a.py", "pkg/one.py", "pkg/two.py", "pkg/deep.py", "pkg/sub/__init__.py", "pkg/sub/leaf.py"]
        {
            assert_eq!(changed(name), (true, false), "{name}");
        }
        assert_eq!(changed("pkg/three.py"), (false, true));
        assert_eq!(changed("pkg/__init__.py"), (true, true));
    }

    #[test]
    fn circular_imports_end() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.py"), "import b").unwrap();
        fs::write(folder.path().join("b.py"), "import a").unwrap();
        digest(folder.path(), "a.py");
    }
}
