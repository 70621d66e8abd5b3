//! Taking a copy: whole, checked and durable under a temporary name before it gets its own.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use rusqlite::Connection;
use rusqlite::backup::{Backup as Copier, StepResult};

use super::bring::files_of;
use super::folder::{Backup, Backups, Metadata, metadata_file, write_metadata};
use super::name::{Moment, packed};
use crate::error::Problem;
use crate::event::{CancelToken, Emitter, Event};
use crate::file::{
    Connector, DatabasePath, Depth, Descriptor, Findings, Purpose, Raw, allocate_exclusively, available_bytes,
    content_hash, copy_raw, create_folder, examine, give_same_access, header_damage, io_problem, is_at_rest,
    make_durable, publish, remove_if_there, remove_with_sidecars, settle_again, settle_header, size_of, sqlite_problem,
    sync_folder, write_problem,
};

/// Taken before a run; until that has succeeded, it counts as the copy of a failed one.
pub(crate) const MIGRATE: &str = "migrate";
/// Asked for.
pub(crate) const MANUAL: &str = "manual";
/// Taken before rows of one table are brought back.
pub(crate) const RESTORE_TABLE: &str = "restore-table";
/// What a run that was cut off had left, taken before it is undone.
pub(crate) const INTERRUPTED: &str = "interrupted";
/// What a restore takes the place of; until that is done, it counts as the copy of a failed run.
pub(crate) const RESTORE: &str = "restore";

/// Whether a copy is to be known by its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hashing {
    /// However long reading it takes: it is the only way back.
    Always,
    /// If the copy is read for its check anyway. Hashing takes longer than copying.
    WithCheck,
    Never,
}

/// How a copy is to be taken.
pub(crate) struct Copying<'a> {
    pub(crate) connector: &'a Connector,
    pub(crate) database: &'a DatabasePath,
    pub(crate) emitter: &'a Emitter,
    pub(crate) cancel: &'a CancelToken,
    pub(crate) depth: Depth,
    pub(crate) now: DateTime<Utc>,
    pub(crate) wait: Duration,
    pub(crate) reason: &'static str,
    /// What whoever asked for it said.
    pub(crate) note: Option<String>,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) app_version: Option<String>,
    /// SQL to run in the copy before it gets its name.
    pub(crate) amend: Option<&'static str>,
    /// Whether damage in the copy refuses it, or is what the copy is kept for.
    pub(crate) refuse_damage: bool,
    pub(crate) hashing: Hashing,
}

impl Copying<'_> {
    fn is_hashed(&self) -> bool {
        match self.hashing {
            Hashing::Always => true,
            Hashing::WithCheck => self.depth != Depth::Schema,
            Hashing::Never => false,
        }
    }

    /// For the loops that copy and read.
    fn go_on(&self) -> std::io::Result<()> {
        if self.cancel.is_cancelled() { Err(std::io::ErrorKind::Interrupted.into()) } else { Ok(()) }
    }

    fn io_problem(&self, path: &Path, action: &'static str, source: std::io::Error) -> Problem {
        if self.cancel.is_cancelled() { Problem::Cancelled {} } else { io_problem(path, action, source) }
    }
}

/// A copy that is durable.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) path: PathBuf,
    pub(crate) name: String,
    pub(crate) size: u64,
    /// Nothing for a copy that was not read: it is large, or the app wants no checks.
    pub(crate) hash: Option<String>,
    /// What stood in the database before the run, so that the check after it can tell what is new.
    pub(crate) findings: Findings,
}

impl Backups {
    /// Copies the database, as it is at one moment. The caller holds its write lock if that is to be the last one before a
    /// run.
    pub(crate) fn take(&self, copying: &Copying<'_>) -> Result<Taken, Problem> {
        create_folder(&self.folder).map_err(|source| write_problem(&self.folder, "create", source))?;
        let partial = self.folder.join(self.names.partial(&self.tag));
        // What a killed process left; under the launch lock nobody else is making one.
        remove_with_sidecars(&partial).map_err(|source| io_problem(&partial, "remove", source))?;
        self.remove_older_partials(copying.now);
        let taken = self.take_as(&partial, copying);
        // The disk is no fuller than before; and a journal mode of the app's may have left a journal even where the copy
        // has its name by now.
        let _ = remove_with_sidecars(&partial);
        taken
    }

