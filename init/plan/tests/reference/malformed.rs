//! Malformed values of the network parameters and settings, each with the exact problem. docs/reference/network-parameters.md
//! shows the table.

use std::fmt::Write;

use dayfly_plan::settings::gather;
use dayfly_plan::{Facts, plan};

use super::{cell, code};

/// As written, and what Dayfly says. A line with ` = ` is one of a settings file.
#[rustfmt::skip]
const MALFORMED: &[(&str, &str)] = &[
    ("ip=", "ip=: it has no value."),
    ("ip=dchp", r#"ip=dchp: method "dchp" is unknown; the nearest is dhcp."#),
    ("ip=eth0", r#"ip=eth0: method "eth0" is unknown; for an interface of this name, write eth0:dhcp."#),
    ("ip=lan", r#"ip=lan: method "lan" is unknown; expected dhcp, on, any, dhcp6, auto6, either6, link6, link-local, single-dhcp, auto, none, off."#),
    ("ip=bootp", r#"ip=bootp: method "bootp" is not supported; use dhcp, or a static address."#),
    ("ip=fw", r#"ip=fw: method "fw" is not supported; use dhcp, or a static address."#),
    ("ip=eth0:", r#"ip=eth0:: method "" is unknown; expected dhcp, on, any, dhcp6, auto6, either6, link6, link-local, single-dhcp, auto, none, off."#),
    ("ip=eth0:dchp", r#"ip=eth0:dchp: method "dchp" is unknown; the nearest is dhcp."#),
    ("ip=eth0:ibft", r#"ip=eth0:ibft: method "ibft" is not supported; use dhcp, or a static address."#),
    ("ip=eth0:dhcp,link6", r#"ip=eth0:dhcp,link6: method "dhcp,link6" is unknown; expected dhcp, on, any, dhcp6, auto6, either6, link6, link-local, single-dhcp, auto, none, off."#),
    ("ip=eth0:dhcp:67", r#"ip=eth0:dhcp:67: MTU "67" is not a number from 68 to 65535."#),
    ("ip=eth0:dhcp:jumbo", r#"ip=eth0:dhcp:jumbo: MTU "jumbo" is not a number from 68 to 65535."#),
    ("ip=eth0:dhcp:1500:52:54:00", r#"ip=eth0:dhcp:1500:52:54:00: MAC address "52:54:00" is not six pairs of hexadecimal digits, like 52:54:00:12:34:56."#),
    ("ip=eth0:dhcp::01:00:5e:00:00:01", r#"ip=eth0:dhcp::01:00:5e:00:00:01: MAC address "01:00:5e:00:00:01" is a group address; expected the address of one interface, like 52:54:00:12:34:56."#),
    ("ip=eth0:dhcp::00:00:00:00:00:00", r#"ip=eth0:dhcp::00:00:00:00:00:00: MAC address "00:00:00:00:00:00" is all zeros; expected the address of one interface, like 52:54:00:12:34:56."#),
    ("ip=eth/0:dhcp", r#"ip=eth/0:dhcp: interface "eth/0" holds '/'; expected a name like eth0."#),
    ("ip=enp0s31f6-uplink0:dhcp", r#"ip=enp0s31f6-uplink0:dhcp: interface "enp0s31f6-uplink0" has 17 bytes; expected at most 15, the limit of the kernel."#),
    ("ip=52-54-00-12-34-56:dhcp", r#"ip=52-54-00-12-34-56:dhcp: interface "52-54-00-12-34-56" is a MAC address; name the interface with ifname=NAME:MAC, and use NAME."#),
    ("ip=10.0.0.2", r#"ip=10.0.0.2: client address "10.0.0.2" has no netmask; expected CLIENT:PEER:GATEWAY:NETMASK:HOSTNAME:INTERFACE:METHOD, like 10.0.0.2::10.0.0.1:255.255.255.0:node1:eth0:none."#),
    ("ip=10.0.0.300::10.0.0.1:24::eth0:none", r#"ip=10.0.0.300::10.0.0.1:24::eth0:none: client address "10.0.0.300" is not an IP address; expected one like 10.0.0.1 or [2001:db8::1]."#),
    ("ip=10.0.0.2::10.0.0.1::node1:eth0:none", r#"ip=10.0.0.2::10.0.0.1::node1:eth0:none: client address "10.0.0.2" has no netmask; expected CLIENT:PEER:GATEWAY:NETMASK:HOSTNAME:INTERFACE:METHOD, like 10.0.0.2::10.0.0.1:255.255.255.0:node1:eth0:none."#),
    ("ip=10.0.0.2::10.0.0.1:33::eth0:none", r#"ip=10.0.0.2::10.0.0.1:33::eth0:none: netmask "33" has a prefix length out of range; expected 1 to 32."#),
    ("ip=10.0.0.2::10.0.0.1:255.0.255.0::eth0:none", r#"ip=10.0.0.2::10.0.0.1:255.0.255.0::eth0:none: netmask "255.0.255.0" is not contiguous; expected ones, then zeros, like 255.255.255.0."#),
    ("ip=10.0.0.2::10.0.0.1:255.255.255::eth0:none", r#"ip=10.0.0.2::10.0.0.1:255.255.255::eth0:none: netmask "255.255.255" is neither a mask like 255.255.255.0 nor a prefix length like 24."#),
    ("ip=10.0.0.2/24::10.0.0.1:16::eth0:none", r#"ip=10.0.0.2/24::10.0.0.1:16::eth0:none: netmask "16" contradicts the prefix length /24 at the address; remove one of them."#),
    ("ip=/24::::", r#"ip=/24::::: client address "/24" has a prefix length but no address; expected one like 10.0.0.2/24."#),
    ("ip=10.0.0.0::10.0.0.1:24::eth0:none", r#"ip=10.0.0.0::10.0.0.1:24::eth0:none: client address "10.0.0.0" is the network address of 10.0.0.0/24; expected a host address."#),
    ("ip=10.0.0.255::10.0.0.1:24::eth0:none", r#"ip=10.0.0.255::10.0.0.1:24::eth0:none: client address "10.0.0.255" is the broadcast address of 10.0.0.0/24; expected a host address."#),
    ("ip=127.0.0.1:::8::eth0:none", r#"ip=127.0.0.1:::8::eth0:none: client address "127.0.0.1" is a loopback address; expected an address of this host on the network."#),
    ("ip=224.0.0.1:::24::eth0:none", r#"ip=224.0.0.1:::24::eth0:none: client address "224.0.0.1" is a multicast address; expected a host address."#),
    ("ip=255.255.255.255:::24::eth0:none", r#"ip=255.255.255.255:::24::eth0:none: client address "255.255.255.255" is the broadcast address; expected a host address."#),
    ("ip=10.0.0.2::10.0.0.1:24::eth0:dhcp", r#"ip=10.0.0.2::10.0.0.1:24::eth0:dhcp: client address "10.0.0.2" is given, but the method is dhcp; use none for a static address."#),
    ("ip=10.0.0.2::10.0.0.1:24::eth0:static", r#"ip=10.0.0.2::10.0.0.1:24::eth0:static: method "static" is unknown; expected dhcp, on, any, dhcp6, auto6, either6, link6, link-local, single-dhcp, auto, none, off."#),
    ("ip=10.0.0.2::10.0.0.1:24:eth0:none", r#"ip=10.0.0.2::10.0.0.1:24:eth0:none: interface "none" is a method, not an interface; a field before it is missing."#),
    ("ip=10.0.0.2::10.0.0.1:24:10.0.0.5:eth0:none", r#"ip=10.0.0.2::10.0.0.1:24:10.0.0.5:eth0:none: hostname "10.0.0.5" is an address; expected a name in the fifth field."#),
    ("ip=10.0.0.2::10.0.0.1:24:-node:eth0:none", r#"ip=10.0.0.2::10.0.0.1:24:-node:eth0:none: hostname "-node" has a part that starts or ends with "-"; expected a name like node1."#),
    ("ip=10.0.0.2::10.0.0.1:24:node/1:eth0:none", r#"ip=10.0.0.2::10.0.0.1:24:node/1:eth0:none: hostname "node/1" holds '/'; letters, digits, "-" and "." are possible."#),
    ("ip=10.0.0.2::10.0.0.2:24::eth0:none", r#"ip=10.0.0.2::10.0.0.2:24::eth0:none: gateway "10.0.0.2" is the client's own address; expected the router's."#),
    ("ip=10.0.0.2::10.0.0.0:24::eth0:none", r#"ip=10.0.0.2::10.0.0.0:24::eth0:none: gateway "10.0.0.0" is the network address of 10.0.0.0/24; expected a host address."#),
    ("ip=10.0.0.2::gw:24::eth0:none", r#"ip=10.0.0.2::gw:24::eth0:none: gateway "gw" is not an IP address; expected one like 10.0.0.1 or [2001:db8::1]."#),
    ("ip=10.0.0.2:none:10.0.0.1:24::eth0:none", r#"ip=10.0.0.2:none:10.0.0.1:24::eth0:none: peer address "none" is not an IP address; expected one like 10.0.0.1 or [2001:db8::1]."#),
    ("ip=10.0.0.2::[fe80::1]:24::eth0:none", r#"ip=10.0.0.2::[fe80::1]:24::eth0:none: gateway "fe80::1" is IPv6, but the client address is IPv4; both must be of one IP version."#),
    ("ip=:::24::eth0:none", r#"ip=:::24::eth0:none: netmask "24" is given without a client address; add one, or use a method like dhcp."#),
    ("ip=10.0.0.2:::24::eth0:none:dns.example.org", r#"ip=10.0.0.2:::24::eth0:none:dns.example.org: name server "dns.example.org" is not an IP address; expected one like 10.0.0.1 or [2001:db8::1]."#),
    ("ip=10.0.0.2:::24::eth0:none:10.0.0.3::pool.ntp.org", r#"ip=10.0.0.2:::24::eth0:none:10.0.0.3::pool.ntp.org: time server "pool.ntp.org" is not an IP address; expected one like 10.0.0.1 or [2001:db8::1]."#),
    ("ip=10.0.0.2:::24::eth0:none:10.0.0.3::10.0.0.9:10.0.0.10", r#"ip=10.0.0.2:::24::eth0:none:10.0.0.3::10.0.0.9:10.0.0.10: value "10.0.0.2:::24::eth0:none:10.0.0.3::10.0.0.9:10.0.0.10" has "10.0.0.10" after the time server; expected the end."#),
    ("ip=2001:db8::2::fe80::1:64::eth0:none", r#"ip=2001:db8::2::fe80::1:64::eth0:none: client address "2001" is not an IP address; an IPv6 address is written in brackets, like [2001:db8::2]."#),
    ("ip=[2001:db8::2:::64::eth0:none", r#"ip=[2001:db8::2:::64::eth0:none: value "[2001:db8::2:::64::eth0:none" has no "]" for the "[" in "[2001:db8::2:::64::eth0:none"; an IPv6 address is written like [2001:db8::2]."#),
    ("ip=[2001:db8::2]/64::::eth0:none", r#"ip=[2001:db8::2]/64::::eth0:none: value "[2001:db8::2]/64::::eth0:none" has "/64" after "]"; write "[2001:db8::2/64]"."#),
    ("ip=[2001:db8::2]x:::64::eth0:none", r#"ip=[2001:db8::2]x:::64::eth0:none: value "[2001:db8::2]x:::64::eth0:none" has "x" after "]"; expected ":" or the end."#),
    ("ip=[2001:db8::g]:::64::eth0:none", r#"ip=[2001:db8::g]:::64::eth0:none: client address "2001:db8::g" is not an IPv6 address; expected one like [2001:db8::1]."#),
    ("ip=[10.0.0.2]:::24::eth0:none", r#"ip=[10.0.0.2]:::24::eth0:none: client address "10.0.0.2" is an IPv4 address; write it without brackets."#),
    ("ip=[2001:db8::2]:::129::eth0:none", r#"ip=[2001:db8::2]:::129::eth0:none: netmask "129" has a prefix length out of range; expected 1 to 128."#),
    ("ip=[2001:db8::2]:::255.255.255.0::eth0:none", r#"ip=[2001:db8::2]:::255.255.255.0::eth0:none: netmask "255.255.255.0" is an IPv4 mask, but the client address is IPv6; expected a prefix length like 64."#),
    ("ip=[2001:db8::2]::10.0.0.1:64::eth0:none", r#"ip=[2001:db8::2]::10.0.0.1:64::eth0:none: gateway "10.0.0.1" is IPv4, but the client address is IPv6; both must be of one IP version."#),
    ("ip=eth0:link-local", "ip=eth0:link-local: only the IPv6 link-local address is used; use ip=INTERFACE:dhcp, or a static address, for IPv4."),
    ("ip=eth0:dhcp ip=10.0.0.2:::24::eth0:none", "ip=10.0.0.2:::24::eth0:none: it is not used, because ip=eth0:dhcp comes first and is also for eth0; remove one of them."),
    ("ip=10.0.0.2:::24:localhost:eth0:none", r#"ip=10.0.0.2:::24:localhost:eth0:none: host name "localhost" is the placeholder for a machine without a name; it is not used."#),
    ("BOOTIF=", "BOOTIF=: it has no value."),
    ("BOOTIF=eth0", r#"BOOTIF=eth0: MAC address "eth0" has 1 part; expected six pairs of hexadecimal digits, like 52:54:00:12:34:56."#),
    ("BOOTIF=01-52-54-00-12-34", "BOOTIF=01-52-54-00-12-34: 01:52:54:00:12:34 is not the address of an interface; expected one like 01-52-54-00-12-34-56."),
    ("BOOTIF=20-52-54-00-12-34-56", r#"BOOTIF=20-52-54-00-12-34-56: MAC address "20-52-54-00-12-34-56" has the hardware type 20; expected 01, Ethernet."#),
    ("BOOTIF=01-52-54-00-12-34-5z", r#"BOOTIF=01-52-54-00-12-34-5z: MAC address "01-52-54-00-12-34-5z" has the part "5z"; expected six pairs of hexadecimal digits, like 52:54:00:12:34:56."#),
    ("bootif=01-52-54-00-12-34-56", "bootif= is not a parameter that Dayfly knows; did you mean BOOTIF=?"),
    ("rd.bootif=maybe", r#"rd.bootif=maybe: "maybe" is not one of 1, yes, on, true, 0, no, off, false."#),
    ("bootdev=", "bootdev=: it has no value."),
    ("bootdev=eth/0", r#"bootdev=eth/0: "eth/0" holds '/'; expected a name like eth0."#),
    ("bootdev=10.0.0.1", r#"bootdev=10.0.0.1: "10.0.0.1" is an address; expected a name like eth0."#),
    ("bootdev=52:54:00:12:34:56", r#"bootdev=52:54:00:12:34:56: "52:54:00:12:34:56" is a MAC address; name the interface with ifname=NAME:MAC, and use NAME."#),
    ("ifname=lan", r#"ifname=lan: value "lan" has no MAC address; expected <interface>:<MAC>, like bootnet:52:54:00:12:34:56."#),
    ("ifname=lan:52:54:00", r#"ifname=lan:52:54:00: MAC address "52:54:00" is not six pairs of hexadecimal digits, like 52:54:00:12:34:56."#),
    ("ifname=:52:54:00:12:34:56", r#"ifname=:52:54:00:12:34:56: name "" is empty; expected a name like eth0."#),
    ("ifname=lan/1:52:54:00:12:34:56", r#"ifname=lan/1:52:54:00:12:34:56: name "lan/1" holds '/'; expected a name like eth0."#),
    ("ifname=lan:01:00:5e:00:00:01", r#"ifname=lan:01:00:5e:00:00:01: MAC address "01:00:5e:00:00:01" is a group address; expected the address of one interface, like 52:54:00:12:34:56."#),
    ("ifname=all:52:54:00:12:34:56", r#"ifname=all:52:54:00:12:34:56: name "all" is reserved by the kernel; choose another name."#),
    ("ifname=net%d:52:54:00:12:34:56", r#"ifname=net%d:52:54:00:12:34:56: name "net%d" holds '%', which the kernel replaces by a number; expected a name like eth0."#),
    ("ifname=eth0:52:54:00:12:34:56", r#"ifname=eth0:52:54:00:12:34:56: name "eth0" can be taken, because the kernel gives it as well; use a name like bootnet."#),
    ("nameserver=", "nameserver=: it has no value."),
    ("nameserver=dns.example.org", r#"nameserver=dns.example.org: "dns.example.org" is not an IP address; expected one like 10.0.0.1 or 2001:db8::1."#),
    ("nameserver=[10.0.0.1]", r#"nameserver=[10.0.0.1]: "[10.0.0.1]" is not an IP address; write it without brackets."#),
    ("nameserver=10.0.0.1,10.0.0.2", r#"nameserver=10.0.0.1,10.0.0.2: "10.0.0.1,10.0.0.2" is not an IP address; give each address on its own."#),
    ("nameserver=fe80::1", r#"nameserver=fe80::1: "fe80::1" is link-local, so its interface is needed; write it like fe80::1%eth0."#),
    ("nameserver=2001:db8::1%eth0", r#"nameserver=2001:db8::1%eth0: "2001:db8::1%eth0" has an interface, but only a link-local address needs one; remove it with its %."#),
    ("nameserver=fe80::1%", r#"nameserver=fe80::1%: "fe80::1%" has the interface "", which is empty; expected a name like eth0."#),
    ("namesever=10.0.0.1", "namesever= is not a parameter that Dayfly knows; did you mean nameserver=?"),
    ("rd.peerdns=never", r#"rd.peerdns=never: "never" is not one of 1, yes, on, true, 0, no, off, false."#),
    ("rd.route=", "rd.route=: it has no value."),
    ("rd.route=10.9.0.0/16", r#"rd.route=10.9.0.0/16: value "10.9.0.0/16" has neither a gateway nor an interface; expected <net>/<prefix>:<gateway>[:<interface>], like 10.0.0.0/8:192.168.0.1:eth0."#),
    ("rd.route=10.9.0.0/33:10.0.0.1", r#"rd.route=10.9.0.0/33:10.0.0.1: netmask "33" is out of range for a prefix length; expected 0 to 32."#),
    ("rd.route=10.9.0.0/255.0.255.0:10.0.0.1", r#"rd.route=10.9.0.0/255.0.255.0:10.0.0.1: netmask "255.0.255.0" is not contiguous; expected ones, then zeros, like 255.255.255.0."#),
    ("rd.route=10.9.0.0/16:gw", r#"rd.route=10.9.0.0/16:gw: gateway "gw" is not an IP address; expected one like 10.0.0.1 or [2001:db8::1]."#),
    ("rd.route=10.9.0.0/16:255.255.255.255", r#"rd.route=10.9.0.0/16:255.255.255.255: gateway "255.255.255.255" is the broadcast address; expected one of a router."#),
    ("rd.route=10.9.0.0/16:10.0.0.1:eth/0", r#"rd.route=10.9.0.0/16:10.0.0.1:eth/0: interface "eth/0" holds '/'; expected a name like eth0."#),
    ("rd.route=2001:db8::/32:fe80::1:eth0", r#"rd.route=2001:db8::/32:fe80::1:eth0: destination "2001" is not an IP address; an IPv6 address is written in brackets, like [2001:db8::2]."#),
    ("rd.route=[2001:db8::/32]:[fe80::1]", r#"rd.route=[2001:db8::/32]:[fe80::1]: gateway "fe80::1" is link-local and needs an interface; expected one after it, like [fe80::1]:eth0."#),
    ("rd.route=[2001:db8::/32]:10.0.0.1", r#"rd.route=[2001:db8::/32]:10.0.0.1: gateway "10.0.0.1" is IPv4, but the destination is IPv6; both must be of one IP version."#),
    ("rd.route=[2001:db8::/32:[fe80::1]:eth0", r#"rd.route=[2001:db8::/32:[fe80::1]:eth0: netmask "32:[fe80::1" is neither a mask like 255.255.255.0 nor a prefix length like 24."#),
    ("rd.route=10.9.0.1/16:10.0.0.1", "rd.route=10.9.0.1/16:10.0.0.1: destination 10.9.0.1/16 has host bits; the route is to 10.9.0.0/16."),
    ("rd.neednet=maybe", r#"rd.neednet=maybe: "maybe" is not one of 1, yes, on, true, 0, no, off, false."#),
    ("vlan=", "vlan=: it has no value."),
    ("vlan=vlan5", r#"vlan=vlan5: value "vlan5" has no parent interface; expected <vlanname>:<parent>, like eth0.5:eth0."#),
    ("vlan=office:eth0", r#"vlan=office:eth0: name "office" has no VLAN id; expected a name like vlan0005, vlan5, eth0.0005 or eth0.5."#),
    ("vlan=vlan0:eth0", r#"vlan=vlan0:eth0: name "vlan0" has the VLAN id 0; expected 1 to 4094."#),
    ("vlan=eth0.4095:eth0", r#"vlan=eth0.4095:eth0: name "eth0.4095" has the VLAN id 4095; expected 1 to 4094."#),
    ("vlan=vlan5:vlan5", r#"vlan=vlan5:vlan5: parent interface "vlan5" is the VLAN itself; expected one below it."#),
    ("vlan=vlan5:eth0:1500", r#"vlan=vlan5:eth0:1500: parent interface "eth0:1500" holds ':'; expected a name like eth0."#),
    ("vlan=vlan5:10.0.0.1", r#"vlan=vlan5:10.0.0.1: parent interface "10.0.0.1" is an address; expected a name like eth0."#),
    ("vlan=averylongname0.5:eth0", r#"vlan=averylongname0.5:eth0: name "averylongname0.5" has 16 bytes; expected at most 15, the limit of the kernel."#),
    ("vlan=bond0.5:bond0", "bond0.5 is made of bond0, which no parameter creates: it must be an interface of the machine."),
    ("vlna=vlan5:eth0", "vlna= is not a parameter that Dayfly knows; did you mean vlan=?"),
    ("bond=:eth0", r#"bond=:eth0: name "" is empty; expected a name like eth0."#),
    ("bond=bond0:", r#"bond=bond0:: port list "" names no interface; expected names separated by commas, like eth0,eth1."#),
    ("bond=bond0:eth0,eth0", r#"bond=bond0:eth0,eth0: port "eth0" is listed twice; expected each port once."#),
    ("bond=bond0:bond0,eth0", r#"bond=bond0:bond0,eth0: port "bond0" is the interface to make; expected one below it."#),
    ("bond=bond0:eth0,eth1,mode=802.3ad", r#"bond=bond0:eth0,eth1,mode=802.3ad: port "mode=802.3ad" is not a name; names are separated by commas, and a colon comes before the options."#),
    ("bond=bond0:eth0,eth1:active-backup", r#"bond=bond0:eth0,eth1:active-backup: option "active-backup" is a mode; write mode=active-backup."#),
    ("bond=bond0:eth0,eth1:mode=activebackup", r#"bond=bond0:eth0,eth1:mode=activebackup: mode "activebackup" is unknown; the nearest is active-backup."#),
    ("bond=bond0:eth0,eth1:mode=7", r#"bond=bond0:eth0,eth1:mode=7: mode "7" is unknown; expected balance-rr, active-backup, balance-xor, broadcast, 802.3ad, balance-tlb, balance-alb, or 0 to 6."#),
    ("bond=bond0:eth0,eth1:mode", r#"bond=bond0:eth0,eth1:mode: option "mode" has no value; expected mode=VALUE."#),
    ("bond=bond0:eth0,eth1:mimon=100", r#"bond=bond0:eth0,eth1:mimon=100: option "mimon=100" is unknown; the nearest is miimon=100."#),
    ("bond=bond0:eth0,eth1:max_bonds=2", r#"bond=bond0:eth0,eth1:max_bonds=2: option "max_bonds=2" is not one that bond= can set; expected one of active_slave, ad_actor_sys_prio, ad_select, ad_user_port_key, all_slaves_active, arp_all_targets, arp_interval, arp_ip_target, arp_missed_max, arp_validate, downdelay, fail_over_mac, lacp_active, lacp_rate, lp_interval, miimon, min_links, mode, num_grat_arp, num_unsol_na, packets_per_slave, peer_notif_delay, primary, primary_reselect, resend_igmp, tlb_dynamic_lb, updelay, use_carrier, xmit_hash_policy."#),
    ("bond=bond0:eth0,eth1:miimon=100,miimon=50", r#"bond=bond0:eth0,eth1:miimon=100,miimon=50: option "miimon=50" sets miimon a second time; remove one of them."#),
    ("bond=bond0:eth0,eth1:mode=1:64", r#"bond=bond0:eth0,eth1:mode=1:64: MTU "64" is not a number from 68 to 65535."#),
    ("bond=bond0:eth0,eth1:mode=1:1500:52:54", r#"bond=bond0:eth0,eth1:mode=1:1500:52:54: MAC address "52:54" is not six pairs of hexadecimal digits, like 52:54:00:12:34:56."#),
    ("bnod=bond0:eth0,eth1", "bnod= is not a parameter that Dayfly knows; did you mean bond=?"),
    ("bridge=br0", r#"bridge=br0: value "br0" has no ports; expected <name>:<port>[,<port>...], like br0:eth0,eth1."#),
    ("bridge=br0:", r#"bridge=br0:: port list "" names no interface; expected names separated by commas, like eth0,eth1."#),
    ("bridge=br0:br0", r#"bridge=br0:br0: port "br0" is the interface to make; expected one below it."#),
    ("bridge=br0:eth0:stp=1", r#"bridge=br0:eth0:stp=1: port "eth0:stp=1" holds ':'; expected a name like eth0."#),
    ("team=", "team=: it has no value."),
    ("team=team0:eth0,eth1:lacp", "team=team0:eth0,eth1:lacp: Dayfly does not create teams; use bond=team0:eth0,eth1:mode=802.3ad,miimon=100, which does the same."),
    ("team=team0:eth0,eth1:active-backup", r#"team=team0:eth0,eth1:active-backup: runner "active-backup" is unknown; expected activebackup, roundrobin, random, loadbalance, broadcast or lacp."#),
    ("team=team0:eth0,eth1:lacp:1500", r#"team=team0:eth0,eth1:lacp:1500: value "team0:eth0,eth1:lacp:1500" has "1500" after the runner; expected the end."#),
    ("rd.net.timeout.carrier=0", "rd.net.timeout.carrier=0: \"0\" is not a number of seconds from 1 to 86400."),
    ("rd.net.timeout.dhcp", "rd.net.timeout.dhcp: it has no value."),
    ("rd.net.dhcp.client-id=eth0:@node1", "rd.net.dhcp.client-id= asks for another DHCP client identifier (NetworkManager), which Dayfly does not support: the identifier is the MAC address, so that the OS gets the same lease; give the node its address by its MAC address."),
    ("rd.net.dhcp.dscp=CS6", "rd.net.dhcp.dscp= asks for a DSCP value for DHCP (NetworkManager), which Dayfly does not support: prioritize UDP ports 67 and 68 on the switch."),
    ("rd.net.dns=dns+tls://10.0.0.1", "rd.net.dns= asks for name servers and how they are asked (NetworkManager), which Dayfly does not support: use nameserver=ADDRESS."),
    ("rd.net.dns-backend=dnsmasq", "rd.net.dns-backend= asks for name servers and how they are asked (NetworkManager), which Dayfly does not support: use nameserver=ADDRESS."),
    ("rd.net.timeout.ip-required=5", "rd.net.timeout.ip-required= asks for a longer wait for both IP versions (NetworkManager), which Dayfly does not support: the boot continues with the first address by which the server answers, and keeps one of the other IP version if it is there by then."),
    ("rd.ethtool=eth0:off:1000", "rd.ethtool= asks for the speed of an interface (NetworkManager), which Dayfly does not support: set it on the switch, or let the OS set it."),
    ("ib.pkey=ib0.8004", "ib.pkey= asks for an InfiniBand partition (NetworkManager), which Dayfly does not support: boot over an Ethernet interface, and let the OS create the partition."),
    ("dhcpclass=node", "dhcpclass= asks for a vendor class for DHCP (the kernel), which Dayfly does not support: use rd.net.dhcp.vendor-class=TEXT."),
    ("carrier_timeout=30", "carrier_timeout= asks for a limit for the wait for a carrier (the kernel), which Dayfly does not support: use rd.net.timeout.carrier=SECONDS."),
    ("nfsaddrs=dhcp", "nfsaddrs= asks for a network address, by the old name of ip= (the kernel), which Dayfly does not support: use ip=."),
    ("rd.znet=qeth,0.0.f5f0,0.0.f5f1,0.0.f5f2,layer2=1", "rd.znet= asks for s390 devices (dracut), which Dayfly does not support: boot this machine with dracut."),
    ("rd.znet_ifname=lan:qeth", "rd.znet_ifname= asks for s390 devices (dracut), which Dayfly does not support: boot this machine with dracut."),
    ("rd.ccw=qeth,0.0.f5f0", "rd.ccw= asks for s390 devices (dracut), which Dayfly does not support: boot this machine with dracut."),
    ("rd.iscsi.initiator=iqn.2026-01.org.example:node", "rd.iscsi.initiator= asks for a disk over the network (dracut, Debian), which Dayfly does not support: boot an image with root=live:http://SERVER/IMAGE or from a plain disk, and leave such disks to the OS."),
    ("netroot=iscsi:10.0.0.1::3260:1:iqn.os", "netroot= asks for a root over the network (dracut, the kernel), which Dayfly does not support: use root=live:http://SERVER/IMAGE with a squashfs or erofs image."),
    ("nbdroot=10.0.0.1:10809", "nbdroot= asks for a root over the network (dracut, the kernel), which Dayfly does not support: use root=live:http://SERVER/IMAGE with a squashfs or erofs image."),
    ("nfsroot=10.0.0.1:/os", "nfsroot= asks for a root over the network (dracut, the kernel), which Dayfly does not support: use root=live:http://SERVER/IMAGE with a squashfs or erofs image."),
    ("rd.nfs.domain=example.org", "rd.nfs.domain= asks for a root over the network (dracut, the kernel), which Dayfly does not support: use root=live:http://SERVER/IMAGE with a squashfs or erofs image."),
    ("cifsuser=node", "cifsuser= asks for a root over the network (dracut, the kernel), which Dayfly does not support: use root=live:http://SERVER/IMAGE with a squashfs or erofs image."),
    ("fcoe=eth0:nodcb:fabric", "fcoe= asks for a disk over the network (dracut, Debian), which Dayfly does not support: boot an image with root=live:http://SERVER/IMAGE or from a plain disk, and leave such disks to the OS."),
    ("rd.nvmf.discover=tcp,10.0.0.1", "rd.nvmf.discover= asks for a disk over the network (dracut, Debian), which Dayfly does not support: boot an image with root=live:http://SERVER/IMAGE or from a plain disk, and leave such disks to the OS."),
    ("root=iscsi:10.0.0.1::3260:1:iqn.os", r#"root=iscsi:10.0.0.1::3260:1:iqn.os: "iscsi:" is not supported; boot from a local disk, or serve the image as a file and use root=live:http://SERVER/IMAGE."#),
    ("root=nbd:10.0.0.1:10809", r#"root=nbd:10.0.0.1:10809: "nbd:" is not supported; boot from a local disk, or serve the image as a file and use root=live:http://SERVER/IMAGE."#),
    ("root=fcoe:eth0:nodcb", r#"root=fcoe:eth0:nodcb: "fcoe:" is not supported; boot from a local disk, or serve the image as a file and use root=live:http://SERVER/IMAGE."#),
    ("root=live:http://[fe80::1]/os", r#"root=live:http://[fe80::1]/os: "http://[fe80::1]/os" has "fe80::1" in brackets, which is link-local, so its interface is needed; write it like [fe80::1%25eth0]."#),
    ("root=live:http://[2001:db8::1%25eth0]/os", r#"root=live:http://[2001:db8::1%25eth0]/os: "http://[2001:db8::1%25eth0]/os" has "2001:db8::1%25eth0" in brackets, which has an interface, but only a link-local address needs one; remove it with its %."#),
    ("root=live:http://[fe80::1%25]/os", r#"root=live:http://[fe80::1%25]/os: "http://[fe80::1%25]/os" has "fe80::1%25" in brackets, which has the interface "", which is empty; expected a name like eth0."#),
    ("root=nfs:10.0.0.1:/os", r#"root=nfs:10.0.0.1:/os: "nfs:" is not supported; make a squashfs of that directory (mksquashfs DIRECTORY os.squashfs -comp zstd) and use root=live:http://SERVER/os.squashfs."#),
    ("root=dhcp", r#"root=dhcp: "dhcp" is a root over the network, which is not supported; use root=live:http://SERVER/IMAGE with a squashfs or erofs image."#),
    ("root=/dev/nfs", r#"root=/dev/nfs: "/dev/nfs" is a root over the network, which is not supported; use root=live:http://SERVER/IMAGE with a squashfs or erofs image."#),
    ("root=10.0.0.1:/os", r#"root=10.0.0.1:/os: "10.0.0.1:/os" is a root over the network, which is not supported; use root=live:http://SERVER/IMAGE with a squashfs or erofs image."#),
    (r#"network.ip = "eth0""#, r#"network.ip = eth0: method "eth0" is unknown; for an interface of this name, write eth0:dhcp."#),
    (r#"network.vlan = "vlan5""#, r#"network.vlan = vlan5: value "vlan5" has no parent interface; expected <vlanname>:<parent>, like eth0.5:eth0."#),
    (r#"network.bond = "bond0:eth0:mode=9""#, r#"network.bond = bond0:eth0:mode=9: mode "9" is unknown; expected balance-rr, active-backup, balance-xor, broadcast, 802.3ad, balance-tlb, balance-alb, or 0 to 6."#),
    (r#"network.bridge = "br0""#, r#"network.bridge = br0: value "br0" has no ports; expected <name>:<port>[,<port>...], like br0:eth0,eth1."#),
    (r#"network.ifname = "lan""#, r#"network.ifname = lan: value "lan" has no MAC address; expected <interface>:<MAC>, like bootnet:52:54:00:12:34:56."#),
    (r#"network.route = "10.9.0.0/16""#, r#"network.route = 10.9.0.0/16: value "10.9.0.0/16" has neither a gateway nor an interface; expected <net>/<prefix>:<gateway>[:<interface>], like 10.0.0.0/8:192.168.0.1:eth0."#),
    (r#"network.dns = "boot""#, r#"network.dns = boot: "boot" is not an IP address; expected one like 10.0.0.1 or 2001:db8::1."#),
    (r#"network.dns = "[2001:db8::1]""#, r#"network.dns = [2001:db8::1]: "[2001:db8::1]" is not an IP address; write it without brackets."#),
    ("network.dns = 5", "network.dns: a text in quotes is expected, but this is a number."),
    (r#"network.peerdns = "never""#, r#"network.peerdns = never: "never" is not one of 1, yes, on, true, 0, no, off, false."#),
    (r#"network.bootif = "52:54""#, r#"network.bootif = 52:54: MAC address "52:54" has 2 parts; expected six pairs of hexadecimal digits, like 52:54:00:12:34:56."#),
    (r#"network.uses_bootif = "x""#, r#"network.uses_bootif = x: "x" is not one of 1, yes, on, true, 0, no, off, false."#),
    (r#"network.bootdev = "eth/0""#, r#"network.bootdev = eth/0: "eth/0" holds '/'; expected a name like eth0."#),
    (r#"network.bootdev = ["eth0", "eth1"]"#, "network.bootdev: it takes one value, not a list."),
    ("network.wanted = 3", r#"network.wanted = 3: "3" is not one of 1, yes, on, true, 0, no, off, false."#),
    (r#"network.handover = "netplan""#, r#"network.handover = netplan: "netplan" is not one of auto, none, networkd, ifupdown, networkmanager, dhcpcd, netifrc."#),
    (r#"network.vlans = "vlan5:eth0""#, "network.vlans is not a setting of Dayfly; did you mean network.vlan?"),
];

/// The problems with a value; without one, the plan's notes on it.
fn said(written: &str) -> Vec<String> {
    let facts = if written.contains(" = ") {
        Facts::from_cmdline("root=http://10.0.0.1/os").with_file(format!("version = 1\n{written}\n"))
    } else if written.starts_with("root=") {
        Facts::from_cmdline(written)
    } else {
        Facts::from_cmdline(format!("root=http://10.0.0.1/os {written}"))
    };
    let (settings, problems) = gather(&facts);
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    if !problems.is_empty() {
        return problems;
    }
    let notes = plan(&settings, &facts.discovered).notes;
    notes.into_iter().filter(|note| !note.starts_with("The image is booted unchecked")).collect()
}

#[test]
fn malformed_values_are_told_with_what_to_write() {
    assert!(MALFORMED.len() >= 80, "only {} values", MALFORMED.len());
    for (written, expected) in MALFORMED {
        assert_eq!(said(written), [*expected], "{written}");
    }
}

/// The table of the page.
pub(super) fn table() -> String {
    let mut text = String::from("| written | what Dayfly says |\n|---|---|\n");
    for (written, says) in MALFORMED {
        writeln!(text, "| {} | {} |", code(written), cell(&says.replace('<', "\\<"))).unwrap();
    }
    text
}
