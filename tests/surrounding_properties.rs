//! What holds for whatever lies beside a database: descriptions of its backups, the configuration.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use lifeboat::Metadata;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::folder::Folder;
use crate::support::{Project, picture};

const NOTE: &str = "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT); INSERT INTO note (body) VALUES ('one');";

/// The files of a data directory whose database has three backups, each of a run that succeeded.
static WITH_BACKUPS: LazyLock<BTreeMap<PathBuf, Vec<u8>>> = LazyLock::new(|| {
    let project = Project::with(&[("V1__note", NOTE)]);
    project.migrator().at(project.db()).migrate().unwrap();
    for version in 2..5 {
        project.write(&format!("V{version}__column"), format!("ALTER TABLE note ADD COLUMN c{version}"));
        project.migrator().at(project.db()).migrate().unwrap();
    }
    assert_eq!(project.backups().len(), 3);
    let mut files = BTreeMap::new();
    for folder in ["", "migrations", "backups"] {
        for entry in fs::read_dir(project.path().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                files.insert(path.strip_prefix(project.path()).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    files
});

fn with_backups() -> Project {
    let project = Project::new();
    fs::create_dir(project.backups_dir()).unwrap();
    for (path, content) in &*WITH_BACKUPS {
        fs::write(project.path().join(path), content).unwrap();
    }
    project
}

/// What may stand where a description says something.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            json!(1),
            json!(-1),
            json!(u64::MAX),
            json!(1e300),
            json!("migrate"),
            json!("interrupted"),
            json!("../../outside/app-2026-01-15T14-30-00.db"),
            json!("/etc/passwd"),
            json!("app.db"),
            json!("0000-01-01T00:00:00Z"),
            json!("9999-12-31T23:59:60Z"),
            json!("+262142-12-31T23:59:59Z"),
            json!("-262143-01-01T00:00:00Z"),
            json!("2026-02-30T00:00:00Z"),
            json!("V9223372036854775807__x"),
        ]),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| prop::collection::vec(inner, 0..3).prop_map(Value::from))
}

/// What lies where the description of a backup is to be.
#[derive(Debug, Clone)]
enum Beside {
    Nothing,
    AFolder,
    /// A link to a file outside, which describes a copy of a run that failed.
    ALink,
    Bytes(Vec<u8>),
    /// Its own, with other values and bytes.
    Changed {
        values: Vec<(usize, Option<Value>)>,
        bytes: Vec<(prop::sample::Index, u8)>,
        cut: Option<prop::sample::Index>,
    },
}

fn beside() -> impl Strategy<Value = Beside> {
    let huge = prop_oneof![Just("["), Just("{\"a\":"), Just("9"), Just("\u{0}")];
    prop_oneof![
        1 => Just(Beside::Nothing),
        1 => Just(Beside::AFolder),
        1 => Just(Beside::ALink),
        2 => prop::collection::vec(any::<u8>(), 0..200).prop_map(Beside::Bytes),
        // Deeper than any stack, larger than any description; and just small enough to be read.
        1 => (huge, prop_oneof![Just(10_000_usize), Just(300_000)])
            .prop_map(|(piece, count)| Beside::Bytes(piece.repeat(count).into_bytes())),
        8 => (
            prop::collection::vec((0..12_usize, prop::option::weighted(0.8, any_json())), 0..4),
            prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..2),
            prop::option::weighted(0.1, any::<prop::sample::Index>()),
        )
            .prop_map(|(values, bytes, cut)| Beside::Changed { values, bytes, cut }),
    ]
}

const FIELDS: [&str; 12] = [
    "format",
    "reason",
    "database",
    "path",
    "takenAt",
    "from",
    "to",
    "size",
    "sha256",
    "appVersion",
    "runFailed",
    "new",
];

/// Puts it there.
fn put(beside: &Beside, description: &Path, outside: &Path) {
    let own = fs::read(description).unwrap();
    fs::remove_file(description).unwrap();
    match beside {
        Beside::Nothing => {}
        Beside::AFolder => fs::create_dir(description).unwrap(),
        Beside::ALink => {
            #[cfg(unix)]
            std::os::unix::fs::symlink(outside.join("description.json"), description).unwrap();
            #[cfg(not(unix))]
            let _ = outside;
        }
        Beside::Bytes(bytes) => fs::write(description, bytes).unwrap(),
        Beside::Changed { values, bytes, cut } => {
            let mut document: Value = serde_json::from_slice(&own).unwrap();
            for (field, value) in values {
                match value {
                    Some(value) => document[FIELDS[*field]] = value.clone(),
                    None => drop(document.as_object_mut().unwrap().remove(FIELDS[*field])),
                }
            }
            let mut text = serde_json::to_vec(&document).unwrap();
            for (at, byte) in bytes {
                let at = at.index(text.len());
                text[at] = *byte;
            }
            if let Some(cut) = cut {
                text.truncate(cut.index(text.len()));
            }
            fs::write(description, text).unwrap();
        }
    }
}

