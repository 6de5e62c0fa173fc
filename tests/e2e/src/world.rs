//! The one local AWS of a test run, and what scenarios do in it.

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use reveille_domain::layout::Layout;
use reveille_instance_model::{Command, InstanceFault, Operation};
use reveille_local::{Local, Machines, Options, Project};
use tokio::time::Instant;

use crate::Notebook;

/// No local run takes nearly this long, on a busy machine either; a scenario that does has hung.
const PATIENCE: Duration = Duration::from_mins(20);
/// How long a lifecycle script may take on a machine, its boot included: seconds are enough on an idle one, and a scenario
/// waits for all of it.
const BOOTED_SCRIPT_LIMIT: Duration = Duration::from_mins(2);
/// Between two looks.
const POLL: Duration = Duration::from_millis(150);

/// Ports by which machines in subnets reach the local AWS: its S3, its Step Functions, its `SageMaker`.
pub const SUBNET_PORTS: [u16; 3] = [4001, 4002, 4003];

/// Runs that may wait on an instance: more than any scenario has but the one that floods it.
pub const MAX_WAITING_RUNS: usize = 24;

/// The folder of other programs to try, such as those of a release.
const PROGRAMS: &str = "REVEILLE_PROGRAMS";

pub struct LocalAws {
    local: Local,
}

impl LocalAws {
    /// Starts it, with a short heartbeat and a schedule that fires every minute.
    pub async fn start() -> Self {
        Self::with(None).await
    }

