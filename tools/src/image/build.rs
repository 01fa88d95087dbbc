//! `dayfly image build`: makes an image of folders, archives and file systems.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use dayfly_formats::minisign::KeyId;
use dayfly_formats::oci::manifest::MOST_LAYERS;
use dayfly_formats::oci::{
    Companion, Descriptor, Digest, ImageConfig, ImageLayer, Manifest, annotation, media,
};

use super::arguments::{self, MOST_VERSION};
use super::chunks::cut;
use super::companion::{self, CompanionFile};
use super::key_file::PasswordArgs;
use super::layer::{Format, Source, format_name};
use super::layout::{Layout, check_name, copy_path, version_tag, versions};
use super::publish::{Work, Writer};
use super::reference::Image;
use super::sign::{comment, sign_all};
use super::signatures::{files, signature};
use super::update::{Moved, between};
use crate::hash;
use crate::output::say;
use crate::pack::{Packer, Purpose};
use crate::progress::Progress;
use crate::size::{self, count, human};

/// Makes an image of root folders, archives or file systems, in a folder to serve
///
/// Several sources are the layers of one image, the lowest first. The folder keeps older versions of the image. The same sources give
/// the same bytes.
#[derive(Debug, Args)]
pub struct BuildArgs {
    /// A root folder; a tar file; an archive of skopeo, podman or docker; a squashfs or erofs, which is taken as it is
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<PathBuf>,
    /// The folder to write to, an OCI image layout; it is made if it is missing
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// The name of the image [default: that of the lowest source]
    #[arg(long)]
    name: Option<String>,
    /// Its version, a number above those in DIR [default: the next]
    #[arg(long, value_name = "N", value_parser = arguments::version)]
    version: Option<u64>,
    /// The file system to make
    #[arg(long, value_enum, default_value = "squashfs")]
    format: Format,
    /// The CPU that the image is for, as in Go: amd64, arm64 [default: this machine's]
    #[arg(long, value_name = "NAME", value_parser = arguments::architecture)]
    architecture: Option<String>,
    /// The kernel that the image's modules are for, as `uname -r` prints it
    #[arg(long, value_name = "RELEASE", value_parser = arguments::kernel)]
    kernel: Option<String>,
    /// The memory that a node needs, with its unit: 2G
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    memory: Option<u64>,
    /// What to say about the image
    #[arg(long, value_name = "TEXT")]
    notes: Option<String>,
    /// A secret key of minisign to sign with; repeatable
    #[arg(long, value_name = "KEYFILE")]
    sign: Vec<PathBuf>,
    #[command(flatten)]
    password: PasswordArgs,
    /// A file that belongs to the image, as in kernel=vmlinuz: boot-profile, kernel, initramfs or airgap; repeatable
    #[arg(long, value_name = "ROLE=FILE", value_parser = companion::parse)]
    companion: Vec<CompanionFile>,
}

/// Runs the command.
pub fn run(args: &BuildArgs) -> Result<()> {
    ensure!(args.sources.len() <= MOST_LAYERS, "an image has at most {MOST_LAYERS} layers");
    let name = match &args.name {
        Some(name) => name.clone(),
        None => name_of(&args.sources)?,
    };
    check_name(&name)?;
    arguments::check_apart(&args.sources, &args.output)?;
    let mut sources = Vec::new();
    for (number, path) in args.sources.iter().enumerate() {
        sources.push(Source::open(path, number == 0, args.format)?);
    }
    for companion in &args.companion {
        let length = fs::metadata(&companion.path).map(|meta| if meta.is_file() { meta.len() } else { 0 });
        ensure!(
            length.with_context(|| format!("cannot read {}", companion.path.display()))? > 0,
            "{} is empty or no file",
            companion.path.display()
        );
    }
    let mut config = config(args, name)?;
    // Passwords are asked for before the long part.
    let signers = args.password.open(&args.sign)?;

    let mut writer = Writer::create(&args.output)?;
    let newest = writer.newest(&config.name)?;
    config.version = version(args.version, newest)?;
    writer.check_room(&config.name, config.version)?;
    let work = writer.work()?;
    let mut packer = Packer { purpose: Purpose::Release, work: work.path(), notes: Vec::new() };
    let mut layers = Vec::new();
    for (number, source) in (1..).zip(&sources) {
        let seed = format!("{} {number}", config.name);
        layers.push(layer(args.format, source, &mut packer, &config.architecture, &seed, &writer)?);
    }
    let mut companions = Vec::new();
    for file in &args.companion {
        companions.push(add_companion(file, &work, &writer)?);
    }
    let json = serde_json::to_vec(&config).context("cannot write the config")?;
    let manifest = Manifest { config: writer.put(media::CONFIG, &json)?, layers, companions };
    let bytes = manifest.encode();
    // What a node would refuse is refused here.
    Manifest::parse(&bytes).context("the manifest cannot be used")?;
    let descriptor = writer.put(media::MANIFEST, &bytes)?;
    let signatures = sign_all(&signers, &bytes, &comment(&config.name, config.version))?;
    let signed_with: Vec<KeyId> = signatures.iter().map(|(key, _)| *key).collect();
    packer.notes.extend(lacks(&args.output, &config.name, &signed_with)?);
    let newest_copy = writer.publish(&config.name, config.version, &descriptor, &bytes, &signatures)?;

    packer.notes.iter().for_each(|note| eprintln!("note: {note}"));
    let new = Image::open(&newest_copy.display().to_string())?;
    report(&new, newest)?;
    for (key, _) in &signatures {
        say!("  signed with {key}")?;
    }
    say!("{}", newest_copy.display())
}

