//! What other tools than the aws command read: the SAM CLI's metadata and example, and the pages' examples for Terraform and CDK.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use std::collections::BTreeSet;

use reveille_contract_tests::{read, root, template};
use serde_json::Value;

/// What a page or a file says between two marks.
fn between<'a>(text: &'a str, begins: &str, ends: &str) -> &'a str {
    text.split(begins).nth(1).unwrap_or_else(|| panic!("no {begins}")).split(ends).next().unwrap()
}

/// The rules are AWS's, of the page "AWS SAM template Metadata section properties".
#[test]
fn the_application_is_as_its_repository_asks() {
    let template = template("infra/template.yaml");
    let application = &template["Metadata"]["AWS::ServerlessRepo::Application"];
    let text = |property: &str| application[property].as_str().unwrap_or_else(|| panic!("{property} is no text"));
    let of = |text: &str, more: &str, upper: bool| {
        let known = |letter: char| {
            letter.is_ascii_lowercase()
                || letter.is_ascii_digit()
                || more.contains(letter)
                || (upper && letter.is_ascii_uppercase())
        };
        !text.is_empty() && text.chars().all(known)
    };
    let name = text("Name");
    assert!(of(name, "-", true) && name.len() <= 140, "{name}");
    let author = text("Author");
    assert!(of(author, "-", false) && author.len() <= 127 && !author.contains("--"), "{author}");
    assert!((1..=256).contains(&text("Description").len()), "{}", text("Description").len());
    let labels = application["Labels"].as_array().unwrap();
    assert!((1..=10).contains(&labels.len()), "{labels:?}");
    for label in labels {
        assert!(of(label.as_str().unwrap(), "+-_:/@", true), "{label}");
    }
    let manifest = read("Cargo.toml");
    let workspace =
        |field: &str| between(between(&manifest, "[workspace.package]", "\n["), &format!("\n{field} = \""), "\"");
    assert_eq!(text("SemanticVersion"), workspace("version"), "a new version needs a new SemanticVersion");
    assert_eq!(text("SpdxLicenseId"), workspace("license"));
    for property in ["LicenseUrl", "ReadmeUrl"] {
        let file = root().join("infra").join(text(property));
        let bytes = std::fs::metadata(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())).len();
        assert!((1..5 << 20).contains(&bytes), "{property} has {bytes} bytes");
    }
    // Of whoever publishes: `make release SOURCE_URL=...`.
    assert!(application.get("HomePageUrl").is_none() && application.get("SourceCodeUrl").is_none());
}

/// The release's own page names each file that is always in one; what it names exists.
#[test]
fn the_page_of_a_release_names_its_templates_and_examples() {
    let page = read("infra/release/README.md");
    for file in [
        "template.yaml",
        "instance.yaml",
        "alarms.yaml",
        "trigger-upload.yaml",
        "trigger-schedule.yaml",
        "trigger-run.yaml",
    ] {
        assert!(page.contains(&format!("`{file}`")) && root().join("infra").join(file).is_file(), "{file}");
    }
    for file in ["parameters.json", "samconfig.toml"] {
        assert!(page.contains(&format!("`{file}`")) && root().join("infra/examples").join(file).is_file(), "{file}");
    }
    for file in ["serverlessrepo.yaml", "sbom.cdx.json", "manifest.json", "SHA256SUMS", "LICENSE"] {
        assert!(page.contains(&format!("`{file}`")), "{file}");
    }
    assert!(!page.contains("]("), "a release has no folders to link to");
}

/// Names before `sign` at the beginning of the lines of a block of code.
fn named(block: &str, sign: char) -> BTreeSet<String> {
    let words = block.lines().filter_map(|line| line.trim().trim_start_matches(['\'', '"']).split_once(sign));
    let words = words.map(|(word, _)| word.trim().to_owned());
    words.filter(|word| !word.is_empty() && word.chars().all(|letter| letter.is_ascii_alphanumeric())).collect()
}

#[test]
fn the_examples_give_parameters_that_the_stack_has() {
    let template = template("infra/template.yaml");
    let parameters = template["Parameters"].as_object().unwrap();
    let page = read("docs/release.md");
    let terraform = between(between(&page, "```hcl\n", "```"), "  parameters = {\n", "\n  }\n");
    let cdk = between(between(&page, "```ts\n", "```"), "  parameters: {\n", "\n  },\n");
    let config = read("infra/examples/samconfig.toml");
    let overrides = between(&config, "parameter_overrides = [\n", "\n]");
    let json: Vec<String> = serde_json::from_str(&read("infra/examples/parameters.json")).unwrap();
    let examples = [
        ("Terraform", named(terraform, '=')),
        ("CDK", named(cdk, ':')),
        ("samconfig.toml", named(overrides, '=')),
        ("parameters.json", named(&json.join("\n"), '=')),
    ];
    for (example, names) in &examples {
        assert!(names.len() >= 6 && names.contains("ArtifactsBucket"), "{example}: {names:?}");
        for name in names {
            assert!(parameters.contains_key(name), "{example}: the stack has no parameter {name}");
        }
        // What a release asks for has to be given.
        let schedule: BTreeSet<_> = names.iter().filter(|name| name.starts_with("Schedule")).collect();
        assert!(schedule.len() >= 4, "{example}: {schedule:?}");
    }
    assert_eq!(examples[2].1, examples[3].1, "the two files of a release show the same");
}

/// In China S3's addresses end otherwise.
#[test]
fn the_examples_name_no_partition() {
    let page = read("docs/release.md");
    for language in ["hcl", "ts", "sh"] {
        let mut blocks = 0;
        for block in page.split(&format!("```{language}\n")).skip(1).map(|rest| rest.split("```").next().unwrap()) {
            assert!(!block.contains("amazonaws.com") && !block.contains("arn:aws:"), "{block}");
            blocks += 1;
        }
        assert!(blocks > 0, "{language}");
    }
    let terraform = between(&page, "```hcl\n", "```");
    for data in ["aws_region", "aws_partition"] {
        assert!(terraform.contains(&format!("data \"{data}\" \"current\" {{}}")), "{data}");
        assert!(terraform.contains(&format!("${{data.{data}.current.")), "{data}");
    }
}

/// CDK and Terraform refer to outputs too.
#[test]
fn the_examples_read_outputs_that_the_stack_has() {
    let outputs = template("infra/template.yaml")["Outputs"].clone();
    let mut read_there = 0;
    for page in ["docs/release.md", "docs/deploy.md", "infra/release/README.md"] {
        let text = read(page);
        for begins in ["Outputs[?OutputKey=='", "getAtt(\"Outputs."] {
            let names = text.split(begins).skip(1).filter_map(|rest| rest.split(['\'', '"']).next());
            for name in names.filter(|name| !name.starts_with('$')) {
                read_there += 1;
                assert!(outputs.get(name).is_some_and(Value::is_object), "{page}: the stack has no output {name}");
            }
        }
    }
    assert!(read_there >= 4, "{read_there}");
}
