//! IPv6's own configuration, the port of DHCPv6 and TCP connections, with another network namespace at the end of the cable.

mod namespace;

use std::fs::File;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use dayfly_formats::resolv_conf::ResolvConf;
use dayfly_sys::{
    Cause, DHCP6_CLIENT_PORT, Family, Kernel, LinkAddress, LinkChange, LinkRoute, Network, Platform, Reach,
    RouteOrigin,
};
use namespace::{apart, run};
use nix::errno::Errno;
use nix::sched::{CloneFlags, setns, unshare};
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, ipproto, sendto, socket_with, sockopt};

/// What a test waits for at most: duplicate address detection takes up to four seconds.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The other end of the cable: `vb`, in a network namespace of its own.
struct Far {
    network: File,
    vb: u32,
}

impl Far {
    /// Does something there. Sockets that are made there stay there.
    fn inside<T: Send>(&self, act: impl FnOnce(&Kernel) -> T + Send) -> T {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                setns(&self.network, CloneFlags::CLONE_NEWNET).unwrap();
                act(&Kernel::new())
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

/// A cable from `va` here to `vb` there; both ends are down.
fn cable(kernel: &Kernel) -> (u32, Far) {
    let network = std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            File::open("/proc/thread-self/ns/net").unwrap()
        });
        thread.join().unwrap()
    });
    let place = format!("/proc/{}/fd/{}", std::process::id(), network.as_raw_fd());
    run("ip", &["link", "add", "va", "type", "veth", "peer", "name", "vb", "netns", &place]);
    // Three probes, a second apart: a busy host still sees the detection before it ends.
    std::fs::write("/proc/sys/net/ipv6/conf/va/dad_transmits", "3").unwrap();
    let mut far = Far { network, vb: 0 };
    far.vb = far.inside(|kernel| index(kernel, "vb"));
    (index(kernel, "va"), far)
}

fn index(kernel: &Kernel, name: &str) -> u32 {
    kernel.links().unwrap().into_iter().find(|link| link.name == name).unwrap().index
}

/// Looks again and again until it finds something.
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let kernel = Kernel::new();
    let start = kernel.now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(kernel.now().saturating_sub(start) < TIMEOUT, "no {what} in {TIMEOUT:?}");
        kernel.sleep(Duration::from_millis(50));
    }
}

fn find(kernel: &Kernel, index: u32, is_it: impl Fn(&LinkAddress) -> bool) -> Option<LinkAddress> {
    kernel.addresses().unwrap().into_iter().find(|one| one.index == index && is_it(one))
}

fn up(kernel: &Kernel, index: u32) {
    kernel.change_link(index, &LinkChange::Up).unwrap();
}

/// Waits until an interface can speak IPv6, and gives the address that it has for that.
fn link_local(kernel: &Kernel, index: u32) -> Ipv6Addr {
    let found = wait_for("link-local address", || {
        find(kernel, index, |one| one.address.is_ipv6() && one.scope_link && !one.tentative)
    });
    let IpAddr::V6(address) = found.address else { panic!("{found:?}") };
    address
}

fn address(text: &str, prefix: u8) -> LinkChange {
    LinkChange::Address { address: text.parse().unwrap(), prefix, valid: None, peer: None }
}

#[test]
fn duplicate_address_detection_is_seen_to_its_end() {
    apart(|kernel, _| {
        let (va, far) = cable(kernel);
        far.inside(|kernel| {
            up(kernel, far.vb);
            kernel.change_link(far.vb, &address("fd00::5", 64)).unwrap();
        });
        up(kernel, va);
        far.inside(|kernel| link_local(kernel, far.vb));
        let of = |text: &str| find(kernel, va, |one| one.address == text.parse::<Ipv6Addr>().unwrap());
        kernel.change_link(va, &address("fd00::4", 64)).unwrap();
        let fresh = of("fd00::4").unwrap();
        assert_eq!((fresh.tentative, fresh.dad_failed, fresh.dynamic), (true, false, false));
        let settled = wait_for("end of the detection", || of("fd00::4").filter(|one| !one.tentative));
        assert_eq!(settled, LinkAddress { tentative: false, ..fresh });

        kernel.change_link(va, &address("fd00::5", 64)).unwrap();
        let failed = wait_for("failure of the detection", || of("fd00::5").filter(|one| one.dad_failed));
        assert!(failed.tentative, "no socket can use it: {failed:?}");
    });
}

