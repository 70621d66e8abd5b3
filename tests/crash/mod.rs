//! A process is killed, and the next one finds the file wholly old or wholly new.

mod calls;
#[cfg(all(unix, feature = "zstd"))]
mod compress;
mod events;
mod scene;
