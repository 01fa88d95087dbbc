use super::*;

const DEP: &str = "\
kernel/drivers/virtio/virtio.ko:
kernel/drivers/virtio/virtio_ring.ko: kernel/drivers/virtio/virtio.ko
kernel/drivers/virtio/virtio_pci.ko.xz: kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/net/virtio_net.ko: kernel/net/core/failover.ko kernel/drivers/virtio/virtio_ring.ko kernel/drivers/virtio/virtio.ko
kernel/net/core/failover.ko:
kernel/drivers/net/phy/realtek.ko: kernel/drivers/net/phy/libphy.ko
kernel/drivers/net/phy/libphy.ko:
kernel/drivers/net/ethernet/realtek/r8169.ko: kernel/drivers/net/phy/libphy.ko
kernel/drivers/net/ethernet/intel/e1000/e1000.ko:
kernel/arch/x86/crypto/crc32c-intel.ko:
kernel/crypto/crc32c_generic.ko:
kernel/fs/ext4/ext4.ko: kernel/fs/jbd2/jbd2.ko
kernel/fs/jbd2/jbd2.ko:
kernel/drivers/gpu/drm/foo.ko:
kernel/drivers/char/a.ko:
kernel/drivers/char/b.ko:
";
const ALIAS: &str = "\
# Aliases extracted from modules themselves.
alias crypto-crc32c crc32c_intel
alias pci:v00001AF4d*sv*sd*bc*sc*i* virtio_pci
alias virtio:d00000001v* virtio_net
alias pci:v000010ECd00008168sv*sd*bc*sc*i* r8169
alias pci:v00008086d0000100Esv*sd*bc*sc*i* e1000
alias crypto-crc32c crc32c_generic
alias pci:v0000FFFFd*sv*sd*bc*sc*i* foo
alias net-pf-10 ipv6
";
const SOFTDEP: &str = "\
# Soft dependencies extracted from modules themselves.
softdep ext4 pre: crypto-crc32c
softdep jbd2 pre: crypto-crc32c unix absent
softdep r8169 pre: realtek
softdep a pre: b
softdep b post: a
";
const BUILTIN: &str = "kernel/net/unix/unix.ko\nkernel/fs/ext2/my-fs.ko\n";
const MODINFO: &[u8] = b"unix.license=GPL\0unix.alias=net-pf-1\0unix.description=x.alias=y\0";

fn files() -> KernelFiles<'static> {
    KernelFiles {
        release: "6.1.0-test",
        dep: DEP,
        alias: ALIAS,
        softdep: SOFTDEP,
        builtin: BUILTIN,
        builtin_modinfo: MODINFO,
    }
}

fn table(conf: &str) -> Table {
    Table::from_kernel(&files(), &[ConfFile { name: "a.conf", text: conf }])
}

fn order(table: &Table, name: &str) -> String {
    match table.load_order(name) {
        Ok(loads) => loads
            .iter()
            .map(|l| if l.required { l.name.clone() } else { format!("({})", l.name) })
            .collect::<Vec<_>>()
            .join(" "),
        Err(error) => error.to_string(),
    }
}

#[test]
fn load_orders_are_those_of_modprobe() {
    let cases: &[(&str, &str, &str)] = &[
        ("", "virtio", "virtio"),
        ("", "virtio-net", "virtio virtio_ring failover virtio_net"),
        ("", "virtio_pci", "virtio_ring virtio virtio_pci"),
        ("", "r8169", "libphy (realtek) r8169"),
        ("", "ext4", "(crc32c_intel) (crc32c_generic) jbd2 ext4"),
        ("", "unix", ""),
        ("", "my_fs", ""),
        ("", "a", "(b) a"),
        ("", "b", "b (a)"),
        ("softdep r8169 post: e1000", "r8169", "libphy r8169 (e1000)"),
        ("install crc32c_intel /bin/true", "ext4", "(crc32c_generic) jbd2 ext4"),
        ("install jbd2 /bin/false", "jbd2", "module jbd2 is disabled by an install line of modprobe.d"),
        (
            "install jbd2 /bin/false",
            "ext4",
            "module ext4 needs jbd2, which an install line of modprobe.d disables",
        ),
        ("blacklist jbd2", "ext4", "(crc32c_intel) (crc32c_generic) jbd2 ext4"),
        ("", "nosuch", "kernel 6.1.0-test has no module \"nosuch\", neither as a file nor built in"),
        ("", "a]", "kernel 6.1.0-test has no module \"a]\", neither as a file nor built in"),
    ];
    for (conf, name, expected) in cases {
        assert_eq!(order(&table(conf), name), *expected, "{name} under {conf:?}");
    }
}

