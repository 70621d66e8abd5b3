//! What a command works with: arguments before environment before configuration before defaults.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lifeboat::{Atomicity, Check, Problem, Retention};

use super::args::Global;
use super::config;
use super::environment::{Environment, database_path};
use super::layer::Layer;
use super::value::Color;

/// Everything is said; paths are absolute.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) data_dir: PathBuf,
    pub(super) database: PathBuf,
    /// Somebody named the database; it is not the default one of the data directory.
    pub(super) database_is_named: bool,
    /// It was named in the arguments.
    database_by_flag: bool,
    pub(super) migrations: PathBuf,
    pub(super) backups: Option<PathBuf>,
    pub(super) retention: Retention,
    /// What the arguments say, and they alone.
    pub(super) keep_by_flag: Option<usize>,
    /// Whether a yes is taken for granted.
    pub(super) yes: bool,
    pub(super) color: Color,
    pub(super) wait: Duration,
    pub(super) atomicity: Atomicity,
    pub(super) allow: Vec<String>,
    pub(super) log_file: Option<PathBuf>,
    pub(super) check: Check,
    pub(super) history_table: Option<String>,
    pub(super) no_transaction: Vec<i64>,
    pub(super) foreign_keys_on: Vec<i64>,
    pub(super) config: Option<PathBuf>,
    /// What a person should know of where all this came from.
    pub(super) notes: Vec<String>,
    /// What cannot be used.
    pub(super) problems: Vec<Problem>,
}

impl Options {
    /// Gathers the options of a command that was started in `folder`.
    pub(super) fn gather(global: &Global, folder: &Path) -> Result<Self, Problem> {
        let mut options = Self::gather_usable(global, folder)?;
        if options.problems.is_empty() { Ok(options) } else { Err(options.problems.remove(0)) }
    }

    /// The same with what can be used of the configuration and the environment: the defaults stand for the rest.
    pub(super) fn gather_usable(global: &Global, folder: &Path) -> Result<Self, Problem> {
        let mut problems = Vec::new();
        let mut usable = |layer: Result<Layer, Problem>| {
            layer.unwrap_or_else(|problem| {
                problems.push(problem);
                Layer::default()
            })
        };
        let mut notes = Vec::new();
        let mut environment = Environment::of_process(folder);
        let has_file = !global.no_env_file && environment.add_file(folder, &mut notes);
        let named = global.config.as_ref().map(|path| folder.join(path)).or_else(|| environment.config());
        // A configuration that was found above marks the folder of the project, where the defaults lie too. One that
        // was named may lie anywhere.
        let (config, project) = match named {
            Some(named) => (Some(named), folder.to_owned()),
            None => {
                let found = config::find(folder);
                let project = found.as_deref().and_then(Path::parent).unwrap_or(folder).to_owned();
                (found, project)
            }
        };
        if !global.no_env_file && !has_file && project != folder {
            environment.add_file(&project, &mut notes);
        }
        let configured = config.as_deref().map(|config| usable(config::read(config))).unwrap_or_default();
        let flags = flags(global, folder)?;
        let database_by_flag = flags.database.is_some();
        if let (Some(data_dir), Some(database)) = (&flags.data_dir, &flags.database)
            && !database.parent().is_some_and(|parent| parent.components().eq(data_dir.components()))
        {
            let (database, data_dir) = (database.display(), data_dir.display());
            notes.push(format!("`{database}` does not lie in `{data_dir}`, so `--data-dir` says nothing of it"));
        }
        let said = usable(environment.layer(&mut notes));
        if flags.database.is_none() && flags.data_dir.is_none() && said.database.is_none() && said.data_dir.is_none() {
            notes.extend(environment.foreign_url());
        }
        let layer = flags.above(said.above(configured));
        let data_dir = layer.data_dir.clone().unwrap_or_else(|| project.join(".data"));
        Ok(Options {
            database: layer.database.clone().unwrap_or_else(|| data_dir.join("app.db")),
            database_is_named: layer.database.is_some(),
            database_by_flag,
            data_dir,
            retention: retention(&layer),
            migrations: layer.migrations.unwrap_or_else(|| project.join("migrations")),
            backups: layer.backups,
            keep_by_flag: global.keep,
            yes: global.yes,
            color: layer.color.unwrap_or_default(),
            wait: layer.wait.unwrap_or(Duration::from_secs(10)),
            atomicity: layer.atomicity.unwrap_or_default(),
            allow: layer.allow,
            log_file: layer.log_file,
            check: layer.check.unwrap_or_default(),
            history_table: layer.history_table,
            no_transaction: layer.no_transaction,
            foreign_keys_on: layer.foreign_keys_on,
            config,
            notes,
            problems,
        })
    }

    /// Whether snapshots and restores are of the whole data directory: it is the default one, or was named, and the
    /// database lies in it. Of the folder that a database happens to lie in, they never are.
    pub(super) fn covers_data_dir(&self) -> bool {
        self.database.parent().is_some_and(|folder| folder.components().eq(self.data_dir.components()))
    }

    /// The data directory that a fresh checkout starts from, where there is none yet and the database belongs into it.
    pub(super) fn example(&self) -> Option<PathBuf> {
        let belongs = !self.database_by_flag && self.database.parent() == Some(&self.data_dir);
        if !belongs || std::fs::symlink_metadata(&self.data_dir).is_ok() {
            return None;
        }
        let mut name = self.data_dir.file_name()?.to_owned();
        name.push(".example");
        Some(self.data_dir.with_file_name(name)).filter(|example| example.is_dir())
    }
}

fn retention(layer: &Layer) -> Retention {
    let kept = layer.keep.map_or_else(Retention::default, Retention::last);
    let kept = kept.daily(layer.keep_daily.unwrap_or(0)).weekly(layer.keep_weekly.unwrap_or(0));
    let kept = layer.max_size.into_iter().fold(kept, Retention::at_most_bytes);
    layer.compress_older_than.into_iter().fold(kept, Retention::compress_older_than)
}

fn flags(global: &Global, folder: &Path) -> Result<Layer, Problem> {
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| folder.join(path));
    let database = global.database.as_deref().map(database_path).transpose()?;
    Ok(Layer {
        data_dir: path(&global.data_dir),
        database: path(&database),
        migrations: path(&global.migrations),
        backups: path(&global.backups),
        keep: global.keep,
        color: global.color,
        wait: global.wait,
        atomicity: global.atomicity,
        log_file: path(&global.log_file),
        allow: global.allow.clone(),
        ..Layer::default()
    })
}
