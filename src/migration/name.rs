//! The names of migration files.

/// What a file name in a migrations folder means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FileName<'a> {
    /// `V2__add_users.sql` or `U2__add_users.sql`; with `.rs`, refinery's form in Rust.
    Up { prefix: char, version: i64, name: &'a str, rust: bool },
    /// `V2__add_users.down.sql`.
    Down { prefix: char, version: i64, name: &'a str },
    /// It looks like a migration and is none.
    Mistaken { why: String, right: Option<String> },
    /// No business of ours.
    Other,
}

/// Reads a file name. Versions are refinery's: whole numbers that fit its `SchemaVersion`.
pub(crate) fn classify(file: &str) -> FileName<'_> {
    // Every launch reads all names of what was embedded; nearly all of them are as they should be.
    plain(file).unwrap_or_else(|| classify_at_length(file))
}

/// A name that is as it should be, in letters that need no second look.
fn plain(file: &str) -> Option<FileName<'_>> {
    let stem = file.strip_suffix(".sql")?;
    let (stem, down) = stem.strip_suffix(".down").map_or((stem, false), |stem| (stem, true));
    let prefix = match stem.as_bytes().first()? {
        b'V' => 'V',
        b'U' => 'U',
        _ => return None,
    };
    let digits = stem[1..].bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = stem[1..].split_at(digits);
    let name = rest.strip_prefix("__")?;
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !name.bytes().all(word) || name.starts_with('_') {
        return None;
    }
    let version = number.parse().ok().filter(|version| *version <= max_version())?;
    match (name.is_empty(), down) {
        (true, _) => None,
        (false, true) => Some(FileName::Down { prefix, version, name }),
        (false, false) => Some(FileName::Up { prefix, version, name, rust: false }),
    }
}

fn classify_at_length(file: &str) -> FileName<'_> {
    let lower = file.to_lowercase();
    let (stem, kind) = if let Some(stem) = lower.strip_suffix(".down.sql") {
        (&file[..stem.len().min(file.len())], Kind::Down)
    } else if let Some(stem) = lower.strip_suffix(".up.sql") {
        (&file[..stem.len().min(file.len())], Kind::UpSuffix)
    } else if let Some(stem) = lower.strip_suffix(".sql") {
        (&file[..stem.len().min(file.len())], Kind::Up)
    } else if let Some(stem) = lower.strip_suffix(".rs") {
        (&file[..stem.len().min(file.len())], Kind::Rust)
    } else {
        return FileName::Other;
    };
    let Some(letter) = stem.chars().next().filter(|letter| matches!(letter, 'V' | 'v' | 'U' | 'u')) else {
        return FileName::Other;
    };
    let rest = &stem[1..];
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return FileName::Other;
    }
    let (number, rest) = rest.split_at(digits);
    let suffix = match kind {
        Kind::Down => ".down.sql",
        Kind::Up | Kind::UpSuffix => ".sql",
        Kind::Rust => ".rs",
    };
    let prefix = letter.to_ascii_uppercase();
    if rest.starts_with('.') && rest[1..].starts_with(|c: char| c.is_ascii_digit()) {
        return mistaken("versions are whole numbers", None);
    }
    let name = rest.trim_start_matches(['_', '-', '.', ' ']);
    let wanted = format!("{prefix}{number}__{}{suffix}", right_name(name));
    if kind == Kind::Rust && wanted != file {
        return FileName::Other; // a module with a name of its own
    }
    let Some(version) = number.parse::<i64>().ok().filter(|version| *version <= max_version()) else {
        return mistaken(&format!("the largest version is {}", max_version()), None);
    };
    if name.is_empty() {
        return mistaken("it has no name after the version", Some(wanted));
    }
    if wanted != file {
        let why = if letter != prefix {
            "the first letter is a capital `V` or `U`"
        } else if !rest.starts_with("__") || rest.starts_with("___") {
            "two underscores stand between version and name"
        } else if kind == Kind::UpSuffix {
            "a migration ends in `.sql`, its down script in `.down.sql`"
        } else if !file.ends_with(suffix) {
            "the ending is written in small letters"
        } else {
            "a name has letters, digits and underscores"
        };
        return mistaken(why, Some(wanted));
    }
    match kind {
        Kind::Down => FileName::Down { prefix, version, name },
        _ => FileName::Up { prefix, version, name, rust: kind == Kind::Rust },
    }
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Kind {
    Up,
    UpSuffix,
    Down,
    Rust,
}

