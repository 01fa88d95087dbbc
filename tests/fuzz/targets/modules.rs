//! depmod's and modprobe's files, with any contents: the table is built, queried and written without a panic.
//!
//! The input has parts that are separated by a line `%%`: dep, alias, softdep, builtin, builtin.modinfo, a modprobe.d file, a name or
//! modalias to look up, and an index as the table writes it.
#![no_main]

use dayfly_formats::modules::{ConfFile, KernelFiles, Table};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut parts = text.split("\n%%\n");
    let mut part = || parts.next().unwrap_or_default();
    let files = KernelFiles {
        release: "6.1.0",
        dep: part(),
        alias: part(),
        softdep: part(),
        builtin: part(),
        builtin_modinfo: part().as_bytes(),
    };
    let conf = [ConfFile { name: "a.conf", text: part() }];
    let query = part();
    let table = Table::from_kernel(&files, &conf);
    for name in table.lookup(query) {
        // An error names a loop or a missing module. It must only not panic.
        let _ = table.load_order(&name);
    }
    // Input that depmod never writes (blanks in an alias, an empty name) may be lost on the first way through the index, but
    // nothing more on the second. With control characters other than line ends, tabs and NUL, only the absence of panics is checked.
    let once = Table::decode(&table.encode()).expect("the table's own index is read");
    let written = once.encode();
    let twice = Table::decode(&written).expect("the index of an index is read");
    if !text.contains(|c: char| c.is_control() && !['\n', '\t', '\0'].contains(&c)) {
        assert_eq!(twice.encode(), written);
        assert_eq!(twice.lookup(query), once.lookup(query));
    }
    if let Ok(table) = Table::decode(part()) {
        table.lookup(query);
    }
});
