//! `reveille-bench`: see the crate's README.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use reveille_bench::endpoint::Scheme;
use reveille_bench::error::Error;
use reveille_bench::measure::ColdStartBench;
use reveille_bench::programs::Paths;
use reveille_bench::report;

/// Rounds before the ones that count: they fill the page cache and Python's cache of compiled modules.
const WARM_UP: u32 = 3;

/// Compares a function's cold start and peak memory with the Python equivalent and with a floor program.
#[derive(Debug, Parser)]
#[command(name = "reveille-bench")]
struct Arguments {
    /// How often each program is measured, in turns
    #[arg(long, default_value_t = 21, value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// A Python that has awslambdaric and boto3
    #[arg(long, default_value = "target/bench-venv/bin/python")]
    python: PathBuf,
    /// The functions' bootstrap [default: beside this program]
    #[arg(long)]
    function: Option<PathBuf>,
    /// Exit with 1 when a target is missed
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("reveille-bench: {error}");
            ExitCode::from(2)
        }
    }
}

#[expect(clippy::print_stdout, reason = "the table is what the program is for")]
fn run(arguments: Arguments) -> Result<ExitCode, Error> {
    let own = std::env::current_exe().map_err(Error::own("finding this program's folder"))?;
    let folder = tempfile::tempdir().map_err(Error::own("making a temporary folder"))?;
    // Not resolved further: a virtual environment's Python is a link, and knows its packages by the link's place.
    let absolute = |path: PathBuf| std::path::absolute(path).map_err(Error::own("finding the current folder"));
    let bench = ColdStartBench::start(Paths {
        function: absolute(arguments.function.unwrap_or_else(|| own.with_file_name("bootstrap")))?,
        floor: own.with_file_name("reveille-bench-floor"),
        python: absolute(arguments.python)?,
        folder: folder.path().to_owned(),
    })?;
    println!(
        "Cold start of check_instance: process spawn to first response, with one DescribeNotebookInstance.\n\
         Programs take turns; medians of {} runs each, after {WARM_UP} to warm up; ratios are medians of each round's.\n",
        arguments.runs
    );
    let https = bench.rounds(Scheme::Https, WARM_UP, arguments.runs)?;
    println!("{}", report::table(Scheme::Https, &https));
    let http = bench.rounds(Scheme::Http, WARM_UP, arguments.runs)?;
    println!("{}", report::table(Scheme::Http, &http));
    let verdicts = report::verdicts(&https).unwrap_or_default();
    println!("Targets, over https:\n{}", report::judgement(&verdicts));
    let missed = verdicts.iter().any(|verdict| !verdict.passed);
    Ok(if arguments.check && missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
