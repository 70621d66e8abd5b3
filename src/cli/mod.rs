//! The command line: it knows the library by its public face alone.

mod answer;
mod args;
mod backup;
mod compare;
mod config;
mod confirm;
mod copies;
mod create;
mod dotenv;
mod environment;
mod exit;
mod human;
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
// Ready for `restore`, which brings `--table`.
#[allow(dead_code)]
mod restore_table;
mod run;
mod screen;
mod session;
mod stats;
mod status;
mod table;
mod value;

pub use run::run;
