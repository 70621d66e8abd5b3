//! The tests and examples embed `migrations/`: a new file there must be noticed.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
