//! Whether a backup is what it was when it was taken, and whether SQLite finds it sound.

use std::time::Duration;

use rusqlite::Connection;

use super::folder::Backup;
use crate::error::{Problem, described};
use crate::event::CancelToken;
use crate::file::{Connector, Depth, Purpose, content_hash, examine, sqlite_problem};

/// What is wrong with a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Defect {
    /// SQLite, or zstd, finds it damaged: what they say.
    Damaged(String),
    /// It is sound, but not what was taken: its size or its checksum is another one.
    Changed(String),
    /// It cannot be read: why.
    Unreadable(String),
}

/// What a look at a backup found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Verified {
    /// The backup. Without metadata there is no checksum to compare it with, and SQLite's check is all there is.
    pub backup: Backup,
    /// What is wrong with it, if anything.
    pub defect: Option<Defect>,
    /// How many rows in it refer to rows that are not there. Such rows may have stood in the database for years: they are
    /// no defect of the copy. Nothing, where they could not be counted.
    pub dangling_rows: Option<u64>,
}

impl Verified {
    /// Whether nothing is wrong with it.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.defect.is_none()
    }
}

impl Backup {
    /// Reads it whole, twice: its checksum, and `PRAGMA integrity_check`. An error is of the caller's making, or that the
    /// copy is gone by now.
    pub(crate) fn verify(
        self,
        connector: &Connector,
        wait: Duration,
        cancel: &CancelToken,
    ) -> Result<Verified, Problem> {
        let found = |defect, dangling_rows| Ok(Verified { backup: self.clone(), defect, dangling_rows });
        let go_on = || if cancel.is_cancelled() { Err(std::io::ErrorKind::Interrupted.into()) } else { Ok(()) };
        let copy = match self.plain(go_on) {
            Ok(copy) => copy,
            Err(problem) if cancel.is_cancelled() || is_gone(&problem) => return Err(problem),
            Err(Problem::Corrupt { detail, .. }) => return found(Some(Defect::Damaged(detail)), None),
            Err(problem) => return found(Some(Defect::Unreadable(described(&problem))), None),
        };
        let hashed = content_hash(copy.path(), |_| go_on());
        if cancel.is_cancelled() {
            return Err(Problem::Cancelled {});
        }
        let changed = match (hashed, &self.metadata) {
            (Err(error), _) => return found(Some(Defect::Unreadable(error.to_string())), None),
            (Ok((size, _)), Some(said)) if size != said.size => {
                Some(format!("it had {} bytes when it was taken, and has {size}", said.size))
            }
            (Ok((size, hash)), Some(said)) if !said.tells_of(size, &hash) => {
                Some("its content is not what it was when it was taken".to_owned())
            }
            _ => None,
        };
        let looked = connector.open(copy.path(), Purpose::Read, wait).and_then(|mut connection| {
            look(&mut connection, cancel).map_err(|error| sqlite_problem(copy.path(), "check", &error))
        });
        match looked {
            _ if cancel.is_cancelled() => Err(Problem::Cancelled {}),
            Ok((None, dangling)) => found(changed.map(Defect::Changed), dangling),
            Ok((Some(damage), dangling)) => found(Some(Defect::Damaged(damage)), dangling),
            Err(Problem::Corrupt { detail, .. }) => found(Some(Defect::Damaged(detail)), None),
            Err(Problem::NotADatabase { .. }) => {
                found(Some(Defect::Damaged("it is not a SQLite database, or it is encrypted".to_owned())), None)
            }
            Err(problem) => found(Some(Defect::Unreadable(described(&problem))), None),
        }
    }
}

/// Whether it went while it was looked for.
pub(crate) fn is_gone(problem: &Problem) -> bool {
    matches!(problem, Problem::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
}

fn look(connection: &mut Connection, cancel: &CancelToken) -> rusqlite::Result<(Option<String>, Option<u64>)> {
    let cancel = cancel.clone();
    connection.progress_handler(100_000, Some(move || cancel.is_cancelled()))?;
    let findings = examine(connection, &Depth::Full)?;
    if let Some(damage) = findings.damage() {
        return Ok((Some(damage.to_owned()), None));
    }
    // A reference to a table that cannot be referred to is an error here; it may have been one for years.
    let dangling = connection.prepare("PRAGMA foreign_key_check").and_then(|mut statement| {
        let mut rows = statement.query([])?;
        let mut count = 0;
        while rows.next()?.is_some() {
            count += 1;
        }
        Ok(count)
    });
    Ok((None, dangling.ok()))
}
