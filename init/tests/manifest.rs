//! Boots by a signed manifest, and attacks on it: what a server, a settings source or the command line can change, and
//! what the boot says.

mod machine;

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use dayfly_formats::minisign::PublicKey;
use dayfly_formats::oci::{Descriptor, Digest, ImageConfig, ImageLayer, Manifest, media};
use dayfly_plan::Way;
use dayfly_sys::Power;
use machine::{End, Machine, Node, squashfs};
use minisign::KeyPair;
use sha2::Digest as _;

const MANIFEST: &str = "http://10.0.2.2/images/debian-12.json";

/// A key pair of minisign.
struct Pair {
    pair: KeyPair,
    public: PublicKey,
}

fn pair() -> Pair {
    let pair = KeyPair::generate_unencrypted_keypair().unwrap();
    let public = pair.pk.to_base64().parse().unwrap();
    Pair { pair, public }
}

static OURS: LazyLock<Pair> = LazyLock::new(pair);
static SECOND: LazyLock<Pair> = LazyLock::new(pair);
static THEIRS: LazyLock<Pair> = LazyLock::new(pair);

impl Pair {
    fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        let signature =
            minisign::sign(Some(&self.pair.pk), &self.pair.sk, Cursor::new(bytes), Some("a test"), None);
        signature.unwrap().to_string().into_bytes()
    }

    fn own_name(&self) -> String {
        format!("{MANIFEST}.{}.minisig", self.public.id())
    }
}

fn digest(bytes: &[u8]) -> Digest {
    Digest(sha2::Sha256::digest(bytes).into())
}

/// What a server publishes, by URL.
type Pages = BTreeMap<String, Vec<u8>>;

fn config() -> ImageConfig {
    ImageConfig {
        name: "debian-12".to_owned(),
        version: 41,
        architecture: ImageConfig::architecture_of(std::env::consts::ARCH).to_owned(),
        kernel: None,
        memory: None,
        notes: None,
    }
}

/// An image of these layers, signed by these keys.
fn published(config: &ImageConfig, layers: &[Vec<u8>], keys: &[&Pair]) -> Pages {
    let mut pages = Pages::new();
    let mut blob = |media_type: &str, bytes: &[u8]| {
        let digest = digest(bytes);
        pages.insert(format!("http://10.0.2.2/images/{}", digest.blob_path()), bytes.to_vec());
        Descriptor::new(media_type, digest, bytes.len() as u64)
    };
    let config = blob(media::CONFIG, &serde_json::to_vec(config).unwrap());
    let layers =
        layers.iter().map(|bytes| ImageLayer { blob: blob(media::SQUASHFS, bytes), index: None }).collect();
    let manifest = Manifest { config, layers, companions: Vec::new() }.encode();
    for key in keys {
        pages.insert(key.own_name(), key.sign(&manifest));
    }
    pages.insert(MANIFEST.to_owned(), manifest);
    pages
}

fn good() -> Pages {
    published(&config(), &[squashfs(3 << 20)], &[&OURS])
}

/// Boots with these settings in the initramfs and these parameters.
fn boot(settings: &str, words: &str, pages: Pages) -> (Arc<Machine>, End) {
    boot_by(Way::Initramfs, settings, &format!("root=live:{MANIFEST} {words}"), pages)
}

fn boot_by(way: Way, settings: &str, cmdline: &str, pages: Pages) -> (Arc<Machine>, End) {
    let machine = Machine::new_for(way, &format!("ip=dhcp dayfly.config.device=none {cmdline}"));
    {
        let mut state = machine.state();
        state.pages = pages;
        state.has_only_pages = true;
        let file = format!("version = 1\n{settings}\n").into_bytes();
        state.put(Path::new("/etc/dayfly.toml"), Node::File(file));
    }
    let end = machine.boot_by(way);
    (machine, end)
}

fn keys(pairs: &[&Pair]) -> String {
    let keys: Vec<String> = pairs.iter().map(|pair| format!("\"{}\"", pair.public)).collect();
    format!("image.keys = [{}]", keys.join(", "))
}

