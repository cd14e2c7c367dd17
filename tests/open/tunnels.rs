//! Pages through soflow's own tunnel.

use serde_json::Value;

use super::agent::Faults;
use super::lab::{Open, downloads, with_agent, with_cluster};
use crate::twin::{Fault, FaultKind};

/// Opens Hue, downloads 3 MB, then ten pages at once; returns whether all came as they were served.
fn pages_come_whole(open: &Open) {
    assert!(downloads(open.url(), 3 << 20), "3 MB");
    std::thread::scope(|scope| {
        let loads: Vec<_> =
            (1..=10).map(|number| scope.spawn(move || downloads(open.url(), number * 40_000 + number))).collect();
        for (at, load) in loads.into_iter().enumerate() {
            assert!(load.join().unwrap(), "page {at} of ten");
        }
    });
}

#[test]
fn pages_come_whole_and_ctrl_c_ends_the_session_on_both_sides() {
    let (lab, id, agent) = with_agent(Faults::default());
    let open = Open::begin(&lab, &["hue"]);
    assert_eq!(open.said["way"], "ssm", "{}", open.said);
    assert_eq!(open.said["cluster"], *id);
    assert!(open.url().starts_with("http://127.0.0.1:"), "{}", open.said);
    pages_come_whole(&open);
    assert_eq!(lab.twin.open_sessions(), 1);
    let said = open.interrupt();
    assert_eq!(said.code, Some(0), "{said}");
    assert!(said.stderr.contains("closed after 11 connections"), "{said}");
    let seen = agent.seen();
    assert_eq!((seen.flags, seen.connections, seen.channels), (vec![2], 11, 1));
    assert_eq!(lab.twin.open_sessions(), 0);
    assert!(seen.signatures[0].contains("/us-east-1/ssmmessages/aws4_request"), "{:?}", seen.signatures);
    let asked = lab.twin.calls_of("ssm", "StartSession")[0].body.clone().unwrap();
    assert_eq!(asked["Parameters"]["portNumber"][0], "8888");
    assert!(asked["Target"].as_str().unwrap().starts_with("i-0"), "{asked}");
}

#[test]
fn lost_messages_are_sent_again_in_both_directions() {
    let (lab, _, agent) = with_agent(Faults { drops: true, ..Faults::default() });
    let open = Open::begin(&lab, &["livy"]);
    pages_come_whole(&open);
    let seen = agent.seen();
    assert!(seen.dropped >= 4, "{seen:?}");
    assert_eq!(open.interrupt().code, Some(0));
}

#[test]
fn a_broken_connection_is_made_anew_and_nothing_is_missing() {
    let (lab, _, agent) = with_agent(Faults { breaks: Some(900), ..Faults::default() });
    let open = Open::begin(&lab, &["hue"]);
    pages_come_whole(&open);
    let said = open.interrupt();
    assert_eq!(said.code, Some(0), "{said}");
    assert!(said.stderr.contains("The connection is there again."), "{said}");
    assert_eq!(agent.seen().channels, 2);
    assert_eq!(lab.twin.calls_of("ssm", "ResumeSession").len(), 1);
}

#[test]
fn a_cluster_whose_page_is_open_is_not_ended_and_runs_all_the_same() {
    let (lab, id, _agent) = with_agent(Faults::default());
    let open = Open::begin(&lab, &["hue"]);
    let down = lab.run(&["cluster", "down"]);
    assert_eq!(down.code, Some(5), "{down}");
    assert!(down.stderr.contains("its pages are looked at: open hue by anna@"), "{down}");
    assert!(lab.run(&["cluster", "list"]).stdout.contains("open hue"));
    let submitted = lab.submit();
    assert_eq!(submitted.code, Some(0), "{submitted}");
    assert_eq!(lab.clusters(), std::slice::from_ref(&id), "it takes no step's place");
    assert_eq!(open.interrupt().code, Some(0));
    let down = lab.run(&["cluster", "down"]);
    assert_eq!(down.code, Some(0), "{down}");
}

#[test]
fn nobody_listening_on_the_cluster_is_told_and_the_tunnel_stays() {
    let (lab, _) = with_cluster("");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let agent = super::agent::Agent::start(closed, Faults::default());
    lab.twin.connect_agent(&agent.url);
    let open = Open::begin(&lab, &["trino"]);
    assert!(!downloads(open.url().trim_end_matches("ui/"), 10));
    let said = open.interrupt();
    assert_eq!(said.code, Some(0), "{said}");
    assert!(said.stderr.contains("nothing listens at trino's port"), "{said}");
}

