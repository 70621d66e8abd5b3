//! What lifeboat promises, tried on real files by real processes.

#![allow(missing_docs)]

mod corpus;
mod launch;
mod refinery;
mod support;
