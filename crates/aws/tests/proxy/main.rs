//! Our client behind a proxy, with the variables of its own process: each request is made by a child that runs the ignored
//! test `request` of this very program.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

use std::process::Command;

use reveille_aws::{Aws, Credentials};
use reveille_domain::layout::Layout;
use reveille_domain::ports::{GetAnswer, GetObject};

mod network;

use network::{HOST, Network};

/// What the child says of its request, after this.
const SAID: &str = "the request: ";

/// The child: one GetObject by the client that functions and runner have.
#[test]
#[ignore = "run by the other tests, in a process with an environment of its own"]
fn request() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let credentials =
        if std::env::var_os("AWS_ACCESS_KEY_ID").is_some() { Credentials::Environment } else { Credentials::Chain };
    let layout = Layout { bucket: "bucket".into(), prefix: String::new() };
    let nothing = runtime.block_on(async {
        let aws = Aws::from_env(credentials, None, layout, "default".into()).await;
        aws.get_object("key").await.map(|answer| matches!(answer, GetAnswer::Nothing))
    });
    println!("{SAID}{nothing:?}");
}

/// What a process with these variables says of its request.
fn ask(variables: &[(&str, &str)]) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "request", "--ignored", "--nocapture"]).env_clear();
    child.env("AWS_REGION", "eu-west-1").env("HOME", "/nonexistent");
    let output = child.envs(variables.iter().copied()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let said = text.split(SAID).nth(1).unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
    said.lines().next().unwrap().to_owned()
}

impl Network {
    fn proxy_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.proxy)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn reached(&self) -> Vec<String> {
        self.reached.lock().unwrap().clone()
    }
}

const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "AKID"), ("AWS_SECRET_ACCESS_KEY", "secret")];

fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    KEYS.into_iter().chain(more.iter().copied()).collect()
}

#[test]
fn an_http_endpoint_is_asked_through_the_proxy() {
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        let network = Network::new();
        let endpoint = format!("http://{HOST}");
        let answer = ask(&with(&[("AWS_ENDPOINT_URL_S3", &endpoint), (variable, &network.proxy_url())]));
        assert_eq!(answer, "Ok(true)", "{:?}", network.asked());
        let asked = network.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        assert!(asked[0].starts_with(&format!("GET http://{HOST}/bucket/key")), "{asked:?}");
    }
}

#[test]
fn an_https_endpoint_is_asked_through_a_tunnel_and_trusted_by_the_bundle() {
    let network = Network::new();
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("authorities.pem");
    std::fs::write(&bundle, &network.authority_pem).unwrap();
    let endpoint = format!("https://{HOST}");
    // Without a scheme, and with a password, as people write it.
    let proxy = format!("user:p%40ss@127.0.0.1:{}", network.proxy);
    let variables = [("AWS_ENDPOINT_URL_S3", endpoint.as_str()), ("HTTPS_PROXY", &proxy)];
    let bundled = [variables[0], variables[1], ("AWS_CA_BUNDLE", bundle.to_str().unwrap())];
    assert_eq!(ask(&with(&bundled)), "Ok(true)", "{:?}", network.asked());
    let asked = network.asked();
    assert!(asked[0].starts_with(&format!("CONNECT {HOST}:443 ")), "{asked:?}");
    assert!(asked[0].to_lowercase().contains("proxy-authorization: basic dxnlcjpwqhnz"), "{asked:?}");
    assert!(network.reached()[0].starts_with("GET /bucket/key"), "{:?}", network.reached());

    let distrusted = ask(&with(&variables));
    assert!(distrusted.contains("UnknownIssuer"), "{distrusted}");
}

