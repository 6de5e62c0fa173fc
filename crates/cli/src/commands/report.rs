//! `reveille report`: a page of the last days' runs, in one file.

mod due;

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write},
    path::Path,
};

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use tempfile::{Builder, NamedTempFile};

use super::instances::why;
use crate::{
    arguments::ReportArguments,
    clients::{AT_ONCE, Account, Execution, Instance, Run, unless_forgotten},
    cost::usd,
    error::CliError,
    exit::Exit,
    overview::{Overview, Reported, ReportedInstance, costs, expected},
    prices::{Price, Prices},
    ui::{
        report::{mentioned, page},
        terminal::{Terminal, Tone},
        text::how_many,
    },
};

/// As many as a page of 2 MB holds, and as Step Functions is asked for.
const MOST: usize = 10_000;
/// Between two words on how far it is.
const STEP: usize = 50;

pub(crate) async fn run(terminal: &Terminal, arguments: &ReportArguments) -> Result<Exit, CliError> {
    let prices = Prices::chosen(arguments.prices.prices.as_deref())?;
    let out = Some(&*arguments.out).filter(|out| *out != Path::new("-"));
    // Before minutes of calls. It goes at once: whoever ends the command meanwhile leaves no file.
    out.map(beside).transpose()?;
    let account = Account::of(&arguments.stack).await?;
    let report = Box::pin(gathered(terminal, &account, arguments, &prices)).await?;
    let page = page(&report);
    let Some(out) = out else {
        terminal.verbatim(&page);
        return Ok(Exit::Done);
    };
    write(out, &page)?;
    for note in &report.notes {
        terminal.note(note);
    }
    terminal.lines(&told(&report, out));
    Ok(Exit::Done)
}

fn told(report: &Overview, out: &Path) -> String {
    let runs = how_many(report.runs.len() as u64, "run");
    let missed = match report.missed.len() {
        0 => String::new(),
        1 => "; 1 expected run did not come".to_owned(),
        count => format!("; {count} expected runs did not come"),
    };
    format!("{runs}{missed}. Open {} in a browser", mentioned(out))
}

async fn gathered(
    terminal: &Terminal,
    account: &Account,
    arguments: &ReportArguments,
    prices: &Prices,
) -> Result<Overview, CliError> {
    let made = Utc::now();
    let (runs, is_whole) = runs(terminal, account, made - arguments.since).await?;
    let mut notes = Vec::new();
    let mut from = made - arguments.since;
    if !is_whole {
        from = runs.last().map_or(from, |run| run.execution.started);
        notes.push(format!("There are more runs: these are the newest {MOST}."));
    }
    let damaged = runs.iter().filter(|run| !run.damaged.is_empty()).count();
    if damaged > 0 {
        notes.push(format!(
            "The records of {damaged} of these runs cannot be read in part: `reveille show RUN` says which."
        ));
    }
    let missed = expected::missed(&due::all(account, from, made, &mut notes).await?, runs.iter(), made);
    let instances = account.instances().await?;
    let price = |instance: &Instance| prices.price(&instance.kind, &account.region);
    let unknown: BTreeSet<String> = instances.iter().filter_map(|instance| price(instance).err()).collect();
    notes.extend(unknown.iter().map(|why| capitalised(why)));
    let prices_of: BTreeSet<_> = instances.iter().filter_map(|instance| Some(price(instance).ok()?.date)).collect();
    let runs = with_costs(runs, &instances, price);
    let mut shown: Vec<ReportedInstance> =
        instances.iter().map(|instance| observed(instance, price(instance).ok(), made)).collect();
    // Those that cost money first.
    shown.sort_by_key(|instance| !instance.is_on);
    Ok(Overview {
        stack: account.stack_name().to_owned(),
        region: account.region.clone(),
        zone: arguments.zone,
        from,
        made,
        runs,
        missed,
        instances: shown,
        prices_of: prices_of.into_iter().collect(),
        notes,
    })
}

