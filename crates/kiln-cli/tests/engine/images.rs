//! The images: they run, answer, and hold nothing they should not.

use crate::support::{Container, command, docker, kiro};

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn production_images_run_and_answer() {
    let kiro = kiro();
    let backend = Container::run(&[&kiro.image("backend", "latest")]);
    assert!(backend.get("/health").contains("\"status\""));
    assert!(backend.get("/api/tasks").starts_with('['));
    let frontend = Container::run(&[&kiro.image("frontend", "latest")]);
    assert!(frontend.get("/").contains("<title>"));
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn production_images_hold_no_toolchain_and_no_source_and_do_not_run_as_root() {
    let kiro = kiro();
    for service in ["backend", "frontend"] {
        let image = kiro.image(service, "latest");
        let files = docker(&[
            "run",
            "--rm",
            "--user",
            "0",
            "--entrypoint",
            "/bin/sh",
            &image,
            "-c",
            "find / -xdev \\( -name cargo -o -name rustc -o -name '*.rs' -o -name kiln -o -name node_modules -o -name Cargo.toml \\) -not -path '/proc/*'",
        ]);
        assert_eq!(files, "", "{image} holds build material");
        let user = docker(&["image", "inspect", "--format", "{{.Config.User}}", &image]);
        assert!(!user.is_empty() && !user.starts_with('0') && user != "root", "{image} runs as `{user}`");
    }
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn development_and_fast_images_run_and_answer() {
    let kiro = kiro();
    for variant in ["dev", "fast"] {
        kiro.build(&["--variant", variant]);
        let backend = Container::run(&[&kiro.image("backend", variant)]);
        assert!(backend.get("/health").contains("\"status\""), "{variant}");
        let frontend = Container::run(&[&kiro.image("frontend", variant)]);
        assert!(frontend.get("/").contains("<title>"), "{variant}");
    }
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn generated_dockerfiles_pass_docker_build_check() {
    let kiro = kiro();
    // Leaves the tool image behind, which is all that plain `docker build` needs.
    kiro.build(&[]);
    for service in ["backend", "frontend"] {
        for file in ["Dockerfile", "Dockerfile.dev", "Dockerfile.fast"] {
            let output = command("docker")
                .args(["buildx", "build", "--check", "-f", file, "."])
                .current_dir(kiro.root.join(service))
                .output()
                .expect("docker starts");
            let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert!(output.status.success() && text.contains("no warnings found"), "{service}/{file}:\n{text}");
        }
    }
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn plain_docker_build_takes_the_generated_files_as_they_are() {
    let kiro = kiro();
    kiro.build(&[]);
    for service in ["backend", "frontend"] {
        let output = command("docker")
            .args(["build", "--quiet", "."])
            .current_dir(kiro.root.join(service))
            .output()
            .expect("docker starts");
        assert!(output.status.success(), "{service}:\n{}", String::from_utf8_lossy(&output.stderr));
    }
}
