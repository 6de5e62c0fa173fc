use super::*;

fn at(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_800_000_000_000 + ms).unwrap()
}

fn run(name: &str) -> RunId {
    RunId::from_key(name)
}

fn instance() -> InstanceName {
    InstanceName::parse("nightly").unwrap()
}

/// A ticket that came into the queue at second 0, with a heartbeat of 40 s: it is beaten every 10 s.
fn ticket(name: &str, queue_seconds: u32) -> Stored<Ticket> {
    let record = Ticket {
        run: run(name),
        attempt: 1,
        instance: None,
        execution_arn: "arn".into(),
        admitted_at: at(0),
        queued_at: at(0),
        heartbeat_seconds: 40,
        queue_seconds,
        live_output_seconds: 0,
        request_sha256: None,
        task_token: format!("token of {name}"),
    };
    Stored { record, etag: format!("tag of {name}") }
}

fn queue(tickets: &[Stored<Ticket>]) -> Queue {
    let queue = Queue::default();
    for ticket in tickets {
        queue.learn(&instance(), &ticket.record.run, Some(ticket.clone()));
    }
    queue
}

fn nobody(_: &AttemptRef) -> bool {
    false
}

fn everybody(_: &AttemptRef) -> bool {
    true
}

fn next(queue: &Queue, now: i64) -> Option<String> {
    queue.next(at(now), nobody).map(|stored| stored.record.run.to_string())
}

/// Of runs, and whether nobody waits for each.
fn over(queue: &Queue, now: i64) -> Vec<(String, bool)> {
    let over = queue.take_over(at(now), nobody);
    over.into_iter().map(|(stored, is_silent)| (stored.record.run.to_string(), is_silent)).collect()
}

#[test]
fn strays_leave_room_for_tickets_in_a_listing() {
    assert_eq!(MAX_LISTED, 20_000);
}

/// A clock that was set back by more than the wait makes it due.
#[test]
fn a_time_has_come_or_the_clock_was_set_back() {
    let ahead = TimeDelta::seconds(3);
    for (now, is_due) in [(10_000, true), (10_001, true), (9_999, false), (7_000, false), (6_999, true), (0, true)] {
        assert_eq!(is_reached(at(10_000), at(now), ahead), is_due, "{now}");
    }
}

#[test]
fn an_inbox_is_empty_when_that_is_known() {
    let queue = queue(&[]);
    assert!(!queue.is_empty(), "nobody looked");
    queue.is_known.set(true);
    assert!(queue.is_empty());
    queue.learn(&instance(), &run("a"), Some(ticket("a", 60)));
    assert!(!queue.is_empty());
    queue.learn(&instance(), &run("a"), None);
    assert!(queue.is_empty());
}

#[test]
fn the_oldest_ticket_that_can_be_served_is_next() {
    let mut younger = ticket("a", 60);
    younger.record.admitted_at = at(1);
    let queue = queue(&[younger, ticket("b", 60), ticket("c", 60)]);
    assert_eq!(next(&queue, 0).as_deref(), Some("b"));
    queue.silence(&run("b"), "another token");
    assert_eq!(next(&queue, 0).as_deref(), Some("b"), "it was submitted anew meanwhile");
    queue.silence(&run("b"), "token of b");
    assert_eq!(next(&queue, 0).as_deref(), Some("c"));
    queue.keep(&run("b"));
    assert_eq!(next(&queue, 0).as_deref(), Some("b"));
    assert_eq!(next(&queue, 59_999).as_deref(), Some("b"));
    assert_eq!(next(&queue, 60_000), None, "they waited too long");
    let begun = queue.next(at(60_000), |at| at.run == run("c")).map(|stored| stored.record.run);
    assert_eq!(begun, Some(run("c")), "what was begun is served");
    assert_eq!(over(&queue, 60_000).len(), 3);
    assert_eq!(queue.next(at(60_000), everybody), None, "they are being taken out");
}

#[test]
fn a_ticket_that_is_read_again_is_another_one_if_its_tag_is() {
    let queue = queue(&[ticket("a", 60)]);
    queue.begin_beat(&run("a"), at(0));
    queue.learn(&instance(), &run("a"), Some(ticket("a", 60)));
    assert_eq!(queue.due(at(1)).0, [], "it stays beaten");
    assert!(queue.holds(&ticket("a", 60)));
    let anew = Stored { etag: "another".into(), ..ticket("a", 60) };
    assert!(!queue.holds(&anew) && !queue.holds(&ticket("b", 60)));
    queue.learn(&instance(), &run("a"), Some(anew.clone()));
    assert_eq!(queue.due(at(1)).0, [run("a")]);
    assert!(queue.holds(&anew) && !queue.holds(&ticket("a", 60)));
}

