use super::*;
use crate::pem::certificates;
use proptest::prelude::*;
use x509_parser::prelude::{FromDer, ParsedExtension, X509Certificate};

/// The files that `x509/make` generates.
const CERTIFICATES: [(&str, &str); 10] = [
    ("ca", include_str!("ca.pem")),
    ("ca-other", include_str!("ca-other.pem")),
    ("ca-ec", include_str!("ca-ec.pem")),
    ("ca-bare", include_str!("ca-bare.pem")),
    ("ca-bare-other", include_str!("ca-bare-other.pem")),
    ("node", include_str!("node.pem")),
    ("node-ec", include_str!("node-ec.pem")),
    ("ca-p521", include_str!("ca-p521.pem")),
    ("node-p521", include_str!("node-p521.pem")),
    ("node-bare", include_str!("node-bare.pem")),
];

fn der(name: &str) -> Vec<u8> {
    let (_, text) = CERTIFICATES.iter().find(|(known, _)| *known == name).unwrap();
    certificates(text).unwrap().remove(0)
}

#[test]
fn a_node_says_whose_it_is() {
    let bytes = der("node");
    let node = Certificate::parse(&bytes).unwrap();
    assert_eq!(node.common_name, Some("system:node:worker7"));
    assert_eq!(node.not_after - node.not_before, 365 * 86400);
    assert_eq!(node.signature.len(), 256);
    // The CA is valid beyond 2050, where dates have another encoding.
    let bytes = der("ca");
    let ca = Certificate::parse(&bytes).unwrap();
    assert_eq!((ca.common_name, ca.subject), (Some("kubernetes"), ca.issuer));
    assert_eq!(ca.not_after - ca.not_before, 36500 * 86400);
}

#[test]
fn an_issuer_is_named_by_name_and_key() {
    for (node, ca, expected) in [
        ("node", "ca", Some(true)),
        ("node", "ca-other", Some(false)),
        ("node", "ca-ec", Some(false)),
        ("node", "ca-bare", None),
        ("node-ec", "ca-ec", Some(true)),
        ("node-bare", "ca-bare", None),
        ("node-bare", "ca-bare-other", None),
        // A completely different name.
        ("node", "node-ec", Some(false)),
        ("ca", "node", Some(false)),
    ] {
        let (node_bytes, ca_bytes) = (der(node), der(ca));
        let (node_parsed, ca_parsed) =
            (Certificate::parse(&node_bytes).unwrap(), Certificate::parse(&ca_bytes).unwrap());
        assert_eq!(node_parsed.names_issuer(&ca_parsed), expected, "{node} by {ca}");
    }
}

/// Compares with another parser on all inputs that both can read.
fn agree(bytes: &[u8]) {
    let (Ok(ours), Ok((_, theirs))) = (Certificate::parse(bytes), X509Certificate::from_der(bytes)) else {
        return;
    };
    // The other parser stops inside a damaged name and continues behind it. The name's own length says where it ends.
    if ours.issuer != theirs.issuer().as_raw() || ours.subject != theirs.subject().as_raw() {
        assert!(ours.issuer.starts_with(theirs.issuer().as_raw()));
        assert!(ours.subject.starts_with(theirs.subject().as_raw()));
        return;
    }
    assert_eq!(ours.key, &*theirs.public_key().subject_public_key.data);
    assert_eq!(ours.signature, &*theirs.signature_value.data);
    assert_eq!(ours.signed, theirs.tbs_certificate.as_ref());
    assert_eq!(i64::try_from(ours.not_before), Ok(theirs.validity().not_before.timestamp()));
    assert_eq!(i64::try_from(ours.not_after), Ok(theirs.validity().not_after.timestamp()));
    let names = theirs.subject().iter_common_name();
    assert_eq!(ours.common_name, names.last().and_then(|name| std::str::from_utf8(name.as_slice()).ok()));
    for extension in theirs.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => assert_eq!(ours.subject_key_id, Some(id.0)),
            ParsedExtension::AuthorityKeyIdentifier(id) => {
                assert_eq!(ours.authority_key_id, id.key_identifier.as_ref().map(|id| id.0));
            }
            _ => {}
        }
    }
}

#[test]
fn whole_certificates_read_as_another_library_reads_them() {
    for (name, _) in CERTIFICATES {
        let bytes = der(name);
        let (ours, (_, theirs)) =
            (Certificate::parse(&bytes).unwrap(), X509Certificate::from_der(&bytes).unwrap());
        assert_eq!((ours.issuer, ours.subject), (theirs.issuer().as_raw(), theirs.subject().as_raw()));
        agree(&bytes);
        for len in 0..bytes.len() {
            assert!(Certificate::parse(&bytes[..len]).is_err(), "{name} cut at {len}");
        }
    }
}

proptest! {
    #[test]
    fn damaged_certificates_read_as_another_library_reads_them(
        which in 0..CERTIFICATES.len(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..3),
    ) {
        let mut bytes = der(CERTIFICATES[which].0);
        for (at, value) in changes {
            *at.get_mut(&mut bytes) = value;
        }
        agree(&bytes);
    }
}
