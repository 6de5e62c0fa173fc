//! `reveille-simulation [--runs N] [--seed S] [--from S] [--jobs N] [--show N] [--sabotage] [--book] [--only WORDS] [--exhaustive] [--exhaustive-quick] [--most-plays N] [--no-sweeper]`
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command's output")]

use std::process::ExitCode;
use std::time::Instant;

use reveille_simulation::book;
use reveille_simulation::definition::Definitions;
use reveille_simulation::exhaustive::bounds::{CORES, NOTICED};
use reveille_simulation::exhaustive::search::{MOST_PLAYS, Search};
use reveille_simulation::explain::explain;
use reveille_simulation::long_queue;
use reveille_simulation::play::{Played, play};
use reveille_simulation::sabotage::{ALL, player};
use reveille_simulation::schedule::{Schedule, generate};
use reveille_simulation::shrink::shrink;
use reveille_simulation::totals::{Speed, Totals};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Schedules of a full run.
const RUNS: u64 = 10_000;
/// Runs in the long queue that a full run plays: as many as anybody will have.
const QUEUED: u32 = 2_000;
/// Failing seeds that are shown, unless `--show` says otherwise.
const SHOWN: u64 = 10;
/// Every so manyth schedule is played twice.
const TWICE_EVERY: u64 = 50;

/// Which of the small worlds are explored.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Explore {
    /// What takes seconds.
    Quick,
    /// Every one.
    All,
}

struct Options {
    runs: u64,
    from: u64,
    seed: Option<u64>,
    jobs: u64,
    sweeper: bool,
    show: u64,
    sabotage: bool,
    /// With `--sabotage`: write each that is noticed into the book.
    book: bool,
    /// With `--sabotage` and `--exhaustive`: only those whose name holds this.
    only: String,
    explore: Option<Explore>,
    /// With `--exhaustive`: a part gives up after so many plays.
    most_plays: u64,
}

