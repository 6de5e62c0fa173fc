//! The command line's grammar.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Wakes a notebook instance, runs a notebook on it, and proves that it went back to sleep.
#[derive(Debug, Parser)]
#[command(name = "reveille", version, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 all went as expected; 1 it did not, and the last line says why; \
2 wrong arguments; 3 something is missing here (set-up, build); 130 stopped by Ctrl-C.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Leave a local AWS running, with the stack deployed and a notebook instance at rest, until Ctrl-C
    Local(LocalArguments),
    /// Run the main job on a local AWS: a file lands, a notebook runs, the instance is proven stopped; then a failure
    Demo(DemoArguments),
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

fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("must be NAME=VALUE, with the name of a parameter of infra/template.yaml".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{Arguments, Command};

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
