//! `reveille run`: starts an execution, and follows it.

use chrono::Utc;
use reveille_domain::{
    RunId,
    event::Event,
    input::{self, Input},
    placeholders::{PlaceholderFacts, fill},
    text::InputText,
};
use serde_json::{Map, Value};

use super::{local::interrupt, parameters, watch};
use crate::{
    arguments::{LimitArguments, NotebookArguments, RunArguments},
    clients::{Account, Execution},
    error::CliError,
    exit::Exit,
    ui::terminal::{Terminal, Tone},
};

/// Characters of the notebook's name in the execution's: the whole has at most 80.
const MAX_STEM: usize = 48;

pub(crate) async fn run(terminal: &Terminal, arguments: &RunArguments) -> Result<Exit, CliError> {
    // Held against the contract before anything is asked of AWS.
    let input = Value::Object(asked(&arguments.asked)?).to_string();
    check(&input).map_err(of_flag)?;
    let account = Account::of(&arguments.stack).await?;
    let execution = start(terminal, &account, execution_name(&arguments.asked.notebook), input).await?;
    let id = execution.run();
    if arguments.detach {
        terminal.line(id.as_str());
        terminal.note(&format!("it runs; follow it with: {}", terminal.command(&format!("reveille watch {id}"))));
        return Ok(Exit::Done);
    }
    terminal.line(&format!("{} {id}", terminal.paint(Tone::Quiet, "run")));
    watch::follow(terminal, &account, &execution, None).await
}

/// Starts a run. Whoever ends the command meanwhile is told what may have been started.
pub(super) async fn start(
    terminal: &Terminal,
    account: &Account,
    name: String,
    input: String,
) -> Result<Execution, CliError> {
    let find_out = format!("the run may have been started; to find out: reveille show {name}");
    unless_interrupted(terminal, &find_out, Box::pin(account.start(name, input))).await
}

/// A change that is asked of AWS, which Ctrl-C does not take back: then it says what may have happened, and how to find out.
pub(super) async fn unless_interrupted<T>(
    terminal: &Terminal,
    find_out: &str,
    change: impl Future<Output = Result<T, CliError>>,
) -> Result<T, CliError> {
    tokio::select! {
        biased;
        changed = change => changed,
        () = interrupt() => {
            terminal.note(find_out);
            Err(CliError::Detached)
        }
    }
}

/// The input of a run, as far as a person gives it.
pub(super) fn asked(arguments: &NotebookArguments) -> Result<Map<String, Value>, CliError> {
    let mut input = Map::new();
    input.insert("instance".to_owned(), Value::from(arguments.instance.as_str()));
    input.insert("notebook".to_owned(), Value::from(arguments.notebook.as_str()));
    input.insert("parameters".to_owned(), Value::Object(parameters::given(&arguments.parameters)?));
    let words = [
        ("kernel", &arguments.kernel),
        ("whenBusy", &arguments.when_busy),
        ("html", &arguments.html),
        ("onRunnerLost", &arguments.on_runner_lost),
    ];
    for (field, value) in words {
        if let Some(value) = value {
            input.insert(field.to_owned(), Value::from(value.as_str()));
        }
    }
    let limits = limits(&arguments.limits);
    if !limits.is_empty() {
        input.insert("limits".to_owned(), Value::Object(limits));
    }
    Ok(input)
}

/// The limits that a person gives. The contract has the others' defaults, and what is too short or too long.
fn limits(arguments: &LimitArguments) -> Map<String, Value> {
    let given = [
        ("startSeconds", arguments.start),
        ("queueSeconds", arguments.queue),
        ("runSeconds", arguments.run),
        ("stopSeconds", arguments.stop),
    ];
    given.into_iter().filter_map(|(name, limit)| Some((name.to_owned(), limit?.num_seconds().into()))).collect()
}

/// Holds an input against the contract, and its placeholders against what its event tells, as AdmitRun will.
pub(super) fn check(input: &str) -> Result<(), CliError> {
    filled(&read(input)?).map(drop).map_err(CliError::Usage)
}

/// The parameters that the run would have.
pub(super) fn filled(input: &Input) -> Result<Map<String, Value>, String> {
    // The run's id is made when it starts; any stands for it.
    let (event, run) = (input.event.as_ref().map(Event::new), RunId::from_key("run"));
    fill(input.parameters.clone(), &PlaceholderFacts { event, run: &run, instance: &input.instance })
}

/// Holds an input against the contract, but not its placeholders.
pub(super) fn read(input: &str) -> Result<Input, CliError> {
    input::read(&InputText::new(input.to_owned())).map_err(|failure| {
        // The same sentence as AdmitRun's, but for its end, which speaks of executions.
        let problem = failure.message.replace(" Correct the input and start a new execution.", "");
        CliError::Usage(problem.trim_end_matches('.').to_owned())
    })
}

/// The field of the input that each option is.
const FLAGS: [(&str, &str); 9] = [
    ("instance", "--on"),
    ("kernel", "--kernel"),
    ("whenBusy", "--when-busy"),
    ("html", "--html"),
    ("onRunnerLost", "--on-runner-lost"),
    ("limits.startSeconds", "--start-limit"),
    ("limits.queueSeconds", "--queue-limit"),
    ("limits.runSeconds", "--run-limit"),
    ("limits.stopSeconds", "--stop-limit"),
];

