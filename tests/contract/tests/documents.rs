//! What the documents say, where it can be tested.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use reveille_contract_tests::{files, files_below, read, root};
use reveille_domain::Code;
use reveille_domain::error::RetryClass;

#[test]
fn every_code_has_its_page_and_every_page_its_code() {
    let pages: BTreeSet<String> = files("docs/errors").into_iter().filter(|name| name != "README.md").collect();
    let codes: BTreeSet<String> = Code::ALL.iter().map(|code| format!("{code}.md")).collect();
    assert_eq!(pages, codes);
    let index = read("docs/errors/README.md");
    for code in Code::ALL {
        let page = read(&format!("docs/errors/{code}.md"));
        assert!(page.starts_with(&format!("# {code}\n")), "{code}: the title");
        let retried = match code.class() {
            RetryClass::Never => "never",
            RetryClass::ALittle => "a little",
            RetryClass::Patiently => "patiently",
        };
        assert!(
            page.contains(&format!("\n- Retried: {retried}\n")),
            "{code}: the page says how it is retried: {retried}"
        );
        for heading in ["## What you see", "## Causes", "## What to do", "## What is left behind"] {
            assert!(page.contains(&format!("\n{heading}\n")), "{code}: {heading}");
        }
        assert!(index.contains(&format!("({code}.md)")), "{code} is in the index");
    }
}

#[test]
fn every_make_target_that_the_documents_name_exists() {
    let makefile = read("Makefile");
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        for target in text
            .split("make ")
            .skip(1)
            .filter_map(|rest| rest.split(|c: char| !(c.is_ascii_lowercase() || c == '-')).next())
        {
            let quoted = [format!("`make {target}`"), format!("make {target}   "), format!("\nmake {target}\n")];
            if quoted.iter().any(|quoted| text.contains(quoted)) {
                assert!(makefile.contains(&format!("\n{target}:")), "{}: make {target}", document.display());
            }
        }
    }
}

