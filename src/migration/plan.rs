//! The plan: what the history and the app's migrations together call for. Pure: no database, no clock.

use std::path::Path;

use super::history::Applied;
use super::types::{Body, HashWidth, Migration, Prefix};
use crate::error::Problem;

/// A migration that a file says was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Its version.
    pub version: i64,
    /// As in `V2__add_users`.
    pub id: String,
    /// When it was applied, as the file says it (RFC 3339).
    pub applied_on: String,
}

/// What is applied, what is to do, and what is wrong.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Plan {
    /// In the history, from the oldest; also those that are divergent, missing or newer.
    pub applied: Vec<Entry>,
    /// Known to the app and not in the history, in the order in which they will run.
    pub pending: Vec<Migration>,
    /// Applied with another text or name.
    pub divergent: Vec<Entry>,
    /// Applied, unknown to the app, and older than the app's newest.
    pub missing: Vec<Entry>,
    /// Applied, and newer than all that the app knows.
    pub newer: Vec<Entry>,
    /// Pending `V` migrations that are older than the newest applied one.
    pub out_of_order: Vec<String>,
    newest_known: Option<String>,
    /// In which width the table's checksums are, if not in this build's.
    pub(crate) foreign_width: Option<HashWidth>,
}

/// How far to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Target {
    #[default]
    Latest,
    /// Up to and with this version.
    Version(i64),
    /// So many migrations.
    Steps(usize),
}

/// Compares what is known with what was applied. Both are sorted by version.
pub(crate) fn plan(known: &[Migration], applied: &[Applied]) -> Plan {
    let mut plan = Plan { newest_known: known.last().map(Migration::id), ..Plan::default() };
    let newest_known = known.last().map(|migration| migration.version);
    for row in applied {
        let found = known.binary_search_by_key(&row.version, |migration| migration.version);
        let found = found.ok().map(|at| &known[at]);
        // The history does not say whether a name began with V or U.
        let id = found.filter(|migration| migration.name == row.name).map_or_else(|| row.id(), Migration::id);
        let entry = Entry { version: row.version, id, applied_on: row.applied_on.clone() };
        match found {
            Some(migration) => match row.width_of(migration) {
                None => plan.divergent.push(entry.clone()),
                Some(width) if width != HashWidth::BUILD => plan.foreign_width = Some(width),
                Some(_) => {}
            },
            None if Some(row.version) > newest_known => plan.newer.push(entry.clone()),
            None => plan.missing.push(entry.clone()),
        }
        plan.applied.push(entry);
    }
    let newest_applied = applied.last().map(|row| row.version);
    for migration in known {
        if applied.binary_search_by_key(&migration.version, |row| row.version).is_ok() {
            continue;
        }
        if migration.prefix == Prefix::Versioned && newest_applied > Some(migration.version) {
            plan.out_of_order.push(migration.id());
        }
        plan.pending.push(migration.clone());
    }
    plan
}

impl Plan {
    /// Nothing pending, and nothing wrong.
    #[must_use]
    pub fn is_up_to_date(&self) -> bool {
        self.pending.is_empty() && self.divergent.is_empty() && self.missing.is_empty() && self.newer.is_empty()
    }

    /// Why nothing can be migrated before somebody looks into it.
    pub(crate) fn refusal(&self, path: &Path) -> Option<Problem> {
        let ids = |entries: &[Entry]| entries.iter().map(|entry| entry.id.clone()).collect::<Vec<_>>();
        if !self.newer.is_empty() {
            return Some(Problem::Newer {
                path: path.to_owned(),
                migrations: ids(&self.newer),
                newest_known: self.newest_known.as_ref().map_or_else(|| "none".to_owned(), |id| format!("`{id}`")),
            });
        }
        if !self.divergent.is_empty() {
            return Some(Problem::Divergent { path: path.to_owned(), migrations: ids(&self.divergent) });
        }
        if !self.missing.is_empty() {
            return Some(Problem::Missing { path: path.to_owned(), migrations: ids(&self.missing) });
        }
        if !self.out_of_order.is_empty() {
            let newest_applied = self.applied.last().map_or_else(String::new, |entry| entry.id.clone());
            return Some(Problem::OutOfOrder {
                path: path.to_owned(),
                migrations: self.out_of_order.clone(),
                newest_applied,
            });
        }
        None
    }

