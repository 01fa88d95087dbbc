//! Kernel parameters of other boot programs: those that Dayfly does not support are reported once, and all others are
//! ignored.

use dayfly_plan::settings::gather;
use dayfly_plan::settings::table::foreign::{FOREIGN, Where, find};
use dayfly_plan::settings::table::parameters::PARAMETERS;
use dayfly_plan::{Code, Facts, Severity, Way, plan};

fn said(way: Way, cmdline: &str) -> Vec<String> {
    let (_, problems) = gather(&Facts::from_cmdline(cmdline).on_way(way));
    for problem in &problems {
        assert_eq!((problem.severity, problem.code), (Severity::Warn, Code::ConfigUnsupported), "{cmdline}");
    }
    problems.into_iter().map(|problem| problem.text).collect()
}

#[test]
fn every_word_is_named_once_without_its_value() {
    for row in FOREIGN {
        for name in row.names {
            let key = name.replace('*', "x");
            if PARAMETERS.iter().any(|parameter| parameter.name == key) {
                continue;
            }
            // Only `=0` of these requests something.
            let value = if ["rd.peerdns", "rd.bootif"].contains(name) { "0" } else { "SESAME" };
            let found = said(Way::Initramfs, &format!("{key}={value} {key}={value}"));
            assert_eq!(found.len(), 1, "{name}: {found:?}");
            assert!(found[0].starts_with(&format!("{key}= asks for {} (", row.what)), "{name}: {found:?}");
            assert!(found[0].contains(row.instead) && !found[0].contains("SESAME"), "{name}: {found:?}");
            assert!(std::ptr::eq(find(&key).unwrap(), row), "{name} is in two rows");
            let under_dracut = usize::from(row.named == Where::Both);
            assert_eq!(said(Way::Dracut, &format!("{key}={value}")).len(), under_dracut, "{name}");
            assert_eq!(said(Way::Root, &format!("{key}={value}")), Vec::<String>::new(), "{name}");
        }
    }
}

#[test]
fn the_words_that_people_write_are_known() {
    for (cmdline, words) in [
        ("rd.ethtool=eth0:off:1000", "rd.ethtool= asks for the speed of an interface (NetworkManager)"),
        ("cifspass=SESAME", "cifspass= asks for a root over the network"),
        ("rd.net.timeout.x=30", "rd.net.timeout.x= asks for another option of the network"),
        (
            "rd.net.dhcp.client-id=x",
            "rd.net.dhcp.client-id= asks for another DHCP client identifier (NetworkManager)",
        ),
        ("rd.luks.uuid=luks-1 rd.luks.name=1=x", "rd.luks.uuid= asks for an encrypted disk"),
        ("rd.lvm.lv=vg/root", "rd.lvm.lv= asks for LVM volumes"),
        ("netroot=iscsi:user:SESAME@10.0.0.1::::iqn", "netroot= asks for a root over the network"),
        ("fetch=http://boot/fs.squashfs", "use root=live:http://SERVER/IMAGE"),
        ("boot=live", "boot= asks for the boot method of another program"),
        ("toram", "toram asks for a copy of the image"),
        ("systemd.pull=raw,machine:x:http://boot/x", "systemd.pull= asks for"),
        ("rd.systemd.pull=raw,machine:x:http://boot/x", "rd.systemd.pull= asks for"),
        ("overlayroot=tmpfs", "overlayroot= asks for an overlay"),
        ("ds=nocloud;s=http://boot/", "ds= asks for settings"),
        ("wwinit.uri=http://boot/", "wwinit.uri= asks for an image and overlays"),
        ("k3os.token=SESAME", "k3os.token= asks for its settings (k3OS)"),
        ("ignition.firstboot", "ignition.firstboot asks for settings by Ignition"),
        ("live_media=/dev/sda1", "live_media= asks for an image on a disk"),
    ] {
        let found = said(Way::Initramfs, cmdline);
        assert!(found.len() == 1 && found[0].contains(words), "{cmdline}: {found:?}");
        assert!(!found[0].contains("SESAME"), "{cmdline}: {found:?}");
    }
}

#[test]
fn what_is_switched_off_or_somebody_elses_is_not_named() {
    for cmdline in [
        "rd.luks=0 rd.lvm=0 rd.md=no rd.dm=off rd.multipath=0 rd.auto=0 rd.live.check=0 rd.peerdns=1 rd.peerdns",
        "console=ttyS0,115200n8 quiet splash nomodeset mitigations=off initrd=x BOOT_IMAGE=/vmlinuz rd.shell=Yes",
        "systemd.unit=rescue.target systemd.mask=x.service luks.uuid=x resume=/dev/sda2 mem=2G net.ifnames=0",
        "bondage=1 ds9 rd.luksx=1 fetching=1 boots=1",
    ] {
        assert_eq!(said(Way::Initramfs, cmdline), Vec::<String>::new(), "{cmdline}");
    }
}