fn description_of(copy: &Path) -> PathBuf {
    PathBuf::from(format!("{}.json", copy.display()))
}

/// Whether it can be understood at all.
fn is_garbage(description: &Path) -> bool {
    fs::read(description).map_or(true, |bytes| serde_json::from_slice::<Metadata>(&bytes).is_err())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn anything_may_lie_where_the_description_of_a_backup_is_to_be(
        besides in prop::collection::vec(prop::option::weighted(0.7, beside()), 3),
        keep in prop_oneof![Just(1_usize), Just(2), Just(10)],
        fails in any::<bool>(),
    ) {
        let project = with_backups();
        let outside = tempfile::tempdir().unwrap();
        for name in ["app-2026-01-15T14-30-00.db", "app-2026-01-15T14-30-00.db.json", "description.json"] {
            fs::write(outside.path().join(name), br#"{"format":1,"reason":"migrate","database":"app.db","takenAt":"2026-01-15T14:30:00Z",
                "from":null,"to":null,"size":1,"sha256":"","appVersion":null,"runFailed":true}"#).unwrap();
        }
        // A person's own files, whose names are nearly ours.
        for name in ["app.db", "app-old.db", "app-2026-01-15T14-30-00.sqlite", "app-2026-01-15T14-30-00.db.bak"] {
            fs::write(project.backups_dir().join(name), name).unwrap();
        }
        let foreign = ["app.db", "app-old.db", "app-2026-01-15T14-30-00.sqlite", "app-2026-01-15T14-30-00.db.bak"];
        let before_outside = Folder::of(outside.path());
        let copies: Vec<PathBuf> = project.migrator().at(project.db()).backups().unwrap().into_iter().map(|copy| copy.path).collect();
        prop_assert_eq!(copies.len(), 3);
        for (copy, beside) in copies.iter().zip(&besides) {
            if let Some(beside) = beside {
                put(beside, &description_of(copy), outside.path());
            }
        }
        let garbage = copies.iter().zip(&besides).all(|(copy, beside)| beside.is_none() || is_garbage(&description_of(copy)));

        // Listing.
        let before = Folder::of(project.path());
        let mut listed: Vec<PathBuf> = project.migrator().at(project.db()).backups().unwrap().into_iter().map(|copy| copy.path).collect();
        before.assert_unchanged();
        if garbage {
            prop_assert_eq!(&listed, &copies, "without a description, the name says the order");
        }
        listed.sort();
        let mut sorted = copies.clone();
        sorted.sort();
        prop_assert_eq!(&listed, &sorted);

        // A run on top of it, and the rotation.
        let old = picture(&project.db());
        project.write("V5__more", if fails { "INSERT INTO note (id) VALUES (1)" } else { "CREATE TABLE more (a)" });
        let migrator = project.migrator().keep(keep);
        let result = migrator.at(project.db()).migrate();
        prop_assert_eq!(result.is_err(), fails, "{:?}", result);
        before_outside.assert_unchanged();
        for name in foreign {
            prop_assert_eq!(fs::read(project.backups_dir().join(name)).unwrap(), name.as_bytes());
        }
        let kept: Vec<&PathBuf> = copies.iter().filter(|copy| copy.exists()).collect();
        if let Ok(report) = result {
            // The way back from this run is there whatever the others say of themselves.
            let copy = report.backup.unwrap();
            prop_assert_eq!(picture(Path::new(&copy)), old);
            prop_assert!(kept.len() + 1 >= keep.min(4) || !garbage, "{:?}", kept);
        } else {
            prop_assert_eq!(picture(&project.db()), old);
        }
        if garbage {
            // What cannot be understood changes nothing of which copies stay.
            let wanted = if fails { 3 } else { keep.min(4) - 1 };
            prop_assert_eq!(kept, copies[3 - wanted..].iter().collect::<Vec<_>>());
        } else {
            // A sound copy goes for age alone, or not at all.
            for (copy, beside) in copies.iter().zip(&besides) {
                prop_assert!(beside.is_some() || copy.exists() || !fails && keep < 4, "{}", copy.display());
            }
        }
        // And again, on top of what that left.
        project.write("V5__more", "CREATE TABLE more (a)");
        prop_assert!(project.migrator().keep(keep).at(project.db()).migrate().is_ok());
        prop_assert_eq!(project.number("SELECT count(*) FROM more"), 0);
    }
}

