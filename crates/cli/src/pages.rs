//! The pages of docs/cli/, one a verb, made of the grammar: `make pages` writes them, and the test holds them to it.

use std::{fmt::Write, fs, path::PathBuf};

use clap::{Command, CommandFactory};

use crate::arguments::Arguments;

/// As wide as the command's own help at most.
const WIDTH: usize = 100;
/// Set by `make pages`.
const WRITE: &str = "REVEILLE_WRITE_PAGES";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli")
}

/// Each page's file and text.
fn pages() -> Vec<(String, String)> {
    let mut command = Arguments::command();
    command.build();
    let verbs = command.get_subcommands().filter(|verb| verb.get_name() != "help").collect::<Vec<_>>();
    let mut index = String::from(
        "# Commands\n\nOne page per command, with all its options. The pages are generated from the command (`make pages`).\n[The command line](../cli.md) explains what the commands do, their exit codes and their permissions.\n\n| command | what it does |\n| --- | --- |\n",
    );
    for verb in &verbs {
        let name = verb.get_name();
        writeln!(index, "| [`reveille {name}`]({name}.md) | {} |", about(verb)).unwrap();
    }
    let page = |verb: &&Command| (format!("{}.md", verb.get_name()), page(verb));
    std::iter::once(("README.md".to_owned(), index)).chain(verbs.iter().map(page)).collect()
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn page(verb: &Command) -> String {
    let name = verb.get_name();
    let mut text = format!("# reveille {name}\n\n{}. [The command line](../cli.md) explains more.\n\n", about(verb));
    text += &help(verb);
    for below in verb.get_subcommands().filter(|below| below.get_name() != "help") {
        write!(text, "\n## reveille {name} {}\n\n{}.\n\n{}", below.get_name(), about(below), help(below)).unwrap();
    }
    text
}

/// What `--help` prints, without its first paragraph, which the page has as its own.
fn help(command: &Command) -> String {
    let shown = command.clone().term_width(WIDTH).mut_args(|argument| argument.hide_env_values(true));
    let help = shown.about(None::<&str>).render_help().to_string();
    let lines = help.trim().lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    format!("```text\n{lines}\n```\n")
}

#[test]
fn each_verb_has_its_page() {
    let pages = pages();
    let write = std::env::var_os(WRITE).is_some();
    if write {
        // A verb that is gone leaves no page.
        let _ = fs::remove_dir_all(folder());
        fs::create_dir_all(folder()).unwrap();
    }
    for (name, text) in &pages {
        let path = folder().join(name);
        if write {
            fs::write(&path, text).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(found == *text, "docs/cli/{name} is not what `reveille --help` says: run `make pages`");
    }
    let there = fs::read_dir(folder()).unwrap().count();
    assert_eq!(there, pages.len(), "docs/cli has a page that no verb has: run `make pages`");
}
