//! A disk that forgets. From the recorded calls of a run it makes the states in which a power cut may leave the folder:
//! what was synced is there; of the rest, any part may be.
//!
//! The model is harsher than most file systems: a file's content and its name are durable only by syncs of the file and
//! of the folder, one does not bring the other along. Names of a folder become durable in the order in which they were
//! changed (all journalling file systems keep it); data in any order, and torn at sectors.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::thin::thin;
use super::trace::{Call, is_in};

const SECTOR: usize = 512;

type FileId = usize;

/// What a call did to the disk.
#[derive(Debug, Clone)]
enum Change {
    Write {
        file: FileId,
        at: usize,
        bytes: Vec<u8>,
    },
    Truncate {
        file: FileId,
        length: usize,
    },
    SyncFile {
        file: FileId,
    },
    /// Names that are taken away and given, at once.
    Names {
        folder: PathBuf,
        removed: Option<PathBuf>,
        added: Option<(PathBuf, Entry)>,
    },
    SyncFolder {
        folder: PathBuf,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    File(FileId),
    Folder,
}

/// A sync of the run, which the campaign can leave out to see whether it is missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sync {
    pub index: usize,
    pub what: String,
}

/// A run on a folder, as the disk saw it.
pub struct Disk {
    root: PathBuf,
    contents: Vec<Vec<u8>>,
    names: BTreeMap<PathBuf, Entry>,
    changes: Vec<Change>,
    syncs: Vec<Sync>,
}

/// What of the unsynced survives.
#[derive(Debug, Clone, Copy)]
pub enum Luck {
    /// Nothing.
    None,
    /// All of it.
    All,
    /// Names, but no data: the rename that overtakes the content.
    NamesOnly,
    /// Data, but no names.
    DataOnly,
    /// Any part, by this seed.
    Random(u64),
}

/// A folder after a power cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State(pub BTreeMap<PathBuf, Option<Vec<u8>>>);

impl Disk {
    /// From the folder as it was before the run, and the run's calls.
    pub fn new(root: &Path, before: &State, calls: &[Call]) -> Self {
        let mut disk = Disk {
            root: root.to_owned(),
            contents: Vec::new(),
            names: BTreeMap::new(),
            changes: Vec::new(),
            syncs: Vec::new(),
        };
        for (path, content) in &before.0 {
            let entry = match content {
                Some(bytes) => {
                    disk.contents.push(bytes.clone());
                    Entry::File(disk.contents.len() - 1)
                }
                None => Entry::Folder,
            };
            disk.names.insert(root.join(path), entry);
        }
        disk.names.insert(root.to_owned(), Entry::Folder);
        disk.follow(calls);
        disk
    }

