//! Retries, catchers, timeouts and heartbeats.

use super::*;

#[test]
fn states_all_in_company_or_before_others_is_found() {
    for field in ["Retry", "Catch"] {
        let alone = after(|definition| {
            definition["States"]["Check"][field][0]["ErrorEquals"] = json!(["States.ALL", "Throttled"]);
        });
        assert!(alone.contains(&("Check".to_owned(), Rule::StatesAll)), "{alone:?}");
        let last = after(|definition| {
            let entries = definition["States"]["Check"][field].as_array_mut().unwrap();
            let mut first = entries[0].clone();
            first["ErrorEquals"] = json!(["States.ALL"]);
            entries.insert(0, first);
        });
        assert!(last.contains(&("Check".to_owned(), Rule::StatesAll)), "{last:?}");
    }
}

#[test]
fn retriers_without_bounds_are_found() {
    for edit in [
        remove("/States/Check/Retry/0/MaxAttempts"),
        remove("/States/Check/Retry/0/MaxDelaySeconds"),
        remove("/States/Check/Retry/0/JitterStrategy"),
    ] {
        let found = after(edit);
        assert!(found.contains(&("Check".to_owned(), Rule::Retrier)), "{found:?}");
    }
    for edit in [
        set("/States/Check/Retry/0/BackoffRate", json!(0.5)),
        set("/States/Check/Retry/0/JitterStrategy", json!("NONE")),
        set("/States/Check/Retry/0/MaxDelaySeconds", json!(1)),
        set("/States/Check/Retry/0/IntervalSeconds", json!(0)),
    ] {
        assert_eq!(after(edit), one("Check", Rule::Retrier));
    }
    let many = after(set("/States/Check/Retry/0/MaxAttempts", json!(11)));
    assert!(many.contains(&("Check".to_owned(), Rule::Retrier)), "{many:?}");
}

#[test]
fn a_lambda_error_that_is_not_retried_is_found() {
    for index in 0..5 {
        let found = after(|definition| {
            definition["States"]["Start"]["Retry"][0]["ErrorEquals"].as_array_mut().unwrap().remove(index);
        });
        assert_eq!(found, one("Start", Rule::LambdaRetriers));
    }
}

#[test]
fn a_task_without_a_catcher_for_everything_is_found() {
    assert_eq!(after(set("/States/Stop/Catch/0/ErrorEquals", json!(["Throttled"]))), one("Stop", Rule::CatchAll));
}

#[test]
fn codes_retried_against_their_class_are_found() {
    let never = after(|definition| {
        definition["States"]["Check"]["Retry"][0]["ErrorEquals"].as_array_mut().unwrap().push(json!("NotebookFailed"));
    });
    assert_eq!(never, one("Check", Rule::Classification));
    let dropped = after(|definition| {
        definition["States"]["Check"]["Retry"][0]["ErrorEquals"].as_array_mut().unwrap().pop();
    });
    assert_eq!(dropped, one("Check", Rule::Classification));
    assert_eq!(after(set("/States/Check/Retry/0/MaxAttempts", json!(2))), one("Check", Rule::Classification));
    let unknown = after(|definition| {
        definition["States"]["Check"]["Retry"][0]["ErrorEquals"].as_array_mut().unwrap().push(json!("NotebookFialed"));
    });
    assert_eq!(unknown, one("Check", Rule::Classification));
}

#[test]
fn tasks_without_timeouts_are_found() {
    assert_eq!(after(remove("/States/Check/TimeoutSeconds")), one("Check", Rule::Timeout));
    assert_eq!(after(set("/States/Check/TimeoutSeconds", json!("{% $run.limit %}"))), one("Check", Rule::Timeout));
    assert_eq!(after(set("/States/Check/TimeoutSeconds", json!("{% 30 %}"))), []);
}

// AWS shows a missed heartbeat as States.Timeout or as States.HeartbeatTimeout.
#[test]
fn one_name_of_a_missed_heartbeat_without_the_other_is_found() {
    let entry = |field: &'static str, errors: Value| {
        move |definition: &mut Value| {
            let entries = definition["States"]["Await"][field].as_array_mut().unwrap();
            let mut first = entries[0].clone();
            first["ErrorEquals"] = errors;
            entries.insert(0, first);
        }
    };
    for field in ["Retry", "Catch"] {
        for alone in ["States.HeartbeatTimeout", "States.Timeout"] {
            let found = after(entry(field, json!([alone])));
            assert_eq!(found, one("Await", Rule::HeartbeatNames), "{field} {alone}");
            let in_company = after(entry(field, json!(["Throttled", alone])));
            assert!(in_company.contains(&("Await".to_owned(), Rule::HeartbeatNames)), "{in_company:?}");
        }
        assert_eq!(after(entry(field, json!(["States.HeartbeatTimeout", "States.Timeout"]))), []);
    }
    let told_apart = after(|definition| {
        entry("Catch", json!(["States.Timeout"]))(definition);
        entry("Catch", json!(["States.HeartbeatTimeout"]))(definition);
    });
    assert_eq!(told_apart, one("Await", Rule::HeartbeatNames));
}

#[test]
fn an_expression_that_asks_for_the_name_of_a_missed_heartbeat_is_found() {
    for name in ["States.HeartbeatTimeout", "States.Timeout"] {
        let asking = json!(format!("{{% $states.errorOutput.Error = '{name}' %}}"));
        assert_eq!(after(set("/States/Await/Catch/0/Assign/failure", asking)), one("Await", Rule::HeartbeatNames));
        let asking = json!(format!("{{% $failure.Error = '{name}' %}}"));
        let found = after(|definition| definition["States"]["Decide"]["Choices"][0]["Condition"] = asking);
        assert_eq!(found, one("Decide", Rule::HeartbeatNames));
    }
}

#[test]
fn heartbeats_that_cannot_work_are_found() {
    assert_eq!(after(remove("/States/Await/HeartbeatSeconds")), one("Await", Rule::Heartbeat));
    assert_eq!(after(set("/States/Await/HeartbeatSeconds", json!(3600))), one("Await", Rule::Heartbeat));
    assert_eq!(after(set("/States/Await/HeartbeatSeconds", json!("{% $run.beat %}"))), one("Await", Rule::Heartbeat));
    assert_eq!(after(set("/States/Check/HeartbeatSeconds", json!(5))), one("Check", Rule::Heartbeat));
}

#[test]
fn a_callback_without_a_token_is_found() {
    assert_eq!(after(set("/States/Await/Arguments/Payload/token", json!("none"))), one("Await", Rule::Token));
}
