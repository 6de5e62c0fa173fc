//! What this machine tells of a person, in the domain's words. It only translates; what it means the domain decides.

use std::path::Path;

use chrono::{DateTime, Utc};
use reveille_domain::ports::{Jupyter, PersonSeen};
use reveille_notebook::activity::{Activity, Problem};
use reveille_notebook::terminals;

/// Puts together what Jupyter answered and what the process table of the machine whose `/` is `root` shows.
pub fn seen(activity: &Activity, root: &Path, now: DateTime<Utc>) -> PersonSeen {
    let (last_active, ahead) = activity.last_used(now);
    PersonSeen {
        busy: activity.busy_kernels > 0 || terminals::program_runs(&root.join("proc")),
        last_active,
        ahead,
        jupyter: match activity.problem {
            None => Jupyter::Answered,
            Some(Problem::Refused) => Jupyter::NoServer,
            Some(Problem::Unusable(_)) => Jupyter::Silent,
        },
    }
}