fn options() -> Result<Options, String> {
    let jobs = std::thread::available_parallelism().map_or(1, |jobs| jobs.get() as u64);
    let mut options = Options {
        runs: RUNS,
        from: 0,
        seed: None,
        jobs,
        sweeper: true,
        show: SHOWN,
        sabotage: false,
        book: false,
        only: String::new(),
        explore: None,
        most_plays: MOST_PLAYS,
    };
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
            "--book" => options.book = true,
            "--only" => options.only = arguments.next().unwrap_or_default(),
            "--exhaustive" => options.explore = Some(Explore::All),
            "--exhaustive-quick" => options.explore = Some(Explore::Quick),
            "--most-plays" => options.most_plays = number()?,
            "--no-sweeper" => options.sweeper = false,
            _ => {
                return Err(format!(
                    "unknown option {name}: use --runs N, --from S, --seed S, --jobs N, --show N, --sabotage, --book, --only WORDS, --exhaustive, --exhaustive-quick, --most-plays N or --no-sweeper"
                ));
            }
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    let ended = options().and_then(|options| match options.seed {
        Some(seed) => replay(seed, options.sweeper),
        None if options.explore.is_some() => exhaustive(&options),
        None if options.sabotage => sabotage(options.book, &options.only),
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

/// Plays one seed and shows what happened; what breaks is made short. `true`: every guarantee held.
fn replay(seed: u64, sweeper: bool) -> Result<bool, String> {
    let schedule = generate(seed, sweeper);
    let machine = Definitions::default().with(schedule.parameters)?;
    println!("{}\n", serde_json::to_string(&schedule).map_err(|error| error.to_string())?);
    let played = play(schedule.clone(), &machine, None, true);
    for line in &played.timeline {
        println!("{line}");
    }
    println!();
    for violation in &played.violations {
        println!("BROKEN {}: {}", violation.guarantee, violation.what);
    }
    if played.violations.is_empty() {
        println!("every guarantee held");
    } else {
        explained(schedule)?;
    }
    Ok(played.violations.is_empty())
}

/// Makes a schedule that breaks a guarantee short, and shows it.
fn explained(schedule: Schedule) -> Result<(), String> {
    let Some(shrunk) = shrink(schedule, player(Definitions::default(), None)) else { return Ok(()) };
    let machine = Definitions::default().with(shrunk.schedule.parameters)?;
    let timeline = play(shrunk.schedule.clone(), &machine, None, true).timeline;
    println!("\n{}", explain(&shrunk, &timeline));
    Ok(())
}

/// Explores the small worlds, and shows how much there was. `true`: every guarantee held, and nothing is left.
fn exhaustive(options: &Options) -> Result<bool, String> {
    let mut all = true;
    let jobs = usize::try_from(options.jobs).unwrap_or(1);
    let wanted = CORES
        .into_iter()
        .filter(|core| (core.quick || options.explore == Some(Explore::All)) && core.name.contains(&*options.only));
    for core in wanted {
        let begun = Instant::now();
        let search = Search { core, sabotage: None, jobs, most_plays: options.most_plays };
        let found = search.run()?;
        println!("{}\n  {found} ({:.1} s)", core.name, begun.elapsed().as_secs_f64());
        if let Some((choices, violation)) = &found.broken {
            println!("BROKEN {}: {}", violation.guarantee, violation.what);
            for line in search.replay(choices.clone())? {
                println!("{line}");
            }
        }
        all &= found.ended;
    }
    if options.only.is_empty() {
        all &= exhaustive_sabotages(jobs)?;
    }
    Ok(all)
}

/// Takes something out of the protocol, and searches until a guarantee breaks. `true`: each was noticed.
fn exhaustive_sabotages(jobs: usize) -> Result<bool, String> {
    let mut all = true;
    let named = ALL.into_iter().filter(|sabotage| NOTICED.contains(&sabotage.name)).collect::<Vec<_>>();
    if named.len() != NOTICED.len() {
        return Err("a sabotage of the exhaustive search has another name now".to_owned());
    }
    for sabotage in named {
        let mut plays = 0;
        let mut noticed = None;
        for core in CORES.into_iter().filter(|core| core.quick) {
            let found = Search { core, sabotage: Some(sabotage), jobs, most_plays: MOST_PLAYS }.run()?;
            plays += found.plays;
            noticed = found
                .broken
                .map(|(_, violation)| format!("{}: {} ({})", violation.guarantee, violation.what, core.name));
            if noticed.is_some() {
                break;
            }
        }
        all &= noticed.is_some();
        println!(
            "without {}: after {plays} plays {}",
            sabotage.name,
            noticed.unwrap_or_else(|| "NOT NOTICED".to_owned())
        );
    }
    Ok(all)
}

/// Shows how soon each sabotage is noticed. `true`: each was, within its bound.
fn sabotage(write: bool, only: &str) -> Result<bool, String> {
    let mut all = true;
    for sabotage in ALL.into_iter().filter(|sabotage| sabotage.name.contains(only)) {
        let begun = Instant::now();
        let noticed = sabotage.noticed()?;
        all &= noticed.is_some();
        if let (true, Some((after, _))) = (write, &noticed) {
            book::write(&sabotage, after - 1, &book::folder())?;
        }
        let told = noticed.map_or_else(
            || format!("NOT NOTICED within {}", sabotage.within),
            |(after, what)| format!("after {after:>5} schedules of at most {:>5}: {what}", sabotage.within),
        );
        println!("{:<66} {told} ({:.1} s)", sabotage.name, begun.elapsed().as_secs_f64());
    }
    Ok(all)
}

/// Plays the book, many seeds and a long queue, and shows the table. `true`: every guarantee held, and every kind of fault fired.
fn simulate(options: &Options) -> Result<bool, String> {
    let again = book::play_all()?;
    for (name, what) in &again {
        println!("BROKEN again, of the book: {name}: {what}");
    }
    let begun = Instant::now();
    let is_whole = options.runs >= RUNS;
    let (totals, running, queue) = std::thread::scope(|scope| {
        let queue = is_whole.then(|| scope.spawn(|| long_queue::serve(QUEUED)));
        let parts: Vec<_> = (0..options.jobs).map(|job| scope.spawn(move || part(options, job))).collect();
        let (mut totals, mut running) = (Totals::default(), 0.0);
        for part in parts {
            let (part, seconds) =
                part.join().map_err(|_| "a part of the simulation panicked; its message is above")??;
            totals.merge(part);
            running += seconds;
        }
        let queue = queue.map(|queue| queue.join().map_err(|_| "the long queue panicked; its message is above"));
        Ok::<_, String>((totals, running, queue.transpose()?))
    })?;
    let speed = Speed { passed: begun.elapsed().as_secs_f64(), running, threads: options.jobs };
    print!("{}", totals.table(speed));
    record(&totals, speed);
    match &queue {
        Some(Ok(served)) => println!("{served}"),
        Some(Err(what)) => println!("BROKEN in a queue of {QUEUED} runs on one instance: {what}"),
        None => {}
    }
    for failure in totals.failures().iter().take(usize::try_from(options.show).unwrap_or(usize::MAX)) {
        println!("BROKEN with seed {}: {}", failure.seed, failure.what);
    }
    if let Some(first) = totals.failures().first() {
        explained(generate(first.seed, options.sweeper))?;
    }
    let never = if is_whole { totals.never_fired(options.sweeper) } else { Vec::new() };
    for fault in &never {
        println!("NEVER FIRED while it could matter: {}", fault.name());
    }
    let queue_held = !matches!(queue, Some(Err(_)));
    Ok(totals.failed == 0 && never.is_empty() && again.is_empty() && queue_held)
}

/// Writes everything beside the table; that it cannot be written is no failure of a guarantee.
fn record(totals: &Totals, speed: Speed) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/simulate.json");
    if let Err(error) = std::fs::write(path, format!("{:#}\n", totals.json(speed))) {
        eprintln!("{path} was not written: {error}");
    }
}

/// Every `jobs`th seed, and the seconds that this thread was really running.
fn part(options: &Options, job: u64) -> Result<(Totals, f64), String> {
    let mut definitions = Definitions::default();
    let mut totals = Totals::default();
    for seed in (options.from + job..options.from + options.runs).step_by(usize::try_from(options.jobs).unwrap_or(1)) {
        let mut played = |traced| {
            let schedule = generate(seed, options.sweeper);
            let machine = definitions.with(schedule.parameters)?;
            Ok::<_, String>(play(schedule, &machine, None, traced))
        };
        if seed.is_multiple_of(TWICE_EVERY) {
            let (first, second) = (played(true)?, played(true)?);
            totals.add(seed, &first);
            totals.twice += 1;
            if let Some(unlike) = difference(&first, &second) {
                totals.fail(seed, "twice", unlike);
            }
        } else {
            totals.add(seed, &played(false)?);
        }
    }
    let running = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let nanoseconds = f64::from(i32::try_from(running.tv_nsec).unwrap_or_default());
    Ok((totals, f64::from(i32::try_from(running.tv_sec).unwrap_or(i32::MAX)) + nanoseconds / 1e9))
}

/// The first event in which two plays of one schedule differ.
fn difference(first: &Played, second: &Played) -> Option<String> {
    let lines = first.timeline.len().max(second.timeline.len());
    let at = (0..lines).find(|at| first.timeline.get(*at) != second.timeline.get(*at))?;
    let shown = |played: &Played| played.timeline.get(at).cloned().unwrap_or_else(|| "nothing".to_owned());
    Some(format!("played twice, it differs: {} / {}", shown(first), shown(second)))
}
