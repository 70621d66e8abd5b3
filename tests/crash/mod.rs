//! A process is killed, and the next one finds the file wholly old or wholly new.

mod calls;
mod events;
mod scene;
