//! What a run cost, in words and as JSON: always an estimate, and it says so.

use chrono::{DateTime, Utc};
use reveille_domain::records::{Claimant, Phases, Reporter, Rest};
use serde_json::{Value, json};

use crate::{
    clients::{Account, Ending, Run},
    cost::{StartedFor, Used, rounded},
    error::CliError,
    prices::{Price, Prices, amount},
    ui::{json::time, times},
};

/// What a run cost so far, or in all. `None`: nothing can be said of it yet.
pub(super) async fn of(account: &Account, run: &Run, prices: &Prices, now: DateTime<Utc>) -> Option<Cost> {
    let goes_on = run.ending == Ending::Running;
    if !goes_on
        && (run.outcome.is_none() || run.outcome.as_ref().is_some_and(|it| it.instance_after == Rest::NotTouched))
    {
        return run.outcome.is_some().then_some(Cost::Nothing);
    }
    match estimate(account, run, prices, now, goes_on).await {
        Ok(cost) => cost,
        // Whoever may not look is told so, beside all else that there is to tell of the run.
        Err(error) => Some(Cost::Unknown(error.to_string())),
    }
}

async fn estimate(
    account: &Account,
    run: &Run,
    prices: &Prices,
    now: DateTime<Utc>,
    goes_on: bool,
) -> Result<Option<Cost>, CliError> {
    let entered = account.entered(&run.execution.arn).await?;
    let starts: Vec<DateTime<Utc>> = entered.iter().filter(|it| it.is_start()).map(|it| it.at).collect();
    let Some(used) = used(run, &starts, now) else {
        if goes_on {
            return Ok(None);
        }
        let phases = run.outcome.as_ref().map(|outcome| outcome.phases).unwrap_or_default();
        let is_started = starts.iter().any(|at| *at >= run.execution.began());
        return Ok(Some(unused(&phases, is_started, is_taken(account, run).await?)));
    };
    let kind = match &run.instance {
        Some(instance) => account.instance_type(instance).await?,
        None => None,
    };
    Ok(Some(Cost::of(used, kind, &account.region, prices, goes_on)))
}

/// The time that a run pays for: that of its last attempt. A redrive adds to the history of the same execution, so that has the earlier attempts' starts, too.
fn used(run: &Run, starts: &[DateTime<Utc>], now: DateTime<Utc>) -> Option<Used> {
    let own: Vec<DateTime<Utc>> = starts.iter().copied().filter(|at| *at >= run.execution.began()).collect();
    match &run.outcome {
        // Which of the starts is this attempt's, its phase says best: a redrive that only verified the stop has no start.
        Some(outcome) if outcome.phases.starting.is_some() => {
            Used::of(&outcome.phases, StartedFor::of(&outcome.phases, starts))
        }
        Some(outcome) => Used::of(&outcome.phases, StartedFor::of(&outcome.phases, &own)),
        // Of a run that goes on, only the time since its own start is known without doubt.
        None => own.first().map(|from| Used { from: *from, to: now, started: StartedFor::Itself }),
    }
}

/// Whether a runner took the run. A function's report is on an attempt that a runner had.
async fn is_taken(account: &Account, run: &Run) -> Result<bool, CliError> {
    let Some(at) = &run.at else { return Ok(false) };
    let (claim, report) = (account.claim(at).await?, account.report(at).await?);
    Ok(claim.is_some_and(|claim| claim.by == Claimant::Runner)
        || report.is_some_and(|report| report.by == Reporter::Function))
}

/// What a run cost whose phases name no time that it pays for: nothing only if it neither called for a start nor reached a runner.
fn unused(phases: &Phases, is_started: bool, is_taken: bool) -> Cost {
    let why = if is_started {
        "it called for a start of the instance, and nobody saw when the instance was up"
    } else if is_taken {
        "a runner took it, and its outcome does not say for how long"
    } else if *phases == Phases::default() {
        "its outcome does not say how long it used the instance"
    } else {
        return Cost::Nothing;
    };
    Cost::Unknown(why.to_owned())
}

/// What is known of a run's cost.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cost {
    /// It used no time on the instance.
    Nothing,
    Estimate {
        used: Used,
        kind: String,
        price: Price,
        goes_on: bool,
    },
    /// And why.
    Unknown(String),
}

impl Cost {
    /// Of a time on an instance of that type.
    pub(super) fn of(used: Used, kind: Option<String>, region: &str, prices: &Prices, goes_on: bool) -> Self {
        let Some(kind) = kind else {
            return Self::Unknown("the instance does not exist any more, so its type is not known".to_owned());
        };
        match prices.price(&kind, region) {
            Ok(price) => Self::Estimate { used, kind, price, goes_on },
            Err(why) => Self::Unknown(why),
        }
    }

    /// In a sentence that says that it is an estimate, and of when its prices are.
    pub(super) fn sentence(&self) -> String {
        match self {
            Self::Nothing => "nothing: it used no time on the instance".to_owned(),
            Self::Unknown(why) => format!("not known: {why}"),
            Self::Estimate { used, kind, price, goes_on } => format!(
                "about {} USD{}, an estimate: {kind} for {} ({}) at {} USD an hour, prices of {}",
                amount(used.usd(price)),
                if *goes_on { " so far" } else { "" },
                times::duration(used.length()),
                if *goes_on { "since the start that it caused" } else { sentence(used.started) },
                price.usd_per_hour,
                price.date,
            ),
        }
    }

