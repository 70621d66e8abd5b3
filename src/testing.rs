//! Migrated databases for an app's tests, in memory and on disk, from a template that is built once.

use std::path::Path;

use rusqlite::{Connection, MAIN_DB};

use crate::error::{Problem, Result, SqliteCause};
use crate::migrator::Migrator;

/// A migrated, empty database, ready to be handed out.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::LazyLock;
/// use lifeboat::testing::Template;
///
/// static MIGRATIONS: lifeboat::Embedded = lifeboat::embed!("$CARGO_MANIFEST_DIR/migrations");
/// static TEMPLATE: LazyLock<Template> =
///     LazyLock::new(|| Template::new(&lifeboat::Migrator::new(&MIGRATIONS)).unwrap());
///
/// let db = TEMPLATE.in_memory()?;
/// db.execute("INSERT INTO notebooks (name, created_at) VALUES ('Ideas', '2026-01-01T00:00:00Z')", [])?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Template {
    bytes: Vec<u8>,
}

impl Template {
    /// Runs all migrations once, in memory.
    ///
    /// # Errors
    /// As [`Migrator::apply_to`].
    pub fn new(migrator: &Migrator) -> Result<Self> {
        let mut connection = migrator.scratch()?;
        migrator.apply_to(&mut connection)?;
        let bytes =
            connection.serialize(MAIN_DB).map_err(|error| failed(Path::new(":memory:"), "copy", &error))?.to_vec();
        Ok(Template { bytes })
    }

    /// A database in memory of its own. Functions and collations of `on_connect` are the caller's to register.
    ///
    /// # Errors
    /// SQLite is out of memory.
    pub fn in_memory(&self) -> Result<Connection> {
        let path = Path::new(":memory:");
        let mut connection = Connection::open_in_memory().map_err(|error| failed(path, "open", &error))?;
        connection
            .deserialize_read_exact(MAIN_DB, self.bytes.as_slice(), self.bytes.len(), false)
            .map_err(|error| failed(path, "fill", &error))?;
        Ok(connection)
    }

    /// A file of its own at `path`, where there must be none.
    ///
    /// # Errors
    /// The file cannot be written, or is there.
    pub fn at(&self, path: impl AsRef<Path>) -> Result<Connection> {
        let path = path.as_ref();
        let write = || {
            use std::io::Write;
            std::fs::File::create_new(path)?.write_all(&self.bytes)
        };
        write().map_err(|source| Problem::Io { path: path.to_owned(), action: "create", source })?;
        Ok(Connection::open(path).map_err(|error| failed(path, "open", &error))?)
    }
}

fn failed(path: &Path, action: &'static str, error: &rusqlite::Error) -> Problem {
    Problem::Sqlite { path: path.to_owned(), action, source: SqliteCause::from(error) }
}
