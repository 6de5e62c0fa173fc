//! The whole of the local AWS: started in order, stopped in reverse order, whatever happens in between.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
};

use aws_sdk_sfn::types::ExecutionStatus;
use reveille_lifecycle::{ON_START, Preamble, render};
use reveille_notebook_service::{NotebookService, RoleCall};
use tokio::task::JoinHandle;

use crate::{
    Clients, LocalError, Options, Project,
    deploy::{self, Artifacts, Deployment},
    folder::Folder,
    instances, kernel_folders,
    ministack::Ministack,
    parameters,
    servers::Servers,
};

/// The lifecycle configuration of the local instances.
const LIFECYCLE_CONFIG: &str = "reveille";
/// The line of the on-start script below which a person puts commands of their own.
const PREAMBLE: &str = "# --- preamble ---\n";
/// The bucket whose new objects start runs.
const TRIGGER_BUCKET: &str = "reveille-incoming";
/// The instance that the template's triggers run on.
pub const INSTANCE: &str = "nightly";
/// The notebook that the template's triggers run.
pub const NOTEBOOK: &str = "examples/summarize.ipynb";

/// The parameters that the example notebooks take.
const TRIGGER_PARAMETERS: &str = r#"{"source": "s3://{{ bucket }}/{{ key }}", "day": "{{ date }}"}"#;
/// The functions are built for this machine.
pub const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
/// The template's parameter that holds the prefix of the records.
const PREFIX_PARAMETER: &str = "RunsPrefix";

/// A running local AWS, with the stack deployed and one notebook instance stopped.
///
/// [`Local::stop`] ends everything that it started; dropping it does the same without waiting for anything.
pub struct Local {
    // Dropped in this order: instances before the AWS that they talk to, the folder last.
    service: Option<NotebookService>,
    ministack: Option<Ministack>,
    clients: Clients,
    environment: BTreeMap<String, String>,
    outputs: BTreeMap<String, String>,
    options: Options,
    project: Project,
    folder: Folder,
}

impl Local {
    /// Starts everything: ministack with the heartbeat shim, the notebook instance service, the stack, an instance.
    ///
    /// # Errors
    /// Set-up or a build is missing, or a part does not come up; what was started by then is stopped.
    pub async fn start(project: Project, options: Options) -> Result<Self, LocalError> {
        check_parameters(&project, &options.parameters)?;
        kernel_folders::remove_dead();
        let folder = Folder::of(options.directory.as_deref())?;
        let packaging = package(&project, folder.path());
        options.tell("starting the services, packaging the functions");
        let mut local = Self::servers(project, options, folder).await?;
        // From here on, dropping `local` ends the servers.
        let artifacts = packaging.await.unwrap_or_else(|error| Err(LocalError::aws("package the artifacts")(error)))?;
        local.options.tell("deploying infra/template.yaml and an instance");
        let creating = instances::create_stopped(&local.clients, local.service(), INSTANCE, None);
        let (outputs, created) = tokio::join!(local.deploy(&artifacts), creating);
        local.outputs = outputs?;
        created?;
        if local.folder.is_kept() {
            local.stop_interrupted_executions().await?;
        }
        local.create_config(LIFECYCLE_CONFIG, "").await?;
        local.equip(INSTANCE, LIFECYCLE_CONFIG).await?;
        Ok(local)
    }

    async fn servers(project: Project, options: Options, folder: Folder) -> Result<Self, LocalError> {
        let Servers { service, ministack, clients, environment } = Servers::start(&project, &options, &folder).await?;
        Ok(Self {
            service: Some(service),
            ministack: Some(ministack),
            clients,
            environment,
            outputs: BTreeMap::new(),
            options,
            project,
            folder,
        })
    }

    /// Deploys the stack; gives its outputs.
    async fn deploy(&self, artifacts: &Artifacts) -> Result<BTreeMap<String, String>, LocalError> {
        deploy::create_bucket(&self.clients, TRIGGER_BUCKET).await?;
        deploy::send_events(&self.clients, TRIGGER_BUCKET).await?;
        let mut parameters = quick_parameters();
        parameters.extend(self.options.parameters.clone());
        self.deployment(&parameters).run(artifacts).await
    }

