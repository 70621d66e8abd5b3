//! The contenders embed what the driver generates: a change there must be noticed.

fn main() {
    println!("cargo:rerun-if-changed=../../generated");
}
