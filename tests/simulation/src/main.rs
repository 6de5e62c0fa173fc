//! `reveille-simulation [--runs N] [--seed S] [--from S] [--jobs N] [--sweeper]`
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command's output")]

use std::process::ExitCode;
use std::time::Instant;

use reveille_simulation::definition::Definitions;
use reveille_simulation::play::play;
use reveille_simulation::schedule::generate;
use reveille_simulation::totals::Totals;

/// Schedules of a full run.
const RUNS: u64 = 10_000;
/// Failing seeds that are shown.
const SHOWN: usize = 10;

struct Options {
    runs: u64,
    from: u64,
    seed: Option<u64>,
    jobs: u64,
    sweeper: bool,
}

fn options() -> Result<Options, String> {
    let jobs = std::thread::available_parallelism().map_or(1, |jobs| jobs.get() as u64);
    let mut options = Options { runs: RUNS, from: 0, seed: None, jobs, sweeper: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let mut number = || {
            let value = arguments.next().unwrap_or_default();
            value.parse::<u64>().map_err(|_| format!("{name} needs a whole number, not {value:?}"))
        };
        match name.as_str() {
            "--runs" => options.runs = number()?,
            "--from" => options.from = number()?,
            "--seed" => options.seed = Some(number()?),
            "--jobs" => options.jobs = number()?.max(1),
            "--sweeper" => options.sweeper = true,
            _ => return Err(format!("unknown option {name}: use --runs N, --from S, --seed S, --jobs N or --sweeper")),
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    let ended = options().and_then(|options| match options.seed {
        Some(seed) => replay(seed, options.sweeper),
        None => simulate(&options),
    });
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(2)
        }
    }
}

/// Plays one seed and shows what happened. `true`: every guarantee held.
fn replay(seed: u64, sweeper: bool) -> Result<bool, String> {
    let schedule = generate(seed, sweeper);
    let machine = Definitions::default().with(schedule.parameters)?;
    println!("{schedule:#?}\n");
    let played = play(schedule, &machine, None, true);
    for line in &played.timeline {
        println!("{line}");
    }
    println!();
    for violation in &played.violations {
        println!("BROKEN {}: {}", violation.guarantee, violation.what);
    }
    if played.violations.is_empty() {
        println!("every guarantee held");
    }
    Ok(played.violations.is_empty())
}

/// Plays many seeds and shows the table. `true`: every guarantee held, and every kind of fault fired.
fn simulate(options: &Options) -> Result<bool, String> {
    let begun = Instant::now();
    let totals = std::thread::scope(|scope| {
        let parts: Vec<_> = (0..options.jobs).map(|job| scope.spawn(move || part(options, job))).collect();
        let mut totals = Totals::default();
        for part in parts {
            totals.merge(part.join().map_err(|_| "a part of the simulation panicked; its message is above")??);
        }
        Ok::<_, String>(totals)
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    print!("{}", totals.table());
    let a_second = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / seconds;
    println!(
        "{:.1} s on {} thread(s): {:.0} schedules/s, {:.0} runs/s, {:.0} runs/s a thread",
        seconds,
        options.jobs,
        a_second(totals.schedules),
        a_second(totals.runs),
        a_second(totals.runs) / f64::from(u32::try_from(options.jobs).unwrap_or(u32::MAX)),
    );
    for failure in totals.failures().iter().take(SHOWN) {
        println!("BROKEN with seed {}: {}", failure.seed, failure.what);
    }
    let never = if options.runs >= RUNS { totals.never_fired(options.sweeper) } else { Vec::new() };
    for fault in &never {
        println!("NEVER FIRED: {}", fault.name());
    }
    Ok(totals.failed == 0 && never.is_empty())
}

/// Every `jobs`th seed.
fn part(options: &Options, job: u64) -> Result<Totals, String> {
    let mut definitions = Definitions::default();
    let mut totals = Totals::default();
    for seed in (options.from + job..options.from + options.runs).step_by(usize::try_from(options.jobs).unwrap_or(1)) {
        let schedule = generate(seed, options.sweeper);
        let machine = definitions.with(schedule.parameters)?;
        totals.add(seed, &play(schedule, &machine, None, false));
    }
    Ok(totals)
}
