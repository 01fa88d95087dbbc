//! The demonstration: one node, booted over HTTP to its login prompt.

pub mod cluster;

use std::{
    io::Write,
    os::unix::fs::symlink,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::{
    command::say,
    image::{Image, Images, ROOT_PASSWORD},
    kernel::Kernel,
    product::Product,
    server::HttpServer,
    timeline,
    vm::{Builder, Nic},
};

/// How long the node may take to its login prompt. A fast host without KVM needs half a minute.
const LOGIN: Duration = Duration::from_secs(300);

/// Builds what is needed, boots, and prints the timeline; or leaves the terminal at the node's console.
pub fn run(interactive: bool) -> Result<()> {
    let started = Instant::now();
    let kernel = Kernel::of_host()?;
    let product = Product::of_checkout()?;
    say("demo: the init, the initramfs and the test image (built once, then cached)");
    let init = product.init("")?;
    let initramfs = product.initramfs("demo", &init, &kernel, &[])?;
    let images = Images::open()?;
    let image = images.get(Image::Debian)?;
    let folder = tempfile::tempdir()?;
    symlink(&image, folder.path().join("os.squashfs"))?;
    let server = HttpServer::start(folder.path())?;
    let url = server.guest_url("os.squashfs");
    let mebibytes = |path| std::fs::metadata(path).map(|meta| meta.len() as f64 / f64::from(1 << 20));
    say(&format!("demo: nginx serves the image ({:.1} MiB) as {url}", mebibytes(&image)?));
    say(&format!(
        "demo: kernel {}, initramfs {:.1} MiB; ready after {:.0} s",
        kernel.version,
        mebibytes(&initramfs)?,
        started.elapsed().as_secs_f32()
    ));

    let builder = Builder::new("demo")
        .memory(1024)
        .initrd(&initramfs)
        .nic(Nic::user())
        .cmdline(&format!(
            "root=live:{url} ip=dhcp rd.neednet=1 dayfly.image.sha256={}",
            images.sha256(&image)?
        ))
        .log(product.folder("logs")?.join("demo.log"));
    if interactive {
        say(&format!(
            "demo: this terminal is the node's console now. Log in as root, password {ROOT_PASSWORD}; Ctrl-A X ends it."
        ));
        return builder.interactive().start()?.wait_interactive();
    }
    say("demo: boot");
    let vm = builder.start()?;
    let mut shown = 0;
    let mut show = || {
        let text = vm.console();
        print!("{}", text.get(shown..).unwrap_or_default());
        shown = text.len();
        std::io::stdout().flush().map(|()| text.contains(" login: "))
    };
    // The marker of the test image may come before or after the prompt, so search the whole console.
    while !show()? {
        if vm.elapsed() > LOGIN || vm.has_ended() {
            anyhow::bail!("demo: no login prompt after {:.0} s", vm.elapsed().as_secs_f32());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let at = vm.elapsed();
    println!();
    vm.wait_ready(LOGIN).context("the marker of the test image")?;
    println!("{}", timeline::render(&vm.boot_json()?));
    say(&format!(
        "demo: login prompt {:.1} s after QEMU was started; the whole demo took {:.0} s",
        at.as_secs_f32(),
        started.elapsed().as_secs_f32()
    ));
    say("demo: `qemu/demo --interactive` leaves you at that prompt");
    Ok(())
}
