//! What is seen of a run while it goes: on a terminal a bar and a spinner, elsewhere plain lines; and the log file.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lifeboat::{Event, brief, mebibytes};

use super::log_file::LogFile;
use super::screen::Screen;

/// Listens to events.
pub(super) struct Progress {
    screen: Screen,
    log: Option<LogFile>,
    shown: Shown,
    state: Mutex<State>,
}

enum Shown {
    Terminal(ProgressBar),
    Lines,
    Nothing,
}

#[derive(Default)]
struct State {
    /// The migration that runs, as `[2/5] V7__split_name`.
    step: String,
    told: Option<Instant>,
    /// What goes on, and since when.
    doing: Option<(String, Instant)>,
    /// The library said how the call ended.
    finished: bool,
}

impl Progress {
    /// Without `shown` there are notes, and neither spinner nor bar nor lines.
    pub(super) fn new(screen: Screen, shown: bool, log: Option<LogFile>) -> Self {
        let shown = match (shown && !screen.quiet, Screen::can_redraw()) {
            (false, _) => Shown::Nothing,
            (true, false) => Shown::Lines,
            (true, true) => {
                let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
                bar.set_style(style("{spinner} {wide_msg}"));
                Shown::Terminal(bar)
            }
        };
        Progress { screen, log, shown, state: Mutex::default() }
    }

    /// An event of the library.
    pub(super) fn event(&self, event: &Event) {
        if let Some(log) = &self.log {
            log.event(event);
        }
        match event {
            Event::Warning { message } => self.warn(message),
            Event::Waiting { .. }
            | Event::RecoveryStarted { .. }
            | Event::RecoveryFinished { .. }
            | Event::BackupFinished { .. }
            | Event::RestoreStarted { .. }
            | Event::RestoreResumed { .. }
            | Event::RestoreFinished { .. } => self.note(&event.to_string()),
            Event::RunStarted { .. }
            | Event::StepFinished { .. }
            | Event::CheckStarted { .. }
            | Event::Committed
            | Event::RolledBack
            | Event::BackupPruned { .. }
            | Event::CompressFinished { .. }
                if self.screen.verbose =>
            {
                self.note(&event.to_string());
            }
            Event::Finished { .. } => self.state().finished = true,
            _ => {}
        }
        match &self.shown {
            Shown::Terminal(bar) => self.draw(bar, event),
            Shown::Lines => self.write(event),
            Shown::Nothing => {}
        }
    }

    fn draw(&self, bar: &ProgressBar, event: &Event) {
        let spin = |message: &str| {
            bar.set_style(style("{spinner} {wide_msg}"));
            bar.set_message(self.screen.text(message));
            bar.enable_steady_tick(Duration::from_millis(100));
        };
        match event {
            Event::BackupStarted { bytes } => {
                bar.set_length(*bytes);
                bar.set_position(0);
                bar.set_message("backing up");
                bar.set_style(style("{spinner} {msg} [{bar:32}] {binary_bytes} of {binary_total_bytes}"));
                bar.enable_steady_tick(Duration::from_millis(100));
            }
            Event::BackupProgress { done, total } if done == total => spin("checking the backup"),
            Event::SnapshotStarted { name, bytes, .. } => {
                bar.set_length(*bytes);
                bar.set_position(0);
                bar.set_message(self.screen.text(&format!("taking the snapshot `{name}`")));
                bar.set_style(style("{spinner} {msg} [{bar:32}] {binary_bytes} of {binary_total_bytes}"));
                bar.enable_steady_tick(Duration::from_millis(100));
            }
            Event::BackupProgress { done, .. } | Event::SnapshotProgress { done, .. } => bar.set_position(*done),
            Event::StepStarted { name, index, of } => {
                self.state().step = format!("[{index}/{of}] {name}");
                spin(&format!("[{index}/{of}] {name}"));
            }
            Event::StatementRunning { statement, elapsed, .. } => {
                let step = self.state().step.clone();
                spin(&format!("{step}: statement {statement}, {}", brief(*elapsed)));
            }
            Event::Warning { .. } | Event::StepFailed { .. } | Event::BackupPruned { .. } => {}
            Event::Finished { .. } => bar.finish_and_clear(),
            other => spin(&other.to_string()),
        }
    }

