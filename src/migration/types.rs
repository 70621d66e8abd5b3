//! One migration, as the app knows it.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use siphasher::sip::SipHasher13;

use super::directives::Directives;
use crate::error::BoxError;

/// A migration in Rust. It runs inside the transaction of its history row.
pub(crate) type StepFunction = Arc<dyn Fn(&Connection) -> Result<(), BoxError> + Send + Sync>;

/// refinery's two kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    /// `V`: versions must be applied in order.
    Versioned,
    /// `U`: may be applied after a migration with a greater version.
    Unversioned,
}

impl Prefix {
    pub(crate) fn letter(self) -> char {
        match self {
            Prefix::Versioned => 'V',
            Prefix::Unversioned => 'U',
        }
    }
}

/// What a migration does.
#[derive(Clone)]
pub(crate) enum Body {
    /// SQL text.
    Sql(Cow<'static, str>),
    /// Code; `text` stands for it in the checksum.
    Code { text: Cow<'static, str>, run: StepFunction },
    /// refinery's `.rs` form, which only refinery's macro can compile: known by name, not by text.
    Elsewhere,
}

/// One migration that the app knows.
#[derive(Clone)]
pub struct Migration {
    pub(crate) prefix: Prefix,
    pub(crate) version: i64,
    pub(crate) name: Cow<'static, str>,
    pub(crate) body: Body,
    pub(crate) down: Option<Cow<'static, str>>,
    /// Where it came from, for messages.
    pub(crate) origin: Cow<'static, Path>,
    pub(crate) directives: Directives,
}

impl fmt::Debug for Migration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Migration").field("id", &self.id()).finish_non_exhaustive()
    }
}

impl Migration {
    /// The version, unique among the app's migrations.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.version
    }

    /// `V` or `U`.
    #[must_use]
    pub fn prefix(&self) -> Prefix {
        self.prefix
    }

    /// The name without version: `add_users`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name by which people and programs call it: `V2__add_users`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}{}__{}", self.prefix.letter(), self.version, self.name)
    }

    /// The SQL that it runs; for a step in Rust, the text that stands for it, or nothing.
    #[must_use]
    pub fn sql(&self) -> Option<&str> {
        match &self.body {
            Body::Sql(text) => Some(text),
            Body::Code { text, .. } if !text.is_empty() => Some(text),
            Body::Code { .. } | Body::Elsewhere => None,
        }
    }

    /// The SQL that undoes it.
    #[must_use]
    pub fn down_sql(&self) -> Option<&str> {
        self.down.as_deref()
    }

    /// The text that its checksum covers, where it is known.
    pub(crate) fn hashed_text(&self) -> Option<&str> {
        match &self.body {
            Body::Sql(text) | Body::Code { text, .. } => Some(text),
            Body::Elsewhere => None,
        }
    }
}

/// The width in which refinery hashed a version: its feature `int8-versions` decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HashWidth {
    Four,
    Eight,
}

impl HashWidth {
    /// What refinery uses in this build.
    pub(crate) const BUILD: HashWidth =
        if size_of::<refinery_core::SchemaVersion>() == 8 { HashWidth::Eight } else { HashWidth::Four };

    pub(crate) const fn other(self) -> Self {
        match self {
            HashWidth::Four => HashWidth::Eight,
            HashWidth::Eight => HashWidth::Four,
        }
    }
}

/// refinery's checksum of a migration: SipHash 1-3 over name, version and text.
pub(crate) fn checksum(name: &str, version: i64, text: &str, width: HashWidth) -> u64 {
    let mut hasher = SipHasher13::new();
    name.hash(&mut hasher);
    match (width, i32::try_from(version)) {
        (HashWidth::Four, Ok(version)) => version.hash(&mut hasher),
        _ => version.hash(&mut hasher),
    }
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_that_refinery_writes() {
        let sql = "CREATE TABLE a (b);\n";
        let theirs = refinery_core::Migration::unapplied("V12__größe_2", sql).unwrap();
        assert_eq!(checksum("größe_2", 12, sql, HashWidth::BUILD), theirs.checksum());
        assert_ne!(checksum("größe_2", 12, sql, HashWidth::BUILD.other()), theirs.checksum());
    }
}