fn log(machine: &Machine) -> String {
    machine.state().log.iter().map(|(_, line)| line.clone() + "\n").collect()
}

fn boots(case: &str, (machine, end): (Arc<Machine>, End)) -> String {
    assert!(matches!(end, End::Exec(_)), "{case}: {end:?}\n{}", log(&machine));
    log(&machine)
}

/// The boot ends with this code, says this, and has mounted nothing.
fn fails(case: &str, (machine, end): (Arc<Machine>, End), code: &str, said: &str) {
    assert_eq!(end, End::Power(Power::Reboot), "{case}: {}", log(&machine));
    let state = machine.state();
    let screen = state.screens.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(screen.contains(&format!("Code: {code} ")), "{case}: {screen}");
    assert!(screen.contains(said), "{case}: \"{said}\" is missing in {screen}");
    assert!(!state.mounts.iter().any(|mount| mount.contains("/run/dayfly/l")), "{case}: {:?}", state.mounts);
}

#[test]
fn an_image_boots_by_its_manifest() {
    let said = boots("signed", boot(&keys(&[&OURS]), "", good()));
    let signer = OURS.public.id();
    assert!(said.contains(&format!("debian-12 version 41, 3 MiB, signed by {signer}")), "{said}");
    let (machine, _) = boot(&keys(&[&OURS]), "", good());
    let image = &machine.report()["image"];
    assert_eq!((&image["name"], &image["version"]), (&"debian-12".into(), &41.into()));
    assert_eq!(image["signers"], serde_json::json!([signer.to_string()]));
    let two = [squashfs(3 << 20), squashfs(2 << 20)];
    let said = boots("two layers", boot(&keys(&[&OURS]), "", published(&config(), &two, &[&OURS])));
    assert!(said.contains("debian-12 version 41, 2 layers, 5 MiB"), "{said}");
    // The file that `minisign -S` writes.
    let mut usual = good();
    let signature = usual.remove(&OURS.own_name()).unwrap();
    usual.insert(format!("{MANIFEST}.minisig"), signature);
    boots("the usual name", boot(&keys(&[&SECOND, &OURS]), "", usual));
    // The key's own file is still that of an older manifest: `minisign -S` has signed the new one.
    let mut stale = good();
    let signature = stale.insert(OURS.own_name(), OURS.sign(b"older")).unwrap();
    stale.insert(format!("{MANIFEST}.minisig"), signature);
    boots("a stale file", boot(&keys(&[&OURS]), "", stale));
    // A page in place of the file of a key that has not signed.
    let mut page = good();
    page.insert(SECOND.own_name(), vec![b'<'; 8 << 10]);
    boots("a page for the other key", boot(&keys(&[&SECOND, &OURS]), "", page));
    // One version, by its own name.
    let one =
        good().into_iter().map(|(url, bytes)| (url.replace("debian-12.json", "debian-12_v41.json"), bytes));
    let url = "root=live:http://10.0.2.2/images/debian-12_v41.json";
    boots("one version", boot_by(Way::Initramfs, &keys(&[&OURS]), url, one.collect()));
    let both = published(&config(), &[squashfs(3 << 20)], &[&OURS, &SECOND]);
    let two_of_three = format!("{}\nimage.threshold = 2", keys(&[&THEIRS, &OURS, &SECOND]));
    boots("two of three", boot(&two_of_three, "", both));
    // The command line may say once more what the initramfs says.
    let again = format!("dayfly.image.keys={} dayfly.image.keys={}", OURS.public, SECOND.public);
    boots("the same keys again", boot(&keys(&[&OURS, &SECOND]), &again, good()));
    // The keys of the command line are as good, as long as the initramfs has none.
    boots("keys of the command line", boot("", &format!("dayfly.image.keys={}", OURS.public), good()));
    // Without keys, its SHA-256 decides, or nothing.
    let unsigned = published(&config(), &[squashfs(3 << 20)], &[]);
    let sha256 = digest(&unsigned[MANIFEST]).hex();
    boots("pinned", boot("", &format!("dayfly.image.sha256={sha256}"), unsigned.clone()));
    let said = boots("unchecked", boot("", "", unsigned));
    assert!(said.contains("The image is booted unchecked: its manifest is neither signed"), "{said}");
}

