//! The DAG of Airflow: parsed always; run by Airflow itself, with a job on the twin, when that is asked for.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use fs_err as fs;

use super::unattended;
use crate::emr::lab::{DATE, Lab, STEPS, TABLES};
use crate::twin::tools::{python, run};
use crate::twin::{Failure, Options, StepFate};

/// When the schedule fires for the date: on the day after.
const FIRES: &str = "2026-11-23T02:15:00+00:00";

#[test]
fn the_dag_is_python() {
    let read = "import ast, pathlib, sys; ast.parse(pathlib.Path(sys.argv[1]).read_text())";
    run(Command::new("python3").args(["-c", read]).arg(unattended("airflow_dag.py")));
}

/// An Airflow with a database of its own, whose workers find a project and an AWS.
struct Airflow<'a> {
    lab: &'a Lab,
    home: &'a Path,
}

impl Airflow<'_> {
    fn run(&self, arguments: &[&str]) -> Output {
        let mut airflow = python("airflow", include_str!("airflow.lock"));
        airflow.args(["-m", "airflow"]).args(arguments);
        airflow.env_clear().env("HOME", self.home).env("USER", "anna");
        airflow.env("AIRFLOW_HOME", self.home).env("AIRFLOW__CORE__LOAD_EXAMPLES", "False");
        airflow.env("AIRFLOW__CORE__DAGS_FOLDER", self.home.join("dags")).envs(self.lab.twin.environment());
        let program = Path::new(env!("CARGO_BIN_EXE_soflow")).parent().unwrap();
        let mut path = program.as_os_str().to_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap());
        airflow.env("PATH", path).output().unwrap()
    }
}

#[test]
fn airflow_runs_a_job_once_and_does_not_try_again_what_another_try_does_not_mend() {
    if std::env::var_os("SOFLOW_TEST_AIRFLOW").is_none_or(|value| value != "1") {
        println!("skipped: the DAG of Airflow, run by Airflow: SOFLOW_TEST_AIRFLOW is not 1");
        return;
    }
    // Longer than the DAG looks here: it has to be deferred.
    let lab = Lab::with("", |options| Options { pace: Duration::from_secs(1), ..options });
    let home = tempfile::tempdir().unwrap();
    let dag = fs::read_to_string(unattended("airflow_dag.py")).unwrap();
    let places = format!("{:?}, \"twin\", \"chain\"", lab.home.path());
    // It looks for a short time, and soon again.
    let dag = dag.replace("\"/opt/project\", \"prod\", \"daily\"", &places).replace("\"30s\"", "\"1s\"");
    let dag = dag.replace("minutes=1)", "seconds=1)");
    fs::create_dir(home.path().join("dags")).unwrap();
    fs::write(home.path().join("dags/dag.py"), dag).unwrap();
    let airflow = Airflow { lab: &lab, home: home.path() };
    let made = airflow.run(&["db", "migrate"]);
    assert!(made.status.success(), "{made:?}");
    let test = || {
        let said = airflow.run(&["dags", "test", "stack_overflow", FIRES]);
        let said = [said.stdout, said.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(said.contains("deferr"), "nothing is deferred\n{said}");
        said
    };

    lab.twin.step_fate("two", StepFate::Fails(Failure::default()));
    let said = test();
    assert!(said.contains("step `two` of run `chain.2026-11-22.1` failed"), "{said}");
    assert!(said.contains("AirflowFailException") && said.contains("state=failed"), "{said}");
    assert_eq!((lab.records().len(), lab.published().len()), (1, 0), "{said}");

    lab.twin.step_fate("two", StepFate::Completes);
    let said = test();
    assert!(said.contains("state=success"), "{said}");
    assert_eq!(lab.published(), TABLES, "{said}");
    let records = lab.records();
    assert_eq!(records[1]["run"], format!("chain.{DATE}.2"), "{said}");
    assert_eq!(records.len(), 2, "{said}");
    let mut done = lab.completed();
    done.sort();
    let mut steps = STEPS;
    steps.sort_unstable();
    assert_eq!(done, steps, "{said}");
}
