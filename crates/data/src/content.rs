//! The hash of what a source split holds: pictures and labels, not files, names or containers.
//!
//! So a folder of pictures, the same pictures as tar shards and as a table have one hash, and
//! renaming or re-sharding them does not change it; one other byte of one picture does.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// BLAKE3 of the bytes of one example.
pub(crate) type Digest = [u8; 32];

/// The digest of one example's bytes.
pub(crate) fn digest(bytes: &[u8]) -> Digest {
    *blake3::hash(bytes).as_bytes()
}

/// No class, so nothing else begins with it.
const SET: u32 = u32::MAX;

/// Hashes a source split: for every example in order its class, 4 bytes, and its digest. In the place
/// of the class of an example that has not exactly one stand [`SET`], how many it has, and these.
#[derive(Debug, Default)]
pub(crate) struct Hasher(blake3::Hasher);

impl Hasher {
    pub(crate) fn add(&mut self, classes: &[u32], digest: &Digest) {
        if classes.len() != 1 {
            self.0.update(&SET.to_le_bytes()).update(&(classes.len() as u32).to_le_bytes());
        }
        for class in classes {
            self.0.update(&class.to_le_bytes());
        }
        self.0.update(digest);
    }

    /// The hash in hex.
    pub(crate) fn finish(&self) -> String {
        self.0.finalize().to_hex().to_string()
    }
}

/// Does `work` for each of `0..count` on all cores and hands the results to `take` in order.
/// Results wait for their turn in small waves, so memory does not grow with `count`.
///
/// # Errors
///
/// The first, by number, of either.
pub(crate) fn in_order<T: Send, E: Send>(
    count: usize,
    work: impl Fn(usize) -> Result<T, E> + Sync,
    mut take: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    let threads = thread::available_parallelism().map_or(1, Into::into);
    let wave = 8 * threads;
    for first in (0..count).step_by(wave) {
        let len = wave.min(count - first);
        let next = AtomicUsize::new(0);
        let slots: Vec<_> = (0..len).map(|_| Mutex::new(None)).collect();
        let run = || {
            loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                let Some(slot) = slots.get(i) else { break };
                let result = work(first + i);
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
            }
        };
        thread::scope(|scope| {
            (1..threads.min(len)).for_each(|_| drop(scope.spawn(run)));
            run();
        });
        for slot in slots {
            let result = slot.into_inner().unwrap_or_else(PoisonError::into_inner);
            result.map_or(Ok(()), |result| take(result?))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_count_and_where_one_set_ends_and_the_next_begins() {
        let hash = |examples: &[&[u32]]| {
            let mut hasher = Hasher::default();
            for classes in examples {
                hasher.add(classes, &[7; 32]);
            }
            hasher.finish()
        };
        let all: [&[&[u32]]; 6] = [
            &[&[1, 2], &[3]],
            &[&[1], &[2, 3]],
            &[&[1, 2, 3], &[]],
            &[&[], &[1, 2, 3]],
            &[&[1]],
            &[&[]],
        ];
        let hashes: std::collections::BTreeSet<_> =
            all.iter().map(|examples| hash(examples)).collect();
        assert_eq!(hashes.len(), all.len());
    }

    #[test]
    fn results_come_in_order_and_the_first_error_ends_it() {
        for count in [0, 1, 7, 1000] {
            let mut met = Vec::new();
            let take = |i| {
                met.push(i);
                Ok::<_, usize>(())
            };
            assert_eq!(in_order(count, Ok, take), Ok(()));
            assert_eq!(met, (0..count).collect::<Vec<_>>());
        }
        let work = |i| if i % 300 == 299 { Err(i) } else { Ok(i) };
        assert_eq!(in_order(1000, work, |_| Ok(())), Err(299));
    }
}