    fn take_as(&self, partial: &Path, copying: &Copying<'_>) -> Result<Taken, Problem> {
        let database = copying.database.real();
        let source = copying.connector.open(database, Purpose::Read, copying.wait)?;
        // A transaction, begun by the first read: what is copied is of one moment, whoever has which lock. SQLite's backup
        // API goes on in it: in WAL mode it copies that moment while others write; with a rollback journal they wait to
        // commit (<https://sqlite.org/src/file/src/backup.c>, `sqlite3_backup_step`).
        let begun = source.execute_batch("BEGIN").and_then(|()| size_of(&source));
        let bytes = begun.map_err(|error| sqlite_problem(database, "read", &error))?;
        copying.emitter.emit(Event::BackupStarted { bytes });
        let file = allocate_exclusively(partial).map_err(|source| write_problem(partial, "create", source))?;
        if let Some(metadata) = copying.database.metadata() {
            give_same_access(metadata, partial).map_err(|source| io_problem(partial, "set the mode of", source))?;
        }
        let raw = if copying.amend.is_none() && is_at_rest(&source, database) {
            self.copy_file(&file, bytes, copying)?
        } else {
            None
        };
        drop(file);
        if raw.is_none() {
            self.copy_pages(&source, partial, bytes, copying)?;
        }
        drop(source);
        // Reading it again, twice, may take as long as copying it.
        copying.emitter.emit(Event::CheckStarted { name: "the backup".to_owned() });
        let findings = check_copy(partial, copying)?;
        settle_header(partial).map_err(|source| io_problem(partial, "sync", source))?;
        let (size, hash) = match raw {
            Some(Raw::Hashed(hash)) => (bytes, Some(hash)),
            _ if !copying.is_hashed() => (bytes, None),
            _ => {
                let hashed = content_hash(partial, |_| copying.go_on());
                let (size, hash) = hashed.map_err(|source| copying.io_problem(partial, "read", source))?;
                (size, Some(hash))
            }
        };

        let backups = self.ours()?;
        let same = hash.as_ref().and_then(|hash| same_content(&backups, copying.reason, size, hash));
        if let Some(same) = same {
            self.give_access_again(same, copying);
            let _ = settle_again(&same.path); // in case `on_connect` turned it into a WAL database
            // Whoever made it may have been killed before its name was durable.
            make_durable(&same.path).map_err(|source| io_problem(&same.path, "sync", source))?;
            let taken = Taken { path: same.path.clone(), name: same.name(), size, hash, findings };
            copying.emitter.emit(Event::BackupFinished { path: taken.path.clone(), bytes: size, reused: true });
            return Ok(taken);
        }

        if backups.is_empty() {
            // Whoever made the folder may have been killed before its name was durable.
            sync_folder(self.folder.parent().unwrap_or(Path::new(".")))
                .map_err(|source| io_problem(&self.folder, "sync", source))?;
        }
        let mut last = self.all()?.iter().map(|backup| backup.moment).max();
        let path = loop {
            let (name, moment) = self.free_name(copying.now, last);
            let path = self.folder.join(name);
            if self.publish_as(&path, moment, partial, copying, &backups, (size, hash.clone()))? {
                break path;
            }
            last = Some(moment); // another database of the same name was faster
        };
        copying.emitter.emit(Event::BackupFinished { path: path.clone(), bytes: size, reused: false });
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Taken { name, path, size, hash, findings })
    }

    /// Gives the copy its name and its metadata; not if another process has the name.
    fn publish_as(
        &self,
        path: &Path,
        moment: Moment,
        partial: &Path,
        copying: &Copying<'_>,
        backups: &[Backup],
        (size, sha256): (u64, Option<String>),
    ) -> Result<bool, Problem> {
        // Later than every older backup's, even if the clock went back.
        let newest = backups.last().map_or(moment.0, |newest| newest.order().0);
        let taken_at = newest.max(moment.0).and_utc().max(copying.now);
        let metadata = Metadata {
            format: 1,
            reason: copying.reason.to_owned(),
            note: copying.note.clone(),
            database: copying.database.real().file_name().unwrap_or_default().to_string_lossy().into_owned(),
            path: Some(self.identity.clone()),
            taken_at: taken_at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            from: copying.from.clone(),
            to: copying.to.clone(),
            size,
            sha256,
            app_version: copying.app_version.clone(),
            pinned: false,
            run_failed: [MIGRATE, RESTORE].contains(&copying.reason),
        };
        // Before the copy has its name: no kill leaves a copy of which it is not known why it was taken. For lists and
        // rotation; the copy counts without it.
        match write_metadata(path, &metadata, partial) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(false),
            Err(source) if self.shared => {
                // There it is what says whose copy this is, and what keeps two from taking one name.
                let metadata = metadata_file(path);
                let _ = remove_if_there(&metadata);
                return Err(write_problem(&metadata, "write", source));
            }
            _ => {}
        }
        publish(partial, path).map(|()| true).or_else(|source| {
            let _ = remove_if_there(&metadata_file(path));
            match source.kind() {
                std::io::ErrorKind::AlreadyExists => Ok(false),
                _ => Err(io_problem(path, "rename a copy to", source)),
            }
        })
    }

    /// The database may have been made private since the copy was taken.
    fn give_access_again(&self, backup: &Backup, copying: &Copying<'_>) {
        let Some(like) = copying.database.metadata() else { return };
        for path in [backup.path.clone(), metadata_file(&backup.path)] {
            match give_same_access(like, &path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    copying.emitter.warn(format!("the mode of `{}` was not set: {error}", path.display()));
                }
                _ => {}
            }
        }
    }

    /// A name for a copy that is not made: what a restore replaces is kept beside it.
    pub(crate) fn free(&self, now: DateTime<Utc>) -> OsString {
        let newest = self.all().unwrap_or_default().iter().map(|backup| backup.moment).max();
        let mut next = self.free_name(now, newest);
        while files_of(&self.folder.join(&next.0)).exists() {
            next = self.free_name(now, Some(next.1));
        }
        next.0
    }

    /// A name that nothing has, not even a link or a folder, which count as no backups.
    fn free_name(&self, now: DateTime<Utc>, newest: Option<Moment>) -> (OsString, Moment) {
        let mut next = self.names.next(now, newest);
        let taken = |path: &Path| std::fs::symlink_metadata(path).is_ok();
        while taken(&self.folder.join(&next.0)) || taken(&packed(&self.folder.join(&next.0))) {
            next = self.names.next(now, Some(next.1));
        }
        next
    }

    /// The fast way: the file as it lies there.
    fn copy_file(&self, target: &File, bytes: u64, copying: &Copying<'_>) -> Result<Option<Raw>, Problem> {
        let mut told = Instant::now();
        let mut progress = |done: u64| {
            if told.elapsed() >= Duration::from_millis(100) {
                told = Instant::now();
                copying.emitter.emit(Event::BackupProgress { done, total: bytes });
            }
            copying.go_on()
        };
        let copied =
            copy_raw(copying.database.real(), target, bytes, Descriptor::Kept, copying.is_hashed(), &mut progress)
                .and_then(|copied| {
                    if copied.is_some() {
                        copying.emitter.emit(Event::BackupProgress { done: bytes, total: bytes });
                    }
                    copying.go_on().map(|()| copied)
                });
        copied.map_err(|source| match source.kind() {
            std::io::ErrorKind::StorageFull => self.no_space(bytes),
            _ => copying.io_problem(copying.database.real(), "copy", source),
        })
    }

    fn no_space(&self, needed: u64) -> Problem {
        let available = available_bytes(&self.folder).unwrap_or(0);
        Problem::NoSpace { path: self.folder.clone(), available, needed }
    }

    fn copy_pages(
        &self,
        source: &Connection,
        partial: &Path,
        bytes: u64,
        copying: &Copying<'_>,
    ) -> Result<(), Problem> {
        let mut target = copying.connector.open(partial, Purpose::Write, copying.wait)?;
        // Whatever `on_connect` has set: pages of another size cannot be copied into a WAL database, and a log beside the
        // copy would not be found under its name.
        let plain = target.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()));
        plain.map_err(|error| sqlite_problem(partial, "prepare", &error))?;
        let failed = |error: rusqlite::Error| match sqlite_problem(partial, "copy to", &error) {
            Problem::Sqlite { source, .. } if source.code & 0xff == rusqlite::ffi::SQLITE_FULL => self.no_space(bytes),
            // Reading is where damage shows; the file that is damaged is the database.
            Problem::Corrupt { detail, .. } => Problem::Corrupt { path: copying.database.real().to_owned(), detail },
            other => other,
        };
        // Nobody reads the copy before it is synced as a whole, so SQLite need not sync or journal on the way.
        target.execute_batch("PRAGMA synchronous = OFF").map_err(failed)?;
        copy(source, &mut target, copying.wait, copying.cancel, |done, total| {
            copying.emitter.emit(Event::BackupProgress { done: bytes.min(share(bytes, done, total)), total: bytes });
        })
        .map_err(|error| match error {
            CopyError::Sqlite(error) => failed(error),
            CopyError::Cancelled => Problem::Cancelled {},
            CopyError::Busy(waited) => {
                Problem::Locked { path: copying.database.real().to_owned(), lock: "write lock", holder: None, waited }
            }
        })?;
        if let Some(sql) = copying.amend {
            // The header as it will be: a log beside the copy would not be found under its name.
            let amended = target
                .query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))
                .and_then(|()| target.execute_batch(sql));
            amended.map_err(failed)?;
        }
        target.close().map_err(|(_, error)| failed(error))
    }
}