/// What nobody checked, a reader with an account can: the row says how.
#[test]
fn whatever_is_unverified_of_aws_has_a_way_to_check_it() {
    let page = read("docs/aws.md");
    let rows = page.lines().filter(|line| line.starts_with("| ") && line.contains("unverified"));
    // The first explains the mark.
    let rows: Vec<&str> = rows.skip(1).collect();
    assert!(rows.len() >= 14, "{}", rows.len());
    for row in rows {
        assert!(row.contains("[unverified](#"), "{row}");
    }
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut broken = Vec::new();
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.contains(' ') {
                continue;
            }
            let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
            let target = if path.is_empty() { document.clone() } else { document.parent().unwrap().join(path) };
            let leads = target.exists()
                && anchor.is_none_or(|anchor| anchors(&std::fs::read_to_string(&target).unwrap()).contains(anchor));
            if !leads {
                broken.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// What a link may name in a document: its headings, as GitHub writes them.
fn anchors(text: &str) -> BTreeSet<String> {
    // What is between fences is code: a comment there is no heading.
    let outside = text.split("\n```").step_by(2);
    let headings = outside.flat_map(str::lines).filter_map(|line| line.strip_prefix('#'));
    headings.filter_map(|line| line.trim_start_matches('#').strip_prefix(' ')).map(anchor).collect()
}

fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(' ', "-");
    kept.chars().filter(|sign| sign.is_alphanumeric() || ['-', '_'].contains(sign)).collect()
}

#[test]
fn anchors_are_read_as_they_are_written() {
    let text = "# One: `two`\n```sh\n# no heading\n```\n## Three-four, and 5\nno # heading\n";
    assert_eq!(anchors(text), BTreeSet::from(["one-two".to_owned(), "three-four-and-5".to_owned()]));
}

/// README shows a part of what the demo prints, as a picture and as text; docs/local.md has all of it. The command's own words
/// are there too.
#[test]
fn what_the_demo_prints_is_shown_alike() {
    let page = read("docs/local.md");
    let section = page.split("\n## What the demo prints\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let picture = read("docs/pictures/failure.svg");
    let shown = picture.split("</text>").filter_map(|part| part.rsplit_once('>').map(|(_, text)| text));
    let shown: Vec<String> = shown
        .map(|text| text.replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&").trim().to_owned())
        .collect();
    assert!(shown.len() > 10, "{shown:?}");
    let readme = read("README.md");
    let ends: Vec<String> = readme.lines().filter(|line| line.starts_with("✓ ")).map(str::to_owned).collect();
    assert_eq!(ends.len(), 2, "{ends:?}");
    let demo = read("crates/cli/src/commands/demo.rs");
    let fields = demo.lines().filter_map(|line| line.strip_prefix("        ")?.strip_suffix("\",")?.split_once(": \""));
    let words: Vec<String> = fields
        .filter(|(field, _)| ["name", "title", "notebook", "key", "folder"].contains(field))
        .map(|(_, word)| word.to_owned())
        .collect();
    assert_eq!(words.len(), 10, "{words:?}");
    for text in shown.iter().chain(&ends).chain(&words).filter(|text| !text.is_empty()) {
        assert!(section.contains(text.as_str()), "docs/local.md does not show (any more): {text}");
    }
}

#[test]
fn each_folder_at_the_top_and_each_crate_says_what_it_owns() {
    for folder in ["functions", "statemachines", "infra", "tests", "docs"] {
        assert!(root().join(folder).join("README.md").is_file(), "{folder}/README.md");
    }
    for krate in files("crates").into_iter().filter(|name| name != "README.md") {
        let readme = read(&format!("crates/{krate}/README.md"));
        assert!(readme.contains("wns"), "crates/{krate}/README.md says what it owns");
        assert!(readme.to_lowercase().contains("never"), "crates/{krate}/README.md says what it never does");
    }
}

/// The variables that the on-start script passes on to the runner; `*` stands for the rest of a name.
fn passed() -> BTreeSet<String> {
    let script = read("infra/lifecycle/on-start.sh");
    let list = script.split("\nPASSED=(\n").nth(1).expect("the list").split("\n)\n").next().unwrap();
    list.split_whitespace().map(|name| name.trim_matches('\'').to_owned()).collect()
}

/// The first column of the table in docs/instance.md.
#[test]
fn the_settings_that_reach_the_runner_are_the_documented_ones() {
    let page = read("docs/instance.md");
    let section =
        page.split("\n## Settings of the runner\n").nth(1).expect("the section").split("\n## ").next().unwrap();
    let columns = section.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let documented: BTreeSet<String> =
        columns.flat_map(|names| names.split(", ")).map(|name| name.trim_matches('`').to_owned()).collect();
    assert_eq!(passed(), documented);
}

/// A unit of systemd inherits nothing: what is read and not passed on is dead on a real instance.
#[test]
fn every_variable_that_the_runner_reads_reaches_it() {
    let script = read("infra/lifecycle/on-start.sh");
    let passed = passed();
    let reaches = |name: &str| {
        script.contains(&format!("\n        \"{name}="))
            || passed.iter().any(|known| known.strip_suffix('*').map_or(known == name, |start| name.starts_with(start)))
            // The unit's own, and what only a local instance sets.
            || ["PATH", "REVEILLE_ROOT"].contains(&name)
    };
    let mut read_somewhere = 0;
    for folder in ["crates/runner/src", "crates/notebook/src", "crates/aws/src"] {
        for file in sources(&root().join(folder)) {
            let source = std::fs::read_to_string(&file).unwrap();
            for call in ["env::var(\"", "env::var_os(\"", "environ.get(\"", "environ[\""] {
                for name in source.split(call).skip(1).map(|rest| rest.split('"').next().unwrap()) {
                    read_somewhere += 1;
                    assert!(
                        reaches(name),
                        "{} reads {name}: add it to PASSED in infra/lifecycle/on-start.sh",
                        file.display()
                    );
                }
            }
        }
    }
    assert!(read_somewhere > 8, "{read_somewhere}");
    for name in
        ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"]
    {
        assert!(reaches(name), "{name}, which crates/aws/src/proxy.rs reads");
    }
}

/// The Rust and Python files of a folder and of all below it.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let files = files_below(folder).into_iter();
    files.filter(|path| path.extension().is_some_and(|kind| kind == "rs" || kind == "py")).collect()
}

/// Every Markdown file of the project.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(&root(), &mut found);
    assert!(found.len() > 10);
    found
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with('.') || name == "target" || name == "demo-output" {
            continue;
        }
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}
