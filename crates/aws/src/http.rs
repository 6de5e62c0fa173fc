//! The one HTTP client of all services: one pool of connections, one TLS configuration, made for the first request.
//! Owns that proxies are used. Which authorities are trusted, `trust` says.

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use crate::fallback::OrElse;
use crate::proxy::Proxies;
use crate::trust::{self, Trust};

/// The client, which trusts the authorities that the environment names, or else Amazon's and then the system's, and uses the
/// proxies of the environment. Where the environment cannot be followed, every request fails and says so: a request that went
/// another way than it was told to would be worse.
#[must_use]
pub fn client() -> SharedHttpClient {
    match (trust::from_env(), Proxies::from_env()) {
        (Ok(Trust::Named(tls)), Ok(proxies)) => following(proxies, tls),
        (Ok(Trust::Amazon(tls)), Ok(proxies)) => {
            let amazon = following(proxies.clone(), tls);
            SharedHttpClient::new(OrElse::new(amazon, move || Some(following(proxies.clone(), trust::with_system()?))))
        }
        (Err(reason), _) | (_, Err(reason)) => SharedHttpClient::new(Unusable(reason)),
    }
}

fn following(proxies: Option<Proxies>, tls: TlsContext) -> SharedHttpClient {
    match proxies {
        None => SharedHttpClient::new(WhenNeeded(directly(tls))),
        Some(proxies) => SharedHttpClient::new(ByScheme {
            http: WhenNeeded(through(proxies.http, tls.clone())),
            https: WhenNeeded(through(proxies.https, tls)),
        }),
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
