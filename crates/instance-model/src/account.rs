//! The account: what its API answers.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    ApiError, ArmedFault, BootNumber, CallOutcome, Command, CreateInstance, Effect, FaultError, FaultId, FaultKind,
    InstanceCalls, InstanceFault, InstanceFilter, InstanceSettings, InstanceSort, InstanceView, LifecycleChange,
    ListQuery, NotebookInstanceStatus, Operation, RecordedCall, Response, Time, Timings, UpdateInstance,
    calls::CallBook,
    faults::Faults,
    instance::{BootPlan, Due, Instance, Instances, Phase, Provisioned},
    lifecycle::Config,
    tags::{self, TagBook},
    validate,
};

const NAME_MEMBER: &str = "notebookInstanceName";
/// Instances of one account: a bound on memory, far above any use of this model.
const INSTANCE_LIMIT: usize = 1000;

/// The notebook instances and lifecycle configurations of one account in one region.
#[derive(Clone, Debug)]
pub struct Account {
    region: String,
    id: String,
    pub(crate) timings: Timings,
    pub(crate) now: Time,
    pub(crate) instances: Instances,
    pub(crate) configs: BTreeMap<String, Config>,
    pub(crate) tags: TagBook,
    pub(crate) faults: Faults,
    pub(crate) effects: Vec<Effect>,
    pub(crate) last_boot: u64,
    calls: CallBook,
}

/// The truth about an instance, whatever faults make Describe say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// What Describe would answer without faults.
    pub view: InstanceView,
    /// The boot whose processes may be alive: from the start of the machine until the kill is
    /// confirmed.
    pub boot: Option<BootNumber>,
    /// How often its machine came up.
    pub boots: u64,
}

impl Account {
    /// An empty account. `id` is the twelve-digit account number.
    #[must_use]
    pub fn new(region: impl Into<String>, id: impl Into<String>, timings: Timings) -> Self {
        Self {
            region: region.into(),
            id: id.into(),
            timings,
            now: Time::UNIX_EPOCH,
            instances: Instances::new(),
            configs: BTreeMap::new(),
            tags: TagBook::new(),
            faults: Faults::default(),
            effects: Vec::new(),
            last_boot: 0,
            calls: CallBook::default(),
        }
    }

    /// Changes the durations of what begins from now on.
    pub fn set_timings(&mut self, timings: Timings) {
        self.timings = timings;
    }

    /// The ARN of an instance of this name; the name in it is lower case, as seen on AWS.
    #[must_use]
    pub fn instance_arn(&self, name: &str) -> String {
        self.arn("notebook-instance", name)
    }

    /// The ARN of a lifecycle configuration of this name.
    #[must_use]
    pub fn config_arn(&self, name: &str) -> String {
        self.arn("notebook-instance-lifecycle-config", name)
    }

    fn arn(&self, kind: &str, name: &str) -> String {
        let name = name.to_ascii_lowercase();
        format!("arn:aws:sagemaker:{}:{}:{kind}/{name}", self.region, self.id)
    }

    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Answers one request. What has come due until `now` happens first; effects wait for
    /// [`Account::advance`].
    ///
    /// # Errors
    /// As the service answers them, or as a fault has it.
    pub fn apply(&mut self, now: Time, caller: &str, command: Command) -> Result<Response, ApiError> {
        self.tick(now);
        let operation = command.operation();
        let instance = command.instance().map(str::to_owned);
        let (result, outcome) = self.answer(operation, instance.as_deref(), command);
        if let Some(name) = instance.filter(|name| validate::name(name, NAME_MEMBER).is_ok()) {
            let call = RecordedCall { at: self.now, caller: caller.to_owned(), operation, outcome };
            self.calls.record(&name, call);
        }
        // Durations of zero end at once.
        self.tick(now);
        result
    }

    fn answer(
        &mut self,
        operation: Operation,
        instance: Option<&str>,
        command: Command,
    ) -> (Result<Response, ApiError>, CallOutcome) {
        if let Some(error) = self.faults.refusal(operation, instance) {
            let outcome = CallOutcome::refused(&error);
            return (Err(error), outcome);
        }
        match self.execute(command) {
            Err(error) => {
                let outcome = CallOutcome::refused(&error);
                (Err(error), outcome)
            }
            Ok(_) if self.faults.loses_answer(operation, instance) => {
                (Err(ApiError::InternalFailure), CallOutcome::AnswerLost)
            }
            Ok(response) => (Ok(response), CallOutcome::Accepted),
        }
    }

