//! What a compiled build script can look at.

use std::fs;
use std::path::Path;

/// Functions that list a folder, or start another program, which then may read any file.
const REACH_FURTHER: [&[u8]; 23] = [
    b"opendir",
    b"fdopendir",
    b"scandir",
    b"scandir64",
    b"ftw",
    b"ftw64",
    b"nftw",
    b"nftw64",
    b"fts_open",
    b"fts64_open",
    b"glob",
    b"glob64",
    b"fork",
    b"vfork",
    b"execv",
    b"execve",
    b"execvp",
    b"execvpe",
    b"posix_spawn",
    b"posix_spawnp",
    b"system",
    b"popen",
    b"dlopen",
];
/// A name in every program that keeps the names of functions: of those of shared libraries always, of others unless they were stripped.
const KEEPS_NAMES: &[u8] = b"__libc_start_main";
/// The end of the lock's name (programs put names together), and the system call behind `opendir`, which crates make themselves.
const READS_LOCKS_OR_FOLDERS: [&[u8]; 2] = [b".lock", b"getdents"];

/// Whether a build script may read the lock without saying so. For that it needs the file's name, which is then in the program, or a
/// list of the folder, or another program; what does that is linked to it, and the linker leaves out what is not called. A script
/// that has none of these prints the same with another lock. One that cannot be read, or keeps no names, may do all. So may one with
/// debugging information, which names all of the standard library; cargo strips that from scripts unless a profile asks for it.
pub(super) fn may_read_the_lock(program: &Path) -> bool {
    let Ok(bytes) = fs::read(program) else { return true };
    let mut keeps_names = false;
    for text in bytes.split(|byte| *byte == 0) {
        if REACH_FURTHER.contains(&text) || READS_LOCKS_OR_FOLDERS.iter().any(|name| contains(text, name)) {
            return true;
        }
        keeps_names |= text == KEEPS_NAMES;
    }
    !keeps_names
}

fn contains(text: &[u8], name: &[u8]) -> bool {
    text.len() >= name.len() && text.windows(name.len()).any(|window| window == name)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// A build script's program, compiled as cargo does it.
    #[expect(clippy::disallowed_methods, reason = "the compiler is what makes the programs that are looked at")]
    fn compiled(folder: &Path, name: &str, main: &str) -> std::path::PathBuf {
        let source = folder.join(format!("{name}.rs"));
        fs::write(&source, format!("fn main() {{ {main} }}")).unwrap();
        let program = folder.join(name);
        let status =
            Command::new("rustc").args(["--edition=2024", "-Cstrip=debuginfo", "-o"]).args([&program, &source]).status().unwrap();
        assert!(status.success(), "{name}");
        program
    }

    #[test]
    fn a_script_needs_the_name_a_list_or_another_program_to_read_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let table = [
            (r#"println!("cargo:rerun-if-changed=migrations");"#, false),
            (
                r#"print!("{}", std::fs::read_to_string(std::env::var("CARGO_MANIFEST_DIR").unwrap() + "/a.txt").unwrap_or_default());"#,
                false,
            ),
            (r#"std::fs::write(std::env::var("OUT_DIR").unwrap() + "/a.rs", "1").unwrap();"#, false),
            (r#"print!("{}", std::fs::read_to_string("../Cargo.lock").unwrap());"#, true),
            (r#"let name = std::env::args().nth(1).unwrap(); print!("{:?}", std::fs::read(format!("{name}.lock")));"#, true),
            (
                r#"std::fs::read_dir("..").unwrap().for_each(|entry| println!("{:?}", std::fs::read(entry.unwrap().path())));"#,
                true,
            ),
            (r#"std::process::Command::new("cargo").arg("metadata").status().unwrap();"#, true),
        ];
        for (number, (main, expected)) in table.iter().enumerate() {
            let program = compiled(folder.path(), &format!("script{number}"), main);
            assert_eq!(may_read_the_lock(&program), *expected, "{main}");
        }
    }

    #[test]
    fn a_program_that_tells_nothing_may_do_all() {
        let folder = tempfile::tempdir().unwrap();
        assert!(may_read_the_lock(&folder.path().join("missing")));
        let stripped = folder.path().join("stripped");
        fs::write(&stripped, b"\x7fELF\0.text\0").unwrap();
        assert!(may_read_the_lock(&stripped));
    }
}
