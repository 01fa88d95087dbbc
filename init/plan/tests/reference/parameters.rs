//! The page of kernel parameters.

use std::fmt::Write;

use dayfly_formats::ip::IpArg;
use dayfly_plan::settings::table::foreign::{FOREIGN, Where};
use dayfly_plan::settings::table::parameters::{PARAMETERS, Weight};

use super::{MADE, cell, page};

/// The forms of `ip=`: an example, and what it means here.
const IP_FORMS: &[(&str, &str)] = &[
    ("dhcp", "DHCPv4 on every interface at once, the first lease wins; `on` and `any` are the same"),
    ("eth0:dhcp", "DHCPv4 on that interface"),
    ("eth0:dhcp:1400", "the same, with an MTU"),
    (
        "10.0.2.50::10.0.2.2:255.255.255.0:worker7:eth0:none",
        "static: address, (peer), gateway, netmask, host name, interface",
    ),
    ("10.0.2.50::10.0.2.2:24:worker7:eth0:none", "a prefix length instead of the netmask"),
    ("10.0.2.50::10.0.2.2:24::eth0:none:10.0.2.3:10.0.2.4", "with two name servers"),
    ("[2001:db8::2]::[2001:db8::1]:64::eth0:none", "a static IPv6 address, in brackets"),
    ("eth1:off", "leave that interface alone"),
];

#[test]
fn parameters_page() {
    let mut text = format!("{MADE}# Kernel parameters\n\n");
    text.push_str(
        "Four kinds of words on the kernel command line concern Dayfly:

- `dayfly.NAME=VALUE`: every [setting](settings.md), by its name;
- what dracut and the kernel document, in the table below, with the same meaning as far as it goes;
- words of other boot programs that Dayfly does not act on are [named](#words-of-others-that-dayfly-does-not-act-on), with what to write instead;
- everything else belongs to somebody else and is never an error.

The line is split as the kernel splits it: quotes protect spaces (`key=\"a b\"`), `-` and `_` are one in keys, of
repeated words the later wins unless the table says that they add up. The OS's init gets the arguments that the kernel
handed to init: words without a value and a dot that the kernel does not know (`single`, a runlevel, `-b`), unless `init=` or `rdinit=` comes after them, and what stands behind a bare `--`;
others with a value are in its environment. `MODULE.PARAMETER=VALUE` reaches kernel modules when Dayfly loads them.

A bad value of an essential parameter refuses the boot before anything is touched; of another one, it is a warning and
the value is ignored. `dayfly explain --cmdline '…'` says the same on any machine.

| parameter | value | what Dayfly makes of it | a bad value |
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

Each of these is named once as a warning, by the booting node and by `dayfly explain`, with what to write instead. In an initramfs of dracut only those with
`both` are, as dracut acts on the others itself; on a mounted root (`init=`) none is. A word that is switched off (`rd.luks=0`) asks for nothing.

| word | whose | asks for | instead | named in |
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
Several `ip=` words are allowed: one that names an interface holds for it, one without a name for all others. Every interface
that is named is configured, the routes of the first one that is up before those of the others. A name may be the kernel's (`eth0`), an alternative
name of the interface, or what systemd calls the card in the OS: `eno1`, `ens3`, `enp0s3`, `enp0s20f0u2`, `enx525400123456`, `end0`, `enX0`. Without any word,
every Ethernet interface asks for a DHCPv4 lease. A static address without an interface is given to the first one that has a
carrier.

Not yet: the methods `dhcp6`, `auto6`, `either6`, `link6`, `link-local` and `auto` are understood, but only DHCPv4 and static
addresses are carried out; the fields PEER, MAC and NTP are read and not used. The plan says so once for each word, with what to write instead.
An MTU that is below 576, or that the card cannot do, is taken as far as the card goes, and said.
",
    );
    page("docs/reference/parameters.md", &text);
}
