//! `docker-bake.hcl`: every image as a target, and a group for each variant.

use crate::plan::{ImageEngine, Plan, SecretFrom, Service, Variant};
use crate::text::Text;

pub(super) fn body(plan: &Plan) -> String {
    let mut text = Text::new("# docker buildx bake -f docker-bake.hcl [default|dev|fast|TARGET…]\n");
    if plan.engine == ImageEngine::Kiln {
        text += format_args!("\nvariable \"KILN_IMAGE\" {{\n  default = {}\n}}\n", quoted(&plan.tool_image));
    }
    for variant in Variant::ALL {
        let group = if variant == Variant::Prod { "default" } else { variant.name() };
        let targets: Vec<String> = plan.services.iter().map(|service| quoted(&target(service, variant))).collect();
        text += format_args!("\ngroup \"{group}\" {{\n  targets = [{}]\n}}\n", targets.join(", "));
    }
    for service in &plan.services {
        for variant in Variant::ALL {
            text += &target_block(plan, service, variant);
        }
    }
    text.finish()
}

/// `api`, `api-dev`, `api-fast`. Bake names may hold no dots.
pub(super) fn target(service: &Service, variant: Variant) -> String {
    let name = service.name.replace('.', "_");
    format!("{name}-{}", variant.name())
}

fn target_block(plan: &Plan, service: &Service, variant: Variant) -> String {
    let dockerfile = service.files.dockerfile(variant);
    // Bake takes the Dockerfile relative to the context.
    let dockerfile = dockerfile.strip_prefix(&service.context).unwrap_or(dockerfile);
    let mut text = Text::new(format!(
        "\ntarget \"{}\" {{\n  context    = {}\n  dockerfile = {}\n  tags       = [{}]\n",
        target(service, variant),
        quoted(service.context.as_str()),
        quoted(dockerfile.as_str()),
        quoted(&format!("{}/{}:{}", plan.project, service.name, variant.tag()))
    ));
    if plan.engine == ImageEngine::Kiln {
        text += "  args       = { KILN_IMAGE = KILN_IMAGE }\n";
    }
    if let Some(platform) = &service.platform {
        text += format_args!("  platforms  = [{}]\n", quoted(platform));
    }
    let secrets = secrets(service);
    if !secrets.is_empty() {
        text += format_args!("  secret     = [\n    {}\n  ]\n", secrets.join(",\n    "));
    }
    text += "}\n";
    text.finish()
}

fn secrets(service: &Service) -> Vec<String> {
    let sources = service.secret_sources().into_iter().map(|secret| match secret.from {
        SecretFrom::Environment(variable) => format!("id={},env={variable}", secret.id),
        SecretFrom::File(file) => format!("id={},src={file}", secret.id),
    });
    sources.map(|text| quoted(&text)).collect()
}

/// An HCL string.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace("${", "$${").replace("%{", "%%{"))
}
