//! The first `kiln.toml`: what was found, commented out, so that a person sees what may be set.

use crate::plan::{ImageEngine, Plan, Service, ServiceKind};
use crate::settings::{service_head, string};

const INTRODUCTION: &str = "\
# Settings of kiln. This file is yours: kiln wrote it once and never changes it.
# What is commented out is what kiln decided by itself; `kiln plan --explain` shows every value and where it came from.
# After a change: `kiln init`.
";

const DEFAULTS: &str = "
# Caches for other machines. `from` is read by every build, `to` is written by `kiln build --export-cache`.
# [cache]
# from = [\"registry.example/cache:{service}-{variant}-{branch}\", \"registry.example/cache:{service}-{variant}-main\"]
# to = \"registry.example/cache:{service}-{variant}-{branch}\"

# What `kiln bench` demands of source edits; it ends with exit code 4 where they are slower. For CI.
# [bench]
# fail-under = 80      # percent less time than without any caching of dependencies
# max-seconds = 30

# For every service. Lists and tables of a service are added to these, single values replace them.
# [defaults]
# ca-certificates = [\"certs/company.pem\"]      # mounted into steps that use the network, in no image
# secrets = [{ id = \"npm\", env = \"NPM_TOKEN\", as-env = \"NPM_TOKEN\" }]
# platform = \"linux/arm64\"
# toolchain = \"1.95\"
# seed = [\"registry.example/shop/deps:{service}-{variant}-{branch}\", \"registry.example/shop/deps:{service}-{variant}-main\"]
# environment = { RUST_LOG = \"info\" }
";

pub(super) fn body(plan: &Plan) -> String {
    let project = match plan.engine {
        ImageEngine::Kiln => {
            format!("# [project]\n# name = \"{}\"\n# engine = \"kiln\"\n# tool-image = \"{}\"\n", plan.project, plan.tool_image)
        }
        // Chosen on the command line: said here, so that it stays chosen.
        ImageEngine::Chef => format!("[project]\nengine = \"chef\"\n# name = \"{}\"\n", plan.project),
    };
    let mut text = format!("{INTRODUCTION}\n{project}{DEFAULTS}");
    for service in &plan.services {
        text += &section(service);
    }
    text
}

fn section(service: &Service) -> String {
    let mut lines = vec![service_head(&service.name), format!("path = {}", string(service.path.as_str()))];
    match &service.kind {
        ServiceKind::Rust(rust) => {
            lines.push(match rust.binaries.as_slice() {
                [binary] => format!("binary = {}", string(binary)),
                several => format!("binaries = [\"{}\"]", several.join("\", \"")),
            });
            lines.push("features = []".to_owned());
        }
        ServiceKind::Node(node) => {
            lines.push(format!("node-version = \"{}\"", node.node_version));
            lines.extend(node.build_script.iter().map(|script| format!("build-script = {}", string(script))));
        }
    }
    lines.push(match service.port {
        Some(port) => format!("port = {port}"),
        None => "port = 8080                              # kiln does not guess: without it no port is exposed".to_owned(),
    });
    lines.push(format!("user = \"{}\"", service.user));
    lines.push("health = [\"/usr/local/bin/check\"]        # a command in the image".to_owned());
    lines.push("environment = { KEY = \"value\" }".to_owned());
    lines.push("build-args = { GIT_SHA = \"\" }            # ARGs of the builder, behind the dependencies".to_owned());
    lines.push("apt = []                                 # more packages to build with".to_owned());
    lines.push("runtime-apt = []                         # more packages to run with".to_owned());
    lines.push("assets = [\"config:/app/config\"]          # files of the repository in the image".to_owned());
    lines.push("volumes = [\"/data\"]                    # folders that the service writes to".to_owned());
    lines.push("include = [\"docs/api.md\"]                # files that the ignore file must let through".to_owned());
    format!("\n# {}\n", lines.join("\n# "))
}
