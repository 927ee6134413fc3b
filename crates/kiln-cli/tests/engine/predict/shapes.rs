//! Dockerfiles in the shapes that well-known projects and guides have, with commands that take no time in place of theirs.
//!
//! Each is built once, then after each edit of one of its files and of its arguments, which is taken back after the build.

use std::collections::BTreeMap;
use std::fs;

use kiln::predict::{Model, predict};

use super::bench::Build;
use super::edits::{Edit, Folders, What};
use super::score::Score;
use super::{bench, report};
use crate::support::this_run;

struct Shape {
    /// What has it.
    name: &'static str,
    /// `IMAGE` is an image with a shell.
    dockerfile: &'static str,
    /// Its files; each is edited.
    files: &'static [&'static str],
    /// Ignore file.
    ignore: &'static str,
    /// Arguments that are given another value.
    arguments: &'static [&'static str],
}

const SHAPES: &[Shape] = &[
    Shape {
        name: "a Node service: manifests, install, sources",
        dockerfile: "FROM IMAGE\nENV NODE_ENV=production\nWORKDIR /usr/src/app\nCOPY [\"package.json\", \"package-lock.json*\", \"npm-shrinkwrap.json*\", \"./\"]\nRUN --mount=type=cache,target=/root/.npm cp package.json /installed && mv /installed ../\nCOPY . .\nEXPOSE 3000\nUSER 1000\nCMD [\"node\", \"server.js\"]\n",
        files: &["package.json", "package-lock.json", "server.js", "README.md"],
        ignore: "**/node_modules\nREADME.md\nDockerfile\n.dockerignore\n",
        arguments: &[],
    },
    Shape {
        name: "a Node service by bind mounts",
        dockerfile: "# syntax-free\nARG NODE_VERSION=20\nFROM IMAGE AS base\nWORKDIR /usr/src/app\nFROM base AS deps\nRUN --mount=type=bind,source=package.json,target=package.json --mount=type=bind,source=package-lock.json,target=package-lock.json --mount=type=cache,target=/root/.npm mkdir node_modules && cp package.json node_modules/\nFROM deps AS build\nRUN --mount=type=bind,source=package.json,target=package.json --mount=type=cache,target=/root/.npm true\nCOPY . .\nRUN mkdir -p dist && cp src/index.ts dist/\nFROM base AS final\nENV NODE_ENV=production\nUSER 1000\nCOPY package.json .\nCOPY --from=deps /usr/src/app/node_modules ./node_modules\nCOPY --from=build /usr/src/app/dist ./dist\nCMD npm start\n",
        files: &["package.json", "package-lock.json", "src/index.ts"],
        ignore: "",
        arguments: &["NODE_VERSION"],
    },
    Shape {
        name: "a web framework: deps, builder and runner",
        dockerfile: "FROM IMAGE AS base\nFROM base AS deps\nWORKDIR /app\nCOPY package.json yarn.lock* package-lock.json* pnpm-lock.yaml* .npmrc* ./\nRUN if [ -f yarn.lock ]; then mkdir node_modules; else exit 1; fi\nFROM base AS builder\nWORKDIR /app\nCOPY --from=deps /app/node_modules ./node_modules\nCOPY . .\nENV NEXT_TELEMETRY_DISABLED=1\nRUN mkdir -p .next/standalone .next/static\nFROM base AS runner\nWORKDIR /app\nENV NODE_ENV=production\nRUN groupadd --system --gid 1001 nodejs\nCOPY --from=builder /app/public ./public\nCOPY --from=builder --chown=1001:1001 /app/.next/standalone ./\nCOPY --from=builder --chown=1001:1001 /app/.next/static ./.next/static\nUSER 1001\nENV PORT=3000\nENTRYPOINT [\"node\", \"server.js\"]\n",
        files: &["package.json", "yarn.lock", "pages/index.js", "public/logo.svg"],
        ignore: "Dockerfile\n.dockerignore\nnode_modules\n.git\n",
        arguments: &[],
    },
    Shape {
        name: "a Go program on an empty image",
        dockerfile: "ARG GO_VERSION=1.22\nFROM --platform=$BUILDPLATFORM IMAGE AS build\nWORKDIR /src\nRUN --mount=type=cache,target=/go/pkg/mod/,sharing=locked --mount=type=bind,source=go.sum,target=go.sum --mount=type=bind,source=go.mod,target=go.mod true\nARG TARGETOS TARGETARCH\nARG VERSION=dev\nRUN --mount=type=cache,target=/go/pkg/mod/ --mount=type=bind,target=. mkdir /out && cat main.go > /out/server && echo \"$TARGETARCH $VERSION\" >> /out/server\nFROM scratch AS binary\nCOPY --link --from=build /out/server /bin-{id}/\nFROM IMAGE AS final\nCOPY --from=build /out/server /bin/\nUSER 10001\nEXPOSE 8080\nENTRYPOINT [\"/bin/server\"]\n",
        files: &["go.mod", "go.sum", "main.go", "docs/use.md"],
        ignore: "docs\n",
        arguments: &["VERSION", "GO_VERSION"],
    },
    Shape {
        name: "a Rust workspace with a planner",
        dockerfile: "FROM IMAGE AS chef\nWORKDIR /app\nFROM chef AS planner\nCOPY . .\nRUN sort Cargo.lock > recipe.json\nFROM chef AS builder\nCOPY --from=planner /app/recipe.json recipe.json\nRUN cp recipe.json cooked\nCOPY . .\nRUN mkdir -p target/release && cp src/main.rs target/release/app\nFROM IMAGE AS runtime\nWORKDIR /app\nCOPY --from=builder /app/target/release/app /usr/local/bin\nENTRYPOINT [\"/usr/local/bin/app\"]\n",
        files: &["Cargo.toml", "Cargo.lock", "src/main.rs"],
        ignore: "target\n",
        arguments: &[],
    },
    Shape {
        name: "a Python service with a virtual environment",
        dockerfile: "FROM IMAGE AS build\nENV PYTHONDONTWRITEBYTECODE=1 \\\n    PYTHONUNBUFFERED=1\nWORKDIR /app\nRUN --mount=type=cache,target=/root/.cache/uv --mount=type=bind,source=uv.lock,target=uv.lock --mount=type=bind,source=pyproject.toml,target=pyproject.toml mkdir .venv\nADD . /app\nRUN --mount=type=cache,target=/root/.cache/uv touch .venv/done\nFROM IMAGE\nARG UID=10001\nRUN useradd --no-create-home --uid \"${UID}\" appuser\nCOPY --from=build --chown=appuser /app/.venv /app/.venv\nCOPY --chown=${UID} app /app/app\nUSER appuser\nENV PATH=\"/app/.venv/bin:$PATH\"\nCMD [\"python\", \"-m\", \"app\"]\n",
        files: &["uv.lock", "pyproject.toml", "app/main.py", "tests/test_main.py"],
        ignore: ".venv\n",
        arguments: &["UID"],
    },
    Shape {
        name: "a Ruby application with assets",
        dockerfile: "ARG RUBY_VERSION=3.3\nFROM IMAGE AS base\nARG RUBY_VERSION\nWORKDIR /rails\nENV RAILS_ENV=\"production\" \\\n    BUNDLE_PATH=\"/usr/local/bundle\" \\\n    RUBY=\"${RUBY_VERSION}\"\nFROM base AS build\nRUN <<APT\nset -e\nmkdir -p /usr/local/bundle/ruby\nAPT\nCOPY Gemfile Gemfile.lock ./\nRUN cp Gemfile.lock \"${BUNDLE_PATH}\"/lock && \\\n    # what is not needed goes\n    rm -rf ~/.bundle/\nCOPY . .\nRUN SECRET_KEY_BASE_DUMMY=1 cp app/a.css /rails/compiled.css\nFROM base\nCOPY --from=build \"${BUNDLE_PATH}\" \"${BUNDLE_PATH}\"\nCOPY --from=build /rails /rails\nRUN groupadd --system --gid 1000 rails\nUSER 1000:1000\nCMD [\"./bin/server\"]\n",
        files: &["Gemfile", "Gemfile.lock", "app/a.css", "config/routes.rb"],
        ignore: "log/*\ntmp/*\n",
        arguments: &["RUBY_VERSION"],
    },
    Shape {
        name: "a Java service by layers of its archive",
        dockerfile: "FROM IMAGE AS deps\nWORKDIR /build\nCOPY --chmod=0755 mvnw mvnw\nCOPY .mvn/ .mvn/\nRUN --mount=type=bind,source=pom.xml,target=pom.xml --mount=type=cache,target=/root/.m2 true\nFROM deps AS package\nCOPY ./src src/\nRUN --mount=type=bind,source=pom.xml,target=pom.xml --mount=type=cache,target=/root/.m2 mkdir target && cp src/Main.java target/app.jar\nFROM package AS extract\nRUN mkdir -p target/extracted/dependencies target/extracted/application && cp target/app.jar target/extracted/application/\nFROM IMAGE AS final\nCOPY --from=extract build/target/extracted/dependencies/ ./\nCOPY --from=extract build/target/extracted/application/ ./\nEXPOSE 8080\nENTRYPOINT [ \"java\" ]\n",
        files: &["mvnw", ".mvn/wrapper.properties", "pom.xml", "src/Main.java"],
        ignore: "target\n",
        arguments: &[],
    },
    Shape {
        name: "a database image with scripts",
        dockerfile: "FROM IMAGE\nSHELL [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"]\nRUN set -eux; \\\n\tgroupadd -r database --gid=9990; \\\n\tmkdir -p /var/lib/database\nENV GOSU_VERSION=1.17\nRUN set -eux; echo \"$GOSU_VERSION\" > /gosu\nENV MAJOR 16\nENV PATH $PATH:/usr/lib/database/$MAJOR/bin\nRUN mkdir /docker-entrypoint-initdb.d\nENV DATA /var/lib/database/data\nRUN install --directory --mode 1777 \"$DATA\"\nVOLUME /var/lib/database/data\nCOPY docker-entrypoint.sh docker-ensure-initdb.sh /usr/local/bin/\nRUN ln -sT docker-ensure-initdb.sh /usr/local/bin/docker-enforce-initdb.sh\nENTRYPOINT [\"docker-entrypoint.sh\"]\nSTOPSIGNAL SIGINT\nEXPOSE 5432\nCMD [\"database\"]\n",
        files: &["docker-entrypoint.sh", "docker-ensure-initdb.sh", "README.md"],
        ignore: "",
        arguments: &["GOSU_VERSION"],
    },
    Shape {
        name: "static pages with their configuration",
        dockerfile: "FROM IMAGE AS build\nWORKDIR /site\nARG BASE_URL=/\nCOPY . .\nRUN mkdir public && echo \"$BASE_URL\" > public/index.html\nFROM IMAGE\nCOPY <<CONF /etc/site.conf\nserver {\n  root /usr/share/html;\n}\nCONF\nCOPY --from=build /site/public /usr/share/html\n",
        files: &["content/post.md", "config.toml"],
        ignore: "",
        arguments: &["BASE_URL"],
    },
    Shape {
        name: "a monorepo of two programs",
        dockerfile: "FROM IMAGE AS frontend\nWORKDIR /f\nCOPY frontend/package.json ./\nRUN mkdir node_modules\nCOPY frontend ./\nRUN mkdir dist && cp index.js dist/\nFROM IMAGE AS backend\nWORKDIR /b\nCOPY backend ./\nRUN cp main.c program\nFROM backend AS test\nRUN test -f program\nFROM IMAGE\nCOPY --from=backend /b/program /program\nCOPY --from=frontend /f/dist /www\n",
        files: &["frontend/package.json", "frontend/index.js", "backend/main.c", "ci/job.yml"],
        ignore: "ci\n",
        arguments: &[],
    },
    Shape {
        name: "a builder for other Dockerfiles",
        dockerfile: "FROM IMAGE AS onbuild\nWORKDIR /app\nONBUILD COPY package.json /app/\nONBUILD RUN cp package.json installed\nONBUILD COPY . /app\nFROM onbuild\nRUN ls\nCMD [\"start\"]\n",
        files: &["package.json", "main.js"],
        ignore: "Dockerfile\n.dockerignore\n",
        arguments: &[],
    },
];

