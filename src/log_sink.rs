//! Events as lines of the `log` and `tracing` crates, target `lifeboat::migration`.

use crate::event::{Event, Level};

const TARGET: &str = "lifeboat::migration";

pub(crate) fn forward(event: &Event) {
    #[cfg(feature = "log")]
    match event.level() {
        Level::Error => log::error!(target: TARGET, "{event}"),
        Level::Warn => log::warn!(target: TARGET, "{event}"),
        Level::Info => log::info!(target: TARGET, "{event}"),
        Level::Debug => log::debug!(target: TARGET, "{event}"),
    }
    #[cfg(feature = "tracing")]
    match event.level() {
        Level::Error => tracing::error!(target: TARGET, "{event}"),
        Level::Warn => tracing::warn!(target: TARGET, "{event}"),
        Level::Info => tracing::info!(target: TARGET, "{event}"),
        Level::Debug => tracing::debug!(target: TARGET, "{event}"),
    }
}

#[cfg(all(test, feature = "log"))]
mod tests {
    use std::sync::Mutex;

    use super::*;

    static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

    struct Keep;

    impl log::Log for Keep {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }

        fn log(&self, record: &log::Record<'_>) {
            if record.target() == TARGET {
                LINES.lock().unwrap().push(format!("{} {}", record.level(), record.args()));
            }
        }

        fn flush(&self) {}
    }

    #[test]
    fn a_support_person_finds_every_step_and_outcome_in_the_log() {
        log::set_logger(&Keep).unwrap();
        log::set_max_level(log::LevelFilter::Debug);
        let folder = tempfile::tempdir().unwrap();
        let migrator = crate::Migrator::new(crate::Migrations::none())
            .step(1, "works", |tx| Ok(tx.execute_batch("CREATE TABLE a (b)")?))
            .step(2, "fails", |_| Err("no".into()));
        migrator.at(folder.path().join("app.db")).migrate().unwrap_err();
        let lines = LINES.lock().unwrap().join("\n");
        for wanted in ["INFO [1/2] V1__works started", "ERROR V2__fails failed", "WARN rolled back", "(rolled-back)"] {
            assert!(lines.contains(wanted), "{wanted} in:\n{lines}");
        }
    }
}