#[test]
fn a_server_cannot_change_what_is_booted() {
    let settings = keys(&[&OURS]);
    let good = good();
    let changed = |change: &dyn Fn(&mut Pages)| {
        let mut pages = good.clone();
        change(&mut pages);
        pages
    };
    let config_url = format!(
        "http://10.0.2.2/images/{}",
        Manifest::parse(&good[MANIFEST]).unwrap().config.digest.blob_path()
    );
    let layer_url = format!("http://10.0.2.2/images/{}", digest(&squashfs(3 << 20)).blob_path());
    let other = published(&ImageConfig { version: 42, ..config() }, &[squashfs(3 << 20)], &[&THEIRS]);
    let unsigned = published(&config(), &[squashfs(3 << 20)], &[]);
    let evil = squashfs(3 << 20).into_iter().rev().collect::<Vec<u8>>();
    for (case, pages, code, said) in [
        ("no signature", unsigned, "image.signature", "HTTP 404"),
        (
            "a byte of the manifest",
            changed(&|pages| *pages.get_mut(MANIFEST).unwrap().last_mut().unwrap() ^= 1),
            "image.signature",
            "0 of 1 needed signatures are valid",
        ),
        (
            "another manifest with the old signature",
            changed(&|pages| drop(pages.insert(MANIFEST.to_owned(), other[MANIFEST].clone()))),
            "image.signature",
            "it does not fit: the file or the signature was changed",
        ),
        (
            "the signature of another key under our name",
            changed(&|pages| drop(pages.insert(OURS.own_name(), THEIRS.sign(&good[MANIFEST])))),
            "image.signature",
            "it was made with the key",
        ),
        (
            "a page in place of the signature",
            changed(&|pages| drop(pages.insert(OURS.own_name(), b"<html>".to_vec()))),
            "image.signature",
            "it is not a signature file of minisign",
        ),
        (
            "an endless signature",
            changed(&|pages| drop(pages.insert(OURS.own_name(), vec![b'A'; 1 << 20]))),
            "image.signature",
            "the file has more than 4096 bytes",
        ),
        (
            "an endless manifest",
            changed(&|pages| drop(pages.insert(MANIFEST.to_owned(), vec![b' '; 1 << 20]))),
            "image.manifest",
            "the file has more than 262144 bytes",
        ),
        (
            "another config",
            changed(&|pages| drop(pages.insert(config_url.clone(), b"{}".to_vec()))),
            "image.hash-mismatch",
            "it has 2 bytes and SHA-256",
        ),
        ("no config", changed(&|pages| drop(pages.remove(&config_url))), "image.http-status", "HTTP 404"),
        (
            "other bytes of the layer",
            changed(&|pages| drop(pages.insert(layer_url.clone(), evil.clone()))),
            "image.hash-mismatch",
            "the image has SHA-256",
        ),
        (
            "another image that we signed",
            published(&ImageConfig { name: "rescue".to_owned(), ..config() }, &[squashfs(2 << 20)], &[&OURS]),
            "image.unfit",
            "it is the manifest of rescue version 41, which must be at rescue.json or rescue_v41.json",
        ),
        (
            "a shorter layer",
            changed(&|pages| drop(pages.insert(layer_url.clone(), squashfs(2 << 20)))),
            "image.hash-mismatch",
            "the server has 2097152 bytes, but the manifest says 3145728",
        ),
        ("no layer", changed(&|pages| drop(pages.remove(&layer_url))), "image.http-status", "HTTP 404"),
        ("no manifest", Pages::new(), "image.http-status", "HTTP 404"),
    ] {
        fails(case, boot(&settings, "", pages), code, said);
    }
}

