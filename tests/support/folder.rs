//! A picture of a folder: every file in it, byte by byte, so that a test can say what a refusal must not have changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What lay in a folder, its sub-folders included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    root: PathBuf,
    entries: BTreeMap<PathBuf, Entry>,
}

#[derive(Clone, PartialEq, Eq)]
enum Entry {
    File(Vec<u8>),
    Link(PathBuf),
    Folder,
    /// A device or a pipe.
    Other,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Entry::File(bytes) => write!(f, "a file of {} bytes", bytes.len()),
            Entry::Link(target) => write!(f, "a link to {}", target.display()),
            Entry::Folder => f.write_str("a folder"),
            Entry::Other => f.write_str("a device or a pipe"),
        }
    }
}

impl Folder {
    pub fn of(root: &Path) -> Self {
        let mut entries = BTreeMap::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let entry = entry.unwrap();
                let (path, kind) = (entry.path(), entry.file_type().unwrap());
                let name = path.strip_prefix(root).unwrap().to_owned();
                let what = if kind.is_symlink() {
                    Entry::Link(fs::read_link(&path).unwrap())
                } else if kind.is_dir() {
                    folders.push(path);
                    Entry::Folder
                } else if kind.is_file() {
                    Entry::File(fs::read(&path).unwrap())
                } else {
                    Entry::Other
                };
                entries.insert(name, what);
            }
        }
        Folder { root: root.to_owned(), entries }
    }

    /// Everything is as it was, byte by byte, and nothing is new but the launch lock, which stays for ever, and an empty
    /// folder for backups.
    #[track_caller]
    pub fn assert_unchanged(&self) {
        let mut now = Folder::of(&self.root);
        now.entries.retain(|name, entry| {
            let lock = name.to_string_lossy().ends_with("-lifeboat") && matches!(entry, Entry::File(_));
            let folder = name.ends_with("backups") && *entry == Entry::Folder;
            self.entries.contains_key(name) || !(lock || folder)
        });
        for (name, entry) in &self.entries {
            assert!(now.entries.get(name) == Some(entry), "`{}` was {entry:?} and is another", name.display());
        }
        for name in now.entries.keys() {
            assert!(self.entries.contains_key(name), "`{}` is new", name.display());
        }
    }

    /// The names that are there now and were not.
    pub fn new_names(&self) -> Vec<String> {
        let now = Folder::of(&self.root);
        now.entries
            .keys()
            .filter(|name| !self.entries.contains_key(*name))
            .map(|name| name.display().to_string())
            .collect()
    }
}
