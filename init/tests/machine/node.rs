//! Boots a node, and gives access to its files and its report.

use std::path::Path;
use std::sync::Arc;

use super::{End, Machine, Node, State, sha256, squashfs};

impl Machine {
    /// Boots the image with DHCP and HTTP and these kernel parameters, up to the OS's init.
    pub fn boot_to_the_os(words: &str, prepare: impl FnOnce(&mut State)) -> Arc<Self> {
        let sha256 = sha256(&squashfs(3 << 20));
        let cmdline =
            format!("root=live:http://10.0.2.2/os.squashfs ip=dhcp dayfly.image.sha256={sha256} {words}");
        let machine = Self::new(&cmdline);
        prepare(&mut machine.state());
        let end = machine.boot();
        assert_eq!(end, End::Exec("/sbin/init".to_owned()), "{:?}", machine.state().log);
        machine
    }

    /// The text of a file.
    pub fn file(&self, path: &str) -> Option<String> {
        match self.state().nodes.get(Path::new(path)) {
            Some(Node::File(bytes)) => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        }
    }

    /// A step's row of boot.json.
    pub fn step(&self, name: &str) -> serde_json::Value {
        let report = self.report();
        let steps = report["steps"].as_array().unwrap();
        steps.iter().find(|step| step["step"] == name).unwrap_or_else(|| panic!("no step {name}")).clone()
    }
}
