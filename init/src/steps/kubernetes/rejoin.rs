//! Checks whether the certificate of an earlier boot is still valid. The kubelet checks only its date. With a
//! certificate of another CA or another name, the cluster would refuse it for ever, and it would never ask for a new
//! one.

use dayfly_formats::{pem, x509};
use dayfly_sys::{Signed, SysError};

use crate::context::Context;
use crate::events::Level;
use crate::os;
use crate::trees::OS;

/// A certificate that expires within this time counts as expired, in seconds.
const MARGIN: u64 = 300;

/// How to get a new certificate in place of an invalid one.
pub struct Anew<'a> {
    /// The directories and files of the OS to remove.
    pub remove: &'a [&'a str],
    /// What happens then, for the log.
    pub said: &'a str,
}

/// The kubelet's file of certificate and key. A file that cannot be read (for example because it is a directory) counts
/// as empty.
pub fn current(cx: &Context, path: &str) -> Option<Vec<u8>> {
    os::read_bytes(&*cx.sys, path).unwrap_or_else(|error| {
        cx.note(Level::Warning, format!("{path} cannot be read: {error}"));
        Some(Vec::new())
    })
}

/// Returns true if the kubelet's file of certificate and key is valid. `what` names it for the log. An invalid one is
/// removed with all files that belong to it, unless there is no way to get a new one.
pub fn keep_or_wipe(
    cx: &Context,
    what: &str,
    file: &[u8],
    authority: Option<&str>,
    anew: Option<Anew<'_>>,
) -> Result<bool, SysError> {
    let Err(reason) = check(file, cx.known.hostname(), authority, cx.sys.clock()) else { return Ok(true) };
    let bad = format!("{what} is not valid: {reason}");
    let Some(anew) = anew else {
        cx.note(Level::Warning, format!("{bad}; it is kept, because there is no way to get a new one"));
        return Ok(false);
    };
    cx.note(Level::Warning, format!("{bad}; {}", anew.said));
    for path in anew.remove {
        cx.sys.remove_tree(&OS.at(path))?;
    }
    Ok(false)
}

/// The reason why the kubelet's file of certificate and key is not valid. `authority` is the cluster's CA in PEM, if
/// known.
fn check(file: &[u8], name: &str, authority: Option<&str>, clock: u64) -> Result<(), String> {
    let text = std::str::from_utf8(file).map_err(|_| "it is not text".to_owned())?;
    let blocks = pem::blocks(text).map_err(|error| error.to_string())?;
    let Some(block) = blocks.iter().find(|block| block.label == "CERTIFICATE") else {
        return Err("it contains no certificate".to_owned());
    };
    if !blocks.iter().any(|block| block.label.ends_with("PRIVATE KEY")) {
        return Err("it contains no key".to_owned());
    }
    let certificate = x509::Certificate::parse(&block.bytes)
        .map_err(|error| format!("its certificate cannot be read: {error}"))?;
    let expected = format!("system:node:{name}");
    if certificate.common_name != Some(expected.as_str()) {
        let found = certificate.common_name.unwrap_or("no name");
        return Err(format!("it is for {found}, and this node is {expected}"));
    }
    if let Some(authority) = authority {
        let authorities =
            pem::certificates(authority).map_err(|error| format!("the cluster's CA: {error}"))?;
        let is_signer =
            |bytes: &Vec<u8>| x509::Certificate::parse(bytes).is_ok_and(|ca| signed_by(&certificate, &ca));
        if !authorities.iter().any(is_signer) {
            return Err(
                "it was not signed by the cluster's CA, or the signature is of a kind that cannot be checked"
                    .to_owned(),
            );
        }
    }
    // If the clock is before the start of validity, the clock is wrong, not the certificate.
    if clock >= certificate.not_before && clock.saturating_add(MARGIN) > certificate.not_after {
        return Err(format!(
            "it expired at {} s since 1970, and the clock is at {clock}",
            certificate.not_after
        ));
    }
    Ok(())
}