    /// Nothing that is drawn again.
    fn write(&self, event: &Event) {
        let mut state = self.state();
        let since = state.told.map_or(Duration::MAX, |told| told.elapsed());
        let now = Instant::now();
        let mut doing = |what: String| state.doing = Some((what, now));
        let line = match event {
            Event::BackupStarted { bytes } => {
                doing("backing up".to_owned());
                format!("backing up {}", mebibytes(*bytes))
            }
            Event::BackupProgress { done, total } if done == total => {
                doing("checking the backup".to_owned());
                return;
            }
            Event::SnapshotStarted { .. } => {
                doing("taking the snapshot".to_owned());
                event.to_string()
            }
            Event::SnapshotProgress { .. } | Event::RestoreProgress { .. } if since > OFTEN => event.to_string(),
            Event::BackupProgress { done, total } if since > OFTEN => {
                format!("backing up: {} of {}", mebibytes(*done), mebibytes(*total))
            }
            Event::StepStarted { name, index, of } => {
                doing(format!("[{index}/{of}] {name}"));
                format!("[{index}/{of}] {name}")
            }
            Event::StatementRunning { elapsed, .. } if since > gap(*elapsed) => event.to_string(),
            Event::StepFinished { .. }
            | Event::CheckStarted { .. }
            | Event::CompressStarted { .. }
            | Event::RestoreStarted { .. } => {
                doing(event.to_string());
                return;
            }
            _ => return,
        };
        state.told = Some(now);
        self.screen.tell(&self.screen.text(&line));
    }

    /// Keeps telling what goes on while no event comes, where there is no spinner to be seen.
    pub(super) fn keep_telling(self: &Arc<Self>) {
        if !matches!(self.shown, Shown::Lines) {
            return;
        }
        let progress = Arc::downgrade(self);
        let told = std::thread::Builder::new().name("progress".to_owned()).spawn(move || {
            while let Some(progress) = progress.upgrade() {
                progress.tell_again();
                drop(progress);
                std::thread::sleep(OFTEN / 5);
            }
        });
        // Without a thread there are fewer lines; the run is the same.
        drop(told);
    }

    fn tell_again(&self) {
        let mut state = self.state();
        let Some((what, since)) = &state.doing else { return };
        let elapsed = since.elapsed();
        // Later than the events of a long statement, which say more.
        let gap = gap(elapsed) + OFTEN / 4;
        if elapsed < gap || state.told.is_some_and(|told| told.elapsed() < gap) {
            return;
        }
        let line = self.screen.text(&format!("{what} ({:.1} s)", elapsed.as_secs_f64()));
        state.told = Some(Instant::now());
        self.screen.tell(&line);
    }

    /// Something that is good to know.
    pub(super) fn note(&self, text: &str) {
        self.beside_the_bar(|| self.screen.note(text));
    }

    /// Something that should be looked at.
    pub(super) fn warn(&self, text: &str) {
        self.beside_the_bar(|| self.screen.warn(text));
    }

    /// An answer to a person, quiet or not.
    pub(super) fn tell(&self, text: &str) {
        if let Some(log) = &self.log {
            log.line("WARN", text);
        }
        self.beside_the_bar(|| self.screen.tell(text));
    }

    /// Something of the command's own that people and the log should know.
    pub(super) fn started(&self, text: &str) {
        if let Some(log) = &self.log {
            log.line("INFO", text);
        }
        self.note(text);
        self.doing(text);
    }

    /// Something that may take a while before the first event.
    pub(super) fn doing(&self, text: &str) {
        self.state().doing = Some((text.to_owned(), Instant::now()));
        if let Shown::Terminal(bar) = &self.shown {
            bar.set_message(self.screen.text(text));
            bar.enable_steady_tick(Duration::from_millis(100));
        }
    }

    /// The end of the command, which the log should have, whoever found the error.
    pub(super) fn end(&self, error: Option<&str>) {
        self.state().doing = None;
        if let Shown::Terminal(bar) = &self.shown {
            bar.finish_and_clear();
        }
        if let (Some(error), Some(log), false) = (error, &self.log, self.state().finished) {
            log.line("ERROR", error);
        }
    }

    fn beside_the_bar(&self, write: impl FnOnce()) {
        match &self.shown {
            Shown::Terminal(bar) => bar.suspend(write),
            Shown::Lines | Shown::Nothing => write(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const OFTEN: Duration = Duration::from_millis(450);

/// How long nothing is told of what has been going on for so long: at first twice a second; but a log of ten minutes need
/// not have a thousand lines.
fn gap(elapsed: Duration) -> Duration {
    if elapsed < Duration::from_secs(5) { OFTEN } else { Duration::from_secs(5) }
}

/// The templates are ours, and valid; if one were not, the plain bar does.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
