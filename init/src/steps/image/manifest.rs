//! Fetches the manifest of the image and checks it: its signatures or its SHA-256, and that the image is for this machine.
//! Only after that the plan knows the layers, and their SHA-256.

use dayfly_formats::minisign::{self, KeyId, MinisignError, PublicKey, Signature};
use dayfly_formats::oci::{ImageConfig, Manifest, config, manifest};
use dayfly_plan::settings::value::{Sha256 as Digest256, Url};
use dayfly_plan::{Code, Fact, ManifestPlan, NamedImage};
use dayfly_sys::Limits;
use sha2::{Digest, Sha256};

use super::fetch::{check_room, from_connection};
use crate::context::{Context, Done};
use crate::events::{Event, Level, NodeFact};
use crate::steps::http;
use crate::{Failure, Learned};

/// What to do about files that do not fit their manifest.
const VERIFY: &str = "Check the image on the server with `dayfly image verify`; if it is right there, something between server and node changes the data.";

/// Reads the manifest. The layers that it names are a fact that changes the plan.
pub fn read(cx: &Context, plan: &ManifestPlan) -> Result<Done, Failure> {
    if plan.keys.len() < plan.threshold {
        let (least, keys) = (plan.threshold, plan.keys.len());
        let wrong = format!("image.threshold asks for {least} signatures, but image.keys has {keys} keys");
        return Err(Failure::new(Code::ConfigValue, format!("check the signatures of {}", plan.url), wrong)
            .with_fix(
                "Add the keys to image.keys, or lower image.threshold, in the settings of the initramfs.",
            ));
    }
    let bytes = fetch(cx, plan, &plan.url, manifest::MOST)?;
    let tried = format!("read the manifest {}", plan.url);
    let sha256 = sha256_of(&bytes);
    if let Some(wanted) = plan.sha256.filter(|wanted| *wanted != sha256) {
        let wrong = format!("the manifest has SHA-256 {sha256}, expected {wanted}");
        return Err(Failure::new(Code::ImageHashMismatch, tried, wrong));
    }
    // No byte is interpreted before its signatures are checked.
    let signers = check_signatures(cx, plan, &bytes)?;
    let unusable = |wrong: String| Failure::new(Code::ImageManifest, &*tried, wrong);
    let manifest = Manifest::parse(&bytes).map_err(|error| unusable(error.to_string()))?;
    let config = read_config(cx, plan, &manifest)?;
    check_name(plan, &tried, &config)?;
    check_machine(cx, &tried, &config)?;
    check_room(cx, &tried, manifest.bytes())?;
    let image = NamedImage::new(&plan.url, sha256, &manifest, config, signers);
    cx.events.emit(Event::Node(NodeFact::Image(image.clone())));
    Ok(Done::with(image.to_string()).and(Learned::Fact(Fact::Image(image))))
}

/// Fetches a small file that must be there.
fn fetch(cx: &Context, plan: &ManifestPlan, url: &Url, most: usize) -> Result<Vec<u8>, Failure> {
    match ask(cx, plan, url, most)? {
        Answer::File(bytes) => Ok(bytes),
        Answer::Long => {
            let wrong = format!("the file has more than {most} bytes");
            Err(Failure::new(Code::ImageManifest, format!("GET {url}"), wrong))
        }
        Answer::Status(said) => Err(Failure::new(Code::ImageHttpStatus, format!("GET {url}"), said)),
    }
}

/// What a server answers.
enum Answer {
    File(Vec<u8>),
    /// More bytes than such a file may have.
    Long,
    /// Another status than 200, as the end of a sentence.
    Status(String),
}

/// Asks for a small file.
fn ask(cx: &Context, plan: &ManifestPlan, url: &Url, most: usize) -> Result<Answer, Failure> {
    let tried = format!("GET {url}");
    let usual = http::limits(plan.limits);
    // Such a file has a few KiB, so the whole exchange is limited.
    let limits = Limits { within: Some(usual.connect + usual.stall), ..usual };
    let response =
        http::send(&*cx.sys, http::get(cx, url, limits)).map_err(|error| from_connection(&tried, &error))?;
    cx.moves();
    if response.status != 200 {
        return Ok(Answer::Status(http::refusal(&response)));
    }
    let received = http::receive(cx, response, most);
    cx.moves();
    let bytes = received.map_err(|wrong| Failure::new(Code::ImageCut, &*tried, wrong))?;
    Ok(if bytes.len() > most { Answer::Long } else { Answer::File(bytes) })
}

