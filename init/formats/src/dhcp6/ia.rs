//! Identity associations for non-temporary addresses (RFC 8415 21.4 and 21.6).

use std::net::Ipv6Addr;

use super::code;
use super::options::Options;
use super::status::Status;

/// IAID, T1 and T2.
const IA_HEADER: usize = 12;
/// Address, preferred and valid lifetime.
const ADDRESS_HEADER: usize = 24;

/// The addresses that a server gives to one interface, or that a client asks for. Times are in seconds; `u32::MAX` is for
/// ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IaNa {
    /// The client's number of the association.
    pub iaid: u32,
    /// When the client asks this server for more time; 0 leaves it to the client.
    pub t1: u32,
    /// When the client asks any server for more time; 0 leaves it to the client.
    pub t2: u32,
    /// The addresses, best first.
    pub addresses: Vec<IaAddress>,
    /// Whether the association was granted; `None` means that it was.
    pub status: Option<Status>,
}

/// One address of an association.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IaAddress {
    /// The address.
    pub address: Ipv6Addr,
    /// How long it may be used for new connections.
    pub preferred: u32,
    /// How long it may be used at all.
    pub valid: u32,
    /// Whether it was granted; `None` means that it was.
    pub status: Option<Status>,
}

impl IaNa {
    /// What a client asks for: one association, with the address it would like (RFC 8415 21.4 and 21.6: times of 0).
    pub fn wanted(iaid: u32, address: Option<Ipv6Addr>) -> IaNa {
        let addresses = address.map(|address| IaAddress { address, preferred: 0, valid: 0, status: None });
        IaNa { iaid, t1: 0, t2: 0, addresses: addresses.into_iter().collect(), status: None }
    }

    /// Reads the bytes of option 3. The error is the end of a sentence.
    pub fn parse(bytes: &[u8]) -> Result<IaNa, &'static str> {
        let (header, options) = bytes.split_first_chunk::<IA_HEADER>().ok_or("is too short")?;
        let ([iaid, t1, t2], _) = header.as_chunks() else { return Err("is too short") };
        let options = Options::parse(options).map_err(|_| "has an option that is cut off")?;
        Ok(IaNa {
            iaid: u32::from_be_bytes(*iaid),
            t1: u32::from_be_bytes(*t1),
            t2: u32::from_be_bytes(*t2),
            addresses: options.all(code::IA_ADDRESS).map(IaAddress::parse).collect::<Result<_, _>>()?,
            status: Status::of(&options)?,
        })
    }

    /// Writes the bytes of option 3.
    pub fn encode(&self) -> Vec<u8> {
        let mut options = Options::new();
        for address in &self.addresses {
            options.add(code::IA_ADDRESS, address.encode());
        }
        if let Some(status) = &self.status {
            status.add_to(&mut options);
        }
        let mut out: Vec<u8> = [self.iaid, self.t1, self.t2].into_iter().flat_map(u32::to_be_bytes).collect();
        out.extend_from_slice(&options.encode());
        out
    }
}

impl IaAddress {
    /// Reads the bytes of option 5. The error is the end of a sentence about the association.
    pub fn parse(bytes: &[u8]) -> Result<IaAddress, &'static str> {
        const SHORT: &str = "has an address that is too short";
        let (header, options) = bytes.split_first_chunk::<ADDRESS_HEADER>().ok_or(SHORT)?;
        let (address, times) = header.split_first_chunk::<16>().ok_or(SHORT)?;
        let ([preferred, valid], _) = times.as_chunks() else { return Err(SHORT) };
        let options = Options::parse(options).map_err(|_| "has an address with an option that is cut off")?;
        Ok(IaAddress {
            address: Ipv6Addr::from(*address),
            preferred: u32::from_be_bytes(*preferred),
            valid: u32::from_be_bytes(*valid),
            status: Status::of(&options)?,
        })
    }

    /// Writes the bytes of option 5.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.address.octets().to_vec();
        out.extend_from_slice(&self.preferred.to_be_bytes());
        out.extend_from_slice(&self.valid.to_be_bytes());
        let mut options = Options::new();
        if let Some(status) = &self.status {
            status.add_to(&mut options);
        }
        out.extend_from_slice(&options.encode());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dhcp6::StatusCode;

    #[test]
    fn an_association_comes_back() {
        let refused = Status { code: StatusCode::NotOnLink, words: "elsewhere".to_owned() };
        let address = |last, status| IaAddress {
            address: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last),
            preferred: 3600,
            valid: 7200,
            status,
        };
        let ia = IaNa {
            iaid: 0xa1b2_c3d4,
            t1: 1800,
            t2: 2880,
            addresses: vec![address(1, None), address(2, Some(refused))],
            status: Some(Status { code: StatusCode::Success, words: String::new() }),
        };
        assert_eq!(IaNa::parse(&ia.encode()), Ok(ia));
        let wanted = IaNa::wanted(7, None).encode();
        assert_eq!(wanted, [0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn what_is_no_association_is_named() {
        let ia = |options: &[u8]| [&[0; 12], options].concat();
        for (bytes, error) in [
            (vec![], "is too short"),
            (vec![0; 11], "is too short"),
            (ia(&[0, 5, 0]), "has an option that is cut off"),
            (ia(&[0, 5, 0, 24, 0]), "has an option that is cut off"),
            (ia(&[0, 5, 0, 2, 0, 0]), "has an address that is too short"),
            (ia(&[0, 13, 0, 1, 0]), "has a status without a code"),
            (
                ia(&[&[0, 5, 0, 27][..], &[0; 24], &[0, 13, 0]].concat()),
                "has an address with an option that is cut off",
            ),
        ] {
            assert_eq!(IaNa::parse(&bytes), Err(error), "{bytes:?}");
        }
    }
}
