//! The arguments, as they are written.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use lifeboat::{Atomicity, RestoreFrom, Soundness};

use super::value::{self, Color, Diagram};

/// Migrates the SQLite file of a desktop app, and brings the old state back when anything goes wrong.
#[derive(Debug, Parser)]
#[command(name = "lifeboat", version, arg_required_else_help = true, after_help = EXIT_CODES)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

const EXIT_CODES: &str = "\
Every path and number can also come from the environment (`LIFEBOAT_DATABASE` for `--database`, and so on; \
`DATABASE_URL` as a path, `file:` or `sqlite:`), from a `.env` file, or from `lifeboat.toml`, in this order.

Exit codes: 0 done; 1 refused or failed, the file is as it was; 2 usage; 3 a finding under --exit-code; \
4 failed after something was committed, and the backup was put back; 5 `lifeboat recover` is needed; \
130 interrupted, the file is as it was.";

/// What every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(super) struct Global {
    /// The data directory, which holds the database [default: .data]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// The database [default: app.db in the data directory]
    #[arg(short, long, global = true, value_name = "FILE")]
    pub(super) database: Option<PathBuf>,
    /// The folder of the migrations [default: migrations]
    #[arg(short, long, global = true, value_name = "DIR")]
    pub(super) migrations: Option<PathBuf>,
    /// The folder of the automatic backups [default: backups, beside the database]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) backups: Option<PathBuf>,
    /// How many automatic backups are kept, at least 1 [default: 5]
    #[arg(long, global = true, value_name = "N", value_parser = value::keep)]
    pub(super) keep: Option<usize>,
    /// The configuration [default: lifeboat.toml, looked for here and in the folders above]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// One JSON document on stdout, errors included
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// When to use colours [default: auto]
    #[arg(long, global = true, value_name = "WHEN", value_parser =
        PossibleValuesParser::new(value::COLORS).try_map(|text| value::color(&text)))]
    pub(super) color: Option<Color>,
    /// Only results, warnings and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// More of what happens
    #[arg(short, long, global = true)]
    pub(super) verbose: bool,
    /// No spinner, no bar and no line of progress
    #[arg(long, global = true)]
    pub(super) no_progress: bool,
    /// How long to wait for other processes' locks, in seconds [default: 10]
    #[arg(long, global = true, value_name = "SECONDS", value_parser = value::wait)]
    pub(super) wait: Option<Duration>,
    /// How much is one transaction: the whole run, or each migration (for very large files) [default: run]
    #[arg(long, global = true, value_name = "WHAT", value_parser =
        PossibleValuesParser::new(value::ATOMICITIES).try_map(|text| value::atomicity(&text)))]
    pub(super) atomicity: Option<Atomicity>,
    /// Allows migrations something that is refused otherwise: attach, load_extension, history, or a pragma's name
    #[arg(long, global = true, value_name = "NAME")]
    pub(super) allow: Vec<String>,
    /// Appends what happens in a run to a file, one line each
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) log_file: Option<PathBuf>,
    /// Takes a yes for granted where a command would ask
    #[arg(short, long, global = true)]
    pub(super) yes: bool,
    /// Does not read `.env`
    #[arg(long, global = true)]
    pub(super) no_env_file: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Brings the database to the newest schema, after a backup
    ///
    /// Where there is no data directory, but one named like it with `.example` behind it, the data directory starts as
    /// a copy of that.
    #[command(visible_aliases = ["run", "up", "apply"])]
    Migrate(Migrate),
    /// Shows what is applied and what is pending; touches nothing
    #[command(visible_aliases = ["info", "show", "list"])]
    Status(Status),
    /// Writes the next migration file and its down script
    #[command(visible_aliases = ["new", "add"])]
    Create(Create),
    /// Shows what a database holds: tables, columns, keys, indexes, rows, bytes; touches nothing
    ///
    /// Works on any SQLite file, backup or snapshot, also on one that is being written: all that is shown is of one moment.
    Inspect(Inspect),
    /// Tells two files apart: schema, rows added, removed and changed; touches nothing
    ///
    /// A and B are each a path, `live`, `backup:NAME`, `backup:latest`, `backup:2` (the second newest) or `snapshot:NAME`.
    /// What is added is in B alone, what is removed in A alone.
    Compare(Compare),
    /// Shows a database at a glance: sizes, pages, settings, backups; touches nothing
    Stats(Stats),
    /// Checks all that can be checked without writing, and says what to do
    ///
    /// Configuration, paths, rights, disk space, locks, migrations, history, damage, foreign keys, drift, backups. Also
    /// where the configuration, the database or the migrations cannot be used.
    Doctor(Doctor),
    /// Undoes a run that was cut off between its transactions and finishes a restore that was, or says what stands in the
    /// way
    Recover(Recover),
    /// Takes, lists, verifies and prunes the automatic backups
    Backup(Backup),
    /// Copies the data directory under a name; lists and deletes such copies
    ///
    /// A snapshot lies beside the data directory: `.data.NAME`. With `-d FILE` outside of the data directory it is a copy
    /// of the database alone: `FILE.NAME`.
    Snapshot(Snapshot),
    /// Goes back to a snapshot or a backup, after a backup; without either, lists what there is
    Restore(Restore),
}

