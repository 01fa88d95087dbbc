//! The settings of a node, on the fake machine: files, users, units, sysctls.

mod machine;

use std::path::{Path, PathBuf};

use machine::configured::{boot, file, good, step};
use machine::{End, Machine, Node, ext4};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHd3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3";

#[test]
fn a_node_has_what_its_settings_say() {
    let settings = format!(
        "os.modules = [\"br_netfilter\", \"nf_conntrack\"]
[file.\"/etc/app/app.conf\"]
content = \"hello\\n\"
mode = \"0640\"
owner = \"admin:ssl-cert\"
[file.\"/etc/alternatives/thing\"]
content = \"behind a link\"
[file.\"/run/app/start\"]
content = \"in the run folder\"
[user.admin]
authorized_keys = [\"{KEY} one\", \"{KEY} two\"]
[user.new]
authorized_keys = \"{KEY}\"
[sysctl]
\"net.ipv4.ip_forward\" = 1
[unit.\"thing.service\"]
content = \"[Install]\\nWantedBy=multi-user.target\\n\"
enable = true
[unit.\"masked.service\"]
enable = true
[unit.\"at@two.service\"]
enable = true
[unit.\"on.service\"]
enable = false
"
    );
    let machine = good(&settings, "", |_| {});
    for (path, text, mode, owner) in [
        ("/sysroot/etc/app/app.conf", "hello\n", 0o640, Some((1000, 104))),
        ("/sysroot/usr/share/alternatives/thing", "behind a link", 0o644, None),
        ("/run/app/start", "in the run folder", 0o644, None),
        ("/sysroot/etc/modules-load.d/dayfly.conf", "br_netfilter\nnf_conntrack\n", 0o644, None),
        ("/sysroot/etc/sysctl.d/zz-dayfly.conf", "net.ipv4.ip_forward = 1\n", 0o644, None),
        ("/proc/sys/net/ipv4/ip_forward", "1\n", 0o644, None),
        ("/sysroot/home/admin/.ssh/authorized_keys", " one\nssh-ed25519 ", 0o600, Some((1000, 1001))),
        ("/sysroot/home/new/.ssh/authorized_keys", KEY, 0o600, Some((1002, 1002))),
        ("/sysroot/etc/systemd/system/thing.service", "WantedBy", 0o644, None),
    ] {
        assert!(file(&machine, path).contains(text), "{path}: {}", file(&machine, path));
        let state = machine.state();
        assert_eq!(state.modes[Path::new(path)], mode, "{path}");
        assert_eq!(state.owners.get(Path::new(path)).copied(), owner, "{path}");
    }
    let state = machine.state();
    for (folder, owner) in [("admin/.ssh", (1000, 1001)), ("new", (1002, 1002)), ("new/.ssh", (1002, 1002))] {
        let folder = Path::new("/sysroot/home").join(folder);
        assert_eq!((state.modes[&folder], state.owners[&folder]), (0o700, owner), "{}", folder.display());
    }
    let loaded = |name: &str| format!("/sysroot/usr/lib/modules/6.1.0-fake/kernel/{name}.ko");
    // Including a soft dependency of the last module, which names an alias.
    let os = ["bridge", "br_netfilter", "crc32c_fake", "nf_conntrack"];
    assert_eq!(state.modules[1..], os.map(loaded));
    let units = "/sysroot/etc/systemd/system";
    for (link, target) in [
        ("multi-user.target.wants/thing.service", Some("/etc/systemd/system/thing.service")),
        ("multi-user.target.wants/masked.service", Some("/usr/lib/systemd/system/masked.service")),
        ("sockets.target.wants/with.socket", Some("/usr/lib/systemd/system/with.socket")),
        ("other.socket", Some("/usr/lib/systemd/system/with.socket")),
        ("two.target.requires/at@two.service", Some("/usr/lib/systemd/system/at@.service")),
        ("masked.service", None),
        ("multi-user.target.wants/on.service", None),
    ] {
        let found = state.nodes.get(&Path::new(units).join(link));
        assert_eq!(found, target.map(|target| Node::Symlink(PathBuf::from(target))).as_ref(), "{link}");
    }
}

#[test]
fn secrets_get_where_they_belong_and_nowhere_else() {
    let settings = "version = 1
file.\"/etc/app/token\" = { secret = \"SESAME-OPEN\", owner = \"admin\" }
[user.admin]
password_hash = \"$6$salt$SESAME-HASH\"
";
    let machine = good("", "", |state| state.attach_settings("vdc", "config", settings));
    assert_eq!(file(&machine, "/sysroot/etc/app/token"), "SESAME-OPEN");
    let shadow = "root:*:19000:0:99999:7:::\nadmin:$6$salt$SESAME-HASH:19000:0:99999:7:::\n";
    assert_eq!(file(&machine, "/sysroot/etc/shadow"), shadow);
    let state = machine.state();
    assert_eq!(state.modes[Path::new("/sysroot/etc/app/token")], 0o600);
    assert_eq!(state.owners[Path::new("/sysroot/etc/app/token")], (1000, 1001));
    // Unchanged: a group of the image may read it.
    assert_eq!(state.modes[Path::new("/sysroot/etc/shadow")], 0o640);
    assert_eq!(state.owners[Path::new("/sysroot/etc/shadow")], (0, 42));
    let told: Vec<&PathBuf> = state
        .nodes
        .iter()
        .filter(|(_, node)| matches!(node, Node::File(bytes) if String::from_utf8_lossy(bytes).contains("SESAME")))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(told, [Path::new("/sysroot/etc/app/token"), Path::new("/sysroot/etc/shadow")]);
    assert!(!format!("{:?} {} {:?}", state.log, state.screens, state.calls).contains("SESAME"));
}

#[test]
fn what_the_image_does_not_have_is_named() {
    for (settings, code, words) in [
        (
            "file.\"/etc/a\" = {content = \"\", owner = \"postgres\"}",
            "node.user",
            "the image has no user postgres",
        ),
        ("file.\"/etc/a\".mode = \"0600\"", "config.value", "neither content nor secret"),
        ("file.\"/run/dayfly/boot.json\".content = \"\"", "node.write", "reserved for the boot"),
        (
            &format!("user.alice.authorized_keys = \"{KEY}\""),
            "node.user",
            "the image's /etc/passwd has no user alice",
        ),
        ("unit.\"gone.service\".enable = true", "node.unit", "the image has no unit gone.service"),
        ("unit.\"static.service\".enable = true", "node.unit", "has no [Install] section"),
    ] {
        let (machine, end) = boot(settings, "panic=1", |_| {});
        assert_eq!(end, End::Power(dayfly_sys::Power::Reboot), "{settings}: {:?}", machine.state().log);
        let report = machine.report();
        assert_eq!(report["failure"]["code"], code, "{settings}");
        let wrong = report["failure"]["wrong"].as_str().unwrap();
        assert!(wrong.contains(words), "{settings}: {wrong}");
    }
    // Failures that the OS can still repair do not stop the node.
    let machine = good("os.modules = [\"no_such\", \"br_netfilter\"]", "", |_| {});
    assert_eq!(
        step(&machine, "os-modules"),
        ("tolerated".into(), "neither the image nor the kernel has it".into())
    );
    assert_eq!(machine.state().modules.len(), 3, "the other modules must still be loaded");
    let lacks = |state: &mut machine::State| {
        state.fault = Some(machine::Fault {
            call: "write /proc/sys/net/bridge/x".to_owned(),
            cause: dayfly_sys::Cause::Errno(2),
            times: 1,
        });
    };
    let machine = good("sysctl = {\"net.bridge.x\" = 1, \"kernel.panic\" = 10}", "", lacks);
    assert_eq!(step(&machine, "sysctls").0, "tolerated");
    assert_eq!(file(&machine, "/proc/sys/kernel/panic"), "10\n");
}

/// A user can create a symlink in the persistent home. Files written through it would be written with root's rights.
#[test]
fn no_link_in_a_home_is_followed() {
    let machine = good(&format!("user.admin.authorized_keys = \"{KEY}\""), "", |state| {
        let link = Node::Symlink(PathBuf::from("/etc"));
        state.put(Path::new("/run/dayfly/l/home/admin/.ssh"), link);
    });
    assert!(says(&machine, "/home/admin/.ssh exists and is not a directory [node.write]"));
    assert!(!machine.state().nodes.contains_key(Path::new("/sysroot/etc/authorized_keys")));
}

fn says(machine: &Machine, words: &str) -> bool {
    let state = machine.state();
    let found = state.log.iter().any(|(_, line)| line.contains(words));
    assert!(found, "{words:?} is not in {:#?}", state.log);
    found
}

type Left = Box<dyn Fn(&mut machine::State)>;

/// Regression test: with each of these, the node restarted for ever.
#[test]
fn what_a_user_left_there_is_that_files_failure() {
    let keys = format!("user.admin.authorized_keys = \"{KEY}\"\nfile.\"/etc/a\".content = \"a\"\n");
    let fault = |call: &str, errno: i32| {
        let fault =
            machine::Fault { call: call.to_owned(), cause: dayfly_sys::Cause::Errno(errno), times: 9 };
        move |state: &mut machine::State| state.fault = Some(fault.clone())
    };
    let in_image = |path: &'static str, node: Node| -> Left {
        Box::new(move |state| state.put(&Path::new("/run/dayfly/l").join(path), node.clone()))
    };
    let cases: [(Left, &str); 8] = [
        (
            in_image("home/admin/.ssh", Node::File(Vec::new())),
            "/home/admin/.ssh exists and is not a directory",
        ),
        (in_image("home/admin/.ssh/authorized_keys", Node::Dir), "write ~admin/.ssh/authorized_keys"),
        (in_image("etc/a", Node::Dir), "write /etc/a: "),
        (Box::new(fault("write /sysroot/home/admin/.ssh/authorized_keys", 28)), "No space left on device"),
        (Box::new(fault("make_dir /sysroot/home/admin/.ssh", 30)), "Read-only file system"),
        (in_image("etc/hostname", Node::Dir), "write /etc/hostname: "),
        (Box::new(fault("write /sysroot/etc/machine-id", 28)), "write /etc/machine-id: "),
        (in_image("var/log/dayfly", Node::Symlink(PathBuf::from("/etc"))), "keep"),
    ];
    for (left, words) in cases {
        let machine = good(&keys, "", |state| left(state));
        says(&machine, words);
        let state = machine.state();
        let is_record = |path: &&PathBuf| path.starts_with("/sysroot/etc") && path.ends_with("000001.json");
        assert_eq!(state.nodes.keys().find(is_record), None, "{words}");
    }
}

/// Regression test: with the first of these, the node restarted for ever. With the others, one file made the whole step
/// fail.
#[test]
fn what_a_user_left_there_costs_that_unit_key_or_parameter() {
    let disk = "dayfly.state.device=/dev/vdc";
    let settings = "[unit.\"app.service\"]\ncontent = \"[Install]\\nWantedBy=multi-user.target\\n\"\nenable = true\n\
                    [unit.\"mine.service\"]\nenable = true\n[sysctl]\n\"kernel.panic\" = 10\n";
    let boot = |errno: i32, call: &str| {
        good(settings, disk, |state| {
            with_disk(state);
            let left = Node::File(b"[Service]\nExecStart=/bin/true\n".to_vec());
            state.put(Path::new("/run/dayfly/state/usr-local/lib/systemd/system/mine.service"), left);
            state.put(&Path::new(KEPT).join("ssh_host_ed25519_key"), Node::File(b"broken".to_vec()));
            let cause = dayfly_sys::Cause::Errno(errno);
            state.fault = Some(machine::Fault { call: call.to_owned(), cause, times: 9 });
        })
    };
    let unit = "/sysroot/etc/systemd/system/app.service";
    let machine = boot(28, &format!("write {unit}"));
    says(
        &machine,
        "enable the unit app.service: write /sysroot/etc/systemd/system/app.service: No space left on device",
    );
    says(
        &machine,
        "enable the unit mine.service: /usr/local/lib/systemd/system/mine.service has no [Install] section",
    );
    assert_eq!(step(&machine, "units"), ("done".into(), "2 units, 2 failed".into()));

    let machine = boot(28, "write /run/dayfly/state/.dayfly/ssh.new/ssh_host_ed25519_key");
    says(&machine, "store the ssh host keys on the state disk: write");
    assert_eq!(step(&machine, "host-keys").0, "done");
    assert!(file(&machine, ED25519).contains("PRIVATE KEY"), "the node must still have keys");

    let machine = boot(5, &format!("read {KEPT}/ssh_host_ed25519_key"));
    says(&machine, "generating new host keys instead of those on the state disk");
    assert_eq!(file(&machine, ED25519), file(&machine, &format!("{KEPT}/ssh_host_ed25519_key")));

    let machine = boot(30, "write /sysroot/etc/sysctl.d/zz-dayfly.conf");
    assert_eq!(step(&machine, "sysctls").0, "tolerated");
    assert_eq!(
        file(&machine, "/proc/sys/kernel/panic"),
        "10\n",
        "setting the value now must not need the file"
    );
}

/// Adds OpenRC to the image, for boots with its init.
fn openrc(state: &mut machine::State) {
    for (path, node) in [
        ("sbin/openrc-init", Node::File(Vec::new())),
        ("etc/init.d/cron", Node::File(Vec::new())),
        ("etc/init.d/udev", Node::File(Vec::new())),
        ("etc/runlevels/default/cron", Node::Symlink(PathBuf::from("/etc/init.d/cron"))),
        ("etc/runlevels/sysinit/udev", Node::Symlink(PathBuf::from("/etc/init.d/udev"))),
    ] {
        state.put(&Path::new("/run/dayfly/l").join(path), node);
    }
}

#[test]
fn services_of_openrc_are_put_into_runlevels() {
    let settings = "file.\"/etc/init.d/thing\" = {content = \"#!/sbin/openrc-run\", mode = \"0755\"}
unit.\"thing.service\".enable = true
unit.\"udev.service\".enable = true
unit.\"cron.service\".enable = false
";
    let init = "dayfly.init=/sbin/openrc-init panic=1";
    let (machine, end) = boot(settings, init, openrc);
    assert_eq!(end, End::Exec("/sbin/openrc-init".to_owned()), "{:?}", machine.state().log);
    let state = machine.state();
    for (link, target) in [
        ("default/thing", Some("/etc/init.d/thing")),
        ("sysinit/udev", Some("/etc/init.d/udev")),
        ("default/udev", None),
        ("default/cron", None),
    ] {
        let found = state.nodes.get(&Path::new("/sysroot/etc/runlevels").join(link));
        assert_eq!(found, target.map(|target| Node::Symlink(PathBuf::from(target))).as_ref(), "{link}");
    }
    drop(state);
    for (settings, words) in [
        ("unit.\"gone.service\".enable = true", "the image has no /etc/init.d/gone"),
        ("unit.\"thing.timer\".enable = true", "has only services, no thing.timer"),
        ("unit.\"thing.service\".content = \"[Unit]\"", "with file.\"/etc/init.d/thing\""),
    ] {
        let (machine, end) = boot(settings, init, openrc);
        assert_eq!(end, End::Power(dayfly_sys::Power::Reboot), "{settings}: {:?}", machine.state().log);
        let report = machine.report();
        assert_eq!(report["failure"]["code"], "node.unit", "{settings}");
        assert!(report["failure"]["wrong"].as_str().unwrap().contains(words), "{settings}: {report:#}");
    }
}

const ED25519: &str = "/sysroot/etc/ssh/ssh_host_ed25519_key";
const KEPT: &str = "/run/dayfly/state/.dayfly/ssh";

fn with_disk(state: &mut machine::State) {
    state.disks.insert(PathBuf::from("/dev/vdc"), ext4("mine"));
    state.put(Path::new("/dev/vdc"), Node::Block);
}