#[test]
fn no_later_source_turns_signatures_off() {
    let settings = keys(&[&OURS]);
    let theirs = published(&config(), &[squashfs(3 << 20)], &[&THEIRS]);
    let sha256 = digest(&theirs[MANIFEST]).hex();
    let more = format!("{settings}\nimage.threshold = 2");
    let key = THEIRS.public.to_string();
    for (case, settings, words, code, said) in [
        ("other keys", &settings, format!("dayfly.image.keys={key}"), "config.trust", "image.keys"),
        ("no keys", &settings, "dayfly.image.keys=".to_owned(), "config.trust", "image.keys"),
        ("fewer keys", &more, "dayfly.image.threshold=1".to_owned(), "config.trust", "image.threshold"),
        (
            "more signatures than keys",
            &settings,
            "dayfly.image.threshold=2".to_owned(),
            "config.value",
            "image.threshold asks for 2 signatures, but image.keys has 1 different key",
        ),
        (
            "the SHA-256 of another manifest",
            &settings,
            format!("dayfly.image.sha256={sha256}"),
            "image.signature",
            "0 of 1 needed signatures",
        ),
        (
            "an image without a manifest",
            &settings,
            "root=live:http://10.0.2.2/os.squashfs".to_owned(),
            "image.signature",
            "http://10.0.2.2/os.squashfs does not name a manifest",
        ),
        (
            "an image without a manifest, with its SHA-256",
            &settings,
            format!("root=http://10.0.2.2/os.squashfs dayfly.image.sha256={}", "0".repeat(64)),
            "image.signature",
            "does not name a manifest",
        ),
        ("a disk", &settings, "root=live:LABEL=os".to_owned(), "image.signature", "LABEL=os is a disk"),
        (
            "a file of the initramfs",
            &settings,
            "root=live:/os.squashfs".to_owned(),
            "image.signature",
            "/os.squashfs is a file of the initramfs",
        ),
    ] {
        let pages = theirs.clone();
        fails(case, boot(settings, &words, pages), code, said);
    }
    let no_keys = "image.threshold = 2".to_owned();
    fails("no key", boot(&no_keys, "", good()), "config.value", "but image.keys has 0 keys");
    fails(
        "a threshold alone",
        boot("image.threshold = 1", "", good()),
        "config.value",
        "but image.keys has 0 keys",
    );
    let many: Vec<&Pair> = vec![&OURS; 17];
    fails("too many keys", boot(&keys(&many), "", good()), "config.value", "at most 16 are possible");
    let misspelt = keys(&[&OURS]).replace("image.keys", "image.key");
    fails("a misspelt name", boot(&misspelt, "", good()), "config.unknown", "did you mean image.keys?");
    let both = format!("{}\nimage.threshold = 2", keys(&[&OURS, &OURS]));
    let failed = boot(&both, "", good());
    fails(
        "one key twice",
        failed,
        "config.value",
        "asks for 2 signatures, but image.keys has 1 different key:",
    );
    let one_of_two = format!("{}\nimage.threshold = 2", keys(&[&OURS, &SECOND]));
    fails(
        "one of two",
        boot(&one_of_two, "", good()),
        "image.signature",
        "1 of 2 needed signatures are valid",
    );
    let secret = OURS.pair.sk.to_box(None).unwrap().to_string();
    let secret = secret.lines().nth(1).unwrap().to_owned();
    for (setting, given) in [
        ("image.keys", secret.clone()),
        ("image.keys", format!("untrusted comment: minisign unencrypted secret key {secret}=,")),
        ("image.sha256", secret.clone()),
    ] {
        let (machine, end) = boot(&format!("{setting} = \"{given}\""), "", good());
        let screens = machine.state().screens.clone();
        let shown = format!("{}{screens}{}", log(&machine), machine.report());
        assert!(!shown.contains(&secret[20..60]), "{given} is shown: {shown}");
        fails("a secret key", (machine, end), "config.value", "is a secret key of minisign");
    }
}

