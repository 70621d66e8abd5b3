//! The names of backups: `app.db` gives `app-2026-01-15T14-30-00.db`, in UTC; `_2`, `_3` where that one is taken. A copy
//! that is compressed has `.zst` behind its name.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, Utc};

const STAMP: &str = "%Y-%m-%dT%H-%M-%S";
const STAMP_LENGTH: usize = "2026-01-15T14-30-00".len();

/// What a compressed copy has behind its name: the form that `zstd -d` takes away again.
const COMPRESSED: &str = ".zst";

/// When a backup was taken, to the second, and its number within that second: names in the order of their making.
pub(crate) type Moment = (NaiveDateTime, u32);

/// The names for one database: `a.db` and `a.sqlite` do not know each other's.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    stem: OsString,
    extension: Option<OsString>,
}

impl Names {
    pub(crate) fn of(database: &Path) -> Self {
        Names {
            stem: database.file_stem().unwrap_or_default().to_owned(),
            extension: database.extension().map(ToOwned::to_owned),
        }
    }

    /// The name for a copy taken `now`, later than `newest` even if the clock went back.
    pub(crate) fn next(&self, now: DateTime<Utc>, newest: Option<Moment>) -> (OsString, Moment) {
        // Whole seconds: what the name can say.
        let now = now.naive_utc();
        let now = now.format(STAMP).to_string().parse_stamp().unwrap_or(now);
        let moment = match newest {
            Some((at, number)) if at >= now => (at, number.max(1) + 1),
            _ => (now, 1),
        };
        (self.at(moment), moment)
    }

    fn at(&self, (at, number): Moment) -> OsString {
        let mut name = self.stem.clone();
        name.push(format!("-{}", at.format(STAMP)));
        if number > 1 {
            name.push(format!("_{number}"));
        }
        if let Some(extension) = &self.extension {
            name.push(".");
            name.push(extension);
        }
        name
    }

    /// Reads a name of exactly our form, for exactly this database.
    pub(crate) fn read(&self, name: &OsStr) -> Option<Moment> {
        let rest = name.as_encoded_bytes().strip_prefix(self.stem.as_encoded_bytes())?.strip_prefix(b"-")?;
        let rest = match &self.extension {
            Some(extension) => rest.strip_suffix(extension.as_encoded_bytes())?.strip_suffix(b".")?,
            None => rest,
        };
        let rest = std::str::from_utf8(rest).ok()?;
        let (stamp, number) = rest.split_at_checked(STAMP_LENGTH)?;
        let at = stamp.parse_stamp()?;
        let number = if number.is_empty() { 1 } else { number.strip_prefix('_')?.parse().ok().filter(|n| *n > 1)? };
        // `+5`, `05`: numbers that we do not write.
        (self.at((at, number)) == name).then_some((at, number))
    }

    /// The same where the copy may be compressed. `notes-….zst` may be a copy of `notes.zst`, so that a database without an
    /// extension has none.
    pub(crate) fn read_either(&self, name: &OsStr) -> Option<(Moment, bool)> {
        let plain = |name: &OsStr| self.read(name).map(|moment| (moment, false));
        let packed = || {
            self.extension.as_ref()?;
            self.read(Path::new(name).file_stem().filter(|stem| with_packed(stem) == name)?)
                .map(|moment| (moment, true))
        };
        plain(name).or_else(packed)
    }

    /// Whether copies of this database have a name when they are compressed.
    pub(crate) fn can_be_compressed(&self) -> bool {
        self.extension.is_some()
    }

    /// Whether this is the name of a copy that was decompressed to be looked at: see [`unpacked`].
    pub(crate) fn is_unpacked(&self, name: &OsStr) -> bool {
        let Some(name) = name.to_str().and_then(|name| name.strip_prefix('.')?.strip_suffix(UNPACKED)) else {
            return false;
        };
        name.rsplit_once('.').is_some_and(|(copy, tag)| {
            tag.len() == 8 && tag.bytes().all(|byte| byte.is_ascii_hexdigit()) && self.read(OsStr::new(copy)).is_some()
        })
    }

    /// The name of a copy in the making. There is one at a time, under the launch lock of the database that `tag` is of.
    pub(crate) fn partial(&self, tag: &str) -> OsString {
        let mut name = OsString::from(".");
        name.push(&self.stem);
        if let Some(extension) = &self.extension {
            name.push(".");
            name.push(extension);
        }
        name.push(format!(".{tag}.partial"));
        name
    }

    /// Whether this is the name of a copy in the making, or of a file that SQLite keeps beside one, of whichever database
    /// has this name.
    pub(crate) fn is_partial(&self, name: &OsStr) -> bool {
        // What `partial` makes of an empty tag ends in `..partial`.
        let whole = self.partial("");
        let start = whole.as_encoded_bytes().strip_suffix(b".partial").unwrap_or_default();
        let tag = name.as_encoded_bytes().strip_prefix(start).and_then(|rest| {
            let (tag, rest) = rest.split_at_checked(8)?;
            [&b".partial"[..], b".partial-wal", b".partial-shm", b".partial-journal"].contains(&rest).then_some(tag)
        });
        tag.is_some_and(|tag| tag.iter().all(u8::is_ascii_hexdigit))
    }
}

