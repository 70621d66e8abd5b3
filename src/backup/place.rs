//! Where the snapshots of one database lie, and what they may be called: `.data` gives `.data.<name>/`, a file alone
//! `notes.db.<name>`.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Problem;
use crate::file::{DatabasePath, io_problem, is_database};

/// The snapshot that a fresh start begins with, under version control perhaps: not replaced, not deleted by mistake.
pub(crate) const EXAMPLE: &str = "example";

/// Behind a snapshot's name: while it is made; while it gives way to a new one; when it goes. No name of a snapshot ends
/// so.
const NEW: &str = ".lifeboat-new";
const OLD: &str = ".lifeboat-old";
const GONE: &str = ".lifeboat-gone";

/// The snapshots of one database.
#[derive(Debug, Clone)]
pub(crate) struct Snapshots {
    /// What all paths begin with: the data directory, or the database.
    base: PathBuf,
    /// The database in a snapshot of a data directory; nothing for that of a file alone.
    inside: Option<OsString>,
}

impl Snapshots {
    /// Those of the data directory, if one is named, or of the database alone. Names what is wrong with a data directory
    /// that is not the folder of the database.
    pub(crate) fn of(database: &DatabasePath, data_dir: Option<&Path>) -> Result<Self, Problem> {
        let Some(data_dir) = data_dir else {
            return Ok(Snapshots { base: database.real().to_owned(), inside: None });
        };
        let absolute = std::path::absolute(data_dir).map_err(|source| io_problem(data_dir, "resolve", source))?;
        let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.components().collect());
        let name = database.real().file_name().filter(|_| real(&absolute) == real(database.folder()));
        let Some(name) = name else {
            let what = format!(
                "the database `{}` does not lie in the data directory `{}`",
                database.real().display(),
                data_dir.display()
            );
            return Err(Problem::Unsupported { what });
        };
        // Beside the real folder, under the real name, where the path is a link: as with a database.
        let is_link = fs::symlink_metadata(&absolute).is_ok_and(|metadata| metadata.is_symlink());
        let base: PathBuf = if is_link { real(&absolute) } else { absolute.components().collect() };
        if base.file_name().is_none() {
            let what = format!("`{}` has no name that a snapshot could have beside it", base.display());
            return Err(Problem::Unsupported { what });
        }
        Ok(Snapshots { base, inside: Some(name.to_owned()) })
    }

    /// Whether a snapshot is of the whole data directory.
    pub(crate) fn of_directory(&self) -> bool {
        self.inside.is_some()
    }

    /// The folder that they lie in.
    pub(crate) fn parent(&self) -> &Path {
        self.base.parent().unwrap_or(Path::new("."))
    }

    /// Where the snapshot of this name lies, or will.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.named(name, "")
    }

    pub(super) fn new_one(&self, name: &str) -> PathBuf {
        self.named(name, NEW)
    }

    pub(super) fn old_one(&self, name: &str) -> PathBuf {
        self.named(name, OLD)
    }

    pub(super) fn gone_one(&self, name: &str) -> PathBuf {
        self.named(name, GONE)
    }

    fn named(&self, name: &str, suffix: &str) -> PathBuf {
        let mut path = self.base.file_name().unwrap_or_default().to_owned();
        path.push(format!(".{name}{suffix}"));
        self.base.with_file_name(path)
    }

    /// The database in a snapshot.
    pub(crate) fn database_in(&self, snapshot: &Path) -> PathBuf {
        self.inside.as_ref().map_or_else(|| snapshot.to_owned(), |name| snapshot.join(name))
    }

    /// The snapshot of this name. One that was about to give way to another, when the process was killed, is there under
    /// the name that it had then.
    pub(crate) fn find(&self, name: &str) -> Result<PathBuf, Problem> {
        self.is_there(name).ok_or_else(|| self.unknown(name))
    }

    fn is_there(&self, name: &str) -> Option<PathBuf> {
        let places = [self.path(name), self.old_one(name)];
        places.into_iter().find(|path| check_name(name).is_ok() && self.is_one(path))
    }

    /// Names the snapshots that there are, the nearest first.
    pub(crate) fn unknown(&self, name: &str) -> Problem {
        let mut known: Vec<String> = self.list().unwrap_or_default().into_iter().map(|(name, _)| name).collect();
        let wanted = name.to_lowercase();
        known.sort_by_cached_key(|known| {
            let known = known.to_lowercase();
            // Half a name is nearer than another one of its length.
            (wanted.is_empty() || !known.contains(&wanted), strsim::damerau_levenshtein(&known, &wanted))
        });
        Problem::NoSuchCopy { what: "snapshot", name: name.to_owned(), known }
    }

    /// The snapshots that there are, with their names, in the order of these.
    pub(crate) fn list(&self) -> Result<Vec<(String, PathBuf)>, Problem> {
        let failed = |source| io_problem(self.parent(), "list", source);
        let entries = match fs::read_dir(self.parent()) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut found = std::collections::BTreeMap::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let Some(name) = self.name_of(&entry.file_name()) else { continue };
            let name = name.strip_suffix(OLD).unwrap_or(&name);
            if let Some(path) = self.is_there(name) {
                found.insert(name.to_owned(), path);
            }
        }
        Ok(found.into_iter().collect())
    }

    fn name_of(&self, file: &OsStr) -> Option<String> {
        let base = self.base.file_name()?.as_encoded_bytes();
        let rest = file.as_encoded_bytes().strip_prefix(base)?.strip_prefix(b".")?;
        Some(std::str::from_utf8(rest).ok()?.to_owned())
    }

    /// Whether what lies there is a snapshot of this database: another file of such a name is somebody's.
    pub(crate) fn is_one(&self, path: &Path) -> bool {
        match self.inside {
            // What must not be looked into is said to be there, and why it cannot be read: else it would seem lost.
            Some(_) if path.is_dir() => match fs::metadata(self.database_in(path)) {
                Ok(metadata) => metadata.is_file(),
                Err(error) => error.kind() == std::io::ErrorKind::PermissionDenied,
            },
            Some(_) => false,
            None => path.is_file() && is_database(path),
        }
    }
}

