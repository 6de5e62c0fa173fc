//! `reveille instances`: which notebook instances are on, and why.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use reveille_domain::{
    RunId,
    records::{Lease, LeaseState},
};
use serde_json::{Value, json};

use crate::{
    arguments::{Format, InstancesArguments},
    clients::{Account, Holder, Holds, Instance},
    cost::{rounded, usd},
    error::CliError,
    exit::Exit,
    prices::{Price, Prices, amount},
    ui::{
        table::{self, Cell, Column},
        terminal::{Terminal, Tone},
        times,
    },
};

const COLUMNS: [Column; 7] = [
    Column { title: "INSTANCE", rank: 0, least: 10 },
    Column { title: "STATUS", rank: 0, least: 9 },
    Column { title: "SINCE", rank: 1, least: 5 },
    // Since then, if it is on.
    Column { title: "~USD", rank: 2, least: 4 },
    Column { title: "USD/H", rank: 3, least: 5 },
    Column { title: "TYPE", rank: 4, least: 12 },
    Column { title: "WHY", rank: 0, least: 20 },
];

pub(crate) async fn run(terminal: &Terminal, arguments: &InstancesArguments) -> Result<Exit, CliError> {
    let prices = Prices::chosen(arguments.prices.prices.as_deref())?;
    let account = Account::of(&arguments.stack).await?;
    let mut instances = account.instances().await?;
    // Those that cost money first.
    instances.sort_by_key(|instance| !instance.is_on());
    let now = Utc::now();
    let costs: Vec<Priced<'_>> = instances.iter().map(|it| Priced::of(it, &account.region, &prices, now)).collect();
    if arguments.format.output == Format::Json {
        Terminal::result(&costs.iter().map(|priced| as_json(priced, now)).collect());
        return Ok(Exit::Done);
    }
    if instances.is_empty() {
        terminal.note(&format!(
            "there are no notebook instances in {}; docs/deploy.md says how to make one",
            account.region
        ));
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<Cell>> = costs.iter().map(|priced| row(priced, now)).collect();
    table::show_with_reasons(terminal, &table::whole(terminal, COLUMNS, "INSTANCE", &rows), &rows);
    if let Some(note) = note(&costs) {
        terminal.note(&note);
    }
    Ok(Exit::Done)
}

/// An instance, its price, and what it costs since its status changed.
struct Priced<'a> {
    instance: &'a Instance,
    price: Result<Price, String>,
    /// Of one that is on.
    usd: Option<f64>,
}

impl<'a> Priced<'a> {
    fn of(instance: &'a Instance, region: &str, prices: &Prices, now: DateTime<Utc>) -> Self {
        let price = prices.price(&instance.kind, region);
        let since = instance.since.filter(|_| instance.is_on());
        let usd = since.and_then(|since| Some(usd(now - since, price.as_ref().ok()?)));
        Self { instance, price, usd }
    }
}

