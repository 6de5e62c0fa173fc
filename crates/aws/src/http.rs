//! The one HTTP client of all services: one pool of connections, one TLS configuration, made for the first request.
//! Owns which authorities are trusted, and that proxies are used. Never reads the machine's own store of certificates: that
//! takes milliseconds.

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use crate::proxy::Proxies;

/// The roots that every AWS endpoint chains to; see `roots/README.md`.
const AMAZON_ROOTS: &[u8] = include_bytes!("../roots/amazon.pem");

/// The client, which trusts the authorities in the file that `AWS_CA_BUNDLE` names, or else Amazon's, and uses the proxies of
/// the environment. Where the environment cannot be followed, every request fails and says so: a request that went another
/// way than it was told to would be worse.
pub fn client() -> SharedHttpClient {
    match (trusted(), Proxies::from_env()) {
        (Ok(tls), Ok(None)) => SharedHttpClient::new(WhenNeeded(directly(tls))),
        (Ok(tls), Ok(Some(proxies))) => SharedHttpClient::new(ByScheme {
            http: WhenNeeded(through(proxies.http, tls.clone())),
            https: WhenNeeded(through(proxies.https, tls)),
        }),
        (Err(reason), _) | (_, Err(reason)) => SharedHttpClient::new(Unusable(reason)),
    }
}

fn trusted() -> Result<TlsContext, String> {
    let roots = match std::env::var_os("AWS_CA_BUNDLE").filter(|path| !path.is_empty()) {
        None => AMAZON_ROOTS.to_vec(),
        Some(path) => bundle(std::path::Path::new(&path))?,
    };
    let store = TrustStore::empty().with_pem_certificate(roots);
    TlsContext::builder().with_trust_store(store).build().map_err(|error| format!("No TLS configuration: {error}."))
}

/// A bundle without a certificate in it would end the process when the first connection is made.
fn bundle(path: &std::path::Path) -> Result<Vec<u8>, String> {
    let unusable = |what: &str| {
        format!(
            "AWS_CA_BUNDLE names {}, which {what}. Let it name a PEM file of the authorities to trust, or unset it.",
            path.display()
        )
    };
    let bundle = std::fs::read(path).map_err(|error| unusable(&format!("cannot be read ({error})")))?;
    let certificate = b"-----BEGIN CERTIFICATE-----";
    if bundle.windows(certificate.len()).any(|window| window == certificate) {
        Ok(bundle)
    } else {
        Err(unusable("has no certificate in it"))
    }
}

fn tls_provider() -> Provider {
    Provider::Rustls(CryptoMode::Ring)
}

fn directly(tls: TlsContext) -> SharedHttpClient {
    Builder::new().tls_provider(tls_provider()).tls_context(tls).build_https()
}

fn through(proxy: ProxyConfig, tls: TlsContext) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut builder = Connector::builder();
        builder.set_connector_settings(settings.cloned());
        builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        builder.proxy_config(proxy.clone()).tls_provider(tls_provider()).tls_context(tls.clone()).build()
    })
}

/// A client that is not tried out beforehand. By its `validate_base_client_config` the SDK has every service's client
/// make a connector, TLS configuration and roots included, and drops it: a tenth of a cold start for nothing.
#[derive(Debug)]
struct WhenNeeded(SharedHttpClient);

impl HttpClient for WhenNeeded {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        self.0.http_connector(settings, components)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.0.connector_metadata()
    }
}

/// One client for each scheme: a proxy's configuration holds one proxy, and the environment may name two.
#[derive(Debug)]
struct ByScheme {
    http: WhenNeeded,
    https: WhenNeeded,
}

impl HttpClient for ByScheme {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(SchemeConnector {
            http: self.http.http_connector(settings, components),
            https: self.https.http_connector(settings, components),
        })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.https.connector_metadata()
    }
}

#[derive(Debug)]
struct SchemeConnector {
    http: SharedHttpConnector,
    https: SharedHttpConnector,
}

impl HttpConnector for SchemeConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let https = request.uri().get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"));
        if https { self.https.call(request) } else { self.http.call(request) }
    }
}

/// A client whose every request fails with this reason.
#[derive(Clone, Debug)]
struct Unusable(String);

impl HttpClient for Unusable {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Unusable {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(Err(ConnectorError::user(self.0.clone().into())))
    }
}
