//! The command line's grammar.

use std::{ffi::OsString, path::PathBuf};

use clap::{ArgMatches, Args, ColorChoice, Parser, Subcommand, ValueEnum, parser::ValueSource};

use reveille_domain::InstanceName;

mod completions;
mod deploy;
mod doctor;
mod logs;
mod notebook;
mod on_run;
mod on_upload;
mod prices;
mod report;
mod rule;
mod schedule;
mod undelivered;
mod watch;

pub(crate) use completions::{CompletionsArguments, ManArguments, Shell};
pub(crate) use deploy::{AttachArguments, DeployArguments, DestroyArguments, DetachArguments};
pub(crate) use doctor::DoctorArguments;
pub(crate) use logs::LogsArguments;
pub(crate) use notebook::{LimitArguments, NotebookArguments, ParameterArguments};
pub(crate) use on_run::{OnRunAddArguments, OnRunArguments, OnRunVerb};
pub(crate) use prices::PriceArguments;
pub(crate) use report::ReportArguments;
pub(crate) use rule::{OneRuleArguments, RuleListArguments};
pub(crate) use schedule::{
    OneScheduleArguments, ScheduleAddArguments, ScheduleArguments, ScheduleListArguments, ScheduleVerb,
};

pub(crate) use on_upload::{OnUploadAddArguments, OnUploadArguments, OnUploadTestArguments, OnUploadVerb};
pub(crate) use undelivered::{
    ChosenArguments, DiscardArguments, ReplayArguments, UndeliveredArguments, UndeliveredVerb,
};
pub(crate) use watch::WatchArguments;

use crate::{clients::RunName, stack::StackArguments, ui::text::for_shell};

/// Wakes a notebook instance, runs a notebook on it, and proves that it went back to sleep.
#[derive(Debug, Parser)]
#[command(name = "reveille", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Arguments {
    /// When to colour the output
    #[arg(long, global = true, display_order = 900, value_name = "WHEN", default_value_t = ColorChoice::Auto)]
    pub(crate) color: ColorChoice,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 all went as expected; 1 it did not, and the last line says why; \
2 wrong arguments; 3 something must be set up first (a build, a region, a bucket that sends its events), or a check of doctor failed; 4 no credentials, or AWS refused; 5 not found; \
6 gave up waiting, the run goes on; 10 the notebook failed; 11 the platform failed; 12 the instance was not seen stopped; \
13 the run was cancelled; 14 no notebook ran (busy, or a duplicate); 130 stopped by Ctrl-C.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a notebook on an instance now, and follow it to its end
    Run(Box<RunArguments>),
    /// List recent runs, the newest first
    Runs(RunsArguments),
    /// Show one run: its phases, what failed, where its outputs are, what to do next
    Show(ShowArguments),
    /// Follow a run to its end; Ctrl-C leaves the run running
    Watch(WatchArguments),
    /// Print what papermill and the cells of a run wrote, even while it is running
    Logs(LogsArguments),
    /// Print a link to a run's page, good for an hour
    Open(OpenArguments),
    /// Stop runs, and wait until each has its outcome and its instance is seen stopped
    Cancel(CancelArguments),
    /// Run a notebook again: redrive its run, or start a new run with the same input
    Rerun(RerunArguments),
    /// List the runs that use an instance or wait for it
    Queue(QueueArguments),
    /// Start runs on a schedule: make, list, pause, resume and remove schedules
    Schedule(ScheduleArguments),
    /// Start runs when files land in S3: make, list, pause, resume, remove and test rules
    OnUpload(OnUploadArguments),
    /// Start runs when other runs have succeeded: make, list, pause, resume and remove rules
    OnRun(OnRunArguments),
    /// List what EventBridge could not deliver, replay it or discard it
    Undelivered(UndeliveredArguments),
    /// List the notebook instances: which are on, and why
    Instances(InstancesArguments),
    /// Write a page of the last days' runs: what ran, what failed, what did not come, what it cost
    Report(ReportArguments),
    /// Check what goes wrong in practice, and say how to fix each fault
    Doctor(DoctorArguments),
    /// Explain why a run went as it did, why a file did or did not start a run, or an error code
    Explain(ExplainArguments),
    /// Make or change the stack from a release: shows the change, asks, and follows it
    Deploy(DeployArguments),
    /// Delete the stack; the bucket with the outputs is kept
    Destroy(DestroyArguments),
    /// Let an instance that you have start the runner: its policy and its lifecycle configuration
    Attach(AttachArguments),
    /// Take the runner off an instance again
    Detach(DetachArguments),
    /// Print the script that sets up Tab completion in a shell
    Completions(CompletionsArguments),
    /// Write the manual pages into a folder
    Man(ManArguments),
    /// Leave a local AWS running, with the stack deployed and a notebook instance at rest, until Ctrl-C
    Local(LocalArguments),
    /// Run the main job on a local AWS: a file lands, a notebook runs, the instance is proven stopped; then a failure
    Demo(DemoArguments),
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// For programs
    Json,
}

