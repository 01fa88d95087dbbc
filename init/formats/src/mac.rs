//! Ethernet addresses, and the formats of `BOOTIF=` in boot loaders.

use std::fmt;
use std::str::FromStr;

/// An Ethernet (EUI-48) address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// The address in a `BOOTIF=` value: `01-52-54-00-12-34-56` (PXELINUX's IPAPPEND 2, and iPXE's
    /// `BOOTIF=01-${netX/mac:hexhyp}`), the same with `:`, without the leading ARP hardware type (01 is Ethernet, 06 is
    /// IEEE 802), or as twelve bare digits (`${netX/mac:hexraw}`).
    pub fn from_bootif(text: &str) -> Result<Mac, MacError> {
        let fail = |problem| MacError { text: text.to_owned(), problem };
        if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let number = u64::from_str_radix(text, 16).map_err(|_| fail(Problem::Part(text.to_owned())))?;
            let [_, _, mac @ ..] = number.to_be_bytes();
            return Ok(Mac(mac));
        }
        if text.split(['-', ':']).count() != 7 {
            return text.parse();
        }
        let Some((hardware, rest)) = text.split_once(['-', ':']) else { return text.parse() };
        match part(hardware) {
            Some(1 | 6) => parse(rest).map_err(fail),
            Some(other) => Err(fail(Problem::Hardware(other))),
            None => Err(fail(Problem::Part(hardware.to_owned()))),
        }
    }

    /// Whether the address is a group address (multicast or broadcast), which no interface can have.
    pub fn is_group(self) -> bool {
        let Mac([first, ..]) = self;
        first & 1 == 1
    }

    /// Whether all six bytes are zero. Drivers show this address for an interface without an address.
    pub fn is_zero(self) -> bool {
        self.0 == [0; 6]
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02x}", if at == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

impl FromStr for Mac {
    type Err = MacError;

    /// Six parts of one or two hexadecimal digits, all separated by `:` or all by `-`.
    fn from_str(text: &str) -> Result<Mac, MacError> {
        parse(text).map_err(|problem| MacError { text: text.to_owned(), problem })
    }
}

/// Why a text is not an Ethernet address. `Display` gives a complete sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MacError {
    text: String,
    problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Problem {
    Count(usize),
    Mixed,
    Part(String),
    Hardware(u8),
}

impl fmt::Display for MacError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MAC address {:?} ", self.text)?;
        match &self.problem {
            Problem::Count(count) => {
                write!(f, "has {count} {}; ", if *count == 1 { "part" } else { "parts" })?;
            }
            Problem::Mixed => f.write_str("mixes \":\" and \"-\"; ")?,
            Problem::Part(part) => write!(f, "has the part {part:?}; ")?,
            Problem::Hardware(kind) => {
                return write!(f, "has the hardware type {kind:02x}; expected 01, Ethernet");
            }
        }
        f.write_str("expected six pairs of hexadecimal digits, like 52:54:00:12:34:56")
    }
}

impl std::error::Error for MacError {}

fn part(text: &str) -> Option<u8> {
    let digits = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digits { u8::from_str_radix(text, 16).ok() } else { None }
}