const UNPACKED: &str = ".plain";

/// The path of a copy when it is compressed.
pub(crate) fn packed(plain: &Path) -> PathBuf {
    PathBuf::from(with_packed(plain.as_os_str()))
}

fn with_packed(name: &OsStr) -> OsString {
    let mut name = name.to_owned();
    name.push(COMPRESSED);
    name
}

/// The path of the plain form of a compressed copy for as long as one process looks at it, which `tag` is of.
#[cfg(any(feature = "zstd", test))]
pub(crate) fn unpacked(folder: &Path, plain: &OsStr, tag: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(plain);
    name.push(format!(".{tag}{UNPACKED}"));
    folder.join(name)
}

trait ParseStamp {
    fn parse_stamp(&self) -> Option<NaiveDateTime>;
}

impl ParseStamp for str {
    fn parse_stamp(&self) -> Option<NaiveDateTime> {
        NaiveDateTime::parse_from_str(self, STAMP).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn names_are_in_order_even_when_the_clock_goes_back() {
        let names = Names::of(Path::new("/x/my app.db"));
        let (first, moment) = names.next(at("2026-01-15T14:30:00.9Z"), None);
        assert_eq!(first, "my app-2026-01-15T14-30-00.db");
        let (second, moment) = names.next(at("2026-01-15T14:30:00.95Z"), Some(moment));
        assert_eq!(second, "my app-2026-01-15T14-30-00_2.db");
        let (third, third_moment) = names.next(at("2020-01-01T00:00:00Z"), Some(moment));
        assert_eq!(third, "my app-2026-01-15T14-30-00_3.db");
        assert!(names.read(&third) > names.read(&second));
        assert_eq!(names.read(&third), Some(third_moment));
    }

    #[test]
    fn a_copy_in_the_making_is_known_by_its_name() {
        let names = Names::of(Path::new("a.db"));
        assert_eq!(names.partial("0123abcd"), ".a.db.0123abcd.partial");
        for ours in [".a.db.0123abcd.partial", ".a.db.0123abcd.partial-wal", ".a.db.0123abcd.partial-journal"] {
            assert!(names.is_partial(OsStr::new(ours)), "{ours}");
        }
        for other in
            [".b.db.0123abcd.partial", ".a.db.0123abc.partial", ".a.db.0123abcx.partial", "a.db", ".a.db.partial"]
        {
            assert!(!names.is_partial(OsStr::new(other)), "{other}");
        }
    }

    #[test]
    fn a_compressed_copy_is_known_by_its_name() {
        let names = Names::of(Path::new("a.db"));
        let read = |name: &str| names.read_either(OsStr::new(name)).map(|(_, compressed)| compressed);
        assert_eq!(read("a-2026-01-15T14-30-00_2.db"), Some(false));
        assert_eq!(read("a-2026-01-15T14-30-00_2.db.zst"), Some(true));
        for other in ["a-2026-01-15T14-30-00.db.zst.zst", "a-2026-01-15T14-30-00.zst", "a.db.zst", "x.zst", ".zst"] {
            assert_eq!(read(other), None, "{other}");
        }
        let zst = Names::of(Path::new("notes.zst"));
        let bare = Names::of(Path::new("notes"));
        let name = OsStr::new("notes-2026-01-15T14-30-00.zst");
        assert!(zst.read(name).is_some());
        assert_eq!(bare.read_either(name), None, "it is another database's");
        let looked_at = unpacked(Path::new(""), OsStr::new("a-2026-01-15T14-30-00.db"), "0123abcd");
        assert!(names.is_unpacked(looked_at.as_os_str()));
        assert!(!bare.is_unpacked(looked_at.as_os_str()));
        assert!(!names.is_unpacked(OsStr::new("a-2026-01-15T14-30-00.db")));
    }

    #[test]
    fn only_names_of_exactly_our_form_for_this_database_are_read() {
        let names = Names::of(Path::new("a.db"));
        assert!(names.read(OsStr::new("a-2026-01-15T14-30-00.db")).is_some());
        for other in [
            "a-2026-01-15T14-30-00.sqlite",
            "b-2026-01-15T14-30-00.db",
            "a-2026-01-15T14-30-00.db.json",
            "a-2026-01-15T14-30-00_1.db",
            "a-2026-01-15T14-30-00_02.db",
            "a-2026-01-15T14-30-00_+2.db",
            "a-2026-13-15T14-30-00.db",
            "a-before-the-holidays.db",
            "a.db",
            "-2026-01-15T14-30-00.db",
        ] {
            assert_eq!(names.read(OsStr::new(other)), None, "{other}");
        }
        let bare = Names::of(Path::new("notes"));
        assert_eq!(bare.next(at("2026-01-15T14:30:00Z"), None).0, "notes-2026-01-15T14-30-00");
        assert!(bare.read(OsStr::new("notes-2026-01-15T14-30-00")).is_some());
        assert!(bare.read(OsStr::new("notes-2026-01-15T14-30-00.db")).is_none());
    }
}
