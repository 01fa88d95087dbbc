//! Compares Dayfly's module resolver with libkmod, over every module of an installed distribution kernel.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dayfly_formats::modules::{ConfFile, KernelFiles, Table};

const CONF_FOLDERS: &[&str] =
    &["/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/lib/modprobe.d"];

/// The newest distribution kernel with modules, which `qemu/provision` installs.
fn kernel() -> PathBuf {
    let folders = fs::read_dir("/lib/modules").into_iter().flatten().flatten().map(|entry| entry.path());
    let found = folders.filter(|folder| folder.join("modules.dep").is_file()).max();
    found.expect("no kernel in /lib/modules; apt-get install linux-image-amd64 kmod")
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// (name, text) of the configuration in these folders, in their order.
fn configuration(folders: &[&Path]) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for folder in folders {
        let paths = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        for path in paths.filter(|path| path.extension().is_some_and(|ext| ext == "conf")) {
            files.push((path.file_name().unwrap().to_str().unwrap().to_owned(), text(&path)));
        }
    }
    files
}

fn table(kernel: &Path, conf: &[(String, String)]) -> Table {
    let read = |name: &str| text(&kernel.join(name));
    let conf: Vec<ConfFile<'_>> = conf.iter().map(|(name, text)| ConfFile { name, text }).collect();
    let table = Table::from_kernel(
        &KernelFiles {
            release: kernel.file_name().unwrap().to_str().unwrap(),
            dep: &read("modules.dep"),
            alias: &read("modules.alias"),
            softdep: &read("modules.softdep"),
            builtin: &read("modules.builtin"),
            builtin_modinfo: &fs::read(kernel.join("modules.builtin.modinfo")).unwrap(),
        },
        &conf,
    );
    assert_eq!(table.notes(), [""; 0], "every line of the kernel's files is understood");
    table
}

/// `path parameters` of each module that modprobe would insert, each once; one list per name.
///
/// The module `mark`, on which nothing depends, separates the names, so that one modprobe can answer for many of them.
fn modprobe_order(kernel: &Path, conf: Option<&Path>, names: &[&str], mark: &str) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for batch in names.chunks(400) {
        let mut command = Command::new("modprobe");
        command.arg("--set-version").arg(kernel.file_name().unwrap());
        if let Some(conf) = conf {
            command.arg("--config").arg(conf);
        }
        command.args(["--show-depends", "--all"]);
        for name in batch {
            command.args([name, &mark]);
        }
        let output = command.output().expect("modprobe runs; apt-get install kmod");
        assert!(output.status.success(), "modprobe: {}", String::from_utf8_lossy(&output.stderr));
        let mut lists = vec![Vec::new()];
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            let Some(insert) = line.strip_prefix("insmod ") else {
                assert!(line.starts_with("builtin "), "{line}");
                continue;
            };
            let insert = insert.trim_end().replace(&format!("{}/", kernel.display()), "");
            let current = lists.last_mut().unwrap();
            if insert.ends_with(&format!("/{mark}.ko")) {
                lists.push(Vec::new());
            } else if !current.contains(&insert) {
                current.push(insert);
            }
        }
        assert_eq!(lists.pop(), Some(Vec::new()));
        assert_eq!(lists.len(), batch.len());
        all.extend(lists);
    }
    all
}

/// What `modprobe NAME` loads: the name may be an alias by configuration.
fn our_order(table: &Table, name: &str) -> Vec<String> {
    let mut order: Vec<String> = Vec::new();
    for module in table.lookup(name) {
        for load in table.load_order(&module).unwrap_or_else(|error| panic!("{error}")) {
            let insert = format!("{} {}", load.path, load.params).trim_end().to_owned();
            if !order.contains(&insert) {
                order.push(insert);
            }
        }
    }
    order
}

/// A module without dependencies that no other mentions.
const MARK: &str = "pcspkr";

