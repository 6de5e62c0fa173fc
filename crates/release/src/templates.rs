//! The templates as they are released: with the places of the artifacts as parameters, and nothing that asks for a compiler.
//! Changes lines that it knows, and refuses a template that lacks one: a release with a half changed template would deploy something else.

use std::fmt;

use object::elf;

use crate::ReleaseError;

/// A processor that programs are built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Architecture {
    /// 64-bit Intel and AMD: that of notebook instances.
    X86,
    /// 64-bit ARM: Graviton.
    Arm,
}

impl Architecture {
    /// By its name in a template.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::X86, Self::Arm].into_iter().find(|architecture| architecture.name() == name)
    }

    /// Its name in a template.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::X86 => "x86_64",
            Self::Arm => "arm64",
        }
    }

    pub(crate) const fn machine(self) -> u16 {
        match self {
            Self::X86 => elf::EM_X86_64,
            Self::Arm => elf::EM_AARCH64,
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where a released template has its code and its definition from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Places {
    /// The bucket that a parameter names: whoever deploys copies them there.
    Bucket,
    /// The template's own folder: `sam package` uploads them and writes down where they are. The Serverless Application Repository refuses
    /// a place with intrinsics in it.
    Folder,
}

/// What the template tells of a release.
pub(crate) struct Names<'a> {
    /// The functions' archive for each processor, the default first.
    pub(crate) functions: &'a [(Architecture, String)],
    pub(crate) definition: &'a str,
    pub(crate) runner: Installed<'a>,
    pub(crate) engine: Installed<'a>,
    /// The address of the public repository, if there is one.
    pub(crate) source: Option<&'a str>,
}

/// A file that the stack copies to the runs bucket.
pub(crate) struct Installed<'a> {
    pub(crate) file: &'a str,
    pub(crate) sha256: &'a str,
}

/// Templates that are released as they are.
pub(crate) const UNCHANGED: [&str; 5] =
    ["instance.yaml", "alarms.yaml", "trigger-run.yaml", "trigger-schedule.yaml", "trigger-upload.yaml"];
/// The stack.
pub(crate) const STACK: &str = "template.yaml";
/// The stack for whoever publishes it in the Serverless Application Repository.
pub(crate) const PUBLISHED: &str = "serverlessrepo.yaml";

const BUILD: &str =
    "    Metadata:\n      BuildMethod: rust-cargolambda\n      BuildProperties:\n        Binary: bootstrap\n";
const CODE: &str = "      CodeUri: ../\n";
const DEFINITION: &str = "      DefinitionUri: ../statemachines/notebook_run.asl.json\n";
const ARCHITECTURE: &str = "    Default: arm64\n    AllowedValues: [arm64, x86_64]\n    Description: Architecture of the functions; arm64 is about 20 % cheaper.\n";
const BUCKET: &str = r#"  ArtifactsBucket:
    Type: String
    Default: ""
    AllowedPattern: "^$|^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"
    Description: Bucket to which you copied the files of a release, in the stack's region. Functions and runner come from there. Empty in a checkout.
