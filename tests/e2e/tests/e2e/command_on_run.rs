//! The `reveille` command: rules on runs, and one that fires.

use reveille_e2e_tests::{LocalAws, Notebook};
use serde_json::json;

use crate::Scenario;
use crate::command::{answered, ended, refused, reveille, said};

pub const ALL: &[Scenario] = &[("command_on_run::a_run_that_succeeds_starts_the_next", |h, w| h.block_on(chained(w)))];

const ON: &str = "command-chain";
const NAME: &str = "summary-after-orders";

async fn chained(world: &LocalAws) {
    world.instance(ON).await;
    world.put_notebook(ON, "orders.ipynb", &Notebook::of(&["print('orders')"]));
    let summary = Notebook::of(&["print('day', day)"]).with_parameters("day = None");
    world.put_notebook(ON, "summary.ipynb", &summary);
    let add = ["on-run", "add", "summary.ipynb", "--on", ON, "--after", "orders.ipynb", "--name", NAME];
    let made = reveille(world, &[&add[..], &["-p", "day", "{{ date }}"]].concat()).await;
    ended(&made, 0);
    let summary = format!("{NAME}: summary.ipynb on {ON}\n  after       orders.ipynb on {ON}\n  parameters  day\n");
    assert!(said(&made).starts_with(&summary), "{}", said(&made));
    let listed = answered(world, &["on-run", "list", NAME]).await;
    assert_eq!(
        listed,
        json!([{"name": NAME, "enabled": true, "madeByCommand": true, "notebook": "summary.ipynb", "instance": ON,
            "afterNotebook": "orders.ipynb", "afterInstance": ON, "problem": null}])
    );

    // A circle, by the rule that is there, and a run after itself.
    for (after, sentence) in
        [("summary.ipynb", "would start each other for ever"), ("orders.ipynb", "would start the next one, for ever")]
    {
        let circle = ["on-run", "add", "orders.ipynb", "--on", ON, "--after", after, "--name", "circle"];
        refused(world, &circle, 2, sentence).await;
    }
    for (arguments, code, sentence) in [
        (&["on-run", "add", "a.ipynb", "--on", ON][..], 2, "--after"),
        (
            &["on-run", "add", "a.ipynb", "--on", ON, "--after", "b.ipynb", "--after-on", "no-such-one"],
            5,
            "there is no notebook instance no-such-one",
        ),
        (&["on-run", "add", "a.ipynb", "--on", ON, "--after", "b.txt"], 2, "--after: "),
        (&add, 2, "a rule summary-after-orders already exists"),
        (&["on-run", "pause", "no-such-one"], 5, "this stack has no rule no-such-one"),
        (&["on-upload", "pause", NAME], 5, "this stack has no rule summary-after-orders on uploads"),
    ] {
        refused(world, arguments, code, sentence).await;
    }
    for (verb, word) in [("pause", "is paused"), ("resume", "is on")] {
        let turned = reveille(world, &["on-run", verb, NAME]).await;
        ended(&turned, 0);
        assert!(said(&turned).contains(word), "{}", said(&turned));
    }

    ended(&reveille(world, &["run", "orders.ipynb", "--on", ON]).await, 0);
    let next = world.execution_of(ON, "summary.ipynb").await;
    next.assert_succeeded(ON).await;
    let day = next.input().await["event"]["time"].as_str().unwrap()[..10].to_owned();
    assert!(next.text(ON, "1/output.ipynb").await.unwrap().contains(&format!("day {day}")));

    let removed = reveille(world, &["on-run", "remove", NAME]).await;
    ended(&removed, 0);
    assert_eq!(said(&removed), format!("removed {summary}"));
    ended(&reveille(world, &["on-run", "list", NAME]).await, 5);
    let made = answered(world, &add).await;
    assert_eq!((&made["name"], &made["afterNotebook"]), (&json!(NAME), &json!("orders.ipynb")));
    ended(&reveille(world, &["on-run", "remove", NAME]).await, 0);
}
