//! X.509 certificates: for any bytes of a disk, the parts of a certificate are parts of its bytes.
#![no_main]

use dayfly_formats::x509::Certificate;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(certificate) = Certificate::parse(bytes) else { return };
    let within = |part: &[u8]| part.is_empty() || bytes.as_ptr_range().contains(&part.as_ptr());
    for part in [
        certificate.signed,
        certificate.issuer,
        certificate.subject,
        certificate.key,
        certificate.signature,
        certificate.common_name.unwrap_or_default().as_bytes(),
        certificate.subject_key_id.unwrap_or_default(),
    ] {
        assert!(within(part));
    }
    // A self-issued certificate names itself as its issuer.
    if certificate.names_issuer(&certificate) == Some(true) {
        assert_eq!(certificate.issuer, certificate.subject);
    }
});
