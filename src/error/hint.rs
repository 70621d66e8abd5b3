//! What to do next: one sentence a problem.

use super::failure::{Problem, SqliteCause};

/// What a person can do about a problem, where there is something to say.
pub(super) fn hint(problem: &Problem) -> Option<String> {
    Some(match problem {
        Problem::NotFound { backups, snapshots, .. } if backups + snapshots > 0 => {
            copies(*backups, *snapshots).unwrap_or_default()
        }
        Problem::NotFound { near, .. } if !near.is_empty() => {
            let list = near.iter().map(|path| format!("`{}`", path.display())).collect::<Vec<_>>();
            format!("near it there is {}", list.join(", "))
        }
        Problem::NotFound { .. } => "check the path; only migrating creates a database".to_owned(),
        Problem::NoSuchTable { near, .. } if !near.is_empty() => {
            let list = near.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
            format!("near it there is {}", list.join(", "))
        }
        Problem::NoSuchTable { .. } => "`lifeboat inspect` lists what there is".to_owned(),
        Problem::TableOrphans { table, parent, .. } if !parent.eq_ignore_ascii_case(table) => {
            format!("bring `{parent}` back first, or the whole copy")
        }
        Problem::TableOrphans { child, .. } => {
            format!("bring back what is missing alone, or the whole copy; or mend the rows of `{child}` first")
        }
        Problem::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => RIGHTS.to_owned(),
        Problem::NotAFile { .. } | Problem::Io { .. } | Problem::TableRefused { .. } => return None,
        Problem::DanglingLink { .. } => "make the target, or remove the link".to_owned(),
        Problem::NotADatabase { path } if path.extension().is_some_and(|extension| extension == "zst") => {
            "it is compressed: `lifeboat inspect --backup NAME` looks at a backup as it lies there, and `zstd -d FILE` \
             decompresses any"
                .to_owned()
        }
        Problem::NotADatabase { .. } => {
            "if it is encrypted, set the key in `on_connect`; if it was overwritten, put a backup back".to_owned()
        }
        Problem::Corrupt { .. } => {
            "put the newest backup that is whole back; `sqlite3 FILE .recover` saves what can be \
             read of the damaged one"
                .to_owned()
        }
        Problem::ReadOnly { .. } => "give the file and its folder to the user that runs the app".to_owned(),
        Problem::Locked { holder: Some(pid), .. } => {
            format!("process {pid} is migrating it; wait longer, or look at what it does")
        }
        Problem::Locked { .. } => "close the other program that has it open, or wait longer".to_owned(),
        Problem::Sqlite { source, .. } | Problem::StepFailed { source, .. } if is_unregistered(source) => {
            "register it in `on_connect`, which prepares every connection".to_owned()
        }
        Problem::Sqlite { source, .. } if source.code & 0xff == rusqlite::ffi::SQLITE_CANTOPEN => RIGHTS.to_owned(),
        Problem::Sqlite { .. } => return None,
        Problem::NoSpace { .. } | Problem::DiskFull { .. } => "free some disk space and start again".to_owned(),
        Problem::Newer { .. } => "start the newer version of the app, or put an older backup back".to_owned(),
        Problem::Divergent { .. } => {
            "an applied migration must not be changed; put its text back, and write a new one".to_owned()
        }
        Problem::Missing { .. } => "put the missing files back into the migrations".to_owned(),
        Problem::DuplicateVersion { .. } => "give one of them the next version".to_owned(),
        Problem::OutOfOrder { .. } => {
            "give them versions after the newest one, or begin their names with `U` if their order does not matter"
                .to_owned()
        }
        Problem::BadMigration { right: Some(right), .. } => format!("the right name would be `{right}`"),
        Problem::BadMigration { right: None, .. } => return None,
        Problem::NoMigrations { .. } => "check the path of the migrations".to_owned(),
        Problem::UnknownTarget { .. } => "the versions are those of the migration files".to_owned(),
        Problem::BadHistory { .. } => "compare it with the history in the newest backup".to_owned(),
        Problem::StepFailed { source, .. } if source.code & 0xff == rusqlite::ffi::SQLITE_FULL => {
            "free some disk space and start again".to_owned()
        }
        Problem::StepFailed { .. } | Problem::CodeFailed { .. } | Problem::Panicked { .. } => {
            "mend the migration and run again".to_owned()
        }
        Problem::StatementRefused { allow: Some(name), .. } if name == "journal_mode" => {
            "`-- lifeboat: no-transaction` at the head of the file, or `Migrator::no_transaction(version)`, runs it \
             where SQLite can change the journal mode; `-- lifeboat: allow journal_mode` lets it stand, without effect"
                .to_owned()
        }
        Problem::StatementRefused { allow: Some(name), .. } => format!(
            "`-- lifeboat: allow {name}` at the head of the file, `--allow {name}` or `Migrator::allow(\"{name}\")` \
             allows it"
        ),
        Problem::StatementRefused { allow: None, .. } => {
            "the run is one transaction, which lifeboat alone ends".to_owned()
        }
        Problem::NeedsNoTransaction { .. } => "`-- lifeboat: no-transaction` at the head of the file, or \
             `Migrator::no_transaction(version)`, runs it outside of one, with the backup as its net"
            .to_owned(),
        Problem::TransactionEnded { .. } => {
            "`OR ROLLBACK` and `RAISE(ROLLBACK)` end the whole run; use `OR ABORT` or `RAISE(ABORT)`".to_owned()
        }
        Problem::ForeignKey { cascade: true, .. } => "foreign keys are off while a migration runs, so nothing \
             cascades: delete the children too, or begin the file with `-- lifeboat: foreign-keys on`"
            .to_owned(),
        Problem::ForeignKey { .. } => "mend the rows in the migration, before or after the change".to_owned(),
        Problem::CheckFailed { .. } => "mend the migration so that the check holds".to_owned(),
        Problem::TimedOut { .. } => "give it more time, or split the migration".to_owned(),
        Problem::Cancelled {} => "run again when it suits; nothing is lost".to_owned(),
        Problem::NeedsRecovery { .. } => RECIPE.to_owned(),
        Problem::Compressed { .. } => {
            "build lifeboat with the feature `zstd`, or decompress the file by hand: `zstd -d FILE`".to_owned()
        }
        Problem::RestoreUnfinished { .. } => {
            "mend what is in the way, then `lifeboat recover`; or `lifeboat recover --accept` takes the files as they \
             are, and another restore can follow"
                .to_owned()
        }
        Problem::Interrupted { .. } => {
            "the next launch undoes it, or `lifeboat recover` now; after that, take the snapshot".to_owned()
        }
        Problem::NoSuchCopy { known, .. } if known.is_empty() => "there is none yet".to_owned(),
        Problem::NoSuchCopy { known, .. } => {
            const SHOWN: usize = 8;
            let names = known.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let more = known.len().saturating_sub(SHOWN);
            if more == 0 { format!("there is {names}") } else { format!("there is {names} and {more} more") }
        }
        Problem::BadName { .. } => "a name such as `before-the-update` does".to_owned(),
        Problem::NameTaken { .. } => "choose another name, or replace it (`--replace`)".to_owned(),
        Problem::ReservedName { .. } => "`--allow-example`, or `allow_example`, allows it".to_owned(),
        Problem::ForeignCopy { .. } => "restore it to a path of its own, where that app looks for it".to_owned(),
        Problem::Unsupported { .. } | Problem::Config { .. } => return None,
    })
}

