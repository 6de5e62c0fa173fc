//! `reveille on-upload add`: everything is checked before anything is made.

use serde_json::{Map, Value};

use super::Upload;
use crate::{
    arguments::{Format, OnUploadAddArguments},
    clients::{Account, NewRule},
    commands::{
        rule::{self, OfKind},
        run::{asked, of_flag},
        trigger::{check, complete, usual_name, what},
    },
    error::CliError,
    exit::Exit,
    triggers::{self, Feeding, Origin, Starts, Watched},
    ui::{question, terminal::Terminal, text::for_shell},
};

/// When the example's file lands.
const TIME: &str = "2026-11-26T08:00:00Z";

/// What is asked for, as far as it can be checked without AWS.
struct Asked {
    watched: Watched,
    template: String,
    /// Of the run that an object with the example's key would start.
    parameters: Map<String, Value>,
}

pub(super) async fn run(terminal: &Terminal, arguments: &OnUploadAddArguments) -> Result<Exit, CliError> {
    let Asked { watched, template, parameters } = read(arguments)?;
    let account = Account::of(&arguments.stack).await?;
    let starts = Starts {
        notebook: &arguments.asked.notebook,
        parameters: &parameters,
        key: &watched.example(),
        reads: &arguments.reads,
    };
    if let Some(problem) = triggers::problem(&watched, &account.layout, &starts) {
        return Err(CliError::Usage(format!("{problem}; no rule was made")));
    }
    // Each run would fail, and nobody would see it before the first.
    account.named(&arguments.asked.instance).await?;
    let new = NewRule {
        verb: Upload::VERB,
        name: arguments.name.clone().unwrap_or_else(|| usual_name(account.stack_name(), &arguments.asked.notebook)),
        description: "Starts a run when an object is created.",
        pattern: watched.pattern(),
        template,
        bus: Upload::bus(&account)?,
    };
    rule::is_free::<Upload>(&account, &new).await?;
    let this = Feeding { rule: new.name.clone(), watched, parameters };
    if let Some(problem) = this.circle(&others(&account, &new.name).await?, &arguments.reads) {
        return Err(CliError::Usage(format!("{problem}; no rule was made")));
    }
    let_bucket_tell(terminal, &account, arguments).await?;
    // A person may have taken their time to answer, and somebody else the name.
    let left = rule::is_free::<Upload>(&account, &new).await?;
    let upload: Upload = rule::make(terminal, &account, &new, left).await?;
    if arguments.format.output == Format::Json {
        Terminal::result(&rule::as_json(&upload, None));
    } else {
        tell_made(terminal, &upload);
    }
    Ok(Exit::Done)
}

/// The stack's other rules on uploads, as far as their files and their parameters can be read. Paused ones too: somebody may resume them.
async fn others(account: &Account, name: &str) -> Result<Vec<Feeding>, CliError> {
    let all = rule::all::<Upload>(account).await?;
    let others = all.into_iter().filter(|upload| upload.rule.name != name);
    Ok(others.filter_map(|upload| feeding(&upload)).collect())
}

fn feeding(upload: &Upload) -> Option<Feeding> {
    let watched = upload.files.watched()?.clone();
    let sample = triggers::sample(Origin::SOME, &watched.bucket, &watched.example(), TIME);
    let parameters = check(upload.rule.input.as_object()?, &sample, None).ok()?;
    Some(Feeding { rule: upload.rule.name.clone(), watched, parameters })
}

fn tell_made(terminal: &Terminal, upload: &Upload) {
    terminal.lines(&format!("{}: {}", upload.rule.name, what(&upload.rule.input)));
    rule::tell(terminal, upload);
    if let Some(watched) = upload.files.watched().filter(|watched| !watched.rule_decides()) {
        terminal.note(&format!(
            "every file below {} starts an execution, which ends at once if the key does not end with {}; each such execution costs 0.01 cents. A folder as the prefix (one that ends with /) avoids that",
            watched.prefix, watched.suffix
        ));
    }
    let (bucket, key) = upload.files.example();
    let example = format!("s3://{bucket}/{key}");
    terminal.next(&format!("reveille on-upload test {}", for_shell(&example)));
}

fn read(arguments: &OnUploadAddArguments) -> Result<Asked, CliError> {
    let bucket = &arguments.bucket;
    let watched = match &arguments.wildcard {
        Some(wildcard) => Watched::matching(bucket, wildcard),
        None => Watched::new(bucket, &arguments.prefix, &arguments.suffix),
    };
    let watched = watched.map_err(CliError::Usage)?;
    let mut input = asked(&arguments.asked)?;
    complete(&mut input);
    input.insert("keys".to_owned(), watched.keys());
    let sample = triggers::sample(Origin::SOME, &watched.bucket, &watched.example(), TIME);
    // An upload's runs have every placeholder that there is.
    let parameters = check(&input, &sample, None).map_err(of_flag)?;
    if let Some(unknown) = arguments.reads.iter().find(|name| !parameters.contains_key(*name)) {
        return Err(CliError::Usage(format!("--reads: there is no parameter {unknown}; give it with -p")));
    }
    let template = triggers::template(&input).map_err(CliError::Usage)?;
    Ok(Asked { watched, template, parameters })
}

