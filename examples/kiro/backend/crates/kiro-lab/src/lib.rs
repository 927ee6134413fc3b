//! Makes up boards that look like real ones, for load experiments. Not part of any binary.

use kiro_domain::{Invalid, TaskState, Title};

const VERBS: [&str; 6] = ["order", "review", "fix", "plan", "write", "test"];
const THINGS: [&str; 6] = ["coffee", "the budget", "login", "the trip", "docs", "backups"];

/// A stream of tasks; the same seed gives the same stream.
#[derive(Debug, Clone)]
pub struct Tasks {
    rng: fastrand::Rng,
    made: usize,
}

impl Tasks {
    pub fn with_seed(seed: u64) -> Self {
        Self { rng: fastrand::Rng::with_seed(seed), made: 0 }
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.rng.usize(..words.len())]
    }

    /// Most tasks are done, a few are being worked on: a board after some months.
    fn state(&mut self) -> TaskState {
        match self.rng.u8(..10) {
            0..7 => TaskState::Done,
            7 => TaskState::Doing,
            _ => TaskState::Todo,
        }
    }

    /// The next task, with the state it should end up in.
    pub fn make(&mut self) -> Result<(Title, TaskState), Invalid> {
        self.made += 1;
        let text = format!("{} {} #{}", self.pick(&VERBS), self.pick(&THINGS), self.made);
        Ok((Title::new(&text)?, self.state()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_board() {
        let (mut one, mut two) = (Tasks::with_seed(7), Tasks::with_seed(7));
        for _ in 0..100 {
            assert_eq!(one.make().unwrap(), two.make().unwrap());
        }
    }

    #[test]
    fn most_tasks_are_done() {
        let mut tasks = Tasks::with_seed(1);
        let done = (0..1_000).filter(|_| tasks.make().unwrap().1 == TaskState::Done).count();
        assert!((600..800).contains(&done), "{done} of 1000");
    }
}
