//! What a run cost, in words and as JSON: always an estimate, and it says so.

use chrono::{DateTime, Utc};
use reveille_domain::records::{Phases, Rest};
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
    let used = match &run.outcome {
        Some(outcome) => Used::of(&outcome.phases, StartedFor::of(&outcome.phases, &starts)),
        // Of a run that goes on, only the time since its own start is known without doubt.
        None => starts.first().map(|from| Used { from: *from, to: now, started: StartedFor::Itself }),
    };
    let Some(used) = used else {
        let is_told = run.outcome.as_ref().is_some_and(|outcome| outcome.phases != Phases::default());
        let none = if is_told {
            Cost::Nothing
        } else {
            Cost::Unknown("its outcome does not say how long it used the instance".to_owned())
        };
        return Ok((!goes_on).then_some(none));
    };
    let kind = match &run.instance {
        Some(instance) => account.instance_type(instance).await?,
        None => None,
    };
    Ok(Some(Cost::of(used, kind, &account.region, prices, goes_on)))
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

    use super::Cost;
    use crate::{
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
