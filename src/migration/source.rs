//! From files to migrations: the same for a folder and for what was embedded.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use super::collection::{Migrations, Mistake};
use super::directives::Directives;
use super::name::{FileName, classify};
use super::types::{Body, Migration, Prefix};

/// A file that may be a migration.
pub(crate) struct SourceFile {
    pub(crate) path: PathBuf,
    /// Nothing for what is no file: a pipe, a device, a link to a folder.
    pub(crate) content: Option<Cow<'static, [u8]>>,
}

/// Reads the files of a folder and its sub-folders (refinery searches them too) whose names mean something to us.
pub(crate) fn read_folder(folder: &Path) -> Result<Vec<SourceFile>, (PathBuf, io::Error)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let failed = |error| (folder.clone(), error);
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            if entry.file_type().map_err(failed)?.is_dir() {
                folders.push(path);
                continue;
            }
            let content = match classify(&entry.file_name().to_string_lossy()) {
                FileName::Other => continue,
                FileName::Mistaken { .. } | FileName::Up { rust: true, .. } => Some(Vec::new()),
                FileName::Up { .. } | FileName::Down { .. } => read(&path).map_err(|error| (path.clone(), error))?,
            };
            files.push(SourceFile { path, content: content.map(Cow::Owned) });
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Reading a pipe would wait for a writer for ever.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    if std::fs::metadata(path)?.is_file() { std::fs::read(path).map(Some) } else { Ok(None) }
}

/// Makes migrations of files; what cannot be used is kept as a mistake.
pub(crate) fn collect(files: Vec<SourceFile>) -> Migrations {
    let mut list: Vec<Migration> = Vec::with_capacity(files.len());
    let mut downs = HashMap::new();
    let mut mistakes = Vec::new();
    for file in files {
        let file_name = file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (prefix, version, name, kind) = match classify(&file_name) {
            FileName::Other => continue,
            _ if file.path.to_str().is_none() && file.path.file_name().is_some_and(|name| name.to_str().is_none()) => {
                let why = "its name is not valid UTF-8".to_owned();
                mistakes.push(Mistake { path: file.path, why, right: None });
                continue;
            }
            FileName::Mistaken { why, right } => {
                mistakes.push(Mistake { path: file.path, why, right });
                continue;
            }
            FileName::Up { prefix, version, name, rust } => (prefix, version, name, if rust { "rust" } else { "up" }),
            FileName::Down { prefix, version, name } => (prefix, version, name, "down"),
        };
        let text = match text(file.content) {
            Ok(text) => text,
            Err(why) => {
                mistakes.push(Mistake { path: file.path, why, right: None });
                continue;
            }
        };
        if kind == "down" {
            downs.insert((version, name), (file.path, text));
            continue;
        }
        list.push(Migration {
            prefix: if prefix == 'U' { Prefix::Unversioned } else { Prefix::Versioned },
            version,
            name,
            directives: Directives::read(&text),
            body: if kind == "rust" { Body::Elsewhere } else { Body::Sql(text) },
            down: None,
            origin: file.path,
        });
    }
    for migration in &mut list {
        if let Some((_, text)) = downs.remove(&(migration.version, migration.name.clone())) {
            migration.down = Some(text);
        }
    }
    // A down script whose up is not there belongs to a file that was renamed or lost.
    for ((version, name), (path, _)) in downs {
        let same = list.iter().find(|migration| migration.version == version);
        let right = same.map(|up| format!("{}.down.sql", up.id()));
        mistakes.push(Mistake {
            path,
            why: format!("there is no migration V{version}__{name} that it would undo"),
            right,
        });
    }
    mistakes.sort_by(|a, b| a.path.cmp(&b.path));
    Migrations::from_parts(list, mistakes)
}

/// The text of a file, or why SQLite would not run all of it.
fn text(content: Option<Cow<'static, [u8]>>) -> Result<Cow<'static, str>, String> {
    let content = content.ok_or_else(|| "it is not a file".to_owned())?;
    if content.starts_with(&[0xff, 0xfe]) || content.starts_with(&[0xfe, 0xff]) {
        return Err("it is UTF-16; save it as UTF-8".to_owned());
    }
    let text = match content {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|error| error.valid_up_to()),
        Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).map_err(|error| error.utf8_error().valid_up_to()),
    };
    let text = text.map_err(|at| format!("it is not valid UTF-8 (byte {at})"))?;
    // SQLite takes a NUL byte for the end of the text, and would silently leave out the rest.
    match text.bytes().position(|byte| byte == 0) {
        Some(at) => Err(format!("it has a NUL byte (byte {at})")),
        None => Ok(text),
    }
}