/// A router advertisement (RFC 4861 4.2) with a prefix for SLAAC and a name server (RFC 8106 5.1).
fn advertisement(prefix: Ipv6Addr, rdnss: &[u8]) -> Vec<u8> {
    let mut message = vec![134, 0, 0, 0, 64, 0];
    message.extend(1800_u16.to_be_bytes());
    message.extend([0; 8]);
    // Prefix information: on-link and autonomous; valid for an hour, preferred for half an hour.
    message.extend([3, 4, 64, 0xc0]);
    message.extend(3600_u32.to_be_bytes());
    message.extend(1800_u32.to_be_bytes());
    message.extend([0; 4]);
    message.extend(prefix.octets());
    message.extend(rdnss);
    message
}

#[test]
fn what_a_router_advertises_is_seen_in_the_tables_and_at_the_port() {
    apart(|kernel, _| {
        let (va, far) = cable(kernel);
        let mut port = kernel.nd_options().unwrap();
        assert_eq!(port.receive(Duration::ZERO).unwrap(), None);
        up(kernel, va);
        let prefix: Ipv6Addr = "2001:db8:7::".parse().unwrap();
        // RFC 8106 5.1: two words of 8 bytes after the first, valid for 600 s.
        let mut rdnss = vec![25, 3, 0, 0, 0, 0, 2, 0x58];
        rdnss.extend("2001:db8:7::53".parse::<Ipv6Addr>().unwrap().octets());
        far.inside(|kernel| up(kernel, far.vb));
        link_local(kernel, va);
        let router = far.inside(|kernel| {
            let router = link_local(kernel, far.vb);
            let flags = SocketFlags::CLOEXEC;
            let socket: OwnedFd =
                socket_with(AddressFamily::INET6, SocketType::RAW, flags, Some(ipproto::ICMPV6)).unwrap();
            // RFC 4861 6.1.2: what has passed a router is no advertisement of this link.
            sockopt::set_ipv6_multicast_hops(&socket, 255).unwrap();
            let all_nodes = SocketAddrV6::new("ff02::1".parse().unwrap(), 0, 0, far.vb);
            sendto(&socket, &advertisement(prefix, &rdnss), SendFlags::empty(), &all_nodes).unwrap();
            router
        });
        // Some kernels give the prefix as well.
        let (index, options) = wait_for("option of the name server", || {
            port.receive(TIMEOUT).unwrap().filter(|(_, options)| options[0] == rdnss[0])
        });
        assert_eq!((index, options), (va, rdnss));
        let start = kernel.now();
        assert_eq!(port.receive(Duration::from_millis(60)).unwrap(), None);
        assert!(kernel.now().saturating_sub(start) >= Duration::from_millis(60));

        let is_in_prefix = |one: &LinkAddress| match one.address {
            IpAddr::V6(address) => address.segments()[..4] == prefix.segments()[..4],
            IpAddr::V4(_) => false,
        };
        let own = find(kernel, va, is_in_prefix).expect("an address by SLAAC");
        assert_eq!((own.prefix, own.dynamic, own.scope_link), (64, true, false));
        let near = |left: Option<Duration>, whole: u64| {
            left.is_some_and(|left| (whole - 60..=whole).contains(&left.as_secs()))
        };
        assert!(near(own.preferred, 1800) && near(own.valid, 3600), "{own:?}");
        let table = kernel.routes().unwrap();
        let default: Vec<&LinkRoute> = table.iter().filter(|route| route.is_default()).collect();
        assert_eq!(default.len(), 1, "{table:#?}");
        let LinkRoute { destination, gateway, index, origin, lifetime, .. } = default[0].clone();
        assert_eq!((destination, gateway), ((Ipv6Addr::UNSPECIFIED.into(), 0), Some(router.into())));
        assert_eq!((index, origin), (va, RouteOrigin::RouterAdvertisement));
        assert!(near(lifetime, 1800), "{lifetime:?}");
        assert!(table.iter().any(|route| route.destination == (prefix.into(), 64) && route.index == va));
    });
}

