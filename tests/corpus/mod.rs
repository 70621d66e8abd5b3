//! The histories of real apps, run as they were shipped: from empty, and with rows in every table before every file.
//!
//! They lie outside the project, in the folder that `LIFEBOAT_CORPUS` names, by default `../shared/corpus`. Where there
//! is none, these tests say so and pass.

mod history;
mod plain;
mod rows;

use history::History;

/// One app's history: its folder, how many files it has, which of them are refused on the rows of `rows`, and in which
/// of them a plain driver with foreign keys on loses some.
macro_rules! histories {
    ($($name:ident: $files:literal files, refused $refused:expr, lossy $lossy:expr;)*) => {
        const HISTORIES: &[History] = &[$(History {
            name: stringify!($name),
            files: $files,
            refused: &$refused,
            lossy: &$lossy,
        },)*];

        $(mod $name {
            use super::{HISTORIES, History};

            fn history() -> &'static History {
                HISTORIES.iter().find(|history| history.name == stringify!($name)).unwrap()
            }

            #[test]
            fn runs_unmodified_from_empty_all_at_once() {
                history().run_from_empty_at_once();
            }

            #[test]
            fn runs_unmodified_from_empty_file_by_file() {
                history().run_from_empty_file_by_file();
            }

            #[test]
            fn does_with_rows_in_every_table_what_plain_sqlite_does_with_foreign_keys_off_and_refuses_the_rest() {
                history().run_with_rows();
            }
        })*
    };
}

// Twelve files are refused. They add a column that must not be null and has no default (`gitness` 43, `tari_contacts`
// 7), copy a null into such a column (`kratos` 12, `pingvin_share` 9), add a foreign key that old rows do not fulfil
// (`cdk_mint` 16, `gitness` 40, `jellyseerr` 3, `kratos` 91, `uptime_kuma` 55), delete parents and rely on a cascade
// for the children (`matrix_event` 7, `vibe_kanban` 27), or read a text as JSON (`vibe_kanban` 29; a maker of rows that
// had put JSON there saw eleven).
//
// In 32 files a driver that leaves foreign keys on loses rows, without an error: `DROP TABLE` in a rebuild deletes the
// children. The same rows outlive the file with keys off, so none of it is meant. (Rows from another hand saw it in 30:
// it takes a row in each child table.)
histories! {
    atuin_client: 12 files, refused [], lossy [];
    atuin_server: 7 files, refused [], lossy [];
    cdk_mint: 50 files, refused [16], lossy [];
    cdk_wallet: 38 files, refused [], lossy [];
    gitness: 90 files, refused [40, 43], lossy [32];
    jellyseerr: 39 files, refused [3], lossy [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 19, 23, 24, 32];
    kratos: 111 files, refused [12, 91], lossy [33, 37, 38];
    matrix_crypto: 19 files, refused [], lossy [];
    matrix_event: 16 files, refused [7], lossy [];
    matrix_state: 16 files, refused [], lossy [];
    pingvin_share: 24 files, refused [9], lossy [3, 4, 5, 8, 13, 17, 19, 20, 23];
    screenpipe: 50 files, refused [], lossy [];
    tari_contacts: 7 files, refused [7], lossy [];
    tari_wallet: 13 files, refused [], lossy [];
    uptime_kuma: 55 files, refused [55], lossy [];
    vibe_kanban: 76 files, refused [27, 29], lossy [3];
}

#[test]
fn of_623_files_of_real_apps_12_are_refused_and_a_plain_driver_loses_rows_in_32() {
    let sum = |count: fn(&History) -> usize| HISTORIES.iter().map(count).sum::<usize>();
    assert_eq!(HISTORIES.len(), 16);
    assert_eq!(sum(|history| history.files), 623);
    assert_eq!(sum(|history| history.refused.len()), 12);
    assert_eq!(sum(|history| history.lossy.len()), 32);
}
