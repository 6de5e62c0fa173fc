//! Deploys the template that users deploy: artifacts to a bucket, then `aws cloudformation deploy`.

use std::{
    collections::BTreeMap,
    fs,
    panic::resume_unwind,
    path::{Path, PathBuf},
    thread,
};

use aws_sdk_s3::{
    config::{Builder, RequestChecksumCalculation},
    operation::create_bucket::CreateBucketError,
    primitives::ByteStream,
    types::{EventBridgeConfiguration, NotificationConfiguration},
};
use serde_json::Value;

use crate::{
    Clients, LocalError, Project, package,
    project::{FUNCTIONS_BINARY, RUNNER_BINARY},
    tools,
};

/// The bucket of artifacts, which `sam deploy` would make as well.
pub const ARTIFACTS_BUCKET: &str = "reveille-artifacts";
/// Where the files of a release are in it: the template's own default.
const ARTIFACTS_PREFIX: &str = "reveille/";

/// What is deployed from, ready to be uploaded: made while ministack is still starting.
pub(crate) struct Artifacts {
    archive: PathBuf,
    /// Where the archive goes: another archive has another key, because CloudFormation updates what has changed in the
    /// template and nothing else.
    code_key: String,
    runner: PathBuf,
    /// What the stack installs.
    installed: package::Runner,
}

/// Strips and archives the binaries into a folder. Blocks.
///
/// # Errors
/// A binary is missing or cannot be copied.
pub(crate) fn prepare(project: &Project, folder: &Path) -> Result<Artifacts, LocalError> {
    fs::create_dir_all(folder).map_err(LocalError::file("make", folder))?;
    let (bootstrap, runner) = (folder.join(FUNCTIONS_BINARY), folder.join(RUNNER_BINARY));
    let archive = folder.join("functions.zip");
    let functions = || {
        package::strip(&project.binary(FUNCTIONS_BINARY), &bootstrap)?;
        package::archive(&bootstrap, FUNCTIONS_BINARY, &archive)?;
        package::sha256(&bootstrap)
    };
    let of_the_runner = || {
        package::strip(&project.binary(RUNNER_BINARY), &runner)?;
        package::sha256(&runner)
    };
    let (functions, runner_sha256) = thread::scope(|scope| {
        let functions = scope.spawn(functions);
        (functions.join(), of_the_runner())
    });
    let functions = functions.unwrap_or_else(|panic| resume_unwind(panic))?;
    let sha256 = runner_sha256?;
    let installed = package::Runner { file: format!("{RUNNER_BINARY}-{sha256}"), sha256 };
    Ok(Artifacts { code_key: format!("functions-{functions}.zip"), archive, runner, installed })
}

/// A stack to be deployed.
pub(crate) struct Deployment<'a> {
    pub(crate) project: &'a Project,
    pub(crate) clients: &'a Clients,
    pub(crate) stack: &'a str,
    pub(crate) parameters: &'a BTreeMap<String, String>,
    pub(crate) environment: &'a BTreeMap<String, String>,
    pub(crate) folder: &'a Path,
}

