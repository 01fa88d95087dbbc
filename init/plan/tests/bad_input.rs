//! Invalid values, each with its exact message. None of them may cause a panic, and every error is reported.

use dayfly_plan::settings::gather;
use dayfly_plan::{Code, Facts, Severity, StepId, plan};

#[test]
fn bad_values_are_named_with_what_is_expected() {
    use Code::{ConfigUnknown, ConfigUnsupported, ConfigValue};
    use Severity::{Refuse, Warn};
    let digits = "0".repeat(63);
    let cases: Vec<(String, Severity, Code, String)> = [
        ("root=", Refuse, ConfigValue, "root=: it has no value."),
        ("root=live:", Refuse, ConfigValue, "root=live:: it does not name an image: a URL, LABEL=, UUID=, PARTLABEL=, PARTUUID= or /dev/NAME is expected."),
        ("root=nfs:10.0.0.1:/os", Refuse, ConfigValue, "root=nfs:10.0.0.1:/os: \"nfs:\" is not supported; make a squashfs of that directory (mksquashfs DIRECTORY os.squashfs -comp zstd) and use root=live:http://SERVER/os.squashfs."),
        ("root=iscsi:10.0.0.1::3260:1:iqn.os", Refuse, ConfigValue, "root=iscsi:10.0.0.1::3260:1:iqn.os: \"iscsi:\" is not supported; boot from a local disk, or serve the image as a file and use root=live:http://SERVER/IMAGE."),
        ("root=live:tftp://boot/os", Refuse, ConfigValue, "root=live:tftp://boot/os: \"tftp://boot/os\" has the scheme \"tftp\", but only http and https can be fetched."),
        ("root=http://", Refuse, ConfigValue, "root=http://: \"http://\" has no host."),
        ("root=http:///os", Refuse, ConfigValue, "root=http:///os: \"http:///os\" has no host."),
        ("root=http://boot:/os", Refuse, ConfigValue, "root=http://boot:/os: \"http://boot:/os\" has no port number from 1 to 65535 after the host's colon."),
        ("root=http://boot:99999/os", Refuse, ConfigValue, "root=http://boot:99999/os: \"http://boot:99999/os\" has no port number from 1 to 65535 after the host's colon."),
        ("root=http://[10.0.0.1]/os", Refuse, ConfigValue, "root=http://[10.0.0.1]/os: \"http://[10.0.0.1]/os\" has \"10.0.0.1\" in brackets, which is not an IPv6 address."),
        ("root=http://user:pw@boot/os", Refuse, ConfigValue, "root=http://…@boot/os: a URL with a user name or password is refused: all users can read the command line."),
        ("root=live:ftp://user:pw@boot/os", Refuse, ConfigValue, "root=live:ftp://…@boot/os: \"ftp://…@boot/os\" has the scheme \"ftp\", but only http and https can be fetched."),
        ("dayfly.image.url=user:pw@boot/os", Refuse, ConfigValue, "dayfly.image.url=…@boot/os: \"…@boot/os\" is not a URL: http://HOST/PATH is expected."),
        ("dayfly.report=http://user:p/w@boot/", Refuse, ConfigValue, "dayfly.report=http://…@boot/: \"http://…@boot/\" has no port number from 1 to 65535 after the host's colon."),
        ("dayfly.settings.url=https://user:pw@${mac}/", Refuse, ConfigValue, "dayfly.settings.url=https://…@${mac}/: \"https://…@${mac}/\" has a variable in the server's name or port; variables are only allowed after that."),
        ("root=LABEL=", Refuse, ConfigValue, "root=LABEL=: \"LABEL=\" has nothing after LABEL=."),
        ("root=LABLE=os", Refuse, ConfigValue, "root=LABLE=os: \"LABLE=os\" starts with LABLE=, but LABEL=, UUID=, PARTLABEL= or PARTUUID= is expected."),
        ("root=vdb", Refuse, ConfigValue, "root=vdb: \"vdb\" is not a device: /dev/NAME, LABEL=, UUID=, PARTLABEL= or PARTUUID= is expected."),
        ("root=/dev/../vdb", Refuse, ConfigValue, "root=/dev/../vdb: \"/dev/../vdb\" is not the path of a device."),
        ("ip=", Refuse, ConfigValue, "ip=: it has no value."),
        ("ip=10.0.0.300::10.0.0.1:24:n:eth0:off", Refuse, ConfigValue, "ip=10.0.0.300::10.0.0.1:24:n:eth0:off: client address \"10.0.0.300\" is not an IP address; expected one like 10.0.0.1 or [2001:db8::1]."),
        ("dayfly.image.sha256=abc", Refuse, ConfigValue, "dayfly.image.sha256=abc: \"abc\" has 3 hexadecimal digits, but a SHA-256 has 64."),
        ("dayfly.image.sha256=", Refuse, ConfigValue, "dayfly.image.sha256=: \"\" has 0 hexadecimal digits, but a SHA-256 has 64."),
        ("dayfly.image.sha256=xyz", Refuse, ConfigValue, "dayfly.image.sha256=xyz: \"xyz\" has the character 'x', which is not a hexadecimal digit."),
        ("dayfly.image.url=boot/os", Refuse, ConfigValue, "dayfly.image.url=boot/os: \"boot/os\" is not a URL: http://HOST/PATH is expected."),
        ("dayfly.image.stall=0", Refuse, ConfigValue, "dayfly.image.stall=0: \"0\" is not a number of seconds from 1 to 86400."),
        ("dayfly.image.connect=soon", Refuse, ConfigValue, "dayfly.image.connect=soon: \"soon\" is not a number of seconds from 1 to 86400."),
        ("dayfly.retry=-1", Refuse, ConfigValue, "dayfly.retry=-1: \"-1\" is not a number of seconds from 1 to 86400."),
        ("dayfly.image.file=../etc/shadow", Refuse, ConfigValue, "dayfly.image.file=../etc/shadow: \"../etc/shadow\" is not a path below the top directory."),
        ("dayfly.hostname=-node", Refuse, ConfigValue, "dayfly.hostname=-node: host name \"-node\" has a part that starts or ends with \"-\"."),
        ("dayfly.state.device=sda", Refuse, ConfigValue, "dayfly.state.device=sda: \"sda\" is not a device: /dev/NAME, LABEL=, UUID=, PARTLABEL= or PARTUUID= is expected."),
        ("my.git=git://host/x", Warn, ConfigValue, "my.git=git://host/x: \"git://host/x\" is fetched without encryption, so anyone on the network path could run any program as root; https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH is expected."),
        ("dayfly.script.a.git=http://host/x", Refuse, ConfigValue, "dayfly.script.a.git=http://host/x: \"http://host/x\" is fetched without encryption, so anyone on the network path could run any program as root; https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH is expected."),
        ("dayfly.script.a.git=HTTP://host/x", Refuse, ConfigValue, "dayfly.script.a.git=HTTP://host/x: \"HTTP://host/x\" is fetched without encryption, so anyone on the network path could run any program as root; https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH is expected."),
        ("dayfly.script.a.git=git://host/x", Refuse, ConfigValue, "dayfly.script.a.git=git://host/x: \"git://host/x\" is fetched without encryption, so anyone on the network path could run any program as root; https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH is expected."),
        ("dayfly.script.a.git=file:///srv/x", Refuse, ConfigValue, "dayfly.script.a.git=file:///srv/x: \"file:///srv/x\" is not a repository; https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH is expected."),
        ("dayfly.script.a.git=/srv/x", Refuse, ConfigValue, "dayfly.script.a.git=/srv/x: \"/srv/x\" is not a repository; https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH is expected."),
        ("dayfly.script.a.git=ext::sh", Refuse, ConfigValue, "dayfly.script.a.git=ext::sh: \"ext::sh\" is not a repository; https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH is expected."),
        ("dayfly.script.a.git=ftp://host/x", Refuse, ConfigValue, "dayfly.script.a.git=ftp://host/x: \"ftp://host/x\" is not a repository; https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH is expected."),
        ("dayfly.script.a.git=ssh://-oProxyCommand=id/x", Refuse, ConfigValue, "dayfly.script.a.git=ssh://-oProxyCommand=id/x: \"ssh://-oProxyCommand=id/x\" is not a repository; https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH is expected."),
        ("dayfly.script.a.git=ssh://me@-oProxyCommand=id/x", Refuse, ConfigValue, "dayfly.script.a.git=ssh://…@-oProxyCommand=id/x: \"ssh://…@-oProxyCommand=id/x\" is not a repository; https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH is expected."),
        ("dayfly.script.a.git=me@-oProxyCommand=id:x", Refuse, ConfigValue, "dayfly.script.a.git=me@-oProxyCommand=id:x: \"me@-oProxyCommand=id:x\" is not a repository; https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH is expected."),
        ("dayfly.script.a.git=-u@host:x", Refuse, ConfigValue, "dayfly.script.a.git=-u@host:x: \"-u@host:x\" is not a valid argument for Git: it is empty, starts with \"-\", or contains a space."),
        ("dayfly.script.a.git=me@host:-x", Refuse, ConfigValue, "dayfly.script.a.git=me@host:-x: \"me@host:-x\" is not a repository; https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH is expected."),
        ("dayfly.script.a.git=me@host::x", Refuse, ConfigValue, "dayfly.script.a.git=me@host::x: \"me@host::x\" is not a repository; https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH is expected."),
        ("dayfly.script.a.git=https:///x", Refuse, ConfigValue, "dayfly.script.a.git=https:///x: \"https:///x\" is not a repository; https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH is expected."),
        ("dayfly.script.a.git=git+ssh://host/x", Refuse, ConfigValue, "dayfly.script.a.git=git+ssh://host/x: \"git+ssh://host/x\" is not a repository; https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH is expected."),
        ("dayfly.script.a.branch=main:refs/heads/x", Refuse, ConfigValue, "dayfly.script.a.branch=main:refs/heads/x: \"main:refs/heads/x\" is not the name of a branch or tag."),
        ("dayfly.script.a.branch=+main", Refuse, ConfigValue, "dayfly.script.a.branch=+main: \"+main\" is not the name of a branch or tag."),
        ("dayfly.script.a.branch=a..b", Refuse, ConfigValue, "dayfly.script.a.branch=a..b: \"a..b\" is not the name of a branch or tag."),
        ("dayfly.script.a.branch=x^", Refuse, ConfigValue, "dayfly.script.a.branch=x^: \"x^\" is not the name of a branch or tag."),
        ("dayfly.script.a.branch=x~1", Refuse, ConfigValue, "dayfly.script.a.branch=x~1: \"x~1\" is not the name of a branch or tag."),
        ("dayfly.script.a.branch=a?b", Refuse, ConfigValue, "dayfly.script.a.branch=a?b: \"a?b\" is not the name of a branch or tag."),
        ("dayfly.script.a.branch=@{u}", Refuse, ConfigValue, "dayfly.script.a.branch=@{u}: \"@{u}\" is not the name of a branch or tag."),
        ("dayfly.script.a.branch=refs/*", Refuse, ConfigValue, "dayfly.script.a.branch=refs/*: \"refs/*\" is not the name of a branch or tag."),
        ("dayfly.script.a.branch=-b", Refuse, ConfigValue, "dayfly.script.a.branch=-b: \"-b\" is not a valid argument for Git: it is empty, starts with \"-\", or contains a space."),
        ("dayfly.script.a.branch=--upload-pack=id", Refuse, ConfigValue, "dayfly.script.a.branch=--upload-pack=id: \"--upload-pack=id\" is not a valid argument for Git: it is empty, starts with \"-\", or contains a space."),
        ("dayfly.git=https://me:token@host/x", Refuse, ConfigValue, "dayfly.git=https://…@host/x: a URL with a password is refused: others can read it."),
        ("dayfly.layout./var=kept", Refuse, ConfigValue, "dayfly.layout./var=kept: \"kept\" is not one of read-only, ephemeral, persistent, persistent-file, tmpfs, tmpfs(SIZE)."),
        ("dayfly.layout.var=tmpfs", Refuse, ConfigValue, "dayfly.layout.var=tmpfs: \"var\" is not an absolute path without . and ..."),
        ("dayfly.layout./run/x=tmpfs", Refuse, ConfigValue, "dayfly.layout./run/x=tmpfs: \"/run/x\" belongs to the kernel or to the boot itself."),
        ("dayfly.layout./tmp=tmpfs(1T)", Refuse, ConfigValue, "dayfly.layout./tmp=tmpfs(1T): \"1T\" is not a size: a number with an optional K, M or G is expected."),
        ("dayfly.root.size=0", Refuse, ConfigValue, "dayfly.root.size=0: \"0\" is not a size: a number with an optional K, M or G is expected."),
        ("dayfly.kubelet.enabled=maybe", Refuse, ConfigValue, "dayfly.kubelet.enabled=maybe: \"maybe\" is not one of 1, yes, on, true, 0, no, off, false."),
        ("dayfly.kubelet.program=kubelet", Refuse, ConfigValue, "dayfly.kubelet.program=kubelet: \"kubelet\" is not an absolute path without . and ..."),
        ("dayfly.k0s.role=master", Refuse, ConfigValue, "dayfly.k0s.role=master: \"master\" is not one of controller, controller+worker, single, worker, none."),
        ("dayfly.k3s.role=worker", Refuse, ConfigValue, "dayfly.k3s.role=worker: \"worker\" is not one of server, agent, none."),
        ("dayfly.k3s.server=http://10.0.0.1:6443", Refuse, ConfigValue, "dayfly.k3s.server=http://10.0.0.1:6443: \"http://10.0.0.1:6443\" is not https, but the token is a secret."),
        ("dayfly.k0s.data_dir=k0s", Refuse, ConfigValue, "dayfly.k0s.data_dir=k0s: \"k0s\" is not an absolute path without . and ..."),
        ("dayfly.k0s.token=abc", Refuse, Code::ConfigSecret, "dayfly.k0s.token= is a secret, but others can read it in its source (cmdline dayfly.k0s.token=); it is only accepted from credentials, /config or a settings URL with https."),
        ("dayfly.k0s.role=worker dayfly.k3s.role=agent", Refuse, ConfigValue, "k0s.role (cmdline dayfly.k0s.role=) and k3s.role (cmdline dayfly.k3s.role=): a node runs only one of kubelet, k0s and k3s."),
        ("dayfly.modules.load=a/b", Refuse, ConfigValue, "dayfly.modules.load=a/b: \"a/b\" is not the name of a module."),
        ("dayfly.failure.action=explode", Refuse, ConfigValue, "dayfly.failure.action=explode: \"explode\" is not one of reboot, poweroff, halt."),
        ("dayfly.network.bootif=52:54", Refuse, ConfigValue, "dayfly.network.bootif=52:54: MAC address \"52:54\" has 2 parts; expected six pairs of hexadecimal digits, like 52:54:00:12:34:56."),
        ("dayfly.network.ntp=10.0.0.300", Refuse, ConfigValue, "dayfly.network.ntp=10.0.0.300: time server \"10.0.0.300\" is not an IP address; expected one like 10.0.0.1, 2001:db8::1 or ntp.example.org."),
        ("dayfly.network.dns=boot", Refuse, ConfigValue, "dayfly.network.dns=boot: \"boot\" is not an IP address; expected one like 10.0.0.1 or 2001:db8::1."),
        ("init=sbin/init", Refuse, ConfigValue, "init=sbin/init: \"sbin/init\" is not an absolute path without . and ..."),
        ("nameserver=dns.example.org", Warn, ConfigValue, "nameserver=dns.example.org: \"dns.example.org\" is not an IP address; expected one like 10.0.0.1 or 2001:db8::1."),
        ("rd.retry=abc", Warn, ConfigValue, "rd.retry=abc: \"abc\" is not a number of seconds from 1 to 86400."),
        ("rd.net.timeout.carrier=0", Warn, ConfigValue, "rd.net.timeout.carrier=0: \"0\" is not a number of seconds from 1 to 86400."),
        ("rd.net.timeout.iflink=abc", Warn, ConfigValue, "rd.net.timeout.iflink=abc: \"abc\" is not a number of seconds from 1 to 86400."),
        ("rd.net.timeout.dhcp=-1", Warn, ConfigValue, "rd.net.timeout.dhcp=-1: \"-1\" is not a number of seconds from 1 to 86400."),
        ("rd.net.timeout.dhcp", Warn, ConfigValue, "rd.net.timeout.dhcp: it has no value."),
        ("rd.net.timeout.dhcp=infinity", Warn, ConfigUnsupported, "rd.net.timeout.dhcp=infinity: no wait is endless; rd.retry= limits how long the boot tries."),
        ("rd.net.dhcp.retry=0", Warn, ConfigValue, "rd.net.dhcp.retry=0: \"0\" is not a number from 1 to 1000000000."),
        ("rd.net.dhcp.vendor-class=", Warn, ConfigValue, "rd.net.dhcp.vendor-class=: it has no value."),
        ("rd.net.dhcp.vendor-class=a\u{e9}", Warn, ConfigValue, "rd.net.dhcp.vendor-class=a\u{e9}: \"a\u{e9}\" is not a text of 1 to 255 printable ASCII characters."),
        ("rd.net.timeout.ifup=30", Warn, ConfigUnsupported, "rd.net.timeout.ifup=30: it is not used: an interface is up at once; rd.net.timeout.carrier= limits the wait for its carrier."),
        ("rd.net.timeout.route=x", Warn, ConfigValue, "rd.net.timeout.route=x: \"x\" is not a number of seconds from 1 to 86400."),
        ("rd.net.timeout.route=5", Warn, ConfigUnsupported, "rd.net.timeout.route=5: it is not used: the boot adds routes itself and waits for none."),
        ("rd.emergency=panic", Warn, ConfigValue, "rd.emergency=panic: \"panic\" is not one of reboot, poweroff, halt."),
        ("panic=soon", Warn, ConfigValue, "panic=soon: \"soon\" is not a whole number of seconds."),
        ("rd.shell=maybe", Warn, ConfigValue, "rd.shell=maybe: \"maybe\" is not one of 1, yes, on, true, 0, no, off, false."),
        ("rd.live.overlay.size=many", Warn, ConfigValue, "rd.live.overlay.size=many: \"many\" is not a size: a number with an optional K, M or G is expected."),
        ("rd.live.overlay.size=150%", Warn, ConfigValue, "rd.live.overlay.size=150%: \"150%\" is not a percentage of the memory: 1% to 100% is expected."),
        ("rd.overlay=tmpfs:nr_inodes=5", Warn, ConfigUnsupported, "rd.overlay=tmpfs:nr_inodes=5: the option \"nr_inodes=5\" is not supported."),
        ("rd.live.overlay=LABEL=ov:/path", Warn, ConfigUnsupported, "rd.live.overlay=LABEL=ov:/path: the directory \"/path\" is not used: the persistent paths have their own directories."),
        ("dayfly.image.sha265=00", Refuse, ConfigUnknown, "dayfly.image.sha265= is not a setting of Dayfly; did you mean dayfly.image.sha256=?"),
        ("dayfly.bananas=1", Warn, ConfigUnknown, "dayfly.bananas= is not a setting of Dayfly; docs/reference/settings.md lists all settings."),
    ]
    .into_iter()
    .map(|(word, severity, code, text)| (word.to_owned(), severity, code, text.to_owned()))
    .chain(std::iter::once((
        format!("dayfly.image.sha256={digits}"),
        Refuse,
        ConfigValue,
        format!("dayfly.image.sha256={digits}: \"{digits}\" has 63 hexadecimal digits, but a SHA-256 has 64."),
    )))
    .collect();
    assert!(cases.len() >= 40);
    let mut wrong = Vec::new();
    for (word, severity, code, text) in cases {
        let facts = Facts::from_cmdline(word.as_str());
        let (_, problems) = gather(&facts);
        let found: Vec<_> =
            problems.iter().map(|found| (found.severity, found.code, found.text.clone())).collect();
        if found != [(severity, code, text.clone())] {
            wrong.push(format!("{word}\n  wanted {severity:?} {code} {text}\n  found  {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn bad_files_are_refused_with_the_line() {
    for (file, code, text) in [
        (
            "hostname = \"a\"",
            Code::ConfigFile,
            "The settings file has no version: add \"version = 1\" at the top.",
        ),
        (
            "version = 2",
            Code::ConfigFile,
            "The settings file has version 2, but this Dayfly only reads version 1.",
        ),
        ("version = 1\nhostname = a", Code::ConfigFile, "The settings file is not TOML: line 2: "),
        (
            "version = 1\n[image]\nulr = \"http://boot/os\"",
            Code::ConfigUnknown,
            "image.ulr is not a setting of Dayfly; did you mean image.url?",
        ),
        ("version = 1\n[image]\nstall = \"long\"", Code::ConfigValue, "stall"),
        (
            "version = 1\nhostname = [\"a\", \"b\"]",
            Code::ConfigValue,
            "hostname: it takes one value, not a list.",
        ),
        (
            "version = 1\n[image]\nstall = [20]",
            Code::ConfigValue,
            "image.stall: it takes one value, not a list.",
        ),
        (
            "version = 1\n[network]\ndns = [[\"10.0.0.1\"]]",
            Code::ConfigValue,
            "network.dns: a text in quotes is expected, but this is a list.",
        ),
        (
            "version = 1\nhostname = 1e3",
            Code::ConfigValue,
            "hostname: a text in quotes is expected, but this is a number with a fraction.",
        ),
        (
            "version = 1\n[image]\nstall = true",
            Code::ConfigValue,
            "image.stall: a whole number, or a text in quotes, is expected, but this is true or false without quotes.",
        ),
        (
            "version = 1\ndebug = 2026-01-01",
            Code::ConfigValue,
            "debug: true or false is expected, but this is a date or time.",
        ),
        (
            "version = 1\nfile.\"/etc/x\".mode = 0o640",
            Code::ConfigValue,
            "file./etc/x.mode: a text in quotes is expected, but this is a number.",
        ),
        ("version = 1\nbananas = []", Code::ConfigUnknown, "bananas is not a setting of Dayfly"),
        ("version = 1\nimage = 3", Code::ConfigUnknown, "image is not a setting of Dayfly"),
    ] {
        let (_, problems) = gather(&Facts::from_cmdline("root=/dev/vda").with_file(file));
        assert_eq!(problems.len(), 1, "{file}: {problems:?}");
        assert_eq!(problems[0].code, code, "{file}");
        assert!(problems[0].text.contains(text), "{file}: {}", problems[0].text);
    }
}

#[test]
fn what_belongs_to_others_is_never_an_error() {
    let facts = Facts::from_cmdline(
        "root=/dev/vda foo.bar=1 systemd.unit=rescue.target console=ttyS0,115200n8 \"odd word\" = =x dayflyx=1 -- -b",
    );
    let (settings, problems) = gather(&facts);
    assert_eq!(problems, []);
    assert_eq!(settings.init_args, ["-b"]);
    assert!(plan(&settings, &facts.discovered).step(StepId::Find).is_some());
}

#[test]
fn the_later_word_wins_and_the_command_line_wins_over_the_file() {
    let file = "version = 1\nhostname = \"file\"\n[network]\ndns = [\"10.0.0.1\", \"10.0.0.2\"]\n[image]\nstall = 20\n";
    let (settings, problems) = gather(
        &Facts::from_cmdline(
            "rd.shell=1 rd.shell=0 dayfly.hostname=first dayfly.hostname=second nameserver=10.9.9.9",
        )
        .with_file(file),
    );
    assert_eq!(problems, []);
    assert!(!settings.shell.value);
    assert_eq!(settings.hostname.as_ref().unwrap().value.as_str(), "second");
    assert_eq!(
        settings.network.dns.iter().map(|dns| dns.value.to_string()).collect::<Vec<_>>(),
        ["10.9.9.9"]
    );
    assert_eq!(settings.image_stall.value.as_secs(), 20);
    assert_eq!(settings.image_stall.source.to_string(), "initramfs");
    let (settings, _) = gather(&Facts::default().with_file(file));
    assert_eq!(settings.network.dns.len(), 2);
}
