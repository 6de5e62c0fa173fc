//! The servers of the local AWS, started beside each other on free ports. Deploys nothing.

use std::collections::BTreeMap;

use reveille_notebook_service::{AccessKey, Config, NotebookService, ServiceError, serve};

use crate::{
    Clients, LocalError, Options, Project, environment,
    folder::Folder,
    ministack::{self, Files, Ministack},
};

/// The servers, and how they are reached.
pub(crate) struct Servers {
    // Dropped in this order: instances before the AWS that they talk to.
    pub(crate) service: NotebookService,
    pub(crate) ministack: Ministack,
    pub(crate) clients: Clients,
    pub(crate) environment: BTreeMap<String, String>,
}

impl Servers {
    /// Starts them, with their files in a folder.
    ///
    /// # Errors
    /// One does not come up; the other one is stopped.
    pub(crate) async fn start(project: &Project, options: &Options, folder: &Folder) -> Result<Self, LocalError> {
        let key = AccessKey::random().map_err(ServiceError::AccessKey)?;
        environment::on_free_ports(async |aws_port, sagemaker_port| {
            Self::start_on(project, options, folder, &key, (aws_port, sagemaker_port)).await
        })
        .await
    }

    async fn start_on(
        project: &Project,
        options: &Options,
        folder: &Folder,
        key: &AccessKey,
        (aws_port, sagemaker_port): (u16, u16),
    ) -> Result<Self, LocalError> {
        let (aws, sagemaker) = (Ministack::endpoint(aws_port), Ministack::endpoint(sagemaker_port));
        let environment = environment::clients(&aws, &sagemaker, key);
        let mut config = Config::new(folder.path().join("notebook-service"));
        config.port = sagemaker_port;
        config.path = environment::path(&project.tools());
        config.environment = environment.clone();
        config.access_key = Some(key.clone());
        config.authorizer = Some(format!("127.0.0.1:{aws_port}"));
        config.machines.clone_from(&options.machines);
        config.forwarded_ports.clone_from(&options.forwarded_ports);
        if config.machines.is_none() {
            // The pinned papermill of the local tools, or none: a folder installs nothing by itself. A machine does, as
            // on AWS, and does not have this path.
            config.environment.insert("REVEILLE_PYTHON".to_owned(), project.tool("python")?.display().to_string());
        }
        config.timings = options.timings.clone();
        config.on_state_change.clone_from(&options.on_state_change);
        let service = serve(config).await?;
        let mut variables = environment.clone();
        variables.insert("PATH".to_owned(), environment::path(&project.tools()));
        let ports: Vec<String> = options.forwarded_ports.iter().map(u16::to_string).collect();
        variables.insert(ministack::FORWARDED.to_owned(), ports.join(","));
        let python = project.tool("python")?;
        let files = folder.path().join("ministack");
        let files = Files { folder: &files, kept: folder.is_kept() };
        let ministack = Ministack::start(&python, files, aws_port, key, &variables).await?;
        Ok(Self { service, ministack, clients: Clients::new(&aws, &sagemaker, key), environment })
    }
}
