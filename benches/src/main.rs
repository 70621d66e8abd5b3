//! Compares lifeboat with its peers in one run: the same work, interleaved, each contender with a process of its own. It
//! prints ratios, asserts none, and removes what it has made. `README.md` says how to read the tables.

mod cases;
mod contender;
mod generate;
mod options;
mod place;
mod table;

use std::path::Path;

use contender::Contenders;
use options::Options;
use place::Place;
use table::Tables;

pub type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// What every case gets.
pub struct Bench {
    pub options: Options,
    pub contenders: Contenders,
    pub place: Place,
    pub tables: Tables,
}

fn main() -> Fallible<()> {
    let Some(options) = Options::read(&cases::ALL.map(|case| case.name))? else { return Ok(()) };
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    generate::write(&here.join("generated"))?;
    let contenders = Contenders::build(here)?;
    let place = Place::make(&options, here)?;
    let mut bench = Bench { options, contenders, place, tables: Tables::default() };
    bench.tables.head(&contender::surroundings(&bench));
    for case in &cases::ALL {
        if !bench.options.wants(case.name, case.long) {
            continue;
        }
        eprintln!("== {}", case.name);
        if let Err(error) = (case.run)(&mut bench) {
            // One case that cannot be run here says so, and the others go on.
            eprintln!("!! {} failed: {error}", case.name);
            bench.tables.note(&format!("**`{}` failed: {error}**", case.name));
        }
    }
    bench.tables.goals();
    match &bench.options.json {
        Some(path) => Ok(std::fs::write(path, bench.tables.json())?),
        None => Ok(()),
    }
}
