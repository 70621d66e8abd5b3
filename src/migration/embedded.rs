//! Migrations inside the binary.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use include_dir::{Dir, DirEntry};

use super::collection::Migrations;
use super::source::{Collector, SourceFile};

/// A folder of migrations, ups and downs, that [`embed!`](crate::embed) put into the binary.
#[derive(Debug)]
pub struct Embedded {
    folder: &'static Dir<'static>,
    built_from: Option<(&'static str, &'static str)>,
}

impl Embedded {
    #[doc(hidden)]
    #[must_use]
    pub const fn new(folder: &'static Dir<'static>, built_from: Option<(&'static str, &'static str)>) -> Self {
        Embedded { folder, built_from }
    }

    pub(crate) fn load(&self) -> Migrations {
        let mut collector = Collector::with_capacity(self.folder.entries().len());
        add(self.folder, &mut collector);
        let mut migrations = collector.finish();
        migrations.built_from = self.built_from.map(|(crate_folder, path)| {
            let path = path.replace("$CARGO_MANIFEST_DIR", crate_folder);
            if Path::new(&path).is_absolute() { PathBuf::from(path) } else { Path::new(crate_folder).join(path) }
        });
        migrations
    }
}

fn add(folder: &'static Dir<'static>, collector: &mut Collector) {
    for entry in folder.entries() {
        match entry {
            DirEntry::Dir(inner) => add(inner, collector),
            DirEntry::File(file) => collector
                .add(SourceFile { path: Cow::Borrowed(file.path()), content: Some(Cow::Borrowed(file.contents())) }),
        }
    }
}

/// Embeds a folder of migrations, ups and downs, when the app is built.
///
/// `$CARGO_MANIFEST_DIR` stands for the folder of the app's `Cargo.toml`. Put
/// `println!("cargo:rerun-if-changed=migrations");` into the app's `build.rs`, so that a new file is noticed.
///
/// ```
/// static MIGRATIONS: lifeboat::Embedded = lifeboat::embed!("$CARGO_MANIFEST_DIR/migrations");
///
/// let migrator = lifeboat::Migrator::new(&MIGRATIONS);
/// assert_eq!(migrator.migrations().len(), 11);
/// ```
#[macro_export]
macro_rules! embed {
    // `tt` and not `literal`: include_dir wants the token as it was written.
    ($path:tt) => {{
        // include_dir's macro names its own crate, which the app need not have.
        use $crate::__private::include_dir;
        static FOLDER: include_dir::Dir<'static> = include_dir::include_dir!($path);
        $crate::Embedded::new(
            &FOLDER,
            // For `status` in development alone: a released binary does not tell where it was built.
            if cfg!(debug_assertions) { Some((env!("CARGO_MANIFEST_DIR"), $path)) } else { None },
        )
    }};
}
