//! Rebuilds the crate when a migration is added, which `sqlx::migrate!` embeds, or what is known of
//! a statement changes, which `sqlx::query!` reads: neither says so to cargo.

fn main() {
    println!("cargo::rerun-if-changed=../../migrations");
    println!("cargo::rerun-if-changed=../../.sqlx");
}
