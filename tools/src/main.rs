//! The dayfly command.

mod chart;
mod explain;
mod initramfs;
mod ipxe;
mod kernel;
mod modules;
mod output;
mod progress;
mod schema;
mod serve;

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
    Initramfs(Box<initramfs::InitramfsArgs>),
    Ipxe(ipxe::IpxeArgs),
    Modules(modules::ModulesArgs),
    Schema(schema::SchemaArgs),
    Serve(serve::ServeArgs),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Explain(args) => explain::run(&args),
        Command::Chart(args) => chart::run(&args),
        Command::Initramfs(args) => initramfs::run(&args),
        Command::Ipxe(args) => ipxe::run(&args),
        Command::Modules(args) => modules::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Serve(args) => serve::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dayfly: {error:#}");
            ExitCode::FAILURE
        }
    }
}
