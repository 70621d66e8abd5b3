//! The README does what it says.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use lifeboat::ErrorKind;
use regex::Regex;

use crate::support::picture;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn readme() -> String {
    fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap()
}

/// The fenced blocks of a language, with what stands between: `(language, text)`.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((language.to_owned(), body.join("\n")));
        }
    }
    blocks
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// Runs a command of a transcript and gives what a terminal would show, stdout and stderr as they come.
fn run(folder: &Path, command: &str) -> String {
    let mut words = command
        .split('"')
        .enumerate()
        .flat_map(|(at, part)| if at % 2 == 0 { part.split_whitespace().collect() } else { vec![part] })
        .collect::<Vec<_>>();
    if words.starts_with(&["cargo", "run", "--"]) {
        words.drain(..3);
    } else {
        assert_eq!(words.remove(0), "lifeboat", "{command}");
    }
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_lifeboat"));
    child.args(&words).current_dir(folder).stdout(writer.try_clone().unwrap()).stderr(writer);
    child.env_remove("DATABASE_URL").env("NO_COLOR", "1");
    // Where the corpus lies is said in one of these, and is no setting.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("LIFEBOAT_")) {
        child.env_remove(name);
    }
    let mut running = child.spawn().unwrap();
    drop(child); // and with it this process's ends of the pipe
    let mut text = String::new();
    std::io::Read::read_to_string(&mut reader, &mut text).unwrap();
    running.wait().unwrap();
    text.trim_end().to_owned()
}

/// What differs from run to run: times of day, ages and durations.
fn steady(text: &str) -> String {
    let stamp = Regex::new(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(_\d+)?").unwrap();
    let duration = Regex::new(r" +\d+\.\d (ms|s)\b").unwrap();
    let age = Regex::new(r" +(just now|\d+ (min|h|days) ago|\d+ minutes?) +").unwrap();
    let text = stamp.replace_all(text, "TIME");
    let text = age.replace_all(&text, " AGE ");
    duration.replace_all(&text, " DURATION").into_owned()
}

#[cfg(feature = "cli")]
#[test]
fn the_transcripts_are_what_the_command_says() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["migrations", ".data.example"] {
        copy_folder(&Path::new(ROOT).join(name), &folder.path().join(name));
    }
    let mut ran = 0;
    for (language, text) in blocks(&readme()) {
        if language == "sql"
            && let Some(name) = text.lines().next().and_then(|line| line.strip_prefix("-- migrations/"))
        {
            fs::write(folder.path().join("migrations").join(name), format!("{text}\n")).unwrap();
        }
        if language != "console" {
            continue;
        }
        for part in text.split("$ ").filter(|part| !part.is_empty()) {
            let (command, expected) = part.split_once('\n').unwrap();
            if command.starts_with("lifeboat create") {
                // What the failing launch was shown with is not there any more.
                let _ = fs::remove_file(folder.path().join("migrations/V12__unique_titles.sql"));
            }
            let shown = run(folder.path(), command);
            assert_eq!(steady(&shown), steady(expected.trim_end()), "$ {command}");
            ran += 1;
            if shown.contains("is as it was") {
                // The promise of the first screen: the file is equal to its copy.
                let kept = shown.split("copy kept: `").nth(1).unwrap().split('`').next().unwrap();
                assert_eq!(picture(&folder.path().join(".data/app.db")), picture(&folder.path().join(kept)));
            }
            // The next copy gets a name of its own second, as in the text.
            std::thread::sleep(Duration::from_millis(1100));
        }
    }
    assert_eq!(ran, 23);
}

#[test]
fn every_kind_of_error_is_listed() {
    let readme = readme();
    for kind in ErrorKind::ALL {
        assert!(readme.contains(&format!("`{}`", kind.as_str())), "{kind}");
    }
}

#[cfg(feature = "cli")]
#[test]
fn every_command_and_configuration_key_is_listed() {
    let readme = readme();
    let help = run(Path::new(ROOT), "lifeboat --help");
    let commands = help.split("Commands:").nth(1).unwrap().split("Options:").next().unwrap();
    // A line that goes on is indented further.
    let first = commands.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    for command in first.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
        let listed = readme.contains(&format!("| `{command} ")) || readme.contains(&format!("| `{command}`"));
        assert!(listed || !command.chars().all(char::is_lowercase), "{command}");
    }
    let config = fs::read_to_string(Path::new(ROOT).join("src/cli/config.rs")).unwrap();
    let keys = config.split("const KEYS").nth(1).unwrap().split(']').nth(1).unwrap();
    let listed: Vec<&str> = keys.split('"').skip(1).step_by(2).collect();
    assert!(listed.len() > 10, "{listed:?}");
    let example = blocks(&readme).into_iter().find(|(_, text)| text.starts_with("# lifeboat.toml")).unwrap().1;
    for key in listed {
        assert!(example.lines().any(|line| line.starts_with(&format!("{key} = "))), "{key}");
    }
}
