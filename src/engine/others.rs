//! Whether somebody else wrote to the file between the transactions of a run: then going back to the copy would lose what
//! they were told is committed.

use std::path::Path;

use rusqlite::Connection;

use super::settings::Settings;
use crate::file::Purpose;

/// Watches by `PRAGMA data_version`, which moves when another connection commits and not when this one does
/// (<https://sqlite.org/pragma.html#pragma_data_version>).
///
/// The run's own connection alone would raise false alarms: where SQLite ends a transaction by itself (a full disk), it
/// forgets its cache and with it the number. A witness, a second connection that never writes, has seen all commits,
/// ours too; what it has seen beyond ours came from others.
pub(crate) struct Others<'a> {
    settings: &'a Settings,
    path: &'a Path,
    split: bool,
    own: i64,
    witness: Option<(Connection, i64)>,
}

impl<'a> Others<'a> {
    /// From here on. Only a run of several transactions (`split`) needs a witness.
    pub(crate) fn watch(
        settings: &'a Settings,
        path: &'a Path,
        connection: &Connection,
        split: bool,
    ) -> rusqlite::Result<Self> {
        let mut others = Others { settings, path, split, own: data_version(connection)?, witness: None };
        others.call_witness();
        Ok(others)
    }

    /// A file that commits by itself is about to run. A witness cannot tell its commits from others', and would be in its
    /// way: while a second connection is open, the journal mode cannot change.
    pub(crate) fn send_witness_away(&mut self) {
        self.witness = None;
    }

    /// The run has committed: that is no one else's doing.
    pub(crate) fn call_witness(&mut self) {
        let Some((connection, _)) = self.witness.take() else {
            if self.split {
                let opened = self.settings.connector.open(self.path, Purpose::Read, self.settings.wait).ok();
                self.witness = opened.and_then(|witness| data_version(&witness).ok().map(|seen| (witness, seen)));
            }
            return;
        };
        self.witness = data_version(&connection).ok().map(|seen| (connection, seen));
    }

    /// Whether others have committed something since the run began. What cannot be read may have changed.
    pub(crate) fn wrote(&self, connection: &Connection) -> bool {
        let own_says = data_version(connection).ok() != Some(self.own);
        match &self.witness {
            Some((witness, seen)) => own_says && data_version(witness).ok() != Some(*seen),
            None => own_says,
        }
    }
}

fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA data_version", [], |row| row.get(0))
}
