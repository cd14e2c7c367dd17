//! Who asks, from where, at what time.

use jiff::{SignedDuration, Timestamp};

use super::State;
use super::finding::{Asker, Finding};
use crate::aws::{Advice, CallError, Caller, Meaning, Session, Signer, advice};

/// The difference of clocks from which requests are about to be refused: AWS takes signatures five minutes old, and a
/// clock that is off by four is not looked after. Source: "Elements of an AWS API request signature" in the IAM guide.
const SKEW: SignedDuration = SignedDuration::from_mins(4);

/// Credentials that end sooner than this may end in the middle of what they are wanted for.
const SOON: SignedDuration = SignedDuration::from_mins(15);

/// Checks credentials, clock and region, with one call. Without a caller nothing else can be asked.
pub(super) async fn check(ask: &Asker<'_>) -> (Vec<Finding>, Option<Caller>) {
    let session = ask.session;
    let signer = match session.signer().await {
        Ok(signer) => signer,
        Err(error) => {
            let causes = error.causes();
            let why = causes.last().map_or(error.message.as_str(), String::as_str);
            let finding = Finding::problem(format!("none were found: {why}")).mend(session.sign_in());
            return (vec![finding.of("credentials")], None);
        }
    };
    let answer = session.caller().await;
    let clock = clock(session.clock().ahead());
    match answer {
        Ok(caller) => {
            let region = Finding::ok(format!("`{}`, STS answers there", session.region())).of("region");
            let credentials = identified(&caller, &signer, session.sign_in(), Timestamp::now());
            (vec![credentials.of("credentials"), clock, region], Some(caller))
        }
        // What the clocks say is more exact than what STS says of it.
        Err(error) if clock.state == State::Problem && advice(&error, None).meaning == Meaning::Clock => {
            (vec![clock], None)
        }
        Err(error) => {
            let mut findings = vec![refused(&error, &signer, session)];
            findings.extend((clock.state == State::Problem).then_some(clock));
            (findings, None)
        }
    }
}

fn identified(caller: &Caller, signer: &Signer, sign_in: &str, now: Timestamp) -> Finding {
    let left = signer.expires.map(|end| end.duration_since(now));
    let ends = left.map(|left| format!(", end in {} min", left.as_mins().max(0))).unwrap_or_default();
    let finding = Finding::ok(format!("`{}`, account {} (from {}{ends})", caller.arn, caller.account, signer.source));
    if left.is_some_and(|left| left < SOON) {
        return finding.mend(format!("they end soon; before a long command: {sign_in}"));
    }
    if caller.is_root() {
        return finding.mend("the root user may do everything: use a role with the policy in docs/doctor.md");
    }
    finding
}

fn refused(error: &CallError, signer: &Signer, session: &Session) -> Finding {
    let Advice { meaning, what, hints } = advice(error, None);
    let (check, finding) = match meaning {
        Meaning::Clock => ("clock", Finding::problem(what)),
        Meaning::Expired | Meaning::Credentials => {
            ("credentials", Finding::problem(format!("{what} (from {})", signer.source)))
        }
        _ => {
            let what = format!("STS in `{}` does not answer: {}: {}", session.region(), error.code, error.message);
            let advice = format!("`curl -sS {}` shows what the network does", session.place("STS", "sts").0);
            ("region", Finding::problem(what).mend(advice))
        }
    };
    let finding = finding.of(check);
    if meaning == Meaning::Expired {
        return finding.mend(session.sign_in());
    }
    hints.into_iter().filter(|hint| !hint.contains("`soflow doctor`")).fold(finding, Finding::mend)
}

fn clock(ahead: SignedDuration) -> Finding {
    let apart = ahead.abs();
    if apart <= SKEW {
        return Finding::ok(format!("{} s apart from AWS's", apart.as_secs())).of("clock");
    }
    let way = if ahead.is_negative() { "ahead of" } else { "behind" };
    let what =
        format!("this machine's clock is {} min {way} AWS's, which refuses signatures from 5 min", apart.as_mins());
    Finding::problem(what).mend("`sudo timedatectl set-ntp true`").of("clock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_may_be_four_minutes_off() {
        assert_eq!(clock(SignedDuration::from_secs(-240)).state, State::Ok);
        let late = clock(SignedDuration::from_secs(241));
        assert_eq!(late.state, State::Problem);
        assert!(late.what.contains("4 min behind"), "{}", late.what);
        assert!(clock(SignedDuration::from_mins(-9)).what.contains("9 min ahead of"));
    }

    #[test]
    fn what_is_wrong_with_credentials_is_told_apart() {
        let signer = Signer { source: "profile".into(), expires: None };
        let keys = aws_credential_types::Credentials::new("id", "secret", None, None, "test");
        let session = Session::for_tests("http://127.0.0.1:1", keys, crate::aws::RetryPolicy::default());
        let first = |code: &str| {
            let (operation, message) = ("GetCallerIdentity".to_string(), "no".to_string());
            let (code, maybe_done, partition) = (code.into(), false, "aws");
            let error = CallError { service: "STS", operation, code, message, maybe_done, partition };
            refused(&error, &signer, &session)
        };
        assert_eq!(first("ExpiredToken").what, "the AWS credentials have expired (from profile)");
        assert_eq!(first("RequestExpired").check, "clock");
        assert_eq!(first("InvalidClientTokenId").check, "credentials");
        assert_eq!(first("ConnectionFailed").what, "STS in `eu-west-1` does not answer: ConnectionFailed: no");
    }

    #[test]
    fn credentials_that_end_soon_are_told() {
        let now = "2026-11-23T10:00:00Z".parse::<Timestamp>().unwrap();
        let caller = Caller { account: "1".into(), arn: "arn:aws:iam::1:user/ada".into() };
        let at = |text: &str| Signer { source: "profile".into(), expires: Some(text.parse().unwrap()) };
        let soon = identified(&caller, &at("2026-11-23T10:14:00Z"), "sign in", now);
        assert!(soon.what.ends_with("(from profile, end in 14 min)") && soon.mend.len() == 1, "{soon:?}");
        assert!(identified(&caller, &at("2026-11-23T10:16:00Z"), "sign in", now).mend.is_empty());
    }
}