/// Says which keys of the newest version with signatures have not signed this one.
fn lacks(folder: &Path, name: &str, signed_with: &[KeyId]) -> Result<Option<String>> {
    let versions = versions(folder, name)?.into_iter().map(|version| version_tag(name, version));
    for tag in std::iter::once(name.to_owned()).chain(versions) {
        // A file that is no signature is none of a key.
        let signatures =
            files(&copy_path(folder, &tag))?.into_iter().filter_map(|file| signature(&file).ok());
        let before: BTreeSet<KeyId> = signatures.map(|signature| signature.id()).collect();
        if before.is_empty() {
            continue;
        }
        let missing: Vec<String> =
            before.iter().filter(|key| !signed_with.contains(key)).map(ToString::to_string).collect();
        return Ok((!missing.is_empty()).then(|| {
            format!(
                "a version before was signed with {}, and this one is not: nodes whose settings need that signature refuse it until \
                 dayfly image sign",
                missing.join(" and ")
            )
        }));
    }
    Ok(None)
}

/// The name of the lowest source, without what shows its format.
fn name_of(sources: &[PathBuf]) -> Result<String> {
    let path = sources.first().context("no source was given")?;
    // `.` and `..` have no name of their own.
    let real = path.canonicalize().with_context(|| format!("there is no image {}", path.display()))?;
    let file = real.file_name().unwrap_or_default().to_string_lossy();
    let mut name = file.as_ref();
    for ending in [".gz", ".xz", ".zst", ".tar", ".tgz", ".squashfs", ".sqsh", ".sqfs", ".erofs", ".img"] {
        name = name.strip_suffix(ending).unwrap_or(name);
    }
    check_name(name).context("the source has no name that the image could have; give one with --name")?;
    Ok(name.to_owned())
}

/// The config; its version is decided later.
fn config(args: &BuildArgs, name: String) -> Result<ImageConfig> {
    let host = ImageConfig::architecture_of(std::env::consts::ARCH);
    let config = ImageConfig {
        name,
        version: args.version.unwrap_or(1),
        architecture: args.architecture.clone().unwrap_or_else(|| host.to_owned()),
        kernel: args.kernel.clone(),
        memory: args.memory,
        notes: args.notes.clone(),
    };
    config.check().context("the config of the image cannot be used")?;
    Ok(config)
}

/// The version to build.
fn version(wanted: Option<u64>, newest: Option<u64>) -> Result<u64> {
    match (wanted, newest) {
        (Some(wanted), Some(newest)) if wanted <= newest => {
            bail!("--version {wanted} is not above {newest}, the newest version in the folder")
        }
        (Some(wanted), _) => Ok(wanted),
        (None, newest) => newest
            .unwrap_or(0)
            .checked_add(1)
            .filter(|next| *next <= MOST_VERSION)
            .context("the newest version in the folder is the highest number"),
    }
}

/// Makes a layer and its chunk index.
fn layer(
    format: Format,
    source: &Source,
    packer: &mut Packer<'_>,
    architecture: &str,
    seed: &str,
    writer: &Writer,
) -> Result<ImageLayer> {
    let progress = Progress::new();
    let file = packer.work.join("layer");
    let step = progress.step(&format!("packing {}", source.shown()), 0);
    let format = source.make(packer, format, architecture, seed, &file)?;
    drop(step);
    let _step = progress.step("cutting it into chunks", 0);
    let (digest, index) = cut(&file)?;
    writer.adopt(&file, digest)?;
    let blob = Descriptor::new(format.media_type(), digest, index.size());
    let index = writer.put(media::CHUNK_INDEX, &index.encode())?;
    Ok(ImageLayer { index: Some(index.with(annotation::INDEX_TARGET, digest.to_string())), blob })
}

fn add_companion(file: &CompanionFile, work: &Work, writer: &Writer) -> Result<Companion> {
    let copy = work.path().join("companion");
    fs::copy(&file.path, &copy).with_context(|| format!("cannot copy {}", file.path.display()))?;
    let (sha256, size) = hash::file(&copy)?;
    let digest = Digest(sha256);
    writer.adopt(&copy, digest)?;
    let blob = Descriptor::new(file.role.media_type(), digest, size);
    Ok(Companion { role: file.role, blob: blob.with(annotation::TITLE, file.title.as_str()) })
}

/// Prints what was made, and how much of it is new.
fn report(new: &Image, newest: Option<u64>) -> Result<()> {
    say!("{}, {}", new.title(), new.config.architecture)?;
    for (number, layer) in (1..).zip(&new.manifest.layers) {
        let index = layer.index.as_ref().map_or(0, |index| index.size.saturating_sub(32) / 48);
        let format = format_name(&layer.blob.media_type);
        say!(
            "  layer {number}: {format}, {}, {}, {}",
            human(layer.blob.size),
            count(index, "chunk"),
            layer.blob.digest
        )?;
    }
    for companion in &new.manifest.companions {
        say!("  {}: {}", companion::name(companion.role), human(companion.blob.size))?;
    }
    let Some(newest) = newest else { return Ok(()) };
    match moved(&new.layout.folder, newest, new) {
        Ok(moved) => say!("  new since version {newest}: {}", moved.shown())?,
        Err(error) => eprintln!("note: version {newest} cannot be compared: {error:#}"),
    }
    Ok(())
}

fn moved(folder: &Path, version: u64, new: &Image) -> Result<Moved> {
    let old = Image::tagged(Layout::open(folder)?, Some(&version_tag(&new.config.name, version)))?;
    let mut sum = Moved::default();
    between(&old, new)?.into_iter().for_each(|moved| sum += moved);
    Ok(sum)
}
