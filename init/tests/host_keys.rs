//! The node's ssh host keys, on the fake machine: generated once and stored on the state disk, or from the image.

mod machine;

use std::path::{Path, PathBuf};

use machine::configured::{file, good, step};
use machine::{Machine, Node, ext4};

const ED25519: &str = "/sysroot/etc/ssh/ssh_host_ed25519_key";
const BAKED: &str = "/sysroot/etc/ssh/ssh_host_rsa_key";
const KEPT: &str = "/run/dayfly/state/.dayfly/ssh";

fn with_disk(state: &mut machine::State) {
    state.disks.insert(PathBuf::from("/dev/vdc"), ext4("mine"));
    state.put(Path::new("/dev/vdc"), Node::Block);
}

#[test]
fn host_keys_are_made_once_and_kept() {
    let on_disk = "dayfly.state.device=/dev/vdc";
    let machine = good("", on_disk, with_disk);
    assert!(step(&machine, "host-keys").1.contains("new, stored on the state disk"));
    assert_eq!(machine.state().keys_made, 2);
    let first = file(&machine, ED25519);
    {
        let state = machine.state();
        for (path, mode) in [
            (ED25519, 0o600),
            ("/sysroot/etc/ssh/ssh_host_ed25519_key.pub", 0o644),
            ("/sysroot/etc/ssh/ssh_host_ecdsa_key", 0o600),
            ("/run/dayfly/state/.dayfly", 0o700),
        ] {
            assert_eq!(state.modes.get(Path::new(path)), Some(&mode), "{path}");
        }
        assert!(!state.nodes.contains_key(Path::new(BAKED)), "a key that all nodes share must not be used");
        assert!(!state.nodes.contains_key(Path::new("/sysroot/etc/ssh/.dayfly-new")));
        // No key may appear in the log.
        assert!(!format!("{:?}", state.log).contains("PRIVATE KEY"));
    }
    // The next boot, with the contents of the disk.
    let kept: Vec<(PathBuf, Node)> = machine
        .state()
        .nodes
        .iter()
        .filter(|(path, _)| path.starts_with(KEPT))
        .map(|(path, node)| (path.clone(), node.clone()))
        .collect();
    assert_eq!(kept.len(), 5, "{kept:?}");
    let again = |change: fn(&mut machine::State)| {
        good("", on_disk, |state| {
            with_disk(state);
            for (path, node) in kept.clone() {
                state.put(&path, node);
            }
            state.keys_made = 10;
            change(state);
        })
    };
    let machine = again(|_| {});
    assert!(step(&machine, "host-keys").1.contains("from the state disk"));
    assert_eq!((file(&machine, ED25519), machine.state().keys_made), (first.clone(), 10));
    // After a power failure: an empty file, or an incomplete set.
    let machine = again(|state| {
        state.put(Path::new("/run/dayfly/state/.dayfly/ssh/ssh_host_ecdsa_key"), Node::File(vec![]));
        state.put(Path::new("/run/dayfly/state/.dayfly/ssh.new/ssh_host_ed25519_key"), Node::File(vec![]));
    });
    assert_ne!(file(&machine, ED25519), first);
    assert_eq!(file(&machine, ED25519), file(&machine, &format!("{KEPT}/ssh_host_ed25519_key")));
}

/// Regression test: key files on the disk (60 GB in sparse files) filled the memory.
#[test]
fn no_more_host_keys_are_read_than_a_node_has() {
    let many = |state: &mut machine::State| {
        for number in 0..100 {
            let name = format!("{KEPT}/ssh_host_{number}_key");
            state.put(Path::new(&name), Node::File(b"-----BEGIN".to_vec()));
        }
    };
    let large = |state: &mut machine::State| {
        let name = format!("{KEPT}/ssh_host_ed25519_key");
        state.put(Path::new(&name), Node::File(vec![0; 70 << 10]));
    };
    for (words, prepare) in
        [("at most 32 are expected", &many as &dyn Fn(&mut machine::State)), ("a key has at most", &large)]
    {
        let machine = good("", "dayfly.state.device=/dev/vdc", |state| {
            with_disk(state);
            prepare(state);
        });
        let (outcome, detail) = step(&machine, "host-keys");
        assert!(outcome == "done" && detail.contains("new, stored on "), "{words}: {outcome} {detail}");
        assert!(file(&machine, ED25519).contains("PRIVATE KEY"));
        let state = machine.state();
        assert!(state.log.iter().any(|(_, line)| line.contains(words)), "{words}: {:?}", state.log);
        let is_read = |call: &String| call.starts_with(&format!("read {KEPT}/"));
        assert!(!state.calls.iter().any(is_read), "{words}");
    }
}

#[test]
fn without_a_disk_the_images_keys_stay_or_new_ones_are_made() {
    let says = |machine: &Machine, words: &str| {
        let state = machine.state();
        assert!(state.log.iter().any(|(_, line)| line.contains(words)), "{words}: {:?}", state.log);
    };
    let machine = good("", "", |_| {});
    assert_eq!(machine.state().keys_made, 0);
    assert!(file(&machine, BAKED).contains("BAKED"));
    says(&machine, "which are the same on every node");

    let machine = good("ssh.host_keys = \"ephemeral\"", "", |_| {});
    assert!(!machine.state().nodes.contains_key(Path::new(BAKED)));
    assert!(file(&machine, ED25519).contains("PRIVATE KEY"));

    let machine = good("ssh.host_keys = \"image\"", "", |_| {});
    assert!(file(&machine, BAKED).contains("BAKED"));

    let bare = |state: &mut machine::State| {
        state.fault = Some(machine::Fault {
            call: "run_in ssh-keygen in /sysroot".to_owned(),
            cause: dayfly_sys::Cause::Errno(2),
            times: 9,
        });
    };
    let machine = good("ssh.host_keys = \"ephemeral\"", "", bare);
    let (outcome, wrong) = step(&machine, "host-keys");
    assert!(outcome == "tolerated" && wrong.contains("No such file"), "{outcome} {wrong}");
    assert!(file(&machine, BAKED).contains("BAKED"), "a shared key is better than none");
}
