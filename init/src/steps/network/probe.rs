//! A probe: sets one interface up, waits for its carrier and finds an address for it, for each IP version on its own. It
//! configures no address and no route; the owner of the claims does.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use dayfly_formats::dhcp4::Lease;
use dayfly_formats::mac::Mac;
use dayfly_formats::nd::NdOptions;
use dayfly_plan::network::{AddressSource, Config, Network};
use dayfly_plan::settings::value::HostName;
use dayfly_sys::{Family, Link, LinkChange, NdPort, Sys, SysError, TreePath, own};

use super::starters::is_named;
use super::{advertised, apply, dhcp, ipv6, lacp};
use crate::claims::{Claims, Conflicts, Contender, Origin, Reason, State, Way};
use crate::context::Context;
use crate::events::Level;
use crate::{Autoconf, Failure, threads};

/// How often the state of the links is checked.
pub const POLL: Duration = Duration::from_millis(20);
/// The same after another interface has won, to save CPU time for the transfer of the image.
const RELAXED_POLL: Duration = Duration::from_millis(500);

/// The probe of one interface, on its own thread.
pub struct Probe {
    pub sys: Arc<dyn Sys>,
    pub link: Link,
    pub hostname: Option<HostName>,
    pub uuid: Option<[u8; 16]>,
    pub vendor_class: Option<String>,
    /// The address that a DHCPv4 server gave to the interface at the last boot.
    pub last_address: Option<Ipv4Addr>,
    needs_ipv4: bool,
    pub config: Config,
    /// VLANs are made of it, which go down with it.
    has_vlans: bool,
    /// It and the links below it.
    links: Vec<String>,
    claims: Arc<Claims>,
    number: u64,
    pub say: Box<dyn Fn(Level, String) + Send + Sync>,
}

/// Adds the ways of an interface to the claims and starts its probe.
pub fn enter(cx: &Context, wanted: &Network, link: Link) {
    let Some(config) = wanted.config(&link.name) else { return };
    let (driver, number) = (driver(cx, &link), cx.claims.new_probe());
    for family in families(config) {
        cx.claims.enter(Contender {
            probe: Some(number),
            family,
            driver: driver.clone(),
            config: config.clone(),
            is_named: is_named(wanted, &link),
            state: State::Waiting(Reason::NoCarrier),
            turns: 0,
            lost: None,
            has_changed: false,
            up: None,
            asked: None,
            first_asked: None,
            answer: None,
            link: link.clone(),
        });
    }
    start(cx, wanted, link, config.clone(), number);
}

/// The IP versions of a configuration, in the order of its addresses.
fn families(config: &Config) -> Vec<Family> {
    let mut families = Vec::new();
    for source in &config.addresses {
        let family = if source.is_v6() { Family::V6 } else { Family::V4 };
        if !families.contains(&family) {
            families.push(family);
        }
    }
    families
}

/// The name of the driver; virtual interfaces have none.
fn driver(cx: &Context, link: &Link) -> Option<String> {
    let text = cx.sys.read(&own(format!("/sys/class/net/{}/device/uevent", link.name))).ok()?;
    let fields = dayfly_formats::uevent::parse_file(&String::from_utf8_lossy(&text));
    fields.into_iter().find_map(|(key, value)| (key == "DRIVER").then_some(value))
}

/// The address of the last boot. The name of an interface that the boot creates is part of its identity: a VLAN has the MAC
/// address of its parent.
fn last_address(cx: &Context, wanted: &Network, link: &Link, config: &Config) -> Option<Ipv4Addr> {
    let created = wanted.made().any(|made| made.name == link.name).then_some(link.name.as_str());
    cx.known.last_boot.address(mac_of(link, config)?, created)
}

/// The MAC address that an interface has once it is configured.
fn mac_of(link: &Link, config: &Config) -> Option<Mac> {
    config.mac.or(link.mac.map(Mac))
}

