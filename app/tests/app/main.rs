//! The program as a whole: started, asked, damaged, repaired, stopped. Everything is the production composition.

mod admin;
mod commands;
mod doctor;
mod settings;
mod shop;
mod stopping;
mod world;
