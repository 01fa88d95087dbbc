//! The packet port and the DHCP client against a real dnsmasq, over a veth pair.

mod namespace;

use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use dayfly_formats::dhcp4::client::{Client, Received};
use dayfly_formats::mac::Mac;
use dayfly_formats::udp4::{self, Checksum};
use dayfly_sys::{DHCP_CLIENT, DHCP_SERVER, LinkChange, Network, Platform};
use namespace::{apart, run};

/// Ends the server when the test ends, for whatever reason.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then the test has failed with that.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_lease_comes_from_dnsmasq_with_all_that_it_offers() {
    apart(|kernel, scratch| {
        run("ip", &["link", "add", "va", "type", "veth", "peer", "name", "vb"]);
        run("ip", &["address", "add", "10.9.0.1/24", "dev", "vb"]);
        run("ip", &["link", "set", "vb", "up"]);
        let log = std::fs::File::create(scratch.join("log")).unwrap();
        let lease_file = format!("--dhcp-leasefile={}", scratch.join("leases").display());
        let arguments = [
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--port=0",
            "--interface=vb",
            "--bind-interfaces",
            "--user=root",
            "--no-ping",
            "--dhcp-authoritative",
            "--log-facility=-",
            "--pid-file",
            &lease_file,
            "--dhcp-range=10.9.0.50,10.9.0.60,255.255.255.0,1h",
            "--dhcp-option=option:router,10.9.0.1",
            "--dhcp-option=option:dns-server,10.9.0.2,10.9.0.3",
            "--dhcp-option=option:mtu,1400",
            "--dhcp-option=option:domain-search,a.example,b.example",
            "--domain=node.example",
            "--dhcp-option=option:classless-static-route,192.168.7.0/24,10.9.0.9,0.0.0.0/0,10.9.0.1",
        ];
        let server = Command::new("dnsmasq")
            .args(arguments)
            .stderr(Stdio::from(log))
            .spawn()
            .expect("dnsmasq is installed");
        let _server = Server(server);

        let link = kernel.links().unwrap().into_iter().find(|link| link.name == "va").unwrap();
        kernel.change_link(link.index, &LinkChange::Up).unwrap();
        let mut port = kernel.packet_port(link.index).unwrap();
        let mut client = Client::new(Mac(link.mac.unwrap()), 0x1234_5678, Some("worker7".into()), 1);
        let start = kernel.now();
        let mut trusted = 0;
        let lease = 'exchange: loop {
            let now = kernel.now().saturating_sub(start);
            assert!(
                now < Duration::from_secs(20),
                "no lease:\n{}",
                std::fs::read_to_string(scratch.join("log")).unwrap()
            );
            if let Some(payload) = client.poll(now) {
                port.send(&udp4::encode(DHCP_CLIENT, DHCP_SERVER, &payload)).unwrap();
            }
            let wait = client
                .next_wakeup()
                .saturating_sub(kernel.now().saturating_sub(start))
                .min(Duration::from_secs(1));
            if let Some((packet, complete)) = port.receive(wait).unwrap() {
                trusted += u32::from(!complete);
                let checksum = if complete { Checksum::Verify } else { Checksum::Trust };
                let datagram =
                    udp4::parse(&packet, checksum).expect("a datagram that the filter let through");
                match client.receive(kernel.now().saturating_sub(start), datagram.payload) {
                    Received::Lease(lease) => break 'exchange lease,
                    Received::Offer { .. } => {}
                    other => panic!("{other:?}"),
                }
            }
        };
        assert!(trusted > 0, "veth leaves checksums to the NIC, and the port says so");
        let ip = |last| Ipv4Addr::new(10, 9, 0, last);
        assert!((ip(50)..=ip(60)).contains(&lease.address), "{lease:?}");
        assert_eq!((lease.prefix, lease.server, lease.mtu), (24, ip(1), Some(1400)));
        assert_eq!(lease.dns, [ip(2), ip(3)]);
        assert_eq!((lease.domain.as_deref(), lease.lease_seconds), (Some("node.example"), Some(3600)));
        assert_eq!(lease.search, ["a.example", "b.example"]);
        let routes: Vec<String> = lease.effective_routes().iter().map(ToString::to_string).collect();
        assert_eq!(routes, ["192.168.7.0/24 via 10.9.0.9", "0.0.0.0/0 via 10.9.0.1"]);

        let valid = lease.lease_seconds.map(|seconds| Duration::from_secs(seconds.into()));
        let address =
            LinkChange::Address { address: lease.address.into(), prefix: lease.prefix, valid, peer: None };
        kernel.change_link(link.index, &address).unwrap();
        run("ip", &["route", "get", "10.9.0.2", "oif", "va"]);
    });
}

#[test]
fn a_port_on_a_dead_interface_says_so() {
    apart(|kernel, _| {
        run("ip", &["link", "add", "va", "type", "veth", "peer", "name", "vb"]);
        let link = kernel.links().unwrap().into_iter().find(|link| link.name == "va").unwrap();
        let error = kernel.packet_port(9999).err().expect("there is no interface 9999");
        assert_eq!(error.errno(), Some(nix::errno::Errno::ENODEV as i32), "{error}");
        kernel.change_link(link.index, &LinkChange::Up).unwrap();
        let mut port = kernel.packet_port(link.index).unwrap();
        let start = kernel.now();
        assert_eq!(port.receive(Duration::from_millis(80)).unwrap(), None);
        assert!(kernel.now().saturating_sub(start) >= Duration::from_millis(80));
        kernel.change_link(link.index, &LinkChange::Down).unwrap();
        let error = port.receive(Duration::from_secs(1)).unwrap_err();
        assert_eq!(error.errno(), Some(nix::errno::Errno::ENETDOWN as i32), "{error}");
        assert!(port.send(&[0x45; 40]).is_err());
    });
}