fn start(cx: &Context, wanted: &Network, link: Link, config: Config, number: u64) {
    let (events, step, name) = (cx.events.clone(), cx.step, link.name.clone());
    let probe = Probe {
        sys: Arc::clone(&cx.sys),
        hostname: wanted.hostname.clone().or_else(|| config.hostname.clone()),
        uuid: wanted.uuid,
        vendor_class: wanted.vendor_class.clone(),
        last_address: last_address(cx, wanted, &link, &config),
        needs_ipv4: wanted.needs_ipv4,
        links: lacp::with_below(wanted, &link.name),
        has_vlans: wanted.made().any(|made| made.kind.below().contains(&link.name)),
        link,
        config,
        claims: Arc::clone(&cx.claims),
        number,
        say: Box::new({
            let name = name.clone();
            move |level, text| events.note(level, Some(step), format!("{name}: {text}"))
        }),
    };
    let probe = Arc::new(probe);
    let ways = families(&probe.config);
    let spawned = probe.spawn(format!("net {name}"), &ways, {
        let probe = Arc::clone(&probe);
        move || probe.run()
    });
    if let Err(error) = spawned {
        cx.note(Level::Warning, format!("{name}: the thread could not be started: {error}"));
    }
}

impl Probe {
    /// Starts a thread for the ways of these IP versions, whose panic is their failure.
    fn spawn(
        &self,
        name: String,
        families: &[Family],
        run: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<()> {
        let (claims, number, index) = (Arc::clone(&self.claims), self.number, self.link.index);
        let families = families.to_vec();
        let on_panic = move |failure: Failure| {
            for family in families {
                let state = State::Failed(Reason::Refused(failure.wrong.clone()));
                claims.tell(number, Way { index, family }, state);
            }
        };
        threads::start(name, on_panic, run).map(drop)
    }

    fn run(self: &Arc<Self>) {
        let wants_v6 = self.config.addresses.iter().any(AddressSource::is_v6);
        let routers = wants_v6.then(|| ipv6::prepare(self));
        let has_ipv6 = !self.needs_ipv4
            && self.config.addresses.contains(&AddressSource::RouterAdvertisement)
            && routers.as_ref().is_some_and(Result::is_ok);
        if let Err(reason) = self.prepare() {
            for family in families(&self.config) {
                self.tell(family, State::Failed(reason.clone()));
            }
            return;
        }
        // Static addresses are known at once; a server may take its time.
        for source in &self.config.addresses {
            if let AddressSource::Static(address) = source {
                let family = Family::of(address.address);
                self.tell(family, State::Claims(Origin::Static(*address)));
            }
        }
        if self.config.addresses.iter().any(AddressSource::is_autoconf)
            && let Some(routers) = routers
        {
            self.start_autoconf(routers);
        }
        if self.config.addresses.contains(&AddressSource::Dhcp4) {
            dhcp::run(self, has_ipv6);
        }
    }

    /// Waits for an IPv6 address on a thread of its own, beside DHCPv4.
    fn start_autoconf(self: &Arc<Self>, routers: Result<Box<dyn NdPort>, Reason>) {
        let probe = Arc::clone(self);
        let run = move || {
            let mut options = NdOptions::default();
            let found = routers.and_then(|mut port| {
                let autoconf = ipv6::autoconf(&probe, &mut *port, &mut options)?;
                Ok((port, autoconf))
            });
            match found {
                Ok((mut port, autoconf)) => {
                    let origin = Origin::Autoconf(Box::new(autoconf.clone()), probe.sys.now());
                    probe.tell(Family::V6, State::Claims(origin));
                    advertised::keep(&probe, &mut *port, &mut options, autoconf);
                }
                Err(reason) => probe.tell(Family::V6, State::Failed(reason)),
            }
        };
        if let Err(error) = self.spawn(format!("net {} v6", self.link.name), &[Family::V6], run) {
            let words = format!("the thread could not be started: {error}");
            self.tell(Family::V6, State::Failed(Reason::Refused(words)));
        }
    }

    /// Sets the interface up, waits for its carrier, and for the partners of bonds.
    fn prepare(&self) -> Result<(), Reason> {
        // Addresses and routes of an earlier attempt would conflict with those of this one.
        self.change(&LinkChange::Flush(None))?;
        if self.link.up && self.config.addresses.iter().any(AddressSource::is_autoconf) {
            ipv6::start_again(self);
        }
        if let Some(mac) = self.config.mac.filter(|mac| self.link.mac != Some(mac.0)) {
            // Many drivers take another address only while the interface is down.
            if !self.has_vlans {
                self.change(&LinkChange::Down)?;
            }
            self.change(&LinkChange::Mac(mac.0))?;
        }
        if let Some(mtu) = self.config.mtu {
            // Set the MTU before the interface is up: some lose their carrier when it changes.
            apply::set_mtu(&*self.sys, &self.link, mtu, apply::least_mtu(&self.config), &self.say)?;
        }
        self.change(&LinkChange::Up)?;
        if self.is_over() && !self.link.up {
            // The owner removed the configuration while this call was in progress. So set the interface down.
            self.change(&LinkChange::Down)?;
        }
        self.wait_for_carrier()?;
        lacp::wait_for_partners(self, &self.links);
        Ok(())
    }

    fn wait_for_carrier(&self) -> Result<(), Reason> {
        let mut said = false;
        let limit = self.config.limits.carrier;
        let started = self.sys.now();
        while !self.is_over() && limit.is_none_or(|limit| self.sys.now().saturating_sub(started) < limit) {
            let links = self.sys.links()?;
            match links.iter().find(|link| link.index == self.link.index) {
                Some(link) if link.carrier => return Ok(()),
                Some(_) => {}
                None => return Err(Reason::Refused("the interface was removed".to_owned())),
            }
            if !said {
                (self.say)(Level::Debug, "up, waiting for a carrier".to_owned());
                said = true;
            }
            self.sys.sleep(if self.is_decided() { RELAXED_POLL } else { POLL });
        }
        Err(Reason::NoCarrier)
    }

    fn change(&self, change: &LinkChange) -> Result<(), SysError> {
        self.sys.change_link(self.link.index, change)
    }

    /// The MAC address that the interface has by now.
    pub fn mac(&self) -> Option<[u8; 6]> {
        mac_of(&self.link, &self.config).map(|mac| mac.0)
    }

    /// Reports the state of the probe for an IP version.
    pub fn tell(&self, family: Family, state: State) {
        self.claims.tell(self.number, Way { index: self.link.index, family }, state);
    }

    /// Whether the interface has an address of this IP version to offer.
    pub fn has_claim(&self, family: Family) -> bool {
        self.claims.has_claim(Way { index: self.link.index, family })
    }

    /// Records a setting of the interface as it was before the boot changed it.
    pub fn keep_setting(&self, path: TreePath, value: Vec<u8>) {
        self.claims.keep_setting(self.link.index, path, value);
    }

    /// The leased addresses that other hosts have, as far as earlier probes of the interface know.
    pub fn conflicts(&self) -> Conflicts {
        self.claims.conflicts(self.link.index)
    }

    /// Records the leased addresses that other hosts have.
    pub fn keep_conflicts(&self, conflicts: &Conflicts) {
        self.claims.keep_conflicts(self.link.index, conflicts);
    }

    /// Whether an interface has won.
    pub fn is_decided(&self) -> bool {
        self.claims.is_decided()
    }

    /// Takes back what the probe has claimed. Returns whether it was configured.
    pub fn withdraw(&self, family: Family, state: State) -> bool {
        self.claims.withdraw(self.number, Way { index: self.link.index, family }, state)
    }

    /// Whether the interface is configured with the lease of this time; `None` if it has another claim or none.
    pub fn is_up_with(&self, granted: Duration) -> Option<bool> {
        let way = Way { index: self.link.index, family: Family::V4 };
        self.claims.is_up_with(self.number, way, granted)
    }

    /// Reports that the claimed lease is extended. Returns the metric of its routes, if it is configured.
    pub fn extended(&self, lease: &Lease, granted: Duration) -> Option<u32> {
        let way = Way { index: self.link.index, family: Family::V4 };
        self.claims.extended(self.number, way, lease, granted)
    }

    /// Reports that routers have changed the claim.
    pub fn changed(&self, autoconf: &Autoconf) {
        self.claims.changed(self.number, Way { index: self.link.index, family: Family::V6 }, autoconf);
    }

    /// Waits until the probe is over, for `limit` at most.
    pub fn rest(&self, limit: Duration) {
        self.claims.rest(&*self.sys, self.number, limit);
    }

    /// Whether the owner no longer waits for this probe.
    pub fn is_over(&self) -> bool {
        !self.claims.is_awaited(self.number)
    }
}