/// Names that other programs use, at one or two letters from a parameter of the network.
#[test]
fn only_nearly_network_parameters_are_suggested() {
    let near = |cmdline: &str| {
        let (_, problems) = gather(&Facts::from_cmdline(cmdline));
        problems.into_iter().map(|problem| (problem.code, problem.text)).collect::<Vec<_>>()
    };
    for (word, meant) in [
        ("bnod", "bond"),
        ("bonds", "bond"),
        ("vlna", "vlan"),
        ("brigde", "bridge"),
        ("ifnme", "ifname"),
        ("bootif", "BOOTIF"),
        ("bootdve", "bootdev"),
        ("rd.ruote", "rd.route"),
        ("rd.needent", "rd.neednet"),
        ("nameservers", "nameserver"),
    ] {
        let text = format!("{word}= is not a parameter that Dayfly knows; did you mean {meant}=?");
        assert_eq!(near(&format!("{word}=x")), [(Code::ConfigUnknown, text)], "{word}");
        // A word without a value goes to the OS's init.
        assert_eq!(near(word), [], "{word}");
    }
    for words in [
        "mem=2G tsc=reliable rootdev=x boot_delay=5 ide=x io=x ipv6.disable=1 ipx=1 op=1 acpi=off noapic=1 vga=791 lang=de",
        "rd.root=x rd.udev.debug=1 rd.systemd.show_status=1 rd.auto=0 systemd.mask=x ramdisk_size=9 cma=64M land=x bootmem=1",
        "bonding.max_bonds=0 bridge.nf=1 netdev=irq=2 netconsole=@/,@10.0.0.1/ nameif=x bootfs=x bootid=x hostname=a",
    ] {
        assert_eq!(near(words), [], "{words}");
    }
}

#[test]
fn sizes_are_read_as_their_writer_means_them() {
    for (cmdline, expected) in [
        ("rd.live.overlay.size=512", "536870912"),
        ("rd.live.overlay.size=50%", "50%"),
        ("rd.live.overlay.size=2G", "2147483648"),
        ("rd.live.overlay.size=1.5GiB", "1610612736"),
        ("rd.live.overlay.size=0.5", "524288"),
        ("rd.overlay=tmpfs:size=50%", "50%"),
        ("rd.overlay=tmpfs:size=512MiB", "536870912"),
        ("dayfly.root.size=50%", "50%"),
        ("dayfly.root.size=512", "512"),
    ] {
        let facts = Facts::from_cmdline(cmdline);
        let (settings, problems) = gather(&facts);
        assert_eq!(problems, [], "{cmdline}");
        assert_eq!(settings.settings.root_size.unwrap().value.to_string(), expected, "{cmdline}");
    }
    for text in ["2GB", "1,5G", "-1", "1e3", "50 %", "0%", "101%", "18446744073709551615G", "1.", ".5"] {
        let cmdline = format!("rd.live.overlay.size=\"{text}\"");
        let facts = Facts::from_cmdline(cmdline.as_str());
        let (settings, problems) = gather(&facts);
        assert!(settings.root_size.is_none(), "{text}");
        assert!(
            problems[0].text.contains(&format!("\"{text}\"")),
            "the message must quote the text as written: {problems:?}"
        );
    }
}

#[test]
fn the_image_of_fedora_coreos_is_the_image() {
    let facts = Facts::from_cmdline("coreos.live.rootfs_url=http://boot/os.squashfs");
    let (settings, problems) = gather(&facts);
    assert_eq!(problems, []);
    let image = settings.shown().into_iter().find(|row| row.name == "image.url").unwrap();
    assert_eq!(image.value, "http://boot/os.squashfs");
}

#[test]
fn blanks_in_a_url_are_encoded_and_that_is_said() {
    let line = "root=\"live:http://boot/my os.squashfs\" dayfly.settings.url=\"https://boot/a b/${mac}\" \
                dayfly.report=\"http://boot/all boots\"";
    let facts = Facts::from_cmdline(line);
    let (settings, problems) = gather(&facts);
    assert_eq!(problems, []);
    let plan = plan(&settings, &facts.discovered).to_string();
    for words in [
        "fetch http://boot/my%20os.squashfs into memory",
        "The URL contains spaces; it is fetched as http://boot/my%20os.squashfs.",
        "The URL contains spaces; it is fetched as http://boot/all%20boots.",
        "The URL https://boot/a b/${mac} contains spaces; they are sent as %20.",
    ] {
        assert!(plan.contains(words), "{words:?} is not in {plan}");
    }
    for text in ["http://bo ot/os", "http://boot/a\tb", "http://boot :80/os", "http://user:p w@boot/os"] {
        let facts = Facts::from_cmdline(format!("root=\"{text}\""));
        let (settings, problems) = gather(&facts);
        assert!(settings.image.is_none() && problems.len() == 1, "{text}: {problems:?}");
    }
    let facts = Facts::from_cmdline("dayfly.k3s.server=\"https://boot/a b\"");
    let (_, problems) = gather(&facts);
    assert!(problems[0].text.contains("contains a space"), "{problems:?}");
}
