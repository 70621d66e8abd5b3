//! The least that an app on lifeboat is.

static MIGRATIONS: lifeboat::Embedded = lifeboat::embed!("$CARGO_MANIFEST_DIR/../../generated/refinery/1");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let db = lifeboat::Migrator::new(&MIGRATIONS).open("notes.db")?;
    let rows: i64 = db.query_row("SELECT count(*) FROM t1", [], |row| row.get(0))?;
    println!("{rows}");
    Ok(())
}
