//! The script's text, and how iPXE interprets text.
//!
//! iPXE splits a line at white space, ends a command at a word `||`, `&&` or `;` and a line at a word that begins with `#`, then
//! replaces `${…}` in each word, and passes the words to the kernel, joined by single spaces. There is no quoting (iPXE's `core/exec.c`).

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Result, anyhow, bail};
use dayfly_formats::cmdline::{Cmdline, same_key};
use dayfly_plan::settings::value::Url;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The characters that a URL's path has unescaped (RFC 3986, section 2.3). `$`, `#` and spaces have a meaning for iPXE.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// The longest kernel command line, in bytes (COMMAND_LINE_SIZE of x86 and arm64, less its zero). iPXE cuts longer ones silently.
const LONGEST: usize = 2047;

/// The initramfs's name in iPXE. A kernel that UEFI starts asks iPXE for it by this name.
const INITRD: &str = "initramfs.img";

/// The URL of the served folder, with a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base(String);

impl FromStr for Base {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let example = expanded(text);
        let _: Url = example.parse().map_err(|error: String| anyhow!("--url: {error}"))?;
        // RFC 3986, appendix A, without the characters that begin a query or a fragment.
        let odd = |c: &char| !c.is_ascii_alphanumeric() && !"-._~:/[]@!$&'()*+,;=%".contains(*c);
        if let Some(odd) = example.chars().find(odd) {
            bail!("--url {text}: the URL of a folder cannot have the character {odd:?}");
        }
        Ok(Self(format!("{}/", text.trim_end_matches('/'))))
    }
}

/// The inputs of the script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The URL of the served folder.
    pub base: Base,
    /// The kernel's path below it.
    pub kernel: String,
    /// The initramfs's path.
    pub initramfs: String,
    /// The image's path, and its SHA-256.
    pub image: Option<(String, String)>,
    /// More kernel parameters, as [`parameters`] gives them.
    pub more: String,
}

impl Script {
    /// The kernel command line, as the script has it.
    fn cmdline(&self, base: &str) -> String {
        let mut words = vec![format!("initrd={INITRD}")];
        if let Some((image, _)) = &self.image {
            words.push(format!("root=live:{base}{}", escape(image)));
        }
        words.push("BOOTIF=01-${netX/mac:hexhyp}".to_owned());
        if let Some((_, sha256)) = &self.image {
            words.push(format!("dayfly.image.sha256={sha256}"));
        }
        words.extend(self.more.split_ascii_whitespace().map(str::to_owned));
        words.join(" ")
    }

    /// An example of the command line that a kernel gets by this script, with sample values for what iPXE expands. Leaves out the
    /// caller's parameters with `${…}`, since their values are unknown.
    pub fn example(&self) -> Result<String> {
        let known = self.more.split(' ').filter(|word| !word.contains("${")).collect::<Vec<_>>().join(" ");
        let example = expanded(&Self { more: known, ..self.clone() }.cmdline(&expanded(&self.base.0)));
        // UEFI puts the kernel's name before it.
        let name =
            Path::new(&self.kernel).file_name().map_or(0, |name| escape(&name.to_string_lossy()).len() + 1);
        let length = name + expanded(&self.cmdline(&expanded(&self.base.0))).len();
        if length > LONGEST {
            bail!(
                "the kernel command line has {length} bytes, and the kernel takes {LONGEST}: shorten --cmdline, or put settings into a file (dayfly initramfs --settings)"
            );
        }
        Ok(example)
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (base, cmdline) = (&self.base.0, self.cmdline("${base}"));
        let (kernel, initramfs) = (escape(&self.kernel), escape(&self.initramfs));
        write!(
            f,
            "#!ipxe\n\
             # Written by dayfly ipxe {version}. It has the SHA-256 of the image: write it again for every new image.\n\
             # netX is the interface that iPXE booted from.\n\
             set base {base}\n\
             \n\
             :start\n\
             isset ${{netX/ip}} || dhcp || goto failed\n\
             imgfree\n\
             kernel ${{base}}{kernel} {cmdline} || goto failed\n\
             initrd --name {INITRD} ${{base}}{initramfs} || goto failed\n\
             boot || goto failed\n\
             \n\
             :failed\n\
             echo The boot failed; see the messages above.\n\
             prompt --key s --timeout 10000 Press s within 10 s for a shell (exit leaves it), or wait for the next try && shell ||\n\
             dhcp netX ||\n\
             goto start\n",
            version = env!("CARGO_PKG_VERSION"),
        )
    }
}

/// Percent-encodes a path for a URL.
fn escape(path: &str) -> String {
    utf8_percent_encode(path, ESCAPED).to_string()
}

/// The parameters of a kernel command line, with one space between them. Refuses those whose meaning iPXE would change.
pub fn parameters(text: &str) -> Result<String> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let joined = words.join(" ");
    if let Some(word) = words.iter().find(|word| word.starts_with('#') || ["||", "&&", ";"].contains(word)) {
        bail!("--cmdline: iPXE ends the command at the word {word}, and has no quoting");
    }
    if let Some(odd) = text.chars().find(|c| c.is_control() && !c.is_ascii_whitespace()) {
        bail!("--cmdline: the character {odd:?} cannot be in an iPXE script");
    }
    if Cmdline::parse(text) != Cmdline::parse(&joined) {
        bail!(
            "--cmdline: a quoted value has white space other than single spaces, which iPXE turns into one space"
        );
    }
    Ok(joined)
}

