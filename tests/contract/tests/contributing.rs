//! What contributors are told: the lists of CONTRIBUTING.md, and the sentences of the public pages that tests say they hold.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use std::path::Path;

use reveille_contract_tests::{files_below, read, root};

fn contains(place: &Path, word: &str) -> bool {
    files_below(place).iter().any(|file| std::fs::read_to_string(file).is_ok_and(|text| text.contains(word)))
}

#[test]
fn every_file_of_a_list_holds_the_lists_example() {
    let text = read("CONTRIBUTING.md");
    let lists: Vec<&str> = text.split("\n### ").skip(1).collect();
    assert!(lists.len() >= 6, "{}", lists.len());
    let mut rows = 0;
    for list in lists {
        let (title, body) = list.split_once('\n').unwrap();
        let examples: Vec<&str> = title.split('`').skip(1).step_by(2).collect();
        assert!(!examples.is_empty(), "{title} names an example");
        for row in body.split("\n## ").next().unwrap().lines().filter_map(|line| line.strip_prefix("| [")) {
            let (shown, rest) = row.split_once("](").unwrap();
            let path = rest.split(')').next().unwrap();
            assert_eq!(shown, path, "{title}");
            let place = root().join(path);
            assert!(place.exists(), "{title}: {path} is gone");
            assert!(examples.iter().any(|example| contains(&place, example)), "{path} has none of {examples:?}");
            rows += 1;
        }
    }
    assert!(rows > 20, "{rows}");
}

#[test]
fn the_picture_shows_every_crate() {
    let text = read("CONTRIBUTING.md");
    let picture = text.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    for shown in picture.split_whitespace().map(|word| word.trim_end_matches(',')).filter(|word| word.contains('/')) {
        assert!(root().join(shown).exists(), "{shown}");
    }
    for part in
        ["crates/domain", "crates/protocol", "crates/aws", "crates/notebook", "crates/runner", "functions", "infra/"]
    {
        assert!(picture.contains(part), "{part}");
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What stands in doc comments as `docs/input.md: "a sentence"`, and the line after the comment.
fn quotes(source: &str, page: &str) -> Vec<(String, String)> {
    let start = format!("/// docs/{page}.md: \"");
    let mut lines = source.lines().map(str::trim_start).peekable();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        let Some(first) = line.strip_prefix(&start) else { continue };
        let mut quote = first.to_owned();
        while let Some(more) = lines.next_if(|line| line.starts_with("///")) {
            quote = format!("{quote} {}", more.trim_start_matches("///"));
        }
        found.push((
            one_line(quote.trim_end().strip_suffix('"').expect("a quote ends")),
            lines.peek().unwrap_or(&"").to_string(),
        ));
    }
    found
}

#[test]
fn a_sentence_that_a_test_holds_is_on_its_page() {
    let mut sources = Vec::new();
    for folder in ["crates", "functions", "tests"] {
        sources.extend(
            files_below(&root().join(folder))
                .into_iter()
                .filter(|file| file.extension().is_some_and(|ending| ending == "rs")),
        );
    }
    for (page, least) in [("input", 19), ("output", 15), ("cost", 1)] {
        let text = one_line(&read(&format!("docs/{page}.md")));
        let mut held = 0;
        for file in &sources {
            for (quote, below) in quotes(&std::fs::read_to_string(file).unwrap(), page) {
                let place = file.display();
                assert!(text.contains(&quote), "{place}: docs/{page}.md does not say (any more): {quote}");
                assert!(below.contains("test]"), "{place}: no test is below this sentence: {quote}");
                held += 1;
            }
        }
        assert!(held >= least, "{held} sentences of docs/{page}.md are held");
    }
}

#[test]
fn quotes_are_read_over_lines() {
    let source = "    /// Why.\n    ///\n    /// docs/input.md: \"One \"two\"\n    /// three.\"\n    #[test]\n";
    assert_eq!(quotes(source, "input"), [("One \"two\" three.".to_owned(), "#[test]".to_owned())]);
    assert!(quotes(source, "output").is_empty());
}

/// Whoever reports or changes something finds what to read, and what they are sent to exists.
#[test]
fn forms_lead_somewhere() {
    for form in
        [".github/ISSUE_TEMPLATE/bug.yml", ".github/ISSUE_TEMPLATE/idea.yml", ".github/pull_request_template.md"]
    {
        let text = read(form);
        for path in text.split("/main/").skip(1).map(|rest| rest.split([')', ' ']).next().unwrap()) {
            assert!(root().join(path).exists(), "{form}: {path}");
        }
    }
    assert!(read("README.md").contains("(CONTRIBUTING.md)"), "README links it");
    assert!(read("docs/README.md").contains("(stability.md)"));
}
