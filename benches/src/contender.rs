//! The contenders: building them, running them, and what they answer.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::place::wait_if_interrupted;
use crate::{Bench, Fallible};

/// Folder under `peers/`, which is the name shown, and the crate whose version counts.
const ALL: [(&str, &str); 6] = [
    ("lifeboat", "lifeboat"),
    ("refinery", "refinery"),
    ("rusqlite_migration", "rusqlite_migration"),
    ("sqlx", "sqlx"),
    ("diesel", "diesel_migrations"),
    ("bare", "rusqlite"),
];

pub const PEERS: [&str; 4] = ["refinery", "rusqlite_migration", "sqlx", "diesel"];

#[derive(Default)]
pub struct Contenders {
    programs: BTreeMap<String, Program>,
    pub target: PathBuf,
}

struct Program {
    path: PathBuf,
    version: String,
}

/// What a contender said of one run.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    pub ns: f64,
    pub cpu_ns: f64,
    pub peak_kib: u64,
    pub sqlite: String,
    pub failed: Option<String>,
    pub phases: Vec<(String, f64)>,
}

impl Contenders {
    pub fn build(here: &Path) -> Fallible<Contenders> {
        let target = here.join("target");
        let mut contenders = Contenders { programs: BTreeMap::new(), target: target.clone() };
        for (name, crate_name) in ALL {
            eprintln!("building {name}");
            let manifest = here.join("peers").join(name).join("Cargo.toml");
            cargo(&["build", "--release", "--quiet"], &manifest, &target.join("peers"))?;
            let path = target.join("peers/release").join(format!("bench-{name}"));
            let version = locked_version(&manifest.with_file_name("Cargo.lock"), crate_name)?;
            contenders.programs.insert(name.to_owned(), Program { path, version });
        }
        Ok(contenders)
    }

    pub fn path(&self, name: &str) -> &Path {
        &self.programs[name].path
    }

    /// As in the tables: name and version.
    pub fn title(&self, name: &str) -> String {
        format!("{name} {}", self.programs[name].version)
    }

    /// The same where SQLite alone is among them.
    pub fn launch_title(&self, name: &str) -> String {
        if name == "bare" { "SQLite alone: open, first query".to_owned() } else { self.title(name) }
    }

    /// Runs one process; an error if it fails in any way.
    pub fn run(&self, name: &str, words: &[&dyn AsRef<OsStr>]) -> Fallible<Answer> {
        let answer = self.run_failing(name, words)?;
        match answer.failed {
            Some(failed) => Err(format!("{name}: {failed}").into()),
            None => Ok(answer),
        }
    }

    /// Runs one process that may say that it failed.
    pub fn run_failing(&self, name: &str, words: &[&dyn AsRef<OsStr>]) -> Fallible<Answer> {
        let output = Command::new(self.path(name)).args(words.iter().map(AsRef::as_ref)).output()?;
        wait_if_interrupted();
        if !output.status.success() {
            return Err(format!("{name} ended: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
        }
        let mut answer = Answer::default();
        for line in String::from_utf8(output.stdout)?.lines() {
            let (key, value) = line.split_once(' ').unwrap_or((line, ""));
            match key {
                "ns" => answer.ns = value.parse()?,
                "cpu" => answer.cpu_ns = value.parse()?,
                "peak" => answer.peak_kib = value.parse()?,
                "sqlite" => answer.sqlite = value.to_owned(),
                "failed" => answer.failed = Some(value.to_owned()),
                "phase" => {
                    let (ns, phase) = value.split_once(' ').ok_or("a phase without a name")?;
                    answer.phases.push((phase.to_owned(), ns.parse()?));
                }
                _ => {}
            }
        }
        Ok(answer)
    }
}

/// Runs cargo on one manifest, with a target folder of its own. By its name and not by the path of the one that built this
/// program: through rustup's proxy every crate is compiled by one toolchain. Without, a dependency that has a
/// `rust-toolchain.toml` in its package (fs4, for one) would be compiled by the toolchain named there.
pub fn cargo(words: &[&str], manifest: &Path, target: &Path) -> Fallible<()> {
    let status = Command::new("cargo")
        .args(words)
        .arg("--manifest-path")
        .arg(manifest)
        .arg("--target-dir")
        .arg(target)
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("cargo {} failed on {}", words.join(" "), manifest.display()).into())
    }
}

fn locked_version(lock: &Path, name: &str) -> Fallible<String> {
    let text = std::fs::read_to_string(lock)?;
    let version = text.split("[[package]]").find_map(|package| {
        let rest = package.trim().strip_prefix(&format!("name = \"{name}\""))?;
        rest.trim().strip_prefix("version = \"")?.split('"').next().map(str::to_owned)
    });
    version.ok_or(format!("{} does not name {name}", lock.display()).into())
}

/// Versions, machine and disk, for the head of the report.
pub fn surroundings(bench: &Bench) -> Vec<String> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let mut lines = Vec::new();
    for (name, _) in ALL {
        let file = bench.place.file(&format!("version-{name}"), "app.db");
        let answer = match name {
            "bare" => bench.contenders.run(name, &[&"sql", &"SELECT 1", &file]),
            _ => bench.contenders.run(name, &[&"launch", &"1", &file]),
        };
        let sqlite = answer.map(|answer| answer.sqlite).unwrap_or_else(|error| error.to_string());
        lines.push(format!("{}: SQLite {sqlite}", bench.contenders.title(name)));
    }
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = read("/proc/loadavg");
    lines.push(format!("Linux {}, {cores} cores, load at the start {load}", read("/proc/sys/kernel/osrelease")));
    lines.push(format!("databases in `{}`, {}", bench.place.root.display(), bench.place.file_system()));
    lines
}
