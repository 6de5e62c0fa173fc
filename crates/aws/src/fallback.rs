//! A client that trusts few, and, once an endpoint's certificate is of an authority that it does not know, one that trusts more.
//!
//! Owns when the second is made and asked: never before the first was refused. Nothing of a request has left then, so that
//! sending it again is safe. Never decides who is trusted.

use std::error::Error;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use rustls::CertificateError;

/// The two clients.
#[derive(Clone, Debug)]
pub struct OrElse {
    first: SharedHttpClient,
    second: Arc<Second>,
}

type Make = dyn Fn() -> Option<SharedHttpClient> + Send + Sync;

/// The client that trusts more.
struct Second {
    make: Box<Make>,
    made: OnceLock<Option<SharedHttpClient>>,
    /// Whether an endpoint needed it. Then all requests go its way: it trusts whom the first does too.
    needed: AtomicBool,
}

impl std::fmt::Debug for Second {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Second").field("made", &self.made).field("needed", &self.needed).finish_non_exhaustive()
    }
}

impl OrElse {
    /// The first client, and how the second is made. None: there is nobody else to trust.
    pub fn new(first: SharedHttpClient, second: impl Fn() -> Option<SharedHttpClient> + Send + Sync + 'static) -> Self {
        let second = Second { make: Box::new(second), made: OnceLock::new(), needed: AtomicBool::new(false) };
        Self { first, second: Arc::new(second) }
    }
}

impl HttpClient for OrElse {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let first = self.first.http_connector(settings, components);
        let second = Arc::clone(&self.second);
        let circumstances = Circumstances { settings: settings.clone(), components: components.clone() };
        SharedHttpConnector::new(Connector { first, second, circumstances })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.first.connector_metadata()
    }
}

/// What a connector is made from.
#[derive(Clone, Debug)]
struct Circumstances {
    settings: HttpConnectorSettings,
    components: RuntimeComponents,
}

#[derive(Clone, Debug)]
struct Connector {
    first: SharedHttpConnector,
    second: Arc<Second>,
    circumstances: Circumstances,
}

impl Connector {
    fn second(&self) -> Option<SharedHttpConnector> {
        let client = self.second.made.get_or_init(|| (self.second.make)()).as_ref()?;
        Some(client.http_connector(&self.circumstances.settings, &self.circumstances.components))
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if self.second.needed.load(Ordering::Relaxed)
            && let Some(second) = self.second()
        {
            return second.call(request);
        }
        let again = request.try_clone();
        let first = self.first.call(request);
        let this = self.clone();
        HttpConnectorFuture::new(async move {
            let refused = match first.await {
                Err(error) if is_of_an_unknown_authority(&error) => error,
                answer @ (Ok(_) | Err(_)) => return answer,
            };
            let (Some(again), Some(second)) = (again, this.second()) else { return Err(refused) };
            let answer = second.call(again).await;
            if answer.is_ok() {
                this.second.needed.store(true, Ordering::Relaxed);
            }
            answer
        })
    }
}

/// Whether a connection was refused because nobody that is trusted vouches for the endpoint. By type: texts hold names of hosts.
fn is_of_an_unknown_authority(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) = error.downcast_ref() {
            return true;
        }
        // The source of an I/O error is not what it wraps, but that one's source.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if wrapped.is_some_and(|wrapped| is_of_an_unknown_authority(wrapped)) {
            return true;
        }
        next = error.source();
    }
    false
}
