//! Every call to the machine fails in turn, with each plausible errno, once and always. In each case, PID 1 continues
//! or ends the machine with a screen that gives the reason. It never returns, panics or hangs. Under dracut it always
//! returns.

mod machine;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use dayfly_init::boot::Ended;
use dayfly_plan::{Code, Way};
use dayfly_sys::Cause;
use machine::{End, Fault, Machine, Node, State, sha256, squashfs};

const EPERM: i32 = 1;
const ENOENT: i32 = 2;
const EIO: i32 = 5;
const ENXIO: i32 = 6;
const ENOEXEC: i32 = 8;
const ENOMEM: i32 = 12;
const EACCES: i32 = 13;
const EBUSY: i32 = 16;
const EEXIST: i32 = 17;
const ENODEV: i32 = 19;
const EINVAL: i32 = 22;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;
const EOPNOTSUPP: i32 = 95;
const EADDRINUSE: i32 = 98;
const EADDRNOTAVAIL: i32 = 99;
const ENETDOWN: i32 = 100;
const ENETUNREACH: i32 = 101;
const ENOBUFS: i32 = 105;
const ECONNREFUSED: i32 = 111;
const EHOSTUNREACH: i32 = 113;

/// The plausible errors of an operation (the ERRORS sections of the man pages).
fn causes(operation: &str) -> Vec<Cause> {
    let errnos: &[i32] = match operation {
        "open_url" | "post_url" => {
            return vec![
                Cause::Resolve,
                Cause::Connect,
                Cause::TimedOut,
                Cause::Tls,
                Cause::Protocol,
                Cause::Unsupported,
            ];
        }
        "read" | "read_at" | "list" | "inspect" | "rights" | "resolve" => &[ENOENT, EACCES, EIO],
        "write" | "set_owner" | "set_modified" | "make_dir" | "symlink" | "rename" | "remove_tree"
        | "copy_tree" | "copy_file" => &[ENOSPC, EROFS, EIO],
        "check_unused" => &[EBUSY, EIO],
        "mount" => &[EINVAL, ENODEV, EBUSY, ENOMEM],
        "attach_loop" => &[ENXIO, EBUSY, ENOMEM],
        "load_module" => &[ENOEXEC, ENOENT, EINVAL],
        "links" | "addresses" | "routes" | "uevents" | "nd_options" => &[ENOBUFS, EPERM],
        "create_link" => &[EEXIST, EOPNOTSUPP, EINVAL],
        "change_link" => &[EEXIST, ENETDOWN, EINVAL],
        "remove_link" => &[ENODEV, EPERM],
        "datagram_port6" => &[EADDRNOTAVAIL, ENODEV],
        "reach" => &[ECONNREFUSED, EHOSTUNREACH, ENETUNREACH],
        "packet_port" | "arp_port" | "solicit_routers" => &[EPERM, ENODEV],
        "udp_port" => &[EADDRINUSE, ENODEV],
        "memory" | "ram_file" => &[ENOMEM, EIO],
        "run_in" => &[ENOENT, EACCES, ENOMEM],
        "set_hostname" | "set_clock" => &[EPERM, EINVAL],
        "leave_root" | "switch_root" => &[EINVAL, EBUSY],
        "exec" => &[ENOENT, ENOEXEC, EACCES],
        "power" => &[EPERM],
        other => panic!("no errors are defined here for {other}: add them"),
    };
    errnos.iter().map(|errno| Cause::Errno(*errno)).collect()
}

/// Small, because it is fetched some thousand times.
const IMAGE: usize = 64 << 10;
const SETTINGS: &str = "http://10.0.2.2/nodes/";
const CERTIFICATE: &str = include_str!("../formats/src/x509/node.pem");
const OTHER_CA: &str = include_str!("../formats/src/x509/ca-other.pem");

