//! What the shell completes: the grammar, and the names of what exists. Never prints anything else, and is silent where AWS can't be asked:
//! a person who presses Tab has asked no question.

mod names;

use std::ffi::OsString;

use clap::{Arg, Command, CommandFactory};
use clap_complete::{
    CompleteEnv, PathCompleter,
    engine::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate},
};
use reveille_domain::Code;

use crate::{
    arguments::Arguments,
    commands::completions::VARIABLE,
    stack::{StackArguments, USUAL},
};

/// Answers a shell that completes, and ends the process. Otherwise does nothing.
pub(crate) fn answer() {
    CompleteEnv::with_factory(|| completing(Arguments::command())).var(VARIABLE).complete();
}

/// What a name is one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Stack,
    Instance,
    Run,
    Schedule,
    UploadRule,
    RunRule,
    RunOrCode,
}

impl Kind {
    /// By the verbs before it and the argument's id.
    fn of(verbs: &[&str], argument: &str) -> Option<Self> {
        match (verbs, argument) {
            (_, "stack") => Some(Self::Stack),
            (_, "instance" | "instances" | "after_on") => Some(Self::Instance),
            (_, "run" | "runs") => Some(Self::Run),
            // A name that is to be made exists nowhere yet.
            ([.., "add"], "name") => None,
            (["schedule", ..], "name") => Some(Self::Schedule),
            (["on-upload", ..], "name") => Some(Self::UploadRule),
            (["on-run", ..], "name") => Some(Self::RunRule),
            (["explain"], "what") => Some(Self::RunOrCode),
            _ => None,
        }
    }

    fn candidates(self) -> Vec<CompletionCandidate> {
        match self {
            Self::RunOrCode => {
                let codes = Code::ALL.into_iter().map(|code| CompletionCandidate::new(code.as_str()));
                Self::Run.candidates().into_iter().chain(codes).collect()
            }
            kind => names::of(kind, &stack(std::env::args_os().skip_while(|word| word != "--").collect())),
        }
    }
}

/// The grammar, with what its arguments are completed from.
fn completing(command: Command) -> Command {
    with_names(command, &mut Vec::new())
}

fn with_names(command: Command, verbs: &mut Vec<String>) -> Command {
    let at = verbs.clone();
    let command = command.mut_args(|argument| with_candidates(argument, &at));
    command.mut_subcommands(|verb| {
        verbs.push(verb.get_name().to_owned());
        let verb = with_names(verb, verbs);
        verbs.pop();
        verb
    })
}

fn with_candidates(argument: Arg, verbs: &[String]) -> Arg {
    let verbs = verbs.iter().map(String::as_str).collect::<Vec<_>>();
    match (Kind::of(&verbs, argument.get_id().as_str()), argument.get_id().as_str()) {
        (Some(kind), _) => argument.add(ArgValueCandidates::new(move || kind.candidates())),
        (None, "file" | "prices" | "out") => argument.add(ArgValueCompleter::new(PathCompleter::file())),
        (None, "directory" | "folder" | "machines" | "output" | "release")
            if argument.get_value_parser().possible_values().is_none() =>
        {
            argument.add(ArgValueCompleter::new(PathCompleter::dir()))
        }
        (None, _) => argument,
    }
}

/// Which stack is asked: by the words typed so far, else by the environment, as the command itself has it.
fn stack(words: Vec<OsString>) -> StackArguments {
    let words = words.into_iter().filter_map(|word| word.into_string().ok()).collect::<Vec<_>>();
    let value = |option: &str| {
        let after = words.iter().position(|word| word == option).and_then(|at| words.get(at + 1)).cloned();
        let joined = || words.iter().find_map(|word| word.strip_prefix(option)?.strip_prefix('=').map(str::to_owned));
        after.or_else(joined)
    };
    StackArguments {
        stack: value("--stack").or_else(|| std::env::var("REVEILLE_STACK").ok()).unwrap_or_else(|| USUAL.to_owned()),
        profile: value("--profile"),
        region: value("--region"),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::{Kind, completing, stack};
    use crate::arguments::Arguments;

    fn kinds(command: &clap::Command, verbs: &mut Vec<String>, found: &mut Vec<String>) {
        for argument in command.get_arguments() {
            let at = verbs.iter().map(String::as_str).collect::<Vec<_>>();
            if let Some(kind) = Kind::of(&at, argument.get_id().as_str()).filter(|kind| *kind != Kind::Stack) {
                found.push(format!("{} {}: {kind:?}", verbs.join(" "), argument.get_id()));
            }
        }
        for verb in command.get_subcommands() {
            verbs.push(verb.get_name().to_owned());
            kinds(verb, verbs, found);
            verbs.pop();
        }
    }

    #[test]
    fn each_name_is_completed_from_its_kind() {
        let mut found = Vec::new();
        kinds(&Arguments::command(), &mut Vec::new(), &mut found);
        for expected in [
            "run instance: Instance",
            "show run: Run",
            "cancel runs: Run",
            "queue instance: Instance",
            "schedule add instance: Instance",
            "schedule pause name: Schedule",
            "on-upload remove name: UploadRule",
            "on-run list name: RunRule",
            "explain what: RunOrCode",
        ] {
            assert!(found.iter().any(|line| line == expected), "{expected} is not among {found:#?}");
        }
        assert!(!found.iter().any(|line| line.contains("add name")), "{found:#?}");
        completing(Arguments::command()).debug_assert();
    }

    #[test]
    fn the_stack_is_the_one_that_was_typed() {
        let typed = |text: &str| stack(text.split(' ').map(Into::into).collect());
        assert_eq!(typed("-- reveille runs --stack one").stack, "one");
        assert_eq!(typed("-- reveille runs --stack=two --region eu-west-1").stack, "two");
        assert_eq!(typed("-- reveille runs --region eu-west-1").region.as_deref(), Some("eu-west-1"));
        assert_eq!(typed("-- reveille runs --stack").profile, None);
    }
}
