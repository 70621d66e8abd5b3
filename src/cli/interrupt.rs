//! Ctrl-C, and being asked to end: the run goes back, and the process ends by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lifeboat::CancelToken;

use super::progress::Progress;

/// From here on, the first Ctrl-C cancels; the next ones explain why it takes a moment.
pub(super) fn listen(cancel: &CancelToken, progress: &Arc<Progress>) {
    let (cancel, told) = (cancel.clone(), Arc::clone(progress));
    let times = AtomicUsize::new(0);
    let heard = ctrlc::set_handler(move || {
        let before = times.fetch_add(1, Ordering::SeqCst);
        cancel.cancel();
        told.tell(if before == 0 {
            "interrupted: going back, so that the file is as it was"
        } else {
            "still going back; it will end by itself when the file is as it was"
        });
    });
    if let Err(error) = heard {
        progress.warn(&format!("Ctrl-C will end the process at once: {error}"));
    }
}
