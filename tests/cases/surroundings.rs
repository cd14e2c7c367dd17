//! What people have set for their own Pythons, engines and networks: none of it reaches an engine of ours.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use crate::cases::project::{Table, add_job, empty};
use crate::daily::lab::{Lab, Ran};

const OK: Table<'_> =
    Table { name: "ok", ddl: "id bigint, tag string", rows: r#"[[1,"a"],[2,"b"]]"#, partition_by: "tag" };

fn project() -> Lab {
    let lab = empty();
    add_job(&lab, &OK);
    lab
}

fn set(lab: &mut Lab, variables: &[(&str, &str)]) {
    lab.variables.extend(variables.iter().map(|(name, value)| ((*name).to_string(), (*value).to_string())));
}

/// Returns how a command went, unless somebody asks the proxy first: the command is ended then, which the engine would
/// wait for ten minutes with.
fn without(proxy: TcpListener, mut command: Command) -> Result<Ran, TcpStream> {
    let (tell, told) = channel();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let id = child.id().to_string();
    let asked = tell.clone();
    std::thread::spawn(move || asked.send(proxy.accept().map(|(stream, _)| Err(stream)).unwrap()));
    std::thread::spawn(move || {
        let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let errors = std::thread::spawn(move || std::io::read_to_string(&mut stderr).unwrap());
        let stdout = std::io::read_to_string(&mut stdout).unwrap();
        let code = child.wait().unwrap().code();
        tell.send(Ok(Ran { code, stdout, stderr: errors.join().unwrap() }))
    });
    let first = told.recv().unwrap();
    if first.is_err() {
        Command::new("kill").arg(id).status().unwrap();
    }
    first
}

#[test]
fn an_engine_speaks_to_itself_whatever_the_proxy_is() {
    let mut lab = project();
    // Made beforehand: downloads are what a proxy is for.
    lab.run(&["engine", "install"]).expect(0);
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    for name in ["grpc_proxy", "https_proxy", "http_proxy", "all_proxy", "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"] {
        set(&mut lab, &[(name, address.as_str())]);
    }
    set(&mut lab, &[("no_proxy", "localhost,.corp.example")]);
    let ran = without(proxy, lab.command(&["submit", "ok", "--date", "2026-11-22"]));
    ran.expect("the proxy was asked for the way to an engine on this machine").expect(0);
}

#[test]
fn settings_of_other_pythons_and_engines_do_not_matter() {
    let mut lab = project();
    // Would be imported instead of the engine's own.
    lab.write("theirs/pyspark/__init__.py", "raise SystemExit('the package of another Python')");
    lab.write("theirs/start.py", "raise SystemExit('the start of another Python')");
    let theirs = lab.root().join("theirs").display().to_string();
    let start = format!("{theirs}/start.py");
    lab.write(
        "pyspark/steps/free.py",
        format!(
            "import datetime\nimport sys\nprint('h\\u00e9')\nassert sys.flags.optimize == 0 and sys.flags.utf8_mode == 1\n\
             assert datetime.datetime.fromtimestamp(0).hour == 0\n{}",
            fs_err::read_to_string(lab.root().join("pyspark/steps/free.py")).unwrap()
        ),
    );
    let own = |name: &'static str| (name, theirs.as_str());
    set(
        &mut lab,
        &[
            own("PYTHONHOME"),
            own("PYTHONPATH"),
            own("PYTHONUSERBASE"),
            own("PYTHONPLATLIBDIR"),
            ("PYTHONSTARTUP", &start),
            ("PYTHONINSPECT", "1"),
            ("PYTHONOPTIMIZE", "2"),
            ("PYTHONWARNINGS", "error"),
            ("PYTHONSAFEPATH", "1"),
            ("PYTHONUTF8", "0"),
            ("PYTHONIOENCODING", "ascii"),
            ("PYTHONBREAKPOINT", "nowhere.nothing"),
            ("LC_ALL", "C"),
            ("TZ", "Asia/Tokyo"),
            own("VIRTUAL_ENV"),
            own("CONDA_PREFIX"),
            own("SPARK_HOME"),
            own("SPARK_CONF_DIR"),
            ("SPARK_REMOTE", "sc://127.0.0.1:1"),
            ("SPARK_CONNECT_MODE_ENABLED", "1"),
            ("PYSPARK_PYTHON", "/nowhere/python"),
            ("SAIL_MODE", "nowhere"),
            ("JAVA_TOOL_OPTIONS", "-Dnowhere"),
            ("RUST_LOG", "trace"),
        ],
    );
    lab.run(&["submit", "ok", "--date", "2026-11-22"]).expect(0);
    lab.run(&["query", "select count(*) as n from ok", "--output", "json"]).expect(0).says("2");
}

/// Returns the address of an index, and the first line of each request it gets.
fn index_without_packages() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let head: Vec<String> =
                BufReader::new(&stream).lines().map_while(Result::ok).take_while(|l| !l.is_empty()).collect();
            let _ = tell.send(head.first().cloned().unwrap_or_default());
            let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    (address, told)
}

