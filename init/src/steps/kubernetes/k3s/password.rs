//! The node password: a k3s server identifies a node by it, and refuses another node with the same name (k3s's
//! pkg/agent/config). It is in /etc, which is new at each boot.

use dayfly_plan::Secret;
use dayfly_sys::SysError;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::context::Context;
use crate::os;
use crate::trees::OS;

/// The path that k3s uses, and the persistent path.
const LINK: &str = "/etc/rancher/node";
const KEPT: &str = "/var/lib/rancher/node";
/// The log text for a password that k3s makes.
const BY_CHANCE: &str = "a random node password";

/// Stores it with the rest of k3s's state. If the state is lost, the node gets the same password again, because it is
/// derived from the cluster's token, the node's name and its machine-id. Without a token, k3s makes a random password
/// and stores it there.
pub fn prepare(cx: &Context, token: Option<&Secret>) -> Result<&'static str, SysError> {
    // A directory that exists already comes from the layout or the image.
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
    let Some(token) = token else { return Ok(BY_CHANCE) };
    let machine = os::read(&*cx.sys, "/etc/machine-id")?.unwrap_or_default();
    let Some(password) = derive(token.expose(), cx.known.hostname(), machine.trim()) else {
        return Ok(BY_CHANCE);
    };
    os::write(&*cx.sys, &file, &format!("{password}\n"), 0o600)?;
    Ok("a node password derived from the token")
}

/// 32 hexadecimal digits, like those of k3s. If the token contains the hash of the cluster's CA
/// (`K10HASH::USER:PASSWORD`), only the password is used, because the settings may also give the password alone.
fn derive(token: &str, name: &str, machine: &str) -> Option<String> {
    let key = match token.split_once("::") {
        Some((_, rest)) => rest.split_once(':').map_or(rest, |(_, password)| password),
        None => token,
    };
    let text = format!("dayfly k3s node password v1\0{name}\0{machine}");
    // HMAC accepts a key of any length (RFC 2104, section 3), but the trait's signature returns an error for other
    // algorithms.
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).ok()?;
    let mut digits = base16ct::lower::encode_string(&mac.chain_update(text).finalize().into_bytes());
    digits.truncate(32);
    Some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_from_what_the_node_keeps_and_from_nothing_else() {
        let derive = |token, name, machine| derive(token, name, machine).unwrap();
        let password = derive("K10ab::server:s3cret", "worker7", "0123");
        // Computed with openssl from the text that `derive` builds. Other versions of Dayfly must compute the same
        // value.
        assert_eq!(password, "cad54fe5bf29bd0f4a00247459024b00");
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