    fn follow(&mut self, calls: &[Call]) {
        /// A descriptor: what it is open on, where its position is, whether it appends.
        struct Open {
            entry: Entry,
            path: PathBuf,
            position: usize,
            append: bool,
        }
        let mut open: HashMap<i32, Open> = HashMap::new();
        let mut now = self.names.clone();
        let mut lengths: HashMap<FileId, usize> = self.contents.iter().map(Vec::len).enumerate().collect();
        let root = self.root.clone();
        for call in calls {
            match call {
                Call::Open { path, fd, create, truncate, append } if is_in(path, &root) => {
                    let entry = match now.get(path) {
                        Some(entry) => *entry,
                        None => {
                            assert!(create, "`{}` was opened but is not known", path.display());
                            self.contents.push(Vec::new());
                            let entry = Entry::File(self.contents.len() - 1);
                            now.insert(path.clone(), entry);
                            self.name(path, None, Some(entry));
                            entry
                        }
                    };
                    if let (Entry::File(file), true) = (entry, truncate) {
                        lengths.insert(file, 0);
                        self.changes.push(Change::Truncate { file, length: 0 });
                    }
                    open.insert(*fd, Open { entry, path: path.clone(), position: 0, append: *append });
                }
                Call::Open { fd, .. } | Call::Close { fd } => {
                    open.remove(fd);
                }
                Call::Seek { fd, to } => {
                    if let Some(open) = open.get_mut(fd) {
                        open.position = usize::try_from(*to).unwrap();
                    }
                }
                Call::Write { fd, at, bytes } => {
                    let Some(open) = open.get_mut(fd) else { continue };
                    let Entry::File(file) = open.entry else { panic!("a folder was written") };
                    let length = lengths.entry(file).or_default();
                    let at = match at {
                        Some(at) => usize::try_from(*at).unwrap(),
                        None => {
                            let at = if open.append { *length } else { open.position };
                            open.position = at + bytes.len();
                            at
                        }
                    };
                    *length = (*length).max(at + bytes.len());
                    self.changes.push(Change::Write { file, at, bytes: bytes.clone() });
                }
                Call::Copy { from, from_at, to, to_at, length } => {
                    let (Some(from), Some(to)) = (open.get(from), open.get(to)) else { continue };
                    let (Entry::File(from), Entry::File(file)) = (from.entry, to.entry) else { panic!("a folder") };
                    let [from_at, at] = [*from_at, *to_at].map(|place| usize::try_from(place).unwrap());
                    let bytes = self.visible(from)[from_at..from_at + length].to_vec();
                    let end = lengths.entry(file).or_default();
                    *end = (*end).max(at + length);
                    self.changes.push(Change::Write { file, at, bytes });
                }
                Call::Truncate { fd, length } => {
                    let Some(Open { entry: Entry::File(file), .. }) = open.get(fd) else { continue };
                    let length = usize::try_from(*length).unwrap();
                    lengths.insert(*file, length);
                    self.changes.push(Change::Truncate { file: *file, length });
                }
                Call::Sync { fd } => {
                    let Some(open) = open.get(fd) else { continue };
                    let what = open.path.strip_prefix(&root).unwrap().display().to_string();
                    let (what, change) = match open.entry {
                        Entry::File(file) => (what, Change::SyncFile { file }),
                        Entry::Folder => (format!("{what}/"), Change::SyncFolder { folder: open.path.clone() }),
                    };
                    self.syncs.push(Sync { index: self.changes.len(), what });
                    self.changes.push(change);
                }
                Call::Rename { from, to } if is_in(from, &root) => {
                    let entry = now.remove(from).expect("a file that is known is renamed");
                    now.insert(to.clone(), entry);
                    self.name(to, Some(from.clone()), Some(entry));
                }
                Call::Link { from, to } if is_in(from, &root) => {
                    let entry = now[from];
                    now.insert(to.clone(), entry);
                    self.name(to, None, Some(entry));
                }
                Call::Unlink { path } if is_in(path, &root) => {
                    now.remove(path);
                    self.name(path, Some(path.clone()), None);
                }
                Call::MakeFolder { path } if is_in(path, &root) => {
                    now.insert(path.clone(), Entry::Folder);
                    self.name(path, None, Some(Entry::Folder));
                }
                Call::Rename { .. } | Call::Link { .. } | Call::Unlink { .. } | Call::MakeFolder { .. } => {}
            }
        }
    }

    /// What whoever reads a file sees after all changes so far.
    fn visible(&self, wanted: FileId) -> Vec<u8> {
        let mut content = self.contents[wanted].clone();
        for change in &self.changes {
            match change {
                Change::Write { file, at, bytes } if *file == wanted => {
                    content.resize(content.len().max(at + bytes.len()), 0);
                    content[*at..at + bytes.len()].copy_from_slice(bytes);
                }
                Change::Truncate { file, length } if *file == wanted => content.resize(*length, 0),
                _ => {}
            }
        }
        content
    }

    fn name(&mut self, path: &Path, removed: Option<PathBuf>, added: Option<Entry>) {
        let folder = path.parent().unwrap().to_owned();
        self.changes.push(Change::Names { folder, removed, added: added.map(|entry| (path.to_owned(), entry)) });
    }

    /// The moments to cut the power at, of all that there are, with that after the last call. Of the writes of a large file
    /// not all.
    pub fn moments(&self, large: bool) -> Vec<usize> {
        let last = self.changes.len();
        if !large {
            return (0..=last).collect();
        }
        let mut moments = thin(last, |index| match &self.changes[index] {
            Change::Write { file, bytes, .. } => Some((*file, bytes.len())),
            _ => None,
        });
        moments.push(last);
        moments
    }

    /// The moment after the last call.
    pub fn last(&self) -> usize {
        self.changes.len()
    }

    /// The run's syncs.
    pub fn syncs(&self) -> &[Sync] {
        &self.syncs
    }

