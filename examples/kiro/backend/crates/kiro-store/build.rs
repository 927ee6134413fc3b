//! `sqlx::migrate!` cannot see a migration file that was added, so cargo has to look.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
