//! What the scenarios share: builds and images, made once and only when a scenario asks for them.

use std::{path::PathBuf, sync::OnceLock, time::Duration};

use anyhow::{Result, anyhow};
use dayfly_qemu::{
    image::{Image, Images},
    kernel::Kernel,
    product::Product,
};

/// How long a boot to multi-user may take: about 25 s under TCG on a quiet host, and CI hosts are not quiet.
pub const BOOT: Duration = Duration::from_secs(240);

/// A place to work for one scenario.
pub struct Lab {
    name: &'static str,
}

impl Lab {
    /// The place for the scenario of that name.
    pub fn new(name: &'static str) -> Self {
        Self { name }
    }

    /// The scenario's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Where the console's log goes.
    pub fn log(&self) -> Result<PathBuf> {
        Ok(product()?.folder("logs")?.join(format!("{}.log", self.name)))
    }

    /// The host's kernel.
    pub fn kernel(&self) -> Result<&'static Kernel> {
        static KERNEL: OnceLock<Result<Kernel, String>> = OnceLock::new();
        once(&KERNEL, Kernel::of_host)
    }

    /// The path of a test image.
    pub fn image(&self, image: Image) -> Result<PathBuf> {
        images()?.get(image)
    }
}

fn images() -> Result<&'static Images> {
    static IMAGES: OnceLock<Result<Images, String>> = OnceLock::new();
    once(&IMAGES, Images::open)
}

fn product() -> Result<&'static Product> {
    static PRODUCT: OnceLock<Result<Product, String>> = OnceLock::new();
    once(&PRODUCT, Product::of_checkout)
}

/// The value in `cell`, made by the first who asks; a failure is told to everybody who asks.
fn once<T>(
    cell: &'static OnceLock<Result<T, String>>,
    make: impl FnOnce() -> Result<T>,
) -> Result<&'static T> {
    cell.get_or_init(|| make().map_err(|error| format!("{error:#}")))
        .as_ref()
        .map_err(|error| anyhow!(error.clone()))
}
