//! The book of past failures: schedules that once broke a guarantee, made short. They are played first in every run, and
//! each still breaks when what was repaired is taken out again (the sabotage that it names).

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::definition::Definitions;
use crate::play::play;
use crate::sabotage::{ALL, Sabotage};
use crate::schedule::Schedule;
use crate::shrink::{Shrunk, shrink};

/// One past failure.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BookEntry {
    /// What was missing, in the words of the sabotage that takes it out again.
    pub sabotage: String,
    /// The commit that put it in, where it was a repair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The seed it was found with.
    pub seed: u64,
    /// What broke.
    pub broke: String,
    /// The schedule.
    pub schedule: Schedule,
}

/// Where the book lies.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("book")
}

/// Reads the book, in the order of its files' names.
///
/// # Errors
/// A file cannot be read, or holds no entry.
pub fn read() -> Result<Vec<(String, BookEntry)>, String> {
    let folder = folder();
    let told = |error: &dyn std::fmt::Display| format!("{}: {error}", folder.display());
    let files = std::fs::read_dir(&folder).map_err(|error| told(&error))?;
    let mut paths: Vec<PathBuf> = files.filter_map(|file| Some(file.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let entry = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let entry = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok((name, entry))
    };
    paths.iter().map(entry).collect()
}

/// Plays the whole book. Answers what broke: the entry's name, and what.
///
/// # Errors
/// The book or the definition cannot be read.
pub fn play_all() -> Result<Vec<(String, String)>, String> {
    let mut definitions = Definitions::default();
    let mut broken = Vec::new();
    for (name, entry) in read()? {
        let machine = definitions.with(entry.schedule.parameters)?;
        let played = play(entry.schedule, &machine, None, false);
        broken.extend(played.violations.first().map(|first| (name, format!("{}: {}", first.guarantee, first.what))));
    }
    Ok(broken)
}

/// The sabotage that an entry names.
#[must_use]
pub fn sabotage(entry: &BookEntry) -> Option<&'static Sabotage> {
    ALL.iter().find(|sabotage| sabotage.name == entry.sabotage)
}

/// Writes the entry of a sabotage that was noticed with a seed, made short.
///
/// # Errors
/// It cannot be written, or the definition cannot be read.
pub fn write(sabotage: &Sabotage, seed: u64, folder: &Path) -> Result<(), String> {
    let Some(Shrunk { schedule, broken, .. }) = shrink(sabotage.schedule(seed), sabotage.player()) else {
        return Ok(());
    };
    let entry = BookEntry {
        sabotage: sabotage.name.to_owned(),
        commit: sabotage.commit.map(str::to_owned),
        seed,
        broke: format!("{}: {}", broken.guarantee, broken.what),
        schedule,
    };
    let words = sabotage.name.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name = words.map(str::to_lowercase).take(7).collect::<Vec<_>>().join("-");
    let path = folder.join(name + ".json");
    let text = serde_json::to_string_pretty(&entry).map_err(|error| error.to_string())?;
    std::fs::write(&path, text + "\n").map_err(|error| format!("{}: {error}", path.display()))
}