    /// The same with instances that are machines, or (`None`) folders.
    pub async fn with(machines: Option<Machines>) -> Self {
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let project = Project::find(&here).expect("the tests run in a checkout that `make build` built");
        let project = match std::env::var_os(PROGRAMS) {
            Some(folder) => project.with_binaries(folder.into()).unwrap_or_else(|error| panic!("{PROGRAMS}: {error}")),
            None => project,
        };
        let forwarded_ports = if machines.is_some() { SUBNET_PORTS.to_vec() } else { Vec::new() };
        let mut options = Options { machines, forwarded_ports, ..Options::default() };
        if options.machines.is_some() {
            options.timings.script_limit = BOOTED_SCRIPT_LIMIT;
        }
        for (name, value) in [
            ("HeartbeatSeconds", "30"),
            ("SweepSchedule", "rate(1 minute)"),
            ("MaxWaitingRuns", &MAX_WAITING_RUNS.to_string()),
            ("TriggerPrefix", "incoming/"),
            ("TriggerSuffix", ".csv"),
            ("TriggerParameters", r#"{"source": "s3://{{ bucket }}/{{ key }}", "size": "{{ size }}"}"#),
            ("ScheduleExpression", "rate(1 minute)"),
            ("ScheduleInstance", "scheduled"),
            ("ScheduleNotebook", "day.ipynb"),
            ("ScheduleParameters", r#"{"day": "{{ date }}"}"#),
        ] {
            options.parameters.insert(name.to_owned(), value.to_owned());
        }
        let local = Box::pin(Local::start(project, options)).await.expect("the local AWS starts");
        Self { local }
    }

    /// Ends it.
    pub async fn stop(self) {
        self.local.stop().await.expect("the local AWS stops");
    }

    /// The local AWS.
    #[must_use]
    pub const fn local(&self) -> &Local {
        &self.local
    }

    /// Where the stack's records are.
    #[must_use]
    pub fn layout(&self) -> Layout {
        Layout { bucket: self.local.bucket().to_owned(), prefix: self.local.prefix().to_owned() }
    }

    /// A stopped instance.
    pub async fn instance(&self, name: &str) {
        self.local.create_instance(name).await.expect("the instance is created");
    }

    /// Puts a notebook into an instance's notebook folder.
    pub fn put_notebook(&self, instance: &str, path: &str, notebook: &Notebook) {
        let file = self.local.notebooks(instance).join(path);
        std::fs::create_dir_all(file.parent().expect("a folder")).unwrap();
        std::fs::write(file, notebook.to_json()).unwrap();
    }

    /// Lets notebooks go on that wait for it with [`Notebook::GATE`].
    pub fn open_gate(&self, instance: &str) {
        std::fs::write(self.local.notebooks(instance).join("go"), "").unwrap();
    }

    /// A file of an instance's notebook folder, once a notebook wrote it.
    pub async fn file(&self, instance: &str, path: &str) -> String {
        let file = self.local.notebooks(instance).join(path);
        until(&format!("{path} on {instance}"), async || std::fs::read_to_string(&file).ok()).await
    }

    /// An instance with one notebook, `run.ipynb`.
    pub async fn instance_with(&self, name: &str, notebook: &Notebook) {
        self.instance(name).await;
        self.put_notebook(name, "run.ipynb", notebook);
    }

    pub async fn put_object(&self, bucket: &str, key: &str, body: &[u8]) {
        let call = self.local.clients().s3.put_object().bucket(bucket).key(key);
        call.body(ByteStream::from(body.to_vec())).send().await.expect("the object is put");
    }

    /// Reads an object of the runs bucket.
    pub async fn object(&self, key: &str) -> Option<Vec<u8>> {
        let answer = self.local.clients().s3.get_object().bucket(self.local.bucket()).key(key).send().await.ok()?;
        Some(answer.body.collect().await.expect("a whole object").to_vec())
    }

    /// The keys of the runs bucket below a prefix.
    pub async fn keys(&self, prefix: &str) -> Vec<String> {
        let call = self.local.clients().s3.list_objects_v2().bucket(self.local.bucket()).prefix(prefix);
        let answer = call.send().await.expect("a listing");
        answer.contents().iter().filter_map(|object| object.key()).map(str::to_owned).collect()
    }

    /// Acts on an instance as a person would.
    pub fn by_hand(&self, command: Command) {
        self.local.service().apply("a person", command).expect("the service takes it");
    }

    /// Arms a fault of the notebook instance service.
    pub fn arm(&self, fault: InstanceFault) {
        self.local.service().arm(fault).expect("the fault is armed");
    }

    /// The instance's status as DescribeNotebookInstance shows it; `Gone` if there is none.
    pub async fn status(&self, instance: &str) -> String {
        let call = self.local.clients().sagemaker.describe_notebook_instance().notebook_instance_name(instance);
        match call.send().await {
            Ok(answer) => answer.notebook_instance_status().expect("a status").as_str().to_owned(),
            Err(_) => "Gone".to_owned(),
        }
    }

    /// Waits until the instance has a status.
    pub async fn until_status(&self, instance: &str, status: &str) {
        until(&format!("{instance} to be {status}"), async || (self.status(instance).await == status).then_some(()))
            .await;
    }

    /// Accepted calls of an operation on an instance.
    #[must_use]
    pub fn accepted(&self, instance: &str, operation: Operation) -> u64 {
        self.local.service().calls(instance).map_or(0, |calls| calls.count(operation).accepted)
    }

    /// The processes of the instance's last boot.
    #[must_use]
    pub fn processes(&self, instance: &str) -> Vec<i32> {
        self.local.service().processes(instance).expect("a list of processes")
    }

    /// A command, in a checkout, as whoever deploys types it.
    pub async fn type_in(&self, command: &str) -> Output {
        let project = self.local.project();
        let path = format!("{}:{}", project.tools().display(), std::env::var("PATH").unwrap_or_default());
        let mut bash = tokio::process::Command::new("bash");
        bash.args(["-c", command]).current_dir(project.root()).envs(self.local.environment()).env("PATH", path);
        bash.stdin(Stdio::null()).output().await.expect("bash is there")
    }

    /// Asserts that the instance has stopped, was started this often, and that nothing of its boot runs.
    pub async fn assert_at_rest(&self, instance: &str, starts: u64) {
        let status = self.status(instance).await;
        assert!(["Stopped", "Failed", "Gone"].contains(&status.as_str()), "{instance} is {status}, not stopped");
        assert_eq!(self.accepted(instance, Operation::StartNotebookInstance), starts, "starts of {instance}");
        assert_eq!(self.processes(instance), Vec::<i32>::new(), "processes of {instance}'s boot");
    }
}

/// Looks until there is an answer; panics where none comes for far longer than any takes.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        tokio::time::sleep(POLL).await;
    }
}
