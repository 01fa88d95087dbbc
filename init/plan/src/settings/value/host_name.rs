//! Host names.

use std::fmt;
use std::str::FromStr;

use dayfly_formats::ip::IpArg;

use super::{own_values, pattern};

/// A host name: labels of letters, digits and `-` (RFC 1123 §2.1), at most 63 bytes, in lower case. Such a name is
/// valid for a Kubernetes Node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName(String);

impl HostName {
    /// The fallback name.
    pub fn localhost() -> Self {
        HostName("localhost".to_owned())
    }

    /// The name from a DHCP server, an `ip=` parameter or an installed OS, adapted to a valid name, or the reason why
    /// that is not possible.
    pub fn given(text: &str) -> Result<Self, String> {
        match dayfly_formats::hostname::given(text) {
            Ok(given) => Ok(HostName(given.name)),
            Err(reason) => Err(format!("host name \"{text}\" {reason}")),
        }
    }

    /// The name in an `ip=` parameter, if it is valid.
    pub fn of_ip(ip: &IpArg) -> Option<Self> {
        // The plan reports an invalid name.
        ip.hostname.as_deref().and_then(|name| Self::given(name).ok())
    }

    /// Whether it is a placeholder for a machine without a name, such as localhost.
    pub fn is_placeholder(&self) -> bool {
        dayfly_formats::hostname::is_placeholder(&self.0)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HostName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        dayfly_formats::hostname::check(text).map_err(|reason| format!("host name \"{text}\" {reason}"))?;
        Ok(HostName(text.to_ascii_lowercase()))
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

own_values! {
    HostName = "host name", pattern(
        r"^(?=.{1,63}$)(?![0-9]+(\.[0-9]+){3}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$"
    );
}
