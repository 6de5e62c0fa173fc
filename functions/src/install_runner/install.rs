//! What is installed from where, and its effects.

use std::time::Duration;

use reveille_aws::{Aws, StoredArtifact};
use reveille_domain::ids::is_sha256;
use reveille_domain::ports::{Call, CallError, CallErrorKind};
use reveille_domain::{Failure, shown};
use serde_json::{Value, json};
use tokio::time::sleep;

/// No file of ours has as many bytes; the largest, papermill's archive, has some tens of millions.
const MAX_BYTES: u64 = 512 * 1024 * 1024;
/// A call is repeated: after a fault, and where it is denied, since a role that was made just now may not be known everywhere yet.
const TRIES: u32 = 4;
const PAUSE_WHEN_DENIED: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(300);
/// What the template says where there is no file.
const NO_FILE: &str = "none";

/// A file of a release.
#[derive(Debug, PartialEq, Eq)]
pub struct Named {
    file: String,
    sha256: String,
}

/// What CloudFormation asks for.
#[derive(Debug, PartialEq, Eq)]
pub struct Wanted {
    bucket: String,
    prefix: String,
    runner: Named,
    engine: Option<Named>,
}

/// What there is now.
#[derive(Debug, PartialEq, Eq)]
pub struct Installed {
    pub runner_key: String,
    pub runner_sha256: String,
    engine_key: Option<String>,
}

impl Installed {
    /// The attributes of the resource.
    pub fn data(&self) -> Value {
        json!({
            "RunnerKey": self.runner_key,
            "RunnerSha256": self.runner_sha256,
            "EngineKey": self.engine_key.as_deref().unwrap_or(NO_FILE),
        })
    }
}

impl Wanted {
    /// # Errors
    /// What is wrong with the properties, for whoever deploys.
    pub fn read(properties: &Value) -> Result<Self, String> {
        let text = |name: &str, is_good: fn(&str) -> bool| match properties[name].as_str() {
            Some(text) if is_good(text) => Ok(text.to_owned()),
            Some(text) => {
                Err(format!("The property {name} has the invalid value {}. {DEPLOY_RELEASE}", shown::quoted(text)))
            }
            None => Err(format!("The property {name} is missing. {DEPLOY_RELEASE}")),
        };
        let named = |name: &str, sum: &str, begins: &str| -> Result<Named, String> {
            let file = text(name, is_name)?;
            if file != NO_FILE && !file.starts_with(begins) {
                return Err(format!(
                    "The property {name} is {file}, which does not begin with {begins}. {DEPLOY_RELEASE}"
                ));
            }
            Ok(Named { sha256: text(sum, |text| text == NO_FILE || is_sha256(text))?, file })
        };
        let runner = named("Runner", "RunnerSha256", "reveille-runner")?;
        if runner.file == NO_FILE || runner.sha256 == NO_FILE {
            return Err(format!("This template names no runner. {DEPLOY_RELEASE}"));
        }
        let engine = named("Engine", "EngineSha256", "reveille-engine-")?;
        Ok(Self {
            bucket: text("Bucket", is_bucket)?,
            prefix: text("Prefix", is_prefix)?,
            runner,
            engine: Some(engine).filter(|engine| engine.file != NO_FILE && engine.sha256 != NO_FILE),
        })
    }
}

const DEPLOY_RELEASE: &str = "Deploy the template of a release.";

