//! From arguments to exit code.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind as ClapKind;
use clap::{CommandFactory, FromArgMatches};
use lifeboat::Problem;

use super::answer::{Answer, Failure};
use super::args::{Arguments, BackupCommand, Command, SnapshotCommand};
use super::exit::Exit;
use super::options::Options;
use super::screen::Screen;
use super::session::Session;
use super::value::{self, Color};
use super::{
    backup, compare, create, doctor, human, inspect, json, migrate, recover, restore, snapshot, stats, status,
};

/// Runs the command line.
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let before = Before::read(&arguments);
    match before.command().try_get_matches_from(arguments).and_then(|found| Arguments::from_arg_matches(&found)) {
        Ok(arguments) => command(&arguments, before.color).into(),
        Err(error) => usage(&error, &before).into(),
    }
}

/// What must be known of arguments that cannot be read.
struct Before {
    json: bool,
    color: Color,
}

impl Before {
    fn read(arguments: &[OsString]) -> Self {
        let words = || arguments.iter().take_while(|word| *word != "--").filter_map(|word| word.to_str());
        let after = words().zip(words().skip(1)).find_map(|(word, next)| (word == "--color").then_some(next));
        let color = words().find_map(|word| word.strip_prefix("--color=")).or(after);
        let color = color.and_then(|text| value::color(text).ok()).unwrap_or_default();
        Before { json: words().any(|word| word == "--json"), color }
    }

    fn command(&self) -> clap::Command {
        Arguments::command().color(match self.color {
            Color::Auto => clap::ColorChoice::Auto,
            Color::Always => clap::ColorChoice::Always,
            Color::Never => clap::ColorChoice::Never,
        })
    }
}

/// Help, the version, or arguments that are none.
fn usage(error: &clap::Error, before: &Before) -> Exit {
    let is_answer = matches!(error.kind(), ClapKind::DisplayHelp | ClapKind::DisplayVersion);
    if before.json {
        let screen = Screen::new(before.color, &PathBuf::new(), false, false);
        let text = error.render().to_string();
        screen.print(&if is_answer { json::text(text.trim_end()) } else { usage_document(error, &text) });
    } else {
        // Fails when nobody reads any more.
        let _ = error.print();
    }
    if is_answer { Exit::Done } else { Exit::Usage }
}

fn usage_document(error: &clap::Error, text: &str) -> String {
    if matches!(error.kind(), ClapKind::DisplayHelpOnMissingArgumentOrSubcommand | ClapKind::MissingSubcommand) {
        return json::usage("there is no command".to_owned(), "`lifeboat --help` lists the commands".to_owned());
    }
    // The first paragraph says what is wrong; tips and usage follow.
    let mut paragraphs = text.trim().split("\n\n");
    let message = paragraphs.next().unwrap_or_default().trim_start_matches("error: ");
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let tip = paragraphs.find_map(|paragraph| paragraph.trim().strip_prefix("tip: "));
    json::usage(message, tip.map_or_else(|| "`--help` says what there is".to_owned(), ToOwned::to_owned))
}

fn command(arguments: &Arguments, color: Color) -> Exit {
    let global = &arguments.global;
    let folder = std::env::current_dir();
    let here = folder.as_deref().unwrap_or(std::path::Path::new("")).to_owned();
    let early = Screen::new(color, &here, global.quiet, global.verbose);
    // What cannot be used is a finding of the doctor's, and a failure of all others.
    let gather = |folder: &std::path::Path| match &arguments.command {
        Command::Doctor(_) => Options::gather_usable(global, folder),
        _ => Options::gather(global, folder),
    };
    let session = folder
        .map_err(|source| Problem::Io { path: PathBuf::from("."), action: "find the working directory", source })
        .and_then(|folder| gather(&folder).map(|options| (folder, options)))
        .map_err(Failure::from)
        .and_then(|(folder, options)| {
            let screen = Screen::new(options.color, &folder, global.quiet, global.verbose);
            let writes = match &arguments.command {
                Command::Migrate(args) => !args.dry_run,
                Command::Recover(_) | Command::Restore(_) => true,
                Command::Snapshot(args) => !matches!(args.what, Some(SnapshotCommand::List)),
                Command::Backup(args) => match &args.what {
                    BackupCommand::Create(_) => true,
                    BackupCommand::Prune(args) => !args.dry_run,
                    BackupCommand::List | BackupCommand::Verify(_) => false,
                },
                Command::Status(_)
                | Command::Create(_)
                | Command::Inspect(_)
                | Command::Stats(_)
                | Command::Compare(_)
                | Command::Doctor(_) => false,
            };
            // A compressed backup is decompressed to be looked at.
            let tidies = match &arguments.command {
                Command::Backup(args) => !matches!(args.what, BackupCommand::List),
                Command::Inspect(args) => args.backup.is_some(),
                Command::Stats(args) => args.backup.is_some(),
                Command::Compare(_) => true,
                _ => false,
            };
            Session::new(options, screen, global.json, !global.no_progress, writes, tidies)
        });
    let session = match session {
        Ok(session) => session,
        Err(failure) => return report(&early, None, arguments, &failure),
    };
    introduce(&session);
    let answer = match &arguments.command {
        Command::Migrate(args) => migrate::migrate(&session, args),
        Command::Status(args) => status::status(&session, args),
        Command::Create(args) => create::create(&session, args),
        Command::Recover(args) => recover::recover(&session, args),
        Command::Backup(args) => backup::backup(&session, &args.what),
        Command::Inspect(args) => inspect::inspect(&session, args),
        Command::Compare(args) => compare::compare(&session, args),
        Command::Stats(args) => stats::stats(&session, args),
        Command::Snapshot(args) => snapshot::snapshot(&session, args),
        Command::Restore(args) => restore::restore(&session, args),
        Command::Doctor(args) => doctor::doctor(&session, args),
    };
    match answer {
        Ok(Answer { text, exit }) => {
            session.progress.end(None);
            session.screen.print(&text);
            exit
        }
        Err(failure) => {
            session.progress.end(Some(&format!("{}; {}", failure.error, failure.error.state())));
            report(&session.screen, Some(&session), arguments, &failure)
        }
    }
}

fn introduce(session: &Session) {
    for note in &session.options.notes {
        session.screen.note(note);
    }
    if session.screen.verbose {
        if let Some(config) = &session.options.config {
            session.screen.note(&format!("configuration `{}`", config.display()));
        }
        session.screen.note(&format!("database `{}`", session.options.database.display()));
    }
}

/// The one place that tells a failure.
fn report(screen: &Screen, session: Option<&Session>, arguments: &Arguments, failure: &Failure) -> Exit {
    let runs = matches!(arguments.command, Command::Migrate(_) | Command::Recover(_));
    if arguments.global.json {
        screen.print(&if runs { json::failed_run(failure) } else { json::error(failure) });
    } else {
        let steps = human::steps(screen, failure.error.results());
        if !steps.is_empty() {
            screen.print(&steps);
        }
        if let Some((choices, _)) = &failure.choices {
            screen.tell(choices.trim_end());
        }
        let concerns_file = !failure.is_usage && !matches!(arguments.command, Command::Create(_) | Command::Compare(_));
        let database = session.filter(|_| concerns_file).map(|session| session.options.database.as_path());
        screen.tell(&human::failure(screen, database, failure));
    }
    Exit::of_failure(failure)
}
