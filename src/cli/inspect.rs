//! `lifeboat inspect`

use std::fs;
use std::io::Read;
use std::path::Path;

use lifeboat::{Database, Migrations, Problem, Schema};
use serde::Serialize;

use super::answer::{Answer, Failure};
use super::args;
use super::copies::{Source, backup};
use super::session::Session;
use super::status::with_example;
use super::table::counted;
use super::value::Diagram;
use super::{inspect_text, json};

#[derive(Serialize)]
struct Document<'a, T: Serialize> {
    format: u32,
    database: String,
    #[serde(flatten)]
    content: T,
    message: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Content<'a> {
    Inspection(&'a lifeboat::Inspection),
    Detail(&'a lifeboat::schema::Detail),
    Schema(Option<&'a str>),
    Diagram(Option<&'a str>),
}

pub(super) fn inspect(session: &Session, args: &args::Inspect) -> Result<Answer, Failure> {
    // Whatever the migrations are, they are not asked.
    let migrator = session.migrator(Migrations::none());
    let source = file(session, args.backup.as_deref())?;
    let path = &source.shown;
    let database = migrator.at(source.path());
    if args.out.is_some() && !args.schema && args.diagram.is_none() {
        return Err(Failure::usage(
            "`--out` goes with `--diagram` or `--schema`",
            "`--schema --out FILE` writes the schema",
        ));
    }
    if let Some(name) = &args.table {
        return table(session, &database, path, name, args.rows);
    }
    if args.schema || args.diagram.is_some() {
        return made_of_schema(session, &database, path, args);
    }
    let inspection = database.inspect().map_err(|error| with_example(session, error))?;
    let message = inspect_text::summary(&inspection);
    Ok(Answer::done(if session.json {
        document(path, Content::Inspection(&inspection), &message)
    } else {
        inspect_text::whole(&session.screen, path, &inspection, &message, args.list)
    }))
}

/// The database, or the backup of it that was named.
pub(super) fn file(session: &Session, name: Option<&str>) -> Result<Source, Failure> {
    name.map_or_else(|| Ok(Source::at(session.options.database.clone())), |name| backup(session, name))
}

fn table(
    session: &Session,
    database: &Database<'_>,
    path: &Path,
    name: &str,
    rows: Option<usize>,
) -> Result<Answer, Failure> {
    let detail = database.inspect_table(name, rows).map_err(|error| {
        let is_file = matches!(error.problem(), Problem::NoSuchTable { .. }) && Path::new(name).is_file();
        let mut failure = with_example(session, error);
        if is_file {
            failure.hint = Some(format!("`-d {name}` names the database"));
        }
        failure
    })?;
    Ok(Answer::done(if session.json {
        let message = inspect_text::headline(&detail);
        document(path, Content::Detail(&detail), &message)
    } else {
        inspect_text::one(&detail)
    }))
}

/// The script or a picture.
fn made_of_schema(
    session: &Session,
    database: &Database<'_>,
    path: &Path,
    args: &args::Inspect,
) -> Result<Answer, Failure> {
    let schema = database.schema().map_err(|error| with_example(session, error))?;
    let text = match args.diagram {
        None => schema.script(),
        Some(Diagram::Mermaid) => schema.mermaid(),
        Some(Diagram::Dot) => schema.dot(),
        Some(Diagram::Svg) => schema.svg(),
    };
    let mut message = described(&schema);
    if let Some(out) = &args.out {
        write(path, out, &text)?;
        message = format!("{message} written to `{}`", out.display());
    }
    let shown = args.out.is_none().then_some(text.as_str());
    let content = if args.diagram.is_some() { Content::Diagram(shown) } else { Content::Schema(shown) };
    Ok(Answer::done(match (session.json, shown) {
        (true, _) => document(path, content, &message),
        (false, Some(text)) => text.to_owned(),
        (false, None) => format!("{}\n", session.screen.text(&message)),
    }))
}

fn described(schema: &Schema) -> String {
    let tables = schema.tables.iter().filter(|table| table.is_apps_own()).count();
    let keys = schema.tables.iter().map(|table| table.foreign_keys.len()).sum();
    let keys = counted(keys, "foreign key", "foreign keys");
    format!("{} with {keys}", counted(tables, "table", "tables"))
}

/// A slip in the name must not cost a database.
fn write(database: &Path, out: &Path, text: &str) -> Result<(), Failure> {
    let mut start = [0_u8; 16];
    // Nothing in this process has a database open any more, so nobody's lock goes with this descriptor.
    // A pipe that is written to here, such as stdout, would be waited for.
    let is_database = fs::metadata(out).is_ok_and(|out| out.is_file())
        && fs::File::open(out).and_then(|mut file| file.read_exact(&mut start)).is_ok()
        && start == *b"SQLite format 3\0";
    let of_database = [".", "-wal", "-shm", "-journal", "-lifeboat"].iter().any(|suffix| {
        let mut name = database.as_os_str().to_owned();
        name.push(suffix.trim_start_matches('.'));
        matches!((Path::new(&name).canonicalize(), out.canonicalize()), (Ok(one), Ok(other)) if one == other)
    });
    if is_database || of_database {
        let what = format!("`{}` is a database, or belongs to one; it is not overwritten", out.display());
        return Err(Problem::Unsupported { what }.into());
    }
    Ok(lifeboat::write_out(out, text)?)
}

fn document(database: &Path, content: Content<'_>, message: &str) -> String {
    json::line(&Document { format: json::FORMAT, database: json::lossy(database), content, message })
}
