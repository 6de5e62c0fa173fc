//! Makes notebook instances through the `SageMaker` API, as `infra/instance.yaml` does on AWS, and leaves them stopped.

use std::time::Duration;

use aws_sdk_sagemaker::types::{
    DirectInternetAccess, InstanceType, NotebookInstanceLifecycleHook, NotebookInstanceStatus as Status,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use reveille_notebook_service::NotebookService;
use tokio::time::{Instant, sleep};

use crate::{
    Clients, LocalError,
    environment::{ACCOUNT, REGION},
};

/// Local transitions take half a second each. A machine has a minute to boot, and half of one to end.
const LIMIT: Duration = Duration::from_mins(3);
const LOOK: Duration = Duration::from_millis(50);

/// Makes a lifecycle configuration with this on-start script.
///
/// # Errors
/// The service refuses it.
pub(crate) async fn create_config(clients: &Clients, name: &str, on_start: &str) -> Result<(), LocalError> {
    let hook = NotebookInstanceLifecycleHook::builder().content(STANDARD.encode(on_start)).build();
    let created = clients
        .sagemaker
        .create_notebook_instance_lifecycle_config()
        .notebook_instance_lifecycle_config_name(name)
        .on_start(hook)
        .send()
        .await;
    created.map(|_| ()).map_err(LocalError::aws(format!("create the lifecycle configuration {name}")))
}

/// Makes an instance without a lifecycle configuration, waits for its first boot, and stops it: that boot is nobody's,
/// and no script need run in it.
///
/// # Errors
/// The service refuses it, or it does not stop.
pub(crate) async fn create_stopped(
    clients: &Clients,
    service: &NotebookService,
    name: &str,
    subnet: Option<&str>,
) -> Result<(), LocalError> {
    let sagemaker = &clients.sagemaker;
    let role = format!("arn:aws:iam::{ACCOUNT}:role/{name}");
    let created = sagemaker
        .create_notebook_instance()
        .notebook_instance_name(name)
        .instance_type(InstanceType::MlT3Medium)
        .role_arn(role)
        .set_subnet_id(subnet.map(str::to_owned))
        .set_direct_internet_access(subnet.map(|_| DirectInternetAccess::Disabled))
        .send()
        .await;
    created.map_err(LocalError::aws(format!("create the notebook instance {name} in {REGION}")))?;
    wait_for(service, name, Status::InService.as_str()).await?;
    let stopped = sagemaker.stop_notebook_instance().notebook_instance_name(name).send().await;
    stopped.map_err(LocalError::aws(format!("stop the notebook instance {name}")))?;
    wait_for(service, name, Status::Stopped.as_str()).await
}

/// Gives a stopped instance a lifecycle configuration.
///
/// # Errors
/// The service refuses it, or the change takes too long.
pub(crate) async fn set_config(
    clients: &Clients,
    service: &NotebookService,
    name: &str,
    config: &str,
) -> Result<(), LocalError> {
    let updated = clients
        .sagemaker
        .update_notebook_instance()
        .notebook_instance_name(name)
        .lifecycle_config_name(config)
        .send()
        .await;
    updated.map_err(LocalError::aws(format!("give the notebook instance {name} its lifecycle configuration")))?;
    wait_for(service, name, Status::Stopped.as_str()).await
}

async fn wait_for(service: &NotebookService, name: &str, status: &str) -> Result<(), LocalError> {
    let deadline = Instant::now() + LIMIT;
    let action = || format!("bring the notebook instance {name} to {status}");
    loop {
        let view = service.snapshot(name).map(|snapshot| snapshot.view);
        let seen = view.as_ref().map_or("gone", |view| view.status.as_str());
        if seen == status {
            return Ok(());
        }
        // Nothing that is waited for here follows on it.
        if let Some(reason) = view.as_ref().and_then(|view| view.failure_reason.clone())
            && seen == Status::Failed.as_str()
        {
            return Err(LocalError::Instance { action: action(), reason });
        }
        if Instant::now() > deadline {
            return Err(LocalError::Aws { action: action(), message: format!("it is still {seen} after {LIMIT:?}") });
        }
        sleep(LOOK).await;
    }
}
