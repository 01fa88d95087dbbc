//! The TLS configuration: trusted authorities and the client certificate, in PEM, with rustls and ring.

use std::sync::Arc;

use dayfly_formats::utc;
use rustls::CertificateError;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use crate::{Authorities, Cause, Request, Result, SysError};

/// `is_named` is true if the server is that of the URL, and false after a redirect to another one.
pub(super) fn config(request: &Request, is_named: bool) -> Result<TlsConfig> {
    let failed = |words: String| SysError::new("open", &*request.url, Cause::Tls, words);
    let from = &request.authorities;
    let pem = match from {
        Authorities::Pem(pem) => pem.clone(),
        Authorities::File(path) => std::fs::read(path)
            .map_err(|error| failed(format!("cannot read the CA certificates from {from}: {error}")))?,
    };
    let roots = certificates(&pem, &from.to_string()).map_err(failed)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .unversioned_rustls_crypto_provider(Arc::clone(&provider));
    let Some(identity) = request.identity.as_ref().filter(|_| is_named) else { return Ok(builder.build()) };
    let chain = certificates(&identity.certificates, "the client's certificate").map_err(failed)?;
    let not_a_key = |error: String| failed(format!("the client's key is not in PEM format: {error}"));
    let key = PrivateKey::from_pem(&identity.key).map_err(|error| not_a_key(error.to_string()))?;
    // Check the pair here, because ureq panics if key and certificate do not match.
    let der = PrivateKeyDer::from_pem_slice(&identity.key).map_err(|error| not_a_key(error.to_string()))?;
    let ders = chain.iter().map(|certificate| CertificateDer::from(certificate.der().to_vec())).collect();
    CertifiedKey::from_der(ders, der, &provider)
        .map_err(|error| failed(format!("the client's certificate and key cannot be used: {error}")))?;
    Ok(builder.client_cert(Some(ClientCert::new_with_certs(&chain, key))).build())
}

/// The certificates in a PEM text. Other blocks, such as keys, are skipped.
fn certificates(pem: &[u8], from: &str) -> std::result::Result<Vec<Certificate<'static>>, String> {
    let mut found = Vec::new();
    for item in parse_pem(pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => found.push(certificate),
            Ok(_) => {}
            Err(error) => return Err(format!("{from} is damaged: {error}")),
        }
    }
    if found.is_empty() {
        return Err(format!("{from} has no certificate in PEM format (-----BEGIN CERTIFICATE-----)"));
    }
    Ok(found)
}

/// The error message of rustls, with an explanation.
pub(super) fn words(request: &Request, peer: &str, error: &rustls::Error, clock: u64) -> String {
    let meaning = match error {
        rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => {
            format!("; it has expired, if the clock of this machine is right: {}", utc::text(clock))
        }
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        ) => {
            format!("; it is not valid yet, if the clock of this machine is right: {}", utc::text(clock))
        }
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            format!("; it is not signed by any certificate in {}", request.authorities)
        }
        _ => String::new(),
    };
    format!("{peer}: {error}{meaning}")
}
