//! Files in a folder that a notebook can write, which may have put anything in their place: a FIFO that blocks whoever
//! opens it, a device without an end, a link to elsewhere. They are opened without waiting and without following, and
//! used only if they are regular files, within a limit.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// Whether a regular file stands there, and no link to one.
#[must_use]
pub fn is(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_file())
}

/// Opens a regular file to be read. Never waits.
///
/// # Errors
/// It is not there, may not be read, or is something else.
pub fn open(path: &Path) -> io::Result<File> {
    with(OpenOptions::new().read(true), path)
}

/// Reads a regular file as a whole.
///
/// # Errors
/// As [`open`]; or it is larger than the limit.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {limit} bytes")));
    }
    Ok(bytes)
}

/// Reads no more than the last bytes of a regular file.
pub(crate) fn end(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut file = open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(limit)))?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Opens a file to go on with it. What is no regular file makes room for one.
pub(crate) fn append(path: &Path) -> io::Result<File> {
    if !is(path) {
        remove(path);
    }
    with(OpenOptions::new().create(true).append(true), path)
}

/// Writes a file of our own. What stands there is removed first, so that nothing else is written through it.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    remove(path);
    // Fails if there is something again, and follows no link.
    File::create_new(path)?.write_all(bytes)
}

/// Removes whatever stands there; a link, not what it points to.
pub(crate) fn remove(path: &Path) {
    let folder = fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
    // Nothing there is what is wanted; what cannot be removed is met by who writes there next.
    let _absent = if folder { fs::remove_dir_all(path) } else { fs::remove_file(path) };
}

fn with(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let refused = || io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file");
    // Looked at first, because opening a device may do something by itself; and again once it is open.
    if fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(refused());
    }
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = options.custom_flags(flags.bits().cast_signed()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(refused()) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;
    use std::process::Command;

    use super::*;

    /// Everything that a regular file is not: each would block, never end, or be somebody else's.
    fn others(folder: &Path) -> Vec<PathBuf> {
        let at = |name: &str| folder.join(name);
        assert!(Command::new("mkfifo").arg(at("fifo")).status().unwrap().success());
        fs::write(at("file"), "kept").unwrap();
        symlink(at("file"), at("link")).unwrap();
        symlink("/dev/zero", at("device")).unwrap();
        symlink(at("fifo"), at("link-to-fifo")).unwrap();
        symlink(at("nowhere"), at("dangling")).unwrap();
        fs::create_dir(at("folder")).unwrap();
        symlink(at("folder"), at("link-to-folder")).unwrap();
        drop(std::os::unix::net::UnixListener::bind(at("socket")).unwrap());
        ["fifo", "link", "device", "link-to-fifo", "dangling", "folder", "link-to-folder", "socket"].map(at).to_vec()
    }

    #[test]
    fn only_regular_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        for path in others(folder.path()) {
            assert!(!is(&path), "{}", path.display());
            assert!(open(&path).is_err(), "{}", path.display());
            assert!(read(&path, 100).is_err() && end(&path, 100).is_err(), "{}", path.display());
        }
        assert!(open(Path::new("/dev/zero")).is_err());
        assert_eq!(read(&folder.path().join("file"), 4).unwrap(), b"kept");
        assert_eq!(end(&folder.path().join("file"), 2).unwrap(), b"pt");
        assert_eq!(read(&folder.path().join("file"), 3).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(read(&folder.path().join("absent"), 3).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_is_no_regular_file_makes_room_for_what_is_written() {
        type Written = fn(&Path) -> io::Result<()>;
        let ways: [Written; 2] = [|path| write(path, b"new"), |path| append(path)?.write_all(b"new")];
        for way in ways {
            let folder = tempfile::tempdir().unwrap();
            for path in others(folder.path()) {
                way(&path).unwrap();
                assert_eq!(read(&path, 10).unwrap(), b"new", "{}", path.display());
            }
            assert_eq!(fs::read(folder.path().join("file")).unwrap(), b"kept", "what a link pointed to");
            // A file that has another name too is replaced where it is written, not written through.
            let (kept, own) = (folder.path().join("file"), folder.path().join("hard-link"));
            fs::hard_link(&kept, &own).unwrap();
            write(&own, b"new").unwrap();
            assert_eq!((fs::read(kept).unwrap(), fs::read(own).unwrap()), (b"kept".to_vec(), b"new".to_vec()));
            assert!(!folder.path().join("nowhere").exists());
        }
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        append(&log).unwrap().write_all(b"a").unwrap();
        append(&log).unwrap().write_all(b"b").unwrap();
        assert_eq!(fs::read(log).unwrap(), b"ab");
    }
}
