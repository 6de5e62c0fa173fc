//! The environment of everything that runs in the local AWS: endpoints, and credentials that open nothing else.

use std::{
    collections::BTreeMap,
    env,
    net::{Ipv4Addr, TcpListener},
};

use reveille_notebook_service::AccessKey;

use crate::LocalError;

/// The region of the local AWS.
pub const REGION: &str = "us-east-1";
/// The account of the local AWS.
pub const ACCOUNT: &str = "000000000000";
/// The variable with the access key of this start, which every request's credential names.
pub(crate) const ACCESS_KEY: &str = "AWS_ACCESS_KEY_ID";
/// What requests are signed with. Nothing verifies a signature: the access key is the secret.
pub(crate) const SECRET_KEY: &str = "local";
/// Starts on ports that somebody else took each time. Once is rare; as often as this there is another reason.
const MOST_STARTS: u32 = 5;
/// What programs need of their user's environment; nothing else is handed on, so that no profile, proxy or
/// credential of a real account can reach them.
const HANDED_ON: [&str; 5] = ["HOME", "LANG", "LC_ALL", "TZ", "USER"];

/// The standard variables that make every AWS client use these endpoints.
pub(crate) fn clients(aws: &str, sagemaker: &str, key: &AccessKey) -> BTreeMap<String, String> {
    [
        (ACCESS_KEY, key.as_str()),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_ENDPOINT_URL", aws),
        ("AWS_ENDPOINT_URL_SAGEMAKER", sagemaker),
        // Whatever the user has configured is about another account.
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_PAGER", ""),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

/// What a program gets of the user's environment.
pub(crate) fn handed_on() -> BTreeMap<String, String> {
    HANDED_ON.iter().filter_map(|name| Some(((*name).to_owned(), env::var(name).ok()?))).collect()
}

/// The tools' folder before the system's.
pub(crate) fn path(tools: &std::path::Path) -> String {
    format!("{}:/usr/local/bin:/usr/bin:/bin", tools.display())
}

/// Starts something on two ports that are free. It is started again on others where somebody took one in between: a program binds
/// the ports that it is told some time after they were looked for, and until then every connection that anybody opens may get one.
///
/// # Errors
/// No port can be had, the start's own, or the ports were taken each time.
pub(crate) async fn on_free_ports<T>(
    mut start: impl AsyncFnMut(u16, u16) -> Result<T, LocalError>,
) -> Result<T, LocalError> {
    let mut starts = 1;
    loop {
        let (first, second) = free_ports()?;
        match start(first, second).await {
            Err(error) if error.is_port_taken() && starts < MOST_STARTS => starts += 1,
            ended => return ended,
        }
    }
}

/// Ports that are free now. Both are bound at once, so that they differ.
fn free_ports() -> Result<(u16, u16), LocalError> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(LocalError::Port);
    let (first, second) = (bind()?, bind()?);
    let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port()).map_err(LocalError::Port);
    Ok((port(&first)?, port(&second)?))
}

#[cfg(test)]
mod tests {
    use super::{AccessKey, MOST_STARTS, clients, free_ports, on_free_ports};
    use crate::LocalError;

    #[test]
    fn two_ports_differ() {
        let (first, second) = free_ports().unwrap();
        assert_ne!(first, second);
    }

    #[tokio::test]
    async fn a_port_that_was_taken_in_between_is_not_the_end() {
        let taken = |port| Err(LocalError::PortTaken { port, tail: String::new() });
        let mut ports = Vec::new();
        let started = on_free_ports(async |first, _| {
            ports.push(first);
            if ports.len() < 3 { taken(first) } else { Ok(first) }
        });
        assert_eq!(started.await.unwrap(), *ports.last().unwrap());
        assert_eq!(ports.len(), 3);

        let mut starts = 0;
        let always = on_free_ports(async |first, _| {
            starts += 1;
            taken(first)
        });
        assert!(always.await.unwrap_err().is_port_taken());
        assert_eq!(starts, MOST_STARTS);

        let mut starts = 0;
        let other = on_free_ports(async |_, _| {
            starts += 1;
            Err::<(), _>(LocalError::Ministack { reason: "ended".to_owned(), tail: String::new() })
        });
        assert!(other.await.is_err());
        assert_eq!(starts, 1, "another reason stays the same");
    }

    #[test]
    fn nothing_of_the_user_reaches_the_clients() {
        let environment = clients("http://127.0.0.1:1", "http://127.0.0.1:2", &AccessKey::random().unwrap());
        assert_eq!(environment["AWS_ENDPOINT_URL_SAGEMAKER"], "http://127.0.0.1:2");
        assert_eq!(environment["AWS_CONFIG_FILE"], "/dev/null");
        assert!(!environment.contains_key("AWS_PROFILE"));
    }
}