/// What there is to go back to, where a database is lost.
pub(crate) fn copies(backups: usize, snapshots: usize) -> Option<String> {
    let counted = |count: usize, what: &str| match count {
        0 => None,
        1 => Some(format!("1 {what}")),
        more => Some(format!("{more} {what}s")),
    };
    let list: Vec<String> =
        [counted(backups, "backup"), counted(snapshots, "snapshot")].into_iter().flatten().collect();
    let verb = if backups + snapshots == 1 { "is" } else { "are" };
    (!list.is_empty()).then(|| format!("there {verb} {} of it: `lifeboat restore`", list.join(" and ")))
}

/// Something that only the app's own code can bring.
fn is_unregistered(cause: &SqliteCause) -> bool {
    ["no such collation sequence", "no such function", "no such module", "no such tokenizer", "unknown tokenizer"]
        .iter()
        .any(|beginning| cause.message.starts_with(beginning))
}

/// What keeps a file from being opened is as a rule the want of rights, also on a folder above it.
const RIGHTS: &str =
    "give the file, and every folder that leads to it, to the user that runs this, at least to be read";

/// How a person puts a copy back without lifeboat.
const RECIPE: &str = "the next launch, or `lifeboat recover`, tries again. By hand: stop the app, move the database and its `-wal`, `-shm` \
     and `-journal` files aside together, then copy a backup to the database's place \
     (`zstd -d` it first, if its name ends in `.zst`). \
     Where there is none, `lifeboat recover --accept` takes the file as it is";
