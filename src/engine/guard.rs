//! Runs code of the app's, a Rust step or a hook, inside the run's transaction, and sees to it that the transaction is
//! still there afterwards.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rusqlite::Connection;

use super::policy::Rules;
use super::step::said;
use super::watch::{Interrupt, Watch};
use crate::error::{BoxError, Location, Problem};

/// Runs `code`. What it swallowed counts as well: a refused `ROLLBACK`, an interruption, an error by which SQLite ended the
/// transaction. It believes to have undone, or to have passed over, what the run would commit or has lost.
///
/// Meanwhile nothing can commit: see [`Watch::install`].
pub(crate) fn guarded(
    connection: &Connection,
    watch: &Watch,
    rules: Rules,
    migration: &str,
    what: &'static str,
    code: impl FnOnce(&Connection) -> Result<(), BoxError>,
) -> Result<(), Problem> {
    let in_transaction = !connection.is_autocommit();
    let failed = |source: BoxError| Problem::CodeFailed { migration: migration.to_owned(), what, source };
    expire_statements(connection).map_err(|error| failed(error.into()))?;
    watch.set_rules(rules);
    watch.statement_begins(migration, 1);
    // A panic unwinds to here and becomes a failure of this step. (With `panic = "abort"` it is a crash, and the next
    // launch's business.) What the closure saw is not looked at again.
    let ran = catch_unwind(AssertUnwindSafe(|| code(connection)));
    watch.statement_ended();
    watch.set_rules(Rules::Own);
    let (refusal, interrupt) = (watch.take_refusal(), watch.take_interrupt());
    match (ran, interrupt) {
        (Err(payload), _) => {
            return Err(Problem::Panicked { what: format!("{what} of `{migration}`"), message: said(&*payload) });
        }
        (_, Some(Interrupt::Cancelled)) => return Err(Problem::Cancelled {}),
        (_, Some(Interrupt::TimedOut)) => {
            let at = Location { statement: 1, line: 1, column: 1 };
            return Err(Problem::TimedOut { migration: migration.to_owned(), at, limit: watch.limit() });
        }
        (Ok(Err(_)), None) if watch.is_cancelled() => return Err(Problem::Cancelled {}),
        (Ok(Err(source)), None) => return Err(failed(source)),
        (Ok(Ok(())), None) => {}
    }
    if let Some(refusal) = refusal {
        return Err(failed(format!("{} was refused, and it went on", refusal.what).into()));
    }
    if in_transaction && connection.is_autocommit() {
        return Err(failed("it went on after SQLite had ended the transaction".into()));
    }
    Ok(())
}

/// Makes SQLite compile every statement anew before it runs again. The authorizer sees what is compiled: a statement that an
/// earlier step left in the connection's cache would pass by it, and what it touches would not be checked. (Setting any flag
/// expires all statements, <https://sqlite.org/src/file/src/pragma.c>; this one is off in a run.)
fn expire_statements(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("PRAGMA query_only = OFF")
}
