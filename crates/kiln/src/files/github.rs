//! A workflow for GitHub Actions: all images in one bake, with a cache in a registry; measurements on demand.
//!
//! Values of GitHub reach commands through `env` only, never as text within them: a branch may be called anything.

use std::collections::BTreeSet;

use super::bake;
use crate::plan::{DEFAULT_TOOL_IMAGE, ImageEngine, Plan, SecretFrom, Variant};
use crate::text::Text;

/// Where the workflow is.
pub(super) const PATH: &str = ".github/workflows/images.yml";

/// An action by the commit of a release: a tag could be moved to other code.
const CHECKOUT: &str = "actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2";
const BUILDX: &str = "docker/setup-buildx-action@8d2750c68a42422c14e847fe6c8ac0403b4cbd6f # v3.12.0";
const LOGIN: &str = "docker/login-action@c94ce9fb468520275223c153574b00df6fe4bcc9 # v3.7.0";

const INTRODUCTION: &str = "\
# Builds every production image, with what earlier runs left in the registry: those of the branch first, then those of the main branch.
# A runner starts empty, and all it gets are layers. Dependencies are in layers, so none is compiled or installed again as long as its
# recipe stays. Cache mounts stay on the machine that filled them and reach no other, so each run compiles what is your own.
";

const TRIGGERS: &str = "
on:
  push:
    branches: [main, master]
  pull_request:
  workflow_dispatch:
    inputs:
      bench:
        description: Measure what usual changes cost
        type: boolean
        default: false

# A newer push ends the run of an older one, but not on the main branch: the others read the cache that it writes.
concurrency:
  group: ${{ github.workflow }}-${{ github.ref }}
  cancel-in-progress: ${{ github.ref_name != github.event.repository.default_branch }}

permissions: {}

jobs:
";

const NAMES: &str = r#"      - name: Names in the registry
        run: |
          repository=${GITHUB_REPOSITORY,,}
          branch=${GITHUB_REF_NAME//[^A-Za-z0-9_.-]/-}
          {
            echo "CACHE=$REGISTRY/$repository/cache"
            echo "BRANCH=${branch:0:60}"
"#;

const BAKE: &str = r#"          for target in $TARGETS; do
            from="type=registry,ref=$CACHE:$target"
            set -- "$@" --set "$target.cache-from=$from-$BRANCH" --set "$target.cache-from=$from-$MAIN"
            # A fork may read the cache, and not write it.
            if [ "$EXPORT" = true ]; then
              set -- "$@" --set "$target.cache-to=$from-$BRANCH,mode=max,compression=zstd,oci-mediatypes=true,image-manifest=true,ignore-error=true"
            fi
          done
          docker buildx bake --file docker-bake.hcl --progress plain --set "*.output=type=cacheonly" "$@" default
"#;

/// The body.
pub(super) fn body(plan: &Plan) -> String {
    let with_kiln = plan.engine == ImageEngine::Kiln;
    let mut text = Text::new(format!("{INTRODUCTION}\nname: images\n{TRIGGERS}"));
    text += &build(plan, with_kiln);
    if with_kiln {
        text += &bench(plan);
    }
    text.finish()
}

fn build(plan: &Plan, with_kiln: bool) -> String {
    let mut text = Text::new("  build:\n    runs-on: ubuntu-latest\n    timeout-minutes: 60\n");
    text += "    permissions:\n      contents: read\n      packages: write # the cache\n    env:\n      REGISTRY: ghcr.io\n    steps:\n";
    text += &checkout();
    text += format_args!("      # Docker's own builder cannot write a cache to a registry.\n      - uses: {BUILDX}\n");
    text += &login();
    text += NAMES;
    if with_kiln {
        text += format_args!("            echo \"KILN_IMAGE={}\"\n", image(plan));
    }
    text += "          } >>\"$GITHUB_ENV\"\n";
    let targets: Vec<String> = plan.services.iter().map(|service| bake::target(service, Variant::Prod)).collect();
    text += "      - name: Build all images\n        env:\n";
    text += format_args!("          TARGETS: {}\n", targets.join(" "));
    text += "          MAIN: ${{ github.event.repository.default_branch }}\n";
    text += "          EXPORT: ${{ github.event_name != 'pull_request' || github.event.pull_request.head.repo.full_name == github.repository }}\n";
    for name in secrets(plan) {
        text += format_args!("          {name}: ${{{{ secrets.{name} }}}}\n");
    }
    text += "        run: |\n";
    text += BAKE;
    text.finish()
}

fn bench(plan: &Plan) -> String {
    let mut text = Text::new(
        "\n  # On a runner of its own, from nothing: the first build is the cold one, and the edits after it have its caches.\n  bench:\n",
    );
    text += "    if: github.event_name == 'workflow_dispatch' && inputs.bench\n    runs-on: ubuntu-latest\n    timeout-minutes: 180\n";
    text += "    permissions:\n      contents: read\n      packages: read # kiln itself\n    env:\n      REGISTRY: ghcr.io\n    steps:\n";
    text += &checkout();
    text += &login();
    text += "      - name: Get kiln\n        run: |\n";
    text += format_args!("          container=$(docker create \"{}\" /kiln)\n", image(plan));
    text += "          mkdir -p \"$RUNNER_TEMP/bin\"\n          docker cp \"$container:/kiln\" \"$RUNNER_TEMP/bin/kiln\"\n";
    text += "          docker rm \"$container\"\n          echo \"$RUNNER_TEMP/bin\" >>\"$GITHUB_PATH\"\n";
    text += "      - name: Measure\n";
    let secrets = secrets(plan);
    if !secrets.is_empty() {
        text += "        env:\n";
    }
    for name in secrets {
        text += format_args!("          {name}: ${{{{ secrets.{name} }}}}\n");
    }
    text += "        run: kiln bench --quick --markdown \"$GITHUB_STEP_SUMMARY\"\n";
    text.finish()
}

fn checkout() -> String {
    format!("      - uses: {CHECKOUT}\n        with:\n          persist-credentials: false\n")
}

fn login() -> String {
    let mut text = Text::new(format!("      - uses: {LOGIN}\n        with:\n          registry: ${{{{ env.REGISTRY }}}}\n"));
    text += "          username: ${{ github.actor }}\n          password: ${{ secrets.GITHUB_TOKEN }}\n";
    text.finish()
}

/// The image that holds kiln: that of the settings, or one of the repository's owner, as `docs/ci.md` tells how to publish.
fn image(plan: &Plan) -> String {
    if plan.tool_image == DEFAULT_TOOL_IMAGE {
        format!("$REGISTRY/${{GITHUB_REPOSITORY_OWNER,,}}/kiln:{}", super::VERSION)
    } else {
        plan.tool_image.clone()
    }
}

/// Names of the variables that builds take secrets from.
fn secrets(plan: &Plan) -> BTreeSet<String> {
    let sources = plan.services.iter().flat_map(|service| service.secret_sources());
    let names = sources.filter_map(|secret| match secret.from {
        SecretFrom::Environment(name) => Some(name),
        SecretFrom::File(_) => None,
    });
    names.collect()
}