#[test]
fn lookups_stop_at_the_first_source_that_answers() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("", "virtio:d00000001v00001AF4", &["virtio_net"]),
        ("", "virtio:d00000002v00001AF4", &[]),
        ("", "crypto-crc32c", &["crc32c_intel", "crc32c_generic"]),
        ("", "crypto_crc32c", &["crc32c_intel", "crc32c_generic"]),
        ("", "crc32c-intel", &["crc32c_intel"]),
        ("", "net-pf-1", &["unix"]),
        ("", "unix", &["unix"]),
        ("", "nosuch", &[]),
        ("", "", &[]),
        ("alias virtio:d* e1000", "virtio:d00000001v1", &["e1000"]),
        ("alias e1000 r8169", "e1000", &["r8169"]),
        ("blacklist crc32c-intel", "crypto-crc32c", &["crc32c_generic"]),
        ("blacklist crc32c-intel", "crc32c-intel", &["crc32c_intel"]),
        ("blacklist e1000\nalias eth0 e1000", "eth0", &[]),
        ("install foo-bar /bin/false", "foo-bar", &["foo_bar"]),
    ];
    for (conf, given, expected) in cases {
        assert_eq!(table(conf).lookup(given), *expected, "{given} under {conf:?}");
    }
}

#[test]
fn configuration_is_sorted_by_name_and_the_first_of_a_name_counts() {
    let conf = |name, text| ConfFile { name, text };
    let table = Table::from_kernel(
        &files(),
        &[
            conf("zz.conf", "options e1000 z=1\nsoftdep r8169 pre: e1000"),
            conf("aa.conf", "options e1000 a=1\nsoftdep jbd2 post: e1000"),
            conf("zz.conf", "options e1000 hidden=1"),
        ],
    );
    assert_eq!(
        table.load_order("e1000").map(|l| l.first().map(|l| l.params.clone())),
        Ok(Some("a=1 z=1".into()))
    );
    // modules.softdep comes before zz.conf and after aa.conf.
    assert_eq!(order(&table, "r8169"), "libphy (realtek) r8169");
    assert_eq!(order(&table, "jbd2"), "jbd2 (e1000)");
}

#[test]
fn kernel_parameters_reach_the_module() {
    let mut table = table("options e1000 copybreak=0");
    table.add_parameter("e1000.debug", Some("16"));
    table.add_parameter("modprobe.blacklist", Some("virtio-net"));
    assert_eq!(
        table.load_order("e1000").map(|l| l.first().map(|l| l.params.clone())),
        Ok(Some("copybreak=0 debug=16".into()))
    );
    assert_eq!(table.lookup("virtio:d00000001v00001AF4"), [""; 0]);
}

#[test]
fn a_subset_survives_its_index() {
    let full = table(
        "options virtio_net napi_tx=0\noptions e1000 x=1\nblacklist virtio_pci\nalias eth0 virtio_net\nalias eth1 e1000\n",
    );
    let subset =
        full.subset(&["virtio_net", "virtio_pci", "ext4", "unix"]).expect("all names exist").uncompressed();
    let index = subset.encode();
    let read = Table::decode(&index).expect("own index");
    assert_eq!(read.encode(), index, "encoding is a fixed point");
    assert_eq!(read.notes(), [""; 0]);
    assert_eq!(read.release(), "6.1.0-test");
    assert_eq!(
        read.names().collect::<Vec<_>>(),
        [
            "virtio",
            "virtio_ring",
            "virtio_pci",
            "virtio_net",
            "failover",
            "crc32c_intel",
            "crc32c_generic",
            "ext4",
            "jbd2"
        ]
    );
    for name in ["virtio_net", "virtio_pci", "ext4", "unix"] {
        assert_eq!(order(&read, name), order(&full, name), "{name}");
    }
    let net = read.load_order("virtio_net").expect("in the image");
    assert_eq!(net.last().map(|l| l.params.as_str()), Some("napi_tx=0"));
    assert_eq!(read.path("virtio_pci"), Some("kernel/drivers/virtio/virtio_pci.ko"));
    assert!(read.is_builtin("unix") && !read.is_builtin("ext4") && !read.has("e1000"));
    assert_eq!(read.lookup("eth0"), ["virtio_net"]);
    assert_eq!(read.lookup("net-pf-1"), ["unix"]);
    assert_eq!(read.lookup("pci:v00001AF4d00001000sv0sd0bc0sc0i0"), [""; 0], "the blacklist is kept");

    let e1000 = "pci:v00008086d0000100Esv00001AF4sd00001100bc02sc00i00";
    assert_eq!(read.lookup(e1000), [""; 0]);
    assert_eq!(read.left_out(e1000), ["e1000"]);
    assert_eq!(
        read.left_out("pci:v0000FFFFd1sv1sd1bc1sc1i1"),
        [""; 0],
        "a graphics driver is not a boot driver"
    );
    assert_eq!(full.left_out(e1000), [""; 0]);
}