fn assert_same_orders(kernel: &Path, table: &Table, conf: Option<&Path>) -> usize {
    let names: Vec<&str> = table.names().filter(|name| *name != MARK).collect();
    let oracle = modprobe_order(kernel, conf, &names, MARK);
    let differing: Vec<String> = names
        .iter()
        .zip(&oracle)
        .map(|(name, expected)| (name, our_order(table, name), expected))
        .filter(|(_, ours, expected)| ours != *expected)
        .map(|(name, ours, expected)| format!("{name}:\n  ours     {ours:?}\n  modprobe {expected:?}"))
        .collect();
    assert!(differing.is_empty(), "{} differ\n{}", differing.len(), differing.join("\n"));
    names.len()
}

#[test]
fn every_module_loads_in_the_order_of_modprobe() {
    let kernel = kernel();
    let folders: Vec<&Path> = CONF_FOLDERS.iter().map(Path::new).collect();
    let table = table(&kernel, &configuration(&folders));
    let count = assert_same_orders(&kernel, &table, None);
    assert!(count > 3000, "only {count} modules: is this the kernel of a distribution?");
}

#[test]
fn configuration_is_followed_as_modprobe_follows_it() {
    let kernel = kernel();
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        (
            "aa.conf",
            "options e1000e debug=1\nsoftdep virtio_net pre: e1000 post: loop zram\nsoftdep nosuch pre: loop\n",
        ),
        ("bb.conf", "# none\noptions virtio-net napi_tx=0 \\\n  gso=1\nalias e100 e1000\nblacklist igb\n"),
        (
            "zz.conf",
            "options e1000e\tcopybreak=7\nsoftdep r8169 pre: loop\nsoftdep virtio_net pre: nbd\nsoftdep snd* pre: loop\n",
        ),
        ("ignored.txt", "options loop max_loop=3\n"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let table = table(&kernel, &configuration(&[folder.path()]));
    assert_same_orders(&kernel, &table, Some(folder.path()));
    assert_eq!(our_order(&table, "e1000e").last().unwrap().split_once(' ').unwrap().1, "debug=1 copybreak=7");
}

#[test]
fn dependencies_and_options_are_those_of_libkmod() {
    let kernel = kernel();
    let folders: Vec<&Path> = CONF_FOLDERS.iter().map(Path::new).collect();
    let table = table(&kernel, &configuration(&folders));
    let oracle = kmod::Context::new_with_dirname(&kernel).unwrap();
    for name in table.names() {
        let module = oracle.module_new_from_name(name).unwrap();
        let mut expected: BTreeSet<String> =
            module.dependencies().map(|dependency| dependency.name().to_str().unwrap().to_owned()).collect();
        expected.insert(name.to_owned());
        let loads = table.load_order(name).unwrap();
        let ours: BTreeSet<String> =
            loads.iter().filter(|load| load.required).map(|load| load.name.clone()).collect();
        assert_eq!(ours, expected, "{name}");
        let params = &loads.iter().find(|load| load.name == name).unwrap().params;
        assert_eq!(params, module.options().map_or("", |options| options.to_str().unwrap()), "{name}");
    }
}

/// Texts that match the pattern: each wildcard as nothing and as something, each class as its first member.
fn instances(pattern: &str) -> [String; 2] {
    ["", "0x7"].map(|star| {
        let mut text = String::new();
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            match c {
                '*' => text.push_str(star),
                '?' => text.push('0'),
                '[' => {
                    text.push(chars.next().unwrap());
                    assert!(chars.by_ref().any(|c| c == ']'), "{pattern}");
                }
                _ => text.push(c),
            }
        }
        text
    })
}

