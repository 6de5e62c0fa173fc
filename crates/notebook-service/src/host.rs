//! The one seam for processes: an instance is a folder with processes that carry its marks, or a machine that boots.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use reveille_instance_model::Hook;

use crate::{
    AccessKey, Config, MachineDisk,
    booted::{self, Booted, Named},
    launch::{Boot, Launch},
    network::Endpoint,
    processes::{KillError, kill_boot, processes_of_boot},
    roles::{KEY_VARIABLE, TOKEN_VARIABLE},
    uuid,
};

/// What instances are.
pub(crate) enum Host {
    Folders,
    Machines(Booted),
}

impl Host {
    pub(crate) fn new(config: &Config) -> Self {
        match &config.machines {
            None => Self::Folders,
            Some(machines) => Self::Machines(Booted::new(machines.clone(), config.directory.join("machines"))),
        }
    }

    /// Whether a boot takes so long that nothing else may wait for it.
    pub(crate) const fn boots_slowly(&self) -> bool {
        matches!(self, Self::Machines(_))
    }

    /// Brings an instance up. Blocks.
    pub(crate) fn boot(
        &self,
        disk: &MachineDisk,
        named: &Named<'_>,
        config: &Config,
        console: &Path,
    ) -> io::Result<Boot> {
        match self {
            Self::Folders => {
                let id = uuid::fresh()?;
                disk.boot(&id, named.name, named.arn)?;
                Ok(Boot { id, role: named.role.to_owned(), machine: None })
            }
            Self::Machines(machines) => machines.boot(disk, named, &of_the_role(config, named.role), console),
        }
    }

    /// Makes a subnet, where instances are machines; folders have this process's network.
    pub(crate) fn set_subnet(&self, subnet: String, endpoints: Vec<Endpoint>) {
        match self {
            Self::Folders => {}
            Self::Machines(machines) => machines.set_subnet(subnet, endpoints),
        }
    }

    /// Where a script is written, as this process sees it, and how it is started.
    pub(crate) fn launch(
        disk: &MachineDisk,
        boot: &Boot,
        hook: Hook,
        content: &[u8],
        config: &Config,
    ) -> (PathBuf, Launch) {
        let bash = !content.starts_with(b"#!");
        let name = format!("{hook}_{}", boot.id);
        if let Some((_, leader)) = &boot.machine {
            let file = format!("/tmp/{name}");
            let seen = PathBuf::from(format!("/proc/{leader}/root{file}"));
            return (seen, booted::launch(*leader, hook.as_str(), &file, bash, &config.environment));
        }
        let root = disk.root();
        let file = root.join("tmp").join(name);
        let mut environment = of_the_role(config, &boot.role);
        for (name, value) in [
            ("PATH", config.path.clone()),
            ("HOME", root.join("root").display().to_string()),
            ("REVEILLE_ROOT", root.display().to_string()),
            ("REVEILLE_BOOT", boot.id.clone()),
        ] {
            environment.insert(name.to_owned(), value);
        }
        let shell = bash.then(|| OsString::from("/bin/bash"));
        let argv = shell.into_iter().chain([file.clone().into_os_string()]).collect();
        (file, Launch { argv, environment, directory: root.to_owned() })
    }

    /// Ends a boot, as a Stop does; tells how many processes it had. Blocks.
    pub(crate) fn end(&self, disk: &MachineDisk, boot: &Boot, grace: Duration) -> Result<usize, KillError> {
        match (self, &boot.machine) {
            (Self::Machines(machines), Some((machine, leader))) => {
                let count = booted::processes(machine).map_or(0, |pids| pids.len());
                machines.end(machine, Some((*leader, grace))).map(|()| count)
            }
            _ => kill_boot(disk.root(), &boot.id, grace),
        }
    }

    pub(crate) fn processes(disk: &MachineDisk, boot: &Boot) -> io::Result<Vec<i32>> {
        match &boot.machine {
            Some((machine, _)) => booted::processes(machine),
            None => processes_of_boot(disk.root(), &boot.id),
        }
    }

    /// Ends every boot there is at once.
    pub(crate) fn end_all(&self, boots: &[(MachineDisk, Boot)], grace: Duration) -> Result<(), KillError> {
        let mut result = match self {
            Self::Machines(machines) => machines.end_all(),
            Self::Folders => Ok(()),
        };
        for (disk, boot) in boots.iter().filter(|(_, boot)| boot.machine.is_none()) {
            // The others are killed too, whatever becomes of this one.
            result = result.and(kill_boot(disk.root(), &boot.id, grace).map(|_| ()));
        }
        result
    }
}

/// The environment of what runs on an instance of this role. The role's mark goes only with this start's own key: with a
/// key of AWS, which the user configured, AWS would refuse it as a token.
fn of_the_role(config: &Config, role: &str) -> BTreeMap<String, String> {
    let mut environment = config.environment.clone();
    let own = config.access_key.as_ref().map(AccessKey::as_str);
    if own.is_some() && environment.get(KEY_VARIABLE).map(String::as_str) == own {
        environment.entry(TOKEN_VARIABLE.to_owned()).or_insert_with(|| role.to_owned());
    }
    environment
}

#[cfg(test)]
mod tests {
    use super::{AccessKey, Config, KEY_VARIABLE, TOKEN_VARIABLE, of_the_role};

    #[test]
    fn only_the_own_key_is_marked_with_the_role() {
        let own = AccessKey::random().unwrap();
        let token = |key: Option<&str>, token: Option<&str>| {
            let mut config = Config::new("unused");
            config.access_key = Some(own.clone());
            for (name, value) in [(KEY_VARIABLE, key), (TOKEN_VARIABLE, token)] {
                config.environment.extend(value.map(|value| (name.to_owned(), value.to_owned())));
            }
            of_the_role(&config, "arn:aws:iam::000000000000:role/x").remove(TOKEN_VARIABLE)
        };
        assert_eq!(token(Some(own.as_str()), None).as_deref(), Some("arn:aws:iam::000000000000:role/x"));
        assert_eq!(token(Some("AKIAIOSFODNN7EXAMPLE"), None), None);
        assert_eq!(token(None, None), None);
        assert_eq!(token(Some("ASIAIOSFODNN7EXAMPLE"), Some("session")).as_deref(), Some("session"));
    }
}
