//! What a migration may do: the answers of the authorizer (<https://sqlite.org/c3ref/set_authorizer.html>). Pure.

use std::collections::BTreeSet;
use std::sync::Arc;

use rusqlite::hooks::{AuthAction, TransactionOperation};

/// Names of our savepoints begin so; a migration may not speak of them.
pub(crate) const OWN_PREFIX: &str = "lifeboat_";

/// Whose statement is being prepared. Cloned for every statement of a migration, which may have half a million.
#[derive(Debug, Clone)]
pub(crate) enum Rules {
    /// Ours.
    Own,
    /// A migration's.
    Script {
        /// It runs outside any transaction of ours.
        bare: bool,
        /// It runs with foreign keys on.
        keys_on: bool,
        /// The statement is a `VACUUM`, which attaches a database of its own, and begins and commits.
        vacuum: bool,
        /// What is allowed by name, in small letters.
        allowed: Arc<BTreeSet<String>>,
        /// The tables that only the engine writes, in small letters.
        protected: Arc<[String; 2]>,
    },
}

/// What the authorizer answers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allow,
    /// The statement does nothing, and succeeds.
    Absorb,
    /// The statement fails; by which name it can be allowed, if it can.
    Refuse {
        what: String,
        allow: Option<String>,
    },
}

/// Pragmas that change neither the file's format nor a safety of this connection. R*Tree and FTS5 ask some of them
/// by themselves.
const HARMLESS: &[&str] = &[
    "analysis_limit",
    "application_id",
    "auto_vacuum",
    "automatic_index",
    "busy_timeout",
    "cache_size",
    "cache_spill",
    "case_sensitive_like",
    "cell_size_check",
    "collation_list",
    "compile_options",
    "data_version",
    "database_list",
    "encoding",
    "foreign_key_check",
    "foreign_key_list",
    "freelist_count",
    "full_column_names",
    "function_list",
    "incremental_vacuum",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "journal_size_limit",
    "legacy_alter_table",
    "legacy_file_format",
    "max_page_count",
    "mmap_size",
    "module_list",
    "optimize",
    "page_count",
    "page_size",
    "pragma_list",
    "quick_check",
    "recursive_triggers",
    "reverse_unordered_selects",
    "secure_delete",
    "short_column_names",
    "shrink_memory",
    "table_info",
    "table_list",
    "table_xinfo",
    "threads",
    "user_version",
    "wal_autocheckpoint",
];

/// Pragmas that would be without effect, or undo what the run relies on; scripts set them in good faith.
const ABSORBED: &[&str] = &[
    "foreign_keys",
    "defer_foreign_keys",
    "synchronous",
    "locking_mode",
    "fullfsync",
    "checkpoint_fullfsync",
    "wal_checkpoint",
    // They would break our own statements, or fail inside a transaction.
    "count_changes",
    "temp_store",
];