#[test]
fn no_secret_is_said_or_stored() {
    let (lab, _, _agent) = with_agent(Faults::default());
    let open = Open::begin(&lab, &["jupyterhub"]);
    let password = open.said["password"].as_str().unwrap().to_string();
    assert!(password.contains("--secret-id soflow/") && password.contains("/jupyterhub "), "{password}");
    assert!(open.url().starts_with("https://"), "{}", open.said);
    let said = open.interrupt();
    assert!(!said.to_string().contains("token-of-"), "{said}");
    assert!(lab.run(&["open", "hue", "--print"]).stdout.contains("aws ssm start-session "), "{said}");
}

/// Asserts what an attempt to open a page says, and that nothing is left of it.
fn refused(lab: &crate::emr::lab::Lab, args: &[&str], code: i32, parts: &[&str]) {
    let said = lab.run(&[&["open"], args].concat());
    assert_eq!(said.code, Some(code), "{said}");
    for part in parts {
        assert!(said.stderr.contains(part), "{part} is not in\n{said}");
    }
    assert_eq!(said.stderr.matches("error:").count(), 1, "{said}");
    assert_eq!(lab.twin.open_sessions(), 0, "{said}");
    let leases: Vec<String> = lab.clusters().iter().filter_map(|id| lab.lease(&format!("{id}.viewers"))).collect();
    assert_eq!(leases, Vec::<String>::new(), "{said}");
}

#[test]
fn each_reason_why_nothing_opens_is_one_error_with_what_to_do() {
    let settings = "clusters:\n  standard:\n    applications: [Spark, Hue]\n    cloudwatch-logs: false\n";
    let (lab, id) = with_cluster(settings);
    // Neither a plugin nor a key for SSH.
    refused(
        &lab,
        &["hue"],
        3,
        &[
            "no agent of Systems Manager is connected",
            "AmazonSSMManagedInstanceCore",
            "ssh: the cluster's nodes know no key",
        ],
    );
    lab.twin.fault(Fault::new("ssm", "StartSession", FaultKind::AccessDenied));
    refused(&lab, &["hue"], 3, &["does not allow `StartSession`", "ssm:StartSession"]);
    lab.twin.heal();
    refused(&lab, &["trino"], 2, &["has no Trino", "it has Spark, Hue", "add `Trino` to `applications`"]);
    refused(&lab, &["hue", "j-NOSUCHCLUSTER"], 2, &["there is no cluster `j-NOSUCHCLUSTER`"]);
    refused(&lab, &["hue", "chain.2026-11-22.7"], 2, &["chain.2026-11-22.7"]);
    for (faults, says) in [
        (Faults { encrypted: true, ..Faults::default() }, "encrypted with a KMS key, which soflow does not do"),
        (Faults { refuses: true, ..Faults::default() }, "the session's data channel cannot be opened"),
    ] {
        let agent = super::agent::Agent::start(1, faults);
        lab.twin.connect_agent(&agent.url);
        refused(&lab, &["hue"], 3, &[says, "session-manager-plugin: it is not on PATH"]);
        let status = agent
            .seen()
            .handshakes
            .first()
            .map(|told: &Value| told["ProcessedClientActions"][0]["ActionStatus"].clone());
        assert!(status.is_none_or(|status| status == 3), "it went on unencrypted");
        assert_eq!(agent.seen().connections, 0);
    }
    assert_eq!(lab.run(&["cluster", "down"]).code, Some(0));
    lab.twin.until("it has ended", |_| lab.twin.clusters()[0]["Status"]["State"] == "TERMINATED");
    refused(&lab, &["hue", &id], 2, &["has ended, and hue with it", "soflow cluster up"]);
    refused(&lab, &["hue"], 2, &["there is no cluster of this lake"]);
}

#[test]
fn a_release_without_the_application_says_what_there_is_instead() {
    let settings =
        "clusters:\n  standard:\n    release: emr-spark-8.1.0\n    applications: [Spark]\n    cloudwatch-logs: false\n";
    let (lab, _) = with_cluster(settings);
    refused(&lab, &["jupyterhub"], 2, &["has no JupyterHub", "is of the line that has Spark 4", "`soflow sql`"]);
}

#[test]
fn a_target_on_this_machine_has_no_pages() {
    let lab = crate::emr::lab::Lab::new();
    let said = lab.run(&["open", "hue", "--target", "local"]);
    assert!(said.code == Some(2) && said.stderr.contains("needs a target of kind EMR"), "{said}");
}