    /// The folder after a power cut before the change number `moment`, if `left_out` had not been called.
    pub fn state(&self, moment: usize, luck: Luck, left_out: Option<&Sync>) -> State {
        let mut random = match luck {
            Luck::Random(seed) => seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (moment as u64),
            _ => 0,
        };
        let mut coin = move |sides: u64| {
            // splitmix64
            random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = random;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (z ^ (z >> 31)) % sides
        };
        let happened = &self.changes[..moment];
        let is_left_out = |index: usize| left_out.is_some_and(|sync| sync.index == index);
        // Up to which change each file's data and each folder's names are durable.
        let (mut data_until, mut names_until) = (HashMap::new(), HashMap::new());
        for (index, change) in happened.iter().enumerate().filter(|(index, _)| !is_left_out(*index)) {
            match change {
                Change::SyncFile { file } => drop(data_until.insert(*file, index)),
                Change::SyncFolder { folder } => drop(names_until.insert(folder.clone(), index)),
                _ => {}
            }
        }
        // Of the names after that, a first part.
        let mut loose_names: BTreeMap<&Path, Vec<usize>> = BTreeMap::new();
        for (index, change) in happened.iter().enumerate() {
            if let Change::Names { folder, .. } = change
                && names_until.get(folder).is_none_or(|until| index > *until)
            {
                loose_names.entry(folder).or_default().push(index);
            }
        }
        let mut lost_names: BTreeSet<usize> = BTreeSet::new();
        for loose in loose_names.values() {
            let kept = match luck {
                Luck::None | Luck::DataOnly => 0,
                Luck::All | Luck::NamesOnly => loose.len(),
                Luck::Random(_) => usize::try_from(coin(loose.len() as u64 + 1)).unwrap(),
            };
            lost_names.extend(&loose[kept..]);
        }
        let mut contents = self.contents.clone();
        let mut names = self.names.clone();
        for (index, change) in happened.iter().enumerate() {
            let survives = |file: &FileId, coin: &mut dyn FnMut(u64) -> u64| {
                data_until.get(file).is_some_and(|until| index < *until)
                    || match luck {
                        Luck::None | Luck::NamesOnly => false,
                        Luck::All | Luck::DataOnly => true,
                        Luck::Random(_) => coin(2) == 0,
                    }
            };
            match change {
                Change::Write { file, at, bytes } => {
                    let durable = data_until.get(file).is_some_and(|until| index < *until);
                    if survives(file, &mut coin) {
                        // What is not durable may be torn between two sectors.
                        let whole = durable || !matches!(luck, Luck::Random(_)) || coin(4) != 0;
                        let sectors = bytes.len().div_ceil(SECTOR) as u64;
                        let kept = if whole {
                            bytes.len()
                        } else {
                            (usize::try_from(coin(sectors + 1)).unwrap() * SECTOR).min(bytes.len())
                        };
                        let content = &mut contents[*file];
                        if content.len() < at + kept {
                            lengthen(content, at + kept);
                        }
                        content[*at..at + kept].copy_from_slice(&bytes[..kept]);
                    }
                }
                Change::Truncate { file, length } if survives(file, &mut coin) => {
                    contents[*file].truncate(*length);
                    lengthen(&mut contents[*file], *length);
                }
                Change::Names { removed, added, .. } if !lost_names.contains(&index) => {
                    if let Some(removed) = removed {
                        names.remove(removed);
                    }
                    if let Some((path, entry)) = added {
                        names.insert(path.clone(), *entry);
                    }
                }
                _ => {}
            }
        }
        self.picture(&names, &contents)
    }

    fn picture(&self, names: &BTreeMap<PathBuf, Entry>, contents: &[Vec<u8>]) -> State {
        let mut state = BTreeMap::new();
        for (path, entry) in names {
            // A file in a folder whose own name was lost is lost with it.
            let there = path
                .ancestors()
                .skip(1)
                .take_while(|folder| folder.starts_with(&self.root))
                .all(|folder| names.contains_key(folder));
            if there && *path != self.root {
                let content = match entry {
                    Entry::File(file) => Some(contents[*file].clone()),
                    Entry::Folder => None,
                };
                state.insert(path.strip_prefix(&self.root).unwrap().to_owned(), content);
            }
        }
        State(state)
    }
}

/// Zeros to its end. As `resize`, which without optimization writes one by one.
fn lengthen(content: &mut Vec<u8>, length: usize) {
    content.extend_from_slice(&vec![0; length - content.len()]);
}

impl State {
    /// The folder as it is now.
    pub fn of(folder: &Path) -> Self {
        let mut state = BTreeMap::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(next) = folders.pop() {
            for entry in fs::read_dir(&next).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(folder).unwrap().to_owned();
                if path.is_dir() {
                    state.insert(name, None);
                    folders.push(path);
                } else {
                    state.insert(name, Some(fs::read(&path).unwrap()));
                }
            }
        }
        State(state)
    }

    /// Makes the folder so.
    pub fn write_to(&self, folder: &Path) {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).unwrap();
        for (path, content) in &self.0 {
            match content {
                None => fs::create_dir_all(folder.join(path)).unwrap(),
                Some(bytes) => {
                    fs::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
                    fs::write(folder.join(path), bytes).unwrap();
                }
            }
        }
    }

    /// To tell states apart. SHA-256 is optimized even where the campaign is not, and the states are large.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        for (path, content) in &self.0 {
            hasher.update(path.as_os_str().as_encoded_bytes());
            hasher.update([0, u8::from(content.is_some())]);
            if let Some(bytes) = content {
                hasher.update((bytes.len() as u64).to_le_bytes());
                hasher.update(bytes);
            }
        }
        hasher.finalize().into()
    }
}
