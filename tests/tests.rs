//! What lifeboat promises, tried on real files by real processes.

#![allow(missing_docs)]

mod house;
mod launch;
mod support;
