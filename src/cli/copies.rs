//! Which file an argument names: a path, the live database, one of its backups or snapshots.

use std::path::{Path, PathBuf};

use lifeboat::{Backup, Migrations, PlainCopy, Problem};

use super::answer::Failure;
use super::session::Session;

/// A SQLite file to look at.
#[derive(Debug)]
pub(super) struct Source {
    /// What it is called.
    pub(super) shown: PathBuf,
    /// What a compressed backup holds, for as long as this lives.
    plain: Option<PlainCopy>,
}

impl Source {
    pub(super) fn at(path: PathBuf) -> Self {
        Source { shown: path, plain: None }
    }

    /// The file to open.
    pub(super) fn path(&self) -> &Path {
        self.plain.as_ref().map_or(&self.shown, PlainCopy::path)
    }

    fn of(session: &Session, backup: &Backup) -> Result<Self, Failure> {
        if !backup.compressed {
            return Ok(Source::at(backup.path.clone()));
        }
        let plain = backup.open_plain(&session.cancel)?;
        Ok(Source { shown: backup.path.clone(), plain: Some(plain) })
    }
}

/// `live`, `backup:NAME`, `backup:latest`, `backup:N`, `snapshot:NAME`, or a path.
pub(super) fn source(session: &Session, text: &str) -> Result<Source, Failure> {
    if text == "live" {
        return Ok(Source::at(session.options.database.clone()));
    }
    if let Some(name) = text.strip_prefix("backup:") {
        return backup(session, name);
    }
    if let Some(name) = text.strip_prefix("snapshot:") {
        return snapshot(session, name).map(Source::at);
    }
    let path = std::path::absolute(text).unwrap_or_else(|_| PathBuf::from(text));
    // A compressed backup that is named by its path is one all the same.
    if path.extension().is_some_and(|extension| extension == "zst") {
        let found = backups(session).unwrap_or_default().into_iter().find(
            |backup| matches!((backup.path.canonicalize(), path.canonicalize()), (Ok(one), Ok(other)) if one == other),
        );
        if let Some(found) = found {
            return Source::of(session, &found);
        }
    }
    match meant(session, text).filter(|_| std::fs::symlink_metadata(&path).is_err()) {
        Some(meant) => {
            let error = Problem::NotFound { path: PathBuf::from(text), near: Vec::new(), backups: 0, snapshots: 0 };
            Err(Failure { hint: Some(format!("did you mean `{meant}`?")), ..Failure::from(error) })
        }
        None => Ok(Source::at(path)),
    }
}

/// What would be found if it were said in full.
fn meant(session: &Session, text: &str) -> Option<String> {
    if text.eq_ignore_ascii_case("live") {
        return Some("live".to_owned());
    }
    let is_backup = text == "latest" || backups(session).unwrap_or_default().iter().any(|backup| backup.name() == text);
    if is_backup {
        return Some(format!("backup:{text}"));
    }
    snapshot(session, text).is_ok().then(|| format!("snapshot:{text}"))
}

/// A backup of the database: its name, with or without `.zst`, `latest`, or its place from the newest, which is 1.
pub(super) fn backup(session: &Session, name: &str) -> Result<Source, Failure> {
    let backups = backups(session)?;
    let place = if name == "latest" { Some(1) } else { name.parse::<usize>().ok() };
    let found = match place {
        Some(place) => backups.iter().rev().nth(place.wrapping_sub(1)),
        None => backups.iter().rev().find(|backup| {
            backup.name() == name || backup.path.file_name().is_some_and(|file| file.to_string_lossy() == name)
        }),
    };
    if let Some(found) = found {
        return Source::of(session, found);
    }
    let what = match (backups.last(), place) {
        (None, _) => format!("`{}` has no backups", session.options.database.display()),
        (Some(_), Some(_)) => match backups.len() {
            1 => format!("there is no backup `{name}`; there is one"),
            count => format!("there is no backup `{name}`; there are {count}"),
        },
        (Some(newest), None) => format!("there is no backup `{name}`; the newest is `{}`", newest.name()),
    };
    Err(Problem::Unsupported { what }.into())
}

fn backups(session: &Session) -> Result<Vec<Backup>, Failure> {
    Ok(session.migrator(Migrations::none()).at(&session.options.database).backups()?)
}

/// The database in a copy of the data directory, or beside a lone file.
fn snapshot(session: &Session, name: &str) -> Result<PathBuf, Failure> {
    let (folder, database) = (&session.options.data_dir, &session.options.database);
    let in_folder = database.parent() == Some(folder.as_path());
    let of = if in_folder { folder } else { database };
    let start = format!("{}.", of.file_name().unwrap_or_default().to_string_lossy());
    let file = |entry: PathBuf| {
        if in_folder { entry.join(database.file_name().unwrap_or_default()) } else { entry }
    };
    let mut known: Vec<(String, PathBuf)> = std::fs::read_dir(of.parent().unwrap_or(Path::new(".")))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.strip_prefix(&start)?.to_owned(), file(entry.path()))))
        .filter(|(_, path)| path.is_file())
        .collect();
    known.sort();
    if let Some((_, path)) = known.iter().find(|(known, _)| known == name) {
        return Ok(path.clone());
    }
    let list = known.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let what = if list.is_empty() {
        format!("there is no snapshot `{name}`, and no other of `{}`", of.display())
    } else {
        format!("there is no snapshot `{name}`; there is {list}")
    };
    Err(Problem::Unsupported { what }.into())
}