/// Judges one action of a statement.
pub(crate) fn judge(rules: &Rules, action: &AuthAction<'_>) -> Verdict {
    let Rules::Script { bare, keys_on, vacuum, allowed, protected } = rules else { return Verdict::Allow };
    let copies_itself = *vacuum
        && !matches!(action, AuthAction::Attach { .. } | AuthAction::Pragma { .. } | AuthAction::Function { .. });
    if copies_itself {
        // `VACUUM` copies every table by statements of its own, the history and the ledger too.
        return Verdict::Allow;
    }
    let unless_allowed = |what: String, name: &str| {
        if allowed.contains(name) { Verdict::Allow } else { Verdict::Refuse { what, allow: Some(name.to_owned()) } }
    };
    match *action {
        AuthAction::Transaction { operation } => match operation {
            _ if *bare => Verdict::Allow,
            // Absorbing this one would commit what the script undid.
            TransactionOperation::Rollback => Verdict::Refuse { what: "`ROLLBACK`".to_owned(), allow: None },
            _ => Verdict::Absorb,
        },
        AuthAction::Savepoint { savepoint_name, .. } if savepoint_name.to_ascii_lowercase().starts_with(OWN_PREFIX) => {
            Verdict::Refuse { what: format!("a savepoint named `{savepoint_name}`"), allow: None }
        }
        AuthAction::Attach { filename } if *vacuum && filename.is_empty() => Verdict::Allow,
        AuthAction::Attach { .. } => unless_allowed("`ATTACH`".to_owned(), "attach"),
        AuthAction::Detach { .. } => unless_allowed("`DETACH`".to_owned(), "attach"),
        AuthAction::Pragma { pragma_name, pragma_value } => {
            let name = pragma_name.to_ascii_lowercase();
            let asks = pragma_value.is_none();
            match name.as_str() {
                "defer_foreign_keys" if *keys_on => Verdict::Allow,
                "foreign_keys" | "synchronous" | "locking_mode" | "journal_mode" | "writable_schema"
                | "schema_version"
                    if asks =>
                {
                    Verdict::Allow
                }
                "journal_mode" | "wal_checkpoint" if *bare => Verdict::Allow,
                known if ABSORBED.contains(&known) => Verdict::Absorb,
                known if HARMLESS.contains(&known) => Verdict::Allow,
                _ => unless_allowed(format!("`PRAGMA {name}`"), &name),
            }
        }
        AuthAction::Function { function_name } if function_name.eq_ignore_ascii_case("load_extension") => {
            unless_allowed("`load_extension()`".to_owned(), "load_extension")
        }
        AuthAction::Insert { table_name }
        | AuthAction::Delete { table_name }
        | AuthAction::Update { table_name, .. }
        | AuthAction::DropTable { table_name }
        | AuthAction::AlterTable { table_name, .. }
            if protected.iter().any(|name| name.eq_ignore_ascii_case(table_name)) =>
        {
            unless_allowed(format!("a change of `{table_name}`"), "history")
        }
        // It would hide ours: the history row would go into it, and with it at the end of the connection.
        AuthAction::CreateTempTable { table_name: name } | AuthAction::CreateTempView { view_name: name }
            if protected.iter().any(|table| table.eq_ignore_ascii_case(name)) =>
        {
            Verdict::Refuse { what: format!("a temporary `{name}`"), allow: None }
        }
        _ => Verdict::Allow,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(bare: bool, allowed: &[&str]) -> Rules {
        Rules::Script {
            bare,
            keys_on: false,
            vacuum: false,
            allowed: Arc::new(allowed.iter().map(ToString::to_string).collect()),
            protected: Arc::new(["refinery_schema_history".to_owned(), "lifeboat_ledger".to_owned()]),
        }
    }

    fn pragma<'a>(name: &'a str, value: Option<&'a str>) -> AuthAction<'a> {
        AuthAction::Pragma { pragma_name: name, pragma_value: value }
    }

    #[test]
    fn what_ends_a_transaction_is_absorbed_but_for_rollback() {
        let transaction = |operation| AuthAction::Transaction { operation };
        assert_eq!(judge(&rules(false, &[]), &transaction(TransactionOperation::Unknown)), Verdict::Absorb);
        assert_eq!(judge(&rules(false, &[]), &transaction(TransactionOperation::Begin)), Verdict::Absorb);
        assert!(matches!(
            judge(&rules(false, &[]), &transaction(TransactionOperation::Rollback)),
            Verdict::Refuse { allow: None, .. }
        ));
        assert_eq!(judge(&rules(true, &[]), &transaction(TransactionOperation::Unknown)), Verdict::Allow);
    }

    #[test]
    fn pragmas_are_refused_unless_harmless_or_allowed_by_name() {
        assert_eq!(judge(&rules(false, &[]), &pragma("Foreign_Keys", Some("off"))), Verdict::Absorb);
        assert_eq!(judge(&rules(false, &[]), &pragma("user_version", Some("3"))), Verdict::Allow);
        assert!(matches!(judge(&rules(false, &[]), &pragma("journal_mode", Some("wal"))), Verdict::Refuse { .. }));
        assert!(matches!(judge(&rules(false, &[]), &pragma("no_such", None)), Verdict::Refuse { .. }));
        let allowed = rules(false, &["writable_schema"]);
        assert_eq!(judge(&allowed, &pragma("writable_schema", Some("1"))), Verdict::Allow);
        assert_eq!(judge(&rules(true, &[]), &pragma("journal_mode", Some("wal"))), Verdict::Allow);
    }

    #[test]
    fn a_vacuum_may_copy_our_tables_too() {
        let mut rules = rules(true, &[]);
        if let Rules::Script { vacuum, .. } = &mut rules {
            *vacuum = true;
        }
        let insert = AuthAction::Insert { table_name: "refinery_schema_history" };
        assert_eq!(judge(&rules, &insert), Verdict::Allow);
        assert_eq!(judge(&rules, &AuthAction::Attach { filename: "" }), Verdict::Allow);
        let into = AuthAction::Attach { filename: "elsewhere.db" };
        assert!(matches!(judge(&rules, &into), Verdict::Refuse { .. }));
    }

    #[test]
    fn our_tables_and_savepoints_are_ours() {
        let update = AuthAction::Update { table_name: "Lifeboat_Ledger", column_name: "up" };
        assert!(matches!(judge(&rules(false, &[]), &update), Verdict::Refuse { .. }));
        assert_eq!(judge(&rules(false, &["history"]), &update), Verdict::Allow);
        let savepoint =
            AuthAction::Savepoint { operation: TransactionOperation::Begin, savepoint_name: "LIFEBOAT_step" };
        assert!(matches!(judge(&rules(false, &["history"]), &savepoint), Verdict::Refuse { .. }));
    }
}