    fn execute(&mut self, command: Command) -> Result<Response, ApiError> {
        let now = self.now;
        match command {
            Command::CreateInstance(new) => self.create(now, new),
            Command::DescribeInstance { name } => self.describe(now, &name),
            Command::ListInstances(query, filter) => self.list(&query, &filter),
            Command::Start { name } => self.start(now, &name),
            Command::Stop { name } => self.stop(now, &name),
            Command::Update(update) => self.update(now, update),
            Command::Delete { name } => self.delete(now, &name),
            Command::CreateConfig(new) => self.create_config(now, new),
            Command::DescribeConfig { name } => self.describe_config(&name),
            Command::UpdateConfig(change) => self.update_config(now, &change),
            Command::DeleteConfig { name } => self.delete_config(&name),
            Command::ListConfigs(query) => self.list_configs(&query),
            Command::AddTags { arn, tags } => self.add_tags(&arn, tags),
            Command::ListTags { arn } => self.list_tags(&arn),
            Command::DeleteTags { arn, keys } => self.delete_tags(&arn, &keys),
        }
    }

    fn find(&self, name: &str) -> Result<&Instance, ApiError> {
        validate::name(name, NAME_MEMBER)?;
        self.instances.get(name).ok_or(ApiError::RecordNotFound)
    }

    /// The instance, if its state allows the operation.
    fn find_for(&self, name: &str, operation: Operation) -> Result<&Instance, ApiError> {
        let instance = self.find(name)?;
        let view = &instance.view;
        match operation.transition() {
            Some((legal, target)) if !legal.contains(&view.status) => {
                Err(ApiError::IllegalTransition { status: view.status, legal, target, arn: view.arn.clone() })
            }
            _ => Ok(instance),
        }
    }

    fn check_quota(&mut self, name: &str, instance_type: &str) -> Result<(), ApiError> {
        if self.faults.fires(name, &FaultKind::Quota).is_none() {
            return Ok(());
        }
        let on = |status| {
            !matches!(
                status,
                NotebookInstanceStatus::Stopped | NotebookInstanceStatus::Failed | NotebookInstanceStatus::Deleting
            )
        };
        let in_use = self
            .instances
            .values()
            .filter(|other| other.view.settings.instance_type == instance_type && on(other.view.status))
            .count();
        Err(ApiError::ResourceLimitExceeded {
            what: format!("{instance_type} for notebook instance usage"),
            limit: in_use,
            in_use,
            unit: "Instances",
        })
    }

    fn provisioning(&mut self, now: Time, name: &str, plan: BootPlan) -> Phase {
        let held_by = self.faults.fires(name, &FaultKind::StuckPending);
        let missing = self.faults.fire(Some(name), |kind| match kind {
            FaultKind::MissingCapacity { after } => Some(*after),
            _ => None,
        });
        let (pending, then) = match missing {
            Some((_, after)) => (after, Provisioned::NoCapacity),
            None => (self.timings.pending, Provisioned::Boot),
        };
        Phase::Provisioning { due: Due { at: now + pending, held_by }, then, plan }
    }

    fn create(&mut self, now: Time, new: CreateInstance) -> Result<Response, ApiError> {
        validate::name(&new.name, NAME_MEMBER)?;
        validate::settings(&new.settings)?;
        tags::check_count(&new.tags)?;
        let arn = self.instance_arn(&new.name);
        if self.instances.values().any(|other| other.view.arn == arn) {
            return Err(ApiError::Duplicate { what: "Notebook Instance", arn });
        }
        let plan = self.boot_plan(new.settings.lifecycle_config.as_deref(), true)?;
        self.check_quota(&new.name, &new.settings.instance_type)?;
        if self.instances.len() == INSTANCE_LIMIT {
            return Err(ApiError::ResourceLimitExceeded {
                what: "Total number of notebook instances".to_owned(),
                limit: INSTANCE_LIMIT,
                in_use: INSTANCE_LIMIT,
                unit: "Instances",
            });
        }
        let phase = self.provisioning(now, &new.name, plan);
        let view = InstanceView {
            name: new.name.clone(),
            arn: arn.clone(),
            status: NotebookInstanceStatus::Pending,
            failure_reason: None,
            created: now,
            modified: now,
            settings: Arc::new(new.settings),
        };
        self.tags.insert(arn.clone(), new.tags);
        self.effects.push(Effect::StateChanged {
            instance: new.name.clone(),
            from: None,
            to: NotebookInstanceStatus::Pending,
            at: now,
            failure_reason: None,
        });
        self.instances.insert(new.name, Instance::new(view, phase));
        Ok(Response::InstanceArn(arn))
    }

    fn describe(&mut self, now: Time, name: &str) -> Result<Response, ApiError> {
        let stale = self.faults.fire(Some(name), |kind| match kind {
            FaultKind::StaleDescribe { age } => Some(*age),
            _ => None,
        });
        let instance = self.find(name)?;
        let view = stale.map_or(&instance.view, |(_, age)| instance.view_at(now - age));
        Ok(Response::Instance(Box::new(view.clone())))
    }

    fn list(&self, query: &ListQuery<InstanceSort>, filter: &InstanceFilter) -> Result<Response, ApiError> {
        let wanted = self.instances.values().map(|instance| &instance.view).filter(|view| filter.wants(view));
        query.page(wanted.cloned()).map(Response::Instances)
    }