fn mistaken(why: &str, right: Option<String>) -> FileName<'static> {
    FileName::Mistaken { why: why.to_owned(), right }
}

/// The name with whatever refinery would not take replaced by underscores.
pub(crate) fn right_name(name: &str) -> String {
    let mut right: String = name.chars().map(|c| if is_word(c) { c } else { '_' }).collect();
    while right.contains("__") {
        if name.contains("__") {
            break; // they were the author's
        }
        right = right.replace("__", "_");
    }
    if right.is_empty() { "name".to_owned() } else { right }
}

/// refinery's `\w`: letters, digits, underscores; and the marks that a decomposed `é` is made of.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || ('\u{300}'..='\u{36f}').contains(&c)
}

/// The largest version that refinery's `SchemaVersion` holds in this build.
pub(crate) fn max_version() -> i64 {
    // i32, or i64 with `int8-versions`
    #[allow(clippy::useless_conversion, clippy::unnecessary_fallible_conversions)]
    i64::try_from(refinery_core::SchemaVersion::MAX).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn right(file: &str) -> String {
        match classify(file) {
            FileName::Mistaken { right: Some(right), .. } => right,
            other => panic!("{file}: {other:?}"),
        }
    }

    #[test]
    fn the_short_way_agrees_with_the_long_one() {
        let files = [
            "V1__a.sql",
            "U12__a_b.down.sql",
            "V0007__a__b.sql",
            "V1__.sql",
            "V1___a.sql",
            "V__a.sql",
            "V1__a-b.sql",
            "V2147483648__a.sql",
            "V9223372036854775808__a.sql",
            "V1__a.down.down.sql",
            "V1_2__a.sql",
            "v1__a.sql",
            "V1__a.up.sql",
            "V1__down.sql",
            "V+1__a.sql",
            ".sql",
            "V.sql",
            "V1__é.sql",
            "V1__a.SQL",
            "é",
            "",
        ];
        for file in files {
            if let Some(short) = plain(file) {
                assert_eq!(short, classify_at_length(file), "{file}");
            }
        }
        assert!(plain("V1__a.sql").is_some() && plain("U12__a_b.down.sql").is_some());
    }

    #[test]
    fn a_near_miss_is_told_the_right_name() {
        assert_eq!(right("V1_add.sql"), "V1__add.sql");
        assert_eq!(right("v2__x.sql"), "V2__x.sql");
        assert_eq!(right("V3__a-b.sql"), "V3__a_b.sql");
        assert_eq!(right("V3__a b.SQL"), "V3__a_b.sql");
        assert_eq!(right("V4__.sql"), "V4__name.sql");
        assert_eq!(right("V5-add.down.sql"), "V5__add.down.sql");
        assert_eq!(right("V6__x.up.sql"), "V6__x.sql");
        assert!(matches!(classify("V1.2__x.sql"), FileName::Mistaken { right: None, .. }));
        assert!(matches!(classify("V99999999999999999999__x.sql"), FileName::Mistaken { right: None, .. }));
    }

    #[test]
    fn migrations_are_read_and_other_files_are_passed_over() {
        let up = |prefix, version, name, rust| FileName::Up { prefix, version, name, rust };
        assert_eq!(classify("V1__init.sql"), up('V', 1, "init", false));
        assert_eq!(classify("U07__größe.sql"), up('U', 7, "größe", false));
        assert_eq!(classify("V0__a__b.sql"), up('V', 0, "a__b", false));
        assert_eq!(classify("V3__code.rs"), up('V', 3, "code", true));
        assert_eq!(classify("V3__x.down.sql"), FileName::Down { prefix: 'V', version: 3, name: "x" });
        for other in ["README.md", "schema.sql", "mod.rs", "views.sql", "V.sql", "v8_engine.rs", ".sql", "V1__x.sql~"] {
            assert_eq!(classify(other), FileName::Other, "{other}");
        }
    }
}
