//! Option codes (the IANA registry "Dynamic Host Configuration Protocol for IPv6 (DHCPv6)").

/// The client's DUID.
pub const CLIENT_ID: u16 = 1;
/// The server's DUID.
pub const SERVER_ID: u16 = 2;
/// Identity association for non-temporary addresses: IAID, T1, T2 and options.
pub const IA_NA: u16 = 3;
/// An address of an identity association: address, preferred and valid lifetime, options.
pub const IA_ADDRESS: u16 = 5;
/// Options the client would like, 2 bytes each (ORO).
pub const OPTION_REQUEST: u16 = 6;
/// Preference of the server, 1 byte; 255 is the highest.
pub const PREFERENCE: u16 = 7;
/// Hundredths of a second since the exchange began, 2 bytes.
pub const ELAPSED_TIME: u16 = 8;
/// Status code, 2 bytes, and words.
pub const STATUS_CODE: u16 = 13;
/// Two messages instead of four; no content.
pub const RAPID_COMMIT: u16 = 14;
/// What kind of client this is: texts, each after its length of 2 bytes.
pub const USER_CLASS: u16 = 15;
/// Name servers, 16 bytes each, best first (RFC 3646).
pub const DNS_SERVERS: u16 = 23;
/// Domain search list (RFC 3646).
pub const DOMAIN_LIST: u16 = 24;
/// SNTP servers, 16 bytes each, best first (RFC 4075).
pub const SNTP_SERVERS: u16 = 31;
/// Seconds until the information is asked for again, 4 bytes (RFC 8415 21.23).
pub const INFORMATION_REFRESH_TIME: u16 = 32;
/// The client's name, after a byte of flags (RFC 4704).
pub const CLIENT_FQDN: u16 = 39;
/// A time server as suboptions (RFC 5908).
pub const NTP_SERVER: u16 = 56;
/// URL of the boot file (RFC 5970).
pub const BOOT_FILE_URL: u16 = 59;
/// The longest interval between Solicits in seconds, 4 bytes (RFC 8415 21.24).
pub const SOL_MAX_RT: u16 = 82;
/// The longest interval between Information-requests in seconds, 4 bytes (RFC 8415 21.25).
pub const INF_MAX_RT: u16 = 83;
