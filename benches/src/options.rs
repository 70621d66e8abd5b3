//! The command line.

use std::path::PathBuf;

use crate::Fallible;

const HELP: &str = "usage: cargo run --release --manifest-path benches/Cargo.toml -- [OPTION …]

  --quick          nothing on 1 GiB and 4 GiB, and no clean builds
  --only NAME      this case alone; may be given more than once
  --dir FOLDER     where databases are made (a folder under benches/target); it must lie on a real disk
  --keep           leaves the databases there, for the next run to take up
  --rounds N       rounds of the small cases (31); the big ones run at most 3
  --cold drop      empties the whole machine's page cache for cold launches, in place of the contender's files alone
  --json FILE      writes every sample there
";

pub struct Options {
    pub quick: bool,
    pub only: Vec<String>,
    pub dir: Option<PathBuf>,
    pub keep: bool,
    pub rounds: usize,
    pub drop_all: bool,
    pub json: Option<PathBuf>,
}

impl Options {
    /// Nothing, if only help was asked for.
    pub fn read(names: &[&str]) -> Fallible<Option<Options>> {
        let mut options =
            Options { quick: false, only: Vec::new(), dir: None, keep: false, rounds: 31, drop_all: false, json: None };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("`{word}` wants a value"));
            match word.as_str() {
                "--quick" => options.quick = true,
                "--keep" => options.keep = true,
                "--only" => options.only.push(value()?),
                "--dir" => options.dir = Some(value()?.into()),
                "--json" => options.json = Some(value()?.into()),
                "--rounds" => options.rounds = value()?.parse::<usize>()?.max(1),
                "--cold" => options.drop_all = value()? == "drop",
                "--help" | "-h" => {
                    println!("{HELP}\ncases: {}", names.join(" "));
                    return Ok(None);
                }
                other => return Err(format!("unknown option `{other}`\n{HELP}").into()),
            }
        }
        match options.only.iter().find(|only| !names.contains(&only.as_str())) {
            Some(unknown) => Err(format!("no such case: `{unknown}`; there are {}", names.join(", ")).into()),
            None => Ok(Some(options)),
        }
    }

    pub fn wants(&self, name: &str, long: bool) -> bool {
        if self.only.is_empty() { !(self.quick && long) } else { self.only.iter().any(|only| only == name) }
    }

    /// Rounds of what takes seconds.
    pub fn few(&self) -> usize {
        self.rounds.min(3)
    }

    /// Rounds of what takes tenths of a second.
    pub fn some(&self) -> usize {
        self.rounds.min(9)
    }
}
