//! modprobe.d(5) files, and `modules.softdep`, which has the same syntax.

use super::glob;

/// A configuration file, such as `/etc/modprobe.d/*.conf`.
#[derive(Debug, Clone, Copy)]
pub struct ConfFile<'a> {
    /// The file's name without its directory, `blacklist.conf`. It decides the order. A file hides later files with the
    /// same name.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// `softdep NAME pre: … post: …`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Softdep {
    /// A pattern for module names.
    pub name: String,
    pub pre: Vec<String>,
    pub post: Vec<String>,
}

/// The content of all configuration files.
#[derive(Debug, Clone, Default)]
pub(super) struct Conf {
    /// (pattern, module), in order.
    pub aliases: Vec<(String, String)>,
    /// (module, parameters), in order. Several lines for a module are combined.
    pub options: Vec<(String, String)>,
    pub softdeps: Vec<Softdep>,
    pub blacklist: Vec<String>,
    /// Modules whose `install` command does nothing. They are never loaded.
    pub never: Vec<String>,
    /// Lines that are invalid or not supported, as complete sentences.
    pub notes: Vec<String>,
}

impl Conf {
    /// Adds the lines of one file.
    pub(super) fn read(&mut self, file: ConfFile<'_>) {
        let mut joined = String::new();
        for line in file.text.lines() {
            let continued = line.strip_suffix('\\');
            if !joined.is_empty() || continued.is_some() {
                joined.push_str(continued.unwrap_or(line));
                if continued.is_none() {
                    self.statement(file.name, &joined);
                    joined.clear();
                }
            } else {
                self.statement(file.name, line);
            }
        }
        self.statement(file.name, &joined);
    }

    /// Adds a `module.parameter=value` of the kernel command line, or `modprobe.blacklist=a,b`. Others are ignored.
    pub(super) fn parameter(&mut self, key: &str, value: Option<&str>) {
        let Some((module, parameter)) = key.split_once('.') else { return };
        let Some(module) = glob::normalize(module).filter(|name| !name.is_empty()) else { return };
        match value {
            Some(names) if module == "modprobe" && parameter == "blacklist" => {
                self.blacklist.extend(names.split(',').filter_map(glob::normalize).filter(|n| !n.is_empty()));
            }
            _ if module == "modprobe" || parameter.is_empty() => {}
            Some(value) if value.contains(char::is_whitespace) => {
                self.options.push((module, format!("{parameter}=\"{value}\"")));
            }
            Some(value) => self.options.push((module, format!("{parameter}={value}"))),
            None => self.options.push((module, parameter.to_owned())),
        }
    }

    fn statement(&mut self, file: &str, line: &str) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return;
        }
        if self.understand(file, line).is_none() {
            self.notes.push(format!("{file}: {line:?} is not a statement of modprobe.d(5); it is ignored"));
        }
    }

    /// Reads a statement. `None` if it is invalid.
    fn understand(&mut self, file: &str, line: &str) -> Option<()> {
        let (keyword, rest) = split_word(line);
        let (name, rest) = split_word(rest);
        let name = glob::normalize(name).filter(|name| !name.is_empty())?;
        match keyword {
            "alias" => {
                let module = glob::normalize(split_word(rest).0).filter(|module| !module.is_empty())?;
                self.aliases.push((name, module));
            }
            "blacklist" => self.blacklist.push(name),
            "options" if rest.is_empty() => return None,
            "options" => self.options.push((name, rest.replace('\t', " "))),
            "softdep" => self.softdeps.push(softdep(name, rest)),
            "install" if does_nothing(rest) => self.never.push(name),
            "install" => self.notes.push(format!(
                "{file}: install {name}: a command cannot be run at boot; the module itself is loaded instead"
            )),
            // The boot does not unload modules. Weak dependencies are only for image builders that include optional
            // modules.
            "remove" | "weakdep" => {}
            _ => return None,
        }
        Some(())
    }

    /// The parameters for a module from all lines, separated by a space.
    pub(super) fn options_of(&self, module: &str) -> String {
        let mut all = String::new();
        for (_, options) in self.options.iter().filter(|(name, _)| name == module) {
            if !all.is_empty() {
                all.push(' ');
            }
            all.push_str(options);
        }
        all
    }

    /// The soft dependencies of a module. As in libkmod, only the first line that names it counts.
    pub(super) fn softdep_of(&self, module: &str) -> Option<&Softdep> {
        self.softdeps.iter().find(|s| glob::matches(s.name.as_bytes(), module.as_bytes()))
    }
}

