//! The `team=` kernel parameter: `team=<name>:<port>[,<port>…][:<runner>]`, dracut.cmdline(7) and teamd.conf(5).
//!
//! A team needs the daemon teamd(8), which this init does not have. The parameter is read so that a message can show the
//! `bond=` that does the same with the kernel alone.

use std::fmt;
use std::str::FromStr;

use crate::bond::BondArg;
use crate::net_arg::{ArgError, Checked, Field, new_interface, ports};

/// One `team=` parameter. `to_string()` writes it back, without `team=`.
///
/// As in dracut, a name alone has the ports eth0 and eth1. systemd-network-generator(8) has no teams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamArg {
    /// The interface to make.
    pub name: String,
    /// The interfaces to join: at least one.
    pub ports: Vec<String>,
    /// How frames are spread over the ports.
    pub runner: Runner,
}

/// A runner of teamd.conf(5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Runner {
    /// One port at a time.
    #[default]
    ActiveBackup,
    /// The ports take turns.
    RoundRobin,
    /// A random port for each frame.
    Random,
    /// The port depends on a hash of the frame's addresses.
    LoadBalance,
    /// Every frame on every port.
    Broadcast,
    /// Aggregation by agreement with the switch (IEEE 802.3ad).
    Lacp,
}

impl Runner {
    /// The runners as they are written in `team=`.
    pub const NAMES: &str = "activebackup, roundrobin, random, loadbalance, broadcast or lacp";

    fn from_name(name: &str) -> Option<Runner> {
        Some(match name {
            "activebackup" => Runner::ActiveBackup,
            "roundrobin" => Runner::RoundRobin,
            "random" => Runner::Random,
            "loadbalance" => Runner::LoadBalance,
            "broadcast" => Runner::Broadcast,
            "lacp" => Runner::Lacp,
            _ => return None,
        })
    }

    /// The options of a bond that do the same. `packets_per_slave=0` chooses a port at random (the kernel's bonding.rst).
    fn bond_options(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Runner::ActiveBackup => &[("mode", "active-backup")],
            Runner::RoundRobin => &[("mode", "balance-rr")],
            Runner::Random => &[("mode", "balance-rr"), ("packets_per_slave", "0")],
            Runner::LoadBalance => &[("mode", "balance-xor")],
            Runner::Broadcast => &[("mode", "broadcast")],
            Runner::Lacp => &[("mode", "802.3ad")],
        }
    }
}

impl fmt::Display for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Runner::ActiveBackup => "activebackup",
            Runner::RoundRobin => "roundrobin",
            Runner::Random => "random",
            Runner::LoadBalance => "loadbalance",
            Runner::Broadcast => "broadcast",
            Runner::Lacp => "lacp",
        })
    }
}

impl TeamArg {
    /// The bond that does the same, with the same name and ports. dracut has teamd watch the links of the ports; a bond
    /// does so only with `miimon`.
    pub fn as_bond(&self) -> BondArg {
        let options = self.runner.bond_options().iter().chain(&[("miimon", "100")]);
        BondArg {
            name: self.name.clone(),
            ports: self.ports.clone(),
            options: options.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            mtu: None,
            mac: None,
        }
    }
}

impl FromStr for TeamArg {
    type Err = ArgError;

    /// Parses what stands after `team=`; nothing there is dracut's default.
    fn from_str(text: &str) -> Result<TeamArg, ArgError> {
        let mut fields = text.split(':');
        let name = match fields.next() {
            Some(name) if !text.is_empty() => new_interface(name)?,
            _ => "team0".to_owned(),
        };
        let ports = ports(&name, fields.next().unwrap_or("eth0,eth1"))?;
        let runner = fields.next().map_or(Ok(Runner::default()), runner)?;
        if let Some(extra) = fields.next() {
            let problem = format!("has {extra:?} after the runner; expected the end");
            return Err(ArgError::new(Field::Whole, text, problem));
        }
        Ok(TeamArg { name, ports, runner })
    }
}