/// The runs since then, the newest first, and whether these are all.
async fn runs(terminal: &Terminal, account: &Account, since: DateTime<Utc>) -> Result<(Vec<Run>, bool), CliError> {
    let mut executions = Vec::new();
    let take = |execution: Execution| {
        let old = execution.started < since;
        if !old {
            executions.push(execution);
        }
        old || executions.len() >= MOST
    };
    account.executions(None, take).await?;
    let (all, mut runs) = (executions.len(), Vec::new());
    let look = async |execution: Execution| unless_forgotten(account.run(&execution).await);
    let mut looks = std::pin::pin!(stream::iter(executions).map(look).buffered(AT_ONCE));
    while let Some(run) = looks.try_next().await? {
        runs.extend(run);
        if runs.len().is_multiple_of(STEP) {
            terminal.passing(Tone::Moving, &format!("{} of {all} runs", runs.len()));
        }
    }
    terminal.clear();
    Ok((runs, all < MOST))
}

/// Each run with about what it cost, as far as its instance is there and has a price.
fn with_costs(
    runs: Vec<Run>,
    instances: &[Instance],
    price: impl Fn(&Instance) -> Result<Price, String>,
) -> Vec<Reported> {
    let used = costs::used(&runs);
    let with_cost = |(run, used): (Run, Option<crate::cost::Used>)| {
        let instance = instances.iter().find(|instance| Some(instance.name.as_str()) == run.instance.as_deref());
        let cost = instance.and_then(|instance| Some(used?.usd(&price(instance).ok()?)));
        Reported { run, usd: cost }
    };
    runs.into_iter().zip(used).map(with_cost).collect()
}

fn observed(instance: &Instance, price: Option<Price>, now: DateTime<Utc>) -> ReportedInstance {
    let since = instance.since.filter(|_| instance.is_on());
    ReportedInstance {
        name: instance.name.to_string(),
        kind: instance.kind.clone(),
        status: instance.status.as_str().to_owned(),
        is_on: instance.is_on(),
        since: instance.since,
        why: why(instance, now),
        usd: since.zip(price.as_ref()).map(|(since, price)| usd(now - since, price)),
        usd_per_hour: price.map(|price| price.usd_per_hour),
    }
}

fn capitalised(sentence: &str) -> String {
    let mut characters = sentence.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).chain(['.']).collect()).unwrap_or_default()
}

/// Writes a file beside its place and moves it there: whoever reads it has the old page or the new one.
fn write(path: &Path, page: &str) -> Result<(), CliError> {
    let mut part = beside(path)?;
    let failed = |source| CliError::Write { path: path.to_owned(), source };
    part.write_all(page.as_bytes()).map_err(failed)?;
    part.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// A file of a name that nobody else has, in the same folder; it goes unless it is kept.
fn beside(path: &Path) -> Result<NamedTempFile, CliError> {
    let failed = |source| CliError::Write { path: path.to_owned(), source };
    // A page would take the place of a pipe, or of a device.
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(failed(io::Error::other("it is no regular file (for standard output: --out -)")));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(CliError::NotNow(format!(
            "cannot write {}: there is no folder {}; make it, or name another file with --out",
            path.display(),
            folder.display()
        )));
    }
    // The whole of such an error names the part, which nobody has asked for.
    let failed = |error: io::Error| failed(error.kind().into());
    let mut builder = Builder::new();
    // Others may read it as any new file: what the umask leaves of these rights.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.prefix(".reveille-report-").tempfile_in(folder).map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{beside, write};

    #[test]
    fn a_page_takes_the_place_of_the_old_one_and_leaves_no_part() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        for page in ["old", "new"] {
            write(&path, page).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), page);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let problem = write(&folder.path().join("no/such/folder.html"), "").unwrap_err().to_string();
        assert!(problem.contains("no/such/folder.html"), "{problem}");
    }

    #[test]
    fn a_place_that_no_page_can_take_is_refused_before_anything_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        // What it tries leaves nothing.
        drop(beside(&folder.path().join("report.html")).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let problem = beside(folder.path()).unwrap_err().to_string();
        assert!(problem.contains("it is no regular file (for standard output: --out -)"), "{problem}");
        assert!(beside(&folder.path().join("no/such/folder.html")).is_err());
    }
}
