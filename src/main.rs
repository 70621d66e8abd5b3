//! The command `lifeboat`.

fn main() {}
