//! All migrations of an app, in order.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::directives::Directives;
use super::embedded::Embedded;
use super::name::{max_version, right_name};
use super::source::{self, Collector};
use super::types::{Body, Migration, Prefix, StepFunction};
use crate::error::{Error, Problem, Result};

/// The migrations that an app knows, wherever they came from.
///
/// ```
/// # fn main() -> Result<(), lifeboat::Error> {
/// let migrations = lifeboat::Migrations::from_dir("migrations")?;
/// assert_eq!(migrations.iter().next().map(|first| first.version()), Some(1));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Migrations {
    list: Vec<Migration>,
    /// What looked like a migration and is none. Kept until the migrations are used, so that embedding cannot fail.
    mistakes: Vec<Mistake>,
    /// The folder that could not be read, and why.
    unread: Option<(PathBuf, Arc<std::io::Error>)>,
    /// Versions that were spoken of and are none.
    unknown_versions: Vec<i64>,
    /// The folder that was embedded, on the machine that built the app.
    pub(crate) built_from: Option<PathBuf>,
}

#[derive(Debug, Clone)]
pub(crate) struct Mistake {
    pub(crate) path: PathBuf,
    pub(crate) why: String,
    pub(crate) right: Option<String>,
}

impl Migrations {
    /// None. For an app whose migrations are all [steps in Rust](crate::Migrator::step).
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads a folder, its sub-folders too: `V1__name.sql` with `V1__name.down.sql`, `U1__name.sql`. Other files are
    /// passed over.
    ///
    /// # Errors
    /// The folder or a file in it cannot be read (`no-migrations`), a file looks like a migration but is none
    /// (`bad-migration`), or two have the same version (`duplicate-version`).
    pub fn from_dir(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let files = source::read_folder(folder)
            .map_err(|(path, source)| Error::from(Problem::NoMigrations { path, source }))?;
        let mut collector = Collector::with_capacity(files.len());
        files.into_iter().for_each(|file| collector.add(file));
        let migrations = collector.finish();
        migrations.check()?;
        Ok(migrations)
    }

    /// As [`from_dir`](Self::from_dir), but whatever is wrong is said when the migrations are used, as with embedded ones:
    /// for [`Database::diagnose`](crate::Database::diagnose), which has more to tell.
    pub fn from_dir_unchecked(folder: impl AsRef<Path>) -> Self {
        match source::read_folder(folder.as_ref()) {
            Ok(files) => {
                let mut collector = Collector::with_capacity(files.len());
                files.into_iter().for_each(|file| collector.add(file));
                collector.finish()
            }
            Err((path, source)) => Migrations { unread: Some((path, Arc::new(source))), ..Migrations::default() },
        }
    }

    /// From the oldest to the newest.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Migration> + ExactSizeIterator {
        self.list.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn as_slice(&self) -> &[Migration] {
        &self.list
    }

    pub(crate) fn from_parts(mut list: Vec<Migration>, mistakes: Vec<Mistake>) -> Self {
        // In place: of equal versions, which are refused, the order says nothing.
        list.sort_unstable_by(|a, b| (a.version, &a.origin).cmp(&(b.version, &b.origin)));
        Migrations { list, mistakes, ..Migrations::default() }
    }

    /// Adds a step in Rust. One that has the version and name of a `.rs` file takes its place.
    pub(crate) fn add_step(&mut self, version: i64, name: &str, text: Cow<'static, str>, run: StepFunction) {
        let origin = PathBuf::from(format!("V{version}__{name}"));
        if !(0..=max_version()).contains(&version) {
            let why = format!("versions go from 0 to {}", max_version());
            self.mistakes.push(Mistake { path: origin, why, right: None });
            return;
        }
        if right_name(name) != name {
            let right = Some(format!("V{version}__{}", right_name(name)));
            let why = "a name has letters, digits and underscores".to_owned();
            self.mistakes.push(Mistake { path: origin, why, right });
            return;
        }
        self.list.retain(|known| !(known.version == version && matches!(known.body, Body::Elsewhere)));
        let place = self.list.partition_point(|known| known.version <= version);
        let directives = Directives::read(&text);
        let body = Body::Code { text, run };
        let (name, origin) = (Cow::Owned(name.to_owned()), Cow::Owned(origin));
        self.list.insert(
            place,
            Migration { prefix: Prefix::Versioned, version, name, body, down: None, origin, directives },
        );
    }

    /// Changes the directives of one version, for an applied file whose text must stay as it is.
    pub(crate) fn direct(&mut self, version: i64, change: impl FnOnce(&mut Directives)) {
        match self.list.iter_mut().find(|migration| migration.version == version) {
            Some(migration) => change(&mut migration.directives),
            None => self.unknown_versions.push(version),
        }
    }

    /// Refuses what cannot be used: mistaken names and unusable texts, equal versions.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        if let Some((path, source)) = &self.unread {
            let source = std::io::Error::new(source.kind(), source.to_string());
            return Err(Problem::NoMigrations { path: path.clone(), source });
        }
        if let Some(mistake) = self.mistakes.first() {
            return Err(Problem::BadMigration {
                path: mistake.path.clone(),
                why: mistake.why.clone(),
                right: mistake.right.clone(),
            });
        }
        if let Some(version) = self.unknown_versions.first() {
            let what = format!("a setting speaks of version {version}, and there is no such migration");
            return Err(Problem::Unsupported { what });
        }
        for pair in self.list.windows(2) {
            if pair[0].version == pair[1].version {
                let same = pair[0].id() == pair[1].id();
                let name = |m: &Migration| if same { m.origin.display().to_string() } else { m.id() };
                return Err(Problem::DuplicateVersion { first: name(&pair[0]), second: name(&pair[1]) });
            }
        }
        Ok(())
    }
}

impl From<&'static Embedded> for Migrations {
    fn from(embedded: &'static Embedded) -> Self {
        embedded.load()
    }
}

impl From<refinery_core::Runner> for Migrations {
    /// Takes what `refinery::embed_migrations!` embedded: ups alone, at the price of refinery's name parser, about a
    /// millisecond a process.
    fn from(runner: refinery_core::Runner) -> Self {
        let list = runner
            .get_migrations()
            .iter()
            .map(|theirs| {
                let text = theirs.sql().unwrap_or_default().to_owned();
                let unversioned = theirs.prefix().to_string() == "U";
                Migration {
                    prefix: if unversioned { Prefix::Unversioned } else { Prefix::Versioned },
                    #[allow(clippy::useless_conversion)] // i64 with `int8-versions`
                    version: i64::from(theirs.version()),
                    name: Cow::Owned(theirs.name().to_owned()),
                    directives: Directives::read(&text),
                    origin: Cow::Owned(PathBuf::from(theirs.to_string())),
                    body: Body::Sql(Cow::Owned(text)),
                    down: None,
                }
            })
            .collect();
        Migrations::from_parts(list, Vec::new())
    }
}
