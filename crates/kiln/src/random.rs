//! Numbers for tests that try many cases: the same seed gives the same cases on every machine.

/// A generator (xorshift).
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 16) % u64::try_from(limit).expect("a small number")).expect("a small number")
    }

    /// One of some choices.
    pub(crate) fn of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// Whether something happens that happens once in so many cases.
    pub(crate) fn once_in(&mut self, cases: usize) -> bool {
        self.below(cases) == 0
    }
}

/// So many cases, each with its seed and a generator of its own. `KILN_TEST_CASES` multiplies their number for long runs, and
/// `KILN_TEST_SEED` says where to begin: with a factor of 0 only the case of that seed is tried.
pub(crate) fn cases(usual: u64) -> impl Iterator<Item = (u64, Random)> {
    let (factor, first) = (variable("KILN_TEST_CASES", 1), variable("KILN_TEST_SEED", 1));
    (first..first + (usual * factor).max(1)).map(|seed| {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        // Neighbouring seeds begin alike.
        for _ in 0..4 {
            random.below(2);
        }
        (seed, random)
    })
}

#[expect(clippy::disallowed_methods, reason = "long runs are asked for by the environment")]
fn variable(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(usual)
}
