//! The console of a machine: everything that it says is read, and of that the end is kept. A machine that says the same for hours
//! fills no disk.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
    sync::mpsc,
    thread,
};

/// The file has at most so many bytes; a boot says some ten thousand.
const MOST: u64 = 1 << 20;
/// What is kept of a file that is full.
const KEPT: u64 = MOST / 2;
const CHUNK: usize = 8192;

/// Writes what comes out of a pipe to the file, to its end, on a thread; the receiver is told of the end.
pub(super) fn keep(pipe: Option<impl Read + Send + 'static>, mut file: File) -> mpsc::Receiver<()> {
    let (done, end) = mpsc::channel();
    thread::spawn(move || {
        if let Some(mut pipe) = pipe {
            let mut chunk = [0; CHUNK];
            loop {
                match pipe.read(&mut chunk) {
                    Ok(0) => break,
                    // Where nothing can be written any more, it is read all the same: who writes must not wait, or fail.
                    Ok(count) => drop(append(&mut file, &chunk[..count])),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
        }
        // Nobody may wait for it.
        let _ = done.send(());
    });
    end
}

/// Its position is its end.
fn append(file: &mut File, chunk: &[u8]) -> io::Result<()> {
    let length = file.stream_position()?;
    if length + u64::try_from(chunk.len()).unwrap_or(u64::MAX) > MOST {
        let mut end = Vec::new();
        file.seek(SeekFrom::Start(length.saturating_sub(KEPT)))?;
        file.read_to_end(&mut end)?;
        file.rewind()?;
        file.set_len(0)?;
        file.write_all(&end)?;
    }
    file.write_all(chunk)
}

/// The end of a console, of at most this many bytes and without what steers a terminal.
pub(super) fn end_of(console: &Path, bytes: u64) -> io::Result<String> {
    let mut file = File::open(console)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(bytes)))?;
    let mut end = Vec::new();
    file.take(bytes).read_to_end(&mut end)?;
    end.retain(|byte| *byte == b'\n' || !byte.is_ascii_control());
    Ok(String::from_utf8_lossy(&end).into_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn of_a_long_console_the_end_is_kept() {
        let path = std::env::temp_dir().join(format!("reveille-console-{}", std::process::id()));
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
        let said: Vec<u8> = (0..1 << 19).flat_map(|number: u32| format!("{number}\n").into_bytes()).collect();
        keep(Some(io::Cursor::new(said.clone())), file).recv().unwrap();
        let kept = fs::read(&path).unwrap();
        assert!((KEPT..=MOST).contains(&u64::try_from(kept.len()).unwrap()), "{}", kept.len());
        assert!(said.ends_with(&kept), "nothing is missing in it");
        assert_eq!(end_of(&path, 7).unwrap(), "524287\n");
        fs::remove_file(path).unwrap();
    }
}
