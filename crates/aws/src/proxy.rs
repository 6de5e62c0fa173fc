//! Proxies: which of our requests go through one, by the variables that every other tool on the machine reads.
//!
//! Owns how the variables are read: `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, each also in lower case, which
//! wins where both are set, as for boto3, pip and the aws command. Never shows a value: it may hold a password.

use aws_smithy_http_client::proxy::ProxyConfig;

/// What is never behind a proxy: this machine, and the link-local addresses where the role's credentials are (of EC2, ECS and
/// EKS, also as IPv6).
const ALWAYS_DIRECT: &str = "localhost,127.0.0.0/8,::1,169.254.0.0/16,fe80::/10,fd00:ec2::/32";

/// The proxies in force. Not to be shown: a configuration's debug form has the password.
#[derive(Clone)]
pub(crate) struct Proxies {
    /// For `http://` endpoints.
    pub http: ProxyConfig,
    /// For `https://` endpoints.
    pub https: ProxyConfig,
}

impl Proxies {
    /// The proxies of the environment; `None` when it names none.
    ///
    /// # Errors
    /// A sentence that names the variable whose value is no URL of a proxy.
    pub(crate) fn from_env() -> Result<Option<Self>, String> {
        Self::read(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, String> {
        // Set and empty is "none" for this one, whatever its twin in capitals says.
        let value = |name: &'static str| {
            let lower = name.to_ascii_lowercase();
            let found = variable(&lower).map(|value| (lower, value));
            found.or_else(|| variable(name).map(|value| (name.to_owned(), value)))
        };
        let proxy = |name| value(name).or_else(|| value("ALL_PROXY")).filter(|(_, url)| !url.trim().is_empty());
        let (http, https) = (proxy("HTTP_PROXY"), proxy("HTTPS_PROXY"));
        if http.is_none() && https.is_none() {
            return Ok(None);
        }
        let direct = direct(&value("NO_PROXY").map(|(_, list)| list).unwrap_or_default());
        let config = |proxy: Option<(String, String)>, make: fn(String) -> Result<ProxyConfig, String>| match proxy {
            None => Ok(ProxyConfig::disabled()),
            Some((name, url)) => match port_is_one(&url).and_then(|()| make(with_scheme(&url))) {
                Ok(config) => Ok(config.no_proxy(&direct)),
                Err(reason) => Err(format!(
                    "{name} is set, but is not the URL of a proxy ({reason}). Write http://host:port or https://host:port, or unset it."
                )),
            },
        };
        Ok(Some(Self {
            http: config(http, |url| ProxyConfig::http(url).map_err(|error| error.to_string()))?,
            https: config(https, |url| ProxyConfig::https(url).map_err(|error| error.to_string()))?,
        }))
    }
}

/// `proxy:3128` is `http://proxy:3128`, as elsewhere.
fn with_scheme(url: &str) -> String {
    let url = url.trim();
    if url.contains("://") { url.to_owned() } else { format!("http://{url}") }
}

/// The client takes the default port for one that is no number.
fn port_is_one(url: &str) -> Result<(), String> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest).trim();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let after_host = host.rsplit_once(']').map_or(host, |(_, after)| after);
    match after_host.split_once(':').map(|(_, port)| port.parse::<u16>()) {
        None | Some(Ok(1..)) => Ok(()),
        Some(Ok(0) | Err(_)) => Err("its port is not a number from 1 to 65535".to_owned()),
    }
}

/// `NO_PROXY` in the form that the client knows: hosts, domains with what is below them, addresses and networks, `*`.
/// Elsewhere `*.domain` and `host:port` are understood too, and blanks part entries as commas do.
fn direct(list: &str) -> String {
    let entries = list.split([',', ' ', '\t', '\n']).filter(|entry| !entry.is_empty());
    entries.map(entry).fold(ALWAYS_DIRECT.to_owned(), |direct, entry| format!("{direct},{entry}"))
}

fn entry(entry: &str) -> &str {
    let entry = entry.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(entry);
    if let Some(address) = entry.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
        return address;
    }
    match entry.split_once(':') {
        // More than one colon: an address of IPv6.
        Some((host, port)) if !host.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        Some(_) | None => entry,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<Proxies>, String> {
        Proxies::read(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    /// Whether there is a proxy for http, and for https.
    fn proxied(variables: &[(&str, &str)]) -> [bool; 2] {
        read(variables).unwrap().map_or([false; 2], |found| [!found.http.is_disabled(), !found.https.is_disabled()])
    }

    #[test]
    fn without_a_variable_there_is_nothing() {
        assert!(read(&[]).unwrap().is_none());
        assert!(read(&[("NO_PROXY", "*")]).unwrap().is_none());
        assert!(read(&[("HTTPS_PROXY", " ")]).unwrap().is_none());
    }

    #[test]
    fn each_scheme_has_its_variable_and_both_share_one() {
        assert_eq!(proxied(&[("HTTP_PROXY", "http://p:1")]), [true, false]);
        assert_eq!(proxied(&[("HTTPS_PROXY", "http://p:1")]), [false, true]);
        assert_eq!(proxied(&[("https_proxy", "p:1")]), [false, true]);
        assert_eq!(proxied(&[("ALL_PROXY", "http://p:1")]), [true, true]);
    }

    #[test]
    fn lower_case_wins_also_when_it_is_empty() {
        assert_eq!(proxied(&[("HTTPS_PROXY", "http://p:1"), ("https_proxy", "")]), [false, false]);
        assert_eq!(proxied(&[("ALL_PROXY", "http://p:1"), ("http_proxy", "")]), [false, true]);
        assert!(read(&[("HTTPS_PROXY", "nonsense://"), ("https_proxy", "http://p:1")]).is_ok());
    }

    #[test]
    fn what_is_no_proxy_is_named_and_not_shown() {
        for url in [
            "socks5://user:secret@proxy:1080",
            "ftp://secret",
            "http://",
            "http://secret proxy",
            "http://p:secret",
            "http://p:0",
            "http://p:65536",
        ] {
            let error = read(&[("https_proxy", url)]).err().unwrap_or_else(|| panic!("{url}"));
            assert!(error.starts_with("https_proxy is set"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn hosts_users_and_ports_in_every_form_are_proxies() {
        for url in
            ["p", "p:3128", "http://p", "https://p:1/", "http://u:p%40ss@p:65535/", "http://[::1]:3128", "http://[::1]"]
        {
            assert_eq!(proxied(&[("http_proxy", url)]), [true, false], "{url}");
        }
    }

    #[test]
    fn the_forms_of_other_tools_become_the_clients() {
        let direct = direct("a.b, *.c.d .e.f\tg.h:8443,[::2]:443,::3,10.0.0.0/8,*");
        assert_eq!(direct, format!("{ALWAYS_DIRECT},a.b,.c.d,.e.f,g.h,::2,::3,10.0.0.0/8,*"));
    }
}
