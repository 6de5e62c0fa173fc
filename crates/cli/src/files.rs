//! Files that a person names. Owns how they are read, and that none is read which is too large; never knows what is in them.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use crate::error::CliError;

/// The most bytes of such a file. The largest are a stack's parameters: CloudFormation takes 200 of 4,096 bytes. The input of a run has 64 KiB, and
/// a table of prices of every type in every region has some 100 KiB. What is larger is another file, mistyped.
const MOST: u64 = 1 << 20;

/// The text of a file that a person typed.
///
/// # Errors
/// It cannot be read, or is too large: what was typed is wrong, and nothing was done.
pub(crate) fn text(path: &Path) -> Result<String, CliError> {
    text_of_at_most(path, MOST)
}

fn text_of_at_most(path: &Path, most: u64) -> Result<String, CliError> {
    let shown = path.display();
    let unread = |error: &dyn std::fmt::Display| CliError::Usage(format!("cannot read {shown}: {error}"));
    let bytes = bytes(path, most).map_err(|error| unread(&error))?;
    if bytes.len() as u64 > most {
        return Err(CliError::Usage(format!("{shown} has more than {most} bytes, the most that such a file may have")));
    }
    String::from_utf8(bytes).map_err(|error| unread(&format!("it is not UTF-8 text ({})", error.utf8_error())))
}

/// At most one byte more than so many: a pipe does not say how many it has.
fn bytes(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::{text, text_of_at_most};

    /// docs/cli.md: "a file that you name and that cannot be read".
    #[test]
    fn what_is_wrong_with_a_file_is_wrong_with_what_was_typed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("parameters.yaml");
        fs::write(&file, "day: 1\n").unwrap();
        assert_eq!(text(&file).unwrap(), "day: 1\n");
        assert_eq!(text_of_at_most(&file, 7).unwrap(), "day: 1\n");
        let latin = folder.path().join("latin.yaml");
        fs::write(&latin, b"name: M\xfcller\n").unwrap();
        for (path, most, said) in [
            (file.as_path(), 6, "parameters.yaml has more than 6 bytes"),
            (&folder.path().join("none.yaml"), 7, "none.yaml: No such file"),
            (&latin, 99, "latin.yaml: it is not UTF-8 text"),
            (folder.path(), 7, ": Is a directory"),
            // It has no end, and no length.
            (Path::new("/dev/zero"), 7, "/dev/zero has more than 7 bytes"),
        ] {
            let problem = text_of_at_most(path, most).unwrap_err();
            assert!(problem.exit_code() == 2 && problem.to_string().contains(said), "{problem}");
        }
    }
}
