//! Pages that EMR makes links to.

use super::lab::with_cluster;
use crate::emr::lab::DATE;
use crate::twin::StepFate;

#[test]
fn a_running_cluster_has_links_and_one_that_has_ended_others() {
    let (lab, id) = with_cluster("");
    for (page, kind) in [("spark", "SparkHistoryServer"), ("yarn", "ResourceManager"), ("tez", "TezUI")] {
        let said = lab.json(&["open", page]);
        let url = format!("https://{id}.emrappui-prod.us-east-1.amazonaws.com/{kind}?X-Amz-Security-Token=TWIN");
        assert_eq!((said["url"].as_str(), said["way"].as_str()), (Some(&*url), Some("link")), "{said}");
        let printed = lab.run(&["open", page, "--print"]).stdout;
        assert!(printed.contains(&format!("--cluster-id {id} --on-cluster-app-ui-type {kind}\n")), "{printed}");
    }
    let submitted = lab.submit();
    assert_eq!(submitted.code, Some(0), "{submitted}");
    assert_eq!(lab.run(&["cluster", "down"]).code, Some(0));
    lab.twin.until("it has ended", |_| lab.twin.clusters()[0]["Status"]["State"] == "TERMINATED");
    let run = format!("chain.{DATE}.1");
    for (page, kind) in [("spark", "SHS"), ("yarn", "YTS"), ("tez", "TEZ")] {
        let said = lab.json(&["open", page, &run]);
        let url = said["url"].as_str().unwrap();
        assert!(url.contains(&format!("/{kind}/{id}?")), "{said}");
    }
    let printed = lab.run(&["open", "spark", &id, "--print"]).stdout;
    assert!(printed.contains("create-persistent-app-ui") && printed.contains("--profiler-type SHS"), "{printed}");
}

#[test]
fn the_page_of_a_run_with_a_running_step_is_that_of_its_application() {
    let (lab, id) = with_cluster("");
    lab.twin.step_fate("one", StepFate::Hangs);
    let handed_over = lab.run(&["submit", "chain", "--date", DATE, "--wait", "0s"]);
    assert_eq!(handed_over.code, Some(4), "{handed_over}");
    lab.until_step("one", "RUNNING");
    let said = lab.json(&["open", "spark", &format!("chain.{DATE}.1")]);
    assert!(said["url"].as_str().unwrap().contains(&format!("{id}.emrappui-prod")), "{said}");
    let asked = lab.twin.calls_of("emr", "GetOnClusterAppUIPresignedURL").pop().unwrap().body.unwrap();
    assert_eq!(asked["OnClusterAppUIType"], "ApplicationMaster", "{asked}");
    assert!(asked["ApplicationId"].as_str().unwrap().starts_with("application_"), "{asked}");
}

#[test]
fn the_console_takes_no_link() {
    let (lab, id) = with_cluster("");
    let said = lab.run(&["open", "console"]);
    let url = format!("https://us-east-1.console.aws.amazon.com/emr/home?region=us-east-1#/clusterDetails/{id}");
    assert!(said.code == Some(0) && said.stdout.contains(&url), "{said}");
}