#[test]
fn a_port_of_dhcpv6_speaks_from_the_link_local_address() {
    apart(|kernel, _| {
        let (va, far) = cable(kernel);
        let refused = || {
            let error = kernel.datagram_port6(va, DHCP6_CLIENT_PORT).err().expect("no address to speak from");
            assert_eq!(error.errno(), Some(Errno::EADDRNOTAVAIL as i32), "{error}");
            error.to_string()
        };
        let start = format!("open UDP port 546 on interface {va}: ");
        assert_eq!(refused(), format!("{start}it has no IPv6 link-local address"));
        up(kernel, va);
        far.inside(|kernel| up(kernel, far.vb));
        wait_for("link-local address", || find(kernel, va, |one| one.scope_link && one.address.is_ipv6()));
        assert!(refused().starts_with(&format!("{start}its IPv6 link-local address is tentative")));

        let (own, server) = (link_local(kernel, va), far.inside(|kernel| link_local(kernel, far.vb)));
        let mut port = kernel.datagram_port6(va, DHCP6_CLIENT_PORT).unwrap();
        let listening = far.inside(|_| {
            let socket = UdpSocket::bind("[::]:547").unwrap();
            socket.join_multicast_v6(&"ff02::1:2".parse().unwrap(), far.vb).unwrap();
            socket.set_read_timeout(Some(TIMEOUT)).unwrap();
            socket
        });
        port.send(b"solicit").unwrap();
        let mut buffer = [0; 64];
        let (count, client) = listening.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..count], b"solicit");
        assert_eq!(client, SocketAddrV6::new(own, DHCP6_CLIENT_PORT, 0, far.vb).into());
        assert_eq!(port.receive(Duration::from_millis(60)).unwrap(), None);
        listening.send_to(b"advertise", client).unwrap();
        let (payload, source) = port.receive(TIMEOUT).unwrap().expect("the server's answer");
        assert_eq!((&payload[..], source), (&b"advertise"[..], SocketAddrV6::new(server, 547, 0, va)));

        let error = kernel.datagram_port6(va, DHCP6_CLIENT_PORT).err().expect("the port is taken");
        assert_eq!(error.errno(), Some(Errno::EADDRINUSE as i32), "{error}");
    });
}

#[test]
fn a_server_is_reached_through_its_interface_only() {
    apart(|kernel, _| {
        let (va, far) = cable(kernel);
        up(kernel, va);
        kernel.change_link(va, &address("10.7.0.2", 24)).unwrap();
        kernel.change_link(va, &address("fd00::2", 64)).unwrap();
        let listening = far.inside(|kernel| {
            up(kernel, far.vb);
            kernel.change_link(far.vb, &address("10.7.0.1", 24)).unwrap();
            kernel.change_link(far.vb, &address("fd00::1", 64)).unwrap();
            link_local(kernel, far.vb);
            wait_for("address", || {
                find(kernel, far.vb, |one| one.prefix == 64 && !one.scope_link && !one.tentative)
            });
            TcpListener::bind("[::]:8000").unwrap()
        });
        wait_for("address", || find(kernel, va, |one| one.prefix == 64 && !one.scope_link && !one.tentative));
        let reach = |target: &str, index, limit| {
            let target: SocketAddr = target.parse().unwrap();
            let (host, family) = (&*target.ip().to_string(), Family::of(target.ip()));
            let reach = Reach { host, port: target.port(), family, resolver: &ResolvConf::default() };
            kernel.reach(&reach, index, Duration::from_millis(limit))
        };
        for target in ["10.7.0.1:8000", "[fd00::1]:8000"] {
            reach(target, va, 10_000).unwrap();
            assert!(listening.accept().is_ok());
        }
        for target in ["10.7.0.1:8001", "[fd00::1]:8001"] {
            let error = reach(target, va, 10_000).unwrap_err();
            let expected = format!("connect to {target}: Connection refused");
            assert!(error.to_string().starts_with(&expected), "{error}");
            assert_eq!(error.errno(), Some(Errno::ECONNREFUSED as i32));
        }
        // No host has it: the kernel asks three times, a second apart unless told otherwise.
        let error = reach("10.7.0.99:8000", va, 100).unwrap_err();
        assert_eq!(error.cause, Cause::TimedOut);
        assert!(error.to_string().ends_with(": no answer within 0.1 s"), "{error}");
        std::fs::write("/proc/sys/net/ipv4/neigh/va/retrans_time_ms", "50").unwrap();
        let error = reach("10.7.0.98:8000", va, 10_000).unwrap_err();
        assert_eq!(error.errno(), Some(Errno::EHOSTUNREACH as i32), "{error}");
        // There is a route to the server, but not through this interface.
        run("ip", &["link", "add", "vc", "type", "veth", "peer", "name", "vd"]);
        let vc = index(kernel, "vc");
        for name in ["vc", "vd"] {
            up(kernel, index(kernel, name));
        }
        assert!(reach("10.7.0.1:8000", vc, 500).is_err());
        assert!(reach("[fd00::1]:8000", vc, 500).is_err());
        let error = reach("10.7.0.1:8000", 9999, 500).unwrap_err();
        assert_eq!(error.errno(), Some(Errno::ENODEV as i32), "{error}");
    });
}