impl Deployment<'_> {
    /// Uploads the artifacts and deploys the template; gives the stack's outputs.
    ///
    /// # Errors
    /// An upload or the deployment fails.
    pub(crate) async fn run(&self, artifacts: &Artifacts) -> Result<BTreeMap<String, String>, LocalError> {
        create_bucket(self.clients, ARTIFACTS_BUCKET).await?;
        upload(self.clients, ARTIFACTS_BUCKET, &artifacts.code_key, &artifacts.archive).await?;
        let key = format!("{ARTIFACTS_PREFIX}{}", artifacts.installed.file);
        upload(self.clients, ARTIFACTS_BUCKET, &key, &artifacts.runner).await?;
        self.package(artifacts).await?;
        self.deploy().await?;
        self.outputs().await
    }

    async fn package(&self, artifacts: &Artifacts) -> Result<(), LocalError> {
        let template = self.project.file("infra/template.yaml");
        let text = fs::read_to_string(&template).map_err(LocalError::file("read", &template))?;
        let Artifacts { code_key, installed, .. } = artifacts;
        let packaged = package::package(&template, &text, ARTIFACTS_BUCKET, code_key, installed)?;
        for (file, key) in &packaged.definitions {
            upload(self.clients, ARTIFACTS_BUCKET, key, file).await?;
        }
        let path = self.packaged_template();
        fs::write(&path, packaged.template).map_err(LocalError::file("write", &path))
    }

    fn packaged_template(&self) -> PathBuf {
        self.folder.join("packaged.yaml")
    }

    /// Deploys the packaged template.
    ///
    /// # Errors
    /// The deployment fails.
    pub(crate) async fn deploy(&self) -> Result<(), LocalError> {
        let template = self.packaged_template().display().to_string();
        let parameters: Vec<String> = self.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut arguments = vec!["cloudformation", "deploy", "--stack-name", self.stack, "--template-file", &template];
        // A template over 51,200 bytes goes by way of a bucket.
        arguments.extend(["--s3-bucket", ARTIFACTS_BUCKET, "--no-fail-on-empty-changeset"]);
        arguments.extend(["--capabilities", "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]);
        if !parameters.is_empty() {
            arguments.push("--parameter-overrides");
            arguments.extend(parameters.iter().map(String::as_str));
        }
        self.aws(&arguments).await.map(|_| ())
    }

    async fn outputs(&self) -> Result<BTreeMap<String, String>, LocalError> {
        let text =
            self.aws(&["cloudformation", "describe-stacks", "--stack-name", self.stack, "--output", "json"]).await?;
        let answer: Value = serde_json::from_str(&text)
            .map_err(LocalError::aws(format!("read the outputs of the stack {}", self.stack)))?;
        let outputs = answer["Stacks"][0]["Outputs"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Ok(outputs
            .iter()
            .filter_map(|output| Some((text(&output["OutputKey"])?, text(&output["OutputValue"])?)))
            .collect())
    }

    async fn aws(&self, arguments: &[&str]) -> Result<String, LocalError> {
        // After 60 s without an answer the CLI sends a call again, and the second CreateChangeSet fails for the first. A busy machine takes
        // longer to answer. `tools::run` ends what hangs.
        let patient = [arguments, &["--cli-read-timeout", "0"]].concat();
        tools::run(&self.project.tool("aws")?, &patient, self.environment, self.folder).await
    }
}

/// Makes a bucket, or takes the one of a kept folder.
///
/// # Errors
/// It cannot be made.
pub(crate) async fn create_bucket(clients: &Clients, bucket: &str) -> Result<(), LocalError> {
    let created = clients.s3.create_bucket().bucket(bucket).send().await;
    // ministack takes a bucket whose files it found, and whose settings it had not saved, for one of another region.
    if created
        .as_ref()
        .is_err_and(|error| error.as_service_error().is_some_and(CreateBucketError::is_bucket_already_owned_by_you))
    {
        return Ok(());
    }
    created.map(|_| ()).map_err(LocalError::aws(format!("create the bucket {bucket}")))
}

async fn upload(clients: &Clients, bucket: &str, key: &str, file: &Path) -> Result<(), LocalError> {
    let body = fs::read(file).map_err(LocalError::file("read", file))?;
    let put = clients.s3.put_object().bucket(bucket).key(key).body(ByteStream::from(body)).customize();
    // It goes to 127.0.0.1, where nobody looks at sums; a program that is not optimised takes seconds to make them.
    let sums = Builder::new().request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
    let put = put.config_override(sums).disable_payload_signing().send().await;
    put.map(|_| ()).map_err(LocalError::aws(format!("upload s3://{bucket}/{key}")))
}

/// Lets a bucket tell `EventBridge` of its new objects.
///
/// # Errors
/// The bucket is missing.
pub(crate) async fn send_events(clients: &Clients, bucket: &str) -> Result<(), LocalError> {
    let configuration = NotificationConfiguration::builder()
        .event_bridge_configuration(EventBridgeConfiguration::builder().build())
        .build();
    let put = clients
        .s3
        .put_bucket_notification_configuration()
        .bucket(bucket)
        .notification_configuration(configuration)
        .send()
        .await;
    put.map(|_| ()).map_err(LocalError::aws(format!("let the bucket {bucket} tell EventBridge of its objects")))
}