#[derive(Args, Debug)]
pub(crate) struct FormatArguments {
    /// How the answer is written
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) output: Format,
}

#[derive(Args, Debug)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    pub(crate) asked: NotebookArguments,
    /// Start it, print its id, and return
    #[arg(long)]
    pub(crate) detach: bool,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
}

#[derive(Args, Debug)]
pub(crate) struct RunsArguments {
    /// The most runs to list
    #[arg(short = 'L', long, default_value_t = 20, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) limit: u16,
    /// Only those with this status
    #[arg(long, value_enum)]
    pub(crate) status: Option<StatusFilter>,
    /// Only those on this instance
    #[arg(long, value_name = "NAME")]
    pub(crate) instance: Option<String>,
    /// Only those of a notebook whose name holds this
    #[arg(long, value_name = "TEXT")]
    pub(crate) notebook: Option<String>,
    /// Only those that started within the last 30m, 12h, 7d
    #[arg(long, value_name = "TIME", value_parser = crate::ui::times::span)]
    pub(crate) since: Option<chrono::TimeDelta>,
    #[command(flatten)]
    pub(crate) format: FormatArguments,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatusFilter {
    Running,
    Succeeded,
    Failed,
    Aborted,
}

/// How a run is named.
const RUN: &str = "The run: its id, or the start of its id, its execution's ARN, @last or @last-failed";

#[derive(Args, Debug)]
pub(crate) struct ShowArguments {
    #[arg(help = RUN, value_parser = RunName::parse, default_value = "@last")]
    pub(crate) run: RunName,
    #[command(flatten)]
    pub(crate) prices: PriceArguments,
    #[command(flatten)]
    pub(crate) format: FormatArguments,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
}

#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "flags that exclude each other, by clap's group")]
pub(crate) struct OpenArguments {
    #[arg(help = RUN, value_parser = RunName::parse, default_value = "@last")]
    pub(crate) run: RunName,
    /// The executed notebook as a page; this is what is opened without a flag
    #[arg(long, group = "page")]
    pub(crate) html: bool,
    /// The executed notebook
    #[arg(long, group = "page")]
    pub(crate) notebook: bool,
    /// What papermill and the cells wrote
    #[arg(long, group = "page")]
    pub(crate) log: bool,
    /// The execution in the Step Functions console
    #[arg(long, group = "page")]
    pub(crate) console: bool,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
}

#[derive(Args, Debug)]
pub(crate) struct CancelArguments {
    /// The runs
    #[arg(value_parser = RunName::parse, required = true)]
    pub(crate) runs: Vec<RunName>,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
}

#[derive(Args, Debug)]
pub(crate) struct RerunArguments {
    #[arg(help = RUN, value_parser = RunName::parse)]
    pub(crate) run: RunName,
    #[command(flatten)]
    pub(crate) parameters: ParameterArguments,
    /// Start a new run even if the old one could be redriven
    #[arg(long)]
    pub(crate) new: bool,
    /// Start it, print its id, and return
    #[arg(long)]
    pub(crate) detach: bool,
    /// How the answer is written; with json, the command returns once the run is started
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) output: Format,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
}

#[derive(Args, Debug)]
pub(crate) struct QueueArguments {
    /// The notebook instance
    #[arg(value_parser = InstanceName::parse)]
    pub(crate) instance: InstanceName,
    #[command(flatten)]
    pub(crate) format: FormatArguments,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
}

#[derive(Args, Debug)]
pub(crate) struct InstancesArguments {
    #[command(flatten)]
    pub(crate) prices: PriceArguments,
    #[command(flatten)]
    pub(crate) format: FormatArguments,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
}

#[derive(Args, Debug)]
pub(crate) struct ExplainArguments {
    /// A run (as for `show`), a file as s3://bucket/key, or an error code such as NotebookFailed; without an argument, all codes are listed
    #[arg(value_name = "RUN|KEY|CODE")]
    pub(crate) what: Option<String>,
    #[command(flatten)]
    pub(crate) format: FormatArguments,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
}