#[cfg(feature = "cli")]
mod configuration {
    use super::*;
    use crate::cli::{Ran, command};

    const KEYS: [&str; 14] = [
        "allow",
        "atomicity",
        "backups",
        "check",
        "color",
        "data-dir",
        "database",
        "foreign-keys-on",
        "history-table",
        "keep",
        "migrations",
        "no-transaction",
        "wait",
        "log-file",
    ];
    const WORDS: [&str; 4] = ["atomicity", "check", "color", "database"];
    const NUMBERS: [&str; 2] = ["keep", "wait"];

    fn line() -> impl Strategy<Value = String> {
        let key = prop_oneof![
            4 => prop::sample::select(KEYS.to_vec()).prop_map(str::to_owned),
            1 => prop::sample::select(vec!["keeep", "", "a.b", "\"keep\"", "[keep]", "[[keep]]", "kéep", "#"]).prop_map(str::to_owned),
            1 => "\\PC{0,6}",
        ];
        let value = prop_oneof![
            2 => prop::sample::select(vec![
                "1", "-1", "0", "99999999999999999999", "1e400", "nan", "inf", "0x7f", "true", "\"\"", "\"step\"", "'run'", "\"quick\"",
                "\"\\u0000\"", "\"\\ud800\"", "[]", "[1, 2]", "[[1]]", "{ a = 1 }", "2026-01-15", "\"\"\"\n\"\"\"", "\"../..\"", "",
            ]).prop_map(str::to_owned),
            1 => "\\PC{0,10}",
            1 => "\\PC{0,10}".prop_map(|text| format!("{text:?}")),
        ];
        (key, prop_oneof![8 => Just("="), 1 => Just(""), 1 => Just("==")], value)
            .prop_map(|(k, e, v)| format!("{k} {e} {v}\n"))
    }

    /// Why it must be refused, as far as a plain reader of TOML can tell.
    fn must_be_refused(bytes: &[u8]) -> bool {
        let Ok(text) = std::str::from_utf8(bytes) else { return true };
        let Ok(table) = text.parse::<toml::Table>() else { return true };
        table.iter().any(|(key, value)| {
            !KEYS.contains(&key.as_str())
                || WORDS.contains(&key.as_str()) && !value.is_str()
                || NUMBERS.contains(&key.as_str()) && !(value.is_integer() || value.is_float())
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn anything_may_be_the_configuration(
            lines in prop::collection::vec(line(), 0..4),
            noise in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..2),
            huge in prop::option::weighted(0.05, prop_oneof![Just("["), Just("a."), Just("{a="), Just("\"")]),
        ) {
            let project = Project::with(&[("V1__note", NOTE)]);
            let mut bytes = lines.concat().into_bytes();
            for (at, byte) in noise {
                if !bytes.is_empty() {
                    let at = at.index(bytes.len());
                    bytes[at] = byte;
                }
            }
            if let Some(piece) = huge {
                bytes.extend_from_slice(format!("keep = {}", piece.repeat(20_000)).as_bytes());
            }
            fs::write(project.path().join("lifeboat.toml"), &bytes).unwrap();
            let before = Folder::of(project.path());
            let ran = Ran::of(command(project.path(), &["migrate", "--json", "--no-env-file"]).output().unwrap());
            let document = ran.json();
            let error = &document["error"];
            let message = error["message"].as_str().unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            if error["kind"] == "config" || message.contains("lifeboat.toml") || must_be_refused(&bytes) {
                prop_assert!([1, 2].contains(&ran.code), "{:?}: {:?}", text, ran);
                prop_assert!(message.contains("lifeboat.toml"), "{:?}: {:?}", text, ran);
                prop_assert!(message.len() < 2_000, "{}", message.len());
                before.assert_unchanged();
            } else {
                // It says where things are, and they may not be there.
                prop_assert!([0, 1].contains(&ran.code), "{:?}: {:?}", text, ran);
            }
            prop_assert!(!ran.stderr.contains("panicked"), "{:?}: {:?}", text, ran);
        }
    }
}
