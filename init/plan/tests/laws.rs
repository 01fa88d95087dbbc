//! Properties of every plan, for any settings.

use std::collections::BTreeMap;

use dayfly_plan::settings::ImageSource;
use dayfly_plan::settings::gather;
use dayfly_plan::settings::table::class::Class;
use dayfly_plan::settings::table::groups::GROUPS;
use dayfly_plan::settings::table::lookup::class;
use dayfly_plan::settings::value::{Sha256, Trust, Url};
use dayfly_plan::{
    Action, Facts, Integrity, Layer, LayerSource, LayoutEntry, NamedImage, NamedLayer, OnFailure, Phase,
    Place, Plan, Retry, Severity, Source, StepId, Store, Way, plan,
};
use proptest::prelude::*;

/// Meaningful parameters, in random choice and order.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("root=live:http://boot/os.squashfs".to_owned()),
        Just("root=https://10.0.2.2:8443/os.erofs".to_owned()),
        Just("root=live:http://boot/os.json".to_owned()),
        Just("root=https://boot/debian/os.json".to_owned()),
        Just(format!("dayfly.image.keys={KEY}")),
        Just(format!("dayfly.image.keys={OTHER_KEY}")),
        (1u32..4).prop_map(|count| format!("dayfly.image.threshold={count}")),
        Just("root=/dev/vdb".to_owned()),
        Just("root=live:LABEL=images".to_owned()),
        Just("ip=dhcp".to_owned()),
        Just("ip=10.0.2.15::10.0.2.2:24:n1:eth0:off".to_owned()),
        Just("rd.neednet=1".to_owned()),
        Just("rd.break=pre-mount".to_owned()),
        Just("rd.overlay=LABEL=state2".to_owned()),
        Just("dayfly.kubelet.enabled".to_owned()),
        Just("dayfly.k0s.role=controller+worker".to_owned()),
        Just("dayfly.k3s.role=agent".to_owned()),
        Just("dayfly.settings.url=http://boot/${serial}/${hostname}".to_owned()),
        Just("dayfly.settings.required=no".to_owned()),
        Just("dayfly.config.device=none".to_owned()),
        Just("dayfly.config.device=LABEL=settings".to_owned()),
        Just("init=/bin/true".to_owned()),
        Just("dayfly.report=https://log/boots".to_owned()),
        "[0-9a-f]{64}".prop_map(|sha| format!("dayfly.image.sha256={sha}")),
        (1u32..5000).prop_map(|seconds| format!("rd.retry={seconds}")),
        ("(/[a-z]{1,8}){1,3}", "(read-only|ephemeral|persistent|tmpfs|tmpfs\\(5M\\))")
            .prop_map(|(path, policy)| format!("dayfly.layout.{path}={policy}")),
        "[ -~]{0,40}",
    ]
}

/// A key as minisign prints it.
const KEY: &str = "RWRp1nH00HuiRupfbl9dHbShMoYrUzFgyg5K+fsS+TW5GTze+3xMD4hU";

const OTHER_KEY: &str = "RWS5xi30PeczxqsgP7TIipKSj1yB4NVX8G5lPk3Z2TuhrN/MUauMnyzT";

/// What a manifest says, one of two.
fn named_image() -> impl Strategy<Value = NamedImage> {
    (proptest::sample::select(&["http://boot/os.json", "https://boot/debian/os.json"]), 1..4_u8).prop_map(
        |(url, layers)| {
            let url: Url = url.parse().unwrap();
            let layer =
                |byte| NamedLayer { url: url.beside("blobs/x"), sha256: Sha256([byte; 32]), bytes: 4096 };
            NamedImage {
                layers: (0..layers).map(layer).collect(),
                url,
                sha256: Sha256([9; 32]),
                name: "os".to_owned(),
                version: 1,
                signers: Vec::new(),
            }
        },
    )
}

fn facts() -> impl Strategy<Value = Facts> {
    let image = proptest::option::of(named_image());
    (proptest::collection::vec(word(), 0..12), proptest::sample::select(&Way::ALL), image).prop_map(
        |(words, way, image)| {
            let mut facts = Facts::from_cmdline(words.join(" ")).on_way(way);
            facts.discovered.image = image;
            facts
        },
    )
}

