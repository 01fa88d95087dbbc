//! Helpers of the scenarios: builds, images and servers, made only when a scenario needs them, and queries to a node.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, anyhow, ensure};
use dayfly_qemu::{
    dracut::{Built, Dracut},
    image::{Image, Images, Installed},
    kernel::Kernel,
    product::Product,
    server::HttpServer,
    vm::{Builder, Ending, Nic, Vm},
};
use serde_json::Value;
use tempfile::TempDir;

use crate::same;

/// How long a boot to multi-user may take: about 25 s under TCG on a quiet host, and CI hosts are not quiet.
pub const BOOT: Duration = Duration::from_secs(240);

/// The environment of one scenario.
pub struct Lab {
    name: &'static str,
}

/// An image, its hash, and the server that has it.
pub struct Site {
    /// Serves the image as `os.squashfs`.
    pub server: HttpServer,
    /// The SHA-256 of the image.
    pub sha256: String,
    /// The folder of the server, removed with the site.
    folder: TempDir,
}

impl Site {
    /// A site that serves an image over HTTP.
    pub fn start(image: Image) -> Result<Self> {
        let mut site = Self::prepare(image)?;
        site.server.up()?;
        Ok(site)
    }

    /// A site whose server is not started yet.
    pub fn prepare(image: Image) -> Result<Self> {
        let (folder, sha256) = folder(image)?;
        Ok(Self { server: HttpServer::prepare(folder.path(), "")?, sha256, folder })
    }

    /// Serves a text beside the image.
    pub fn write(&self, path: &str, text: &str) -> Result<()> {
        let file = self.folder.path().join(path);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(fs::write(file, text)?)
    }

    /// A site that serves an image over HTTPS.
    pub fn start_tls(image: Image) -> Result<Self> {
        let (folder, sha256) = folder(image)?;
        Ok(Self { server: HttpServer::start_tls(folder.path())?, sha256, folder })
    }

    /// The folder of the server.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Serves the image under another name too.
    pub fn serve_as(&self, name: &str) -> Result<()> {
        let folder = self.folder.path();
        fs::hard_link(folder.join("os.squashfs"), folder.join(name))
            .with_context(|| format!("cannot serve the image as {name}"))
    }

    /// The kernel parameters for a boot from here by DHCP, with the right hash.
    pub fn parameters(&self) -> String {
        self.parameters_for(&self.server.guest_url("os.squashfs"))
    }

    /// The same with another URL of the image.
    pub fn parameters_for(&self, url: &str) -> String {
        format!("root=live:{url} ip=dhcp rd.neednet=1 dayfly.image.sha256={}", self.sha256)
    }
}

impl Lab {
    /// The environment of the scenario with that name.
    pub fn new(name: &'static str) -> Self {
        Self { name }
    }

    /// The scenario's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The file for the console's log.
    pub fn log(&self) -> Result<PathBuf> {
        Ok(product()?.folder("logs")?.join(format!("{}.log", self.name)))
    }

    /// An initramfs for this scenario alone, with more arguments of `dayfly initramfs`.
    pub fn own_initramfs(&self, more: &[&str]) -> Result<PathBuf> {
        build(self.name, "", more)
    }

    /// A node with the default initramfs, one card on the user network, and its log in the usual folder.
    pub fn node(&self) -> Result<Builder> {
        Ok(self.bare_node(initramfs()?)?.nic(Nic::user()))
    }

    /// A node that boots from the network with the iPXE script at that URL; it has no card yet.
    pub fn netboot(&self, script: &str) -> Result<Builder> {
        Ok(Builder::new(self.name).netboot(script).log(self.log()?))
    }

    /// A node with that initramfs and no card.
    pub fn bare_node(&self, initramfs: &Path) -> Result<Builder> {
        Ok(Builder::new(self.name).initrd(initramfs).log(self.log()?))
    }
}

/// The host's kernel.
pub fn kernel() -> Result<&'static Kernel> {
    static KERNEL: OnceLock<Result<Kernel, String>> = OnceLock::new();
    once(&KERNEL, Kernel::of_host)
}

/// The checkout's folder.
pub fn root() -> Result<&'static Path> {
    Ok(product()?.root())
}

/// The path of a test image.
pub fn image_path(image: Image) -> Result<PathBuf> {
    images()?.get(image)
}

/// The path of the server image with this k0s in it.
pub fn image_with_k0s(program: &Path) -> Result<PathBuf> {
    images()?.with_k0s(program)
}

/// The `dayfly` command.
pub fn dayfly() -> Result<&'static PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    once(&BUILT, || product()?.dayfly())
}

/// The installed Debian.
pub fn installed() -> Result<Installed> {
    images()?.installed()
}