    fn start(&mut self, now: Time, name: &str) -> Result<Response, ApiError> {
        let view = &self.find_for(name, Operation::StartNotebookInstance)?.view;
        let (before, reason, settings) = (view.status, view.failure_reason.clone(), view.settings.clone());
        let plan = self.boot_plan(settings.lifecycle_config.as_deref(), false)?;
        self.check_quota(name, &settings.instance_type)?;
        if let Some(pending) = self.faults.drops_start(name) {
            if !pending.is_zero() {
                let due = Due { at: now + pending, held_by: None };
                let then = Provisioned::Back { to: before, reason };
                self.enter(now, name, NotebookInstanceStatus::Pending, None, Phase::Provisioning { due, then, plan });
            }
            return Ok(Response::Empty);
        }
        let phase = self.provisioning(now, name, plan);
        self.enter(now, name, NotebookInstanceStatus::Pending, None, phase);
        Ok(Response::Empty)
    }

    fn stop(&mut self, now: Time, name: &str) -> Result<Response, ApiError> {
        self.find_for(name, Operation::StopNotebookInstance)?;
        let held_by = self.faults.fires(name, &FaultKind::StuckStopping);
        let phase = Phase::Stopping {
            kill_at: Some(now + self.timings.shutdown),
            killed: false,
            due: Due { at: now + self.timings.stopping, held_by },
        };
        self.enter(now, name, NotebookInstanceStatus::Stopping, None, phase);
        Ok(Response::Empty)
    }

    fn update(&mut self, now: Time, update: UpdateInstance) -> Result<Response, ApiError> {
        let instance = self.find_for(&update.name, Operation::UpdateNotebookInstance)?;
        let old = instance.view.settings.as_ref().clone();
        if let LifecycleChange::Set(config) = &update.lifecycle_config {
            self.boot_plan(Some(config), false)?;
        }
        let volume_gb = update.volume_gb.unwrap_or(old.volume_gb);
        validate::volume(old.volume_gb, volume_gb)?;
        let settings = InstanceSettings {
            instance_type: update.instance_type.unwrap_or(old.instance_type),
            role_arn: update.role_arn.unwrap_or(old.role_arn),
            lifecycle_config: update.lifecycle_config.of(old.lifecycle_config),
            volume_gb,
            ip_address_type: update.ip_address_type.unwrap_or(old.ip_address_type),
            accelerator_types: update.accelerator_types.of(Some(old.accelerator_types)).unwrap_or_default(),
            default_code_repository: update.default_code_repository.of(old.default_code_repository),
            additional_code_repositories: update
                .additional_code_repositories
                .of(Some(old.additional_code_repositories))
                .unwrap_or_default(),
            root_access: update.root_access.unwrap_or(old.root_access),
            platform: update.platform.unwrap_or(old.platform),
            imds_version: update.imds_version.unwrap_or(old.imds_version),
            ..old
        };
        validate::settings(&settings)?;
        let due = Due { at: now + self.timings.updating, held_by: None };
        let phase = Phase::Updating { due, settings: Box::new(settings) };
        self.enter(now, &update.name, NotebookInstanceStatus::Updating, None, phase);
        Ok(Response::Empty)
    }

    fn delete(&mut self, now: Time, name: &str) -> Result<Response, ApiError> {
        self.find_for(name, Operation::DeleteNotebookInstance)?;
        let due = Due { at: now + self.timings.deleting, held_by: None };
        self.enter(now, name, NotebookInstanceStatus::Deleting, None, Phase::Deleting { due });
        Ok(Response::Empty)
    }

    /// Arms a fault.
    ///
    /// # Errors
    /// Too many are armed, or a maintenance has no number of times.
    pub fn arm(&mut self, now: Time, fault: InstanceFault) -> Result<FaultId, FaultError> {
        self.tick(now);
        let id = self.faults.arm(fault)?;
        self.maintain_the_steady();
        Ok(id)
    }

    /// The armed faults, the used-up ones too.
    #[must_use]
    pub fn faults(&self) -> &[ArmedFault] {
        self.faults.list()
    }

    /// Clears one fault, or all of them; what they held goes on. Tells how many were cleared.
    pub fn clear_faults(&mut self, now: Time, id: Option<FaultId>) -> usize {
        self.tick(now);
        let cleared = self.faults.clear(id);
        let (now, faults) = (self.now, &self.faults);
        for instance in self.instances.values_mut() {
            instance.release(now, |held_by| !faults.is_armed(held_by));
        }
        cleared
    }

    /// The truth about one instance as of the latest time seen.
    #[must_use]
    pub fn snapshot(&self, name: &str) -> Option<Snapshot> {
        self.instances.get(name).map(|instance| Snapshot {
            view: instance.view.clone(),
            boot: instance.boot,
            boots: instance.boots,
        })
    }

    /// The names of the instances there are.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.instances.keys().map(String::as_str)
    }

    /// The calls to one name; `None` when there were none.
    #[must_use]
    pub fn calls(&self, name: &str) -> Option<&InstanceCalls> {
        self.calls.of(name)
    }

    /// Every name that was called, existing or not.
    pub fn called_names(&self) -> impl Iterator<Item = &str> {
        self.calls.names()
    }
}