/// The newest backup, if it has this content. Of what interrupted runs left, any: they are kept for their rows, not for
/// their order. That is never found in a copy taken for a run, which goes when the run has failed.
fn same_content<'a>(backups: &'a [Backup], reason: &str, size: u64, hash: &str) -> Option<&'a Backup> {
    // Its content as it is now, not as its metadata says: a copy that rotted is none.
    // One that has files beside it is the way back of a restore that was done before.
    let same = |backup: &Backup| {
        // Nor is one read that says of itself that it is another.
        backup.size == size
            && backup.metadata.as_ref().is_none_or(|metadata| metadata.tells_of(size, hash))
            && !files_of(&backup.path).exists()
            && content_hash(&backup.path, |_| Ok(())).is_ok_and(|(_, theirs)| theirs == hash)
    };
    if reason != INTERRUPTED {
        return backups.last().filter(|newest| same(newest));
    }
    let says = |metadata: &Metadata| metadata.reason == INTERRUPTED && metadata.sha256.as_deref() == Some(hash);
    backups.iter().rev().find(|backup| backup.metadata.as_ref().is_some_and(says) && same(backup))
}

fn share(bytes: u64, done: i32, total: i32) -> u64 {
    let part = |number: i32| u64::try_from(number).unwrap_or(0);
    bytes.saturating_mul(part(done)) / part(total).max(1)
}

