//! Settings from every source, on the fake machine: which one takes precedence, what is logged, and what is left
//! behind.

mod machine;

use std::path::Path;
use std::sync::Arc;

use dayfly_formats::mac::Mac;
use dayfly_plan::{Credential, Fact, Facts, Secret, Source, Store, plan, settings};
use dayfly_sys::{Cause, Power};
use machine::{End, Fault, Machine, Node, State, link, sha256, squashfs};
use serde_json::Value;

const IMAGE: &str = "root=live:http://10.0.2.2/os.squashfs ip=dhcp rd.retry=20";
/// Three strings of type 11: the host name `worker7`, an empty settings file, and other text.
const SMBIOS: &[u8] = include_bytes!("../formats/src/smbios/qemu-2.8.dmi");

fn start(cmdline: &str, prepare: impl FnOnce(&mut State)) -> Arc<Machine> {
    let machine = Machine::new(cmdline);
    prepare(&mut machine.state());
    machine
}

/// Boots to the OS's init, and returns boot.json.
fn boots(cmdline: &str, prepare: impl FnOnce(&mut State)) -> (Arc<Machine>, Value) {
    let machine = start(cmdline, prepare);
    let end = machine.boot();
    assert_eq!(end, End::Exec("/sbin/init".to_owned()), "{:#?}", machine.state().log);
    let report = machine.report();
    (machine, report)
}

/// Boots to the failure screen, which must have this code and this text.
fn fails(cmdline: &str, code: &str, words: &str, prepare: impl FnOnce(&mut State)) -> Arc<Machine> {
    let machine = start(cmdline, prepare);
    assert_eq!(machine.boot(), End::Power(Power::Reboot), "{code}: {:#?}", machine.state().log);
    let flat = machine.state().screens.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains(&format!("Code: {code} ")), "{code}: {flat}");
    assert!(flat.contains(words), "{code}: {words:?} is not in {flat}");
    machine
}

fn put(state: &mut State, path: &str, text: &str) {
    state.put(Path::new(path), Node::File(text.as_bytes().to_vec()));
}