#[test]
fn each_ticket_is_beaten_every_quarter_of_its_heartbeat() {
    let mut slow = ticket("slow", 60);
    slow.record.heartbeat_seconds = 400;
    let queue = queue(&[ticket("a", 60), slow]);
    assert_eq!(queue.due(at(0)), (vec![run("a"), run("slow")], Duration::from_secs(10)));
    assert_eq!(queue.begin_beat(&run("slow"), at(0)).as_deref(), Some("token of slow"));
    assert_eq!(queue.begin_beat(&run("a"), at(1_000)).as_deref(), Some("token of a"));
    for (now, due, pause_ms) in [
        (1_000, vec![], 10_000),
        (4_000, vec![], 7_000),
        (10_999, vec![], 1),
        (11_000, vec!["a"], 10_000),
        (95_000, vec!["a"], 5_000),
        (100_000, vec!["slow", "a"], 10_000),
        // A clock that was set back.
        (999, vec!["a"], 10_000),
    ] {
        let due: Vec<RunId> = due.into_iter().map(run).collect();
        assert_eq!(queue.due(at(now)), (due, Duration::from_millis(pause_ms)), "{now}");
    }
    // Who was beaten first is beaten first; nobody is beaten for whom nobody waits.
    queue.silence(&run("a"), "token of a");
    assert_eq!(queue.due(at(100_000)).0, [run("slow")]);
    assert_eq!(queue.begin_beat(&run("a"), at(100_000)), None);
    assert_eq!(queue.begin_beat(&run("gone"), at(0)), None);
}

#[test]
fn a_ticket_is_over_when_nobody_waits_or_when_it_waited_too_long() {
    let queue = queue(&[ticket("a", 60), ticket("b", 90)]);
    assert_eq!(over(&queue, 59_999), []);
    queue.silence(&run("b"), "token of b");
    assert_eq!(over(&queue, 60_000), [("a".to_owned(), false), ("b".to_owned(), true)]);
    assert_eq!(over(&queue, 60_000), [], "they are being taken out");
    // It failed: once more, after a while.
    queue.end_again(&run("a"), at(63_000));
    assert_eq!(over(&queue, 62_999), []);
    assert_eq!(over(&queue, 63_000), [("a".to_owned(), false)]);
}

#[test]
fn a_ticket_at_work_is_never_late() {
    let queue = queue(&[ticket("a", 60)]);
    assert_eq!(queue.take_over(at(999_000), everybody).len(), 0);
    queue.silence(&run("a"), "token of a");
    assert_eq!(queue.take_over(at(999_000), everybody).len(), 1, "though nobody waits for it any more");
}

#[test]
fn it_is_known_when_the_next_ticket_may_be_over() {
    assert_eq!(queue(&[]).next_over_in(at(0)), None);
    let queue = queue(&[ticket("a", 60), ticket("b", 90)]);
    assert_eq!(queue.next_over_in(at(0)), Some(Duration::from_mins(1)));
    assert_eq!(queue.next_over_in(at(59_999)), Some(SHORTEST_WAIT));
    assert_eq!(queue.next_over_in(at(60_000)), Some(Duration::from_secs(30)), "the first is over already");
    queue.end_again(&run("a"), at(63_000));
    assert_eq!(queue.next_over_in(at(60_000)), Some(Duration::from_secs(3)));
    assert_eq!(queue.next_over_in(at(63_000)), Some(Duration::from_secs(27)), "that is to be tried now");
    assert_eq!(queue.next_over_in(at(90_000)), None);
}

#[test]
fn what_is_listed_and_not_known_is_read_and_a_stray_once_in_a_while() {
    let queue = queue(&[ticket("known", 60), ticket("gone", 60)]);
    queue.strays.borrow_mut().extend([("key of stray".to_owned(), at(0)), ("key of known".to_owned(), at(0))]);
    let listed: BTreeMap<RunId, String> =
        ["known", "new", "stray"].map(|name| (run(name), format!("key of {name}"))).into();
    let unknown = |now| {
        let unknown = queue.unknown(listed.clone(), at(now));
        unknown.into_iter().map(|(run, _)| run.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(unknown(59_999), ["new"]);
    assert_eq!(unknown(60_000), ["new", "stray"]);
    assert!(queue.holds(&ticket("known", 60)) && !queue.holds(&ticket("gone", 60)));
}