fn is_name(text: &str) -> bool {
    (1..=200).contains(&text.len())
        && !text.starts_with('.')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

fn is_bucket(text: &str) -> bool {
    (3..=63).contains(&text.len()) && is_name(text)
}

fn is_prefix(text: &str) -> bool {
    text.len() <= 800 && text.split_terminator('/').all(is_name) && (text.is_empty() || text.ends_with('/'))
}

/// Brings the files into the runs bucket, and then says which runner counts.
///
/// # Errors
/// The reason, for whoever deploys. Whatever it is, the runner that counted before still does.
pub async fn install(aws: &Aws, wanted: &Wanted) -> Result<Installed, String> {
    // Everything is looked at before anything is written: a bucket with something in it outlives a creation that failed.
    let mut missing = Vec::new();
    for named in wanted.engine.iter().chain([&wanted.runner]) {
        missing.extend(look(aws, wanted, named).await?.map(|etag| (named, etag)));
    }
    for (named, etag) in missing {
        let (from, to) = (wanted.source(named), aws.layout().artifact(&named.file));
        if !patiently(async || aws.copy_artifact(&wanted.bucket, &from, &etag, &to).await).await? {
            let place = format!("s3://{}/{from}", wanted.bucket);
            return Err(format!("{} changed while it was being copied. Deploy again.", shown::thing(place)));
        }
    }
    let Named { file, sha256 } = &wanted.runner;
    // As sha256sum prints it, and as the on-start script reads it.
    let line = format!("{sha256}  {file}\n");
    patiently(async || aws.put_text(&aws.layout().runner(), line.clone()).await).await?;
    Ok(Installed {
        runner_key: aws.layout().artifact(file),
        runner_sha256: sha256.clone(),
        engine_key: wanted.engine.as_ref().map(|engine| aws.layout().artifact(&engine.file)),
    })
}

impl Wanted {
    fn source(&self, named: &Named) -> String {
        format!("{}{}", self.prefix, named.file)
    }
}

/// Whether a file must be copied, and then the entity tag of the right one in the release's bucket.
async fn look(aws: &Aws, wanted: &Wanted, named: &Named) -> Result<Option<String>, String> {
    let layout = aws.layout();
    let installed = layout.artifact(&named.file);
    let there = patiently(async || aws.artifact(&layout.bucket, &installed, MAX_BYTES).await).await?;
    if matches!(there, StoredArtifact::File { sha256, .. } if sha256 == named.sha256) {
        return Ok(None);
    }
    let key = wanted.source(named);
    let place = shown::thing(format!("s3://{}/{key}", wanted.bucket));
    let again = format!(
        "Copy the release there, and deploy again: aws s3 cp dist/ s3://{}/{} --recursive",
        wanted.bucket, wanted.prefix
    );
    match patiently(async || aws.artifact(&wanted.bucket, &key, MAX_BYTES).await).await? {
        StoredArtifact::File { sha256, etag } if sha256 == named.sha256 => Ok(Some(etag)),
        StoredArtifact::File { sha256, .. } => Err(format!(
            "{place} is not the file of this release: its SHA-256 is {sha256}, and the template says {}. {again}",
            named.sha256
        )),
        StoredArtifact::Missing => {
            Err(format!("There is no {place}, which ArtifactsBucket and ArtifactsPrefix name. {again}"))
        }
        StoredArtifact::TooLarge => {
            Err(format!("{place} is not the file of this release: it has more than {MAX_BYTES} bytes. {again}"))
        }
    }
}

/// Makes a call until it is answered, a few times.
async fn patiently<T>(call: impl AsyncFn() -> Call<T>) -> Result<T, String> {
    let mut tries = 1;
    loop {
        let pause = match call().await {
            Ok(answer) => return Ok(answer),
            Err(error) if tries == TRIES || error.kind == CallErrorKind::Refused => return Err(refused(error)),
            Err(error) if error.kind == CallErrorKind::AccessDenied => PAUSE_WHEN_DENIED,
            Err(_) => PAUSE,
        };
        sleep(pause).await;
        tries += 1;
    }
}

/// A call that failed, for whoever deploys. The domain's sentence for what was refused is for a run.
fn refused(error: CallError) -> String {
    if error.kind == CallErrorKind::Refused {
        let (action, resource, message) = (error.action, shown::thing(&error.resource), shown::phrase(&error.message));
        return format!("{action} on {resource} was refused: {message}. Correct that, and deploy again.");
    }
    Failure::from(error).message
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "this is a test")]
mod tests {
    use serde_json::{Value, json};

    use super::Wanted;

    fn properties() -> Value {
        json!({
            "ServiceToken": "arn:function", "Bucket": "my-artifacts", "Prefix": "reveille/1/",
            "Runner": "reveille-runner-0.1.0-x86_64-0123", "RunnerSha256": "0".repeat(64),
            "Engine": "none", "EngineSha256": "none",
        })
    }

    #[test]
    fn what_is_wanted_is_read_strictly() {
        let wanted = Wanted::read(&properties()).unwrap();
        assert_eq!((wanted.prefix.as_str(), wanted.engine), ("reveille/1/", None));
        for prefix in ["", "a.b/", "-/_/", &format!("{}/", "a".repeat(200))] {
            let mut given = properties();
            given["Prefix"] = prefix.into();
            assert_eq!(Wanted::read(&given).map(|wanted| wanted.prefix), Ok(prefix.to_owned()));
        }
        for (name, value) in [
            ("Bucket", json!("")),
            ("Bucket", json!("a/b")),
            ("Bucket", Value::Null),
            ("Prefix", json!("a")),
            ("Prefix", json!("../")),
            ("Prefix", json!("./")),
            ("Prefix", json!("a/.b/")),
            ("Prefix", json!("a//")),
            ("Prefix", json!("a b/")),
            ("Runner", json!("none")),
            ("Runner", json!("bootstrap")),
            ("Runner", json!("reveille-runner/../x")),
            ("RunnerSha256", json!("none")),
            ("RunnerSha256", json!("A".repeat(64))),
            ("Engine", json!("reveille-runner")),
            ("EngineSha256", json!(["0"])),
        ] {
            let mut properties = properties();
            properties[name] = value.clone();
            let reason = Wanted::read(&properties).unwrap_err();
            assert!(reason.ends_with("Deploy the template of a release."), "{name} {value}: {reason}");
        }
    }
}
