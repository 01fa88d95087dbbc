//! Bytes received before a connection broke are kept for the next attempt.

mod machine;

use machine::{End, Machine, State, sha256, squashfs};

const MIB: usize = 1 << 20;

/// Boots an image of 3 MiB from a server that closes each connection after 1 MiB. Returns the start offset of each
/// request, and how the boot ended.
fn boot(tags: &[&'static str]) -> (Vec<u64>, End) {
    boot_from(tags, |_| {})
}

/// The same with a server that has further defects.
fn boot_from(tags: &[&'static str], prepare: impl FnOnce(&mut State)) -> (Vec<u64>, End) {
    let cmdline = format!(
        "root=live:http://10.0.2.2/os.squashfs ip=dhcp dayfly.image.sha256={} rd.retry=300",
        sha256(&squashfs(3 * MIB))
    );
    let machine = Machine::new(&cmdline);
    machine.state().cut = Some(MIB);
    machine.state().tags = tags.to_vec();
    prepare(&mut machine.state());
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
    // The second request asks for the rest of the first image, and the server sends the whole second image.
    assert_eq!(asked_from, [0, 0, MIB as u64, 2 * MIB as u64]);
    assert!(matches!(end, End::Exec(_)), "{end:?}");
}

#[test]
fn without_a_tag_nothing_is_gone_on_with() {
    let (asked_from, end) = boot(&[]);
    assert!(asked_from.len() > 1 && asked_from.iter().all(|from| *from == 0), "{asked_from:?}");
    assert!(matches!(end, End::Power(_)), "{end:?}");
}

#[test]
fn the_rest_of_another_image_is_not_put_behind_the_first() {
    let (asked_from, end) = boot_from(&["\"one\"", "\"two\""], |state| state.ignores_if_range = true);
    // The second response is the rest of the second image. It is dropped together with the part of the first.
    assert_eq!(asked_from, [0, MIB as u64, 0, MIB as u64, 2 * MIB as u64]);
    assert!(matches!(end, End::Exec(_)), "{end:?}");
}

#[test]
fn a_part_that_is_not_all_of_the_rest_is_not_the_end() {
    let (asked_from, end) = boot_from(&["\"one\""], |state| state.longest_part = Some(1000));
    assert!(asked_from.starts_with(&[0, MIB as u64, 0, MIB as u64]), "{asked_from:?}");
    assert!(matches!(end, End::Power(_)), "{end:?}");
}

#[test]
fn a_server_that_sends_nothing_of_the_rest_is_asked_for_the_whole() {
    let (asked_from, end) = boot_from(&["\"one\""], |state| state.sends_no_rest = true);
    assert!(asked_from.starts_with(&[0, MIB as u64, MIB as u64, 0]), "{asked_from:?}");
    assert!(matches!(end, End::Power(_)), "{end:?}");
}