#[test]
fn aliases_choose_the_modules_that_libkmod_chooses() {
    let kernel = kernel();
    let folders: Vec<&Path> = CONF_FOLDERS.iter().map(Path::new).collect();
    let conf = configuration(&folders);
    let blacklist: BTreeSet<String> = conf
        .iter()
        .flat_map(|(_, text)| text.lines())
        .filter_map(|line| line.strip_prefix("blacklist "))
        .map(|name| name.trim().replace('-', "_"))
        .collect();
    assert!(blacklist.contains("radeonfb"), "Debian's list is missing; apt-get install kmod");
    let table = table(&kernel, &conf);
    let oracle = kmod::Context::new_with_dirname(&kernel).unwrap();

    let aliases = text(&kernel.join("modules.alias"));
    let patterns =
        aliases.lines().filter_map(|line| line.strip_prefix("alias ")?.rsplit_once(' ')).map(|pair| pair.0);
    let mut queries: Vec<String> = patterns.step_by(5).flat_map(instances).collect();
    let modinfo = fs::read(kernel.join("modules.builtin.modinfo")).unwrap();
    let builtin_aliases = modinfo.split(|byte| *byte == 0).filter_map(|record| {
        let (module, alias) = std::str::from_utf8(record).ok()?.split_once(".alias=")?;
        (!module.contains('=')).then(|| instances(alias))
    });
    queries.extend(builtin_aliases.flatten());
    queries.extend(table.names().step_by(9).map(str::to_owned));
    let builtin = text(&kernel.join("modules.builtin"));
    queries.extend(builtin.lines().map(|path| path.rsplit('/').next().unwrap().replace(".ko", "")));
    queries.extend(sysfs_modaliases());
    for odd in [
        "",
        "nosuch",
        "pci:",
        "pci:v*",
        "usb:v1645p0007d0123dc",
        "radeonfb",
        "snd-pcsp",
        "crypto-crc32c",
        "a]",
        "[",
        "x[y",
    ] {
        queries.push(odd.to_owned());
    }

    let mut found = 0;
    for query in &queries {
        let mut expected: Vec<String> = Vec::new();
        // libkmod fails on unbalanced brackets; Dayfly finds nothing.
        for module in oracle.module_new_from_lookup(query).into_iter().flatten() {
            let name = module.name().to_str().unwrap().to_owned();
            let by_name = query.replace('-', "_") == name;
            if !expected.contains(&name) && (by_name || !blacklist.contains(&name)) {
                expected.push(name);
            }
        }
        assert_eq!(table.lookup(query), expected, "{query}");
        found += usize::from(!expected.is_empty());
    }
    assert!(queries.len() > 8000 && found > 4000, "{found} of {} queries found a module", queries.len());
}

/// The modaliases of this machine's own devices.
fn sysfs_modaliases() -> Vec<String> {
    let mut aliases = Vec::new();
    let mut folders = vec![PathBuf::from("/sys/devices")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            } else if entry.file_name() == "modalias" {
                aliases.extend(fs::read_to_string(entry.path()).ok().map(|text| text.trim_end().to_owned()));
            }
        }
    }
    aliases
}

#[test]
fn an_index_answers_as_the_whole_tree_does() {
    let kernel = kernel();
    let full = table(&kernel, &[]);
    let names = [
        "virtio_net",
        "virtio_pci",
        "virtio_blk",
        "ext4",
        "btrfs",
        "mlx5_core",
        "r8169",
        "nvme",
        "usb_storage",
    ];
    let index = full.subset(&names).unwrap().encode();
    assert!(index.len() < 512 * 1024, "the index has {} bytes", index.len());
    let subset = Table::decode(&index).unwrap();
    for name in subset.names() {
        assert_eq!(our_order(&subset, name), our_order(&full, name), "{name}");
    }
    for (modalias, expected, left_out) in [
        ("virtio:d00000001v00001AF4", vec!["virtio_net"], vec![]),
        ("pci:v000015B3d00001017sv000015B3sd00000020bc02sc00i00", vec!["mlx5_core"], vec![]),
        ("pci:v00008086d00001533sv00008086sd00000001bc02sc00i00", vec![], vec!["igb"]),
        ("pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01", vec![], vec!["ahci"]),
        ("usb:v0BDAp8152d2000dc00dsc00dp00icFFiscFFip00in00", vec![], vec!["r8152"]),
    ] {
        assert_eq!(subset.lookup(modalias), expected, "{modalias}");
        assert_eq!(subset.left_out(modalias), left_out, "{modalias}");
    }
}
