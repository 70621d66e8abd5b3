//! What the environment says: `LIFEBOAT_…`, then `DATABASE_URL`; the process's variables before those of `.env`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use lifeboat::Problem;

use super::dotenv;
use super::layer::Layer;
use super::value;

const KNOWN: [&str; 15] = [
    "LIFEBOAT_DATA_DIR",
    "LIFEBOAT_DATABASE",
    "LIFEBOAT_MIGRATIONS",
    "LIFEBOAT_BACKUPS",
    "LIFEBOAT_KEEP",
    "LIFEBOAT_KEEP_DAILY",
    "LIFEBOAT_KEEP_WEEKLY",
    "LIFEBOAT_MAX_SIZE",
    "LIFEBOAT_COMPRESS_OLDER_THAN",
    "LIFEBOAT_CONFIG",
    "LIFEBOAT_COLOR",
    "LIFEBOAT_WAIT",
    "LIFEBOAT_ATOMICITY",
    "LIFEBOAT_ALLOW",
    "LIFEBOAT_LOG_FILE",
];
/// The library's.
const ENVIRONMENT: &str = "LIFEBOAT_ENV";

/// A variable, and the folder that a path in it is relative to.
struct Variable {
    value: OsString,
    folder: PathBuf,
    from: String,
}

/// The variables that concern us.
#[derive(Default)]
pub(super) struct Environment(BTreeMap<String, Variable>);

impl Environment {
    /// The process's variables.
    pub(super) fn of_process(folder: &Path) -> Self {
        let ours = |name: &OsString| name == "DATABASE_URL" || name.to_string_lossy().starts_with("LIFEBOAT_");
        // An empty variable is none: that is how a shell switches one off for a command.
        let variables = std::env::vars_os().filter(|(name, value)| ours(name) && !value.is_empty());
        let variable = |value| Variable { value, folder: folder.to_owned(), from: "the environment".to_owned() };
        Environment(variables.map(|(name, value)| (name.to_string_lossy().into_owned(), variable(value))).collect())
    }

    /// Adds what the `.env` of `folder` says and the process does not. False, if there is none.
    pub(super) fn add_file(&mut self, folder: &Path, notes: &mut Vec<String>) -> bool {
        let path = folder.join(".env");
        let text = match std::fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return false,
            Err(error) => {
                notes.push(format!("`{}` is passed over: {error}", path.display()));
                return false;
            }
        };
        let mut said = BTreeMap::new();
        for (name, value) in dotenv::parse(&text) {
            said.insert(name, value);
        }
        for (name, value) in said {
            if (name == "DATABASE_URL" || name.starts_with("LIFEBOAT_")) && !value.is_empty() {
                self.0.entry(name).or_insert_with(|| Variable {
                    value: OsString::from(value),
                    folder: folder.to_owned(),
                    from: format!("`{}`", path.display()),
                });
            }
        }
        true
    }

    /// The configuration that `LIFEBOAT_CONFIG` names.
    pub(super) fn config(&self) -> Option<PathBuf> {
        self.path("LIFEBOAT_CONFIG")
    }

    /// The layer of `LIFEBOAT_…`, above that of `DATABASE_URL`.
    pub(super) fn layer(&self, notes: &mut Vec<String>) -> Result<Layer, Problem> {
        for (name, variable) in &self.0 {
            if name.starts_with("LIFEBOAT_") && name != ENVIRONMENT && !KNOWN.contains(&name.as_str()) {
                let near = value_near(name).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                notes.push(format!("`{name}` in {} means nothing to lifeboat{near}", variable.from));
            }
        }
        let allow = self.0.get("LIFEBOAT_ALLOW").map(|variable| variable.value.to_string_lossy().into_owned());
        let ours = Layer {
            data_dir: self.path("LIFEBOAT_DATA_DIR"),
            database: self.path("LIFEBOAT_DATABASE"),
            migrations: self.path("LIFEBOAT_MIGRATIONS"),
            backups: self.path("LIFEBOAT_BACKUPS"),
            keep: self.parsed("LIFEBOAT_KEEP", value::keep)?,
            keep_daily: self.parsed("LIFEBOAT_KEEP_DAILY", value::count)?,
            keep_weekly: self.parsed("LIFEBOAT_KEEP_WEEKLY", value::count)?,
            max_size: self.parsed("LIFEBOAT_MAX_SIZE", value::size)?,
            compress_older_than: self.parsed("LIFEBOAT_COMPRESS_OLDER_THAN", value::keep)?,
            color: self.parsed("LIFEBOAT_COLOR", value::color)?,
            wait: self.parsed("LIFEBOAT_WAIT", value::wait)?,
            atomicity: self.parsed("LIFEBOAT_ATOMICITY", value::atomicity)?,
            log_file: self.path("LIFEBOAT_LOG_FILE"),
            allow: allow.iter().flat_map(|list| list.split(',')).map(|name| name.trim().to_owned()).collect(),
            ..Layer::default()
        };
        Ok(ours.above(self.database_url()))
    }

    /// The layer of `DATABASE_URL`, and why it says nothing if it is of another system.
    fn database_url(&self) -> Layer {
        let Some(variable) = self.0.get("DATABASE_URL") else { return Layer::default() };
        let database = match database_url(&variable.value.to_string_lossy()) {
            Url::File(path) => Some(variable.folder.join(path)),
            // Bytes that are no text are a path.
            Url::Path => Some(variable.folder.join(&variable.value)),
            Url::Other(_) => None,
        };
        Layer { database, ..Layer::default() }
    }

    /// What to say of a `DATABASE_URL` that is not about a file; never its text, which may hold a password.
    pub(super) fn foreign_url(&self) -> Option<String> {
        let variable = self.0.get("DATABASE_URL")?;
        match database_url(&variable.value.to_string_lossy()) {
            Url::Other(system) => {
                Some(format!("`DATABASE_URL` in {} is ignored: it speaks of {system}, not of a file", variable.from))
            }
            Url::File(_) | Url::Path => None,
        }
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.0.get(name).map(|variable| variable.folder.join(&variable.value))
    }

    fn parsed<T>(&self, name: &str, parse: fn(&str) -> Result<T, String>) -> Result<Option<T>, Problem> {
        let Some(variable) = self.0.get(name) else { return Ok(None) };
        let text = variable.value.to_string_lossy();
        parse(text.trim())
            .map(Some)
            .map_err(|why| Problem::Config { what: format!("`{name}` in {} is `{text}`: {why}", variable.from) })
    }
}

