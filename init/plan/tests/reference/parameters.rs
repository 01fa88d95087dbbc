//! The page of kernel parameters.

use std::fmt::Write;

use dayfly_formats::ip::IpArg;
use dayfly_plan::settings::table::foreign::{FOREIGN, Where};
use dayfly_plan::settings::table::parameters::{PARAMETERS, Weight};

use super::{MADE, cell, page};

/// The forms of `ip=`: an example, and what it means here.
const IP_FORMS: &[(&str, &str)] = &[
    (
        "dhcp",
        "DHCPv4 on every interface in parallel, the first that reaches the server is used; `on` and `any` mean the same",
    ),
    ("eth0:dhcp", "DHCPv4 on that interface"),
    ("eth0:dhcp:1400", "the same, with an MTU"),
    (
        "10.0.2.50::10.0.2.2:255.255.255.0:worker7:eth0:none",
        "static: address, (peer), gateway, netmask, host name, interface",
    ),
    ("10.0.2.50::10.0.2.2:24:worker7:eth0:none", "a prefix length instead of the netmask"),
    ("10.0.2.50::10.0.2.2:24::eth0:none:10.0.2.3:10.0.2.4", "with two name servers"),
    ("[2001:db8::2]::[2001:db8::1]:64::eth0:none", "a static IPv6 address, in brackets"),
    ("auto", "DHCPv4 and IPv6 router advertisements; the first over which the server answers is used"),
    ("eth0:auto6", "IPv6 router advertisements; DHCPv6 as far as they refer to it"),
    ("eth0:dhcp6", "DHCPv6, whatever router advertisements say"),
    ("eth0:either6", "`auto6`, and `dhcp6` if no address came within 3 s (`rd.net.timeout.ipv6auto=`)"),
    ("eth0:link6", "the IPv6 link-local address alone"),
    ("eth0:dhcp::52:54:00:12:34:56", "DHCPv4, with this MAC address on the interface"),
    ("eth1:off", "do not use that interface"),
];

#[test]
fn parameters_page() {
    let mut text = format!("{MADE}# Kernel parameters\n\n");
    text.push_str(
        "There are four kinds of kernel parameters:

- `dayfly.NAME=VALUE` sets the [setting](settings.md) NAME.
- Parameters that dracut and the kernel document, in the table below, have the same meaning as far as possible.
- Unsupported parameters of other boot programs are [reported](#words-of-others-that-dayfly-does-not-act-on), with an alternative.
- All other parameters belong to other programs and are never an error.

The command line is split as the kernel splits it: quotes protect spaces (`key=\"a b\"`), and `-`
and `_` are equal in keys. If a parameter is repeated, the later one counts, unless the table says
that the values add up. The OS's init gets the arguments that the kernel passes to init: words
without a value and without a dot that the kernel does not use (`single`, a runlevel, `-b`), unless
`init=` or `rdinit=` comes after them, and everything after a separate `--`. Unknown parameters with
a value are in its environment. `MODULE.PARAMETER=VALUE` is passed to kernel modules when Dayfly
loads them.

An invalid value of an essential parameter refuses the boot before anything is changed. For other
parameters, it causes a warning and the value is ignored. `dayfly explain --cmdline '…'` reports the
same on any machine.

| parameter | value | what Dayfly does with it | an invalid value |
|---|---|---|---|
",
    );
    for parameter in PARAMETERS {
        let weight = match parameter.weight {
            Weight::Essential => "refuses the boot",
            Weight::Helpful => "is a warning",
        };
        let kind = if parameter.kind == "see ip= below" { "[see below](#ip)" } else { parameter.kind };
        writeln!(text, "| `{}` | {} | {} | {weight} |", parameter.name, cell(kind), cell(parameter.doc))
            .unwrap();
    }
    text.push_str(
        "
## Words of others that Dayfly does not act on

The booting node and `dayfly explain` report each of these once as a warning, with an alternative.
In a dracut initramfs, only those with `both` are reported, because dracut handles the others
itself. On a mounted root (`init=`), none is reported. A parameter that switches a feature off
(`rd.luks=0`) is not reported.

| parameter | defined by | requests | alternative | reported in |
|---|---|---|---|---|
",
    );
    for row in FOREIGN {
        let names: Vec<String> = row.names.iter().map(|name| format!("`{name}`")).collect();
        let place = match row.named {
            Where::Own => "own initramfs",
            Where::Both => "both",
        };
        let (names, instead) = (names.join(" "), cell(row.instead));
        writeln!(text, "| {names} | {} | {} | {instead} | {place} |", row.whose, cell(row.what)).unwrap();
    }
    text.push_str(
        "
## ip

```text
ip=METHOD
ip=INTERFACE:METHOD[:[MTU][:MAC]]
ip=CLIENT:[PEER]:[GATEWAY]:NETMASK|PREFIX:[HOSTNAME]:[INTERFACE]:[METHOD][:[MTU][:MAC]]
ip=CLIENT:[PEER]:[GATEWAY]:NETMASK|PREFIX:[HOSTNAME]:[INTERFACE]:[METHOD][:[DNS1][:[DNS2][:NTP]]]
```

| ip= | meaning |
|---|---|
",
    );
    for (form, meaning) in IP_FORMS {
        form.parse::<IpArg>().unwrap_or_else(|error| panic!("the example ip={form} is refused: {error}"));
        writeln!(text, "| `{form}` | {meaning} |").unwrap();
    }
    text.push_str(
        "
Several `ip=` parameters are allowed. One with an interface name applies to that interface, one
without a name to all others. All named interfaces are configured, and the routes of the one over
which the server answers take precedence. The name may be the kernel's (`eth0`), an alternative name of the
interface, or systemd's name for it in the OS: `eno1`, `ens3`, `enp0s3`, `enp0s20f0u2`,
`enx525400123456`, `end0`, `enX0`. Without any `ip=` parameter, every Ethernet interface is tried
with DHCPv4 and with IPv6 router advertisements (`auto`). A static address without an interface is
set on the first interface that has a carrier, and on the next one if the server does not answer.

Two parameters for one interface are both used if one is for IPv4 and the other for IPv6; otherwise
the first one counts, and the plan says so. PEER is used with a prefix of 32 (IPv6: 128); in the
kernel's own `ip=`, this field is the NFS server. NTP is a time server, which may move the clock
[forward only](../explanation/trust.md#the-clock). With `link-local`, only the IPv6 address is
used; the plan reports this once for each parameter, with an alternative. If an MTU is below 576, or if the interface does not support it, the nearest supported
value is used, and the boot reports it.
",
    );
    page("docs/reference/parameters.md", &text);
}
