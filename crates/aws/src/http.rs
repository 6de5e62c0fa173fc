//! The one HTTP client of all services: one pool of connections, one TLS configuration, made for the first request.
//! Owns which authorities are trusted. Never reads the machine's own store of certificates: that takes milliseconds.

use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

/// The roots that every AWS endpoint chains to; see `roots/README.md`.
const AMAZON_ROOTS: &[u8] = include_bytes!("../roots/amazon.pem");

/// The client, which trusts the authorities in the file that `AWS_CA_BUNDLE` names, or else Amazon's.
pub fn client() -> SharedHttpClient {
    // A bundle without a certificate in it would end the process when the first connection is made.
    let roots = std::env::var_os("AWS_CA_BUNDLE")
        .and_then(|path| std::fs::read_to_string(path).ok())
        .filter(|bundle| bundle.contains("-----BEGIN CERTIFICATE-----"))
        .map_or_else(|| AMAZON_ROOTS.to_vec(), String::into_bytes);
    let builder = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring));
    SharedHttpClient::new(WhenNeeded(
        match TlsContext::builder().with_trust_store(TrustStore::empty().with_pem_certificate(roots)).build() {
            Ok(context) => builder.tls_context(context).build_https(),
            Err(_) => builder.build_https(),
        },
    ))
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