#[test]
fn modules_can_be_taken_out() {
    let without = table("").without(&["crc32c_intel", "jbd2"]);
    assert_eq!(
        order(&without, "jbd2"),
        "kernel 6.1.0-test has no module \"jbd2\", neither as a file nor built in"
    );
    assert_eq!(
        order(&without, "ext4"),
        "module ext4 needs kernel/fs/jbd2/jbd2.ko, which modules.dep does not list; run depmod"
    );
    let subset = without.subset(&["r8169"]).expect("r8169 is still there");
    assert_eq!(order(&subset, "r8169"), "libphy (realtek) r8169");
}

#[test]
fn a_name_that_ends_in_a_backslash_takes_no_line_with_it() {
    // Only at the end of a file the backslash stays in the name; elsewhere it joins two lines.
    let text = |table: &Table| Table::decode(&table.encode()).expect("its own index").encode();
    let table = table("alias eth0 virtio_net\\\\\\");
    let once = text(&table);
    assert!(once.contains("alias eth0 virtio_net\n"), "{once}");
    assert_eq!(text(&Table::decode(&once).expect("an index")), once);
}

#[test]
fn an_index_that_is_none_is_refused() {
    let good = table("").subset(&["e1000"]).expect("e1000 exists").encode();
    let cut = good.get(..good.len() - 1).expect("ascii");
    let cases: &[(&str, &str)] = &[
        ("", "the module index does not start with"),
        ("dayfly-modules 1\n", "the module index does not start with"),
        ("kernel/a.ko:\n", "the module index does not start with"),
        ("dayfly-modules 2 6.1\n", "the module index has version \"2\", but this init only reads version 1"),
        ("dayfly-modules 1 6.1\nx", "the module index is damaged at \"x\""),
        ("dayfly-modules 1 6.1\n[dep 99]\nabc", "the module index is damaged at"),
        ("dayfly-modules 1 6.1\n[left-out 1]\nz", "the module index is damaged at \"z\""),
        (cut, "the module index is damaged at"),
    ];
    for (text, expected) in cases {
        let error = Table::decode(text).expect_err(text).to_string();
        assert!(error.starts_with(expected), "{text:?}: {error}");
    }
    assert!(
        Table::decode("dayfly-modules 1 6.1\n[future 2]\nab[dep 5]\na.ko:").is_ok(),
        "unknown sections are ignored"
    );
}

#[test]
fn lines_that_make_no_sense_are_noted() {
    let table = Table::from_kernel(
        &KernelFiles {
            dep: "no colon\na/.ko:\nx.ko:\ny/x.ko: z\n",
            alias: "alias x\nfoo\nalias a] b\n",
            ..files()
        },
        &[ConfFile { name: "c.conf", text: "what is this" }],
    );
    assert_eq!(
        table.notes(),
        [
            "modules.dep: \"no colon\" is not \"path: dependencies\"; it is ignored",
            "modules.dep: \"a/.ko:\" is not \"path: dependencies\"; it is ignored",
            "modules.dep: there is more than one module x; y/x.ko is ignored",
            "modules.alias: \"alias x\" is not \"alias pattern module\"; it is ignored",
            "modules.alias: \"foo\" is not an alias line; it is ignored",
            "modules.alias: \"alias a] b\" is not \"alias pattern module\"; it is ignored",
            "c.conf: \"what is this\" is not a statement of modprobe.d(5); it is ignored",
        ]
    );
}

#[test]
fn compression_follows_the_name() {
    for (path, expected) in [
        ("a/b.ko", Compression::None),
        ("a/b.ko.xz", Compression::Xz),
        ("a/b.ko.gz", Compression::Gzip),
        ("a/b.ko.zst", Compression::Zstd),
    ] {
        assert_eq!(Compression::of(path), expected);
        assert!(path.ends_with(expected.suffix()));
    }
}
