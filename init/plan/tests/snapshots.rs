//! The plans of ten command lines, as `dayfly explain` prints them. A change of a plan shows in the diff of a snapshot.

use std::fmt::Write;

use dayfly_plan::settings::value::{Sha256, Url};
use dayfly_plan::settings::{self, Gathered};
use dayfly_plan::{DECIDED, Discovered, ENDINGS, Fact, Facts, NamedImage, NamedLayer, Problem, Source, plan};

const SHA: &str = "dayfly.image.sha256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn render(settings: &Gathered, discovered: &Discovered, problems: &[Problem]) -> String {
    let mut text = String::new();
    for problem in problems {
        writeln!(text, "{:?}: {problem} [{}]", problem.severity, problem.code).unwrap();
    }
    for row in settings.shown().iter().filter(|row| row.source != Source::Default) {
        writeln!(text, "{} = {} ({})", row.name, row.value, row.source).unwrap();
    }
    let plan = plan(settings, discovered);
    for step in plan.steps.iter().filter(|step| DECIDED.contains(&step.phase)) {
        assert!(ENDINGS.iter().any(|row| row.fits(step)), "{} has no row in ENDINGS that fits", step.id);
    }
    write!(text, "\n{plan}").unwrap();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn explain(cmdline: &str, file: Option<&str>) -> String {
    let facts = Facts::from_cmdline(cmdline);
    let facts = match file {
        Some(text) => facts.with_file(text),
        None => facts,
    };
    let (settings, problems) = settings::gather(&facts);
    render(&settings, &facts.discovered, &problems)
}

#[test]
fn plans_of_ten_command_lines() {
    let file = "version = 1\nhostname = \"from-file\"\n\n[image]\nurl = \"https://boot.example.org/os.erofs\"\n\
                stall = 30\n\n[layout]\n\"/srv\" = \"tmpfs(256M)\"\n\"/var\" = \"persistent\"\n\n[kubelet]\nenabled = true\nargs = [\"--v=2\", \"--node-labels=a=b\"]\n";
    for (name, cmdline, file) in [
        ("dracut", format!("root=live:http://10.0.2.2:8080/os.squashfs ip=dhcp rd.neednet=1 {SHA}"), None),
        ("unchecked", "root=http://boot/os.squashfs".to_owned(), None),
        (
            "static",
            "root=live:http://10.0.2.2/os.squashfs ip=10.0.2.15::10.0.2.2:255.255.255.0:node1:eth0:off nameserver=10.0.2.3".to_owned(),
            None,
        ),
        ("bootif", "root=live:http://boot/os.squashfs ip=dhcp BOOTIF=01-52-54-00-12-34-56".to_owned(), None),
        ("disk", format!("root=/dev/vdb {SHA}"), None),
        ("label", "root=live:LABEL=images rd.live.dir=os rd.live.squashimg=v41.squashfs rd.timeout=5".to_owned(), None),
        (
            "state",
            "root=live:http://boot/os.squashfs dayfly.state.device=UUID=4a1b-22 dayfly.layout./opt=ephemeral dayfly.layout./tmp=tmpfs(64M)"
                .to_owned(),
            None,
        ),
        (
            "failure",
            "root=live:http://boot/os.squashfs rd.shell rd.break=pre-mount rd.emergency=poweroff panic=0 rd.retry=30 rd.debug init=/sbin/openrc-init -- single"
                .to_owned(),
            None,
        ),
        ("file", "dayfly.hostname=from-cmdline quiet console=ttyS0".to_owned(), Some(file)),
        ("nothing", "quiet console=ttyS0 dayfly.imge.url=http://boot/os".to_owned(), None),
    ] {
        insta::assert_snapshot!(name, explain(&cmdline, file));
    }
}

/// The plan of a signed image, before and after its manifest is read.
#[test]
fn plans_of_a_signed_image() {
    let keys = "version = 1\nimage.threshold = 2\nimage.keys = [\n  \"RWRp1nH00HuiRupfbl9dHbShMoYrUzFgyg5K+fsS+TW5GTze+3xMD4hU\",\n  \
                \"RWS5xi30PeczxqsgP7TIipKSj1yB4NVX8G5lPk3Z2TuhrN/MUauMnyzT\",\n]\n";
    let mut facts = Facts::from_cmdline("root=live:https://boot/images/os.json").with_file(keys);
    let (settings, problems) = settings::gather(&facts);
    insta::assert_snapshot!("manifest", render(&settings, &facts.discovered, &problems));
    let url: Url = "https://boot/images/os.json".parse().unwrap();
    let layer = |byte, bytes| {
        let sha256 = Sha256([byte; 32]);
        NamedLayer { url: url.beside(&format!("blobs/sha256/{sha256}")), sha256, bytes }
    };
    facts.learn(Fact::Image(NamedImage {
        layers: vec![layer(0x5a, 412 << 20), layer(0xc3, 30 << 20)],
        sha256: Sha256([0x11; 32]),
        name: "debian-12".to_owned(),
        version: 41,
        signers: settings.image_keys.iter().map(|key| key.value.id()).collect(),
        url,
    }));
    let (settings, problems) = settings::gather(&facts);
    insta::assert_snapshot!("manifest_read", render(&settings, &facts.discovered, &problems));
}
