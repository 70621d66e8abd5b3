//! The house stands as drawn: arrows point down, a `mod.rs` holds `mod` and `pub use` only, files stay readable.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The floors. A file may use what is on a lower floor, and what is in its own room.
const FLOORS: &[(&str, u8)] = &[
    ("report", 0),
    ("error", 1),
    ("event", 1),
    ("file", 2),
    ("migration", 3),
    ("backup", 3),
    ("schema", 3),
    ("engine", 4),
    ("ops", 5),
    ("log_sink", 2),
    ("migrator", 6),
    ("testing", 7),
    ("cli", 8),
    ("main", 9),
];

fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                sources.push((path.strip_prefix(&root).unwrap().to_owned(), text));
            }
        }
    }
    assert!(sources.len() > 30, "the sources were found");
    sources
}

fn room(path: &Path) -> String {
    let first = path.iter().next().unwrap().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn arrows_point_down() {
    let floors: BTreeMap<&str, u8> = FLOORS.iter().copied().collect();
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let room = room(&path);
        if room == "lib" {
            continue;
        }
        let Some(floor) = floors.get(room.as_str()) else { panic!("`{room}` is on no floor") };
        let code = text.split("#[cfg(test)]").next().unwrap();
        for (_, after) in code.match_indices("crate::").map(|(at, found)| code.split_at(at + found.len())) {
            let other: String = after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if let Some(other_floor) = floors.get(other.as_str())
                && other != room
                && other_floor >= floor
            {
                wrong.push(format!("{} -> {other}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn refinery_is_known_in_two_rooms_only() {
    for (path, text) in sources() {
        let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        if code.contains("refinery_core::") {
            assert!(["migration", "engine"].contains(&room(&path).as_str()), "{}", path.display());
        }
    }
}

#[test]
fn a_mod_file_is_a_table_of_contents() {
    for (path, text) in sources().into_iter().filter(|(path, _)| path.ends_with("mod.rs")) {
        let mut text = text.split("#[cfg(test)]").next().unwrap().to_owned();
        text.retain(|c| c != '\r');
        for item in ["fn ", "struct ", "enum ", "impl ", "trait "] {
            assert!(!text.lines().any(|line| line.trim_start().starts_with(item)), "{}: {item}", path.display());
        }
    }
}

#[test]
fn files_stay_readable() {
    for (path, text) in sources() {
        // Tests at the end of a file do not count, and the face of the library is mostly documentation.
        let lines =
            text.split("#[cfg(test)]").next().unwrap().lines().filter(|l| !l.trim_start().starts_with("//")).count();
        assert!(lines <= 420, "{} has {lines} lines", path.display());
    }
}

#[test]
fn nothing_is_called_utils() {
    for (path, _) in sources() {
        for part in path.iter().map(|part| part.to_str().unwrap().trim_end_matches(".rs")) {
            assert!(
                !["util", "utils", "helper", "helpers", "manager", "misc", "common"].contains(&part),
                "{}",
                path.display()
            );
        }
    }
}
