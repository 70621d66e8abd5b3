//! What is seen of a run while it goes: on a terminal a bar and a spinner, elsewhere plain lines; and the log file.

use std::sync::{Mutex, MutexGuard, PoisonError};
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
            | Event::RestoreFinished { .. } => self.note(&event.to_string()),
            Event::RunStarted { .. }
            | Event::StepFinished { .. }
            | Event::CheckStarted { .. }
            | Event::Committed
            | Event::RolledBack
            | Event::BackupPruned { .. }
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
                bar.set_style(style("{spinner} {msg} [{bar:32}] {binary_bytes} of {binary_total_bytes}"));
                bar.set_length(*bytes);
                bar.set_position(0);
                bar.set_message("backing up");
                bar.enable_steady_tick(Duration::from_millis(100));
            }
            Event::BackupProgress { done, total } if done == total => spin("checking the backup"),
            Event::BackupProgress { done, .. } => bar.set_position(*done),
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
        const OFTEN: Duration = Duration::from_millis(450);
        const SELDOM: Duration = Duration::from_secs(5);
        let mut state = self.state();
        let since = state.told.map_or(Duration::MAX, |told| told.elapsed());
        let line = match event {
            Event::BackupStarted { bytes } => format!("backing up {}", mebibytes(*bytes)),
            Event::BackupProgress { done, total } if since > OFTEN => {
                format!("backing up: {} of {}", mebibytes(*done), mebibytes(*total))
            }
            Event::StepStarted { name, index, of } => format!("[{index}/{of}] {name}"),
            // Twice a second at first; a log of a statement of ten minutes need not have a thousand lines.
            Event::StatementRunning { elapsed, .. } if *elapsed < SELDOM || since > SELDOM => event.to_string(),
            _ => return,
        };
        state.told = Some(Instant::now());
        drop(state);
        self.screen.tell(&self.screen.text(&line));
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

    /// Something of the command's own that takes a while.
    pub(super) fn doing(&self, text: &str) {
        if let Some(log) = &self.log {
            log.line("INFO", text);
        }
        self.note(text);
        if let Shown::Terminal(bar) = &self.shown {
            bar.set_message(self.screen.text(text));
            bar.enable_steady_tick(Duration::from_millis(100));
        }
    }

    /// The end of the command, which the log should have, whoever found the error.
    pub(super) fn end(&self, error: Option<&str>) {
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

/// The templates are ours, and valid; if one were not, the plain bar does.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
