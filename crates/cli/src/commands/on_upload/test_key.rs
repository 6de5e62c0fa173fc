//! `reveille on-upload test`: what a file with this key would start, and why not.

use std::collections::BTreeMap;

use reveille_domain::input::Keys;
use serde_json::{Map, Value, json};
use unicode_width::UnicodeWidthStr;

use super::{Tested, Upload};
use crate::{
    arguments::{Format, OnUploadTestArguments},
    clients::Account,
    commands::{
        health::Ailment,
        rule::{ailments, all, fact, note_none},
        trigger::{check, what},
    },
    error::CliError,
    exit::Exit,
    triggers::{self, LONGEST_KEY, Origin},
    ui::terminal::{Terminal, Tone},
};

/// What a rule would do.
enum Verdict {
    /// Start a run with these parameters.
    Starts(Map<String, Value>),
    /// Start one that fails before its notebook begins.
    Fails(String),
    Nothing(String),
    /// Nothing, until somebody resumes it.
    Paused(String),
}

pub(super) async fn run(terminal: &Terminal, arguments: &OnUploadTestArguments) -> Result<Exit, CliError> {
    let (bucket, key) = place(arguments)?;
    let account = Account::of(&arguments.stack).await?;
    let uploads = all::<Upload>(&account).await?;
    if bucket.is_none() {
        not_a_bucket(key, uploads.iter().flat_map(|upload| upload.files.buckets()).map(String::as_str))?;
    }
    let ailments = ailments(terminal, &account, &uploads).await?;
    let mut tested = Vec::new();
    let mut sends = Buckets::new();
    for (upload, ailment) in uploads.into_iter().zip(ailments) {
        let verdict = verdict(terminal, &account, &upload, (bucket, key), ailment.as_ref(), &mut sends).await?;
        tested.push((upload, verdict));
    }
    let starts = tested.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Starts(_))).count();
    if arguments.format.output == Format::Json {
        Terminal::result(&tested.iter().map(as_json).collect());
    } else {
        for (upload, verdict) in &tested {
            tell(terminal, upload, verdict);
        }
        match (tested.len(), starts) {
            (0, _) => note_none::<Upload>(terminal),
            (_, 0) => terminal.note("this file would run no notebook"),
            (_, 1) => {}
            _ => terminal.note(&format!("this file would start {starts} runs")),
        }
    }
    Ok(if starts > 0 { Exit::Done } else { Exit::NotThere })
}

/// What each rule of the stack would do with a file.
pub(super) async fn tested(
    terminal: &Terminal,
    account: &Account,
    bucket: &str,
    key: &str,
) -> Result<Vec<Tested>, CliError> {
    let uploads = all::<Upload>(account).await?;
    let ailments = ailments(terminal, account, &uploads).await?;
    let mut tested = Vec::new();
    let mut buckets = Buckets::new();
    for (upload, ailment) in uploads.into_iter().zip(ailments) {
        let verdict = verdict(terminal, account, &upload, (Some(bucket), key), ailment.as_ref(), &mut buckets).await?;
        let is_paused = matches!(verdict, Verdict::Paused(_));
        let (nothing, fails) = match verdict {
            Verdict::Starts(_) => (None, None),
            Verdict::Fails(why) => (None, Some(why)),
            Verdict::Nothing(why) | Verdict::Paused(why) => (Some(why), None),
        };
        tested.push(Tested { starts: what(&upload.rule.input), nothing, fails, is_paused, rule: upload.rule.name });
    }
    Ok(tested)
}

/// The bucket, if one is given, and the key.
fn place(arguments: &OnUploadTestArguments) -> Result<(Option<&str>, &str), CliError> {
    let (given, key) = match triggers::object(&arguments.key) {
        Some((bucket, key)) => (Some(bucket), key),
        None if arguments.key.starts_with("s3://") => {
            return Err(CliError::Usage(format!(
                "{0} names no file; give its key too, such as {0}/orders/2026-11-26.csv",
                arguments.key
            )));
        }
        None => (None, arguments.key.as_str()),
    };
    let bucket = match (given, arguments.bucket.as_deref()) {
        (Some(one), Some(other)) if one != other => {
            return Err(CliError::Usage(format!("the key is in {one}, and --bucket says {other}; give one of them")));
        }
        (given, option) => given.or(option),
    };
    if key.is_empty() || key.len() > LONGEST_KEY {
        return Err(CliError::Usage(format!("a key has 1 to {LONGEST_KEY} bytes, such as orders/2026-11-26.csv")));
    }
    Ok((bucket, key))
}

