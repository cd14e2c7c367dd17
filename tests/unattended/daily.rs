//! The job that comes with soflow, by an execution and from the command line.

use serde_json::json;

use crate::emr::whole::daily;
use crate::unattended::interpreter::Interpreter;
use crate::unattended::lab::Lab;

#[test]
fn explore() {
    for file in ["/tmp/b-sfn.txt", "/tmp/b-cli.txt"] {
        let emr = daily(if file.contains("sfn") { "sfn" } else { "cli" }).unwrap();
        let said = emr.run(&["ingest", "sample"]);
        assert_eq!(said.code, Some(0), "{said}");
        emr.twin.reset_calls();
        let mut text = String::new();
        let calls;
        if file.contains("sfn") {
            let lab = Lab::of(emr, Interpreter::Moto, ("daily", 21_600), &[]);
            let began = std::time::Instant::now();
            let ended = lab.finish(&lab.start(&json!({ "job": "daily", "date": "2026-10-31" })));
            println!("{:?}", began.elapsed());
            lab.succeeded(&ended, "daily");
            text += &ended.states.join("\n");
            calls = lab.emr.twin.calls();
            text += &format!("\nnodes {:#?}", lab.emr.twin.calls_on_nodes().iter().map(|call| format!("{} {} {}", call.operation, call.detail, call.status)).collect::<Vec<_>>());
            text += &format!("\n{lab}");
        } else {
            let said = emr.run(&["submit", "daily", "--date", "2026-10-31"]);
            assert_eq!(said.code, Some(0), "{said}");
            calls = emr.twin.calls();
        }
        for call in calls {
            text += &format!("\n{} {} {} {} {}", call.caller, call.service, call.operation, call.detail, call.status);
        }
        fs_err::write(file, text).unwrap();
    }
}
