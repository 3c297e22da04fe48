//! In a loader's steady state nothing is allocated for an image: not by reading, decoding,
//! augmenting, nor by handing batches about. What libjpeg allocates in C for the picture it is at is
//! not seen by this: only Rust's allocator counts.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread;

use augreg_data::identify;
use augreg_data::{BadExamples, Batch, DataError, Dataset, EvalLoader, Split, Supply, TrainLoader};
use augreg_spec::{Augmentation, DataSource, DatasetDefinition, Format, SplitName};

#[global_allocator]
static COUNTING: dhat::Alloc = dhat::Alloc;

/// Batches prepared ahead.
const PREFETCH: usize = 2;

/// More batches than there ever are otherwise.
const AT_ONCE: usize = PREFETCH + 3;

/// Batches before it is counted, in which memory grows to what it will be.
const WARM_UP: usize = 24;

/// Batches in which it is counted.
const COUNTED: usize = 12;

fn split(format: Format, folder: &str) -> Split {
    let data = std::env::var_os("AUGREG_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data"), PathBuf::from);
    let definition = DatasetDefinition {
        name: "under-test".to_owned(),
        source: DataSource::new(format, data.join(folder)),
        splits: [(SplitName::Train, "train".parse().unwrap())].into(),
        subset: None,
        declared: BTreeMap::new(),
    };
    let identity = identify(&definition).unwrap();
    Dataset::open(&definition.source, &identity).unwrap().split(SplitName::Train).unwrap()
}

/// Blocks and bytes allocated, by all threads, in the steady state of a loader.
fn allocated(mut loader: impl Iterator<Item = Result<Batch, DataError>>) -> (u64, u64) {
    // A buffer is made when none is at rest, which depends on who is faster. So that none is made later,
    // there are as many at once as ever may be: those prepared ahead, and one in use.
    let held: Vec<_> = (0..AT_ONCE).map(|_| loader.next().unwrap().unwrap()).collect();
    drop(held);
    for _ in 0..WARM_UP {
        loader.next().unwrap().unwrap();
    }
    counted(|| {
        for _ in 0..COUNTED {
            loader.next().unwrap().unwrap();
        }
    })
}

fn counted(run: impl FnOnce()) -> (u64, u64) {
    let _counting = dhat::Profiler::builder().testing().build();
    run();
    let counts = dhat::HeapStats::get();
    (counts.total_blocks, counts.total_bytes)
}

#[test]
fn nothing_is_allocated_for_an_image() {
    let (blocks, bytes) = counted(|| thread::spawn(|| drop(vec![1u8; 12_345])).join().unwrap());
    assert!(blocks > 0 && bytes >= 12_345, "other threads count as well");

    let strong = Augmentation::preset("strong2").unwrap();
    let (drawings, fashion) =
        (split(Format::ImageFolder, "art4apps"), split(Format::Idx, "fashion-mnist"));
    for threads in [1, 2] {
        let supply = Supply { threads, prefetch: PREFETCH, bad: BadExamples::new(0), lock: None };
        // The largest picture, or a thread that had slept until then, may come late. One block an
        // image would be at least 192.
        let few = |(blocks, bytes), what: &str| {
            assert!(blocks <= 96, "{what}, {threads} threads: {blocks} blocks, {bytes} bytes");
        };
        for batch in [16, 64] {
            let split = drawings.clone();
            let loader = TrainLoader::new(split, &strong, 224, batch, 0, 0..1000, &supply);
            few(allocated(loader), &format!("drawings, {batch} a batch"));
        }
        for batch in [64, 1024] {
            let split = fashion.clone();
            let loader = TrainLoader::new(split, &strong, 28, batch, 0, 0..1000, &supply);
            few(allocated(loader), &format!("Fashion-MNIST, {batch} a batch"));
        }
        few(allocated(EvalLoader::new(fashion.clone(), 28, 100, &supply)), "evaluation");
    }
}