fn cmdline() -> String {
    let sha256 = sha256(&squashfs(IMAGE));
    format!(
        "root=live:http://10.0.2.2/os.squashfs ip=dhcp rd.retry=10 rd.timeout=3 dayfly.report=http://log/boots dayfly.image.sha256={sha256} \
         dayfly.kubelet.enabled dayfly.report=http://log.example/boots dayfly.settings.url={SETTINGS}${{mac}} \
         dayfly.settings.wait=3 panic=1"
    )
}

const IFUPDOWN: &str = "dayfly.network.handover=ifupdown";

/// A machine with settings in every source.
fn machine(way: Way, cmdline: &str) -> Arc<Machine> {
    let machine = Machine::new_for(way, cmdline);
    let mut state = machine.state();
    state.served = squashfs(IMAGE);
    state.length = Some(IMAGE as u64);
    let mut put = |path: &str, bytes: &[u8]| state.put(Path::new(path), Node::File(bytes.to_vec()));
    let rules =
        "version = 1\n[[match]]\nwhen = { mac = '52:54:00:12:34:02', hostname = '*' }\nroot.size = '5M'\n";
    put("/etc/dayfly.toml", rules.as_bytes());
    let image = if way == Way::Root { "" } else { "/run/dayfly/l" };
    put(&format!("{image}/usr/lib/dayfly/settings.toml"), b"version = 1\n");
    for file in ["usr/bin/k0s", "usr/bin/k3s", "usr/lib/bundles/a.tar", "var/lib/k0s/kubelet.conf"] {
        put(&format!("{image}/{file}"), b"x");
    }
    if cmdline.contains(IFUPDOWN) {
        for file in [
            "etc/systemd/system/multi-user.target.wants/networking.service",
            "etc/network/interfaces",
            "etc/network/interfaces.d/more",
            "etc/dhcp/dhclient.conf",
            "usr/lib/ifupdown/settle-dad.sh",
            "usr/sbin/dhclient",
        ] {
            put(&format!("{image}/{file}"), b"");
        }
    }
    put("/sys/firmware/dmi/tables/DMI", include_bytes!("../formats/src/smbios/qemu-3.0.dmi"));
    put(
        "/sys/firmware/dmi/tables/smbios_entry_point",
        include_bytes!("../formats/src/smbios/qemu-3.0.entry"),
    );
    // A kubelet certificate of an earlier boot that the cluster's CA did not sign.
    put(&format!("{image}/var/lib/kubelet/pki/kubelet-client-current.pem"), CERTIFICATE.as_bytes());
    state.attach_settings("vdc", "config", "version = 1\nroot.size = '6M'\n");
    state.hand_in(&[
        ("dayfly.root.size", "7M"),
        ("dayfly.kubelet.ca", OTHER_CA),
        ("dayfly.kubelet.token", "abcdef.0123456789abcdef"),
        ("dayfly.k0s.token", include_str!("tokens/foreign")),
        ("dayfly.k3s.token", "s3cret"),
    ]);
    state.pages.insert(format!("{SETTINGS}52:54:00:12:34:02"), b"version = 1\n".to_vec());
    if way == Way::Root {
        state.attach_ext4("vdd", "var");
        state.put(Path::new("/etc/fstab"), Node::File(b"LABEL=var /var ext4 defaults 0 2\n".to_vec()));
    }
    drop(state);
    machine
}

/// With node settings and a cluster to join.
fn node_cmdline() -> String {
    format!(
        "{} dayfly.os.modules=br_netfilter dayfly.ssh.host_keys=ephemeral dayfly.file./etc/app.conf.content=x \
         dayfly.file./etc/app.conf.owner=admin \"dayfly.user.admin.authorized_keys=ssh-ed25519 AAAAC3NzaC1\" \
         dayfly.sysctl.kernel.panic=10 dayfly.kubelet.server=https://10.0.0.1:6443 dayfly.unit.on.service.enable=yes",
        cmdline()
    )
}

