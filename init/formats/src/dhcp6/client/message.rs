//! The messages that the client sends.

use std::time::Duration;

use super::{Client, State, Want};
use crate::dhcp6::{IaNa, Message, MessageType, code};
use crate::domain_names;

/// User class sent, for servers that answer by class.
const USER_CLASS: &[u8] = b"\x00\x06dayfly";
/// What is asked for with an address. RFC 8415 21.7: a client asks for SOL_MAX_RT.
const WANTED_WITH_ADDRESS: [u16; 7] = [
    code::DNS_SERVERS,
    code::DOMAIN_LIST,
    code::SNTP_SERVERS,
    code::CLIENT_FQDN,
    code::NTP_SERVER,
    code::BOOT_FILE_URL,
    code::SOL_MAX_RT,
];
/// What is asked for without one. RFC 8415 21.7: a client asks for the refresh time and INF_MAX_RT.
const WANTED_ALONE: [u16; 7] = [
    code::DNS_SERVERS,
    code::DOMAIN_LIST,
    code::SNTP_SERVERS,
    code::INFORMATION_REFRESH_TIME,
    code::NTP_SERVER,
    code::BOOT_FILE_URL,
    code::INF_MAX_RT,
];
/// Flag S of option 39: the server is to enter the name into the DNS (RFC 4704 4.1).
const SERVER_UPDATES: u8 = 1;

impl Client {
    /// The message that the state sends; `None` when it sends none.
    pub(super) fn message(&self, now: Duration) -> Option<Message> {
        let (kind, advert) = match &self.state {
            State::Soliciting(_) => (MessageType::Solicit, None),
            State::Requesting(advert, _) => (MessageType::Request, Some(advert)),
            State::Informing => (MessageType::InformationRequest, None),
            State::Done(_) => return None,
        };
        let mut message = Message::new(kind, self.xid);
        let options = &mut message.options;
        options.add(code::CLIENT_ID, self.duid.as_bytes());
        if let Some(advert) = advert {
            options.add(code::SERVER_ID, advert.server.as_bytes());
        }
        options.add(code::ELAPSED_TIME, self.retry.elapsed(now).to_be_bytes());
        options.add(code::USER_CLASS, USER_CLASS);
        let wanted = match self.want {
            Want::Address { iaid } => {
                options.add(code::IA_NA, IaNa::wanted(iaid, advert.map(|advert| advert.address)).encode());
                if kind == MessageType::Solicit {
                    options.add(code::RAPID_COMMIT, []);
                }
                // RFC 4704 section 5 has no name in an Information-request.
                if let Some(name) = &self.hostname {
                    options.add(code::CLIENT_FQDN, fqdn(name));
                }
                WANTED_WITH_ADDRESS
            }
            Want::Information => WANTED_ALONE,
        };
        options.add(code::OPTION_REQUEST, wanted.into_iter().flat_map(u16::to_be_bytes).collect::<Vec<_>>());
        Some(message)
    }
}

/// Option 39: a name with a domain is complete and ends in the root's empty label; one without is for the server to complete
/// (RFC 4704 4.2).
fn fqdn(name: &str) -> Vec<u8> {
    let mut bytes = vec![SERVER_UPDATES];
    bytes.extend_from_slice(&domain_names::encode(name));
    if name.contains('.') {
        bytes.push(0);
    }
    bytes
}
