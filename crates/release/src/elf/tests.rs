use std::path::Path;

use super::{GLIBC, Version, check};
use crate::Architecture;

const HERE: Architecture = if cfg!(target_arch = "aarch64") { Architecture::Arm } else { Architecture::X86 };
const ELSEWHERE: Architecture = if cfg!(target_arch = "aarch64") { Architecture::X86 } else { Architecture::Arm };

fn this_program() -> Vec<u8> {
    std::fs::read(std::env::current_exe().unwrap()).unwrap()
}

fn refused(content: &[u8], architecture: Architecture) -> String {
    check(Path::new("dir/runner"), content, architecture).unwrap_err().to_string()
}

/// Replaces a text that stands somewhere between two zeros: a name in a table of names.
fn renamed(mut content: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let name = format!("\0{from}\0").into_bytes();
    let mut found = 0;
    for at in 0..content.len() - name.len() {
        if content[at..at + name.len()] == name[..] {
            content[at + 1..=at + from.len()].copy_from_slice(to.as_bytes());
            found += 1;
        }
    }
    assert!(found > 0, "no {from}");
    content
}

#[test]
fn a_program_of_this_machine_tells_the_c_library_that_it_needs() {
    let needs = check(Path::new("p"), &this_program(), HERE).unwrap();
    assert!(needs.glibc.is_some_and(|glibc| glibc > Version(2, 0) && glibc <= GLIBC), "{needs:?}");
}

#[test]
fn a_newer_c_library_is_refused_by_its_name() {
    let newest = check(Path::new("p"), &this_program(), HERE).unwrap().glibc.unwrap();
    let there = format!("GLIBC_{newest}");
    for (name, version) in [("GLIBC_2.35", "2.35"), ("GLIBC_9.00", "9.0")] {
        if name.len() == there.len() {
            let error = refused(&renamed(this_program(), &there, name), HERE);
            assert!(
                error.contains(&format!("dir/runner needs {name}")) && error.contains("has 2.34"),
                "{version}: {error}"
            );
        }
    }
    // What is no version at all cannot be known to be there.
    let odd = format!("GLIBC_{}", "X".repeat(there.len() - 6));
    assert!(refused(&renamed(this_program(), &there, &odd), HERE).contains(&odd));
}

#[test]
fn a_library_that_need_not_be_there_is_refused_by_its_name() {
    let error = refused(&renamed(this_program(), "libc.so.6", "libz.so.1"), HERE);
    assert!(error.contains("needs the library libz.so.1"), "{error}");
}

#[test]
fn a_program_for_another_processor_is_refused() {
    let error = refused(&this_program(), ELSEWHERE);
    assert!(error.contains(&format!("another processor than {ELSEWHERE}")), "{error}");
}

#[test]
fn what_is_no_whole_program_is_refused() {
    assert!(refused(b"#!/bin/sh\n", HERE).contains("is not a 64-bit ELF program"));
    assert!(refused(b"", HERE).contains("is not a 64-bit ELF program"));
    let whole = this_program();
    assert!(refused(&whole[..whole.len() / 2], HERE).contains("is not a complete program"));
    // Where an object file says that it is one: the two bytes after the identification.
    let mut object = whole;
    object[16] = 1;
    assert!(refused(&object, HERE).contains("object file"));
}

#[test]
fn versions_are_compared_as_numbers() {
    assert!(Version::of_symbol("GLIBC_2.9") < Version::of_symbol("GLIBC_2.34"));
    assert_eq!(Version::of_symbol("GLIBC_2.2.5"), Some(Version(2, 2)));
    for odd in ["GLIBC_PRIVATE", "GLIBC_ABI_DT_RELR", "GLIBC_2", "GLIBC_2.x", "GCC_3.0"] {
        assert_eq!(Version::of_symbol(odd), None, "{odd}");
    }
}
