//! What is explored: one instance, two runs, and how much may go wrong. Whatever these say no to is not explored, and only that.

use std::time::Duration;

use serde_json::json;

use crate::schedule::{Instance, Notebooks, Parameters, Schedule, Trigger};
use crate::world::choices::{ANY, Budget, Once};

/// One part of the exploration.
#[derive(Clone, Copy, Debug)]
pub struct Core {
    /// Its name, in the words of what it explores.
    pub name: &'static str,
    /// What one play may choose.
    pub budget: Budget,
    /// When the second run arrives after the first, in seconds; `None`: there is one run, unless it arrives by choice.
    pub second: Option<u64>,
    /// Whether the second is the same event, delivered again.
    pub same_event: bool,
    /// What is tried once in each situation, however long that lasts, and not once at each moment of it.
    pub once_each_situation: Once,
    /// Whether it is part of `make test`.
    pub quick: bool,
}

const NONE: Budget = Budget { orders: 0, holds: 0, faults: 0, deeds: 0, arrivals: 0 };

/// Every part.
pub const CORES: [Core; 17] = [
    Core {
        name: "one run: every order",
        budget: Budget { orders: ANY, ..NONE },
        second: None,
        same_event: false,
        once_each_situation: Once::Nothing,
        quick: false,
    },
    Core {
        name: "one event, delivered twice at once: every order",
        budget: Budget { orders: ANY, ..NONE },
        second: Some(0),
        same_event: true,
        once_each_situation: Once::Nothing,
        quick: false,
    },
    Core {
        name: "one event, delivered twice at once: one effect out of turn",
        budget: Budget { orders: 1, ..NONE },
        second: Some(0),
        same_event: true,
        once_each_situation: Once::Nothing,
        quick: true,
    },
    Core {
        name: "two runs at once: one effect out of turn",
        budget: Budget { orders: 1, ..NONE },
        second: Some(0),
        same_event: false,
        once_each_situation: Once::Nothing,
        quick: true,
    },
    Core {
        name: "two runs at once and one person: one deed at any moment",
        budget: Budget { deeds: 1, ..NONE },
        second: Some(0),
        same_event: false,
        once_each_situation: Once::Nothing,
        quick: false,
    },
    Core {
        name: "two runs at once: one fault at any effect",
        budget: Budget { faults: 1, ..NONE },
        second: Some(0),
        same_event: false,
        once_each_situation: Once::Nothing,
        quick: false,
    },
    Core {
        name: "the second run at any moment",
        budget: Budget { arrivals: 1, ..NONE },
        second: None,
        same_event: false,
        once_each_situation: Once::Nothing,
        quick: true,
    },
    Core {
        name: "the second run at any moment: one effect out of turn",
        budget: Budget { orders: 1, arrivals: 1, ..NONE },
        second: None,
        same_event: false,
        once_each_situation: Once::Nothing,
        quick: false,
    },
    Core {
        name: "the second while the first executes: one fault at any effect",
        budget: Budget { faults: 1, ..NONE },
        second: Some(45),
        same_event: false,
        once_each_situation: Once::Nothing,
        quick: false,
    },
    Core {
        name: "the second at the end of the first: one effect out of turn, one held",
        budget: Budget { orders: 1, holds: 1, ..NONE },
        second: Some(51),
        same_event: false,
        once_each_situation: Once::Nothing,
        quick: false,
    },
    Core {
        name: "one run: one fault at any effect, one effect out of turn",
        budget: Budget { orders: 1, faults: 1, ..NONE },
        second: None,
        same_event: false,
        once_each_situation: Once::Nothing,
        quick: true,
    },
    Core {
        name: "one run and one person: one deed at any moment",
        budget: Budget { deeds: 1, ..NONE },
        second: None,
        same_event: false,
        once_each_situation: Once::Nothing,
        quick: true,
    },
    Core {
        name: "one run and one person: one deed at any moment, one effect held",
        budget: Budget { holds: 1, deeds: 1, ..NONE },
        second: None,
        same_event: false,
        once_each_situation: Once::Holds,
        quick: false,
    },
    Core {
        name: "one run: one fault at any effect, one effect held",
        budget: Budget { holds: 1, faults: 1, ..NONE },
        second: None,
        same_event: false,
        once_each_situation: Once::Nothing,
        quick: false,
    },
    Core {
        name: "two runs at once and one person: one deed and one fault, each once in each situation",
        budget: Budget { deeds: 1, faults: 1, ..NONE },
        second: Some(0),
        same_event: false,
        once_each_situation: Once::All,
        quick: false,
    },
    Core {
        name: "one run and one person: one deed and one fault, each once in each situation",
        budget: Budget { deeds: 1, faults: 1, ..NONE },
        second: None,
        same_event: false,
        once_each_situation: Once::All,
        quick: true,
    },
    Core {
        name: "the second while the first executes, and one person: one deed and one fault, each once in each situation",
        budget: Budget { deeds: 1, faults: 1, ..NONE },
        second: Some(45),
        same_event: false,
        once_each_situation: Once::All,
        quick: false,
    },
];

/// What must be noticed when it is taken out, in the parts that are quick: a search that notices nothing proves nothing.
pub const NOTICED: [&str; 6] = [
    "the fence: every claim is granted",
    "the trigger's record: every execution holds it",
    "compare-and-swap of leases",
    "the Catch of AwaitRun",
    "VerifyStopped",
    "the intent before a start",
];

impl Core {
    /// The world.
    #[must_use]
    pub fn schedule(&self) -> Schedule {
        let by_choice = self.budget.arrivals > 0;
        let second = if by_choice { Some(0) } else { self.second.filter(|_| !self.same_event) };
        let again = self.second.filter(|_| self.same_event).map(Duration::from_secs);
        let run = |seconds, number: u32| Trigger {
            at: Duration::from_secs(seconds),
            input: json!({"instance": "core", "notebook": format!("{number}.ipynb"), "limits": {"startSeconds": 600}}),
            event: Some(number),
            deliveries: [Some(Duration::ZERO), again].into_iter().flatten().collect(),
        };
        let instance = Instance {
            name: "core".into(),
            pending: Duration::from_secs(30),
            stopping: Duration::from_secs(20),
            script: Duration::from_secs(5),
            skew_ms: 0,
        };
        let notebooks = Notebooks { least: 5, most: 5, ..Notebooks::default() };
        let parameters = Parameters { start_poll: 15, stop_poll: 15, heartbeat: 60 };
        let triggers = [Some(0), second].into_iter().flatten().zip(0..).map(|(at, number)| run(at, number)).collect();
        Schedule::calm(parameters, vec![instance], triggers, notebooks)
    }
}