/// Whether a command line names the image, or a source of settings that may name it.
pub fn names_an_image(cmdline: &str) -> bool {
    ["root", "dayfly.image.url", "dayfly.image.device", "dayfly.settings.url"]
        .iter()
        .any(|wanted| Cmdline::parse(cmdline).words().iter().any(|word| same_key(&word.key, wanted)))
}

/// `text` with an example for each `${…}`: a MAC address in the requested format, else a word.
fn expanded(text: &str) -> String {
    let mut rest = text;
    let mut done = String::new();
    while let Some((before, after)) = rest.split_once("${") {
        let Some((setting, after)) = after.split_once('}') else { break };
        done.push_str(before);
        let name = setting.rsplit('/').next().unwrap_or_default();
        done.push_str(match name {
            "mac" | "mac:hex" => "52:54:00:12:34:56",
            "mac:hexhyp" => "52-54-00-12-34-56",
            "mac:hexraw" => "525400123456",
            _ => "example",
        });
        rest = after;
    }
    done + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(more: &str) -> Script {
        Script {
            base: "http://boot:8080/".parse().expect("a URL"),
            kernel: "vmlinuz".into(),
            initramfs: "initramfs.img".into(),
            image: Some(("os.squashfs".into(), "0".repeat(64))),
            more: more.into(),
        }
    }

    #[test]
    fn parameters_reach_the_kernel_as_they_are_meant() {
        for (text, expected) in [
            ("", ""),
            ("  console=ttyS0\t quiet\n", "console=ttyS0 quiet"),
            ("a=\"b c\" d", "a=\"b c\" d"),
            ("\"a=b c\"", "\"a=b c\""),
            ("dayfly.hostname=n-${serial}", "dayfly.hostname=n-${serial}"),
            ("a=b#c a=;b a=x||y -- --single", "a=b#c a=;b a=x||y -- --single"),
        ] {
            assert_eq!(parameters(text).expect("fine"), expected, "{text:?}");
        }
        for (text, reason) in [
            ("quiet #x", "#x"),
            ("quiet || reboot", "||"),
            ("a && b", "&&"),
            ("a ; b", ";"),
            ("a=\"b  c\"", "white space"),
            ("a=\"b\tc\"", "white space"),
            ("a=\"b\nc\"", "white space"),
            ("a\u{1b}[1m", "'\\u{1b}'"),
        ] {
            let error = parameters(text).expect_err(text).to_string();
            assert!(error.contains(reason), "{text:?}: {error}");
        }
    }

    #[test]
    fn base_urls() {
        for (text, base) in [
            ("http://boot", "http://boot/"),
            ("http://boot:8080/", "http://boot:8080/"),
            ("https://[2001:db8::1]/a/b//", "https://[2001:db8::1]/a/b/"),
            ("http://${next-server}:8080/", "http://${next-server}:8080/"),
        ] {
            assert_eq!(text.parse::<Base>().expect("a URL"), Base(base.into()), "{text}");
        }
        for text in [
            "boot:8080",
            "ftp://boot/",
            "http://",
            "http://boot:0/",
            "http://me:secret@boot/",
            "http://boot/?a",
            "http://boot/#a",
            "http://boot/\"",
            "http://boot/a b",
            "http://${boot/",
        ] {
            assert!(text.parse::<Base>().is_err(), "{text}");
        }
    }

    #[test]
    fn paths_have_nothing_that_ipxe_reads() {
        let odd = "sub/a b#c${d}||%\u{e9}.img";
        assert_eq!(escape(odd), "sub/a%20b%23c%24%7Bd%7D%7C%7C%25%C3%A9.img");
        let text = Script { kernel: odd.into(), initramfs: odd.into(), ..script("") }.to_string();
        assert_eq!(text.matches(&escape(odd)).count(), 2, "{text}");
    }

    #[test]
    fn the_example_is_what_a_kernel_may_get() {
        let line = script("quiet dayfly.hostname=${serial} ro").example().expect("fits");
        let wanted = format!(
            "initrd=initramfs.img root=live:http://boot:8080/os.squashfs BOOTIF=01-52-54-00-12-34-56 \
             dayfly.image.sha256={} quiet ro",
            "0".repeat(64)
        );
        assert_eq!(line, wanted);
        let room = LONGEST - "vmlinuz ".len() - script("").example().expect("fits").len() - " ".len();
        assert!(script(&"x".repeat(room)).example().is_ok());
        assert!(script(&"x".repeat(room + 1)).example().is_err());
    }

    #[test]
    fn a_command_line_may_name_the_image_itself() {
        for (line, names) in [
            ("quiet", false),
            ("root=live:LABEL=images", true),
            ("dayfly.image.url=http://x/y", true),
            ("dayfly.settings-url=http://x/y", false),
            ("dayfly.settings.url=http://x/y", true),
            ("xroot=1 a=\"root=live:x\" -- root=x", false),
        ] {
            assert_eq!(names_an_image(line), names, "{line}");
        }
        let text = Script { image: None, ..script("root=live:LABEL=images") }.to_string();
        assert!(!text.contains("sha256=") && text.contains(" root=live:LABEL=images "), "{text}");
    }
}
