//! The eye on a connection: answers the authorizer, remembers what was touched, and interrupts a statement that is
//! cancelled or takes too long.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

use super::policy::{Rules, Verdict, judge};
use crate::event::{CancelToken, Emitter, Event};

/// Why a statement was interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interrupt {
    Cancelled,
    TimedOut,
}

/// A statement that was refused.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) what: String,
    pub(crate) allow: Option<String>,
}

/// What a migration wrote.
#[derive(Debug, Clone, Default)]
pub(crate) struct Touched {
    /// Tables written, dropped or altered, in small letters.
    pub(crate) tables: BTreeSet<String>,
    /// Those of them of which rows were written.
    pub(crate) rows: BTreeSet<String>,
    /// The schema was written by hand: anything may have been touched.
    pub(crate) all: bool,
    /// Tables renamed or otherwise altered, by the names they had before.
    pub(crate) altered: BTreeSet<String>,
    /// Tables made.
    pub(crate) created: BTreeSet<String>,
    /// A table was dropped.
    pub(crate) dropped: bool,
    /// A pragma was set.
    pub(crate) pragmas: bool,
    /// Something that only this connection sees was made.
    pub(crate) temporary: bool,
    /// Rows were deleted from these.
    pub(crate) deleted_from: BTreeSet<String>,
}

pub(crate) struct Watch {
    cancel: CancelToken,
    emitter: Emitter,
    limit: Option<Duration>,
    state: Mutex<State>,
}

struct State {
    rules: Rules,
    touched: Touched,
    refusal: Option<Refusal>,
    statement: Option<Running>,
    interrupt: Option<Interrupt>,
    /// While going back, cancelling must not stop the way back.
    deaf: bool,
}

struct Running {
    migration: String,
    number: usize,
    started: Instant,
    told: Instant,
}

impl Watch {
    pub(crate) fn new(cancel: CancelToken, emitter: Emitter, limit: Option<Duration>) -> Arc<Self> {
        let state = State {
            rules: Rules::Own,
            touched: Touched::default(),
            refusal: None,
            statement: None,
            interrupt: None,
            deaf: false,
        };
        Arc::new(Watch { cancel, emitter, limit, state: Mutex::new(state) })
    }

