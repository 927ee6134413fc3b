//! A small generator of numbers: the same seed gives the same Dockerfiles and edits.

pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: usize) -> Self {
        let mut random = Self(u64::try_from(seed).unwrap_or_default());
        // Neighbouring seeds begin alike.
        for _ in 0..8 {
            random.below(2);
        }
        random
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let number = usize::try_from(self.0 >> 33).unwrap_or_default();
        number % limit.max(1)
    }

    pub(super) fn one_in(&mut self, number: usize) -> bool {
        self.below(number) == 0
    }

    pub(super) fn of<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }
}
