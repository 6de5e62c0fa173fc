//! Which certificate authorities are trusted: the file that `AWS_CA_BUNDLE` names and nothing else, or else Amazon's roots,
//! and then the system's store.
//!
//! Owns where they are read from. Never reads the system's store before an endpoint needs it: that takes milliseconds of a cold
//! start, and the endpoints of most regions chain to Amazon's roots.

use std::path::{Path, PathBuf};

use aws_smithy_http_client::tls::{TlsContext, TrustStore};

/// The roots that the endpoints of AWS's own authority chain to; see `roots/README.md`.
const AMAZON_ROOTS: &[u8] = include_bytes!("../roots/amazon.pem");

/// Where systems keep their store as one PEM file: Amazon Linux (functions and instances), Debian, and the rest.
const SYSTEM_STORES: [&str; 3] =
    ["/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem"];

/// No store of a system is nearly as large; one has some 200 KB.
const MAX_STORE_BYTES: u64 = 8 << 20;

const CERTIFICATE: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// Whom the first request trusts.
pub enum Trust {
    /// Whom the environment names, and nobody else.
    Named(TlsContext),
    /// Amazon's roots. An endpoint that does not chain to them may be trusted [`with_system`].
    Amazon(TlsContext),
}

/// What the environment says.
///
/// # Errors
/// `AWS_CA_BUNDLE` cannot be followed.
pub fn from_env() -> Result<Trust, String> {
    match variable("AWS_CA_BUNDLE") {
        None => context(TrustStore::empty().with_pem_certificate(AMAZON_ROOTS)).map(Trust::Amazon),
        Some(path) => context(TrustStore::empty().with_pem_certificate(bundle(&path)?)).map(Trust::Named),
    }
}

/// Amazon's roots and the system's store, if there is one. The SDK reads it, and leaves out what it cannot use; with nothing
/// there that looks like a certificate it would not even begin.
#[must_use]
pub fn with_system() -> Option<TlsContext> {
    let exists = match variable("SSL_CERT_FILE") {
        Some(path) => has_certificates(&path),
        None => SYSTEM_STORES.iter().any(|path| has_certificates(Path::new(path))),
    };
    let store = TrustStore::empty().with_pem_certificate(AMAZON_ROOTS).with_native_roots(true);
    exists.then(|| context(store).ok()).flatten()
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from)
}

fn has_certificates(path: &Path) -> bool {
    let readable = std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() <= MAX_STORE_BYTES);
    readable && std::fs::read(path).is_ok_and(|store| has_certificate(&store))
}

fn has_certificate(pem: &[u8]) -> bool {
    pem.windows(CERTIFICATE.len()).any(|window| window == CERTIFICATE)
}

fn context(store: TrustStore) -> Result<TlsContext, String> {
    TlsContext::builder().with_trust_store(store).build().map_err(|error| format!("No TLS configuration: {error}."))
}

/// A bundle without a certificate in it would end the process when the first connection is made.
fn bundle(path: &Path) -> Result<Vec<u8>, String> {
    let unusable = |what: &str| {
        format!(
            "AWS_CA_BUNDLE names {}, which {what}. Let it name a PEM file of the authorities to trust, or unset it.",
            path.display()
        )
    };
    let bundle = std::fs::read(path).map_err(|error| unusable(&format!("cannot be read ({error})")))?;
    if has_certificate(&bundle) { Ok(bundle) } else { Err(unusable("has no certificate in it")) }
}
