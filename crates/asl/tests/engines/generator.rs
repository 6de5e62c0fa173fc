//! Random machines that end: each state leads to later ones only.

use serde_json::{Map, Value, json};

use crate::other_engine::{FUNCTION, FUNCTION_ERROR};

/// Dice: `SplitMix64` (Steele, Lea and Flood, 2014).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }

    fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

/// A machine of these states, beginning with the first.
pub fn of_states(states: &Value) -> Value {
    let start = states.as_object().unwrap().keys().next().unwrap();
    json!({"QueryLanguage": "JSONata", "StartAt": start, "States": states})
}

const NUMBERS: &[&str] = &[
    "{% $a + 1 %}",
    "{% $b * 2 %}",
    "{% $a - $b %}",
    "{% $states.input.n %}",
    "{% $states.input.n + $a %}",
    "{% $max([$a, $b]) %}",
    "{% $sum([1..3]) %}",
    "{% $count($list) %}",
    "{% $states.input.n > 2 ? 10 : $b %}",
    "{% $length('x' & $a) %}",
    "{% $exists($missing) ? 1 : 2 %}",
    "{% $merge([{'n': 1}, {'n': $b}]).n %}",
    "{% $number($string($a)) %}",
];

/// Expressions that give nothing, or that fail.
pub const FAULTS: &[&str] = &["{% $states.input.missing %}", "{% $missing %}", "{% $a + 'x' %}", "{% $number('x') %}"];

const CONDITIONS: &[&str] = &[
    "{% $states.input.n > 2 %}",
    "{% $a >= $b %}",
    "{% $a = 1 or $b = 2 %}",
    "{% $not($states.input.n = 0) %}",
    "{% $exists($states.input.n) and $b < 5 %}",
    "{% $list[0] = $a %}",
];

const ERRORS: &[&str] = &[FUNCTION_ERROR, "States.TaskFailed", "States.ALL", "Other"];

pub fn machine(seed: u64) -> Value {
    let mut dice = Dice(seed);
    let count = 3 + dice.below(5);
    let mut states = Map::new();
    states.insert(
        "Begin".to_owned(),
        json!({"Type": "Pass", "Assign": {"a": 1, "b": "{% $states.input.n %}", "list": [1, 2, 3]}, "Next": name(0)}),
    );
    for index in 0..count {
        let mut state = state(&mut dice, index, count);
        if state["Type"] == "Parallel" {
            let next = std::mem::replace(&mut state["Next"], Value::from(join(index)));
            states.insert(
                join(index),
                json!({"Type": "Pass", "Output": {"n": "{% $sum($states.input) %}"}, "Next": next}),
            );
        }
        states.insert(name(index), state);
    }
    of_states(&Value::Object(states))
}

fn name(index: usize) -> String {
    format!("S{index}")
}

fn state(dice: &mut Dice, index: usize, count: usize) -> Value {
    let later = |dice: &mut Dice| name(index + 1 + dice.below(count - index - 1));
    if index + 1 == count {
        return if dice.once_in(4) {
            json!({"Type": "Fail", "Error": "{% 'Code' & $a %}", "Cause": "at the end"})
        } else {
            json!({"Type": "Succeed"})
        };
    }
    let mut state = match dice.below(6) {
        0 => json!({"Type": "Wait", "Seconds": "{% $a > 1 ? 1 : 0 %}"}),
        1 => {
            let rule =
                json!({"Condition": dice.one_of(CONDITIONS), "Assign": {"b": number(dice)}, "Next": later(dice)});
            return json!({"Type": "Choice", "Choices": [rule], "Default": later(dice)});
        }
        2 | 3 => {
            let fallback = later(dice);
            task(dice, &fallback)
        }
        4 => {
            let mut state = parallel(dice, index);
            state["Next"] = Value::from(later(dice));
            return state;
        }
        _ => json!({"Type": "Pass", "Output": {"n": number(dice)}}),
    };
    if dice.once_in(2) {
        state["Assign"] = json!({dice.one_of(&["a", "b"]): number(dice)});
    }
    state["Next"] = Value::from(later(dice));
    state
}

/// A number; now and then something that fails.
fn number(dice: &mut Dice) -> &'static str {
    if dice.once_in(12) { dice.one_of(FAULTS) } else { dice.one_of(NUMBERS) }
}

fn task(dice: &mut Dice, fallback: &str) -> Value {
    let fail = dice.one_of(&["{% false %}", "{% false %}", "{% $a > 1 %}", "{% true %}"]);
    let mut state = json!({
        "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": FUNCTION, "Payload": {"n": number(dice), "fail": fail}},
        "Output": {"n": "{% $states.result.Payload.n %}", "status": "{% $states.result.StatusCode %}"}
    });
    if dice.once_in(2) {
        let error = dice.one_of(ERRORS);
        state["Retry"] = json!([{"ErrorEquals": [error], "MaxAttempts": 1, "IntervalSeconds": 1}]);
    }
    if !dice.once_in(3) {
        state["Catch"] = json!([{
            "ErrorEquals": [dice.one_of(ERRORS)], "Assign": {"b": 7},
            "Output": {"n": 0, "error": "{% $states.errorOutput.Error %}"}, "Next": fallback
        }]);
    }
    state
}

/// Two branches, whose results the state after them adds up: the engine gives a Parallel no Output of its own.
fn parallel(dice: &mut Dice, index: usize) -> Value {
    let branches: Vec<_> = (0..2)
        .map(|branch| {
            let name = format!("B{index}_{branch}");
            json!({"StartAt": name, "States": {name: {"Type": "Pass", "Output": number(dice), "End": true}}})
        })
        .collect();
    json!({"Type": "Parallel", "Branches": branches})
}

fn join(index: usize) -> String {
    format!("J{index}")
}