#[derive(Args, Debug)]
pub(crate) struct LocalArguments {
    /// Where its files go and stay: the next start with the same folder goes on from them; a temporary folder if not given
    #[arg(long, value_name = "FOLDER")]
    pub(crate) directory: Option<PathBuf>,
    /// A parameter of the template, e.g. `ScheduleExpression=rate(1 minute)`; may be given several times
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    pub(crate) parameters: Vec<(String, String)>,
    /// Boot notebook instances as machines from this root, which `make root` builds; needs root rights
    #[arg(long, value_name = "ROOT")]
    pub(crate) machines: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct DemoArguments {
    /// Where the outputs of the runs are copied
    #[arg(long, value_name = "FOLDER", default_value = "demo-output")]
    pub(crate) output: PathBuf,
}

/// The options by which a person said where the command works. What the environment says, it says to the next command, too.
pub(crate) fn place(all: &ArgMatches) -> Vec<String> {
    let mut matches = all;
    while let Some((_, below)) = matches.subcommand() {
        matches = below;
    }
    let typed = |name: &&str| {
        matches!(matches.try_contains_id(name), Ok(true))
            && matches.value_source(name) == Some(ValueSource::CommandLine)
    };
    let option = |name: &str| Some(format!("--{name} {}", for_shell(matches.get_one::<String>(name)?)));
    ["stack", "profile", "region"].into_iter().filter(typed).filter_map(option).collect()
}

/// Joins `-p NAME VALUE`, which papermill has, to `-p NAME=VALUE`, which every command line can read.
pub(crate) fn joined(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut joined = Vec::new();
    let mut arguments = arguments.peekable();
    while let Some(argument) = arguments.next() {
        let is_parameter = ["-p", "-r", "--parameter", "--parameter-raw"].iter().any(|flag| argument == *flag);
        joined.push(argument);
        if !is_parameter {
            continue;
        }
        let Some(name) = arguments.next() else { break };
        let is_name = name.to_str().is_some_and(|name| !name.contains('=') && !name.is_empty());
        match arguments.next_if(|_| is_name) {
            Some(value) => joined.push([name, OsString::from("="), value].into_iter().collect()),
            None => joined.push(name),
        }
    }
    joined
}

/// A parameter of the stack: `NAME=VALUE`, where the value may have the sign, too.
pub(crate) fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("must be NAME=VALUE, with the name of a parameter of the stack (docs/parameters.md)".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{Arguments, Command, EXIT_CODES, joined, place};

    #[test]
    fn parameters_are_written_as_papermill_has_them() {
        let words = |text: &str| text.split(' ').map(Into::into).collect::<Vec<_>>();
        for (typed, read) in [
            ("run a -p day 1 -p b=2 --on x", "run a -p day=1 -p b=2 --on x"),
            ("run -r v -p", "run -r v=-p"),
            ("run a -p", "run a -p"),
        ] {
            assert_eq!(joined(words(typed).into_iter()), words(read));
        }
        assert!(Arguments::try_parse_from(["reveille", "run", "a.ipynb", "--on", "x", "-p", "=1"]).is_err());
    }

    #[test]
    fn where_a_command_works_is_what_was_typed() {
        let of = |words: &str| place(&Arguments::command().try_get_matches_from(words.split(' ')).unwrap());
        assert_eq!(of("reveille undelivered --stack lab"), ["--stack lab"]);
        assert_eq!(
            of("reveille schedule list --region eu-west-1 --profile $me"),
            ["--profile '$me'", "--region eu-west-1"]
        );
        for none in ["reveille runs", "reveille local", "reveille completions bash"] {
            assert!(of(none).is_empty(), "{none}");
        }
    }

    #[test]
    fn the_page_names_each_verb_and_each_exit_code() {
        let page = include_str!("../../../docs/cli.md");
        for verb in Arguments::command().get_subcommands() {
            assert!(page.contains(&format!("`reveille {}", verb.get_name())), "{} is missing", verb.get_name());
        }
        let listed = |text: &str| -> Vec<String> {
            let numbers = text.split(|sign: char| !sign.is_ascii_digit()).filter(|number| !number.is_empty());
            numbers.map(str::to_owned).collect()
        };
        let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse::<u8>().ok());
        assert_eq!(rows.map(|code| code.to_string()).collect::<Vec<_>>(), listed(EXIT_CODES));
    }

    #[test]
    fn the_grammar_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn parameters_are_pairs() {
        let parsed = Arguments::try_parse_from(["reveille", "local", "--parameter", "A=b=c"]).unwrap();
        let Command::Local(local) = parsed.command else { panic!("not local") };
        assert_eq!(local.parameters, [("A".to_owned(), "b=c".to_owned())]);
        assert!(Arguments::try_parse_from(["reveille", "local", "--parameter", "=x"]).is_err());
        assert!(Arguments::try_parse_from(["reveille", "local", "--parameter", "x"]).is_err());
    }
}