fn softdep(name: String, words: &str) -> Softdep {
    let mut softdep = Softdep { name, pre: Vec::new(), post: Vec::new() };
    let mut side: Option<bool> = None;
    for word in words.split_ascii_whitespace() {
        match (word, side) {
            ("pre:", _) => side = Some(false),
            ("post:", _) => side = Some(true),
            (_, Some(false)) => softdep.pre.push(word.to_owned()),
            (_, Some(true)) => softdep.post.push(word.to_owned()),
            // libkmod ignores names before `pre:` and `post:`, as in `softdep cifs gcm`.
            (_, None) => {}
        }
    }
    softdep
}

fn does_nothing(command: &str) -> bool {
    let program = split_word(command).0;
    matches!(program.rsplit('/').next(), Some("true" | "false" | ":"))
}

/// The first word, and the rest.
fn split_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    (word, rest.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Conf {
        let mut conf = Conf::default();
        conf.read(ConfFile { name: "x.conf", text });
        conf
    }

    #[test]
    fn statements_are_understood() {
        let conf = read(
            "# comment\nalias  eth0\te1000e\noptions snd-pcsp  index=-2 enable=1\noptions snd_pcsp \\\n  nopcm=1\n\
             blacklist pcspkr\ninstall dccp /bin/false\ninstall usb-storage /usr/bin/true # why\n\
             install ipv6 /sbin/foo\nremove x y\nsoftdep uhci-hcd pre: ehci-hcd a-b post: c\nsoftdep cifs gcm\n",
        );
        assert_eq!(conf.aliases, [("eth0".into(), "e1000e".into())]);
        assert_eq!(conf.options_of("snd_pcsp"), "index=-2 enable=1 nopcm=1");
        assert_eq!(conf.options_of("pcsp"), "");
        assert_eq!(conf.blacklist, ["pcspkr"]);
        assert_eq!(conf.never, ["dccp", "usb_storage"]);
        let dep = conf.softdep_of("uhci_hcd").expect("the softdep was read");
        assert_eq!(
            (dep.pre.as_slice(), dep.post.as_slice()),
            (&["ehci-hcd".into(), "a-b".into()][..], &["c".into()][..])
        );
        assert_eq!(conf.softdep_of("cifs").map(|s| s.pre.len()), Some(0));
        assert_eq!(
            conf.notes,
            ["x.conf: install ipv6: a command cannot be run at boot; the module itself is loaded instead"]
        );
    }

    #[test]
    fn only_the_first_softdep_of_a_module_counts() {
        let conf = read("softdep r8169 pre: a\nsoftdep r8169 pre: b\nsoftdep ext* post: c");
        assert_eq!(conf.softdep_of("r8169").map(|s| s.pre.clone()), Some(vec!["a".to_owned()]));
        assert_eq!(conf.softdep_of("ext4").map(|s| s.post.clone()), Some(vec!["c".to_owned()]));
    }

    #[test]
    fn a_line_that_is_not_understood_is_noted() {
        for line in ["foo bar", "alias x", "alias", "options x", "blacklist", "alias a] b", "include /x"] {
            let conf = read(line);
            assert_eq!(
                conf.notes,
                [format!("x.conf: {line:?} is not a statement of modprobe.d(5); it is ignored")]
            );
        }
    }

    #[test]
    fn kernel_parameters_become_options() {
        let mut conf = Conf::default();
        for (key, value) in [
            ("e1000e.debug", Some("16")),
            ("usb-storage.quirks", Some("a b")),
            ("loop.flag", None),
            ("modprobe.blacklist", Some("nouveau,snd-hda,")),
            ("quiet", None),
            ("console", Some("ttyS0")),
            (".x", Some("1")),
        ] {
            conf.parameter(key, value);
        }
        assert_eq!(conf.options_of("e1000e"), "debug=16");
        assert_eq!(conf.options_of("usb_storage"), "quirks=\"a b\"");
        assert_eq!(conf.options_of("loop"), "flag");
        assert_eq!(conf.options.len(), 3);
        assert_eq!(conf.blacklist, ["nouveau", "snd_hda"]);
    }
}