/// That a key does not begin with the bucket of a rule: who writes that means the bucket, and no rule would match.
fn not_a_bucket<'a>(key: &str, mut buckets: impl Iterator<Item = &'a str>) -> Result<(), CliError> {
    let Some((first, rest)) = key.split_once('/') else { return Ok(()) };
    if buckets.all(|bucket| bucket != first) {
        return Ok(());
    }
    Err(CliError::Usage(format!(
        "{first} is a bucket; write s3://{key} for the key {rest} in it, or --bucket BUCKET {key} if that is the key"
    )))
}

/// Why a bucket's files start nothing; `None`: they do.
type Buckets = BTreeMap<String, Option<String>>;

async fn verdict(
    terminal: &Terminal,
    account: &Account,
    upload: &Upload,
    (bucket, key): (Option<&str>, &str),
    ailment: Option<&Ailment>,
    buckets: &mut Buckets,
) -> Result<Verdict, CliError> {
    if let Some(why) = upload.files.why_not(bucket, key) {
        return Ok(Verdict::Nothing(why));
    }
    let candidates = bucket.map_or_else(|| upload.files.buckets().to_vec(), |bucket| vec![bucket.to_owned()]);
    if candidates.is_empty() {
        return Ok(Verdict::Nothing(format!(
            "its pattern names no bucket, so give one: reveille on-upload test s3://BUCKET/{key}"
        )));
    }
    let Some((bucket, event)) = taken(account, upload, candidates, key).await? else {
        return Ok(Verdict::Nothing("the rule's pattern does not match the event of this file".to_owned()));
    };
    if let Some(why) = not_selected(&upload.rule.input, key) {
        return Ok(Verdict::Nothing(why));
    }
    if !upload.rule.enabled {
        return Ok(Verdict::Paused(format!(
            "it is paused; to resume it: reveille on-upload resume {}",
            upload.rule.name
        )));
    }
    if let Some(why) = silent(terminal, account, &bucket, buckets).await {
        return Ok(Verdict::Nothing(why));
    }
    Ok(of_run(upload, &event, ailment))
}

/// The first of these buckets in which EventBridge's own matcher takes a file with this key, and the file's event.
async fn taken(
    account: &Account,
    upload: &Upload,
    buckets: Vec<String>,
    key: &str,
) -> Result<Option<(String, Value)>, CliError> {
    let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    for bucket in buckets {
        let event = triggers::sample(Origin::of(&account.state_machine), &bucket, key, &now);
        if account.takes(&upload.rule, &event).await? {
            return Ok(Some((bucket, event)));
        }
    }
    Ok(None)
}

/// Why the first step of the execution ends it: the rule may pass on more files than its input selects.
fn not_selected(input: &Value, key: &str) -> Option<String> {
    let keys: Keys = serde_json::from_value(input["keys"].clone()).unwrap_or_default();
    if !keys.take(key) {
        return Some(format!(
            "the rule's input selects only keys that begin with `{}` and end with `{}`",
            keys.prefix, keys.suffix
        ));
    }
    let folder = "an empty object whose key ends with / is a folder that somebody made in the console";
    key.ends_with('/').then(|| folder.to_owned())
}

/// What becomes of the run that a file starts.
fn of_run(upload: &Upload, event: &Value, ailment: Option<&Ailment>) -> Verdict {
    let Some(input) = upload.rule.input.as_object() else {
        return Verdict::Nothing("this command cannot read the input that it gives to its runs".to_owned());
    };
    match (check(input, event, Some("the run would fail with this")), ailment) {
        (Ok(_), Some(ailment)) => Verdict::Fails(ailment.why()),
        (Ok(parameters), None) => Verdict::Starts(without_fixed(&upload.rule.input["parameters"], parameters)),
        (Err(problem), _) => Verdict::Fails(problem.to_string()),
    }
}

/// What stands for a value that is the same for every run: it may be what only the notebook should see.
const FIXED: &str = "(as the rule has it)";

/// A run's parameters, with the values that come from the event.
fn without_fixed(of_rule: &Value, parameters: Map<String, Value>) -> Map<String, Value> {
    let shown = |(name, value): (String, Value)| {
        let value = varying(&of_rule[&name], value);
        (name, value)
    };
    parameters.into_iter().map(shown).collect()
}

fn varying(of_rule: &Value, value: Value) -> Value {
    match (of_rule, value) {
        (Value::Object(of_rule), Value::Object(fields)) => {
            let all = fields.into_iter().map(|(name, field)| {
                let field = varying(of_rule.get(&name).unwrap_or(&Value::Null), field);
                (name, field)
            });
            Value::Object(all.collect())
        }
        (Value::Array(of_rule), Value::Array(items)) => {
            let all = items.into_iter().enumerate();
            Value::Array(all.map(|(at, item)| varying(of_rule.get(at).unwrap_or(&Value::Null), item)).collect())
        }
        // With doubled braces it is a text, and no placeholder.
        (Value::String(of_rule), Value::String(text))
            if of_rule.replace("{{{{", "{{").replace("}}}}", "}}") != text =>
        {
            Value::String(text)
        }
        _ => FIXED.into(),
    }
}

