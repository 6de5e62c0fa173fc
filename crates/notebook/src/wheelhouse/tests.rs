use zip::write::{SimpleFileOptions, ZipWriter};

use super::*;

const WHEEL: &str = "papermill-2.7.0-py3-none-any.whl";

fn archive(folder: &Path, files: &[(&str, &[u8])]) -> std::path::PathBuf {
    let path = folder.join("wheelhouse.zip");
    let mut zip = ZipWriter::new(File::create(&path).unwrap());
    for (name, content) in files {
        zip.start_file(*name, SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored)).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap();
    path
}

fn checksum(content: &[u8]) -> String {
    pins::hex(&Sha256::digest(content))
}

#[test]
fn what_the_lock_knows_is_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    let path = archive(folder.path(), &[(WHEEL, b"one"), ("a-1+local.1!2-py3-none-any.whl", b"two")]);
    let sums = [checksum(b"one"), checksum(b"two")];
    let wheels = folder.path().join("wheels");
    unpack(&path, &wheels, &sums.iter().map(String::as_str).collect()).unwrap();
    assert_eq!(fs::read(wheels.join(WHEEL)).unwrap(), b"one");
    assert_eq!(fs::read_dir(wheels).unwrap().count(), 2);
}

#[test]
fn a_file_that_the_lock_does_not_know_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = archive(folder.path(), &[(WHEEL, b"another")]);
    let error = unpack(&path, &folder.path().join("wheels"), &HashSet::new()).unwrap_err();
    assert!(error.contains(WHEEL) && error.contains(&checksum(b"another")), "{error}");
}

#[test]
fn nothing_is_written_outside_of_the_folder() {
    let content: &[u8] = b"content";
    let sum = checksum(content);
    let known: HashSet<&str> = [sum.as_str()].into();
    let long = format!("{}.whl", "x".repeat(300));
    let hostile = [
        "../x.whl",
        "/tmp/x.whl",
        "a/b.whl",
        "a\\b.whl",
        ".x.whl",
        "-r.whl",
        "x.whl\0y.whl",
        "x y.whl",
        "x.pth",
        ".whl",
        "..",
        &long,
        "é.whl",
    ];
    for name in hostile {
        let folder = tempfile::tempdir().unwrap();
        let path = archive(folder.path(), &[(name, content)]);
        let error = unpack(&path, &folder.path().join("wheels"), &known).unwrap_err();
        assert!(error.contains("is not the name of a wheel"), "{name:?}: {error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "{name:?}: the archive and an empty folder");
    }
}

#[test]
fn an_archive_that_is_none_or_has_no_end_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text");
    fs::write(&path, "<html>The proxy says no.</html>").unwrap();
    let error = unpack(&path, &folder.path().join("1"), &HashSet::new()).unwrap_err();
    assert!(error.contains("the archive cannot be used"), "{error}");

    let names: Vec<String> = (0..=MAX_WHEELS).map(|number| format!("x{number}.whl")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), [].as_slice())).collect();
    let path = archive(folder.path(), &files);
    let error = unpack(&path, &folder.path().join("2"), &HashSet::new()).unwrap_err();
    assert!(error.contains("201 files"), "{error}");

    let mut endless = io::repeat(0);
    let error = copy(&mut endless, &folder.path().join("endless"), 100_000).unwrap_err();
    assert!(error.to_string().contains("larger than"), "{error}");
}