/// Whether a snapshot can have this name on every system that the folder may be carried to.
pub(crate) fn check_name(name: &str) -> Result<(), Problem> {
    const LONGEST: usize = 100;
    let why = if name.is_empty() {
        "it is empty"
    } else if name.len() > LONGEST {
        "it is longer than 100 bytes"
    } else if name.chars().any(|character| character.is_control() || r#"/\:*?"<>|"#.contains(character)) {
        "it has a character that not every system allows in a file's name"
    } else if name.starts_with('.') || name.ends_with('.') || name.contains("..") {
        "it has a dot where it would mean another folder, or be lost"
    } else if name.trim() != name {
        "it begins or ends with a space"
    } else if is_device(name) {
        "Windows has a device of this name"
    } else if name.starts_with("lifeboat-") || name.contains(".lifeboat-") {
        "names with `lifeboat-` are for what is in the making"
    } else {
        return Ok(());
    };
    Err(Problem::BadName { name: name.to_owned(), why: why.to_owned() })
}

/// `CON`, `nul.txt`, `COM1`: <https://learn.microsoft.com/windows/win32/fileio/naming-a-file>.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_uppercase();
    let numbered = ["COM", "LPT"].iter().filter_map(|port| stem.strip_prefix(port));
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"].contains(&stem.as_str())
        || numbered
            .into_iter()
            .any(|number| ["1", "2", "3", "4", "5", "6", "7", "8", "9", "\u{b9}", "\u{b2}", "\u{b3}"].contains(&number))
}

/// Whether the name is kept for the example, in whatever letters a file system may take for the same.
pub(crate) fn is_example(name: &str) -> bool {
    name.eq_ignore_ascii_case(EXAMPLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_good_on_every_system_or_refused() {
        for good in ["before-big-update", "2026", "v1.2", "Ferien 2026", "\u{1f6df}", "com10", "console", "example"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        let long = "x".repeat(101);
        for bad in [
            "",
            ".",
            "..",
            "../x",
            "a/b",
            "a\\b",
            "a..b",
            ".hidden",
            "end.",
            " x",
            "x ",
            "CON",
            "nul.txt",
            "com1",
            "LPT\u{b2}",
            "a:b",
            "a\nb",
            "a?",
            "lifeboat-new",
            "x.lifeboat-old",
            &long,
        ] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }
}