    /// Stops the executions that ran when the last local AWS of this folder was stopped: nothing carries them on, and
    /// as long as they count as running their instance is kept for them.
    async fn stop_interrupted_executions(&self) -> Result<(), LocalError> {
        const WHAT: &str = "stop the executions that the last local AWS left";
        let sfn = &self.clients.sfn;
        let running = sfn.list_executions().state_machine_arn(self.state_machine());
        let running = running.status_filter(ExecutionStatus::Running).send().await.map_err(LocalError::aws(WHAT))?;
        for execution in running.executions {
            let stop = sfn.stop_execution().execution_arn(execution.execution_arn);
            stop.cause("The local AWS was stopped while it ran.").send().await.map_err(LocalError::aws(WHAT))?;
        }
        Ok(())
    }

    /// Makes a lifecycle configuration for the deployed stack, whose script runs these commands first.
    async fn create_config(&self, name: &str, commands: &str) -> Result<(), LocalError> {
        let preamble = Preamble {
            bucket: self.bucket().to_owned(),
            prefix: self.prefix().to_owned(),
            // The one that the stack installed.
            runner_key: String::new(),
            runner_sha256: String::new(),
        };
        let body = ON_START.replace(PREAMBLE, &format!("{PREAMBLE}{commands}"));
        let script = render(&body, &preamble).map_err(LocalError::aws("render the on-start script"))?;
        instances::create_config(&self.clients, name, &script).await
    }

    /// Deploys the same template again with some parameters changed, as a user does; the others keep their values.
    ///
    /// # Errors
    /// The deployment fails.
    pub async fn update_stack(&self, parameters: &BTreeMap<String, String>) -> Result<(), LocalError> {
        self.deployment(parameters).deploy().await
    }

    fn deployment<'a>(&'a self, parameters: &'a BTreeMap<String, String>) -> Deployment<'a> {
        Deployment {
            project: &self.project,
            clients: &self.clients,
            stack: &self.options.stack,
            parameters,
            environment: &self.environment,
            folder: self.folder.path(),
        }
    }

    /// Makes one more notebook instance with the on-start script and the example notebooks, and leaves it Stopped.
    ///
    /// # Errors
    /// The service refuses it, or the notebooks cannot be copied.
    pub async fn create_instance(&self, name: &str) -> Result<(), LocalError> {
        self.create(name, None, LIFECYCLE_CONFIG).await
    }

    /// The same, with an on-start script that runs these lines of bash before everything else, as on an instance whose
    /// script a person has put commands into.
    ///
    /// # Errors
    /// As [`Local::create_instance`]; or the script is too large.
    pub async fn create_instance_with_commands(&self, name: &str, commands: &str) -> Result<(), LocalError> {
        let config = format!("{LIFECYCLE_CONFIG}-{name}");
        self.create_config(&config, commands).await?;
        self.create(name, None, &config).await
    }

    /// The same, in a subnet without a way to the internet; see [`NotebookService::set_subnet`].
    ///
    /// # Errors
    /// As [`Local::create_instance_with_commands`].
    pub async fn create_instance_in_subnet(&self, name: &str, subnet: &str, commands: &str) -> Result<(), LocalError> {
        let config = format!("{LIFECYCLE_CONFIG}-{name}");
        self.create_config(&config, commands).await?;
        self.create(name, Some(subnet), &config).await
    }

    async fn create(&self, name: &str, subnet: Option<&str>, config: &str) -> Result<(), LocalError> {
        self.options.tell(&format!("creating the notebook instance {name}"));
        instances::create_stopped(&self.clients, self.service(), name, subnet).await?;
        self.equip(name, config).await
    }

    /// Gives a stopped instance the lifecycle configuration and the example notebooks.
    async fn equip(&self, name: &str, config: &str) -> Result<(), LocalError> {
        instances::set_config(&self.clients, self.service(), name, config).await?;
        let examples = self.project.file("examples");
        copy_notebooks(&examples, &self.notebooks(name).join("examples"))
    }

    /// Stops everything, instances first.
    ///
    /// # Errors
    /// Something would not end; the rest was ended all the same.
    pub async fn stop(mut self) -> Result<(), LocalError> {
        let service = match self.service.take() {
            Some(service) => service.shutdown().await.map_err(LocalError::from),
            None => Ok(()),
        };
        let ministack = match self.ministack.take() {
            Some(ministack) => ministack.stop().await,
            None => Ok(()),
        };
        service.and(ministack)
    }

    /// Waits until a part of it breaks, which none does by itself; says which, and why.
    pub async fn broken(&self) -> LocalError {
        match &self.ministack {
            Some(ministack) => ministack.broken().await,
            None => std::future::pending().await,
        }
    }

