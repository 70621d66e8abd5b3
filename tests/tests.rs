//! What lifeboat promises, tried on real files by real processes.

#![allow(missing_docs)]

mod cancel;
mod child;
mod concurrency;
mod crash;
mod interrupted;
mod launch;
mod rotation;
mod support;