#[test]
#[ignore = "needs a Docker Engine"]
fn shapes_of_real_projects_are_foreseen() {
    let (_guard, bench) = bench();
    let mut score = Score::default();
    for (number, shape) in SHAPES.iter().enumerate() {
        let id = format!("{}shape{number}", this_run());
        let folders = bench.folders(&id);
        folders.fill();
        // The files of a shape are all that there is.
        fs::remove_dir_all(&folders.context).expect("removed");
        for path in shape.files {
            let file = folders.context.join(path);
            fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            fs::write(file, format!("{path} {id}")).expect("a file");
        }
        fs::write(folders.context.join(".dockerignore"), shape.ignore).expect("an ignore file");
        // The first instruction sets it apart from what other runs have built.
        let image = bench.around.image.as_str();
        let stage = format!("FROM {image} AS own\nWORKDIR /own-{id}\n");
        let dockerfile = shape.dockerfile.replace("IMAGE", "own").replace("{id}", &id);
        let (before, rest) = dockerfile.split_at(dockerfile.find("FROM ").expect("a stage"));
        let dockerfile = format!("{before}{stage}{rest}");
        let none = BTreeMap::new();
        let mut first =
            bench.model(&build(&folders, &dockerfile, &none)).unwrap_or_else(|| panic!("{} is no Dockerfile", shape.name));
        let seen = bench.build(&build(&folders, &dockerfile, &none)).unwrap_or_else(|error| panic!("{}: {error}", shape.name));
        first.settle(&seen, true);
        let known: Vec<Model> = vec![first];
        let mut pair = |args: &BTreeMap<String, String>, told: String, what: What| {
            let build = build(&folders, &dockerfile, args);
            let model = bench.model(&build).unwrap_or_else(|| panic!("{} is no Dockerfile", shape.name));
            let prediction = predict(&model, &known);
            let seen = bench.build(&build).unwrap_or_else(|error| panic!("{}: {error}", shape.name));
            score.compare(&build, &model, &prediction, &seen, &[Edit { kind: "one of a shape", what, told }]);
        };
        pair(&none, format!("{}: nothing", shape.name), What::Nothing);
        for path in shape.files {
            let file = folders.context.join(path);
            let text = fs::read_to_string(&file).expect("a file");
            fs::write(&file, format!("{text}, edited")).expect("edited");
            pair(&none, format!("{}: {path}", shape.name), What::Files(vec![(*path).to_owned()]));
            fs::write(&file, text).expect("as before");
        }
        for name in shape.arguments {
            let args = BTreeMap::from([((*name).to_owned(), "1002".to_owned())]);
            pair(&args, format!("{}: {name}", shape.name), What::Argument((*name).to_owned()));
        }
    }
    report(&score);
}

fn build<'a>(folders: &'a Folders, dockerfile: &str, build_args: &'a BTreeMap<String, String>) -> Build<'a> {
    Build { folders, dockerfile: dockerfile.to_owned(), build_args, target: None, platform: false }
}
