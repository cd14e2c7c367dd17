//! Faults, as they are on the wire.

use serde_json::{Value, json};

use crate::stackexchange::{Double, Encoding, Fault, FaultKind, Kind, Match, Options, World};
use crate::stackexchange_checks::client::{Answer, get, send};

fn double(encoding: Encoding) -> Double {
    let mut world = World::empty(1_704_110_400);
    world.crowd(Kind::Answers, 1_704_110_000, 20);
    Double::with(Options { encoding, ..Options::default() }, world)
}

/// Returns what a request gets that meets a fault, when it gets anything. The next request gets all.
fn met(kind: FaultKind) -> Option<Answer> {
    let double = double(Encoding::Gzip);
    double.fault(Fault::new(Match::Any, kind.clone()));
    let answer = send(&double, "/answers?site=stackoverflow", &[]);
    assert_eq!(get(&double, "/answers").all("answer_id").len(), 20, "{kind:?} happens once");
    let asked = double.requests();
    assert_eq!((asked[0].spoilt, asked[1].spoilt), (true, false), "{kind:?}");
    assert_eq!(asked[0].status, answer.as_ref().map_or(0, |answer| answer.status), "{kind:?}");
    answer
}

#[test]
fn errors_come_instead_of_items() {
    for id in [400, 401, 402, 403, 404, 405, 406, 407, 409, 500, 502, 503] {
        let answer = met(FaultKind::Error(id)).unwrap();
        assert_eq!((answer.status, &answer.json()["error_id"]), (400, &json!(id)));
    }
    let message = |kind| met(kind).unwrap().json()["error_message"].clone();
    let words = "too many requests from this IP, more requests available in 46472 seconds";
    assert_eq!(message(FaultKind::Throttle(Some(46_472))), words);
    assert_eq!(message(FaultKind::Throttle(None)), "too many requests from this IP");
    for status in [200, 403, 429, 500, 502, 503] {
        let answer = met(FaultKind::Edge(status)).unwrap();
        assert_eq!((answer.status, answer.body.starts_with(b"<!DOCTYPE html>")), (status, true));
    }
    let moved = met(FaultKind::Redirect("http://elsewhere.invalid/".to_string())).unwrap();
    assert_eq!((moved.status, moved.header("location")), (302, Some("http://elsewhere.invalid/")));
}

#[test]
fn answers_get_lost_or_break_off() {
    assert!(met(FaultKind::DropBefore).is_none());
    assert!(met(FaultKind::DropAfter).is_none());
    let promised = |answer: &Answer| answer.header("content-length").unwrap().parse::<usize>().unwrap();
    let broken = met(FaultKind::BreakOff).unwrap();
    assert_eq!(broken.body.len(), promised(&broken) / 2);
    let cut = met(FaultKind::TruncatedGzip).unwrap();
    assert_eq!((cut.body.len(), cut.json()), (promised(&cut), Value::Null));
    let cut = met(FaultKind::TruncatedPlain).unwrap();
    assert_eq!((cut.body.len(), cut.body[0], cut.json()), (promised(&cut), b'{', Value::Null));
    assert_eq!(met(FaultKind::Empty).unwrap().body, b"");
    let slow = met(FaultKind::Slow(std::time::Duration::from_millis(1))).unwrap();
    assert_eq!(slow.all("answer_id").len(), 20);
}

#[test]
fn a_lost_answer_costs_quota_only_when_the_request_was_executed() {
    let double = double(Encoding::Gzip);
    double.fault(Fault::new(Match::Any, FaultKind::DropBefore));
    double.fault(Fault::new(Match::Any, FaultKind::DropAfter));
    assert!(send(&double, "/answers?site=stackoverflow", &[]).is_none());
    assert!(send(&double, "/answers?site=stackoverflow", &[]).is_none());
    assert_eq!(get(&double, "/answers").json()["quota_remaining"], 298);
}

#[test]
fn an_endless_answer_ends_when_the_client_goes() {
    use std::io::{Read, Write};
    let double = double(Encoding::Gzip);
    double.fault(Fault::new(Match::Any, FaultKind::Endless(100_000)));
    let host = double.url().trim_start_matches("http://").trim_end_matches("/2.3").to_string();
    let mut stream = std::net::TcpStream::connect(&host).unwrap();
    stream.write_all(b"GET /2.3/answers?site=stackoverflow HTTP/1.1\r\nhost: here\r\n\r\n").unwrap();
    stream.read_exact(&mut vec![0; 100_000]).unwrap();
    drop(stream);
    assert_eq!(get(&double, "/answers").status, 200);
}

#[test]
fn bodies_are_wrong_in_their_bytes_or_their_shape() {
    let text = |kind| met(kind).unwrap().body;
    assert!(serde_json::from_slice::<Value>(&text(FaultKind::InvalidJson)).is_err());
    let bytes = text(FaultKind::InvalidUtf8);
    assert!(std::str::from_utf8(&bytes).is_err());
    assert_eq!(serde_json::from_str::<Value>(&String::from_utf8_lossy(&bytes)).unwrap()["has_more"], false);

    let json = |kind| met(kind).unwrap().json();
    let hollow = json(FaultKind::Hollow);
    assert_eq!((&hollow["items"], &hollow["has_more"]), (&json!([]), &json!(true)));
    assert!(!json(FaultKind::WrongShape).as_object().unwrap().contains_key("items"));
    let remaining = |value| json(FaultKind::Field("quota_remaining".to_string(), value));
    assert_eq!(remaining(Some(json!(-1)))["quota_remaining"], -1);
    assert_eq!(remaining(Some(json!("12")))["quota_remaining"], "12");
    assert!(!remaining(None).as_object().unwrap().contains_key("quota_remaining"));
}

#[test]
fn a_backoff_on_a_page_is_meant() {
    let double = double(Encoding::Gzip);
    double.fault(Fault::new(Match::Method("/answers".to_string()), FaultKind::Backoff(7)));
    assert_eq!(get(&double, "/comments").json()["backoff"], Value::Null);
    assert_eq!(get(&double, "/answers").json()["backoff"], 7);
    assert_eq!(get(&double, "/answers").json()["error_id"], 502);
}

#[test]
fn a_fault_meets_those_it_matches_as_often_as_it_says() {
    let double = double(Encoding::Gzip);
    let failed = |path: &str| get(&double, path).status == 500;
    double.fault(Fault::new(Match::Number(2), FaultKind::Edge(500)).times(2));
    assert_eq!([(); 4].map(|()| failed("/answers")), [false, true, true, false]);
    double.fault(Fault::new(Match::when(|asked| asked.param("page") == Some("2")), FaultKind::Edge(500)).always());
    assert_eq!(["1", "2", "2"].map(|page| failed(&format!("/answers?page={page}"))), [false, true, true]);
    double.heal();
    assert!(!failed("/answers?page=2"));
    double.forget();
    assert_eq!(double.requests().len(), 0);
    assert!(!failed("/answers"));
    assert_eq!(double.requests()[0].number, 1);
}

#[test]
fn json_comes_in_the_encoding_that_was_chosen() {
    let first = |encoding| {
        let answer = get(&double(encoding), "/answers");
        (answer.header("content-encoding").map(str::to_string), answer.body[0])
    };
    assert_eq!(first(Encoding::Gzip), (Some("gzip".to_string()), 0x1f));
    assert_eq!(first(Encoding::Deflate), (Some("deflate".to_string()), 0x78));
    assert_eq!(first(Encoding::Unnamed), (None, 0x1f));
    assert_eq!(first(Encoding::Plain), (None, b'{'));
}