fn parse(text: &str) -> Result<Mac, Problem> {
    if text.contains(':') && text.contains('-') {
        return Err(Problem::Mixed);
    }
    let count = text.split([':', '-']).count();
    if count != 6 {
        return Err(Problem::Count(count));
    }
    let mut mac = [0; 6];
    for (byte, text) in mac.iter_mut().zip(text.split([':', '-'])) {
        *byte = part(text).ok_or_else(|| Problem::Part(text.to_owned()))?;
    }
    Ok(Mac(mac))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = Mac([0x52, 0x54, 0, 0x12, 0x34, 0xab]);

    #[test]
    fn reads_and_prints() {
        for text in ["52:54:00:12:34:ab", "52-54-00-12-34-AB", "52:54:0:12:34:ab"] {
            assert_eq!(text.parse(), Ok(MAC), "{text}");
        }
        assert_eq!(MAC.to_string(), "52:54:00:12:34:ab");
    }

    #[test]
    fn reads_bootif_as_boot_loaders_write_it() {
        for text in [
            "01-52-54-00-12-34-ab",
            "01:52:54:00:12:34:AB",
            "06-52-54-00-12-34-ab",
            "52-54-00-12-34-ab",
            "52:54:00:12:34:ab",
            "5254001234ab",
        ] {
            assert_eq!(Mac::from_bootif(text), Ok(MAC), "{text}");
        }
    }

    #[test]
    fn kinds() {
        for (text, group, zero) in [
            ("52:54:00:12:34:56", false, false),
            ("ff:ff:ff:ff:ff:ff", true, false),
            ("01:00:5e:00:00:01", true, false),
            ("00:00:00:00:00:00", false, true),
        ] {
            let mac: Mac = text.parse().unwrap();
            assert_eq!((mac.is_group(), mac.is_zero()), (group, zero), "{text}");
        }
    }

    #[test]
    fn bad_addresses_are_named() {
        let six = "expected six pairs of hexadecimal digits, like 52:54:00:12:34:56";
        for (text, problem) in [
            ("", r#"MAC address "" has 1 part; "#),
            ("52:54", r#"MAC address "52:54" has 2 parts; "#),
            ("52:54:00:12:34", r#"MAC address "52:54:00:12:34" has 5 parts; "#),
            ("52:54:00:12:34:56:78", r#"MAC address "52:54:00:12:34:56:78" has 7 parts; "#),
            ("52:54:00:12-34:56", r#"MAC address "52:54:00:12-34:56" mixes ":" and "-"; "#),
            ("52:54:00:12:34:5g", r#"MAC address "52:54:00:12:34:5g" has the part "5g"; "#),
            ("52:54::12:34:56", r#"MAC address "52:54::12:34:56" has the part ""; "#),
            ("52:54:+1:12:34:56", r#"MAC address "52:54:+1:12:34:56" has the part "+1"; "#),
            ("52:54:012:12:34:56", r#"MAC address "52:54:012:12:34:56" has the part "012"; "#),
            ("52:54:00:12:34:\u{e9}", "MAC address \"52:54:00:12:34:\u{e9}\" has the part \"\u{e9}\"; "),
        ] {
            assert_eq!(text.parse::<Mac>().unwrap_err().to_string(), format!("{problem}{six}"));
        }
        for (text, error) in [
            (
                "20-52-54-00-12-34-56",
                r#"MAC address "20-52-54-00-12-34-56" has the hardware type 20; expected 01, Ethernet"#
                    .to_owned(),
            ),
            (
                "xx-52-54-00-12-34-56",
                format!(r#"MAC address "xx-52-54-00-12-34-56" has the part "xx"; {six}"#),
            ),
            (
                "01-52-54-00-12-34-5z",
                format!(r#"MAC address "01-52-54-00-12-34-5z" has the part "5z"; {six}"#),
            ),
            ("525400123456ff", format!(r#"MAC address "525400123456ff" has 1 part; {six}"#)),
            ("01-52-54-00", format!(r#"MAC address "01-52-54-00" has 4 parts; {six}"#)),
        ] {
            assert_eq!(Mac::from_bootif(text).unwrap_err().to_string(), error);
        }
    }

    proptest::proptest! {
        #[test]
        fn every_address_comes_back(bytes: [u8; 6]) {
            let mac = Mac(bytes);
            let text = mac.to_string();
            proptest::prop_assert_eq!(text.parse::<Mac>(), Ok(mac));
            proptest::prop_assert_eq!(Mac::from_bootif(&text), Ok(mac));
            proptest::prop_assert_eq!(Mac::from_bootif(&format!("01-{}", text.replace(':', "-"))), Ok(mac));
        }
    }
}