/// A settings file with random settings of class `Plain`.
fn document() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just("hostname = \"late\"".to_owned()),
        Just("network.ip = \"eth7:dhcp\"".to_owned()),
        Just("network.wanted = true".to_owned()),
        Just("image.url = \"http://late/os\"".to_owned()),
        Just("state.device = \"LABEL=late\"".to_owned()),
        Just("modules.load = \"late\"".to_owned()),
        Just("kubelet.enabled = true".to_owned()),
        Just("k0s.role = \"worker\"".to_owned()),
        Just("root.size = \"1G\"".to_owned()),
        Just("retry = 7".to_owned()),
        Just("init = \"/late\"".to_owned()),
        Just("report = \"http://late/report\"".to_owned()),
        Just("layout.\"/srv\" = \"persistent\"".to_owned()),
        Just("layout.\"/var\" = \"tmpfs\"".to_owned()),
        Just("settings.url = \"https://late/${mac}\"".to_owned()),
        Just("settings.required = false".to_owned()),
        Just("config.device = \"LABEL=late\"".to_owned()),
        Just("config.wait = 3".to_owned()),
    ];
    let rules = proptest::sample::select(&[
        "",
        "[[match]]\nwhen.mac = \"02:00:00:00:00:01\"\nretry = 8\n",
        "[[match]]\nwhen.hostname = \"*\"\nroot.size = \"2G\"\n",
    ]);
    proptest::sample::subsequence((0..13).collect::<Vec<usize>>(), 0..8)
        .prop_flat_map(move |picked| proptest::collection::vec(line.clone(), picked.len()))
        .prop_map(|mut lines| {
            lines.sort();
            lines.dedup();
            format!("version = 1\n{}\n", lines.join("\n"))
        })
        .prop_flat_map(move |text| rules.clone().prop_map(move |rules| format!("{text}{rules}")))
}

/// Lines that decide trust or run as root, mixed with harmless ones, also in rules.
fn trusting() -> impl Strategy<Value = String> {
    const CA: &str = include_str!("../../formats/src/x509/ca.pem");
    const OTHER_CA: &str = include_str!("../../formats/src/x509/ca-other.pem");
    let line = prop_oneof![
        "[ab]".prop_map(|digit| format!("image.sha256 = \"{}\"", digit.repeat(64))),
        Just("image.sha256 = []".to_owned()),
        proptest::sample::select(&[KEY, OTHER_KEY]).prop_map(|key| format!("image.keys = \"{key}\"")),
        Just(format!("image.keys = [\"{KEY}\", \"{OTHER_KEY}\"]")),
        Just("image.keys = []".to_owned()),
        (1..3_u8).prop_map(|count| format!("image.threshold = {count}")),
        "[ab]".prop_map(|host| format!("image.url = \"http://{host}/os\"")),
        Just("image.device = \"LABEL=os\"".to_owned()),
        proptest::sample::select(&[CA, OTHER_CA]).prop_map(|ca| format!("kubelet.ca = '''{ca}'''")),
        Just("kubelet.ca = []".to_owned()),
        "[ab]".prop_map(|host| {
            format!("kubelet.kubeconfig = \"clusters:\\n- cluster:\\n    server: https://{host}\\n\"")
        }),
        "[ab]".prop_map(|host| format!("script.node.known_hosts = \"{host} ssh-rsa AAAA\"")),
        "(any|limited)".prop_map(|trust| format!("settings.trust = \"{trust}\"")),
        "(any|limited)".prop_map(|trust| format!("config.trust = \"{trust}\"")),
        Just("user.root.authorized_keys = [\"ssh-rsa AAAA\"]".to_owned()),
        Just("user.root.authorized_keys = []".to_owned()),
        Just("kubelet.args = []".to_owned()),
        Just("sysctl.\"kernel.core_pattern\" = \"|/x\"".to_owned()),
        Just("file.\"/etc/x\".content = \"x\"".to_owned()),
        Just("unit.\"x.service\".enable = true".to_owned()),
        Just("hostname = \"by-file\"".to_owned()),
        Just("root.size = \"1G\"".to_owned()),
    ];
    let some = || proptest::collection::vec(line.clone(), 0..5);
    (some(), some()).prop_map(|(lines, ruled)| {
        // TOML allows each name only once in a table.
        let unique = |mut lines: Vec<String>| {
            let mut names = std::collections::BTreeSet::new();
            lines.retain(|line| names.insert(line.split(" = ").next().unwrap().to_owned()));
            lines.join("\n")
        };
        let (lines, ruled) = (unique(lines), unique(ruled));
        format!("version = 1\n{lines}\n[[match]]\nwhen.mac = \"02:00:00:00:00:01\"\n{ruled}\n")
    })
}

