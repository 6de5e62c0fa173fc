//! The operations on lifecycle configurations.

use std::collections::VecDeque;

use crate::{
    Account, ApiError, ConfigSort, ConfigView, CreateConfig, Hook, ListQuery, Response, Time,
    instance::BootPlan,
    lifecycle::{Config, Script},
    tags, validate,
};

const NAME_MEMBER: &str = "notebookInstanceLifecycleConfigName";
/// Configurations of one account: a bound on memory, far above AWS's own quota.
const CONFIG_LIMIT: usize = 1000;

fn decode(content: Option<&String>, hook: Hook) -> Result<Option<Script>, ApiError> {
    let member = match hook {
        Hook::OnCreate => "onCreate.1.member.content",
        Hook::OnStart => "onStart.1.member.content",
    };
    content.map(|content| Script::decode(content, member)).transpose()
}

impl Account {
    pub(crate) fn create_config(&mut self, now: Time, new: CreateConfig) -> Result<Response, ApiError> {
        validate::name(&new.name, NAME_MEMBER)?;
        tags::check_count(&new.tags)?;
        let on_create = decode(new.on_create.as_ref(), Hook::OnCreate)?;
        let on_start = decode(new.on_start.as_ref(), Hook::OnStart)?;
        let arn = self.config_arn(&new.name);
        // Names that differ in case only would share one ARN, and so its tags.
        if self.configs.keys().any(|name| name.eq_ignore_ascii_case(&new.name)) {
            return Err(ApiError::Duplicate { what: "Notebook Instance Lifecycle Config", arn });
        }
        if self.configs.len() == CONFIG_LIMIT {
            return Err(ApiError::ResourceLimitExceeded {
                what: "Total number of notebook instance lifecycle configs".to_owned(),
                limit: CONFIG_LIMIT,
                in_use: CONFIG_LIMIT,
                unit: "NotebookInstanceLifecycleConfigs",
            });
        }
        self.tags.insert(arn.clone(), new.tags);
        self.configs.insert(new.name, Config { on_create, on_start, created: now, modified: now });
        Ok(Response::ConfigArn(arn))
    }

    fn config_view(&self, name: &str, verb: &'static str) -> Result<ConfigView, ApiError> {
        let arn = self.config_arn(name);
        match self.configs.get(name) {
            Some(config) => Ok(config.view(name, arn)),
            None => Err(ApiError::ConfigNotFound { verb, arn }),
        }
    }

    pub(crate) fn describe_config(&self, name: &str) -> Result<Response, ApiError> {
        validate::name(name, NAME_MEMBER)?;
        Ok(Response::Config(Box::new(self.config_view(name, "describe")?)))
    }

    pub(crate) fn update_config(&mut self, now: Time, change: &CreateConfig) -> Result<Response, ApiError> {
        validate::name(&change.name, NAME_MEMBER)?;
        let on_create = decode(change.on_create.as_ref(), Hook::OnCreate)?;
        let on_start = decode(change.on_start.as_ref(), Hook::OnStart)?;
        let arn = self.config_arn(&change.name);
        let Some(config) = self.configs.get_mut(&change.name) else {
            return Err(ApiError::ConfigNotFound { verb: "update", arn });
        };
        config.on_create = on_create.or(config.on_create.take());
        config.on_start = on_start.or(config.on_start.take());
        config.modified = now;
        Ok(Response::Empty)
    }

    /// That a configuration in use can be deleted is inferred: nothing in AWS's documents forbids it.
    pub(crate) fn delete_config(&mut self, name: &str) -> Result<Response, ApiError> {
        validate::name(name, NAME_MEMBER)?;
        let arn = self.config_arn(name);
        if self.configs.remove(name).is_none() {
            return Err(ApiError::ConfigNotFound { verb: "delete", arn });
        }
        self.tags.remove(&arn);
        Ok(Response::Empty)
    }

    pub(crate) fn list_configs(&self, query: &ListQuery<ConfigSort>) -> Result<Response, ApiError> {
        let all = self.configs.iter().map(|(name, config)| config.view(name, self.config_arn(name)));
        query.page(all).map(Response::Configs)
    }

    /// The scripts that the next boot of an instance with this configuration has to run.
    pub(crate) fn boot_plan(&self, config: Option<&str>, first: bool) -> Result<BootPlan, ApiError> {
        let Some(name) = config else {
            return Ok(BootPlan { scripts: VecDeque::new(), config_arn: String::new() });
        };
        let config_arn = self.config_arn(name);
        let Some(config) = self.configs.get(name) else {
            return Err(ApiError::ConfigNotFound { verb: "describe", arn: config_arn });
        };
        let on_create = config.on_create.as_ref().filter(|_| first).map(|script| (Hook::OnCreate, script));
        let on_start = config.on_start.as_ref().map(|script| (Hook::OnStart, script));
        let scripts =
            on_create.into_iter().chain(on_start).map(|(hook, script)| (hook, script.bytes.clone())).collect();
        Ok(BootPlan { scripts, config_arn })
    }
}
