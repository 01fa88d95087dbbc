//! Interfaces, addresses and routes by rtnetlink.

mod address;
mod attributes;
mod change;
mod create;
mod list;
mod route;

pub(super) use address::addresses;
pub(super) use change::change;
pub(super) use create::{create, remove};
pub(super) use list::list;
pub(super) use route::routes;
