//! One test binary for the command line: the real `kiln` in a cleared environment, with a scripted fake `docker`.

mod bench;
mod build;
mod caches;
mod doctor;
mod doctor_files;
mod help;
mod init;
mod lifecycle;
mod predict;
#[path = "../common/records.rs"]
mod records;
mod replay;
mod report;
mod seed;
mod sqlx;
mod support;
mod warm;
mod workflow;
