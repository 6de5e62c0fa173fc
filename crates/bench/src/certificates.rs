//! A certificate authority and one certificate for 127.0.0.1, made anew for each run of the benchmark and trusted by
//! the measured programs through `AWS_CA_BUNDLE` alone. Never leaves the run's temporary folder.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::error::Error;

/// What the endpoint and its clients need.
#[derive(Debug)]
pub struct Certificates {
    /// The authority, for `AWS_CA_BUNDLE`.
    pub authority_pem: String,
    /// The endpoint's side.
    pub server: Arc<ServerConfig>,
}

/// Makes them: ECDSA P-256, valid for the address 127.0.0.1.
///
/// # Errors
/// [`Error::Certificate`] with the reason.
pub fn make() -> Result<Certificates, Error> {
    let failed = |error: rcgen::Error| Error::Certificate(error.to_string());
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    authority.distinguished_name.push(DnType::CommonName, "Reveille benchmark authority");
    let authority_key = KeyPair::generate().map_err(failed)?;
    let authority_certificate = authority.self_signed(&authority_key).map_err(failed)?;
    let issuer = Issuer::new(authority, authority_key);

    let mut leaf = CertificateParams::new(["127.0.0.1".to_owned()]).map_err(failed)?;
    leaf.distinguished_name.push(DnType::CommonName, "Reveille benchmark endpoint");
    leaf.use_authority_key_identifier_extension = true;
    let leaf_key = KeyPair::generate().map_err(failed)?;
    let leaf_certificate = leaf.signed_by(&leaf_key, &issuer).map_err(failed)?;

    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));
    let server = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![leaf_certificate.into()], key))
        .map_err(|error| Error::Certificate(error.to_string()))?;
    Ok(Certificates { authority_pem: authority_certificate.pem(), server: Arc::new(server) })
}
