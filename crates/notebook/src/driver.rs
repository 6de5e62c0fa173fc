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
const FILES: [(&str, &str); 17] = files![
    "__main__.py",
    "reveille_driver/__init__.py",
    "reveille_driver/client.py",
    "reveille_driver/export.py",
    "reveille_driver/kernels.py",
    "reveille_driver/layout.py",
    "reveille_driver/main.py",
    "reveille_driver/outputs.py",
    "reveille_driver/parameters.py",
    "reveille_driver/progress.py",
    "reveille_driver/record.py",
    "reveille_driver/run.py",
    "reveille_driver/sanitize.py",
    "reveille_driver/source.py",
    "reveille_driver/streams.py",
    "reveille_driver/texts.py",
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
