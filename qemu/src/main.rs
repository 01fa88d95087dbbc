//! The command line of the QEMU harness.

use anyhow::Result;
use clap::{Parser, Subcommand};
use dayfly_qemu::{
    demo,
    image::{Image, Images},
    kubernetes::Parts,
};

/// Test images and a demonstration of Dayfly in QEMU.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build a test image, unless it is in the cache, and print its path.
    Image {
        /// One of the names that `images` lists.
        name: String,
        /// Print the SHA-256 after the path.
        #[arg(long)]
        sha256: bool,
    },
    /// List the names of the test images.
    Images,
    /// Build kubelet, control plane and kubectl, unless they are in the cache, and print their folder.
    Kubernetes,
    /// Boot a node over HTTP to its login prompt and print the boot timeline.
    Demo {
        /// Leave this terminal at the node's console; with --kubernetes, in a shell with kubectl.
        #[arg(long)]
        interactive: bool,
        /// A cluster instead: a control plane, and two nodes that boot from the network and join it.
        #[arg(long)]
        kubernetes: bool,
    },
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Image { name, sha256 } => {
            let images = Images::open()?;
            let path = images.get(Image::from_name(&name)?)?;
            let hash = if sha256 { format!("  {}", images.sha256(&path)?) } else { String::new() };
            println!("{}{hash}", path.display());
        }
        Command::Images => Image::ALL.iter().for_each(|(name, _)| println!("{name}")),
        Command::Kubernetes => println!("{}", Parts::build()?.dir().display()),
        Command::Demo { interactive, kubernetes: false } => demo::run(interactive)?,
        Command::Demo { interactive, kubernetes: true } => demo::cluster::run(interactive)?,
    }
    Ok(())
}