fn check_copy(partial: &Path, copying: &Copying<'_>) -> Result<Findings, Problem> {
    let database = copying.database.real();
    let corrupt = |detail: String| Problem::Corrupt { path: database.to_owned(), detail };
    let damage = header_damage(partial).map_err(|source| io_problem(partial, "read", source))?;
    if let Some(damage) = damage.filter(|_| copying.refuse_damage) {
        return Err(corrupt(damage));
    }
    let looked = copying.connector.open(partial, Purpose::Read, copying.wait).and_then(|connection| {
        // The copy goes; what it could not be checked for is in the database.
        examine(&connection, &copying.depth).map_err(|error| sqlite_problem(database, "check a copy of", &error))
    });
    match looked {
        Ok(findings) => match findings.damage() {
            Some(damage) if copying.refuse_damage => Err(corrupt(damage.to_owned())),
            _ => Ok(findings),
        },
        Err(_) if !copying.refuse_damage => Ok(Findings::default()),
        Err(Problem::Corrupt { detail, .. }) => Err(corrupt(detail)),
        Err(Problem::NotADatabase { .. }) => Err(Problem::NotADatabase { path: database.to_owned() }),
        Err(problem) => Err(problem),
    }
}

pub(crate) enum CopyError {
    Sqlite(rusqlite::Error),
    Busy(Duration),
    Cancelled,
}

/// SQLite's backup API, in chunks, so that there is progress, a way to cancel, and an end to waiting. (rusqlite's own
/// loop waits for a lock for ever.) `progress` gets pages done and pages in all, about ten times a second.
pub(crate) fn copy(
    source: &Connection,
    target: &mut Connection,
    wait: Duration,
    cancel: &CancelToken,
    mut progress: impl FnMut(i32, i32),
) -> Result<(), CopyError> {
    const CHUNK: i32 = 512;
    let copier = Copier::new(source, target).map_err(CopyError::Sqlite)?;
    let mut told = Instant::now();
    let mut blocked: Option<Instant> = None;
    loop {
        if cancel.is_cancelled() {
            return Err(CopyError::Cancelled);
        }
        match copier.step(CHUNK).map_err(CopyError::Sqlite)? {
            StepResult::Done => {
                let total = copier.progress().pagecount;
                progress(total, total);
                return Ok(());
            }
            StepResult::Busy | StepResult::Locked => {
                let since = *blocked.get_or_insert_with(Instant::now);
                if since.elapsed() >= wait {
                    return Err(CopyError::Busy(since.elapsed()));
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            _ => blocked = None,
        }
        if told.elapsed() >= Duration::from_millis(100) {
            told = Instant::now();
            let now = copier.progress();
            progress(now.pagecount - now.remaining, now.pagecount);
        }
    }
}
