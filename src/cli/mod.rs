//! The command line: it knows the library by its public face alone.

mod answer;
mod args;
mod backup;
mod config;
mod confirm;
mod create;
mod doctor;
mod doctor_text;
mod dotenv;
mod environment;
mod exit;
mod human;
mod human_copies;
mod inspect;
mod inspect_text;
mod interrupt;
mod json;
mod layer;
mod log_file;
mod migrate;
mod options;
mod preview;
mod progress;
mod recover;
mod restore;
mod run;
mod screen;
mod session;
mod snapshot;
mod stats;
mod status;
mod table;
mod value;

pub use run::run;
