//! Option codes (RFC 2132; the IANA registry "BOOTP Vendor Extensions and DHCP Options").

/// A filler byte without a length.
pub const PAD: u8 = 0;
/// Subnet mask, 4 bytes.
pub const SUBNET_MASK: u8 = 1;
/// Routers, 4 bytes each, best first.
pub const ROUTER: u8 = 3;
/// Name servers, 4 bytes each, best first.
pub const DOMAIN_NAME_SERVER: u8 = 6;
/// The client's name.
pub const HOST_NAME: u8 = 12;
/// The client's domain.
pub const DOMAIN_NAME: u8 = 15;
/// MTU of the interface, 2 bytes.
pub const INTERFACE_MTU: u8 = 26;
/// NTP servers, 4 bytes each, best first.
pub const NTP_SERVERS: u8 = 42;
/// Address that the client requests, 4 bytes.
pub const REQUESTED_ADDRESS: u8 = 50;
/// Lease time in seconds, 4 bytes.
pub const LEASE_TIME: u8 = 51;
/// Options continue in `file` (1), `sname` (2) or both (3).
pub const OVERLOAD: u8 = 52;
/// Kind of message, 1 byte.
pub const MESSAGE_TYPE: u8 = 53;
/// The server's address, 4 bytes.
pub const SERVER_ID: u8 = 54;
/// Options that the client requests, 1 byte each.
pub const PARAMETER_REQUEST_LIST: u8 = 55;
/// The server's message in a NAK.
pub const MESSAGE: u8 = 56;
/// Longest message that the client accepts, 2 bytes.
pub const MAX_MESSAGE_SIZE: u8 = 57;
/// T1 in seconds, 4 bytes.
pub const RENEWAL_TIME: u8 = 58;
/// T2 in seconds, 4 bytes.
pub const REBINDING_TIME: u8 = 59;
/// The vendor class of the client.
pub const VENDOR_CLASS: u8 = 60;
/// The client identifier: hardware type and address, or other bytes.
pub const CLIENT_ID: u8 = 61;
/// Rapid commit (RFC 4039): an ACK to a DISCOVER; no bytes.
pub const RAPID_COMMIT: u8 = 80;
/// IPv6-only preferred (RFC 8925): seconds to do without IPv4, 4 bytes.
pub const IPV6_ONLY_PREFERRED: u8 = 108;
/// Domain search list (RFC 3397).
pub const DOMAIN_SEARCH: u8 = 119;
/// Classless static routes (RFC 3442).
pub const CLASSLESS_ROUTES: u8 = 121;
/// The end of a field of options, without a length.
pub const END: u8 = 255;