/// Checks as many signatures as the plan asks for. Returns the keys that made them.
fn check_signatures(cx: &Context, plan: &ManifestPlan, bytes: &[u8]) -> Result<Vec<KeyId>, Failure> {
    let (mut signers, mut problems) = (Vec::new(), Vec::new());
    // The file that `minisign -S` writes. It may have the signature of any key.
    let mut usual = None;
    for key in &plan.keys {
        if signers.len() >= plan.threshold {
            break;
        }
        let own = ask(cx, plan, &plan.url.with_suffix(&key.id().suffix()), minisign::MOST)?;
        let found = match verify(key, bytes, &own) {
            Ok(()) => Ok(()),
            // The key's own file may be missing, or be that of an older manifest.
            Err(wrong) => {
                let usual = match &usual {
                    Some(usual) => usual,
                    None => &*usual.insert(ask(
                        cx,
                        plan,
                        &plan.url.with_suffix(minisign::SUFFIX),
                        minisign::MOST,
                    )?),
                };
                verify(key, bytes, usual).map_err(|_| wrong)
            }
        };
        match found {
            Ok(()) => signers.push(key.id()),
            Err(wrong) => problems.push(format!("{}: {wrong}", key.id())),
        }
    }
    if signers.len() >= plan.threshold {
        return Ok(signers);
    }
    let problems = problems.join("; ");
    let wrong = format!("{} of {} needed signatures are valid; {problems}", signers.len(), plan.threshold);
    Err(Failure::new(Code::ImageSignature, format!("check the signatures of {}", plan.url), wrong))
}

/// Checks one signature. The error is the end of a sentence.
fn verify(key: &PublicKey, bytes: &[u8], answer: &Answer) -> Result<(), String> {
    let file = match answer {
        Answer::File(file) => file,
        Answer::Long => return Err(format!("the file has more than {} bytes", minisign::MOST)),
        Answer::Status(said) => return Err(said.clone()),
    };
    let checked = Signature::parse(file).and_then(|signature| key.verify(bytes, &signature));
    checked.map_err(|error: MinisignError| error.to_string())
}

/// Fetches the config, which the manifest names by its SHA-256.
fn read_config(cx: &Context, plan: &ManifestPlan, manifest: &Manifest) -> Result<ImageConfig, Failure> {
    let (wanted, size) = (Digest256(manifest.config.digest.0), manifest.config.size);
    let url = plan.url.beside(&manifest.config.digest.blob_path());
    let tried = format!("read the config of the image {url}");
    let unusable = |wrong: String| Failure::new(Code::ImageManifest, &*tried, wrong);
    if size > config::MOST as u64 {
        return Err(unusable(format!(
            "the manifest says that it has {size} bytes, more than {}",
            config::MOST
        )));
    }
    let bytes = fetch(cx, plan, &url, config::MOST)?;
    let found = sha256_of(&bytes);
    if found != wanted || bytes.len() as u64 != size {
        let (found_size, found) = (bytes.len(), found.short());
        let wrong = format!(
            "it has {found_size} bytes and SHA-256 {found}…, but the manifest says {size} bytes and {}…",
            wanted.short()
        );
        return Err(Failure::new(Code::ImageHashMismatch, tried, wrong).with_fix(VERIFY));
    }
    ImageConfig::parse(&bytes).map_err(|error| unusable(error.to_string()))
}

/// Refuses the manifest of another image, or of another version than its URL names: a key may sign several images.
fn check_name(plan: &ManifestPlan, tried: &str, config: &ImageConfig) -> Result<(), Failure> {
    let Some(wrong) = config.misnamed(plan.url.file_name()).filter(|_| plan.threshold > 0) else {
        return Ok(());
    };
    Err(Failure::new(Code::ImageUnfit, tried, wrong)
        .with_fix("Name the image in image.url as its builder named it; if the URL is right, the server sends another image."))
}

/// Refuses an image for another CPU or more memory. Another kernel is only a warning: the image may not need modules.
fn check_machine(cx: &Context, tried: &str, config: &ImageConfig) -> Result<(), Failure> {
    let here = ImageConfig::architecture_of(std::env::consts::ARCH);
    let ImageConfig { name, version, architecture, .. } = config;
    if architecture != here {
        let wrong = format!("{name} version {version} is for {architecture}, but this machine is {here}");
        return Err(Failure::new(Code::ImageUnfit, tried, wrong));
    }
    if let Some(needed) = config.memory {
        let total =
            cx.sys.memory().map_err(|error| Failure::from_sys(Code::ImageUnfit, tried, &error))?.total;
        // The kernel does not count the memory that it has reserved: up to an eighth on a small machine.
        if total.saturating_add(total / 7) < needed {
            let (needed, total) = (needed.div_ceil(1 << 20), total >> 20);
            let wrong = format!(
                "{name} version {version} needs a machine with {needed} MiB of memory, but this one has {total} MiB"
            );
            return Err(Failure::new(Code::ImageUnfit, tried, wrong));
        }
    }
    let running = cx.modules.release();
    if let Some(kernel) = config.kernel.as_ref().filter(|kernel| **kernel != running) {
        let text = format!(
            "{name} version {version} has the modules of the kernel {kernel}, but the running kernel is {running}: the OS may lack drivers."
        );
        cx.note(Level::Warning, text);
    }
    Ok(())
}

fn sha256_of(bytes: &[u8]) -> Digest256 {
    Digest256(Sha256::digest(bytes).into())
}
