//! What this machine tells of a person, and of its clock, in the domain's words. It only translates; what it means the domain
//! decides.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use reveille_domain::ports::{Jupyter, PersonSeen};
use reveille_notebook::activity::{Activity, Problem};
use reveille_notebook::terminals;

/// Puts together what Jupyter answered and what the process table of the machine whose `/` is `root` shows. Jupyter's times
/// are of this machine's clock, as `now` is; `everybodys` tells what AWS's clock, which records are dated by, shows then.
pub fn seen(
    activity: &Activity,
    root: &Path,
    now: DateTime<Utc>,
    everybodys: impl Fn(DateTime<Utc>) -> DateTime<Utc>,
) -> PersonSeen {
    let (last_active, ahead) = activity.last_used(now);
    PersonSeen {
        busy: activity.busy_kernels > 0 || terminals::program_runs(&root.join("proc")),
        last_active: last_active.map(&everybodys),
        ahead: ahead.map(&everybodys),
        jupyter: match activity.problem {
            None => Jupyter::Answered,
            Some(Problem::Refused) => Jupyter::NoServer,
            Some(Problem::Unusable(_)) => Jupyter::Silent,
        },
    }
}

/// What the log is told of a clock that AWS's is so much ahead of.
pub fn clock(offset: TimeDelta) -> String {
    let seconds = offset.num_seconds();
    if seconds == 0 {
        return "this machine's clock is right again".to_owned();
    }
    let side = if seconds > 0 { "behind" } else { "ahead of" };
    format!(
        "this machine's clock is {} s {side} AWS's. The records of its runs carry AWS's time; notebooks, and the times in this log, have this clock's. Correct it with `sudo chronyc makestep`",
        seconds.unsigned_abs()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_persons_last_activity_is_told_in_awss_time() {
        let now = DateTime::UNIX_EPOCH;
        let behind = TimeDelta::seconds(600);
        let activity =
            Activity { seen: vec![now - behind, now + behind], busy_kernels: 0, terminals: 0, problem: None };
        let none = Path::new("/nonexistent");
        let seen = seen(&activity, none, now, |at| at + behind);
        assert_eq!((seen.last_active, seen.ahead), (Some(now), Some(now + behind + behind)));
    }

    #[test]
    fn the_log_names_the_side_on_which_the_clock_is_wrong() {
        assert!(clock(TimeDelta::seconds(600)).contains("600 s behind AWS's"));
        assert!(clock(TimeDelta::seconds(-600)).contains("600 s ahead of AWS's"));
        assert!(clock(TimeDelta::zero()).contains("right again"));
    }
}