#[derive(Debug, Args)]
pub(super) struct Backup {
    #[command(subcommand)]
    pub(super) what: BackupCommand,
}

/// What to do with the backups.
#[derive(Debug, Subcommand)]
pub(super) enum BackupCommand {
    /// Takes a backup now, unless the newest one has the same content
    Create(BackupCreate),
    /// Lists the backups, the newest first; touches nothing
    List,
    /// Reads the newest backup, compares its checksum, and runs SQLite's integrity check; ends with 1 if it is damaged
    Verify(BackupVerify),
    /// Removes the backups that are not to be kept; with --keep N, all but the newest N; asks on a terminal, and needs
    /// `--yes` elsewhere
    Prune(BackupPrune),
}

#[derive(Debug, Args)]
pub(super) struct BackupCreate {
    /// What it is taken for: kept with it and shown in the list, 1000 characters at most
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct BackupVerify {
    /// Every backup, not the newest alone
    #[arg(long)]
    pub(super) all: bool,
}

#[derive(Debug, Args)]
pub(super) struct BackupPrune {
    /// Shows what would go, and removes nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Snapshot {
    /// What to call it, as `snapshot create NAME`
    #[arg(long, required = true)]
    pub(super) name: Option<String>,
    #[command(flatten)]
    pub(super) leave: Leave,
    #[command(subcommand)]
    pub(super) what: Option<SnapshotCommand>,
}

#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Leave {
    /// Takes the place of a snapshot of the same name
    #[arg(long)]
    pub(super) replace: bool,
    /// Also that of `example`, which a fresh start begins with
    #[arg(long)]
    pub(super) allow_example: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum SnapshotCommand {
    /// Takes one
    #[command(visible_aliases = ["new", "add"])]
    Create {
        /// What to call it, such as `before-import`
        name: String,
        #[command(flatten)]
        leave: Leave,
    },
    /// Shows name, age, size, rows and schema of each, and whether this app can open it
    #[command(visible_aliases = ["ls", "show"])]
    List,
    /// Removes one; asks on a terminal, and needs `--yes` elsewhere
    #[command(visible_aliases = ["rm", "remove"])]
    Delete {
        /// Which one
        name: String,
        /// Also `example`, which a fresh start begins with
        #[arg(long)]
        allow_example: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The snapshot to go back to
    #[arg(long, conflicts_with = "backup")]
    pub(super) name: Option<String>,
    /// The backup to go back to: `latest`, its number from the newest (1), its name, or any database file
    #[arg(long, value_name = "FILE|latest|N", value_parser = value::backup)]
    pub(super) backup: Option<RestoreFrom>,
    /// Files of the data directory that the copy lacks leave it (they are kept beside the backup)
    #[arg(long)]
    pub(super) exact: bool,
    /// Brings back the rows of this table alone, and leaves everything else as it is
    #[arg(long, value_name = "TABLE", conflicts_with = "exact")]
    pub(super) table: Option<String>,
    /// With --table: only rows whose key is not there any more
    #[arg(long, requires = "table")]
    pub(super) missing: bool,
}

#[derive(Debug, Args)]
pub(super) struct Recover {
    /// Takes the file as it is instead, and calls the run closed: for when its backup is lost
    #[arg(long)]
    pub(super) accept: bool,
}

#[derive(Debug, Args)]
pub(super) struct Migrate {
    /// Goes no further than this version
    #[arg(long, value_name = "V", conflicts_with = "steps", value_parser = value::version)]
    pub(super) to: Option<i64>,
    /// Applies only so many migrations
    #[arg(long, value_name = "N", value_parser = value::steps)]
    pub(super) steps: Option<usize>,
    /// Shows the SQL that would run, and touches nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Takes no backup; refused for a run of several transactions, which only a backup can undo
    #[arg(long)]
    pub(super) no_backup: bool,
}

#[derive(Debug, Args)]
pub(super) struct Status {
    /// Shows the SQL of what is pending
    #[arg(long)]
    pub(super) sql: bool,
    /// Ends with 3 if anything is pending, divergent, missing, newer or interrupted
    #[arg(long)]
    pub(super) exit_code: bool,
}

#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// Only this table or view
    pub(super) table: Option<String>,
    /// Shows its first N rows, long values cut
    #[arg(long, value_name = "N", requires = "table", value_parser = value::counted)]
    pub(super) rows: Option<usize>,
    /// Lists the tables, and no more of them
    #[arg(long, conflicts_with_all = ["table", "schema", "diagram"])]
    pub(super) list: bool,
    /// The schema as SQL that makes it, in an order that runs
    #[arg(long, conflicts_with_all = ["table", "diagram"])]
    pub(super) schema: bool,
    /// A picture of the tables and their foreign keys
    #[arg(long, value_name = "KIND", conflicts_with = "table", value_parser =
        PossibleValuesParser::new(value::DIAGRAMS).try_map(|text| value::diagram(&text)))]
    pub(super) diagram: Option<Diagram>,
    /// Writes the picture or the schema to a file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["table", "list"])]
    pub(super) out: Option<PathBuf>,
    /// Looks at a backup: its file name, `latest`, or its place from the newest, which is 1
    #[arg(long, value_name = "NAME")]
    pub(super) backup: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Compare {
    /// The file to begin with
    pub(super) a: String,
    /// The file to compare it with [default: live]
    pub(super) b: Option<String>,
    /// Lists the tables that are equal, too
    #[arg(long)]
    pub(super) all: bool,
    /// Names the first N rows of each table that differ, by their keys
    #[arg(long, value_name = "N", value_parser = value::counted)]
    pub(super) rows: Option<usize>,
    /// Shows what is in those rows, long values cut
    #[arg(long, requires = "rows")]
    pub(super) values: bool,
    /// Ends with 3 if anything differs
    #[arg(long)]
    pub(super) exit_code: bool,
}

