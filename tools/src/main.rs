//! The dayfly command.

mod chart;
mod epoch;
mod explain;
mod hash;
mod image;
mod initramfs;
mod ipxe;
mod kernel;
#[cfg(test)]
mod man;
mod modules;
mod output;
mod pack;
mod progress;
mod schema;
mod serve;
mod size;
mod try_image;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Builds and explains what a Dayfly node boots from
#[derive(Debug, Parser)]
#[command(name = "dayfly", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Explain(explain::ExplainArgs),
    Chart(chart::ChartArgs),
    Image(image::ImageArgs),
    Initramfs(Box<initramfs::InitramfsArgs>),
    Ipxe(ipxe::IpxeArgs),
    Modules(modules::ModulesArgs),
    Schema(schema::SchemaArgs),
    Serve(serve::ServeArgs),
    Try(Box<try_image::TryArgs>),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Explain(args) => explain::run(&args),
        Command::Chart(args) => chart::run(&args),
        Command::Image(args) => image::run(&args),
        Command::Initramfs(args) => initramfs::run(&args),
        Command::Ipxe(args) => ipxe::run(&args),
        Command::Modules(args) => modules::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Try(args) => return conclude(try_image::run(&args)),
    };
    conclude(result.map(|()| ExitCode::SUCCESS))
}

fn conclude(result: anyhow::Result<ExitCode>) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("dayfly: {error:#}");
            ExitCode::FAILURE
        }
    }
}
