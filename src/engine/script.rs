//! Runs a migration's text, statement by statement, under the authorizer.

use std::time::Instant;

use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::{Batch, Connection, ErrorCode};

use super::policy::Rules;
use super::split::{Piece, line_and_column, statements};
use super::watch::{Interrupt, Watch};
use crate::error::{Location, Problem, SqliteCause};

/// A statement that did not run through.
pub(crate) struct Stopped {
    pub(crate) problem: Problem,
    /// SQLite, or the authorizer, refused to compile it: no row had a part in it.
    pub(crate) at_compile: bool,
}

/// Runs `text`, or as much of it as can be begun before `until`. Where `in_transaction`, the transaction must be open
/// after each statement.
#[allow(clippy::too_many_arguments)]
pub(crate) fn run_script(
    connection: &Connection,
    watch: &Watch,
    migration: &str,
    text: &str,
    rules: &Rules,
    in_transaction: bool,
    until: Option<Instant>,
) -> Result<(), Stopped> {
    for (index, piece) in statements(text).enumerate() {
        if until.is_some_and(|until| Instant::now() > until) {
            let (line, column) = line_and_column(text, piece.start);
            let at = Location { statement: index + 1, line, column };
            let problem = Problem::TimedOut { migration: migration.to_owned(), at, limit: watch.limit() };
            return Err(Stopped { problem, at_compile: false });
        }
        watch.set_rules(for_statement(rules, piece.sql));
        watch.statement_begins(migration, index + 1);
        let ran = run_statement(connection, piece.sql);
        watch.statement_ended();
        watch.set_rules(Rules::Own);
        let place = |offset: usize| {
            let (line, column) = line_and_column(text, piece.start + offset);
            Location { statement: index + 1, line, column }
        };
        let ended = in_transaction && connection.is_autocommit();
        if let Err((error, at_compile)) = ran {
            let problem = problem(watch, migration, piece, &error, ended, place);
            // Refused while it ran, as what `VACUUM INTO` does by itself; no row had a part in that either.
            let refused = matches!(problem, Problem::StatementRefused { .. } | Problem::NeedsNoTransaction { .. });
            return Err(Stopped { problem, at_compile: at_compile || refused });
        }
        if ended {
            let source = SqliteCause { message: "the statement rolled it back".to_owned(), code: 0 };
            let problem = Problem::TransactionEnded { migration: migration.to_owned(), at: place(0), source };
            return Err(Stopped { problem, at_compile: false });
        }
    }
    Ok(())
}

/// `VACUUM` works by statements of its own.
fn for_statement(rules: &Rules, sql: &str) -> Rules {
    let mut rules = rules.clone();
    if let Rules::Script { bare: true, vacuum, .. } = &mut rules {
        *vacuum = sql.get(..6).is_some_and(|word| word.eq_ignore_ascii_case("vacuum"));
    }
    rules
}

/// What went wrong, and whether it did so before the statement began.
fn run_statement(connection: &Connection, sql: &str) -> Result<(), (rusqlite::Error, bool)> {
    // One statement as a rule; should SQLite's own parser see an end before ours did, the rest runs too.
    let mut batch = Batch::new(connection, sql);
    loop {
        let Some(mut statement) = batch.next().map_err(|error| (error, true))? else { return Ok(()) };
        let mut rows = statement.raw_query();
        while rows.next().map_err(|error| (error, false))?.is_some() {}
    }
}

fn problem(
    watch: &Watch,
    migration: &str,
    piece: Piece<'_>,
    error: &rusqlite::Error,
    ended: bool,
    place: impl Fn(usize) -> Location,
) -> Problem {
    let migration = migration.to_owned();
    let at = match error {
        rusqlite::Error::SqlInputError { offset, .. } => {
            place(usize::try_from(*offset).unwrap_or(0).min(piece.sql.len()))
        }
        _ => place(0),
    };
    let refusal = watch.take_refusal();
    let interrupt = watch.take_interrupt();
    match (error.sqlite_error_code(), refusal, interrupt) {
        // What is refused fails, under more than one code: a function is a plain error.
        (_, Some(refusal), _) => {
            Problem::StatementRefused { migration, at: place(0), what: refusal.what, allow: refusal.allow }
        }
        (Some(ErrorCode::OperationInterrupted), _, Some(Interrupt::Cancelled)) => Problem::Cancelled {},
        (Some(ErrorCode::OperationInterrupted), _, Some(Interrupt::TimedOut)) => {
            Problem::TimedOut { migration, at, limit: watch.limit() }
        }
        // `INSERT OR ROLLBACK`, `RAISE(ROLLBACK)`; not a full disk, which also ends a transaction.
        (Some(ErrorCode::ConstraintViolation), ..) if ended => {
            Problem::TransactionEnded { migration, at, source: SqliteCause::from(error) }
        }
        _ => {
            let source = SqliteCause::from(error);
            // SQLite says so when it runs them, not when it compiles them.
            let what = match source.message.strip_suffix(" from within a transaction") {
                Some("cannot VACUUM") => "`VACUUM`",
                Some(change) if change.ends_with("wal mode") => "a change of the journal mode",
                _ => return Problem::StepFailed { migration, at, source },
            };
            Problem::NeedsNoTransaction { migration, at: place(0), what: what.to_owned() }
        }
    }
}
