//! The files of a restore, before its database is in place: they wait, durable, beside the database.
//!
//! ```text
//! app.db-lifeboat-restore/
//!   id          which restore they are of: the ledger's open one has the same
//!   database    what is about to be put into place
//!   files/      what is to be brought into the data directory
//!   gone/       what is to leave it: empty files of these names
//!   new/        what was not there before, so that going back can say so: empty files of these names
//! ```
//!
//! What is to happen to which file is said by names in folders, not by a list of paths: no path can lead outside.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::carry::{Progress, copy_contents};
use super::directory::{Contents, Directory};
use super::moment::copy_moment;
use crate::error::Problem;
use crate::event::CancelToken;
use crate::file::{
    Connector, DatabasePath, Entry, Kind, allocate_exclusively, content_hash, create_folder, create_private_folder,
    io_problem, is_same, kind_in, refuses_writing, remove_any, remove_if_there, settle_folders, sync_file, sync_folder,
    write_problem,
};

/// Where the files of a restore wait.
pub(crate) struct Staging {
    root: PathBuf,
}

/// What the files of a data directory are to be.
pub(crate) struct Wanted {
    pub(crate) root: PathBuf,
    pub(crate) contents: Contents,
    /// What the copy lacks, if that is said; else all that is not in it.
    pub(crate) lacks: Option<BTreeSet<PathBuf>>,
}

/// What it takes for them to be that.
#[derive(Default)]
pub(crate) struct Files {
    /// What is other than wanted, with the folders of all.
    pub(crate) bring: Contents,
    /// Those that nothing is in the place of.
    pub(crate) new: BTreeSet<PathBuf>,
    /// What the copy lacks.
    pub(crate) extra: Vec<Entry>,
}

impl Staging {
    pub(crate) fn of(database: &DatabasePath) -> Self {
        Staging { root: database.sidecar("-lifeboat-restore") }
    }

    /// What is about to be put into place.
    pub(crate) fn database(&self) -> PathBuf {
        self.root.join("database")
    }

    pub(super) fn files(&self) -> PathBuf {
        self.root.join("files")
    }

    pub(super) fn gone(&self) -> PathBuf {
        self.root.join("gone")
    }

    pub(super) fn new_names(&self) -> PathBuf {
        self.root.join("new")
    }

    /// Makes an empty one, in place of what a process left that was killed before its database was in place.
    pub(crate) fn begin(&self, id: &str) -> Result<(), Problem> {
        self.discard()?;
        let make = || {
            create_private_folder(&self.root)?;
            for folder in [self.files(), self.gone(), self.new_names()] {
                create_private_folder(&folder)?;
            }
            let mut file = allocate_exclusively(&self.root.join("id"))?;
            io::Write::write_all(&mut file, id.as_bytes())?;
            // Without it, a power cut could leave files of which nobody knows what they wait for.
            sync_file(&file)
        };
        make().map_err(|source| write_problem(&self.root, "create", source))
    }

    /// Removes it, if it is there.
    pub(crate) fn discard(&self) -> Result<(), Problem> {
        remove_any(&self.root).map_err(|source| io_problem(&self.root, "remove", source))
    }

    /// Whether the files of this restore wait here. A link is nothing that we made.
    pub(crate) fn is_of(&self, id: &str) -> bool {
        let folders = [self.root.clone(), self.files(), self.gone(), self.new_names()];
        folders.iter().all(|folder| matches!(Kind::at(folder), Ok(Some(Kind::Folder))))
            && matches!(Kind::at(&self.root.join("id")), Ok(Some(Kind::File)))
            && fs::read(self.root.join("id")).is_ok_and(|text| text == id.as_bytes())
    }