fn runner(name: &str) -> Checked<Runner> {
    Runner::from_name(name)
        .ok_or_else(|| ArgError::new(Field::Runner, name, format!("is unknown; expected {}", Runner::NAMES)))
}

impl fmt::Display for TeamArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.name, self.ports.join(","), self.runner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_and_the_bond() {
        for (text, shown, bond) in [
            ("", "team0:eth0,eth1:activebackup", "team0:eth0,eth1:mode=active-backup,miimon=100"),
            ("team7", "team7:eth0,eth1:activebackup", "team7:eth0,eth1:mode=active-backup,miimon=100"),
            ("t:a,b", "t:a,b:activebackup", "t:a,b:mode=active-backup,miimon=100"),
            ("t:a,,b:roundrobin", "t:a,b:roundrobin", "t:a,b:mode=balance-rr,miimon=100"),
            ("t:a,b:random", "t:a,b:random", "t:a,b:mode=balance-rr,packets_per_slave=0,miimon=100"),
            ("t:a:loadbalance", "t:a:loadbalance", "t:a:mode=balance-xor,miimon=100"),
            ("t:a:broadcast", "t:a:broadcast", "t:a:mode=broadcast,miimon=100"),
            ("t:a:lacp", "t:a:lacp", "t:a:mode=802.3ad,miimon=100"),
        ] {
            let arg: TeamArg = text.parse().unwrap_or_else(|error| panic!("team={text}: {error}"));
            assert_eq!(arg.to_string(), shown);
            assert_eq!(shown.parse(), Ok(arg.clone()));
            assert_eq!(arg.as_bond().to_string(), bond);
            assert_eq!(bond.parse(), Ok(arg.as_bond()));
        }
    }

    #[test]
    fn bad_parameters_are_named() {
        let runners = "is unknown; expected activebackup, roundrobin, random, loadbalance, broadcast or lacp";
        for runner in ["", "active-backup", "LACP", "802.3ad", "1"] {
            let found = format!("team0:eth0:{runner}").parse::<TeamArg>().unwrap_err();
            assert_eq!(found.to_string(), format!("runner {runner:?} {runners}"));
        }
        for (text, error) in [
            (":eth0", r#"name "" is empty; expected a name like eth0"#),
            ("te/am:eth0", r#"name "te/am" holds '/'; expected a name like eth0"#),
            (
                "team-of-the-lab0:eth0",
                r#"name "team-of-the-lab0" has 16 bytes; expected at most 15, the limit of the kernel"#,
            ),
            (
                "team%d:eth0",
                r#"name "team%d" holds '%', which the kernel replaces by a number; expected a name like eth0"#,
            ),
            (
                "team0:",
                r#"port list "" names no interface; expected names separated by commas, like eth0,eth1"#,
            ),
            (
                "team0::lacp",
                r#"port list "" names no interface; expected names separated by commas, like eth0,eth1"#,
            ),
            ("team0:eth0,eth0", r#"port "eth0" is listed twice; expected each port once"#),
            ("team0:team0", r#"port "team0" is the interface to make; expected one below it"#),
            ("team0:eth 0", r#"port "eth 0" holds ' '; expected a name like eth0"#),
            ("team0:10.0.0.1", r#"port "10.0.0.1" is an address; expected a name like eth0"#),
            ("team0:eth0:lacp:", r#"value "team0:eth0:lacp:" has "" after the runner; expected the end"#),
            (
                "team0:eth0:lacp:1500",
                r#"value "team0:eth0:lacp:1500" has "1500" after the runner; expected the end"#,
            ),
        ] {
            match text.parse::<TeamArg>() {
                Ok(parsed) => panic!("team={text} was taken as {parsed:?}"),
                Err(found) => assert_eq!(found.to_string(), error, "team={text}"),
            }
        }
    }
}