fn trusted_word() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ab]".prop_map(|digit| format!("dayfly.image.sha256={}", digit.repeat(64))),
        "(any|limited)".prop_map(|trust| format!("dayfly.config.trust={trust}")),
        Just("dayfly.settings.trust=any".to_owned()),
    ]
}

/// The class of a setting by its shown name, which contains the entry's name for a group.
fn class_of(shown: &str) -> Class {
    let Some(group) = GROUPS.iter().find(|group| shown.starts_with(&format!("{}.", group.name))) else {
        return class(shown);
    };
    match group.fields {
        [field] if field.name.is_empty() => class(group.name),
        _ => class(&format!("{}.{}", group.name, shown.rsplit('.').next().unwrap())),
    }
}

/// The steps that find settings, and what they find.
fn seams() -> [(StepId, Source); 5] {
    [
        (StepId::Credentials, Source::Credential(Store::FwCfg, "dayfly.toml".to_owned())),
        (StepId::Config, Source::Config),
        (StepId::Settings, Source::Url { secure: true }),
        (StepId::Settings, Source::Url { secure: false }),
        (StepId::Defaults, Source::Image),
    ]
}

/// Whether the action is for an image that no source has named yet.
fn awaits_image(action: &Action) -> bool {
    let is_awaited = |layer: &Layer| layer.source == LayerSource::Awaited;
    matches!(action, Action::FindImage { layers } if layers.iter().any(is_awaited))
}

fn position(plan: &Plan, of: impl Fn(&Action) -> bool) -> Option<usize> {
    plan.steps.iter().position(|step| of(&step.action))
}

