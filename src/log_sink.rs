//! Events as lines of the `log` and `tracing` crates, target `lifeboat::migration`.

use crate::event::Event;

const TARGET: &str = "lifeboat::migration";

pub(crate) fn forward(event: &Event) {
    match event {
        Event::StepFailed { .. } => {
            #[cfg(feature = "log")]
            log::error!(target: TARGET, "{event}");
            #[cfg(feature = "tracing")]
            tracing::error!(target: TARGET, "{event}");
        }
        Event::Warning { .. }
        | Event::RecoveryStarted { .. }
        | Event::RolledBack
        | Event::RestoreStarted { .. }
        | Event::RestoreFinished { .. } => {
            #[cfg(feature = "log")]
            log::warn!(target: TARGET, "{event}");
            #[cfg(feature = "tracing")]
            tracing::warn!(target: TARGET, "{event}");
        }
        Event::BackupProgress { .. } | Event::StatementRunning { .. } => {
            #[cfg(feature = "log")]
            log::debug!(target: TARGET, "{event}");
            #[cfg(feature = "tracing")]
            tracing::debug!(target: TARGET, "{event}");
        }
        _ => {
            #[cfg(feature = "log")]
            log::info!(target: TARGET, "{event}");
            #[cfg(feature = "tracing")]
            tracing::info!(target: TARGET, "{event}");
        }
    }
}
