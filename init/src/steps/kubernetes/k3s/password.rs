//! The node password: a server knows a node again by it, and refuses another node of the same name (k3s's
//! pkg/agent/config). It lies in /etc, which is new at each boot.

use dayfly_plan::Secret;
use dayfly_sys::SysError;
use sha2::{Digest, Sha256};

use crate::context::Context;
use crate::os;
use crate::trees::OS;

/// Where k3s has it, and where it is kept.
const LINK: &str = "/etc/rancher/node";
const KEPT: &str = "/var/lib/rancher/node";

/// Has it kept with the rest of k3s's state. A node without one gets the one that it had before its /var was lost: it follows
/// from the cluster's token, its name and its machine-id. Without a token k3s makes one by chance, and keeps it there.
pub fn prepare(cx: &Context, token: Option<&Secret>) -> Result<&'static str, SysError> {
    // A folder that is there is the layout's or the image's.
    let folder = if os::has(&*cx.sys, LINK)? {
        LINK
    } else {
        cx.sys.make_dir(&OS.at(KEPT), 0o755)?;
        os::link(&*cx.sys, KEPT, LINK)?;
        KEPT
    };
    let file = format!("{folder}/password");
    if os::read(&*cx.sys, &file)?.is_some_and(|text| !text.trim().is_empty()) {
        return Ok("the node password of an earlier boot");
    }
    let Some(token) = token else { return Ok("a node password by chance") };
    let machine = os::read(&*cx.sys, "/etc/machine-id")?.unwrap_or_default();
    let password = derive(token.expose(), cx.known.hostname(), machine.trim());
    os::write(&*cx.sys, &file, &format!("{password}\n"), 0o600)?;
    Ok("a node password that follows from the token")
}

/// 32 hexadecimal digits, as k3s's own. Of a token with the hash of the cluster's CA (`K10HASH::USER:PASSWORD`) only the
/// password counts, because it may be given without the rest.
fn derive(token: &str, name: &str, machine: &str) -> String {
    let key = match token.split_once("::") {
        Some((_, rest)) => rest.split_once(':').map_or(rest, |(_, password)| password),
        None => token,
    };
    let text = format!("dayfly k3s node password v1\0{name}\0{machine}");
    let mut digits = hex(&hmac(key.as_bytes(), text.as_bytes()));
    digits.truncate(32);
    digits
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

/// HMAC (RFC 2104) with SHA-256.
fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    const BLOCK: usize = 64;
    let hashed: [u8; 32] = Sha256::digest(key).into();
    let key = if key.len() > BLOCK { &hashed } else { key };
    let pad = |with: u8| -> Vec<u8> {
        key.iter().copied().chain(std::iter::repeat(0)).take(BLOCK).map(|byte| byte ^ with).collect()
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231 §4.2, §4.3 and §4.7.
    #[test]
    fn the_hmac_is_the_standards() {
        for (key, text, mac) in [
            (
                &[0x0b; 20][..],
                &b"Hi There"[..],
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ] {
            assert_eq!(hex(&hmac(key, text)), mac);
        }
    }

    #[test]
    fn it_follows_from_what_the_node_keeps_and_from_nothing_else() {
        let password = derive("K10ab::server:s3cret", "worker7", "0123");
        assert_eq!(password.len(), 32);
        assert_eq!(derive("s3cret", "worker7", "0123"), password);
        assert_eq!(derive("K10cd::node:s3cret", "worker7", "0123"), password);
        for other in [
            derive("s3cret2", "worker7", "0123"),
            derive("s3cret", "worker8", "0123"),
            derive("s3cret", "worker7", "0124"),
        ] {
            assert_ne!(other, password);
        }
    }
}