#[derive(Debug, Args)]
pub(super) struct Stats {
    /// Also sees whether it is sound, and ends with 1 if it is not: `quick`, or `full` [default when given: full]
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "full",
        value_parser = PossibleValuesParser::new(value::SOUNDNESS).try_map(|text| value::soundness(&text)))]
    pub(super) integrity: Option<Soundness>,
    /// Looks at a backup: its file name, `latest`, or its place from the newest, which is 1
    #[arg(long, value_name = "NAME")]
    pub(super) backup: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Ends with 3 unless the database is ready and nothing needs to be looked at
    #[arg(long)]
    pub(super) exit_code: bool,
    /// How thoroughly the pages are looked at: `quick` or `full` [default: quick]
    #[arg(long, value_name = "HOW", value_parser =
        PossibleValuesParser::new(value::SOUNDNESS).try_map(|text| value::soundness(&text)))]
    pub(super) integrity: Option<Soundness>,
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// What the migration does, such as `add_users`
    pub(super) name: String,
    /// A version made of today's date, YYYYMMDDnn, so that two branches seldom choose the same
    #[arg(long)]
    pub(super) timestamp: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn explained(command: &clap::Command) {
        assert!(command.get_about().is_some(), "`{}` has no help", command.get_name());
        for argument in command.get_arguments() {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(!help.trim().is_empty(), "`{}` of `{}` has no help", argument.get_id(), command.get_name());
        }
        command.get_subcommands().for_each(explained);
    }

    #[test]
    fn every_command_and_every_flag_has_help() {
        let mut command = Arguments::command();
        command.build();
        command.clone().debug_assert();
        explained(&command);
        assert!(command.get_subcommands().count() > 3);
    }
}
