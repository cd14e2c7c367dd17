use super::*;

fn output(sequence: i64, content: u32, payload: &[u8]) -> Vec<u8> {
    let id = Uuid::from_u128(sequence as u128);
    Frame { kind: FrameKind::Output, sequence, id, content, payload: payload.to_vec() }.encode(0)
}

fn acknowledgement(sequence: i64) -> Vec<u8> {
    let payload = json!({ "AcknowledgedMessageSequenceNumber": sequence }).to_string().into_bytes();
    Frame { kind: FrameKind::Acknowledge, sequence: 0, id: Uuid::nil(), content: 0, payload }.encode(0)
}

/// Returns the numbers of messages that were taken from a channel, acknowledgements by those of the messages they are of.
fn numbers(channel: &mut Channel) -> Vec<(FrameKind, i64)> {
    let number = |raw: Vec<u8>| {
        let frame = Frame::decode(&raw).unwrap();
        let of = read::<Acknowledged>(&frame).map(|told| told.acknowledged_message_sequence_number);
        (frame.kind, of.unwrap_or(frame.sequence))
    };
    channel.outgoing().into_iter().map(number).collect()
}

#[test]
fn what_comes_out_of_order_is_acknowledged_and_waits_and_what_comes_twice_is_neither() {
    let mut channel = Channel::default();
    let data = |text: &[u8]| Heard::Data(text.to_vec());
    assert_eq!(channel.receive(&output(1, DATA, b"b")), Ok(vec![]));
    assert_eq!(channel.receive(&output(0, DATA, b"a")), Ok(vec![data(b"a"), data(b"b")]));
    assert_eq!(channel.receive(&output(0, DATA, b"a")), Ok(vec![]));
    assert_eq!(channel.receive(&output(2, DATA, b"c")), Ok(vec![data(b"c")]));
    assert_eq!(numbers(&mut channel), [1, 0, 2].map(|number| (FrameKind::Acknowledge, number)));
}

#[tokio::test(start_paused = true)]
async fn the_oldest_message_is_sent_again_until_it_is_acknowledged_or_nobody_is_there() {
    let mut channel = Channel::default();
    channel.send(b"a".to_vec());
    channel.send(b"b".to_vec());
    assert_eq!(numbers(&mut channel), [(FrameKind::Input, 0), (FrameKind::Input, 1)]);
    assert!(channel.send_again() && numbers(&mut channel).is_empty(), "it is not due");
    tokio::time::sleep_until(channel.due().unwrap()).await;
    assert!(channel.send_again());
    assert_eq!(numbers(&mut channel), [(FrameKind::Input, 0)]);
    channel.receive(&acknowledgement(0)).unwrap();
    let mut tries = 0;
    while channel.send_again() {
        tries += numbers(&mut channel).len();
        tokio::time::sleep_until(channel.due().unwrap()).await;
    }
    assert!((60..=70).contains(&tries), "{tries} times in a minute");
    channel.receive(&acknowledgement(1)).unwrap();
    assert_eq!(channel.due(), None);
}

#[test]
fn a_window_is_what_may_be_on_its_way_and_another_connection_gets_all_of_it() {
    let mut channel = Channel::default();
    for _ in 0..WINDOW {
        assert!(channel.has_room());
        channel.send(Vec::new());
    }
    assert!(!channel.has_room());
    channel.receive(&acknowledgement(5)).unwrap();
    assert!(channel.has_room());
    channel.outgoing();
    channel.send_all_again();
    let sent: Vec<i64> = numbers(&mut channel).into_iter().map(|(_, number)| number).collect();
    assert_eq!(sent, (0..WINDOW as i64).filter(|number| *number != 5).collect::<Vec<_>>());
}

#[test]
fn a_handshake_is_answered_and_one_that_asks_for_encryption_is_refused() {
    let asked = |kinds: &[&str]| {
        let actions: Vec<Json> =
            kinds.iter().map(|kind| json!({ "ActionType": kind, "ActionParameters": {} })).collect();
        json!({ "AgentVersion": "3.3", "RequestedClientActions": actions }).to_string().into_bytes()
    };
    let answered = |channel: &mut Channel| -> Json {
        let answer = channel.outgoing().pop().unwrap();
        let frame = Frame::decode(&answer).unwrap();
        assert_eq!(frame.content, HANDSHAKE_ANSWER);
        serde_json::from_slice(&frame.payload).unwrap()
    };
    let mut channel = Channel::default();
    assert_eq!(channel.receive(&output(0, HANDSHAKE, &asked(&["SessionType"]))), Ok(vec![]));
    assert_eq!(answered(&mut channel)["ProcessedClientActions"][0]["ActionStatus"], DONE);
    let done = output(1, HANDSHAKE_DONE, br#"{"HandshakeTimeToComplete": 1, "CustomerMessage": "Be nice."}"#);
    assert_eq!(channel.receive(&done), Ok(vec![Heard::Ready("Be nice.".into())]));
    let mut channel = Channel::default();
    let encrypted = output(0, HANDSHAKE, &asked(&["KMSEncryption", "SessionType"]));
    assert_eq!(channel.receive(&encrypted), Ok(vec![Heard::Encrypted]));
    assert_eq!(answered(&mut channel)["ProcessedClientActions"][0]["ActionStatus"], UNSUPPORTED);
}

#[test]
fn the_agent_says_that_nothing_listens_and_why_the_session_is_over() {
    let mut channel = Channel::default();
    assert_eq!(channel.receive(&output(0, FLAG, &[0, 0, 0, 3])), Ok(vec![Heard::NotConnected]));
    let payload = br#"{"Output": "idle for too long"}"#.to_vec();
    let closed = Frame { kind: FrameKind::Closed, sequence: 0, id: Uuid::nil(), content: 0, payload }.encode(0);
    assert_eq!(channel.receive(&closed), Ok(vec![Heard::Closed("idle for too long".into())]));
    assert!(channel.receive(b"noise").is_err());
}
