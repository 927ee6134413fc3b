//! Work on many things, on all processors.

use std::convert::Infallible;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// More threads than this only wait for one disk.
const MAX_THREADS: usize = 16;

/// How many threads are worth starting at most.
pub(crate) fn threads() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).min(MAX_THREADS)
}

/// Does the work for each item and gives the results in the items' order. There is one thread for every `grain` items, as far as there
/// are processors: fewer are not worth the start of a thread.
pub fn map<T: Sync, R: Send>(items: &[T], grain: usize, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let Ok(results) = try_map(items, grain, |item| Ok::<R, Infallible>(work(item)));
    results
}

/// The same for work that can fail. Nothing is begun any more once something failed.
///
/// # Errors
/// The first in the items' order, however the threads took turns.
pub fn try_map<T: Sync, R: Send, E: Send>(
    items: &[T],
    grain: usize,
    work: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let threads = threads().min(items.len().div_ceil(grain.max(1)));
    if threads <= 1 {
        return items.iter().map(work).collect();
    }
    // Items are handed out in order, so that none before one that failed is left out.
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let worker = || {
        let mut results = Vec::with_capacity(items.len() / threads);
        while !failed.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { break };
            let result = work(item);
            if result.is_err() {
                failed.store(true, Ordering::Relaxed);
            }
            results.push((index, result));
        }
        results
    };
    let mut results = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(worker)).collect();
        let mut results = worker();
        for other in others {
            results.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        results
    });
    results.sort_unstable_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order_whatever_takes_long() {
        let items: Vec<usize> = (0..200).collect();
        let slow = |item: &usize| {
            if item.is_multiple_of(7) {
                thread::sleep(std::time::Duration::from_micros(200));
            }
            item * 2
        };
        for grain in [1, 16, 1000] {
            assert_eq!(map(&items, grain, slow), items.iter().map(|item| item * 2).collect::<Vec<_>>(), "{grain}");
        }
        assert!(map(&[], 1, slow).is_empty());
    }

    #[test]
    fn the_first_failure_counts_and_the_rest_is_not_begun() {
        let items: Vec<usize> = (0..10_000).collect();
        let begun = AtomicUsize::new(0);
        let result = try_map(&items, 1, |item| {
            begun.fetch_add(1, Ordering::Relaxed);
            // What comes first fails last.
            if *item == 20 {
                thread::sleep(std::time::Duration::from_millis(5));
            }
            if *item == 20 || *item == 21 { Err(*item) } else { Ok(()) }
        });
        assert_eq!(result, Err(20));
        assert!(begun.load(Ordering::Relaxed) < 10_000);
    }
}