/// An endpoint that does not chain to Amazon's roots: of another partition, or of a proxy that opens TLS.
#[test]
fn an_authority_of_the_systems_store_is_trusted_after_amazons() {
    let network = Network::new();
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store.pem");
    std::fs::write(&store, &network.authority_pem).unwrap();
    let (endpoint, proxy) = (format!("https://{HOST}"), network.proxy_url());
    let variables = [("AWS_ENDPOINT_URL_S3", endpoint.as_str()), ("HTTPS_PROXY", proxy.as_str())];
    let store = ("SSL_CERT_FILE", store.to_str().unwrap());
    assert_eq!(ask(&with(&[variables[0], variables[1], store])), "Ok(true)", "{:?}", network.asked());
    assert_eq!(network.asked().len(), 2, "Amazon's roots first, then the store: {:?}", network.asked());
    assert_eq!(network.reached().len(), 1, "and the request left once: {:?}", network.reached());

    // A bundle is meant as it is given: the system's store does not add to it.
    let other = folder.path().join("other.pem");
    std::fs::write(&other, Network::new().authority_pem).unwrap();
    let bundle = ("AWS_CA_BUNDLE", other.to_str().unwrap());
    let distrusted = ask(&with(&[variables[0], variables[1], store, bundle]));
    assert!(distrusted.contains("invalid peer certificate"), "{distrusted}");
    // A store that is not there, or holds nothing, changes nothing.
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    for path in [folder.path().join("missing.pem"), empty, folder.path().to_owned()] {
        let distrusted = ask(&with(&[variables[0], variables[1], ("SSL_CERT_FILE", path.to_str().unwrap())]));
        assert!(distrusted.contains("UnknownIssuer"), "{}: {distrusted}", path.display());
    }
    assert_eq!(network.reached().len(), 1, "{:?}", network.reached());
}

#[test]
fn no_proxy_and_the_other_schemes_proxy_leave_a_request_alone() {
    for (name, value) in [("NO_PROXY", "other, *.reveille-test.invalid"), ("no_proxy", HOST), ("NO_PROXY", "*")] {
        let network = Network::new();
        let endpoint = format!("http://{HOST}");
        let proxy = network.proxy_url();
        let answer = ask(&with(&[("AWS_ENDPOINT_URL_S3", &endpoint), ("HTTP_PROXY", &proxy), (name, value)]));
        assert!(answer.starts_with("Err("), "nobody else knows that name: {answer}");
        assert_eq!(network.asked(), Vec::<String>::new(), "{name}={value}");
    }
    let network = Network::new();
    let endpoint = format!("http://{HOST}");
    ask(&with(&[("AWS_ENDPOINT_URL_S3", &endpoint), ("HTTPS_PROXY", &network.proxy_url())]));
    assert_eq!(network.asked(), Vec::<String>::new());
}

#[test]
fn this_machine_is_never_behind_a_proxy() {
    let network = Network::new();
    for host in ["127.0.0.1", "localhost"] {
        let endpoint = format!("http://{host}:{}", network.endpoint);
        let answer = ask(&with(&[("AWS_ENDPOINT_URL_S3", &endpoint), ("ALL_PROXY", &network.proxy_url())]));
        assert_eq!(answer, "Ok(true)");
    }
    assert_eq!(network.asked(), Vec::<String>::new());
}

/// The role's credentials come from the instance's metadata, and no proxy is asked for them: neither where they really are
/// (there is nothing here), nor where a test puts them.
#[test]
fn the_roles_credentials_are_never_asked_of_a_proxy() {
    let network = Network::new();
    let (endpoint, proxy) = (format!("http://{HOST}"), network.proxy_url());
    let variables = [("AWS_ENDPOINT_URL_S3", endpoint.as_str()), ("ALL_PROXY", proxy.as_str())];
    ask(&variables);
    assert_eq!(network.asked(), Vec::<String>::new());

    let metadata = format!("http://127.0.0.1:{}", network.endpoint);
    let answer = ask(&[variables[0], variables[1], ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata)]);
    assert_eq!(answer, "Ok(true)", "{:?} {:?}", network.asked(), network.reached());
    assert_eq!(network.asked().len(), 1, "the object, and nothing else: {:?}", network.asked());
    assert!(network.reached().iter().any(|line| line.contains("/latest/api/token")), "{:?}", network.reached());
}

#[test]
fn what_cannot_be_followed_is_said_and_no_request_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "no certificate").unwrap();
    let missing = folder.path().join("missing.pem");
    for (name, value, expected) in [
        ("AWS_CA_BUNDLE", empty.to_str().unwrap(), "has no certificate in it"),
        ("AWS_CA_BUNDLE", missing.to_str().unwrap(), "cannot be read"),
        ("HTTPS_PROXY", "socks5://user:hidden@127.0.0.1:1", "is not the URL of a proxy"),
    ] {
        let network = Network::new();
        let endpoint = format!("http://localhost:{}", network.endpoint);
        let answer = ask(&with(&[("AWS_ENDPOINT_URL_S3", &endpoint), (name, value)]));
        assert!(answer.contains(name) && answer.contains(expected), "{answer}");
        assert!(!answer.contains("hidden"), "{answer}");
        assert_eq!(network.reached(), Vec::<String>::new());
    }
}