/// The value and the source of a setting in boot.json.
fn setting(report: &Value, name: &str) -> (String, String) {
    let row = report["settings"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap();
    (row["value"].as_str().unwrap().to_owned(), row["source"].as_str().unwrap().to_owned())
}

fn outcomes(report: &Value, step: &str) -> Vec<String> {
    let steps = report["steps"].as_array().unwrap().iter().filter(|row| row["step"] == step);
    steps.map(|row| row["outcome"].as_str().unwrap().to_owned()).collect()
}

/// Every text that the node stores, shows or sends.
fn traces(machine: &Machine) -> String {
    let state = machine.state();
    let mut text = state.screens.clone();
    for (_, line) in &state.log {
        text.push_str(line);
    }
    for (path, node) in &state.nodes {
        if let Node::File(bytes) = node {
            text.extend([path.display().to_string().as_str(), &String::from_utf8_lossy(bytes)]);
        }
    }
    text
}

/// A settings file that sets the key with the index `first`, and the keys of all sources with a lower priority.
fn file(first: usize, value: &str) -> String {
    let keys =
        ["root.size", "kubelet.program", "init", "state.device", "image.stall", "image.connect", "image.dir"];
    let lines: Vec<String> = keys[..=first]
        .iter()
        .enumerate()
        .map(|(index, key)| match index {
            0 => format!("{key} = \"{}M\"", value.len() + 100),
            1 => format!("{key} = \"/{value}\""),
            2 => format!("{key} = \"/sbin/init\""),
            3 => format!("{key} = \"LABEL=state\""),
            4 | 5 => format!("{key} = {}", value.len() + 10),
            _ => format!("{key} = \"{value}\""),
        })
        .collect();
    format!("version = 1\n# t0ken-of-{value}\n{}\n", lines.join("\n"))
}

#[test]
fn a_later_place_wins_and_explain_shows_the_same_plan() {
    let url = "http://10.0.2.2/nodes/52:54:00:12:34:02/SN-0042.toml";
    let cmdline = format!(
        "{IMAGE} dayfly.settings.url=http://10.0.2.2/nodes/${{mac}}/${{serial}}.toml dayfly.image.dir=cmdline dayfly.image.sha256={}",
        sha256(&squashfs(3 << 20))
    );
    let files = [
        (Source::Image, file(1, "image")),
        (Source::Initramfs, format!("{}settings.trust = \"any\"\n", file(2, "initramfs"))),
        (Source::Url { secure: false }, file(4, "url").replace("state.device = \"LABEL=state\"\n", "")),
        (Source::Config, file(5, "config").replace("state.device = \"LABEL=state\"\n", "")),
    ];
    let fw_cfg =
        [("dayfly.image.dir", "fw_cfg"), ("dayfly.image.connect", "33\n"), ("ssh.authorized_keys.root", "x")];
    let (machine, report) = boots(&cmdline, |state| {
        put(state, "/run/dayfly/l/usr/lib/dayfly/settings.toml", &files[0].1);
        put(state, "/etc/dayfly.toml", &files[1].1);
        state.pages.insert(url.to_owned(), files[2].1.clone().into_bytes());
        state.attach_settings("vdc", "config", &files[3].1);
        state.put(Path::new("/sys/firmware/dmi/tables/DMI"), Node::File(SMBIOS.to_vec()));
        state.hand_in(&fw_cfg);
    });
    let problems = report["problems"].as_array().unwrap();
    assert!(problems.is_empty(), "{problems:#?}");
    for (name, value, source) in [
        ("root.size", "111149056", "/config"),
        ("kubelet.program", "/config", "/config"),
        ("image.stall", "16", "/config"),
        ("image.connect", "33", "fw_cfg dayfly.image.connect"),
        ("image.dir", "cmdline", "cmdline dayfly.image.dir="),
        ("hostname", "worker7", "smbios dayfly.hostname"),
    ] {
        assert_eq!(setting(&report, name), (value.to_owned(), source.to_owned()), "{name}");
    }
    // Each source was read, and its own setting is effective.
    for step in ["credentials", "config", "settings", "defaults"] {
        assert_eq!(outcomes(&report, step), ["done"], "{step}");
    }

    let mut facts = Facts::from_cmdline(&*cmdline);
    assert_eq!(facts.learn_smbios(SMBIOS, None), [""; 0]);
    for (name, value) in &fw_cfg[..2] {
        let credential = Credential { name: (*name).to_owned(), value: Secret::new(*value) };
        facts.learn(Fact::Credential(Store::FwCfg, credential));
    }
    for (source, text) in files {
        facts = facts.with_settings(source, text);
    }
    let (settings, _) = settings::gather(&facts);
    assert_eq!(report["plan"], serde_json::to_value(plan(&settings, &facts.discovered).rows()).unwrap());

    // The settings disk was read before the network was configured, and is unmounted.
    let state = machine.state();
    let at = |call: &str| state.calls.iter().position(|made| made.starts_with(call)).unwrap();
    assert!(at("mount ext4 /run/dayfly/config/disk") < at("read /run/dayfly/config/disk/dayfly.toml"));
    assert!(at("read /run/dayfly/config/disk/dayfly.toml") < at("mount unmount /run/dayfly/config/disk"));
    assert!(at("remove_tree /run/dayfly/config") < at("packet_port"));
    assert!(!state.nodes.keys().any(|path| path.starts_with("/run/dayfly/config")));
    drop(state);
    // Other text in a settings file must not appear anywhere.
    machine.state().nodes.retain(|path, _| {
        let is_source = path.ends_with("settings.toml") || path.ends_with("dayfly.toml");
        !is_source && !path.starts_with("/proc")
    });
    assert!(!traces(&machine).contains("t0ken"));
}

#[test]
fn an_image_may_be_named_by_any_place() {
    let name = "version = 1\nimage.url = \"http://10.0.2.2/os.squashfs\"\n";
    let (_, report) = boots("rd.retry=20", |state| state.attach_settings("vdc", "config", name));
    assert_eq!(setting(&report, "image.url").1, "/config");
    let (_, report) = boots("rd.retry=20 dayfly.config.device=none", |state| {
        state.hand_in(&[("dayfly.toml", name)]);
    });
    assert_eq!(setting(&report, "image.url").1, "fw_cfg dayfly.toml");
    assert!(outcomes(&report, "config").is_empty());
    let (_, report) = boots("rd.retry=20 dayfly.settings.url=http://10.0.2.2/${hostname}", |state| {
        put(state, "/etc/dayfly.toml", "version = 1\nsettings.trust = \"any\"\n");
        state.pages.insert("http://10.0.2.2/worker7".to_owned(), name.as_bytes().to_vec());
    });
    assert_eq!(
        setting(&report, "image.url"),
        ("http://10.0.2.2/os.squashfs".to_owned(), "url (no TLS)".to_owned())
    );

    let nobody = "neither root= on the kernel command line nor image.url in any settings that were read";
    fails("quiet", "config.no-image", nobody, |_| {});
    fails("dayfly.settings.url=http://10.0.2.2/x", "config.no-image", nobody, |state| {
        state.pages.insert("http://10.0.2.2/x".to_owned(), b"version = 1\n".to_vec());
    });
}

#[test]
fn a_settings_disk_that_was_asked_for_is_a_must() {
    let wanted = format!("{IMAGE} dayfly.config.device=LABEL=mine dayfly.config.wait=2");
    let text = "version = 1\nhostname = \"from-disk\"\n";
    let (_, report) = boots(&wanted, |state| state.attach_settings("vdc", "mine", text));
    assert_eq!(setting(&report, "hostname"), ("from-disk".to_owned(), "/config".to_owned()));

    fails(&wanted, "devices.not-found", "it did not appear within 2 s", |_| {});
    fails(&wanted, "config.disk", "it has no such file", |state| {
        state.attach_settings("vdc", "mine", text);
        state.settings.clear();
    });
    fails(&wanted, "config.disk", "it has swap;", |state| {
        state.attach_settings("vdc", "mine", text);
        // A swap area with that label cannot contain a file.
        let disk = state.disks.get_mut(Path::new("/dev/vdc")).unwrap();
        let mut swap = vec![0; 8192];
        swap[4086..4096].copy_from_slice(b"SWAPSPACE2");
        swap[1024..1028].copy_from_slice(&1_u32.to_le_bytes());
        swap[1052..1056].copy_from_slice(b"mine");
        *disk = swap;
    });
}

#[test]
fn a_disk_that_nobody_asked_for_stops_no_boot() {
    let text = "version = 1\nhostname = \"from-disk\"\n";
    let not_used = |prepare: &dyn Fn(&mut State)| {
        let (machine, report) = boots(IMAGE, |state| prepare(state));
        assert_eq!(setting(&report, "hostname").1, "default");
        assert!(!machine.state().nodes.keys().any(|path| path.starts_with("/run/dayfly/config")));
        let log = machine.state().log.clone();
        log.into_iter().filter(|(level, _)| *level <= 4).map(|(_, line)| line).collect::<Vec<_>>().join("\n")
    };
    let said = not_used(&|state: &mut State| {
        state.attach_settings("vdc", "config", text);
        state.settings.clear();
    });
    assert!(said.contains("it has no such file; it is not used"), "{said}");
    let said = not_used(&|state: &mut State| {
        state.attach_settings("vdc", "config", text);
        state.attach_settings("vdd", "config", text);
    });
    assert!(said.contains("2 disks match that name: /dev/vdc, /dev/vdd"), "{said}");
    let said = not_used(&|state: &mut State| {
        state.attach_settings("vdc", "config", text);
        state.fault = Some(Fault {
            call: "mount ext4 /run/dayfly/config/disk".to_owned(),
            cause: Cause::Errno(22),
            times: 1,
        });
    });
    assert!(said.contains("mount the settings disk LABEL=config (/dev/vdc)"), "{said}");
    // The same for a file that is too large or cannot be read; the problem is logged.
    let said = not_used(&|state: &mut State| {
        state.attach_settings("vdc", "config", &format!("version = 1\n#{}", "x".repeat(1 << 20)));
    });
    assert!(said.contains("it has more than 1048576 bytes"), "{said}");
}

#[test]
fn a_settings_file_of_the_initramfs_that_cannot_be_used_refuses_the_boot() {
    let file = |bytes: &[u8]| {
        let file = Node::File(bytes.to_vec());
        move |state: &mut State| state.put(Path::new("/etc/dayfly.toml"), file)
    };
    let tried = "read the settings file /etc/dayfly.toml";
    let large = [b"version = 1\n".as_slice(), &vec![b'#'; 1 << 20]].concat();
    for (bytes, words) in [
        (large.as_slice(), "it has more than 1048576 bytes"),
        (b"version = 1\n\xff", "it is not UTF-8 text, at byte 12"),
    ] {
        let machine = fails(IMAGE, "config.file", words, file(bytes));
        assert!(traces(&machine).contains(tried), "{words}");
        assert!(!machine.state().calls.iter().any(|call| call.starts_with("packet_port")));
    }
    fails(IMAGE, "config.file", "Input/output error", |state| {
        file(b"version = 1\n")(state);
        let call = "read /etc/dayfly.toml".to_owned();
        state.fault = Some(Fault { call, cause: Cause::Errno(5), times: 1 });
    });
}

#[test]
fn a_settings_file_with_a_mistake_refuses_the_boot() {
    fails(IMAGE, "config.file", "The settings file is not TOML: line 3", |state| {
        state.attach_settings("vdc", "config", "version = 1\nhostname = \"x\"\nt0ken = = 5\n");
    });
    let machine = fails(IMAGE, "config.value", "(from /config)", |state| {
        state.attach_settings("vdc", "config", "version = 1\nretry = \"soon\"\n");
    });
    assert!(!machine.state().calls.iter().any(|call| call.starts_with("packet_port")));
}

#[test]
fn the_settings_url_is_tried_for_its_time() {
    let cmdline = format!("{IMAGE} dayfly.settings.url=http://10.0.2.2/n dayfly.settings.wait=12");
    let url = "http://10.0.2.2/n";
    let page = |text: &[u8]| {
        let text = text.to_vec();
        move |state: &mut State| drop(state.pages.insert(url.to_owned(), text))
    };
    let lost = |times| Fault { call: format!("open_url {url}"), cause: Cause::Connect, times };
    // A short stall of the machine must not use up its time, because this clock runs many times as fast as the host's.
    let long = format!("{cmdline} dayfly.settings.wait=120");
    let (_, report) = boots(&long, |state| {
        page(b"version = 1\nkubelet.labels = [\"rack=r1\"]\n")(state);
        state.fault = Some(lost(2));
    });
    assert_eq!(outcomes(&report, "settings"), ["retried", "retried", "done"]);
    assert_eq!(setting(&report, "kubelet.labels").1, "url (no TLS)");

    fails(&cmdline, "config.fetch", "GET http://10.0.2.2/n", |state| state.fault = Some(lost(99)));
    fails(&cmdline, "config.answer", "the server answered HTTP 404 as told", |state| state.status = 404);
    fails(&cmdline, "config.file", "it is not UTF-8 text, at byte 12", page(b"version = 1\n\xff"));
    fails(&cmdline, "config.file", "it has more than 1048576 bytes", page(&vec![b'#'; 2 << 20]));
    fails(&cmdline, "config.file", "has no version", page(b"<html>"[..0].as_ref()));
    let no_serial = format!("{IMAGE} dayfly.settings.url=http://10.0.2.2/${{serial}}");
    fails(&no_serial, "config.url", "this machine has no value for ${serial}", |_| {});

    let optional = format!("{cmdline} dayfly.settings.required=no");
    let (_, report) = boots(&optional, |state| state.fault = Some(lost(99)));
    assert_eq!(outcomes(&report, "settings"), ["tolerated"]);
    assert_eq!(outcomes(&report, "fetch"), ["done"]);
}

#[test]
fn rules_see_the_machine() {
    let text = "version = 1\n[[match]]\nwhen.mac = \"52:54:00:12:34:03\"\nkubelet.enabled = true\n\
        [[match]]\nwhen.mac = \"00:00:00:00:00:01\"\nkubelet.program = \"/never\"\n\
        [[match]]\nwhen.hostname = \"worker?\"\nroot.size = \"5M\"\n";
    let (_, report) = boots(IMAGE, |state| {
        put(state, "/etc/dayfly.toml", text);
        state.links.push(link(3, "eth1"));
    });
    assert_eq!(setting(&report, "kubelet.enabled"), ("yes".to_owned(), "initramfs, match 1".to_owned()));
    assert_eq!(setting(&report, "kubelet.program").1, "default");
    assert_eq!(setting(&report, "root.size").1, "initramfs, match 3");
    for step in ["links", "name", "kubelet"] {
        assert_eq!(outcomes(&report, step), ["done"], "{step}");
    }
    let mut facts = Facts::from_cmdline(IMAGE).with_file(text);
    facts.learn(Fact::Macs(vec![Mac([0x52, 0x54, 0, 0x12, 0x34, 3])]));
    facts.learn(Fact::NetworkName("worker7".parse().unwrap()));
    let shown = plan(&settings::gather(&facts).0, &facts.discovered);
    assert_eq!(report["plan"], serde_json::to_value(shown.rows()).unwrap());

    // Rules of the image have the lowest priority, but are still evaluated.
    let (_, report) = boots(IMAGE, |state| put(state, "/run/dayfly/l/usr/lib/dayfly/settings.toml", text));
    assert_eq!(setting(&report, "root.size").1, "image, match 3");
    assert_eq!(setting(&report, "kubelet.enabled").1, "default");
    for step in ["links", "name"] {
        assert_eq!(outcomes(&report, step), ["done"], "{step}");
    }
}