    /// Begins to watch a connection.
    pub(crate) fn install(self: &Arc<Self>, connection: &mut Connection) -> rusqlite::Result<()> {
        /// Virtual-machine instructions between two looks: some hundred microseconds.
        const INSTRUCTIONS: i32 = 20_000;
        let watch = Arc::clone(self);
        connection.authorizer(Some(move |context: AuthContext<'_>| watch.authorize(&context)))?;
        // While foreign code runs inside our transaction nothing may commit. SQLite can end a transaction by itself (`OR
        // ROLLBACK`, an interruption, a full disk); code that passes over the error would go on, and each of its
        // statements would commit alone.
        let watch = Arc::clone(self);
        connection.commit_hook(Some(move || watch.forbids_commits()))?;
        let watch = Arc::clone(self);
        connection.progress_handler(INSTRUCTIONS, Some(move || watch.interrupts()))
    }

    /// Ends what [`install`](Self::install) began, on a connection that goes back to the app.
    pub(crate) fn remove(connection: &mut Connection) -> rusqlite::Result<()> {
        connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>)?;
        connection.commit_hook(None::<fn() -> bool>)?;
        connection.progress_handler(0, None::<fn() -> bool>)
    }

    fn forbids_commits(&self) -> bool {
        matches!(self.state().rules, Rules::Script { bare: false, .. })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held; and if something did, the facts in it still hold.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn authorize(&self, context: &AuthContext<'_>) -> Authorization {
        let mut state = self.state();
        let verdict = judge(&state.rules, &context.action);
        // What `VACUUM` writes are the same rows.
        if matches!(
            context.action,
            AuthAction::CreateTempTable { .. }
                | AuthAction::CreateTempView { .. }
                | AuthAction::CreateTempTrigger { .. }
        ) {
            state.touched.temporary = true;
        }
        let of_the_file = context.database_name != Some("temp") || matches!(context.action, AuthAction::Pragma { .. });
        if matches!(state.rules, Rules::Script { vacuum: false, .. }) && of_the_file {
            state.touched.note(&context.action);
        }
        match verdict {
            Verdict::Allow => Authorization::Allow,
            Verdict::Absorb => Authorization::Ignore,
            Verdict::Refuse { what, allow } => {
                state.refusal = Some(Refusal { what, allow });
                Authorization::Deny
            }
        }
    }

    fn interrupts(&self) -> bool {
        let mut state = self.state();
        if state.deaf {
            return false;
        }
        if self.cancel.is_cancelled() {
            state.interrupt = Some(Interrupt::Cancelled);
            return true;
        }
        let Some(running) = &mut state.statement else { return false };
        let elapsed = running.started.elapsed();
        if self.limit.is_some_and(|limit| elapsed > limit) {
            state.interrupt = Some(Interrupt::TimedOut);
            return true;
        }
        if running.told.elapsed() > Duration::from_millis(500) {
            running.told = Instant::now();
            let event = Event::StatementRunning { name: running.migration.clone(), statement: running.number, elapsed };
            drop(state); // a listener may do as it likes
            self.emitter.emit(event);
        }
        false
    }

    pub(crate) fn set_rules(&self, rules: Rules) {
        self.state().rules = rules;
    }

    pub(crate) fn statement_begins(&self, migration: &str, number: usize) {
        let now = Instant::now();
        let mut state = self.state();
        state.refusal = None;
        state.statement = Some(Running { migration: migration.to_owned(), number, started: now, told: now });
    }

    pub(crate) fn statement_ended(&self) {
        self.state().statement = None;
    }

    pub(crate) fn take_refusal(&self) -> Option<Refusal> {
        self.state().refusal.take()
    }

    pub(crate) fn take_interrupt(&self) -> Option<Interrupt> {
        self.state().interrupt.take()
    }

    /// What was touched since this was asked last.
    pub(crate) fn take_touched(&self) -> Touched {
        std::mem::take(&mut self.state().touched)
    }

    /// From here on nothing is interrupted.
    pub(crate) fn turn_deaf(&self) {
        let mut state = self.state();
        state.deaf = true;
        state.rules = Rules::Own;
        state.statement = None;
    }

    /// Ends [`turn_deaf`](Self::turn_deaf).
    pub(crate) fn listen_again(&self) {
        self.state().deaf = false;
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    pub(crate) fn limit(&self) -> Duration {
        self.limit.unwrap_or_default()
    }
}

impl Touched {
    fn note(&mut self, action: &AuthAction<'_>) {
        let (table, deletes, alters) = match *action {
            AuthAction::Insert { table_name } | AuthAction::Update { table_name, .. } => (table_name, false, false),
            AuthAction::Delete { table_name } => (table_name, true, false),
            AuthAction::DropTable { table_name } => {
                self.dropped = true;
                (table_name, true, false)
            }
            AuthAction::DropVtable { table_name, .. } => {
                self.dropped = true;
                (table_name, false, false)
            }
            // Without its unique index a parent's key may be no key.
            AuthAction::AlterTable { table_name, .. } | AuthAction::DropIndex { table_name, .. } => {
                (table_name, false, true)
            }
            AuthAction::CreateTable { table_name } | AuthAction::CreateVtable { table_name, .. } => {
                self.created.insert(table_name.to_ascii_lowercase());
                return;
            }
            AuthAction::Pragma { pragma_name, pragma_value: Some(_) } => {
                self.pragmas = true;
                self.all |= pragma_name.eq_ignore_ascii_case("writable_schema");
                return;
            }
            _ => return,
        };
        let table = table.to_ascii_lowercase();
        // The schema's own tables: every CREATE writes them.
        if table.starts_with("sqlite_") {
            return;
        }
        if deletes {
            self.deleted_from.insert(table.clone());
        }
        if alters {
            self.altered.insert(table.clone())
        } else {
            self.rows.insert(table.clone())
        };
        self.tables.insert(table);
    }

    pub(crate) fn add(&mut self, other: &Touched) {
        self.tables.extend(other.tables.iter().cloned());
        self.rows.extend(other.rows.iter().cloned());
        self.altered.extend(other.altered.iter().cloned());
        self.created.extend(other.created.iter().cloned());
        self.deleted_from.extend(other.deleted_from.iter().cloned());
        self.all |= other.all;
        self.dropped |= other.dropped;
        self.pragmas |= other.pragmas;
        self.temporary |= other.temporary;
    }

    pub(crate) fn is_nothing(&self) -> bool {
        self.tables.is_empty() && !self.all
    }
}
