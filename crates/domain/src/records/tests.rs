use super::*;
use crate::layout::AttemptRef;

fn ticket(live_output_seconds: u32) -> Ticket {
    Ticket {
        run: RunId::from_key("daily-1"),
        attempt: 2,
        instance: None,
        execution_arn: "arn".into(),
        admitted_at: DateTime::UNIX_EPOCH,
        queued_at: DateTime::UNIX_EPOCH,
        heartbeat_seconds: 300,
        queue_seconds: 60,
        live_output_seconds,
        request_sha256: None,
        task_token: "capability".into(),
    }
}

/// A ticket is read by runners of an earlier version, which know no such field.
#[test]
fn a_ticket_without_live_output_has_no_such_field() {
    for (seconds, is_there) in [(0, false), (5, true)] {
        let json = serde_json::to_value(ticket(seconds)).unwrap();
        assert_eq!(json.get("liveOutputSeconds").is_some(), is_there, "{json}");
        assert_eq!(serde_json::from_value::<Ticket>(json).unwrap(), ticket(seconds));
    }
}

#[test]
fn a_ticket_is_logged_without_its_token() {
    assert_eq!(format!("{:?}", ticket(5)), "Ticket(daily-1 attempt 2)");
}

#[test]
fn only_a_runners_claim_names_a_version() {
    let at = AttemptRef { instance: "nightly".into(), run: RunId::from_key("daily-1"), attempt: 2 };
    let of = |by| Claim::of(&at, by, "nonce".into(), DateTime::UNIX_EPOCH);
    assert_eq!(of(Claimant::Runner).runner_version.as_deref(), Some(crate::VERSION));
    assert_eq!(of(Claimant::Release).runner_version, None);
    assert_eq!((of(Claimant::Release).attempt, of(Claimant::Release).nonce.as_str()), (Some(at.clone()), "nonce"));
}

/// A clock that ran backwards gives no negative time.
#[test]
fn a_phase_has_its_seconds_to_the_millisecond() {
    let at = |ms| DateTime::from_timestamp_millis(ms).unwrap();
    for (from, to, seconds) in [(0, 1_500, 1.5), (1_000, 1_001, 0.001), (5_000, 4_000, 0.0), (0, 0, 0.0)] {
        let phase = Phase::between(at(from), at(to));
        assert!((phase.seconds - seconds).abs() < 1e-9, "{from} {to}: {}", phase.seconds);
        assert_eq!((phase.started_at, phase.ended_at), (at(from), at(to)));
    }
}
