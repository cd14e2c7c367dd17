//! The environment of the Python processes that soflow starts: what the person has set for interpreters and engines of
//! their own stays outside.

use std::collections::BTreeMap;
use std::process::Command;

/// Beginnings of the variables that change how Python, Spark, Sail or Java start, what they import and what they print.
/// `SOFLOW_` are our own, secrets among them: nothing that a job's packages should know.
const UNWANTED: &[&str] = &[
    "PYTHON",
    "__PYVENV",
    "VIRTUAL_ENV",
    "CONDA_",
    "_CONDA_",
    "SETUPTOOLS_",
    "DIST_EXTRA_CONFIG",
    "SPARK_",
    "PYSPARK_",
    "SAIL_",
    "HADOOP_",
    "YARN_",
    "HIVE_",
    "CLASSPATH",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "_JAVA_OPTIONS",
    "GRPC_",
    "RUST_LOG",
    "SOFLOW_",
];

/// What Python is always started with: no packages of the person's own, no compiled files in folders that are not ours,
/// UTF-8 and UTC whatever the machine's language and place, and the same order of sets in every process, which is what
/// `spark-submit` sets as well.
const GIVEN: [(&str, &str); 6] = [
    ("PYTHONNOUSERSITE", "1"),
    ("PYTHONDONTWRITEBYTECODE", "1"),
    ("PYTHONUTF8", "1"),
    ("PYTHONHASHSEED", "0"),
    ("LC_ALL", "C.UTF-8"),
    ("TZ", "UTC"),
];

/// How an engine calls itself. No proxy knows the way there.
const OWN: [&str; 3] = ["127.0.0.1", "localhost", "::1"];

/// Gives `command`, which starts Python, its environment.
pub fn give(command: &mut Command) {
    let own: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    for (name, value) in changes(&own) {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
}

/// Returns the variables that a Python process has otherwise than we do: a value, or `None` for one it does not get.
fn changes(own: &BTreeMap<String, String>) -> BTreeMap<String, Option<String>> {
    let unwanted = |name: &&String| UNWANTED.iter().any(|start| name.starts_with(start));
    let mut changes: BTreeMap<String, Option<String>> =
        own.keys().filter(unwanted).map(|name| (name.clone(), None)).collect();
    changes.extend(GIVEN.map(|(name, value)| (name.into(), Some(value.into()))));
    // Python and Rust read either spelling and prefer one each; gRPC reads the small one, and its own before that.
    let first = |names: [&str; 3]| names.iter().find_map(|name| own.get(*name).filter(|value| !value.is_empty()));
    for names in [["no_proxy", "NO_PROXY", ""], ["NO_PROXY", "no_proxy", ""], ["no_grpc_proxy", "no_proxy", "NO_PROXY"]]
    {
        let known = first(names).map_or("", String::as_str);
        // Alone it means every host; in a list, to some, a host of that name.
        if known == "*" && names[0] != "no_grpc_proxy" {
            changes.insert(names[0].into(), Some(known.into()));
            continue;
        }
        let hosts = known.split(',').map(str::trim).filter(|host| !host.is_empty() && !OWN.contains(host));
        let hosts: Vec<&str> = hosts.chain(OWN).collect();
        changes.insert(names[0].into(), Some(hosts.join(",")));
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(own: &[(&str, &str)]) -> BTreeMap<String, Option<String>> {
        changes(&own.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
    }

    #[test]
    fn what_is_meant_for_other_pythons_and_engines_stays_outside() {
        let foreign = [
            "PYTHONHOME",
            "PYTHONPATH",
            "PYTHONSTARTUP",
            "PYTHONINSPECT",
            "PYTHONOPTIMIZE",
            "PYTHONWARNINGS",
            "PYTHONBREAKPOINT",
            "PYTHONUSERBASE",
            "PYTHONPLATLIBDIR",
            "PYTHONSAFEPATH",
            "PYTHONIOENCODING",
            "PYTHONPYCACHEPREFIX",
            "VIRTUAL_ENV",
            "VIRTUAL_ENV_PROMPT",
            "CONDA_PREFIX",
            "SPARK_HOME",
            "SPARK_CONF_DIR",
            "SPARK_REMOTE",
            "SPARK_CONNECT_MODE_ENABLED",
            "PYSPARK_PYTHON",
            "PYSPARK_SUBMIT_ARGS",
            "SAIL_MODE",
            "HADOOP_CONF_DIR",
            "JAVA_TOOL_OPTIONS",
            "JDK_JAVA_OPTIONS",
            "_JAVA_OPTIONS",
            "CLASSPATH",
            "GRPC_VERBOSITY",
            "RUST_LOG",
            "SOFLOW_API_KEY",
        ];
        let changes = changed(&foreign.map(|name| (name, "theirs")));
        for name in foreign {
            assert_eq!(changes.get(name), Some(&None), "{name}");
        }
    }

    #[test]
    fn the_way_out_and_the_machine_are_left_as_they_are() {
        let changes = changed(
            &[
                "PATH",
                "HOME",
                "TMPDIR",
                "JAVA_HOME",
                "PYENV_ROOT",
                "https_proxy",
                "HTTPS_PROXY",
                "all_proxy",
                "grpc_proxy",
                "PIP_INDEX_URL",
                "SSL_CERT_FILE",
                "REQUESTS_CA_BUNDLE",
                "AWS_PROFILE",
                "AWS_ENDPOINT_URL",
            ]
            .map(|name| (name, "theirs")),
        );
        let names: Vec<&str> = changes.keys().map(String::as_str).collect();
        let mut expected: Vec<&str> =
            GIVEN.iter().map(|(name, _)| *name).chain(["no_proxy", "NO_PROXY", "no_grpc_proxy"]).collect();
        expected.sort_unstable();
        assert_eq!(names, expected);
    }

    #[test]
    fn an_engine_reaches_itself_whatever_the_proxy_is() {
        let own = "127.0.0.1,localhost,::1";
        let after = |list: &str| Some(format!("{list},{own}"));
        for (given, expected) in [
            (vec![], [Some(own.to_string()), Some(own.to_string()), Some(own.to_string())]),
            (
                vec![("no_proxy", "localhost, .corp.example")],
                [after(".corp.example"), after(".corp.example"), after(".corp.example")],
            ),
            (vec![("NO_PROXY", "a")], [after("a"), after("a"), after("a")]),
            (vec![("NO_PROXY", "a"), ("no_proxy", "b")], [after("b"), after("a"), after("b")]),
            (
                vec![("no_grpc_proxy", "c"), ("no_proxy", "")],
                [Some(own.to_string()), Some(own.to_string()), after("c")],
            ),
            (vec![("no_proxy", "*")], [Some("*".into()), Some("*".into()), after("*")]),
        ] {
            let changes = changed(&given);
            let found = ["no_proxy", "NO_PROXY", "no_grpc_proxy"].map(|name| changes[name].clone());
            assert_eq!(found, expected, "{given:?}");
        }
    }
}