/// Every call of a successful boot, by name.
fn calls_of(way: Way, cmdline: &str) -> BTreeSet<String> {
    let machine = machine(way, cmdline);
    let good = match way {
        Way::Dracut => End::Returned(Ended::Left),
        Way::Initramfs | Way::Root => End::Exec("/sbin/init".to_owned()),
    };
    let end = machine.boot_by(way);
    let state = machine.state();
    assert_eq!(end, good, "{:#?}", state.log);
    state.calls.iter().cloned().collect()
}

fn judge(way: Way, cmdline: &str, fault: &Fault) -> Result<(), String> {
    let machine = machine(way, cmdline);
    machine.state().fault = Some(fault.clone());
    let end = machine.boot_by(way);
    let judged = judge_end(way, fault, &machine.state(), &end);
    machine.forget();
    judged
}

fn judge_end(way: Way, fault: &Fault, state: &State, end: &End) -> Result<(), String> {
    let story = || {
        format!(
            "{fault:?} ended in {end:?}\n{}\n{:?}",
            state.screens,
            state.log.iter().rev().take(8).collect::<Vec<_>>()
        )
    };
    match (way, end) {
        (Way::Initramfs | Way::Root, End::Exec(_)) | (Way::Dracut, End::Returned(Ended::Left)) => {
            // On an installed disk, the root is the image, which is not verified.
            if way == Way::Root || is_compared_first(state.log.iter().map(|(_, line)| line.as_str())) {
                Ok(())
            } else {
                Err(format!("an image was mounted without comparing its hash: {}", story()))
            }
        }
        (Way::Initramfs | Way::Root, End::Power(_)) => {
            is_told(state).map_err(|wrong| format!("{wrong}: {}", story()))
        }
        (Way::Dracut, End::Returned(Ended::Failed))
            if state.is_mounted(Path::new(dayfly_init::trees::OS.root())) =>
        {
            Err(format!("dracut would boot an incomplete root: {}", story()))
        }
        (Way::Dracut, End::Returned(Ended::Failed)) => {
            is_told(state).map_err(|wrong| format!("{wrong}: {}", story()))
        }
        _ => Err(story()),
    }
}

/// Whether the image's hash was compared and matched before the step started that mounts the image.
fn is_compared_first<'a>(log: impl Iterator<Item = &'a str>) -> bool {
    let mut lines =
        log.filter(|line| line.starts_with("dayfly: verify: done") || line.starts_with("dayfly: image: "));
    lines.next().is_some_and(|line| line.starts_with("dayfly: verify: done")) && lines.next().is_some()
}

#[test]
fn an_image_that_is_mounted_before_it_is_compared_is_noticed() {
    let (verify, image) =
        ("dayfly: verify: done, SHA-256 9f86 matches", "dayfly: image: mount image read-only");
    for (log, is_right) in [
        (vec!["dayfly: fetch: done", verify, image], true),
        (vec![image, verify], false),
        (vec!["dayfly: verify: compare SHA-256", image], false),
        (vec![verify], false),
        (vec![image], false),
        (vec![], false),
    ] {
        assert_eq!(is_compared_first(log.iter().copied()), is_right, "{log:?}");
    }
}

/// Whether the failure screen has all required parts.
fn is_told(state: &State) -> Result<(), &'static str> {
    let code = Code::ALL.iter().find(|code| state.screens.contains(&format!("Code:             {code}\n")));
    let has_parts = state.screens.contains("What went wrong:") && state.screens.contains("How to fix it:");
    match code {
        Some(Code::InitPanic) => Err("a defect"),
        Some(_) if has_parts => Ok(()),
        _ => Err("no screen with a code"),
    }
}

#[test]
fn no_failing_call_stops_pid_1() {
    every_call_fails(Way::Initramfs, &cmdline(), &BTreeSet::new(), &[1, usize::MAX]);
}

#[test]
fn no_failing_call_for_the_node_stops_pid_1() {
    // None of these steps is tried again.
    every_call_fails(Way::Initramfs, &node_cmdline(), &calls_of(Way::Initramfs, &cmdline()), &[usize::MAX]);
}