/// The disk `config`, a settings server and the firmware come after the initramfs.
#[test]
fn no_settings_from_outside_turn_signatures_off() {
    let theirs = published(&config(), &[squashfs(3 << 20)], &[&THEIRS]);
    let settings = "http://10.0.2.2/node.toml";
    let squashfs_url = "image.url = \"http://10.0.2.2/os.squashfs\"";
    let their_keys = keys(&[&THEIRS]);
    for wish in
        ["image.keys = []", "image.threshold = 1", &their_keys, squashfs_url, "image.device = \"LABEL=os\""]
    {
        for place in ["http", "disk", "firmware"] {
            let machine =
                Machine::new(&format!("ip=dhcp dayfly.settings.required=no dayfly.settings.url={settings}"));
            {
                let mut state = machine.state();
                (state.pages, state.has_only_pages) = (theirs.clone(), true);
                let ours = format!("version = 1\n{}\nimage.url = \"{MANIFEST}\"\n", keys(&[&OURS]));
                state.put(Path::new("/etc/dayfly.toml"), Node::File(ours.into_bytes()));
                let file = format!("version = 1\n{wish}\n");
                match place {
                    "http" => drop(state.pages.insert(settings.to_owned(), file.into_bytes())),
                    "disk" => state.attach_settings("vdc", "config", &file),
                    _ => state.put(
                        Path::new(
                            "/sys/firmware/qemu_fw_cfg/by_name/opt/io.systemd.credentials/dayfly.toml/raw",
                        ),
                        Node::File(file.into_bytes()),
                    ),
                }
            }
            let end = machine.boot();
            assert_eq!(end, End::Power(Power::Reboot), "{wish} by {place}: {}", log(&machine));
            let state = machine.state();
            assert!(!state.mounts.iter().any(|mount| mount.contains("/run/dayfly/l")), "{wish} by {place}");
            drop(state);
            let said = log(&machine);
            let is_told = said.contains("[config.trust]")
                || said.contains("[image.signature]")
                || said.contains("Code: ");
            assert!(is_told, "{wish} by {place}: {said}");
        }
    }
}

#[test]
fn a_mounted_root_has_no_signature() {
    let words = format!("init=/usr/lib/dayfly/init dayfly.image.keys={}", OURS.public);
    let (machine, end) = boot_by(Way::Root, "", &words, good());
    assert_eq!(end, End::Power(Power::Reboot), "{}", log(&machine));
    let screen = machine.state().screens.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(screen.contains("Code: image.signature "), "{screen}");
}

#[test]
fn an_image_for_another_machine_is_refused_before_it_is_fetched() {
    let settings = keys(&[&OURS]);
    let layers = [squashfs(3 << 20)];
    for (case, config, said) in [
        (
            "another CPU",
            ImageConfig { architecture: "riscv64".to_owned(), ..config() },
            "debian-12 version 41 is for riscv64, but this machine is",
        ),
        (
            "more memory",
            ImageConfig { memory: Some(4 << 30), ..config() },
            "needs a machine with 4096 MiB of memory, but this one has 2048 MiB",
        ),
    ] {
        let ended = boot(&settings, "", published(&config, &layers, &[&OURS]));
        assert!(
            !ended
                .0
                .state()
                .calls
                .iter()
                .any(|call| call.contains("blobs") && call.contains(&digest(&layers[0]).hex()))
        );
        fails(case, ended, "image.unfit", said);
    }
    // The kernel of the fake is another one, which is only a warning.
    let config = ImageConfig { kernel: Some("5.4.0-1".to_owned()), memory: Some(2 << 30), ..config() };
    let said = boots("another kernel", boot(&settings, "", published(&config, &layers, &[&OURS])));
    assert!(said.contains("has the modules of the kernel 5.4.0-1, but the running kernel is"), "{said}");
    // The size is known before the first byte.
    let machine = Machine::new(&format!("root={MANIFEST} ip=dhcp dayfly.config.device=none"));
    {
        let mut state = machine.state();
        (state.pages, state.has_only_pages) = (good(), true);
        state.memory.available = 60 << 20;
    }
    let end = machine.boot();
    let layer = digest(&layers[0]).hex();
    assert!(!machine.state().calls.iter().any(|call| call.contains(&layer)));
    fails(
        "too large",
        (machine, end),
        "image.too-large",
        "the image needs 3 MiB and the boot 64 MiB in addition",
    );
}
