//! Where the command is, and as whom: region, credentials, clock.

use std::time::SystemTime;

use chrono::{DateTime, TimeDelta, Utc};

use super::finding::{Check, Finding};
use crate::{
    clients::checkup::{Greeting, Known, SeenClock, Unknown},
    error::CliError,
    ui::times,
};

/// Credentials that end sooner may end in the middle of what comes next.
const SOON: TimeDelta = TimeDelta::minutes(10);
/// The date of an answer has whole seconds, and the answer takes time. AWS refuses requests whose time is five minutes off, and S3 fifteen.
const ODD: TimeDelta = TimeDelta::seconds(30);
const REFUSED: TimeDelta = TimeDelta::minutes(4);

/// What is found where not even a region or credentials are set.
pub(super) fn not_configured(error: &CliError) -> Vec<Finding> {
    match error {
        CliError::NoRegion => vec![Finding::fail(
            Check::Region,
            "no region is set",
            "give --region, or: export AWS_REGION=eu-west-1 (the region of the stack)",
        )],
        error => {
            vec![Finding::fail(
                Check::Credentials,
                error.to_string(),
                "do what it says, then run doctor again; aws configure list shows what is set, and from where",
            )]
        }
    }
}

pub(super) fn configured(
    region: &str,
    expires: Option<SystemTime>,
    greeting: &Known<Greeting>,
    now: DateTime<Utc>,
) -> Vec<Finding> {
    let mut findings = vec![Finding::ok(Check::Region, format!("the region is {region}"))];
    match greeting {
        Err(unknown) => findings.push(Finding::unchecked(Check::Credentials, unknown)),
        Ok(greeting) => {
            findings.push(credentials(&greeting.caller, expires.map(DateTime::from), now));
            findings.extend(greeting.clock.map(clock));
        }
    }
    findings
}

fn credentials(caller: &Result<String, CliError>, expires: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Finding {
    let caller = match caller {
        Ok(caller) => caller,
        Err(error @ (CliError::NoCredentials { .. } | CliError::Refused { .. })) => {
            let cure = "sign in again; aws configure list shows what is set";
            return Finding::fail(Check::Credentials, error.to_string(), cure);
        }
        // Without an answer nothing is known of them; the next line says that there is none.
        Err(error) => return Finding::unchecked(Check::Credentials, &Unknown::Failed(error.to_string())),
    };
    match expires.map(|at| at - now).filter(|left| *left < SOON) {
        Some(left) => Finding::warn(
            Check::Credentials,
            format!("you are {caller}, and these credentials expire in {}", times::duration(left)),
            "sign in again before you start something long",
        ),
        None => Finding::ok(Check::Credentials, format!("you are {caller}")),
    }
}

fn clock(seen: SeenClock) -> Finding {
    let off = seen.here - seen.at_aws;
    let direction = if off < TimeDelta::zero() { "behind" } else { "ahead of" };
    let what = || format!("this machine's clock is {} {direction} AWS's", times::duration(off.abs()));
    let cure = "set the clock by the network: timedatectl set-ntp true";
    if off.abs() >= REFUSED {
        Finding::fail(Check::Clock, format!("{}; AWS refuses requests that are five minutes off", what()), cure)
    } else if off.abs() >= ODD {
        Finding::warn(Check::Clock, format!("{}; ages and times on the screen are off by that much", what()), cure)
    } else {
        Finding::ok(Check::Clock, "this machine's clock agrees with AWS's")
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use chrono::{TimeDelta, Utc};

    use super::{configured, not_configured};
    use crate::{
        clients::checkup::{Greeting, SeenClock, Unknown},
        commands::doctor::finding::{Check, Verdict, tests::found},
        error::CliError,
    };

    #[test]
    fn what_is_not_set_is_named() {
        found(&not_configured(&CliError::NoRegion), Check::Region, Verdict::Fail, "--region");
        let missing = CliError::NoCredentials { message: "no AWS credentials are set".to_owned() };
        found(&not_configured(&missing), Check::Credentials, Verdict::Fail, "no AWS credentials are set");
    }

    #[test]
    fn credentials_are_accepted_refused_or_about_to_end() {
        let now = Utc::now();
        let greeting = |caller| Ok(Greeting { caller, clock: None });
        let me = || Ok("arn:aws:iam::1:user/ada".to_owned());
        found(&configured("eu-west-1", None, &greeting(me()), now), Check::Credentials, Verdict::Ok, "user/ada");
        let soon = SystemTime::from(now + TimeDelta::minutes(3));
        found(&configured("eu-west-1", Some(soon), &greeting(me()), now), Check::Credentials, Verdict::Warn, "3m 00s");
        let refused = Err(CliError::NoCredentials { message: "ExpiredToken".to_owned() });
        let findings = configured("eu-west-1", None, &greeting(refused), now);
        found(&findings, Check::Credentials, Verdict::Fail, "ExpiredToken");
        let unheard = Err(CliError::NotNow("AWS did not answer".to_owned()));
        let findings = configured("eu-west-1", None, &greeting(unheard), now);
        found(&findings, Check::Credentials, Verdict::Unchecked, "did not answer");
        let late = configured("eu-west-1", None, &Err(Unknown::Late("sts:GetCallerIdentity")), now);
        found(&late, Check::Credentials, Verdict::Unchecked, "sts:GetCallerIdentity");
    }

    #[test]
    fn a_clock_is_right_odd_or_wrong() {
        let at_aws = Utc::now();
        for (seconds, verdict, said) in [
            (2, Verdict::Ok, "agrees"),
            (-70, Verdict::Warn, "1m 10s behind"),
            (400, Verdict::Fail, "6m 40s ahead of"),
            (-400, Verdict::Fail, "timedatectl"),
        ] {
            let clock = Some(SeenClock { here: at_aws + TimeDelta::seconds(seconds), at_aws });
            let greeting = Ok(Greeting { caller: Ok("me".to_owned()), clock });
            found(&configured("eu-west-1", None, &greeting, at_aws), Check::Clock, verdict, said);
        }
    }
}