/// What an amount is, of when the prices are, and which instance that is on has none.
fn note(priced: &[Priced<'_>]) -> Option<String> {
    let on = || priced.iter().filter(|priced| priced.instance.is_on());
    let dates: BTreeSet<String> =
        priced.iter().filter_map(|it| it.price.as_ref().ok()).map(|price| price.date.to_string()).collect();
    let told = (!dates.is_empty()).then(|| {
        let dates = dates.into_iter().collect::<Vec<_>>().join(" and ");
        if priced.iter().any(|priced| priced.usd.is_some()) {
            format!("~USD is an estimate, since the status changed last, at prices of {dates} (docs/cost.md)")
        } else {
            format!("USD/H are prices of {dates} (docs/cost.md)")
        }
    });
    let unknown: BTreeSet<&String> = on().filter_map(|priced| priced.price.as_ref().err()).collect();
    let notes: Vec<String> = told.into_iter().chain(unknown.into_iter().cloned()).collect();
    (!notes.is_empty()).then(|| notes.join("\n"))
}

fn row(priced: &Priced<'_>, now: DateTime<Utc>) -> Vec<Cell> {
    let instance = priced.instance;
    let on = instance.is_on();
    // A price that is not known is not nothing.
    let unknown = |text: Option<String>| text.unwrap_or_else(|| "?".to_owned());
    let so_far = if on { unknown(priced.usd.map(amount)) } else { String::new() };
    let per_hour = unknown(priced.price.as_ref().ok().map(|price| price.usd_per_hour.to_string()));
    let tone = if on { Tone::Moving } else { Tone::Plain };
    vec![
        (instance.name.to_string(), Tone::Strong),
        (instance.status.as_str().to_owned(), tone),
        (instance.since.map(|since| times::age(since, now)).unwrap_or_default(), Tone::Quiet),
        (so_far, if on { Tone::Moving } else { Tone::Quiet }),
        (per_hour, Tone::Quiet),
        (instance.kind.clone(), Tone::Quiet),
        (why(instance, now), Tone::Plain),
    ]
}

/// Why an instance is on, or why it could not be used.
pub(super) fn why(instance: &Instance, now: DateTime<Utc>) -> String {
    let hint = (!instance.has_lifecycle_configuration)
        .then(|| "no lifecycle configuration: runs fail with LifecycleConfigMissing".to_owned());
    let why = match (instance.is_on(), instance.is_lease_damaged) {
        (true, true) => Some(format!("its lease cannot be read, so nobody stops it: {LEASE}")),
        (false, true) => Some(format!("its lease cannot be read, so no run starts it: {LEASE}")),
        (true, false) => Some(why_on(instance, now)),
        (false, false) => None,
    };
    why.into_iter().chain(hint).collect::<Vec<_>>().join("; ")
}

/// What to do about a lease that cannot be read.
const LEASE: &str = "reveille explain Internal";

fn why_on(instance: &Instance, now: DateTime<Utc>) -> String {
    match (&instance.lease, &instance.holder) {
        (Some(lease), Some(holder)) if !lease.ended => because(lease, holder, now),
        _ => "a person started it, or it is not certain whose it is".to_owned(),
    }
}

fn because(lease: &Lease, holder: &Holder, now: DateTime<Utc>) -> String {
    let run = &holder.run;
    let busy = lease.state == LeaseState::Busy && lease.busy.is_some();
    let runs = match (lease.state, holder.holds) {
        (LeaseState::Busy, Holds::Still) if busy => format!("runs {run}"),
        (LeaseState::Starting | LeaseState::Unsure, Holds::Still) => format!("{run} starts it"),
        (LeaseState::Closing, _) => format!("it has been stopping for {}", times::duration(now - lease.at)),
        (LeaseState::Busy | LeaseState::Open, _) if !busy => format!("ready for runs; {run} started it"),
        // The lease is older than the run's end: whoever was to change it died, or is about to.
        (_, Holds::Until(at)) => {
            format!("no run uses it: {run} ended {} ago", times::duration(now - at))
        }
        (_, Holds::Unknown) => {
            format!("Reveille cannot tell whether {run} uses it: the run's records are gone or cannot be read")
        }
        (LeaseState::Busy | LeaseState::Open, Holds::Still) => format!("ready for runs; {run} started it"),
    };
    // What a person's last sign is worth ends after a while; when it was, stays true.
    let Some(at) = lease.person_at else { return runs };
    let person = format!("a person worked on it {} ago", times::duration(now - at));
    if busy && holder.holds == Holds::Still { format!("{runs}; {person}") } else { person }
}

fn as_json(priced: &Priced<'_>, now: DateTime<Utc>) -> Value {
    let instance = priced.instance;
    let price = priced.price.as_ref().ok();
    json!({
        "instance": instance.name,
        "status": instance.status.as_str(),
        "type": instance.kind,
        "since": instance.since,
        "on": instance.is_on(),
        "why": why(instance, now),
        "run": running(instance),
        "usdPerHour": price.map(|price| price.usd_per_hour),
        "pricesOf": price.map(|price| price.date),
        "pricesFrom": price.map(|price| &price.source),
        "estimatedUsd": priced.usd.map(rounded),
    })
}

/// The run that uses an instance now.
fn running(instance: &Instance) -> Option<&RunId> {
    let busy = instance.lease.as_ref().is_some_and(|lease| lease.busy.is_some() && !lease.ended);
    instance.holder.as_ref().filter(|holder| busy && holder.holds == Holds::Still).map(|holder| &holder.run)
}

#[cfg(test)]
mod tests {
    use aws_sdk_sagemaker::types::NotebookInstanceStatus;
    use chrono::{TimeDelta, Utc};
    use reveille_domain::{
        InstanceName, RunId,
        layout::AttemptRef,
        records::{Closer, Lease, LeaseState},
    };

    use super::{COLUMNS, Priced, as_json, note, row, running, why};
    use crate::{
        clients::{Holder, Holds, Instance},
        prices::Prices,
        ui::{table, terminal::Terminal},
    };

    /// An instance that is on, whose lease is changed by `change`.
    fn instance(holds: Holds, change: impl FnOnce(&mut Lease)) -> Instance {
        let run = RunId::from_key("daily-1");
        let mut lease = Lease::starting(&run, "n".into(), None, Utc::now() - TimeDelta::minutes(9));
        change(&mut lease);
        Instance {
            name: InstanceName::parse("nightly").unwrap(),
            kind: "ml.t3.medium".to_owned(),
            status: NotebookInstanceStatus::InService,
            since: None,
            has_lifecycle_configuration: true,
            lease: Some(lease),
            is_lease_damaged: false,
            holder: Some(Holder { run, holds }),
        }
    }

    #[test]
    fn a_lease_that_cannot_be_read_is_told_of_its_instance() {
        let damaged = |status| Instance {
            status,
            lease: None,
            holder: None,
            is_lease_damaged: true,
            ..instance(Holds::Still, |_| {})
        };
        let (on, off) = (damaged(NotebookInstanceStatus::InService), damaged(NotebookInstanceStatus::Stopped));
        assert_eq!(why(&on, Utc::now()), "its lease cannot be read, so nobody stops it: reveille explain Internal");
        assert!(why(&off, Utc::now()).starts_with("its lease cannot be read, so no run starts it: "));
    }

    fn busy(lease: &mut Lease) {
        lease.state = LeaseState::Busy;
        lease.busy = Some(AttemptRef { instance: "nightly".into(), run: RunId::from_key("daily-1"), attempt: 1 });
    }

    #[test]
    fn a_run_is_named_as_a_user_only_as_long_as_it_is_one() {
        let now = Utc::now();
        let ended = Holds::Until(now - TimeDelta::minutes(5));
        for (holds, said, user) in [
            (Holds::Still, "runs daily-1", Some(RunId::from_key("daily-1"))),
            (ended, "no run uses it: daily-1 ended 5m 00s ago", None),
            (
                Holds::Unknown,
                "Reveille cannot tell whether daily-1 uses it: the run's records are gone or cannot be read",
                None,
            ),
        ] {
            let instance = instance(holds, busy);
            assert_eq!((why(&instance, now).as_str(), running(&instance)), (said, user.as_ref()));
        }
        // The same of a run that was to start it.
        assert_eq!(why(&instance(Holds::Still, |_| {}), now), "daily-1 starts it");
        assert!(why(&instance(ended, |_| {}), now).starts_with("no run uses it: daily-1 ended 5m"));
        assert!(why(&instance(ended, |lease| lease.state = LeaseState::Open), now).starts_with("ready for runs"));
        let over = instance(ended, |lease| lease.ended = true);
        assert!(why(&over, now).starts_with("a person started it"), "the boot that the lease names is over");
        let closing =
            instance(ended, |lease| *lease = lease.closing(Closer::Runner, "m".into(), now - TimeDelta::minutes(2)));
        assert_eq!(why(&closing, now), "it has been stopping for 2m 00s");
    }

    #[test]
    fn a_persons_last_sign_is_told_with_its_age_and_does_not_hide_a_run() {
        let now = Utc::now();
        let seen = |lease: &mut Lease| lease.person_at = Some(now - TimeDelta::minutes(3));
        let both = instance(Holds::Still, |lease| {
            busy(lease);
            seen(lease);
        });
        assert_eq!(why(&both, now), "runs daily-1; a person worked on it 3m 00s ago");
        let left = instance(Holds::Until(now), |lease| {
            lease.state = LeaseState::Open;
            seen(lease);
        });
        assert_eq!(why(&left, now), "a person worked on it 3m 00s ago");
    }

    #[test]
    fn an_instance_that_is_on_has_its_price_and_what_it_costs_so_far() {
        let (now, prices) = (Utc::now(), Prices::of(None).unwrap());
        let since = Some(now - TimeDelta::hours(3));
        let on = Instance { since, ..instance(Holds::Still, busy) };
        let off = Instance { status: NotebookInstanceStatus::Stopped, ..on.clone() };
        let odd = Instance { kind: "ml.p9.large".to_owned(), ..on.clone() };
        let costs = |it| Priced::of(it, "us-east-1", &prices, now);
        let answer = as_json(&costs(&on), now);
        assert_eq!((&answer["usdPerHour"], &answer["estimatedUsd"]), (&0.05.into(), &0.15.into()));
        assert_eq!(answer["pricesOf"], "2026-09-24");
        assert!(answer["pricesFrom"].as_str().is_some_and(|source| !source.is_empty()));
        assert!(as_json(&costs(&off), now)["estimatedUsd"].is_null(), "it costs nothing");
        assert!(as_json(&costs(&odd), now)["usdPerHour"].is_null());
        let all = [&on, &off, &odd].map(costs);
        let rows: Vec<_> = all.iter().map(|it| row(it, now)).collect();
        assert_eq!(
            table::lines(&Terminal::plain(200), &COLUMNS, &rows)[1..],
            [
                "nightly   InService  3h     0.15  0.05   ml.t3.medium  runs daily-1",
                "nightly   Stopped    3h           0.05   ml.t3.medium",
                "nightly   InService  3h     ?     ?      ml.p9.large   runs daily-1",
            ]
        );
        for (width, titles) in [(60, "INSTANCE  STATUS     SINCE  ~USD"), (80, "SINCE  ~USD  USD/H  TYPE")] {
            let titled = table::lines(&Terminal::plain(width), &COLUMNS, &rows).remove(0);
            assert!(titled.contains(titles), "{width}: {titled}");
        }
        let note = note(&all).unwrap();
        assert!(note.contains("an estimate") && note.contains("prices of 2026-09-24"), "{note}");
        assert!(note.contains("no price is known for ml.p9.large in us-east-1"), "{note}");
        let off = super::note(&[costs(&off)]).unwrap();
        assert_eq!(off, "USD/H are prices of 2026-09-24 (docs/cost.md)", "no instance is on");
    }
}