fn value_near(name: &str) -> Option<&'static str> {
    value::nearest(name, KNOWN.iter().copied())
}

/// The file that a `--database` means: a path, or a URL in the forms of `DATABASE_URL`. A file of the literal name
/// `:memory:` or `sqlite:notes.db` is what nobody wants.
pub(super) fn database_path(given: &Path) -> Result<PathBuf, Problem> {
    match given.to_str().map(database_url) {
        Some(Url::File(path)) => Ok(path),
        Some(Url::Other(what)) => Err(Problem::Config { what: format!("`{}` is {what}, not a file", given.display()) }),
        Some(Url::Path) | None => Ok(given.to_owned()),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Url {
    /// The path in a `file:` or `sqlite:` URL.
    File(PathBuf),
    /// It is a path as it stands.
    Path,
    /// Another system, or no file at all.
    Other(String),
}

fn database_url(text: &str) -> Url {
    let (scheme, rest) = match text.split_once(':') {
        Some((scheme, rest)) if ["file", "sqlite", "sqlite3"].contains(&scheme.to_lowercase().as_str()) => {
            (scheme.to_lowercase(), rest)
        }
        Some((scheme, rest)) if rest.starts_with("//") => return Url::Other(format!("`{scheme}`")),
        _ if text == ":memory:" => return Url::Other("a database in memory".to_owned()),
        _ => return Url::Path,
    };
    let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
    let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
    let path = match rest.strip_prefix("//") {
        // `file://host/path` has a host, which can only be this machine; `sqlite://path` has none.
        Some(after) if scheme == "file" => after.strip_prefix("localhost").unwrap_or(after),
        Some(after) => after,
        None => rest,
    };
    let in_memory = path.is_empty() || path == ":memory:" || options.split('&').any(|option| option == "mode=memory");
    if in_memory { Url::Other("a database in memory".to_owned()) } else { Url::File(unescaped(path)) }
}

/// `%20` is a space.
fn unescaped(path: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = after.first_chunk::<2>().and_then(|digits| {
            let digits =
                std::str::from_utf8(digits).ok().filter(|digits| digits.chars().all(|c| c.is_ascii_hexdigit()));
            u8::from_str_radix(digits?, 16).ok()
        });
        match (first, escaped) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    path_of(bytes)
}

#[cfg(unix)]
fn path_of(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(not(unix))] // not run there
fn path_of(bytes: Vec<u8>) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_url_is_a_path_a_file_url_or_a_sqlite_url() {
        for (text, path) in [
            ("sqlite:notes.db", "notes.db"),
            ("sqlite://notes.db?mode=rwc", "notes.db"),
            ("sqlite:///home/me/my%20notes.db", "/home/me/my notes.db"),
            ("file:./dev.db", "./dev.db"),
            ("file:///home/me/notes.db", "/home/me/notes.db"),
            ("file://localhost/home/me/notes.db", "/home/me/notes.db"),
            ("SQLite:a%zz.db", "a%zz.db"),
        ] {
            assert_eq!(database_url(text), Url::File(PathBuf::from(path)), "{text}");
        }
        assert_eq!(database_url("data/notes.db"), Url::Path);
        assert_eq!(database_url("C:\\notes.db"), Url::Path);
        for other in ["postgres://me:secret@host/db", "mysql://host/db", "sqlite::memory:", ":memory:", "sqlite://"] {
            assert!(matches!(database_url(other), Url::Other(_)), "{other}");
        }
    }
}
