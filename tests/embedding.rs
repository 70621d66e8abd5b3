//! An app that embeds the library, made from what the README's quick start says, and built for real.

use std::fs;
use std::path::Path;
use std::process::Command;

const CARGO_TOML: &str = r#"[dependencies]
lifeboat = { version = "0.1", default-features = false, features = ["bundled"] }"#;

const BUILD_RS: &str = r#"fn main() {
    println!("cargo:rerun-if-changed=migrations"); // a new file there is noticed
}"#;

const MAIN_RS: &str = r#"static MIGRATIONS: lifeboat::Embedded = lifeboat::embed!("$CARGO_MANIFEST_DIR/migrations"); // ups and downs

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let db = lifeboat::Migrator::new(&MIGRATIONS).open("notes.db")?; // a rusqlite::Connection, migrated
    let notes: i64 = db.query_row("SELECT count(*) FROM note", [], |row| row.get(0))?;
    println!("{notes} notes");
    Ok(())
}"#;

fn cargo(app: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(app)
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("app"))
        .env_remove("LIFEBOAT_ENV")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {arguments:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_quick_start_builds_and_a_new_migration_is_picked_up() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    for part in [CARGO_TOML, BUILD_RS, MAIN_RS] {
        assert!(readme.contains(part), "the README has it word for word:\n{part}");
    }
    let folder = tempfile::tempdir().unwrap();
    let app = folder.path();
    let write = |name: &str, text: &str| {
        let path = app.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let here = env!("CARGO_MANIFEST_DIR").replace('\\', "/");
    let head = "[package]\nname = \"notes-app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n";
    write("Cargo.toml", &format!("{head}{}\n", CARGO_TOML.replace("version = \"0.1\"", &format!("path = \"{here}\""))));
    fs::copy(Path::new(&here).join("Cargo.lock"), app.join("Cargo.lock")).unwrap();
    write("build.rs", BUILD_RS);
    write("src/main.rs", MAIN_RS);
    // Beside the quick start's program, one that asks what the binary lacks.
    write(
        "src/bin/status.rs",
        "static MIGRATIONS: lifeboat::Embedded = lifeboat::embed!(\"$CARGO_MANIFEST_DIR/migrations\");
         fn main() {
             println!(\"{:?}\", lifeboat::Migrator::new(&MIGRATIONS).at(\"notes.db\").status().unwrap().not_embedded_migrations);
         }",
    );
    write("migrations/V1__note.sql", "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL);");

    cargo(app, &["build", "--offline"]);
    assert!(cargo(app, &["run", "--offline", "--quiet", "--bin", "notes-app"]).contains("0 notes"));

    write("migrations/V2__welcome.sql", "INSERT INTO note (body) VALUES ('Welcome');");
    let status = Path::new(env!("CARGO_TARGET_TMPDIR")).join("app/debug/status");
    let stale = Command::new(status).current_dir(app).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&stale.stdout).trim(), "[\"V2__welcome\"]", "the old binary says what it lacks");

    assert!(cargo(app, &["run", "--offline", "--quiet", "--bin", "notes-app"]).contains("1 notes"));
    assert!(app.join("backups").is_dir());
}

#[test]
fn an_embedding_app_pulls_in_neither_clap_nor_indicatif() {
    let tree = cargo(
        Path::new(env!("CARGO_MANIFEST_DIR")),
        &["tree", "--offline", "--no-default-features", "--features", "bundled", "-e", "normal", "--prefix", "none"],
    );
    let mut crates: Vec<&str> = tree.lines().filter_map(|line| line.strip_suffix(" (*)").or(Some(line))).collect();
    crates.sort_unstable();
    crates.dedup();
    for unwanted in ["clap", "indicatif", "toml", "ctrlc"] {
        assert!(!crates.iter().any(|line| line.starts_with(&format!("{unwanted} "))), "{unwanted}: {crates:#?}");
    }
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let said = format!("{} crates", crates.len());
    assert!(readme.contains(&said), "the README gives the length of the dependency list: {said}\n{crates:#?}");
}
