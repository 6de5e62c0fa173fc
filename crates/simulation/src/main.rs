//! `reveille-simulation [--runs N] [--seed S] [--from S] [--jobs N] [--show N] [--sabotage] [--no-sweeper]`
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command's output")]

use std::process::ExitCode;
use std::time::Instant;

use reveille_simulation::definition::Definitions;
use reveille_simulation::play::play;
use reveille_simulation::sabotage::ALL;
use reveille_simulation::schedule::generate;
use reveille_simulation::totals::Totals;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Schedules of a full run.
const RUNS: u64 = 10_000;
/// Failing seeds that are shown, unless `--show` says otherwise.
const SHOWN: u64 = 10;

struct Options {
    runs: u64,
    from: u64,
    seed: Option<u64>,
    jobs: u64,
    sweeper: bool,
    show: u64,
    sabotage: bool,
}

fn options() -> Result<Options, String> {
    let jobs = std::thread::available_parallelism().map_or(1, |jobs| jobs.get() as u64);
    let mut options = Options { runs: RUNS, from: 0, seed: None, jobs, sweeper: true, show: SHOWN, sabotage: false };
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
            "--show" => options.show = number()?,
            "--jobs" => options.jobs = number()?.max(1),
            "--sabotage" => options.sabotage = true,
            "--no-sweeper" => options.sweeper = false,
            _ => {
                return Err(format!(
                    "unknown option {name}: use --runs N, --from S, --seed S, --jobs N, --show N, --sabotage or --no-sweeper"
                ));
            }
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    let ended = options().and_then(|options| match options.seed {
        Some(seed) => replay(seed, options.sweeper),
        None if options.sabotage => sabotage(),
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

/// Shows how soon each sabotage is noticed. `true`: each was, within its bound.
fn sabotage() -> Result<bool, String> {
    let mut all = true;
    for sabotage in ALL {
        let begun = Instant::now();
        let noticed = sabotage.noticed()?;
        all &= noticed.is_some();
        let told = noticed.map_or_else(
            || format!("NOT NOTICED within {}", sabotage.within),
            |(after, what)| format!("after {after:>5} schedules of at most {:>5}: {what}", sabotage.within),
        );
        println!("{:<66} {told} ({:.1} s)", sabotage.name, begun.elapsed().as_secs_f64());
    }
    Ok(all)
}

/// Plays many seeds and shows the table. `true`: every guarantee held, and every kind of fault fired.
fn simulate(options: &Options) -> Result<bool, String> {
    let begun = Instant::now();
    let (totals, busy) = std::thread::scope(|scope| {
        let parts: Vec<_> = (0..options.jobs).map(|job| scope.spawn(move || part(options, job))).collect();
        let (mut totals, mut busy) = (Totals::default(), 0.0);
        for part in parts {
            let (part, seconds) =
                part.join().map_err(|_| "a part of the simulation panicked; its message is above")??;
            totals.merge(part);
            busy += seconds;
        }
        Ok::<_, String>((totals, busy))
    })?;
    print!("{}", totals.table());
    let runs = f64::from(u32::try_from(totals.runs).unwrap_or(u32::MAX));
    println!(
        "{:.1} s on {} thread(s), {busy:.1} s of them running: {:.0} runs a second on one core",
        begun.elapsed().as_secs_f64(),
        options.jobs,
        runs / busy,
    );
    for failure in totals.failures().iter().take(usize::try_from(options.show).unwrap_or(usize::MAX)) {
        println!("BROKEN with seed {}: {}", failure.seed, failure.what);
    }
    let never = if options.runs >= RUNS { totals.never_fired(options.sweeper) } else { Vec::new() };
    for fault in &never {
        println!("NEVER FIRED: {}", fault.name());
    }
    Ok(totals.failed == 0 && never.is_empty())
}

/// Every `jobs`th seed, and the seconds that this thread was really running.
fn part(options: &Options, job: u64) -> Result<(Totals, f64), String> {
    let mut definitions = Definitions::default();
    let mut totals = Totals::default();
    for seed in (options.from + job..options.from + options.runs).step_by(usize::try_from(options.jobs).unwrap_or(1)) {
        let schedule = generate(seed, options.sweeper);
        let machine = definitions.with(schedule.parameters)?;
        totals.add(seed, &play(schedule, &machine, None, false));
    }
    let running = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let nanoseconds = f64::from(i32::try_from(running.tv_nsec).unwrap_or_default());
    Ok((totals, f64::from(i32::try_from(running.tv_sec).unwrap_or(i32::MAX)) + nanoseconds / 1e9))
}