/// Every step that `id` waits for, directly or indirectly.
fn waits_for(plan: &Plan, id: StepId) -> Vec<StepId> {
    let mut all: Vec<StepId> = Vec::new();
    let mut open = vec![id];
    while let Some(next) = open.pop() {
        for need in plan.step(next).into_iter().flat_map(|step| step.needs.iter()) {
            if !all.contains(need) {
                all.push(*need);
                open.push(*need);
            }
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn laws(facts in facts()) {
        let (settings, problems) = gather(&facts);
        let plan = plan(&settings, &facts.discovered);
        let awaits = settings.image.is_none() && facts.discovered.way != Way::Root;
        prop_assert_eq!(awaits, plan.steps.iter().any(|step| awaits_image(&step.action)));
        let ids: Vec<StepId> = plan.steps.iter().map(|step| step.id).collect();

        // Names are unique, and a step only needs earlier steps. So there is an order and no cycle.
        for (index, step) in plan.steps.iter().enumerate() {
            prop_assert!(!ids[..index].contains(&step.id), "{} is in the plan twice", step.id);
            for need in &step.needs {
                prop_assert!(ids[..index].contains(need), "{} needs {need}, which comes later", step.id);
            }
        }

        // A step is either planned or recorded as absent, never both, and every dependency is one of the two.
        for id in StepId::ALL {
            prop_assert!(plan.step(*id).is_none() || !plan.absent.contains_key(id), "{id} is planned and absent");
        }
        prop_assert_eq!(plan.unmet(), None);

        if facts.discovered.way == Way::Root {
            let unneeded = position(&plan, |action| matches!(action, Action::Fetch { .. } | Action::LoadDrivers { .. }));
            prop_assert_eq!(unneeded, None);
            prop_assert_eq!(&plan.step(StepId::Image).unwrap().action, &Action::UseRoot);
        } else
        // Only the layers of a manifest that was read are mounted, and each has a hash. With keys, there is no other image.
        if let Some(ImageSource::Url(url)) = settings.image.as_ref().map(|image| &image.value)
            && url.is_manifest()
        {
            let named = facts.discovered.image.as_ref().filter(|image| image.url == *url);
            let Action::MountImage { layers, .. } = &plan.step(StepId::Image).unwrap().action else { panic!("no mount") };
            match named {
                Some(image) => prop_assert_eq!(layers, &image.layers()),
                None => prop_assert!(layers.iter().all(|layer| layer.integrity == Integrity::Manifest)),
            }
            prop_assert!(layers.iter().all(|layer| layer.integrity != Integrity::Unchecked));
            let waits = waits_for(&plan, StepId::Image);
            prop_assert!(waits.contains(&StepId::Manifest) && waits.contains(&StepId::Verify));
            let Action::ReadManifest(read) = &plan.step(StepId::Manifest).unwrap().action else { panic!("no manifest") };
            prop_assert_eq!(read.sha256, settings.image_sha256.as_ref().map(|sha256| sha256.value));
            prop_assert_eq!(&read.keys, &settings.signing_keys());
            let least = if settings.demands_signatures() { settings.image_threshold.value } else { 0 };
            prop_assert_eq!(read.threshold as u64, u64::from(least));
            let is_checked = read.sha256.is_some() || settings.demands_signatures();
            prop_assert_eq!(is_checked, !plan.notes.iter().any(|note| note.contains("unchecked")));
        } else if settings.demands_signatures() && settings.image.is_none() {
            prop_assert!(plan.notes.iter().any(|note| note.contains("must have a signed manifest")));
        } else if settings.demands_signatures() {
            prop_assert!(problems.iter().any(|problem| problem.severity == Severity::Refuse), "an unsigned image is accepted");
        } else
        // A layer with a hash is verified before it is mounted, and a mismatch is never tolerated.
        if settings.image_sha256.is_some() {
            prop_assert!(waits_for(&plan, StepId::Image).contains(&StepId::Verify));
            prop_assert_eq!(&plan.step(StepId::Verify).unwrap().on_failure, &OnFailure::Abort);
            let Action::Verify { layers: verified } = &plan.step(StepId::Verify).unwrap().action else { panic!("no hash") };
            let Action::MountImage { layers, .. } = &plan.step(StepId::Image).unwrap().action else { panic!("no mount") };
            prop_assert_eq!(verified, layers);
            prop_assert_eq!(layers[0].sha256(), settings.image_sha256.as_ref().map(|sha256| sha256.value));
        } else {
            prop_assert!(plan.notes.iter().any(|note| note.contains("unchecked")), "no note says that the image is unchecked");
        }

        // The exec is the last step, and the switch is the step before it. Both wait for all others. In a dracut
        // initramfs, dracut does both.
        let (switch, exec) = (position(&plan, |action| matches!(action, Action::SwitchRoot { .. })), position(&plan, |action| matches!(action, Action::Exec { .. })));
        let last = plan.steps.len() - 1;
        if facts.discovered.way == Way::Dracut {
            prop_assert_eq!((switch, exec), (None, None));
            prop_assert_eq!(position(&plan, |action| matches!(action, Action::LeaveToDracut)), Some(last));
            prop_assert_eq!(waits_for(&plan, StepId::Leave).len(), last);
        } else {
            prop_assert_eq!((switch, exec), (Some(last - 1), Some(last)));
            prop_assert_eq!(waits_for(&plan, StepId::Exec).len(), last);
        }

        // There is no network unless something needs it, and no fetch without the network.
        let network = plan.step(StepId::Network).is_some();
        let fetch = plan.steps.iter().any(|step| matches!(step.action, Action::Fetch { .. }));
        prop_assert_eq!(network, fetch || settings.needs_network());
        if fetch {
            prop_assert!(waits_for(&plan, StepId::Fetch).contains(&StepId::Network));
        }

        // A step that returns to an earlier one depends on it, and the network is settled after the last such step.
        prop_assert_eq!(network, plan.step(StepId::Settle).is_some());
        for step in &plan.steps {
            if let OnFailure::Retry(Retry { back: Some(back), .. }) = step.on_failure {
                prop_assert!(waits_for(&plan, step.id).contains(&back));
                prop_assert!(waits_for(&plan, StepId::Settle).contains(&step.id));
            }
        }
        if fetch {
            let goes_back = matches!(&plan.step(StepId::Fetch).unwrap().on_failure, OnFailure::Retry(Retry { back: Some(StepId::Network), .. }));
            prop_assert!(goes_back, "fetch does not go back to the network");
        }

        // Layout paths come after the root, and parents before children.
        prop_assert!(waits_for(&plan, StepId::Layout).contains(&StepId::Root));
        let Action::ApplyLayout { entries } = &plan.step(StepId::Layout).unwrap().action else { panic!("no layout") };
        for (index, LayoutEntry { path, .. }) in entries.iter().enumerate() {
            for LayoutEntry { path: later, .. } in &entries[index + 1..] {
                prop_assert!(!path.starts_with(&format!("{later}/")), "{path} comes before its parent {later}");
            }
        }

        // Phases are printed in their order.
        let phases: Vec<Phase> = plan.steps.iter().map(|step| step.phase).collect();
        prop_assert!(phases.is_sorted(), "{phases:?}");

        // The table has a line for every step, besides the tree of the network, and its text is deterministic.
        let lines = plan.lines();
        let tree = lines.iter().skip_while(|line| *line != "network:").take_while(|line| !line.starts_with("note: ")).count();
        prop_assert_eq!(lines.len() - tree, 1 + plan.steps.len() + plan.notes.len() + usize::from(plan.break_before.is_some()));
        prop_assert_eq!(plan.to_string(), plan.to_string());

        // Each absent step is named once, on lines that fit on a serial console.
        let absent = plan.absent_lines();
        prop_assert!(absent.iter().all(|line| line.chars().count() <= 80), "{absent:#?}");
        let text = absent.iter().flat_map(|line| line.split_whitespace()).collect::<Vec<_>>().join(" ");
        let groups = text.strip_prefix("not in this boot: ").into_iter().flat_map(|text| text.split("; "));
        let said: BTreeMap<&str, &str> = groups
            .map(|group| group.strip_suffix(')').unwrap().split_once(" (").unwrap())
            .flat_map(|(steps, reason)| steps.split(' ').map(move |step| (step, reason)))
            .collect();
        let wanted: BTreeMap<&str, &str> = plan.absent.iter().map(|(id, reason)| (id.name(), *reason)).collect();
        prop_assert_eq!(said, wanted);
    }

    /// Steps that start before a step finds new settings are the same in the new plan, so the boot can continue with
    /// it.
    #[test]
    fn new_settings_change_only_what_waits_for_them(facts in facts(), text in document()) {
        for (seam, source) in seams() {
            let before = plan(&gather(&facts).0, &facts.discovered);
            let facts = facts.clone().with_settings(source, text.clone());
            let (settings, problems) = gather(&facts);
            prop_assert!(problems.iter().all(|problem| problem.code.as_str() != "config.file"), "{problems:?}");
            let after = plan(&settings, &facts.discovered);
            if before.step(seam).is_none() {
                continue;
            }
            let independent = |plan: &Plan| -> Vec<_> {
                // The values for conditions of rules are only read, so they may be read late.
                let only_read = |id: &StepId| [StepId::Links, StepId::Name].contains(id);
                let mut steps = plan.steps.clone();
                steps.retain(|step| !only_read(&step.id) && !waits_for(plan, step.id).contains(&seam));
                for step in &mut steps {
                    step.needs.retain(|need| !only_read(need));
                    // The steps before the seam have succeeded, so what would follow their failure no longer matters.
                    if waits_for(&before, seam).contains(&step.id) {
                        step.on_failure = OnFailure::Abort;
                    }
                }
                steps
            };
            prop_assert_eq!(independent(&before), independent(&after), "{} {}", seam, text);
            if settings.asked.macs || settings.asked.name {
                // These steps may be new in a plan that is partly carried out, so steps that use settings need them
                // directly.
                for step in [StepId::Network, StepId::Fetch, StepId::Find, StepId::Init].into_iter().filter_map(|id| after.step(id)) {
                    let mut reads = vec![StepId::Links];
                    reads.extend((step.id != StepId::Network).then_some(StepId::Name));
                    reads.retain(|id| after.step(*id).is_some());
                    prop_assert!(reads.iter().all(|read| step.needs.contains(read)), "{} does not wait for {:?}", step.id, reads);
                }
            }
        }
    }

    /// For any content of the sources: a setting that decides trust belongs to the first source that sets it, and plain
    /// http sets nothing that runs as root or decides trust.
    #[test]
    fn trust_has_a_floor(
        files in proptest::collection::vec(proptest::option::of(trusting()), 6),
        words in proptest::collection::vec(prop_oneof![word(), trusted_word()], 0..6),
    ) {
        let sources = [
            Source::Initramfs,
            Source::Credential(Store::Smbios, "dayfly.toml".to_owned()),
            Source::Config,
            Source::Url { secure: true },
            Source::Url { secure: false },
            Source::Image,
        ];
        let mut facts = Facts::from_cmdline(words.join(" "));
        facts.discovered.machine.macs = vec!["02:00:00:00:00:01".parse().unwrap()];
        for (source, text) in sources.into_iter().zip(files) {
            if let Some(text) = text {
                prop_assert!(text.parse::<toml::Table>().is_ok(), "{}", text);
                facts = facts.with_settings(source, text);
            }
        }
        let (settings, _) = gather(&facts);
        let up_to = |place: Place| {
            let mut some = facts.clone();
            some.files.retain(|file| file.source.place() <= place);
            if place < Place::Cmdline {
                some.cmdline = String::new();
            }
            gather(&some).0
        };
        // The values of the most trusted sources are the same with and without the other sources.
        for floor in [Place::Initramfs, Place::Cmdline, Place::Firmware].map(up_to) {
            if let Some(owned) = &floor.image_sha256 {
                prop_assert_eq!(Some(owned), settings.image_sha256.as_ref());
            }
            if !floor.image_keys.is_empty() {
                prop_assert_eq!(&floor.image_keys, &settings.image_keys);
            }
            if floor.image_threshold.source != Source::Default {
                prop_assert_eq!(&floor.image_threshold, &settings.image_threshold);
            }
            if floor.kubelet.ca.is_some() || floor.kubelet.kubeconfig.is_some() {
                prop_assert_eq!(&floor.kubelet.ca, &settings.kubelet.ca);
                prop_assert_eq!(&floor.kubelet.kubeconfig, &settings.kubelet.kubeconfig);
            }
            for (name, script) in &floor.scripts {
                let owned = script.known_hosts.as_ref();
                prop_assert!(owned.is_none() || owned == settings.scripts[name].known_hosts.as_ref());
            }
        }
        prop_assert_eq!(&up_to(Place::Initramfs).settings_trust, &settings.settings_trust);
        let notes = plan(&settings, &facts.discovered).notes.join("\n");
        if let Some(hash) = &settings.image_sha256 {
            prop_assert!(notes.contains(&format!("image.sha256 belongs to {}:", hash.source)), "{}", notes);
        }
        let http = Source::Url { secure: false };
        let is_limited = settings.settings_trust.value == Trust::Limited;
        let floor = up_to(Place::Firmware);
        let decides_image = floor.image_sha256.is_some() || !floor.image_keys.is_empty();
        for row in settings.shown().iter().filter(|row| is_limited && row.source.file() == &http) {
            let class = class_of(&row.name);
            prop_assert!(class == Class::Plain || class == Class::Image && decides_image, "{:?}", row);
        }
        for (name, source) in settings.emptied.iter().filter(|_| is_limited) {
            prop_assert!(source.file() != &http || class_of(name) == Class::Plain, "{}", name);
        }
    }

    #[test]
    fn any_text_is_a_command_line_and_a_settings_file(text in "\\PC{0,400}", file in "\\PC{0,400}") {
        let facts = Facts::from_cmdline(text).with_file(file);
        let (settings, problems) = gather(&facts);
        prop_assert!(problems.iter().all(|problem| !problem.text.is_empty()));
        prop_assert!(!plan(&settings, &facts.discovered).steps.is_empty());
    }
}
