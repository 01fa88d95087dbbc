//! Whole boots on the fake machine: the successful boot, and each failure. Needs no root and takes no real time.

mod machine;

use std::path::{Path, PathBuf};
use std::time::Duration;

use dayfly_init::trees::IMAGE;
use dayfly_plan::Way;
use dayfly_sys::Power;
use machine::configured::file;
use machine::{End, Machine, Node, firmware, link, sha256, squashfs};

const URL: &str = "root=live:http://10.0.2.2/os.squashfs ip=dhcp";

fn good_cmdline() -> String {
    format!("{URL} rd.retry=20 dayfly.image.sha256={} dayfly.kubelet.enabled", sha256(&squashfs(3 << 20)))
}

#[test]
fn a_boot_ends_in_the_init_of_the_image() {
    let machine = Machine::new(&good_cmdline());
    assert_eq!(machine.boot(), End::Exec("/sbin/init".to_owned()), "{:?}", machine.state().log);

    let report = machine.report();
    assert_eq!(report["outcome"], "handover");
    assert_eq!(report["problems"].as_array().unwrap().len(), 0, "{report:#}");
    let steps: Vec<(&str, &str)> = report["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| (step["step"].as_str().unwrap(), step["outcome"].as_str().unwrap()))
        .collect();
    assert!(steps.iter().all(|(_, outcome)| *outcome == "done"), "{report:#}");
    assert_eq!(steps.len(), report["plan"].as_array().unwrap().len());
    let fetch = report["steps"].as_array().unwrap().iter().find(|step| step["step"] == "fetch").unwrap();
    assert_eq!(fetch["bytes"], 3 << 20);
    let sources = report["settings"].as_array().unwrap();
    assert!(sources.iter().any(|row| row["name"] == "image.url" && row["source"] == "cmdline root="));

    assert_eq!(file(&machine, "/sysroot/etc/hostname"), "worker7\n");
    assert!(file(&machine, "/sysroot/etc/hosts").contains("10.0.2.15 worker7"));
    assert!(file(&machine, "/etc/resolv.conf").contains("nameserver 10.0.2.3"));
    assert_eq!(file(&machine, "/sysroot/etc/machine-id").trim().len(), 32);
    assert!(file(&machine, "/run/dayfly/boot.log").contains("machine-id from firmware UUID"));
    assert!(
        file(&machine, "/sysroot/etc/systemd/system/kubelet.service").contains("ExecStart=/usr/bin/kubelet")
    );
    assert!(file(&machine, "/run/dayfly/boot.log").contains("exec: done"));
    let state = machine.state();
    assert_eq!(
        state.nodes.get(Path::new("/sysroot/etc/systemd/system/multi-user.target.wants/kubelet.service")),
        Some(&Node::Symlink(PathBuf::from("../kubelet.service")))
    );
    for fact in ["/proc/cmdline", firmware::TABLE] {
        let reads = state.calls.iter().filter(|call| **call == format!("read {fact}")).count();
        assert_eq!(reads, 1, "{fact} must be read only once, and all steps share the result");
    }
    assert_eq!(state.modules, ["/lib/modules/6.1.0-fake/kernel/virtio_net.ko"]);
    assert_eq!(state.epoch, 1_700_000_000, "a clock in 1970 is set to the build's time");
    assert_eq!(state.hostname.as_deref(), Some("worker7"));
    assert_eq!(
        state.mounts,
        [
            "squashfs /run/dayfly/l",
            "tmpfs /run/dayfly/rw",
            "overlay /sysroot",
            "bind /run/dayfly/o",
            "tmpfs /sysroot/home",
            "tmpfs /sysroot/opt",
            "bind read-only /sysroot/usr",
            "tmpfs /sysroot/usr/local",
            "tmpfs /sysroot/var",
            "bind /sysroot/var/lib/dpkg",
            "unmount /run/dayfly/o",
            "cgroup2 /sys/fs/cgroup",
            "unmount /sys/fs/cgroup",
            "shared /",
        ]
    );
    assert_eq!(state.screens, "");
}

#[test]
fn settings_of_the_image_change_what_has_not_begun() {
    let cmdline = format!("{URL} dayfly.image.sha256={}", sha256(&squashfs(3 << 20)));
    let machine = Machine::new(&cmdline);
    let text = "version = 1\nretry = 9\nkubelet.enabled = true\nlayout.\"/srv\" = \"tmpfs\"\n";
    let file = Path::new("/run/dayfly/l/usr/lib/dayfly/settings.toml");
    machine.state().nodes.insert(file.to_owned(), Node::File(text.as_bytes().to_vec()));
    assert_eq!(machine.boot(), End::Exec("/sbin/init".to_owned()), "{:?}", machine.state().log);

    let report = machine.report();
    let ran = report["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap());
    assert_eq!(ran.filter(|step| *step == "kubelet").count(), 1, "{report:#}");
    assert!(machine.state().mounts.contains(&"tmpfs /sysroot/srv".to_owned()));
    let row = |name: &str| {
        report["settings"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap().clone()
    };
    assert_eq!(row("kubelet.enabled")["source"], "image");
    assert_eq!(row("retry")["source"], "default");
    let problems = report["problems"].as_array().unwrap();
    assert_eq!((problems.len(), &problems[0]["code"]), (1, &"config.too-late".into()), "{problems:?}");
    let facts = dayfly_plan::Facts::from_cmdline(cmdline).with_settings(dayfly_plan::Source::Image, text);
    let plan = dayfly_plan::plan(&dayfly_plan::settings::gather(&facts).0, &facts.discovered);
    assert_eq!(
        report["plan"],
        serde_json::to_value(plan.rows()).unwrap(),
        "`explain` must show the plan that ran"
    );
}

#[test]
fn a_git_script_is_staged() {
    let machine = Machine::new(&format!("{} my.git=https://git.example/node.git", good_cmdline()));
    machine.state().put(&Path::new(IMAGE.root()).join("usr/bin/git"), Node::File(Vec::new()));
    assert_eq!(machine.boot(), End::Exec("/sbin/init".to_owned()), "{:?}", machine.state().log);
    assert!(
        file(&machine, "/sysroot/etc/dayfly/scripts/node.conf")
            .contains("\nurl='https://git.example/node.git'\n")
    );
    assert!(file(&machine, "/sysroot/etc/dayfly/scripts/run").starts_with("#!/bin/sh\n"));
    assert!(
        file(&machine, "/sysroot/etc/systemd/system/dayfly-git-node.timer").contains("OnUnitInactiveSec=300")
    );
    let link = Path::new("/sysroot/etc/systemd/system/timers.target.wants/dayfly-git-node.timer");
    assert_eq!(
        machine.state().nodes.get(link),
        Some(&Node::Symlink(PathBuf::from("../dayfly-git-node.timer")))
    );
}

/// Boots and expects the failure screen with this code. Returns everything that was shown.
fn fails_with(cmdline: &str, code: &str, words: &str, prepare: impl FnOnce(&mut machine::State)) -> String {
    let machine = Machine::new(cmdline);
    prepare(&mut machine.state());
    assert_eq!(machine.boot(), End::Power(Power::Reboot), "{code}: {:?}", machine.state().log);
    let screens = machine.state().screens.clone();
    let flat = screens.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains(&format!("Code: {code} ")), "{code}: {screens}");
    assert!(flat.contains(words), "{code}: {words:?} is not in {screens}");
    let report = machine.report();
    assert_eq!(report["outcome"], "failed", "{code}");
    assert_eq!(report["failure"]["code"], code);
    let state = machine.state();
    assert!(
        !state.mounts.iter().any(|mount| mount == "shared /"),
        "{code}: the root was entered in spite of the failure"
    );
    screens
}

#[test]
fn each_failure_says_what_went_wrong() {
    let good = good_cmdline();
    fails_with("quiet", "config.no-image", "neither root= on the kernel command line", |_| {});
    fails_with("root=live:ftp://boot/os", "config.value", "only http and https can be fetched", |_| {});
    fails_with(&good, "image.hash-mismatch", "the image has SHA-256", |state| state.served[1 << 20] ^= 1);
    fails_with(&good, "image.http-status", "the server answered HTTP 404 as told", |state| {
        state.status = 404;
    });
    fails_with(&good, "image.cut", "the connection was closed", |state| state.cut = Some(1 << 20));
    fails_with(&good, "image.cut", "of 4194304 bytes arrived", |state| state.length = Some(4 << 20));
    fails_with(
        &good,
        "image.too-large",
        "the image needs 3 MiB and the boot 64 MiB in addition, but only 60 of 2048 MiB",
        |state| {
            state.memory.available = 60 << 20;
        },
    );
    fails_with(&good, "net.no-link", "there is no network interface", |state| state.links.truncate(1));
    let lacking = "without a driver: load the module virtio_net: load_module";
    fails_with(&good, "net.no-link", lacking, |state| {
        state.links.truncate(1);
        state.fault = Some(machine::Fault {
            call: "load_module /lib/modules/6.1.0-fake/kernel/virtio_net.ko".to_owned(),
            cause: dayfly_sys::Cause::Unsupported,
            times: 9,
        });
    });
    fails_with(&good, "net.no-lease", "eth0: sent", |state| state.dhcp = false);
    fails_with(URL, "image.format", "it is a web page", |state| {
        state.served = b"<html>not found</html>".to_vec();
        state.length = None;
    });
    fails_with(URL, "image.format", "it is truncated", |state| {
        state.served.truncate(1 << 20);
        state.length = Some(1 << 20);
    });
    fails_with(
        &format!("{good} init=/sbin/nothing"),
        "handover.no-init",
        "the image has none of /sbin/nothing",
        |_| {},
    );
    fails_with(
        "root=live:LABEL=images rd.timeout=2",
        "devices.not-found",
        "it did not appear within 2 s; available: no disks",
        |_| {},
    );
    let state = format!("{good} rd.timeout=3 dayfly.state.device=LABEL=state");
    fails_with(&state, "devices.not-found", "it did not appear within 3 s", |_| {});
    fails_with("root=/dev/vdb", "image.format", "it is only zeros at its start", |state| {
        state.disks.insert(PathBuf::from("/dev/vdb"), vec![0; 4096]);
        state.put(Path::new("/dev/vdb"), Node::Block);
    });
}

/// Regression test: the runner had no deadline for the transfer, so such a boot hung for ever.
#[test]
fn a_transfer_that_hangs_is_given_up_by_the_runner() {
    let cmdline = good_cmdline() + " dayfly.image.stall=5 dayfly.image.connect=5 dayfly.retry=20";
    fails_with(&cmdline, "step.deadline", "it made no progress for", |state| {
        state.hangs = true;
        state.length = Some(4 << 20);
    });
}

#[test]
fn a_server_that_comes_back_is_enough() {
    let machine = Machine::new(&good_cmdline());
    machine.state().fault = Some(machine::Fault {
        call: "open_url http://10.0.2.2/os.squashfs".to_owned(),
        cause: dayfly_sys::Cause::Connect,
        times: 2,
    });
    assert_eq!(machine.boot(), End::Exec("/sbin/init".to_owned()));
    let report = machine.report();
    let outcomes: Vec<&str> = report["steps"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|step| step["step"] == "fetch")
        .map(|step| step["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, ["retried", "retried", "done"]);
}

#[test]
fn an_image_on_a_disk_needs_no_network() {
    let image = squashfs(1 << 20);
    let machine = Machine::new(&format!("root=/dev/vdb dayfly.image.sha256={}", sha256(&image)));
    {
        let mut state = machine.state();
        // A disk is larger than its file system.
        state.disks.insert(PathBuf::from("/dev/vdb"), [image, vec![0; 1 << 20]].concat());
        state.put(Path::new("/dev/vdb"), Node::Block);
    }
    assert_eq!(machine.boot(), End::Exec("/sbin/init".to_owned()), "{:?}", machine.state().log);
    assert!(!machine.state().calls.iter().any(|call| call.starts_with("packet_port")));
    assert_eq!(machine.state().requests, 0);
}

#[test]
fn an_image_in_the_initramfs_needs_neither() {
    let image = squashfs(1 << 20);
    let machine = Machine::new(&format!("root=live:/os.img dayfly.image.sha256={}", sha256(&image)));
    machine.state().put(Path::new("/os.img"), Node::File(image));
    assert_eq!(machine.boot(), End::Exec("/sbin/init".to_owned()), "{:?}", machine.state().log);
    fails_with("root=live:/os.img", "image.format", "the initramfs has no such file", |_| {});
}

#[test]
fn a_tampered_disk_is_refused() {
    let mut image = squashfs(1 << 20);
    let cmdline = format!("root=/dev/vdb dayfly.image.sha256={}", sha256(&image));
    image[70_000] ^= 1;
    fails_with(&cmdline, "image.hash-mismatch", "expected ", |state| {
        state.disks.insert(PathBuf::from("/dev/vdb"), image);
        state.put(Path::new("/dev/vdb"), Node::Block);
    });
}

#[test]
fn the_policy_after_a_failure_is_what_was_asked_for() {
    for (cmdline, end, seconds) in [
        ("rd.emergency=poweroff", End::Power(Power::PowerOff), 10),
        ("rd.emergency=halt panic=-1", End::Power(Power::Halt), 0),
        ("panic=5", End::Power(Power::Reboot), 5),
    ] {
        let machine = Machine::new(cmdline);
        assert_eq!(machine.boot(), end, "{cmdline}");
        assert_eq!(machine.took(), Duration::from_secs(seconds), "{cmdline}");
    }
    // panic=0 waits: it does not end the machine, and it repeats the message.
    let machine = Machine::new("panic=0");
    assert_eq!(machine.boot(), End::Hung);
    let state = machine.state();
    assert!(state.screens.contains("the machine waits. Press Ctrl-Alt-Del"));
    let reminders = state.log.iter().filter(|(_, line)| line.contains("still waiting after config.no-image"));
    assert_eq!(reminders.count() as u64, machine.took().as_secs() / 60, "one a minute");
}

#[test]
fn a_shell_opens_only_where_there_is_one_and_it_was_asked_for() {
    for (shell, cmdline, runs) in
        [(true, "rd.shell", true), (true, "quiet", false), (false, "rd.shell", false)]
    {
        let machine = Machine::new(cmdline);
        if shell {
            machine.state().put(Path::new("/bin/busybox"), Node::File(Vec::new()));
        }
        assert_eq!(machine.boot(), End::Power(Power::Reboot));
        assert_eq!(machine.state().calls.iter().any(|call| call == "run /bin/busybox"), runs, "{cmdline}");
    }
}

#[test]
fn a_dead_second_nic_does_not_hold_the_boot_up() {
    let machine = Machine::new(&good_cmdline());
    // eth0 never has a carrier, although its driver reports success.
    machine.state().links = vec![link(3, "eth1"), link(2, "eth0")];
    machine.state().fault = Some(machine::Fault {
        call: "change_link 2 up".to_owned(),
        cause: dayfly_sys::Cause::Errno(5),
        times: 99,
    });
    assert_eq!(machine.boot(), End::Exec("/sbin/init".to_owned()));
    assert!(machine.took() < Duration::from_secs(1), "{:?}", machine.took());
}

#[test]
fn the_oss_init_gets_what_the_kernel_handed_to_this_one() {
    for (way, argv, cmdline, expected) in [
        (
            Way::Initramfs,
            &b"/init\0single\0splash\0x y\0"[..],
            "single splash",
            &["single", "splash", "x y"][..],
        ),
        (Way::Root, b"/usr/lib/dayfly/init\x003\0", "1 init=/usr/lib/dayfly/init 3", &["3"]),
        (Way::Initramfs, b"/init\0", "-- what the kernel knows better", &[]),
        // If /proc does not have the arguments, they come from the kernel command line.
        (Way::Initramfs, b"", "s splash -- -x", &["s", "-x"]),
    ] {
        let machine = Machine::new_for(way, &format!("{URL} {cmdline}"));
        machine.state().put(Path::new("/proc/self/cmdline"), Node::File(argv.to_vec()));
        let end = machine.boot_by(way);
        assert_eq!(end, End::Exec("/sbin/init".to_owned()), "{:?}", machine.state().log);
        assert_eq!(machine.state().exec_args, expected, "{cmdline}");
        let log = file(&machine, "/run/dayfly/boot.log");
        let words = [&["/sbin/init"], expected].concat().join(" ");
        assert!(log.contains(&format!("exec: done, {words}\n")), "{words} is not in {log}");
    }
}