    /// Keeps what leads to the target, and refuses what cannot be run.
    pub(crate) fn aim(&mut self, target: Target) -> Result<(), Problem> {
        match target {
            Target::Latest => {}
            Target::Steps(steps) => self.pending.truncate(steps),
            Target::Version(version) => {
                let current = self.applied.last().map(|entry| entry.version);
                let applied = self.applied.iter().any(|entry| entry.version == version);
                if !applied && !self.pending.iter().any(|migration| migration.version == version) {
                    return Err(Problem::UnknownTarget { version, why: "there is no such migration".to_owned() });
                }
                if applied && current > Some(version) {
                    let why = format!("the file is at version {} already", current.unwrap_or_default());
                    return Err(Problem::UnknownTarget { version, why });
                }
                self.pending.retain(|migration| migration.version <= version);
            }
        }
        for migration in &self.pending {
            let bad = |why: String| Problem::BadMigration { path: migration.origin.to_path_buf(), why, right: None };
            if let Some(word) = &migration.directives.unknown {
                return Err(bad(format!("its head has an unknown directive, `lifeboat: {word}`")));
            }
            if migration.directives.no_transaction && migration.directives.foreign_keys_on {
                return Err(bad("`no-transaction` and `foreign-keys on` do not go together".to_owned()));
            }
            if migration.directives.no_transaction && matches!(migration.body, Body::Code { .. }) {
                return Err(bad("a step in Rust runs inside the transaction of its history row".to_owned()));
            }
            if matches!(migration.body, Body::Elsewhere) {
                return Err(bad(
                    "it is written in Rust: only a binary that has it compiled in (`Migrator::step`, or refinery's \
                     `embed_migrations!`) can run it"
                        .to_owned(),
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::super::types::checksum;
    use super::*;

    fn known(prefix: Prefix, version: i64, text: &'static str) -> Migration {
        Migration {
            prefix,
            version,
            name: "x".into(),
            body: Body::Sql(Cow::Borrowed(text)),
            down: None,
            origin: Cow::Owned(PathBuf::new()),
            directives: super::super::directives::Directives::default(),
        }
    }

    fn row(version: i64, text: &str, width: HashWidth) -> Applied {
        let checksum = Some(checksum("x", version, text, width));
        Applied { version, name: "x".to_owned(), applied_on: String::new(), checksum }
    }

    const TEXT: &str = "SELECT 1;\nSELECT 2;\n";
    const V: Prefix = Prefix::Versioned;

    #[test]
    fn line_ends_and_the_width_of_the_version_make_no_divergence() {
        for width in [HashWidth::Four, HashWidth::Eight] {
            for applied in [TEXT.to_owned(), TEXT.replace('\n', "\r\n")] {
                for now in [TEXT, "SELECT 1;\r\nSELECT 2;\r\n"] {
                    assert!(plan(&[known(V, 1, now)], &[row(1, &applied, width)]).is_up_to_date());
                }
            }
        }
        assert_eq!(plan(&[known(V, 1, "SELECT 3;\n")], &[row(1, TEXT, HashWidth::Four)]).divergent.len(), 1);
    }

    #[test]
    fn newer_missing_and_out_of_order_are_told_apart() {
        let four = |version| row(version, TEXT, HashWidth::Four);
        let plan = plan(
            &[known(V, 1, TEXT), known(V, 3, TEXT), known(Prefix::Unversioned, 4, TEXT), known(V, 6, TEXT)],
            &[four(1), four(2), four(5), four(9)],
        );
        assert_eq!(plan.missing.iter().map(|entry| entry.version).collect::<Vec<_>>(), [2, 5]);
        assert_eq!(plan.newer.iter().map(|entry| entry.version).collect::<Vec<_>>(), [9]);
        assert_eq!(plan.out_of_order, ["V3__x", "V6__x"]);
        assert_eq!(plan.pending.iter().map(Migration::version).collect::<Vec<_>>(), [3, 4, 6]);
        assert!(matches!(plan.refusal(Path::new("a.db")), Some(Problem::Newer { .. })));
    }

    #[test]
    fn a_damaged_checksum_is_a_divergence() {
        let damaged = Applied { checksum: None, ..row(1, TEXT, HashWidth::Four) };
        assert_eq!(plan(&[known(V, 1, TEXT)], &[damaged]).divergent.len(), 1);
    }

    proptest! {
        /// Every known migration is either applied or pending, every applied one known, missing or newer.
        #[test]
        fn nothing_falls_between(known_versions: std::collections::BTreeSet<u8>, rows: std::collections::BTreeSet<u8>) {
            let migrations: Vec<_> = known_versions.iter().map(|v| known(V, i64::from(*v), TEXT)).collect();
            let applied: Vec<_> = rows.iter().map(|v| row(i64::from(*v), TEXT, HashWidth::Four)).collect();
            let plan = plan(&migrations, &applied);
            let both = known_versions.intersection(&rows).count();
            prop_assert_eq!(plan.pending.len() + both, known_versions.len());
            prop_assert_eq!(plan.missing.len() + plan.newer.len() + both, rows.len());
            prop_assert!(plan.divergent.is_empty());
        }
    }
}
