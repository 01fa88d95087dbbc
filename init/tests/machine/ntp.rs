//! The fake's time servers.

use std::time::Duration;

/// Seconds from 1900, the start of NTP's era 0, to 1970.
const UNIX_EPOCH: u64 = 2_208_988_800;

/// A time server: it answers each request once, with what `change` makes of a good reply.
#[derive(Debug, Clone)]
pub struct Server {
    /// Seconds since 1970.
    pub time: u64,
    /// How long it takes.
    pub after: Duration,
    /// What is wrong with its replies.
    pub change: fn(&mut [u8; 48]),
    /// Another host sends this reply before.
    pub forged: Option<u64>,
}

impl Server {
    /// A good server.
    pub fn new(time: u64) -> Self {
        Self { time, after: Duration::from_millis(2), change: |_| (), forged: None }
    }

    /// The replies to a request, each with the pause before it.
    pub fn replies(&self, request: &[u8]) -> Vec<(Duration, Vec<u8>)> {
        assert_eq!(request.len(), 48, "the length of an SNTP request");
        assert_eq!(request[0], 0x23, "version 4, client");
        let mut replies = Vec::new();
        if let Some(time) = self.forged {
            // Its sender has not seen the request.
            replies.push((Duration::ZERO, reply(time, [7; 8]).to_vec()));
        }
        let mut good = reply(self.time, request[40..].try_into().unwrap());
        (self.change)(&mut good);
        replies.push((self.after, good.to_vec()));
        replies
    }
}

fn reply(time: u64, originate: [u8; 8]) -> [u8; 48] {
    let mut message = [0; 48];
    (message[0], message[1]) = (0x24, 2);
    message[24..32].copy_from_slice(&originate);
    let stamp = (((time + UNIX_EPOCH) & 0xffff_ffff) << 32).to_be_bytes();
    message[32..40].copy_from_slice(&stamp);
    message[40..48].copy_from_slice(&stamp);
    message
}