/// With these settings instead of the kubelet.
fn other_cmdline(words: &str) -> String {
    format!("{} {words}", cmdline().replace("dayfly.kubelet.enabled ", ""))
}

#[test]
fn no_failing_call_for_k0s_stops_pid_1() {
    let others = calls_of(Way::Initramfs, &cmdline());
    // Its users are created, and its token is for a worker.
    let words = "dayfly.k0s.role=single dayfly.k0s.config=x";
    every_call_fails(Way::Initramfs, &other_cmdline(words), &others, &[usize::MAX]);
    // The kubeconfig of an earlier boot is removed.
    let words = "dayfly.k0s.role=worker dayfly.k0s.images=/usr/lib/bundles";
    every_call_fails(Way::Initramfs, &other_cmdline(words), &others, &[usize::MAX]);
}

#[test]
fn no_failing_call_for_k3s_stops_pid_1() {
    let words = "dayfly.k3s.role=server dayfly.k3s.images=/usr/lib/bundles dayfly.k3s.config=x";
    let others = calls_of(Way::Initramfs, &cmdline());
    every_call_fails(Way::Initramfs, &other_cmdline(words), &others, &[usize::MAX]);
}

#[test]
fn no_failing_call_for_ifupdown_stops_pid_1() {
    let others = calls_of(Way::Initramfs, &cmdline());
    every_call_fails(Way::Initramfs, &format!("{} {IFUPDOWN}", cmdline()), &others, &[usize::MAX]);
}

#[test]
fn no_failing_call_leaves_dracut_waiting_or_with_half_a_root() {
    every_call_fails(Way::Dracut, &cmdline(), &BTreeSet::new(), &[1, usize::MAX]);
}

#[test]
fn no_failing_call_stops_the_init_of_an_installed_disk() {
    every_call_fails(Way::Root, &cmdline(), &BTreeSet::new(), &[1, usize::MAX]);
}

/// Lets each call fail, except those that another test covers.
fn every_call_fails(way: Way, cmdline: &str, others: &BTreeSet<String>, times: &[usize]) {
    let calls = calls_of(way, cmdline);
    let calls: Vec<&String> = calls.difference(others).collect();
    assert!(calls.len() > 5, "a boot makes more calls than {}", calls.len());
    let mut faults = Vec::new();
    for call in &calls {
        let operation = call.split(' ').next().unwrap();
        for cause in causes(operation) {
            faults.extend(times.iter().map(|times| Fault { call: (*call).clone(), cause, times: *times }));
        }
    }
    println!("{} faults in {} calls", faults.len(), calls.len());
    let faults = Arc::new(faults);
    let next = Arc::new(AtomicUsize::new(0));
    let wrong = Arc::new(Mutex::new(Vec::new()));
    // The simulated time advances only when all threads wait, so more boots in parallel are faster.
    let workers: Vec<_> = (0..16)
        .map(|_| {
            let (faults, next, wrong, cmdline) =
                (Arc::clone(&faults), Arc::clone(&next), Arc::clone(&wrong), cmdline.to_owned());
            std::thread::spawn(move || {
                while let Some(fault) = faults.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(story) = judge(way, &cmdline, fault) {
                        wrong.lock().unwrap().push(story);
                    }
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().unwrap();
    }
    let wrong = wrong.lock().unwrap();
    assert!(wrong.is_empty(), "{} of {} faults:\n{}", wrong.len(), faults.len(), wrong.join("\n\n"));
}

/// If even the restart is refused, `boot` returns, and process 1 stays in its last loop.
#[test]
fn a_refused_restart_is_said() {
    let machine = Machine::new("panic=1");
    machine.state().fault =
        Some(Fault { call: "power Reboot".to_owned(), cause: Cause::Errno(EPERM), times: usize::MAX });
    assert_eq!(machine.boot(), End::Returned(Ended::Failed));
    assert!(
        machine.state().screens.contains("power Reboot: Operation not permitted"),
        "{}",
        machine.state().screens
    );
}