"#;
const GROUP: &str = "The release (leave ArtifactsBucket empty without one)";
const LICENSE: &str = "    LicenseUrl: ../LICENSE\n";
const README: &str = "    ReadmeUrl: release/README.md\n";
const RUNNER: &str = "    Runner: { File: none, Sha256: none }\n";
const ENGINE: &str = "    Engine: { File: none, Sha256: none }\n";
const CONDITIONS: &str = "\nConditions:\n";
/// One replacement: what stands there, how often, and what comes instead.
type Change = (&'static str, usize, String);

/// The stack's template.
pub(crate) fn stack(text: &str, names: &Names<'_>, places: Places) -> Result<String, ReleaseError> {
    let functions = text.matches("    Type: AWS::Serverless::Function\n").count();
    let [(default, archive), others @ ..] = names.functions else {
        return Err(ReleaseError::Usage("no programs: name a processor and their folder".to_owned()));
    };
    // What `sam package` uploads is one archive: no condition chooses between two.
    let others = if places == Places::Folder { &[] } else { others };
    let built: Vec<&str> =
        [default].into_iter().chain(others.iter().map(|(other, _)| other)).map(|built| built.name()).collect();
    // By content: other programs have other names, which is what CloudFormation updates a function for. No mapping: `x86_64` can be no key
    // of one.
    let (archive, condition) = match others {
        [] => (archive.clone(), String::new()),
        [(other, its), ..] => (
            format!("!If [IsOtherArchitecture, {its}, {archive}]"),
            format!("  IsOtherArchitecture: !Equals [!Ref Architecture, {other}]\n"),
        ),
    };
    let bucket = r#"  ArtifactsBucket:
    Type: String
    AllowedPattern: "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"
    Description: Bucket to which you copied the files of this release, in the stack's region. Functions and runner come from there.
"#;
    let architecture = format!(
        "    Default: {default}\n    AllowedValues: [{}]\n    Description: Architecture of the functions; one that this release has.\n",
        built.join(", ")
    );
    let changes: [Change; 11] = [
        (BUILD, functions, String::new()),
        (CODE, functions, format!("      CodeUri:{}", place(&archive, places))),
        (DEFINITION, 1, format!("      DefinitionUri:{}", place(names.definition, places))),
        (ARCHITECTURE, 1, architecture),
        (BUCKET, 1, bucket.to_owned()),
        (GROUP, 1, "The release".to_owned()),
        (RUNNER, 1, installed("Runner", &names.runner)),
        (ENGINE, 1, installed("Engine", &names.engine)),
        (CONDITIONS, 1, format!("{CONDITIONS}{condition}")),
        (LICENSE, 1, "    LicenseUrl: LICENSE\n".to_owned()),
        (README, 1, format!("    ReadmeUrl: README.md\n{}", addresses(names.source)?)),
    ];
    changed(STACK, text, &changes)
}

/// Where an artifact is, as the value of a property.
fn place(name: &str, places: Places) -> String {
    match places {
        Places::Folder => format!(" {name}\n"),
        Places::Bucket => format!(
            r#"
        Bucket: !Ref ArtifactsBucket
        Key: !Sub
          - "${{ArtifactsPrefix}}${{Name}}"
          - Name: {name}
"#
        ),
    }
}

/// A line of the mapping. Text, and no default of a parameter: an update keeps a parameter's old value, and would install the old runner.
fn installed(what: &str, Installed { file, sha256 }: &Installed<'_>) -> String {
    format!("    {what}: {{ File: {file}, Sha256: \"{sha256}\" }}\n")
}

/// What whoever publishes the release tells of where it comes from.
fn addresses(source: Option<&str>) -> Result<String, ReleaseError> {
    let Some(source) = source else { return Ok(String::new()) };
    let known = |letter: u8| letter.is_ascii_alphanumeric() || b"./_~-:".contains(&letter);
    if !source.strip_prefix("https://").is_some_and(|rest| !rest.is_empty() && rest.bytes().all(known)) {
        let problem = format!("{source} is not the address of a repository, as https://github.com/OWNER/REPOSITORY is");
        return Err(ReleaseError::Usage(problem));
    }
    Ok(format!("    HomePageUrl: {source}\n    SourceCodeUrl: {source}\n"))
}

fn changed(file: &'static str, text: &str, changes: &[Change]) -> Result<String, ReleaseError> {
    let mut text = text.to_owned();
    for (there, times, instead) in changes {
        let found = text.matches(there).count();
        if found != *times {
            let problem = format!("{:?} occurs {found} times, not {times}", there.trim());
            return Err(ReleaseError::Template { file, problem });
        }
        text = text.replace(there, instead);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::{Architecture, Installed, Names, Places, stack};

    fn made(
        text: &str,
        functions: &[(Architecture, String)],
        places: Places,
        source: Option<&str>,
    ) -> Result<String, String> {
        let file = |file| Installed { file, sha256: "0" };
        let names = Names { functions, definition: "d.json", runner: file("r"), engine: file("e"), source };
        stack(text, &names, places).map_err(|error| error.to_string())
    }

    fn released(text: &str, functions: &[(Architecture, String)]) -> Result<String, String> {
        made(text, functions, Places::Bucket, None)
    }

    fn both() -> [(Architecture, String); 2] {
        [(Architecture::X86, "x.zip".to_owned()), (Architecture::Arm, "a.zip".to_owned())]
    }

    fn ours() -> String {
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../infra/template.yaml")).unwrap()
    }

    #[test]
    fn a_template_that_is_another_is_refused_by_what_it_lacks() {
        let one = [(Architecture::X86, "f.zip".to_owned())];
        released(&ours(), &one).unwrap();
        for line in [
            "      CodeUri: ../\n",
            "      BuildMethod: rust-cargolambda\n",
            "\nConditions:\n",
            "    Default: arm64\n",
            "  ArtifactsBucket:\n",
            "    Runner: { File: none, Sha256: none }\n",
            "    LicenseUrl: ../LICENSE\n",
        ] {
            let error = released(&ours().replacen(line, "", 1), &one).unwrap_err();
            assert!(error.contains("infra/template.yaml") && error.contains(" times, not "), "{line}: {error}");
        }
        assert!(released(&ours(), &[]).is_err());
    }

    #[test]
    fn of_two_processors_the_first_is_the_default() {
        let text = released(&ours(), &both()).unwrap();
        assert!(text.contains("    Default: x86_64\n    AllowedValues: [x86_64, arm64]\n"));
        assert!(text.contains("Name: !If [IsOtherArchitecture, a.zip, x.zip]\n"));
        assert!(text.contains("  IsOtherArchitecture: !Equals [!Ref Architecture, arm64]\n"));
    }

    /// What is published has its code beside it: literal places, and one processor.
    #[test]
    fn what_is_published_names_files_and_no_bucket() {
        let text = made(&ours(), &both(), Places::Folder, None).unwrap();
        assert!(text.contains("      CodeUri: x.zip\n") && text.contains("      DefinitionUri: d.json\n"));
        assert!(text.contains("    AllowedValues: [x86_64]\n") && !text.contains("a.zip"));
        assert!(!text.contains("Uri:\n"), "a place with intrinsics");
    }

    #[test]
    fn the_address_of_the_repository_is_told_where_there_is_one() {
        let one = [(Architecture::X86, "f.zip".to_owned())];
        let told = |source| made(&ours(), &one, Places::Bucket, source);
        assert!(!told(None).unwrap().contains("HomePageUrl"));
        let text = told(Some("https://git.example.com/team/reveille")).unwrap();
        for property in ["HomePageUrl", "SourceCodeUrl"] {
            assert!(text.contains(&format!("\n    {property}: https://git.example.com/team/reveille\n")), "{property}");
        }
        for wrong in
            ["", "git@example.com:team/reveille.git", "https://", "https://example.com/a: [b]", "https://a\n  b"]
        {
            assert!(told(Some(wrong)).unwrap_err().contains("is not the address of a repository"), "{wrong}");
        }
    }
}