#[test]
fn of_pips_settings_only_the_way_to_the_index_counts_for_pip_and_for_uv() {
    let mut lab = project();
    let (index, asked) = index_without_packages();
    lab.write("pip.conf", format!("[global]\nuser = true\nindex-url = {index}/simple\n[install]\nroot = theirs\n"));
    lab.write("constraints.txt", "setuptools<60\n");
    let path = |name: &str| lab.root().join(name).display().to_string();
    let (engines, file, constraints, theirs) =
        (path("engines"), path("pip.conf"), path("constraints.txt"), path("theirs"));
    // Nothing of the machine's own may shorten the way.
    for name in ["PIP_INDEX_URL", "PIP_FIND_LINKS", "PIP_CACHE_DIR"] {
        set(&mut lab, &[(name, "")]);
    }
    set(
        &mut lab,
        &[
            ("SOFLOW_ENGINE_DIR", engines.as_str()),
            ("PIP_CONFIG_FILE", &file),
            ("PIP_NO_CACHE_DIR", "1"),
            ("PIP_RETRIES", "0"),
            ("PIP_USER", "1"),
            ("PIP_CONSTRAINT", &constraints),
            ("PIP_TARGET", &theirs),
            ("PIP_PREFIX", &theirs),
            ("PIP_ROOT", &theirs),
            ("PIP_QUIET", "3"),
            ("PIP_PYTHON", "/nowhere/python"),
        ],
    );
    // All that is in the way is an index that has nothing, neither uv nor, where there is one, what uv gets.
    lab.without_uv();
    lab.run(&["engine", "install"]).expect(3).says("No matching distribution found for uv").says("one on PATH");
    assert_eq!(asked.recv().unwrap(), "GET /simple/uv/ HTTP/1.1");
    lab.with_uv();
    let ran = lab.run(&["engine", "install"]);
    ran.expect(3).says("was not found in the package registry").says("PIP_INDEX_URL");
    let packages: Vec<String> = asked.try_iter().filter(|line| !line.contains("/uv/")).collect();
    assert!(packages.iter().any(|line| line.starts_with("GET /simple/")), "{packages:?}");
    assert!(!ran.stderr.contains("--user") && !ran.stderr.contains("constraint"), "{}", ran.said());
    assert!(!lab.root().join("theirs").exists());

    lab.write("pip.conf", "no section\n");
    lab.run(&["engine", "install"]).expect(3).says("pip.conf").says("PIP_CONFIG_FILE=/dev/null");
}

#[test]
fn a_password_of_an_index_is_never_shown() {
    let mut lab = project();
    let (index, _asked) = index_without_packages();
    let index = index.replace("http://", "http://me:geheim@");
    let engines = lab.root().join("engines").display().to_string();
    set(&mut lab, &[("SOFLOW_ENGINE_DIR", &engines), ("PIP_CONFIG_FILE", "/dev/null"), ("PIP_RETRIES", "0")]);
    // One that answers, and one that does not.
    for index in [index.as_str(), "http://me:geheim@127.0.0.1:1"] {
        set(&mut lab, &[("PIP_INDEX_URL", index)]);
        for with_uv in [false, true] {
            if with_uv {
                lab.with_uv()
            } else {
                lab.without_uv()
            }
            let ran = lab.run(&["engine", "install"]);
            ran.expect(3).says("PIP_INDEX_URL");
            assert!(!ran.said().contains("geheim"), "{}", ran.said());
        }
    }
}
