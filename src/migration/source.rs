//! From files to migrations: the same for a folder and for what was embedded.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::collection::{Migrations, Mistake};
use super::directives::Directives;
use super::name::{FileName, classify};
use super::types::{Body, Migration, Prefix};

/// A file that may be a migration.
pub(crate) struct SourceFile {
    pub(crate) path: Cow<'static, Path>,
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
            files.push(SourceFile { path: Cow::Owned(path), content: content.map(Cow::Owned) });
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Reading a pipe would wait for a writer for ever.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    if std::fs::metadata(path)?.is_file() { std::fs::read(path).map(Some) } else { Ok(None) }
}

/// A down script that has not been given to its migration yet.
struct Down {
    version: i64,
    name: Cow<'static, str>,
    path: Cow<'static, Path>,
    text: Cow<'static, str>,
}

/// Makes migrations of files; what cannot be used is kept as a mistake. Of embedded files nothing is copied: an app does
/// this on every launch.
#[derive(Default)]
pub(crate) struct Collector {
    list: Vec<Migration>,
    downs: Vec<Down>,
    mistakes: Vec<Mistake>,
}

impl Collector {
    pub(crate) fn with_capacity(files: usize) -> Self {
        Collector { list: Vec::with_capacity(files), ..Collector::default() }
    }

    pub(crate) fn add(&mut self, SourceFile { path, content }: SourceFile) {
        let named = match &path {
            Cow::Borrowed(path) => named(path),
            Cow::Owned(path) => named(path).map(Named::into_owned),
        };
        let mistakes = &mut self.mistakes;
        let mut mistaken = |why: String, right| mistakes.push(Mistake { path: path.to_path_buf(), why, right });
        let Named { prefix, version, name, kind } = match named {
            Ok(named) => named,
            Err(Unnamed::Other) => return,
            Err(Unnamed::Mistaken { why, right }) => return mistaken(why, right),
        };
        let text = match text(content) {
            Ok(text) => text,
            Err(why) => return mistaken(why, None),
        };
        if kind == Kind::Down {
            return self.downs.push(Down { version, name, path, text });
        }
        self.list.push(Migration {
            prefix: if prefix == 'U' { Prefix::Unversioned } else { Prefix::Versioned },
            version,
            name,
            directives: Directives::read(&text),
            body: if kind == Kind::Rust { Body::Elsewhere } else { Body::Sql(text) },
            down: None,
            origin: path,
        });
    }

    /// Gives each migration its down script.
    pub(crate) fn finish(self) -> Migrations {
        let Collector { mut list, mut downs, mut mistakes } = self;
        downs.sort_by(|a, b| (a.version, &a.name).cmp(&(b.version, &b.name)));
        // Of `V2__a.down.sql` and `U2__a.down.sql` the last one counts.
        downs.dedup_by(|later, kept| {
            let same = (later.version, &later.name) == (kept.version, &kept.name);
            if same {
                std::mem::swap(later, kept);
            }
            same
        });
        let mut taken = vec![false; downs.len()];
        for migration in &mut list {
            let wanted = (migration.version, &migration.name);
            if let Ok(at) = downs.binary_search_by(|down| (down.version, &down.name).cmp(&wanted)) {
                taken[at] = true;
                migration.down = Some(downs[at].text.clone());
            }
        }
        // A down script whose up is not there belongs to a file that was renamed or lost.
        for (Down { version, name, path, .. }, _) in downs.into_iter().zip(taken).filter(|(_, taken)| !taken) {
            let same = list.iter().find(|migration| migration.version == version);
            let right = same.map(|up| format!("{}.down.sql", up.id()));
            let why = format!("there is no migration V{version}__{name} that it would undo");
            mistakes.push(Mistake { path: path.into_owned(), why, right });
        }
        mistakes.sort_by(|a, b| a.path.cmp(&b.path));
        Migrations::from_parts(list, mistakes)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Up,
    Down,
    Rust,
}

/// What the name of a migration's file says.
struct Named<'a> {
    prefix: char,
    version: i64,
    name: Cow<'a, str>,
    kind: Kind,
}

enum Unnamed {
    Other,
    Mistaken { why: String, right: Option<String> },
}

impl Named<'_> {
    fn into_owned(self) -> Named<'static> {
        Named { name: Cow::Owned(self.name.into_owned()), ..self }
    }
}

fn named(path: &Path) -> Result<Named<'_>, Unnamed> {
    // What was embedded is named relative to its folder: as a rule the path is the name.
    let bare = path.to_str().filter(|path| !path.bytes().any(|byte| matches!(byte, b'/' | b'\\' | b':')));
    let file_name = bare.map_or_else(|| path.file_name().unwrap_or_default(), OsStr::new);
    let Some(text) = file_name.to_str() else {
        return Err(match classify(&file_name.to_string_lossy()) {
            FileName::Other => Unnamed::Other,
            _ => Unnamed::Mistaken { why: "its name is not valid UTF-8".to_owned(), right: None },
        });
    };
    match classify(text) {
        FileName::Other => Err(Unnamed::Other),
        FileName::Mistaken { why, right } => Err(Unnamed::Mistaken { why, right }),
        FileName::Up { prefix, version, name, rust } => {
            let kind = if rust { Kind::Rust } else { Kind::Up };
            Ok(Named { prefix, version, name: Cow::Borrowed(name), kind })
        }
        FileName::Down { prefix, version, name } => {
            Ok(Named { prefix, version, name: Cow::Borrowed(name), kind: Kind::Down })
        }
    }
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
    if text.as_bytes().contains(&0) {
        let at = text.bytes().position(|byte| byte == 0).unwrap_or_default();
        return Err(format!("it has a NUL byte (byte {at})"));
    }
    Ok(text)
}
