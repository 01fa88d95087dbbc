//! Leased addresses that other hosts have. A later probe of the same interface knows them too: the pause after a DHCPDECLINE does not
//! end with the attempt of the step.

use std::net::Ipv4Addr;

use dayfly_formats::dhcp4::client::Declined;
use dayfly_formats::mac::Mac;

use super::Claims;

/// How many conflicts are remembered.
const MOST: usize = 16;

/// The conflicts of one interface.
#[derive(Debug, Clone, Default)]
pub struct Conflicts {
    /// The hosts that answered by ARP, and the addresses for which they did.
    hosts: Vec<(Mac, Ipv4Addr)>,
    /// The address that was given back last.
    pub declined: Option<Declined>,
}

impl Conflicts {
    /// Whether a host has answered for another address.
    pub fn has_another(&self, host: Mac, address: Ipv4Addr) -> bool {
        self.hosts.iter().any(|(other, its)| *other == host && *its != address)
    }

    /// Remembers that a host has an address. Returns whether that is new.
    pub fn add(&mut self, host: Mac, address: Ipv4Addr) -> bool {
        let is_new = !self.hosts.contains(&(host, address));
        if is_new && self.hosts.len() < MOST {
            self.hosts.push((host, address));
        }
        is_new
    }
}

impl Claims {
    /// The conflicts that earlier probes of an interface found.
    pub fn conflicts(&self, index: u32) -> Conflicts {
        self.field().conflicts.get(&index).cloned().unwrap_or_default()
    }

    /// Records the conflicts of an interface.
    pub fn keep_conflicts(&self, index: u32, conflicts: &Conflicts) {
        self.field().conflicts.insert(index, conflicts.clone());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn conflicts_outlast_the_attempt_of_the_step() {
        let (owner, address, claims) =
            (Mac([2, 0, 0, 0, 0, 7]), Ipv4Addr::new(10, 0, 0, 50), Claims::default());
        let until = Duration::from_secs(10);
        let declined = Some(Declined { server: Ipv4Addr::new(10, 0, 0, 1), address, owner, until });
        let mut conflicts = Conflicts { declined, ..claims.conflicts(2) };
        assert!(conflicts.add(owner, address) && !conflicts.add(owner, address));
        claims.keep_conflicts(2, &conflicts);
        claims.restart();
        let found = claims.conflicts(2);
        assert_eq!(found.declined, declined);
        // The second address of the same host: a proxy.
        assert!(found.has_another(owner, Ipv4Addr::new(10, 0, 0, 51)) && !found.has_another(owner, address));
        assert_eq!(claims.conflicts(3).declined, None);
    }
}