/// What is wrong with a field, for whoever typed an option: the contract's sentences name fields.
pub(super) fn of_flag(problem: CliError) -> CliError {
    let CliError::Usage(told) = problem else { return problem };
    let flag = told.split_once(": ").and_then(|(field, _)| FLAGS.iter().find(|(name, _)| *name == field));
    CliError::Usage(
        flag.map_or_else(|| told.clone(), |(field, flag)| told.replacen(field, &format!("{flag} ({field})"), 1)),
    )
}

/// A name that tells in the console what runs: the notebook's, and the time.
pub(super) fn execution_name(notebook: &str) -> String {
    format!("{}-{}", plain(stem(notebook), '_', MAX_STEM), Utc::now().format("%Y%m%dT%H%M%S%3f"))
}

/// A notebook's file without its ending.
pub(super) fn stem(notebook: &str) -> &str {
    let file = notebook.rsplit('/').next().unwrap_or_default();
    file.strip_suffix(".ipynb").unwrap_or(file)
}

/// A text in the characters of AWS's names, with `other` in place of all others.
pub(super) fn plain(text: &str, other: char, most: usize) -> String {
    let safe = |sign: char| if sign.is_ascii_alphanumeric() || "-_.".contains(sign) { sign } else { other };
    text.chars().map(safe).take(most).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use serde_json::{Value, json};

    use super::{asked, check, execution_name, of_flag};
    use crate::{
        arguments::{Arguments, Command},
        error::CliError,
    };

    fn input(words: &str) -> Value {
        let typed = ["reveille", "run", "a.ipynb", "--on", "nightly"].into_iter().chain(words.split_whitespace());
        let Command::Run(run) = Arguments::parse_from(typed).command else { panic!("not run") };
        Value::Object(asked(&run.asked).unwrap())
    }

    /// Every field of the contract that a person may give, and what is wrong told by the contract.
    #[test]
    fn each_option_is_a_field_of_the_input() {
        let all = "--kernel k --when-busy skip --html sanitized --on-runner-lost rerun \
                   --run-limit 6h --queue-limit 90s --start-limit 45m --stop-limit 2h";
        let limits = json!({"startSeconds": 2700, "queueSeconds": 90, "runSeconds": 21600, "stopSeconds": 7200});
        assert_eq!(
            input(all),
            json!({
                "instance": "nightly", "notebook": "a.ipynb", "parameters": {}, "kernel": "k", "whenBusy": "skip",
                "html": "sanitized", "onRunnerLost": "rerun", "limits": limits,
            })
        );
        check(&input(all).to_string()).unwrap();
        assert!(input("").get("limits").is_none());
        for (words, said) in [
            ("--run-limit 2d", "--run-limit (limits.runSeconds): "),
            ("--stop-limit 3s", "--stop-limit (limits.stopSeconds): "),
            ("--html none", "--html (html): "),
            ("--on-runner-lost again", "--on-runner-lost (onRunnerLost): "),
        ] {
            let problem = of_flag(check(&input(words).to_string()).unwrap_err());
            assert_eq!(problem.exit_code(), 2);
            assert!(problem.to_string().starts_with(said), "{problem}");
        }
        let other = of_flag(CliError::Usage("parameters.html: no".to_owned()));
        assert_eq!(other.to_string(), "parameters.html: no");
    }

    /// docs/cli.md: "The input is checked first".
    #[test]
    fn a_placeholder_without_a_value_is_refused_before_anything_is_started() {
        let of = |text: &str, event: &Value| {
            let input = json!({"instance": "a", "notebook": "a.ipynb", "parameters": {"x": [text]}, "event": event});
            check(&input.to_string())
        };
        for (text, said) in [
            ("{{ dat }}", "there is no placeholder {{ dat }}"),
            ("{{ key }}", "no event started this execution"),
            ("{{{{ half }}", "is not closed by"),
        ] {
            let problem = of(text, &json!(null)).unwrap_err();
            assert_eq!(problem.exit_code(), 2);
            let problem = problem.to_string();
            assert!(problem.starts_with("parameters.x: ") && problem.contains(said), "{problem}");
        }
        for text in ["{{ run }}", "{{ instance }}", "{{{{ dat }}}}", "plain"] {
            assert!(of(text, &json!(null)).is_ok(), "{text}");
        }
        // As when a run of an event is run again.
        let event = json!({"source": "aws.events", "time": "2026-11-26T08:00:00Z"});
        assert!(of("{{ date }}", &event).is_ok());
        assert!(of("{{ key }}", &event).unwrap_err().to_string().contains("does not carry it"));
    }

    #[test]
    fn an_executions_name_is_one() {
        let name = execution_name(&format!("a/{}.ipynb", "é b".repeat(60)));
        assert!(name.len() <= 80 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)), "{name}");
        assert!(execution_name("s3://b/daily.ipynb").starts_with("daily-20"));
    }
}
