//! The Python driver: its files, which are part of this program and are written into the job's folder for each run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::regular;

/// The driver's folder below the job's; Python runs it as it runs a file.
pub(crate) const FOLDER: &str = "driver";

macro_rules! files {
    ($($name:literal),* $(,)?) => { [$(($name, include_str!(concat!("driver/", $name)))),*] };
}

/// Every file of `src/driver`; a test holds the list to the folder.
const FILES: [(&str, &str); 29] = files![
    "__main__.py",
    "reveille_driver/__init__.py",
    "reveille_driver/assigned.py",
    "reveille_driver/cell_end.py",
    "reveille_driver/client.py",
    "reveille_driver/conda.py",
    "reveille_driver/exchange.py",
    "reveille_driver/exit_status.py",
    "reveille_driver/export.py",
    "reveille_driver/kernels.py",
    "reveille_driver/languages.py",
    "reveille_driver/layout.py",
    "reveille_driver/literals.py",
    "reveille_driver/main.py",
    "reveille_driver/outputs.py",
    "reveille_driver/parameters.py",
    "reveille_driver/process.py",
    "reveille_driver/progress.py",
    "reveille_driver/record.py",
    "reveille_driver/run.py",
    "reveille_driver/sanitize.py",
    "reveille_driver/shown.py",
    "reveille_driver/source.py",
    "reveille_driver/spared.py",
    "reveille_driver/spark.py",
    "reveille_driver/streams.py",
    "reveille_driver/texts.py",
    "reveille_driver/widgets.py",
    "reveille_driver/words.py",
];

/// Writes the driver below `folder`; answers what Python is to run.
pub(crate) fn write(folder: &Path) -> io::Result<PathBuf> {
    let driver = folder.join(FOLDER);
    // The notebook may have put something there before its page is made.
    regular::remove(&driver);
    fs::create_dir_all(driver.join("reveille_driver"))?;
    for (name, text) in FILES {
        regular::write(&driver.join(name), text.as_bytes())?;
    }
    Ok(driver)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A driver that a notebook left behind, in each way: none of it is what Python runs.
    #[test]
    fn nothing_that_was_planted_in_the_drivers_place_is_run() {
        let ways: [fn(&Path, &Path); 5] = [
            |driver, _| {
                fs::create_dir_all(driver.join("reveille_driver/__pycache__")).unwrap();
                fs::write(driver.join("reveille_driver/__pycache__/run.cpython-310.pyc"), b"planted").unwrap();
                fs::write(driver.join("sitecustomize.py"), b"planted").unwrap();
            },
            |driver, elsewhere| std::os::unix::fs::symlink(elsewhere, driver).unwrap(),
            |driver, elsewhere| {
                fs::create_dir(driver).unwrap();
                std::os::unix::fs::symlink(elsewhere, driver.join("reveille_driver")).unwrap();
            },
            |driver, _| fs::write(driver, b"planted").unwrap(),
            |driver, elsewhere| {
                write(driver.parent().unwrap()).unwrap();
                let main = driver.join("__main__.py");
                fs::remove_file(&main).unwrap();
                std::os::unix::fs::symlink(elsewhere.join("kept.py"), main).unwrap();
            },
        ];
        for (number, plant) in ways.into_iter().enumerate() {
            let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            fs::write(elsewhere.path().join("kept.py"), b"kept").unwrap();
            plant(&folder.path().join(FOLDER), elsewhere.path());
            let driver = write(folder.path()).unwrap();
            assert!(fs::symlink_metadata(&driver).unwrap().is_dir(), "way {number}");
            let mut found = files_below(&driver);
            found.sort();
            let mut ours: Vec<_> = FILES.iter().map(|(name, _)| driver.join(name)).collect();
            ours.sort();
            assert_eq!(found, ours, "way {number}");
            for (name, text) in FILES {
                assert_eq!(
                    regular::read(&driver.join(name), 1 << 20).unwrap(),
                    text.as_bytes(),
                    "way {number}: {name}"
                );
            }
            assert_eq!(files_below(elsewhere.path()), [elsewhere.path().join("kept.py")], "way {number}");
            assert_eq!(fs::read(elsewhere.path().join("kept.py")).unwrap(), b"kept", "way {number}");
        }
    }

    fn files_below(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
    }

    #[test]
    fn every_file_of_the_driver_is_written() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/driver");
        let names = |folder: &str| -> Vec<String> {
            let entries = fs::read_dir(source.join(folder)).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            names.filter(|name| Path::new(name).extension().is_some_and(|end| end == "py")).collect()
        };
        let mut expected = names("");
        expected.extend(names("reveille_driver").into_iter().map(|name| format!("reveille_driver/{name}")));
        expected.sort();
        let written: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
        assert_eq!(written, expected);
    }
}
