//! `lifeboat.toml`. What it says is used or refused, with file and line; nothing in it is passed over.

use std::ops::Range;
use std::path::{Path, PathBuf};

use lifeboat::Problem;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::layer::Layer;
use super::value;

/// The name that is looked for.
pub(super) const NAME: &str = "lifeboat.toml";

const KEYS: [&str; 18] = [
    "allow",
    "atomicity",
    "backups",
    "check",
    "color",
    "compress-older-than",
    "data-dir",
    "database",
    "foreign-keys-on",
    "history-table",
    "keep",
    "keep-daily",
    "keep-weekly",
    "log-file",
    "max-size",
    "migrations",
    "no-transaction",
    "wait",
];

/// The nearest `lifeboat.toml`, in `folder` or above it.
pub(super) fn find(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().map(|folder| folder.join(NAME)).find(|path| path.is_file())
}

/// Reads a configuration. Paths in it are relative to its folder.
pub(super) fn read(path: &Path) -> Result<Layer, Problem> {
    let text = std::fs::read_to_string(path).map_err(|source| Problem::Io {
        path: path.to_owned(),
        action: "read the configuration",
        source,
    })?;
    Document { path, text: &text, folder: path.parent().unwrap_or(Path::new(".")) }.layer()
}

struct Document<'a> {
    path: &'a Path,
    text: &'a str,
    folder: &'a Path,
}

/// A key with its value.
struct Entry<'a> {
    document: &'a Document<'a>,
    key: &'a str,
    value: &'a Spanned<DeValue<'a>>,
}

impl Document<'_> {
    fn layer(&self) -> Result<Layer, Problem> {
        let table = DeTable::parse(self.text)
            .map_err(|error| self.refused(error.span(), &error.message().replace('\n', ", ")))?;
        let mut layer = Layer::default();
        for (key, value) in table.get_ref() {
            let entry = Entry { document: self, key: key.get_ref(), value };
            match entry.key {
                "data-dir" => layer.data_dir = Some(entry.path()?),
                "database" => layer.database = Some(entry.path()?),
                "migrations" => layer.migrations = Some(entry.path()?),
                "backups" => layer.backups = Some(entry.path()?),
                "log-file" => layer.log_file = Some(entry.path()?),
                "keep" => layer.keep = Some(entry.number(value::keep)?),
                "keep-daily" => layer.keep_daily = Some(entry.number(value::count)?),
                "keep-weekly" => layer.keep_weekly = Some(entry.number(value::count)?),
                "max-size" => layer.max_size = Some(entry.size()?),
                "compress-older-than" => layer.compress_older_than = Some(entry.number(value::keep)?),
                "wait" => layer.wait = Some(entry.number(value::wait)?),
                "atomicity" => layer.atomicity = Some(entry.word(value::atomicity)?),
                "color" => layer.color = Some(entry.word(value::color)?),
                "check" => layer.check = Some(entry.word(value::check)?),
                "history-table" => layer.history_table = Some(entry.word(|text| Ok(text.to_owned()))?),
                "allow" => layer.allow = entry.words()?,
                "no-transaction" => layer.no_transaction = entry.versions()?,
                "foreign-keys-on" => layer.foreign_keys_on = entry.versions()?,
                unknown => {
                    let near = value::nearest(unknown, KEYS.iter().copied());
                    let near = near.map_or_else(
                        || format!("the keys are {}", KEYS.join(", ")),
                        |near| format!("did you mean `{near}`?"),
                    );
                    return Err(self.refused(Some(key.span()), &format!("unknown key `{unknown}`; {near}")));
                }
            }
        }
        Ok(layer)
    }

    fn refused(&self, span: Option<Range<usize>>, why: &str) -> Problem {
        let before = self.text.get(..span.map_or(0, |span| span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        Problem::Config { what: format!("`{}` line {line}: {why}", self.path.display()) }
    }
}

impl<'a> Entry<'a> {
    fn path(&self) -> Result<PathBuf, Problem> {
        match self.value.get_ref().as_str() {
            Some("") => Err(self.refused(self.value, "it is a path, and not empty")),
            Some(path) => Ok(self.document.folder.join(path)),
            None => Err(self.wrong(self.value, "a path in quotes")),
        }
    }

    fn word<T>(&self, parse: impl Fn(&str) -> Result<T, String>) -> Result<T, Problem> {
        let text = self.value.get_ref().as_str().ok_or_else(|| self.wrong(self.value, "a word in quotes"))?;
        parse(text).map_err(|why| self.refused(self.value, &why))
    }

    fn number<T>(&self, parse: fn(&str) -> Result<T, String>) -> Result<T, Problem> {
        let value = self.value.get_ref();
        let text = match (value.as_integer().and_then(plain), value.as_float()) {
            (Some(integer), _) => integer.to_string(),
            (None, Some(float)) => float.as_str().to_owned(),
            (None, None) => return Err(self.wrong(self.value, "a number")),
        };
        parse(&text).map_err(|why| self.refused(self.value, &why))
    }

    /// Bytes as a number, or with a unit in quotes.
    fn size(&self) -> Result<u64, Problem> {
        match self.value.get_ref().as_str() {
            Some(text) => value::size(text).map_err(|why| self.refused(self.value, &why)),
            None => self.number(value::size),
        }
    }

    fn words(&self) -> Result<Vec<String>, Problem> {
        self.list(|item| {
            item.get_ref().as_str().map(ToOwned::to_owned).ok_or_else(|| self.wrong(item, "a list of words in quotes"))
        })
    }

    fn versions(&self) -> Result<Vec<i64>, Problem> {
        self.list(|item| {
            let version = item.get_ref().as_integer().and_then(plain);
            version.ok_or_else(|| self.wrong(item, "a list of versions, such as [7, 12]"))
        })
    }

    /// One value stands for a list of one.
    fn list<T>(&self, read: impl Fn(&Spanned<DeValue<'a>>) -> Result<T, Problem>) -> Result<Vec<T>, Problem> {
        match self.value.get_ref().as_array() {
            Some(items) => items.iter().map(read).collect(),
            None => Ok(vec![read(self.value)?]),
        }
    }

    fn wrong(&self, at: &Spanned<DeValue<'_>>, wanted: &str) -> Problem {
        self.refused(at, &format!("it is {wanted}, not {}", article(at.get_ref().type_str())))
    }

    fn refused(&self, at: &Spanned<DeValue<'_>>, why: &str) -> Problem {
        self.document.refused(Some(at.span()), &format!("`{}`: {why}", self.key))
    }
}

fn plain(integer: &toml::de::DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn article(kind: &str) -> String {
    let vowel = kind.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {kind}", if vowel { "an" } else { "a" })
}