    /// SDK clients of this local AWS.
    #[must_use]
    pub fn clients(&self) -> &Clients {
        &self.clients
    }

    /// The notebook instance service: faults, counted calls, disks.
    ///
    /// # Panics
    /// Never: it is taken by [`Local::stop`] only, which takes the whole.
    #[must_use]
    #[expect(clippy::expect_used, reason = "only `stop`, which consumes self, takes it out")]
    pub fn service(&self) -> &NotebookService {
        self.service.as_ref().expect("running until `stop`")
    }

    /// The different calls that the roles of functions, rules, the state machine and instances made so far, as IAM would
    /// be asked about them.
    ///
    /// # Errors
    /// The notes of them cannot be read.
    pub fn role_calls(&self) -> Result<Vec<RoleCall>, LocalError> {
        let mut calls = self.ministack.as_ref().map_or_else(|| Ok(Vec::new()), Ministack::calls)?;
        calls.extend(self.service().role_calls());
        Ok(calls)
    }

    /// The environment with which any AWS client uses this local AWS.
    #[must_use]
    pub fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }

    /// The outputs of the stack.
    #[must_use]
    pub fn outputs(&self) -> &BTreeMap<String, String> {
        &self.outputs
    }

    /// The ARN of the state machine.
    #[must_use]
    pub fn state_machine(&self) -> &str {
        self.output("StateMachineArn")
    }

    /// The stack's bucket.
    #[must_use]
    pub fn bucket(&self) -> &str {
        self.output("RunsBucketName")
    }

    /// The prefix of the stack's keys: empty, or ends with `/`.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.options.parameters.get(PREFIX_PARAMETER).map_or("", String::as_str)
    }

    fn output(&self, name: &str) -> &str {
        self.outputs.get(name).map_or("", String::as_str)
    }

    /// The bucket whose new objects start runs.
    #[must_use]
    pub fn trigger_bucket(&self) -> &'static str {
        TRIGGER_BUCKET
    }

    /// The notebook folder of an instance.
    #[must_use]
    pub fn notebooks(&self, instance: &str) -> PathBuf {
        self.service().machine(instance).notebooks()
    }

    /// Where the files of this local AWS are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.folder.path()
    }

    #[must_use]
    pub fn ministack_log(&self) -> Option<&Path> {
        self.ministack.as_ref().map(Ministack::log)
    }

    /// The checkout that was deployed.
    #[must_use]
    pub fn project(&self) -> &Project {
        &self.project
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local")
            .field("directory", &self.directory())
            .field("outputs", &self.outputs)
            .finish_non_exhaustive()
    }
}

/// Polls every second, because local transitions take half a second; everything else as users have it.
fn quick_parameters() -> BTreeMap<String, String> {
    [
        ("ArtifactsBucket", deploy::ARTIFACTS_BUCKET),
        ("TriggerBucket", TRIGGER_BUCKET),
        ("TriggerInstance", INSTANCE),
        ("TriggerNotebook", NOTEBOOK),
        ("TriggerParameters", TRIGGER_PARAMETERS),
        ("Architecture", ARCHITECTURE),
        ("StartPollSeconds", "1"),
        ("StopPollSeconds", "1"),
        ("HeartbeatSeconds", "6"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

fn check_parameters(project: &Project, parameters: &BTreeMap<String, String>) -> Result<(), LocalError> {
    let template = project.file("infra/template.yaml");
    let text = fs::read_to_string(&template).map_err(LocalError::file("read", &template))?;
    parameters::check(&template, &text, parameters)
}

/// Packages the functions and the runner while the servers start.
fn package(project: &Project, folder: &Path) -> JoinHandle<Result<Artifacts, LocalError>> {
    let (project, folder) = (project.clone(), folder.join("artifacts"));
    tokio::task::spawn_blocking(move || deploy::prepare(&project, &folder))
}

fn copy_notebooks(from: &Path, to: &Path) -> Result<(), LocalError> {
    fs::create_dir_all(to).map_err(LocalError::file("make", to))?;
    for entry in fs::read_dir(from).map_err(LocalError::file("read", from))?.flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "ipynb") {
            let copy = to.join(entry.file_name());
            fs::copy(&path, &copy).map_err(LocalError::file("copy a notebook to", copy))?;
        }
    }
    Ok(())
}
