//! Whether somebody else wrote to the file between the transactions of a run: then going back to the copy would lose what
//! they were told is committed.

use std::path::Path;

use rusqlite::Connection;

use super::settings::Settings;
use crate::file::Purpose;

/// Watches by `PRAGMA data_version`, which moves when another connection commits and not when this one does
/// (<https://sqlite.org/pragma.html#pragma_data_version>). What it has seen once, it does not forget.
///
/// Where SQLite ends a transaction by itself (a full disk), the run's own connection forgets its cache and with it the
/// number: a false alarm. So while a group runs, under the write lock, there is a witness beside it, a second connection
/// that never writes. Between the groups, and in a file that commits by itself, there is none: it could not tell our
/// commits from others', and a second connection keeps the journal mode from changing.
pub(crate) struct Others<'a> {
    settings: &'a Settings,
    path: &'a Path,
    split: bool,
    own: i64,
    witness: Option<(Connection, i64)>,
    wrote: bool,
}

impl<'a> Others<'a> {
    /// From here on. Only a run of several transactions (`split`) needs a witness.
    pub(crate) fn watch(
        settings: &'a Settings,
        path: &'a Path,
        connection: &Connection,
        split: bool,
    ) -> rusqlite::Result<Self> {
        let own = data_version(connection)?;
        Ok(Others { settings, path, split, own, witness: None, wrote: false })
    }

    /// A group begins, under the write lock unless it is `bare`.
    pub(crate) fn group_begins(&mut self, connection: &Connection, bare: bool) -> rusqlite::Result<()> {
        let own = data_version(connection)?;
        self.wrote |= own != self.own;
        self.own = own;
        if self.split && !bare {
            let opened = self.settings.connector.open(self.path, Purpose::Read, self.settings.wait).ok();
            self.witness = opened.and_then(|witness| data_version(&witness).ok().map(|seen| (witness, seen)));
        }
        Ok(())
    }

    /// The group has committed, and others may write from here on.
    pub(crate) fn we_committed(&mut self) {
        self.witness = None;
    }

    /// Whether others have committed something since the run began. What cannot be read may have changed.
    pub(crate) fn wrote(&self, connection: &Connection) -> bool {
        let own_says = data_version(connection).ok() != Some(self.own);
        self.wrote
            || match &self.witness {
                Some((witness, seen)) => own_says && data_version(witness).ok() != Some(*seen),
                None => own_says,
            }
    }
}

fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA data_version", [], |row| row.get(0))
}
