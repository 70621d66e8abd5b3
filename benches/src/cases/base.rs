//! The databases that cases start from, and what makes them what they were again.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::size_text;
use crate::contender::{Answer, PEERS};
use crate::generate::UNDO;
use crate::{Bench, Fallible};

/// lifeboat and its peers on files of their own that one set of migrations has been applied to; and SQLite alone.
pub fn migrated(bench: &Bench, set: &str, mode: &str) -> Fallible<Vec<(&'static str, PathBuf)>> {
    let mut files = Vec::new();
    for name in ["lifeboat"].into_iter().chain(PEERS) {
        let file = bench.place.file(&format!("migrated/{set}-{mode}-{name}"), "app.db");
        bench.contenders.run(name, &[&"launch", &set, &file])?;
        bench.contenders.run("bare", &[&"mode", &mode, &file])?;
        files.push((name, file));
    }
    // What nobody can do without: opening lifeboat's own file, and the first query.
    let file = files[0].1.clone();
    files.push(("bare", file));
    Ok(files)
}

/// A database of about this size at version 1 of refinery's history (which is lifeboat's, too) and of rusqlite_migration's.
/// The table of the first query stays small: the bulk lies in another one.
pub fn big(bench: &Bench, bytes: u64, fill: &str) -> Fallible<PathBuf> {
    let file = bench.place.file(&format!("{fill}-{bytes}"), "app.db");
    let marker = file.with_file_name("whole");
    if !marker.exists() {
        eprintln!("   making {}", size_text(bytes));
        bench.place.remove(&format!("{fill}-{bytes}"));
        let file = bench.place.file(&format!("{fill}-{bytes}"), "app.db");
        bench.contenders.run("refinery", &[&"launch", &"1", &file])?;
        bench.contenders.run("bare", &[&fill, &bytes.to_string(), &file])?;
        File::create(marker)?;
    }
    as_before(bench, &file)?;
    Ok(file)
}

/// Undoes what a run has done to a big file, takes its copies away, and lets the disk come to rest.
pub fn as_before(bench: &Bench, file: &Path) -> Fallible<()> {
    bench.contenders.run("bare", &[&"sql", &UNDO, &file])?;
    let folder = file.parent().ok_or("no folder")?;
    let _ = fs::remove_dir_all(folder.join("backups"));
    let _ = fs::remove_file(file.with_file_name("app.db-lifeboat"));
    let _ = fs::remove_file(copy_of(file));
    bench.place.settle(folder)
}

/// Where copies of a big file are made that are not lifeboat's.
pub fn copy_of(file: &Path) -> PathBuf {
    file.with_file_name("copy.db")
}

/// `cp` and a sync of the copy and of its name.
pub fn cp(bench: &Bench, file: &Path) -> Fallible<Answer> {
    bench.contenders.run("bare", &[&"copy", &file, &copy_of(file)])
}

/// `sqlite3 FILE .backup`, and a sync; nothing where there is no such command.
pub fn shell_backup(file: &Path) -> Fallible<Answer> {
    let copy = copy_of(file);
    let started = Instant::now();
    let status = Command::new("sqlite3").arg(file).arg(format!(".backup '{}'", copy.display())).status()?;
    if !status.success() {
        return Err("sqlite3 failed".into());
    }
    OpenOptions::new().write(true).open(&copy)?.sync_all()?;
    Ok(Answer { ns: started.elapsed().as_nanos() as f64, ..Answer::default() })
}

/// A run on a big file, from what it was.
pub fn launch(bench: &Bench, name: &str, set: &str, file: &Path, options: &[&str]) -> Fallible<Answer> {
    let answer = launch_failing(bench, name, set, file, options)?;
    match answer.failed {
        Some(failed) => Err(failed.into()),
        None => Ok(answer),
    }
}

pub fn launch_failing(bench: &Bench, name: &str, set: &str, file: &Path, options: &[&str]) -> Fallible<Answer> {
    as_before(bench, file)?;
    let mut words: Vec<&dyn AsRef<std::ffi::OsStr>> = vec![&"launch", &set, &file];
    words.extend(options.iter().map(|option| option as &dyn AsRef<std::ffi::OsStr>));
    bench.contenders.run_failing(name, &words)
}

/// Peak memory of each contender that has nothing to do, in KiB, by the first word of its rows.
pub fn baselines(bench: &Bench) -> Fallible<impl Fn(&str) -> u64 + use<>> {
    let mut peaks = BTreeMap::new();
    for name in ["lifeboat"].into_iter().chain(PEERS) {
        let file = bench.place.file(&format!("version-{name}"), "app.db");
        peaks.insert(name, bench.contenders.run(name, &[&"launch", &"1", &file])?.peak_kib);
    }
    let file = bench.place.file("version-bare", "app.db");
    let bare = bench.contenders.run("bare", &[&"sql", &"SELECT count(*) FROM sqlite_schema", &file])?.peak_kib;
    Ok(move |name: &str| name.split([' ', ',']).next().and_then(|first| peaks.get(first)).copied().unwrap_or(bare))
}
