//! The gateway before services that are not the shop's own: real upstreams on one side, bytes as told on the other.

mod access;
mod client;
mod encrypted;
mod failures;
mod fixture;
mod headers;
mod passing;
mod paths;
mod process;
mod reload;
mod retries;
mod settings;
mod smuggling;
mod streaming;
mod upgrades;
mod upstream;