/// Compares the CA's key id, if the certificates have it, and checks the signature. kubeadm gives every cluster's CA
/// the same name, so the name is not enough. If the signature cannot be checked, the node asks for a new certificate.
fn signed_by(certificate: &x509::Certificate<'_>, ca: &x509::Certificate<'_>) -> bool {
    let signed = Signed {
        key_algorithm: ca.key_algorithm,
        key: ca.key,
        algorithm: certificate.signature_algorithm,
        message: certificate.signed,
        signature: certificate.signature,
    };
    certificate.names_issuer(ca) != Some(false) && signed.is_genuine()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CA: &str = include_str!("../../../formats/src/x509/ca.pem");
    const OTHER: &str = include_str!("../../../formats/src/x509/ca-other.pem");
    const NODE: &str = include_str!("../../../formats/src/x509/node.pem");
    const BARE: &str = include_str!("../../../formats/src/x509/node-bare.pem");
    const BARE_OTHER: &str = include_str!("../../../formats/src/x509/ca-bare-other.pem");
    const NODE_EC: &str = include_str!("../../../formats/src/x509/node-ec.pem");
    const CA_EC: &str = include_str!("../../../formats/src/x509/ca-ec.pem");
    const NODE_P521: &str = include_str!("../../../formats/src/x509/node-p521.pem");
    const CA_P521: &str = include_str!("../../../formats/src/x509/ca-p521.pem");
    const NOT_SIGNED: Option<&str> =
        Some("not signed by the cluster's CA, or the signature is of a kind that cannot");
    /// A build without TLS cannot check signatures.
    const SIGNED: Option<&str> = if cfg!(feature = "https") { None } else { NOT_SIGNED };
    const CA_BARE: &str = include_str!("../../../formats/src/x509/ca-bare.pem");

    #[test]
    fn only_a_certificate_of_this_node_and_this_cluster_is_kept() {
        let der = pem::certificates(NODE).unwrap().remove(0);
        let certificate = x509::Certificate::parse(&der).unwrap();
        let (born, end) = (certificate.not_before, certificate.not_after);
        let both = format!("{OTHER}{CA}");
        let no_key = NODE.split("-----BEGIN EC").next().unwrap();
        let half = &NODE[..NODE.len() / 2];
        let garbled = NODE.replacen("MI", "AA", 1);
        // Changed bytes near the end of the signature.
        let (body, rest) = NODE.split_at(NODE.find("\n-----END").unwrap() - 8);
        let forged = format!("{body}AAAA{}", &rest[4..]);
        for (file, name, authority, clock, reason) in [
            (NODE, "worker7", Some(CA), born + 60, SIGNED),
            (NODE, "worker7", Some(both.as_str()), born + 60, SIGNED),
            (NODE, "worker7", None, born + 60, None),
            (BARE, "worker7", Some(CA_BARE), born + 60, SIGNED),
            // An unset clock (1970) is ignored.
            (NODE, "worker7", Some(CA), 0, SIGNED),
            (NODE, "worker7", Some(CA), end - MARGIN, SIGNED),
            (NODE, "worker7", None, end - MARGIN + 1, Some("it expired at")),
            (NODE, "worker7", None, end + 1, Some("it expired at")),
            (
                NODE,
                "worker70",
                Some(CA),
                born,
                Some("system:node:worker7, and this node is system:node:worker70"),
            ),
            (NODE, "worker7", Some(OTHER), born, NOT_SIGNED),
            (NODE_EC, "worker7", Some(CA_EC), born + 60, SIGNED),
            (forged.as_str(), "worker7", Some(CA), born, NOT_SIGNED),
            // A kind of key that cannot be checked, of the right CA and with the right name.
            (NODE_P521, "worker7", Some(CA_P521), born + 60, NOT_SIGNED),
            // Of another cluster, with certificates without key ids.
            (BARE, "worker7", Some(BARE_OTHER), born, NOT_SIGNED),
            (NODE, "worker7", Some("-----BEGIN CERTIFICATE-----"), born, Some("the cluster's CA: ")),
            (no_key, "worker7", Some(CA), born, Some("no key")),
            (half, "worker7", Some(CA), born, Some("truncated")),
            ("", "worker7", Some(CA), born, Some("no certificate")),
            (CA, "worker7", Some(CA), born, Some("no key")),
            (garbled.as_str(), "worker7", Some(CA), born, Some("cannot be read")),
        ] {
            match (check(file.as_bytes(), name, authority, clock), reason) {
                (Ok(()), None) => {}
                (Err(found), Some(reason)) if found.contains(reason) => {}
                (found, _) => panic!("{name} at {clock}: {found:?}, but expected {reason:?}"),
            }
        }
        assert!(check(&[0xff, 0xfe], "x", None, 0).is_err());
    }
}