    pub(super) fn as_json(&self) -> Value {
        match self {
            Self::Nothing => json!({"isEstimate": true, "usd": 0.0}),
            Self::Unknown(why) => json!({"isEstimate": true, "usd": null, "unknown": why}),
            Self::Estimate { used, kind, price, goes_on } => json!({
                "isEstimate": true,
                "usd": rounded(used.usd(price)),
                "seconds": used.length().as_seconds_f64(),
                "from": time(used.from),
                "to": time(used.to),
                "goesOn": goes_on,
                "instance": word(used.started),
                "instanceType": kind,
                "usdPerHour": price.usd_per_hour,
                "pricesOf": price.date,
                "pricesFrom": price.source,
            }),
        }
    }
}

const fn word(started: StartedFor) -> &'static str {
    match started {
        StartedFor::Itself => "startedByRun",
        StartedFor::Others => "startedByOthers",
        StartedFor::Nobody => "alreadyOn",
    }
}

const fn sentence(started: StartedFor) -> &'static str {
    match started {
        StartedFor::Itself => "from the start that it caused until its end",
        StartedFor::Others => "only its own time, because somebody else started the instance",
        StartedFor::Nobody => "only its own time, because the instance was already on",
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use reveille_domain::records::{Outcome, Phase, Phases};
    use serde_json::json;

    use super::{Cost, unused, used as used_by};
    use crate::{
        clients::Run,
        cost::{StartedFor, Used},
        prices::Prices,
    };

    fn used(started: StartedFor) -> Used {
        let from = "2026-11-23T06:00:00Z".parse::<DateTime<Utc>>().unwrap();
        Used { from, to: from + TimeDelta::seconds(7_470), started }
    }

    #[test]
    fn an_estimate_says_that_it_is_one_and_of_when_its_prices_are() {
        let prices = Prices::of(None).unwrap();
        let cost = Cost::of(used(StartedFor::Itself), Some("ml.t3.medium".to_owned()), "us-east-1", &prices, false);
        assert_eq!(
            cost.sentence(),
            "about 0.10 USD, an estimate: ml.t3.medium for 2h 04m (from the start that it caused until its end) at 0.05 USD an hour, prices of 2026-09-24"
        );
        let json = cost.as_json();
        assert_eq!((&json["usd"], &json["isEstimate"]), (&0.1038.into(), &true.into()));
        assert_eq!((&json["instance"], &json["pricesOf"]), (&"startedByRun".into(), &"2026-09-24".into()));
        let own = Cost::of(used(StartedFor::Nobody), Some("ml.t3.medium".to_owned()), "us-east-1", &prices, false);
        assert!(own.sentence().contains("because the instance was already on"), "{}", own.sentence());
    }

    #[test]
    fn only_the_last_attempt_of_a_redriven_run_counts() {
        let monday = "2026-11-23T06:00:00Z".parse::<DateTime<Utc>>().unwrap();
        let friday = monday + TimeDelta::days(4);
        let starts = [monday + TimeDelta::seconds(9), friday + TimeDelta::seconds(9)];
        let mut run = Run::of_test("daily.ipynb");
        (run.execution.started, run.execution.redriven) = (monday, Some(friday));
        let now = friday + TimeDelta::minutes(10);
        let so_far = used_by(&run, &starts, now).unwrap();
        assert_eq!((so_far.from, so_far.to), (starts[1], now));
        assert_eq!(used_by(&run, &starts[..1], now), None, "the first attempt's start is not this one's");
        let phases = Phases { running: Some(Phase::between(friday, now)), ..Phases::default() };
        let outcome = json!({"run": "daily-1", "attempt": 2, "status": "SUCCEEDED", "instanceAfter": "atRest", "executionArn": "a",
            "outputs": {}, "phases": phases, "redriveCount": 1, "concludedAt": now});
        run.outcome = Some(serde_json::from_value::<Outcome>(outcome).unwrap());
        assert_eq!(used_by(&run, &starts[..1], now).unwrap().started, StartedFor::Nobody);
        assert_eq!(used_by(&run, &starts, now).unwrap().started, StartedFor::Itself);
    }

    #[test]
    fn a_run_cost_nothing_only_if_it_neither_started_the_instance_nor_reached_a_runner() {
        let from = "2026-11-23T06:00:00Z".parse::<DateTime<Utc>>().unwrap();
        let phase = Some(Phase::between(from, from + TimeDelta::minutes(5)));
        let not_confirmed = Phases { stopping: phase, ..Phases::default() };
        let given_up = Phases { starting: phase, stopping: phase, ..Phases::default() };
        let unknown = |cost: Cost, why: &str| {
            assert!(cost.as_json()["usd"].is_null() && cost.sentence().contains(why), "{}", cost.sentence());
        };
        unknown(unused(&not_confirmed, true, false), "nobody saw when the instance was up");
        unknown(unused(&given_up, false, true), "a runner took it");
        unknown(unused(&Phases::default(), false, false), "does not say");
        let waited = Phases { starting: phase, queued: phase, ..Phases::default() };
        assert_eq!(unused(&waited, false, false), Cost::Nothing);
    }

    #[test]
    fn what_is_not_known_is_not_nothing() {
        let prices = Prices::of(None).unwrap();
        let used = used(StartedFor::Itself);
        for (kind, region, why) in [
            (None, "us-east-1", "does not exist any more"),
            (Some("ml.t3.medium"), "eu-west-9", "no price is known for ml.t3.medium in eu-west-9"),
        ] {
            let cost = Cost::of(used, kind.map(str::to_owned), region, &prices, false);
            assert!(cost.sentence().starts_with("not known: ") && cost.sentence().contains(why), "{}", cost.sentence());
            assert!(cost.as_json()["usd"].is_null());
        }
        assert_eq!(Cost::Nothing.as_json()["usd"], 0.0);
    }
}
