use dayfly_formats::resolv_conf::ResolvConf;

use super::Family;

/// A server to be reached over one interface.
#[derive(Debug, Clone, Copy)]
pub struct Reach<'a> {
    /// Its name or address; an IPv6 address has no brackets.
    pub host: &'a str,
    /// Its TCP port.
    pub port: u16,
    /// The IP version of the connection.
    pub family: Family,
    /// How a name is resolved; `/etc/hosts` comes first.
    pub resolver: &'a ResolvConf,
}