/// Without its events nothing starts, and nobody would see why.
async fn let_bucket_tell(
    terminal: &Terminal,
    account: &Account,
    arguments: &OnUploadAddArguments,
) -> Result<(), CliError> {
    let bucket = &arguments.bucket;
    if account.sends_events(bucket).await? {
        return Ok(());
    }
    let agreed = arguments.fix_bucket.then_some(true).or_else(|| {
        question::yes(&format!(
            "{bucket} does not send its events to EventBridge. Turn that on? Its other notifications stay."
        ))
    });
    match agreed {
        Some(true) => {}
        Some(false) => {
            return Err(CliError::Missing(format!("no rule was made, because no file in {bucket} would start a run")));
        }
        None => {
            return Err(CliError::Missing(format!(
                "the bucket {bucket} does not send its events to EventBridge, so no file would start a run; no rule was made. To turn it on: add --fix-bucket (the bucket's other notifications stay)"
            )));
        }
    }
    let others = match account.send_events(bucket).await? {
        0 => "it has no other notifications".to_owned(),
        1 => "its other notification is unchanged".to_owned(),
        others => format!("its {others} other notifications are unchanged"),
    };
    terminal.note(&format!(
        "{bucket} now sends its events to EventBridge; {others}. It may take five minutes until S3 sends the first event"
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use reveille_contract_tests::{intrinsics::ParametrisedStack, template};
    use serde_json::Value;

    use super::{Asked, read};
    use crate::{
        arguments::{Arguments, Command, OnUploadVerb},
        error::CliError,
        triggers::EVENT,
    };

    fn asked(words: &[&str]) -> Result<Asked, CliError> {
        let start = ["reveille", "on-upload", "add", "reports/orders.ipynb", "--on", "nightly", "--bucket", "in-1"];
        let Command::OnUpload(arguments) = Arguments::parse_from(start.iter().chain(words)).command else {
            panic!("not on-upload")
        };
        let OnUploadVerb::Add(arguments) = arguments.verb else { panic!("not add") };
        read(&arguments)
    }

    /// A rule of the command and one of the small stack start the same run.
    #[test]
    fn the_input_is_that_of_the_template() {
        let template = template("infra/trigger-upload.yaml");
        let given = [
            ("Bucket", "in-1"),
            ("Prefix", "orders/"),
            ("Suffix", ".csv"),
            ("Instance", "nightly"),
            ("Notebook", "reports/orders.ipynb"),
            ("Parameters", r#"{"source": "s3://{{ bucket }}/{{ key }}", "n": 7}"#),
            ("WhenBusy", "skip"),
        ];
        let stack = ParametrisedStack::new(&template, &given);
        let target = &template["Resources"]["ObjectCreatedRule"]["Properties"]["Targets"][0];
        let event = r#"{"id": "e"}"#;
        let of_template: Value = serde_json::from_str(&stack.input(target, event)).unwrap();
        let words = ["-psource=s3://{{ bucket }}/{{ key }}", "-pn=7", "--when-busy", "skip"];
        let words = [&["--prefix", "orders/", "--suffix", ".csv"][..], &words].concat();
        let ours = asked(&words).unwrap().template.replace(EVENT, event);
        assert_eq!(serde_json::from_str::<Value>(&ours).unwrap(), of_template);
    }

    #[test]
    fn what_every_run_would_fail_with_is_refused_at_once() {
        let long = format!("-pa={}", "x".repeat(8192));
        for (words, said) in [
            (&["--prefix", "a*"][..], "--prefix: the character `*`"),
            (&["--wildcard", "a.csv"], "--wildcard: there is no asterisk"),
            (&["--suffix", "é"], "--suffix: the character `\\u{e9}`"),
            (&["-pa={{ nonsense }}"], "nonsense"),
            (&["-pclass=1"], "class"),
            (&["-pa=<aws.events.event>"], "`<` cannot be in"),
            (&["-pa=x > y"], "`>` cannot be in"),
            (&[long.as_str()], "and an EventBridge rule takes at most 8192"),
            (&["--reads", "lookup"], "no parameter lookup"),
            (&["--when-busy", "later"], "whenBusy"),
        ] {
            let Err(problem) = asked(words) else { panic!("{words:?} is taken") };
            assert_eq!(problem.exit_code(), 2);
            assert!(problem.to_string().contains(said), "{problem}");
        }
    }

    #[test]
    fn a_parameter_has_every_fact_of_an_upload() {
        let words = ["-pa={{ bucket }} {{ key }} {{ etag }} {{ size }} {{ time }} {{ date }} {{ run }} {{ instance }}"];
        let asked = asked(&words).unwrap();
        assert!(asked.parameters["a"].as_str().unwrap().starts_with("in-1 example b19"), "{:?}", asked.parameters);
    }
}
