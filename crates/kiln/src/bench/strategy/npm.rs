//! Which steps install Node packages.

use crate::event::StepStatus;

/// What begins an installation of all that a lock names, by each package manager.
const INSTALLS: [&str; 6] = ["npm ci", "npm install", "pnpm install", "yarn install", "yarn workspaces focus", "bun install"];

/// Whether an instruction installs a project's packages. A program that is installed globally is none of them.
fn installs(instruction: &str) -> bool {
    let begins = |command: &str| {
        instruction.match_indices(command).any(|(at, _)| {
            let (before, rest) = (&instruction[..at], &instruction[at + command.len()..]);
            let end = rest.find([';', '&', '|']).unwrap_or(rest.len());
            let global = rest[..end].split_whitespace().any(|word| word == "-g" || word == "--global");
            // `pnpm install` has `npm install` in it.
            !before.ends_with(|c: char| c.is_ascii_alphanumeric()) && !global
        })
    };
    INSTALLS.into_iter().any(begins)
}

/// How often packages were installed in the steps that ran, and how long that took.
pub(super) fn count<'a>(steps: impl Iterator<Item = (&'a str, StepStatus, f64)>) -> (usize, Option<f64>) {
    let ran = steps.filter(|(instruction, status, _)| *status == StepStatus::Ran && installs(instruction));
    ran.fold((0, None), |(number, sum), (_, _, seconds)| (number + 1, Some(sum.unwrap_or(0.0) + seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installation_is_told_from_other_commands() {
        for (instruction, expected) in [
            ("RUN --mount=type=cache,id=npm,target=/root/.npm npm ci --prefer-offline", true),
            ("RUN pnpm fetch && pnpm install --offline", true),
            ("RUN yarn install --frozen-lockfile", true),
            ("RUN npm install -g pnpm@9", false),
            ("RUN npm install --global corepack && npm ci", true),
            ("RUN npm run build", false),
            ("RUN npm prune --omit=dev", false),
            ("COPY package.json package-lock.json ./", false),
        ] {
            assert_eq!(installs(instruction), expected, "{instruction}");
        }
    }

    #[test]
    fn only_steps_that_ran_count() {
        let steps = [
            ("RUN npm ci", StepStatus::Cached, 0.0),
            ("RUN npm ci", StepStatus::Ran, 2.0),
            ("RUN npm ci --omit=dev", StepStatus::Ran, 1.5),
            ("RUN npm run build", StepStatus::Ran, 9.0),
        ];
        assert_eq!(count(steps.into_iter()), (2, Some(3.5)));
        assert_eq!(count(steps[..1].iter().copied()), (0, None));
    }
}
