//! Images that a signed manifest names, built and signed by `dayfly image` and served by nginx.

use std::{fs, path::Path, process::Command};

use anyhow::{Result, ensure};
use dayfly_qemu::{command::output, image::Image, server::HttpServer, vm::Nic};
use tempfile::TempDir;

use crate::{
    Scenario,
    lab::{Lab, attempts, boot, dayfly, fails, image_path, step},
    same,
};

pub const SCENARIOS: &[Scenario] =
    &[("signed_image_boots", signed_image_boots), ("unsigned_image_is_refused", unsigned_image_is_refused)];

/// A server with an image of two layers, and a key.
struct Signed {
    folder: TempDir,
    server: HttpServer,
}

impl Signed {
    fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name).display().to_string();
        call(&["image", "keys", "new", &path("key"), "--no-password"])?;
        // The image, and on top of it the files of a site.
        fs::create_dir_all(folder.path().join("site/etc"))?;
        fs::write(folder.path().join("site/etc/motd"), "the site's own layer\n")?;
        let os = image_path(Image::Small)?.display().to_string();
        let (site, key, www) = (path("site"), path("key.key"), path("www"));
        call(&["image", "build", &os, &site, "--output", &www, "--name", "small", "--sign", &key])?;
        let server = HttpServer::start(&folder.path().join("www"))?;
        let line = fs::read_to_string(path("key.pub"))?;
        let public = line.lines().nth(1).unwrap_or_default();
        fs::write(path("dayfly.toml"), format!("version = 1\nimage.keys = [\"{public}\"]\n"))?;
        Ok(Self { folder, server })
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn parameters(&self) -> String {
        format!("root=live:{} ip=dhcp rd.retry=10 panic=2", self.server.guest_url("small.json"))
    }
}

fn call(arguments: &[&str]) -> Result<String> {
    output(Command::new(dayfly()?).args(arguments), b"")
}

fn signed_image_boots(lab: &Lab) -> Result<()> {
    let signed = Signed::start()?;
    let settings = signed.path("dayfly.toml");
    let initramfs = lab.own_initramfs(&["--settings", &settings])?;
    let node = lab.bare_node(&initramfs)?.nic(Nic::user()).cmdline(&signed.parameters());
    let manifest = signed.path("www/small.json");
    let vm = boot(node.explain(&["--settings", &settings, "--manifest", &manifest]))?;
    let report = vm.boot_json()?;
    same!(report["image"]["name"], "small");
    same!(report["image"]["version"], 1);
    same!(report["image"]["signers"].as_array().map(Vec::len), Some(1));
    same!(step(&report, "verify")?["outcome"], "done");
    for step in ["manifest", "fetch", "verify"] {
        same!(attempts(&report, step).len(), 1, "attempts of {step}");
    }
    let requests = signed.server.requests()?;
    let paths: Vec<&str> = requests.iter().map(|request| request.uri.as_str()).collect();
    // The manifest, one signature, the config, two layers.
    same!(paths.len(), 5, "{paths:?}");
    same!(vm.check("cat /etc/motd")?, "the site's own layer");
    Ok(())
}

/// The server changes the config and signs nothing: the console names the signature, and the layers are never requested.
fn unsigned_image_is_refused(lab: &Lab) -> Result<()> {
    let signed = Signed::start()?;
    let settings = signed.path("dayfly.toml");
    let initramfs = lab.own_initramfs(&["--settings", &settings])?;
    let manifest = signed.path("www/small.json");
    let text = fs::read_to_string(&manifest)?;
    // A blank at the end changes no value, only the bytes.
    fs::write(Path::new(&manifest), format!("{text} "))?;
    let node = lab.bare_node(&initramfs)?.nic(Nic::user()).cmdline(&signed.parameters());
    let console = fails(node, "image.signature")?;
    ensure!(console.contains("0 of 1 needed signatures are valid"), "the console does not say what is wrong");
    let requests = signed.server.requests()?;
    ensure!(
        requests.iter().all(|request| request.uri.contains("small.json")),
        "more than manifest and signature was requested: {requests:?}"
    );
    Ok(())
}