/// Why a bucket sends no events, if it sends none. Whoever may not read that is told, and sees the rest.
async fn silent(terminal: &Terminal, account: &Account, bucket: &str, known: &mut Buckets) -> Option<String> {
    if let Some(known) = known.get(bucket) {
        return known.clone();
    }
    let why = match account.sends_events(bucket).await {
        Ok(true) => None,
        Ok(false) => {
            Some(format!("the bucket {bucket} does not send its events to EventBridge; turn that on in its properties"))
        }
        // It does not exist (any more), or is where none of this stack's rules sees it.
        Err(problem @ (CliError::NotThere(_) | CliError::NotNow(_))) => Some(problem.to_string()),
        Err(problem) => {
            terminal.note(&format!("could not find out whether {bucket} sends its events to EventBridge: {problem}"));
            None
        }
    };
    known.insert(bucket.to_owned(), why.clone());
    why
}

fn tell(terminal: &Terminal, upload: &Upload, verdict: &Verdict) {
    let title = |tone, words| tell_title(terminal, &upload.rule.name, tone, words);
    match verdict {
        Verdict::Starts(parameters) => {
            title(Tone::Good, "would start");
            fact(terminal, "run", &what(&upload.rule.input));
            for (name, value) in parameters {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                fact(terminal, "parameter", &format!("{name} = {value}"));
            }
        }
        Verdict::Fails(why) => {
            title(Tone::Bad, "would start a run that fails");
            fact(terminal, "run", &what(&upload.rule.input));
            fact(terminal, "why", why);
        }
        Verdict::Nothing(why) | Verdict::Paused(why) => {
            title(Tone::Quiet, "would start nothing");
            fact(terminal, "why", why);
        }
    }
}

/// A rule and what it would do, in one line if that fits.
fn tell_title(terminal: &Terminal, name: &str, tone: Tone, words: &str) {
    let is_wide = name.width() + 1 + words.width() > terminal.width();
    let (name, words) = (terminal.paint(Tone::Strong, name), terminal.paint(tone, words));
    if is_wide {
        terminal.line(&name);
        terminal.line(&format!("  {words}"));
    } else {
        terminal.line(&format!("{name} {words}"));
    }
}

fn as_json((upload, verdict): &(Upload, Verdict)) -> Value {
    let (parameters, why) = match verdict {
        Verdict::Starts(parameters) => (Some(parameters), None),
        Verdict::Fails(why) | Verdict::Nothing(why) | Verdict::Paused(why) => (None, Some(why)),
    };
    json!({
        "name": upload.rule.name,
        "starts": parameters.is_some(),
        "why": why,
        "notebook": upload.rule.input["notebook"],
        "instance": upload.rule.input["instance"],
        "parameters": parameters,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{not_a_bucket, without_fixed};

    #[test]
    fn a_bucket_is_not_taken_for_the_beginning_of_a_key() {
        let buckets = || ["in-1", "in-2"].into_iter();
        let problem = not_a_bucket("in-2/orders/a.csv", buckets()).unwrap_err();
        assert_eq!(problem.exit_code(), 2);
        assert!(problem.to_string().contains("write s3://in-2/orders/a.csv for the key orders/a.csv"), "{problem}");
        for key in ["orders/a.csv", "in-1", "in-10/a.csv", "a/in-1/b.csv"] {
            assert!(not_a_bucket(key, buckets()).is_ok(), "{key}");
        }
    }

    #[test]
    fn a_value_is_shown_only_where_the_event_makes_it() {
        let of_rule = json!({
            "source": "s3://{{ bucket }}/{{ key }}", "token": "secret", "n": 7, "braces": "{{{{ secret }}}}",
            "deep": {"token": "secret", "list": ["secret", "{{ key }}"], "flag": true},
        });
        let of_run = json!({
            "source": "s3://in/a", "token": "secret", "n": 7, "braces": "{{ secret }}",
            "deep": {"token": "secret", "list": ["secret", "a"], "flag": true},
        });
        let fixed = "(as the rule has it)";
        let shown = json!({
            "source": "s3://in/a", "token": fixed, "n": fixed, "braces": fixed,
            "deep": {"token": fixed, "list": [fixed, "a"], "flag": fixed},
        });
        let of_run = of_run.as_object().unwrap().clone();
        assert_eq!(&without_fixed(&of_rule, of_run), shown.as_object().unwrap());
    }
}