    /// Compares a data directory with what it is to be.
    pub(crate) fn plan(
        &self,
        directory: &Directory,
        wanted: &Wanted,
        wait: Duration,
        cancel: &CancelToken,
    ) -> Result<Files, Problem> {
        let live = directory.contents()?;
        let mut files = Files::default();
        for entry in &wanted.contents.entries {
            if cancel.is_cancelled() {
                return Err(Problem::Cancelled {});
            }
            let (theirs, ours) = (wanted.root.join(&entry.path), directory.folder.join(&entry.path));
            let failed = |source| io_problem(&ours, "compare", source);
            let there = kind_in(&directory.folder, &entry.path).map_err(failed)?;
            let is_database = wanted.contents.databases.contains(&entry.path);
            let same = match there {
                None => false,
                Some(kind) if kind != entry.kind => false,
                Some(_) if live.databases.contains(&entry.path) => {
                    is_database && self.holds_the_same(&ours, &theirs, wait, cancel)?
                }
                Some(_) => !is_database && is_same(&theirs, &ours).map_err(failed)?,
            };
            if same && entry.kind != Kind::Folder {
                continue;
            }
            if there.is_none() {
                files.new.insert(entry.path.clone());
            }
            if is_database {
                files.bring.databases.insert(entry.path.clone());
            }
            files.bring.entries.push(entry.clone());
        }
        let is_wanted: BTreeSet<&Path> = wanted.contents.entries.iter().map(|entry| entry.path.as_path()).collect();
        let brought = files.bring.entries.iter().filter(|entry| entry.kind != Kind::Folder);
        let brought: BTreeSet<&Path> = brought.map(|entry| entry.path.as_path()).collect();
        files.extra = live.entries;
        files.extra.retain(|entry| match &wanted.lacks {
            Some(lacks) => lacks.contains(&entry.path),
            None => !is_wanted.contains(entry.path.as_path()),
        });
        // A folder that gives way to a file goes with all that is in it.
        files.extra.retain(|entry| !entry.path.ancestors().any(|path| brought.contains(path)));
        Ok(files)
    }

    /// Another database, read as it is at this moment: its file alone does not tell.
    fn holds_the_same(
        &self,
        ours: &Path,
        theirs: &Path,
        wait: Duration,
        cancel: &CancelToken,
    ) -> Result<bool, Problem> {
        let scratch = self.root.join("compared");
        let failed = |source| io_problem(&scratch, "compare", source);
        copy_moment(&Connector::default(), ours, &scratch, None, wait, cancel, |_, _| {})?;
        let same =
            content_hash(&scratch, |_| Ok(())).map_err(failed)? == content_hash(theirs, |_| Ok(())).map_err(failed)?;
        remove_if_there(&scratch).map_err(failed)?;
        Ok(same)
    }

    /// Copies what is to be brought, notes what is to leave if it is to, and makes all of it durable.
    pub(crate) fn stage(
        &self,
        wanted: &Wanted,
        files: &Files,
        exact: bool,
        wait: Duration,
        cancel: &CancelToken,
        progress: &mut Progress<'_>,
    ) -> Result<(), Problem> {
        let lost = copy_contents(&wanted.root, &self.files(), &files.bring, wait, cancel, progress)?;
        if let Some(lost) = lost.first() {
            return Err(io_problem(&wanted.root.join(lost), "copy", io::ErrorKind::NotFound.into()));
        }
        let note = || {
            for entry in files.bring.entries.iter().filter(|entry| files.new.contains(&entry.path)) {
                mark(&self.new_names(), &entry.path, entry.kind)?;
            }
            for entry in files.extra.iter().filter(|_| exact) {
                mark(&self.gone(), &entry.path, entry.kind)?;
            }
            settle_folders(&self.root)?;
            // Without it, a power cut could leave the note that files wait, and no files.
            sync_folder(self.root.parent().unwrap_or(Path::new(".")))
        };
        note().map_err(|source| write_problem(&self.root, "write", source))
    }
}

impl Files {
    /// A folder that files are to go into or to leave and that cannot be written, or a database that is to be; and why.
    pub(crate) fn unwritable(&self, directory: &Directory, exact: bool) -> Option<(PathBuf, String)> {
        let brought = self.bring.entries.iter();
        let brought = brought.filter(|entry| entry.kind != Kind::Folder || self.new.contains(&entry.path));
        let gone = self.extra.iter().filter(|entry| exact && entry.kind != Kind::Folder);
        let mut places = BTreeSet::new();
        for entry in brought.chain(gone) {
            let live = directory.folder.join(&entry.path);
            if self.bring.databases.contains(&entry.path) && live.is_file() {
                places.insert(live.clone());
            }
            // What is not there yet is made in the nearest one that is.
            let above = live.ancestors().skip(1).take_while(|path| path.starts_with(&directory.folder));
            places.extend(above.map(Path::to_owned).find(|path| path.is_dir()));
        }
        places.into_iter().find_map(|path| refuses_writing(&path).map(|why| (path, why)))
    }

    /// Whether anything is to change.
    pub(crate) fn any(&self, exact: bool) -> bool {
        let brings = |entry: &Entry| entry.kind != Kind::Folder || self.new.contains(&entry.path);
        self.bring.entries.iter().any(brings) || (exact && !self.extra.is_empty())
    }
}

/// Says a path by an empty file, or a folder, of this name in `folder`.
pub(super) fn mark(folder: &Path, path: &Path, kind: Kind) -> io::Result<()> {
    let mark = folder.join(path);
    if kind == Kind::Folder {
        return create_folder(&mark);
    }
    create_folder(mark.parent().unwrap_or(folder))?;
    match allocate_exclusively(&mark) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map(drop),
    }
}
