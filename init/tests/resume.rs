//! What came before a connection broke is kept for the next attempt.

mod machine;

use machine::{End, Machine, sha256, squashfs};

const MIB: usize = 1 << 20;

/// Boots an image of 3 MiB from a server that closes each connection after one; from which byte on each request asked, and the end.
fn boot(tags: &[&'static str]) -> (Vec<u64>, End) {
    let cmdline = format!(
        "root=live:http://10.0.2.2/os.squashfs ip=dhcp dayfly.image.sha256={} rd.retry=300",
        sha256(&squashfs(3 * MIB))
    );
    let machine = Machine::new(&cmdline);
    machine.state().cut = Some(MIB);
    machine.state().tags = tags.to_vec();
    let end = machine.boot();
    let asked_from = machine.state().asked_from.clone();
    (asked_from, end)
}

#[test]
fn a_fetch_goes_on_where_it_broke() {
    let (asked_from, end) = boot(&["\"one\""]);
    assert_eq!(asked_from, [0, MIB as u64, 2 * MIB as u64]);
    assert!(matches!(end, End::Exec(_)), "{end:?}");
}

#[test]
fn another_image_is_fetched_from_its_start() {
    let (asked_from, end) = boot(&["\"one\"", "\"two\""]);
    // The second request is for the rest of the first image, and is answered with the whole of the second.
    assert_eq!(asked_from, [0, 0, MIB as u64, 2 * MIB as u64]);
    assert!(matches!(end, End::Exec(_)), "{end:?}");
}

#[test]
fn without_a_tag_nothing_is_gone_on_with() {
    let (asked_from, end) = boot(&[]);
    assert!(asked_from.len() > 1 && asked_from.iter().all(|from| *from == 0), "{asked_from:?}");
    assert!(matches!(end, End::Power(_)), "{end:?}");
}