/// The init alone.
pub fn init() -> Result<PathBuf> {
    build_init("")
}

/// The initramfs with the default init.
pub fn initramfs() -> Result<&'static PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    once(&BUILT, || build("default", "", &[]))
}

/// The initramfs with the init that supports `dayfly.fault=`.
pub fn fault_initramfs() -> Result<&'static PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    once(&BUILT, || build("fault", "fault", &[]))
}

/// An initramfs that dracut built with Dayfly's module, with the default init, and its kernel.
pub fn dracut(kind: Dracut) -> Result<Built> {
    kind.build(product()?, &build_init("")?)
}

/// An initramfs with the default init for a kernel that is not the host's.
pub fn initramfs_for(name: &str, kernel: &Kernel) -> Result<PathBuf> {
    let modules = kernel.modules.to_string_lossy();
    product()?.initramfs(name, &build_init("")?, kernel, &["--modules", &modules])
}

/// The kernel of [`Image::Debian13`].
pub fn debian13_kernel() -> Result<Kernel> {
    images()?.debian13_kernel()
}

fn build(name: &str, features: &str, more: &[&str]) -> Result<PathBuf> {
    let init = build_init(features)?;
    product()?.initramfs(name, &init, kernel()?, more)
}

fn build_init(features: &str) -> Result<PathBuf> {
    // Cargo writes the init to the same path with any features.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    product()?.init(features)
}

/// Starts the node and waits for its services, as [`ready`] does.
pub fn boot(node: Builder) -> Result<Vm> {
    let vm = node.start()?;
    ready(&vm)?;
    Ok(vm)
}

/// Waits for the node's services. None may have failed, and the plan that ran must be that of `dayfly explain`.
pub fn ready(vm: &Vm) -> Result<()> {
    let ready = vm.wait_ready(BOOT)?;
    same!(ready.failed, "none", "failed services");
    vm.boot_json().map(drop)
}

/// Waits for a text on the console, which may be before the last match.
pub fn shows(vm: &Vm, words: &str) -> Result<()> {
    if vm.console().contains(words) { Ok(()) } else { vm.expect(words, BOOT).map(drop) }
}

/// Boots a node that must fail: the console shows the four parts with this code, then the machine restarts. Returns the console.
pub fn fails(node: Builder, code: &str) -> Result<String> {
    let mut vm = node.start()?;
    for part in ["What was tried: ", "What went wrong: ", "How to fix it: "] {
        vm.expect(part, BOOT)?;
    }
    vm.expect(&format!("Code: +{}$", code.replace('.', "\\.")), Duration::from_secs(20))?;
    same!(vm.wait_end(Duration::from_secs(60))?, Ending::Reset, "the end after the failure");
    let console = vm.console();
    ensure!(!console.contains("Kernel panic"), "the kernel panicked as well");
    Ok(console)
}

/// The rows of boot.json for a step, one per attempt.
pub fn attempts<'a>(boot: &'a Value, step: &str) -> Vec<&'a Value> {
    boot["steps"].as_array().into_iter().flatten().filter(|row| row["step"] == step).collect()
}

/// The last attempt of a step; an error if the plan had no such step.
pub fn step<'a>(boot: &'a Value, name: &str) -> Result<&'a Value> {
    attempts(boot, name).last().copied().with_context(|| format!("boot.json has no step {name}"))
}

/// Seconds that the last attempt of a step took.
pub fn took(boot: &Value, name: &str) -> Result<f64> {
    let row = step(boot, name)?;
    let (start, end) = (row["start_s"].as_f64(), row["end_s"].as_f64());
    Ok(end.context("the step did not end")? - start.context("the step has no start")?)
}

fn folder(image: Image) -> Result<(TempDir, String)> {
    let path = image_path(image)?;
    let folder = tempfile::tempdir()?;
    symlink(&path, folder.path().join("os.squashfs"))?;
    Ok((folder, images()?.sha256(&path)?))
}

fn images() -> Result<&'static Images> {
    static IMAGES: OnceLock<Result<Images, String>> = OnceLock::new();
    once(&IMAGES, Images::open)
}

fn product() -> Result<&'static Product> {
    static PRODUCT: OnceLock<Result<Product, String>> = OnceLock::new();
    once(&PRODUCT, Product::of_checkout)
}

/// The value in `cell`; the first caller makes it. All callers get its error.
fn once<T>(
    cell: &'static OnceLock<Result<T, String>>,
    make: impl FnOnce() -> Result<T>,
) -> Result<&'static T> {
    cell.get_or_init(|| make().map_err(|error| format!("{error:#}")))
        .as_ref()
        .map_err(|error| anyhow!(error.clone()))
}
