//! Ways for accounts where soflow's own is none.

use std::os::unix::fs::PermissionsExt;

use fs_err as fs;

use super::agent::{Agent, Faults};
use super::lab::{Open, downloads, serve, with_cluster};
use crate::emr::lab::Lab;
use crate::twin::Moto;

/// A program that takes `session-manager-plugin`'s command line or `ssh`'s, and carries connections to a port of this machine.
const PROGRAM: &str = r#"#!@PYTHON@
import json, os, socket, sys, threading
with open(@NOTES@, "w") as notes:
    json.dump({"args": sys.argv[1:], "response": os.environ.get("AWS_SSM_START_SESSION_RESPONSE")}, notes)
if "-L" in sys.argv:
    port = int(sys.argv[sys.argv.index("-L") + 1].split(":")[1])
else:
    port = int(json.loads(sys.argv[5])["Parameters"]["localPortNumber"][0])
def pump(one, other):
    while data := one.recv(65536):
        other.sendall(data)
    other.shutdown(socket.SHUT_WR)
server = socket.create_server(("127.0.0.1", port))
while True:
    near, _ = server.accept()
    far = socket.create_connection(("127.0.0.1", @PORT@))
    for pair in ((near, far), (far, near)):
        threading.Thread(target=pump, args=pair, daemon=True).start()
"#;

/// Puts the program on the path under that name; returns how the page is opened then, and where it notes how it was started.
fn with_program(lab: &Lab, name: &str) -> (std::process::Command, std::path::PathBuf) {
    let (folder, notes) = (lab.home.path().join("bin"), lab.home.path().join("notes.json"));
    let program = PROGRAM
        .replace("@PYTHON@", Moto::python().to_str().unwrap())
        .replace("@NOTES@", &format!("{notes:?}"))
        .replace("@PORT@", &serve().to_string());
    lab.write(&format!("bin/{name}"), &program);
    fs::set_permissions(folder.join(name), PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = lab.command(&["--output", "json", "open", "hue"]);
    command.env("PATH", folder);
    (command, notes)
}

#[test]
fn an_account_that_encrypts_its_sessions_is_served_by_the_plugin() {
    let (lab, _) = with_cluster("");
    let agent = Agent::start(1, Faults { encrypted: true, ..Faults::default() });
    lab.twin.connect_agent(&agent.url);
    let (command, notes) = with_program(&lab, "session-manager-plugin");
    let open = Open::of(command);
    assert_eq!(open.said["way"], "session-manager-plugin", "{}", open.said);
    assert!(downloads(open.url(), 100_000));
    let noted: serde_json::Value = serde_json::from_slice(&fs::read(notes).unwrap()).unwrap();
    assert!(!noted["args"].to_string().contains("token-of"), "{noted}");
    let response = noted["response"].as_str().unwrap();
    assert!(response.contains(r#""SessionId":"anna-2""#) && response.contains(r#""TokenValue":"token-of-anna-2"#));
    assert_eq!(lab.twin.open_sessions(), 1, "the first one is ended");
    let said = open.interrupt();
    assert_eq!(said.code, Some(0), "{said}");
    assert!(said.stderr.contains("through session-manager-plugin, since soflow's own way is none"), "{said}");
    assert_eq!(lab.twin.open_sessions(), 0);
}

#[test]
fn without_an_agent_ssh_is_taken_when_there_is_a_key() {
    let (lab, _) = with_cluster("clusters:\n  standard:\n    key-name: team\n");
    lab.write(".ssh/team.pem", "a key");
    let (command, notes) = with_program(&lab, "ssh");
    let open = Open::of(command);
    assert_eq!(open.said["way"], "ssh", "{}", open.said);
    assert!(downloads(open.url(), 100_000));
    let noted = fs::read_to_string(notes).unwrap();
    assert!(noted.contains(":127.0.0.1:8888") && noted.contains("hadoop@ip-10-0-6-10.ec2.internal"), "{noted}");
    let said = open.interrupt();
    assert_eq!(said.code, Some(0), "{said}");
    assert!(said.stderr.contains("no agent of Systems Manager") || said.stderr.contains("is not connected"), "{said}");
    let printed = lab.run(&["open", "hue", "--print"]).stdout;
    assert!(printed.contains("ssh -N -L 127.0.0.1:8888:127.0.0.1:8888 -i ~/.ssh/team.pem"), "{printed}");
}
