//! The command, run as a person or a script runs it.

mod backup;
mod compare;
mod config;
mod create;
mod doctor;
mod example;
mod failing;
mod inspect;
mod interrupt;
mod log_file;
mod migrate;
mod notes;
mod recover;
mod snapshot;
mod stats;
mod status;
mod streams;
mod usage;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A command that ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn of(output: Output) -> Self {
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The one document on stdout.
    pub fn json(&self) -> Value {
        assert_eq!(self.stdout.matches('\n').count(), 1, "one line: {self:?}");
        let document: Value = serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        assert_eq!(document["format"], 1);
        document
    }

    #[track_caller]
    pub fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }
}

/// The command in `folder`, with an environment of its own.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lifeboat"));
    command.current_dir(folder).args(arguments);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("LIFEBOAT_") || ["DATABASE_URL", "NO_COLOR", "CLICOLOR_FORCE"].contains(&name.as_str()) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs it.
pub fn lifeboat(folder: &Path, arguments: &[&str]) -> Ran {
    Ran::of(command(folder, arguments).output().unwrap())
}

/// Runs it where no file can be longer than nothing, as on a full disk.
#[cfg(unix)]
pub fn without_room(folder: &Path, arguments: &[&str]) -> Ran {
    let script = "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\"";
    let mut shell = Command::new("sh");
    shell.current_dir(folder).args(["-c", script, env!("CARGO_BIN_EXE_lifeboat")]).args(arguments);
    shell.env_remove("DATABASE_URL").env("NO_COLOR", "1");
    Ran::of(shell.output().unwrap())
}

/// Every file and folder below `folder` with its bytes.
pub fn tree(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path.clone());
                found.insert(path, None);
            } else {
                let bytes = fs::read(&path).unwrap();
                found.insert(path, Some(bytes));
            }
        }
    }
    found
}

pub fn copy_tree(from: &Path, to: &Path) {
    for (path, bytes) in tree(from) {
        let to = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        match bytes {
            Some(bytes) => fs::write(to, bytes).unwrap(),
            None => fs::create_dir_all(to).unwrap(),
        }
    }
}

/// Two tables, one migration each.
pub const TWO: &[(&str, &str)] = &[
    ("V1__person", "CREATE TABLE person (id INTEGER PRIMARY KEY, email TEXT UNIQUE);"),
    ("V2__pet", "CREATE TABLE pet (id INTEGER PRIMARY KEY, name TEXT);"),
];
