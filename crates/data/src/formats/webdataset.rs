//! Tar shards as the `WebDataset` library reads them: neighbouring members with one key, the name up
//! to its first dot, are one example. Its picture is the member `.jpg`, `.jpeg`, `.png` or `.webp`,
//! its class the number in `.cls`, else under `label` in `.json`, where there may also be a list of
//! numbers, its classes; other members do not count. With a label map either is any number.
//!
//! Shards must be plain: in a compressed one no example can be found without unpacking it all. A
//! shard without the empty blocks that end every tar has been cut off, and is refused as one whose
//! last member is cut: how many examples are missing, nobody could tell.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use augreg_spec::{DataSource, LabelMap};
use tar::Archive;

use super::classes;
use super::shards;
use crate::DataError;
use crate::cache;
use crate::content::{Digest, Hasher, digest, in_order};
use crate::index::{Index, Kind, Layout, Places, Spans, Summary};
use crate::labels::Labels;
use crate::place::Place;

/// Tar's unit.
const BLOCK: u64 = 512;

/// The longest `.cls` or `.json` that is read for a label.
const LONGEST_LABEL: u64 = 1 << 20;

/// What a shard holds.
#[derive(Default)]
struct Shard {
    starts: Vec<u64>,
    lengths: Vec<u32>,
    labels: Labels,
    digests: Vec<Digest>,
}

/// An example, as far as its members have been met.
struct Sample {
    key: String,
    start: u64,
    picture: Option<(u64, u32, Digest)>,
    classes: Option<Vec<u32>>,
    /// Those of a `.json`, which count where there are no others.
    json: Option<Vec<u32>>,
}

/// What a member is to its example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Picture,
    Label,
    Json,
    Other,
}

/// The key and the extension of a member; None for what belongs to no example.
fn key_of(name: &str) -> Option<(&str, &str)> {
    let file = name.rfind('/').map_or(0, |slash| slash + 1);
    let dot = file + name[file..].find('.')?;
    let hidden = dot == file || name[file..].starts_with("__");
    (!hidden).then(|| (&name[..dot], &name[dot + 1..]))
}

/// Opens the source split `split`, made of these shards.
pub(crate) fn open(
    source: &DataSource,
    split: &str,
    files: &[PathBuf],
) -> Result<Index, DataError> {
    let entry = shards::fingerprint(source, split, files)?;
    let _alone = cache::alone();
    let mut index = if let Some(known) = cache::load(&entry) {
        known
    } else {
        let scanned = scan(source, files)?;
        cache::store(&entry, &scanned);
        scanned
    };
    if let Places::Spans(spans) = &mut index.places {
        spans.files = files.to_vec();
    }
    Ok(index)
}

/// Reads all shards once.
fn scan(source: &DataSource, files: &[PathBuf]) -> Result<Index, DataError> {
    let (mut starts, mut lengths, mut labels) = (Vec::new(), Vec::new(), Labels::default());
    let mut firsts = Vec::new();
    let mut hasher = Hasher::default();
    in_order(
        files.len(),
        |shard| Reader { source, path: &files[shard], size: 0 }.read(),
        |shard| {
            firsts.push(labels.len() as u64);
            for (i, digest) in shard.digests.iter().enumerate() {
                hasher.add(shard.labels.get(i), digest);
            }
            starts.extend(shard.starts);
            lengths.extend(shard.lengths);
            labels.append(&shard.labels);
            Ok(())
        },
    )?;
    starts.shrink_to_fit();
    lengths.shrink_to_fit();
    labels.shrink();
    let summary = Summary {
        content: hasher.finish(),
        count: labels.len() as u64,
        kind: Kind::Encoded,
        classes: source.reading.label_map.map(LabelMap::classes),
        ..Summary::default()
    };
    let layout = Layout::Scattered { starts, lengths };
    let spans = Spans { firsts, layout, ..Spans::default() };
    Ok(Index { places: Places::Spans(spans), labels, order: None, summary })
}

/// Reads one shard.
struct Reader<'a> {
    source: &'a DataSource,
    path: &'a Path,
    size: u64,
}

impl Reader<'_> {
    fn damaged(&self, offset: u64, what: impl Into<String>) -> DataError {
        DataError::Damaged { place: Place::byte(self.path, offset), what: what.into() }
    }

    fn cut_off(&self, examples: usize) -> DataError {
        let what = format!(
            "the shard is cut off here, after {examples} whole examples: fetch or write it again"
        );
        self.damaged(self.size, what)
    }

    fn read(mut self) -> Result<Shard, DataError> {
        let unreadable = |source| DataError::Read { path: self.path.to_owned(), source };
        let file = File::open(self.path).map_err(unreadable)?;
        self.size = file.metadata().map_err(unreadable)?.len();
        let mut archive = Archive::new(BufReader::with_capacity(1 << 20, file));
        let mut shard = Shard::default();
        let mut keys = HashMap::new();
        let mut sample: Option<Sample> = None;
        let mut end = 0;
        let mut bytes = Vec::new();
        for entry in archive.entries().map_err(unreadable)? {
            // A header that is cut off or no header at all: which, the length tells.
            let mut entry = entry.map_err(|error| {
                if end + BLOCK > self.size || self.size.is_multiple_of(BLOCK) {
                    let what = format!("here is no member of a tar ({error}): write it again");
                    self.damaged(end, what)
                } else {
                    self.cut_off(shard.labels.len())
                }
            })?;
            let (start, len) = (entry.raw_file_position(), entry.size());
            end = start + len.next_multiple_of(BLOCK);
            if start + len > self.size {
                return Err(self.cut_off(shard.labels.len()));
            }
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let Some((key, extension)) = key_of(&name) else { continue };
            if !entry.header().entry_type().is_file() {
                continue;
            }
            if sample.as_ref().is_none_or(|sample| sample.key != key) {
                self.finish(sample.take(), &mut shard)?;
                if let Some(first) = keys.insert(key.to_owned(), start) {
                    let what = format!("the key `{key}` was there already, at byte {first}");
                    return Err(self.damaged(start, what + ": give every example its own key"));
                }
                sample = Some(Sample {
                    key: key.to_owned(),
                    start,
                    picture: None,
                    classes: None,
                    json: None,
                });
            }
            let Some(sample) = &mut sample else { continue };
            let role = self.role(extension);
            if role == Role::Other {
                continue;
            }
            if role != Role::Picture && len > LONGEST_LABEL {
                return Err(self.damaged(start, format!("`{name}` is too long for a label")));
            }
            bytes.clear();
            entry.read_to_end(&mut bytes).map_err(unreadable)?;
            let there = match role {
                Role::Picture => {
                    let len = u32::try_from(len).map_err(|_| {
                        self.damaged(start, format!("`{name}` is no picture: 4 GB"))
                    })?;
                    sample.picture.replace((start, len, digest(&bytes))).is_some()
                }
                Role::Label => sample.classes.replace(vec![self.number(start, &bytes)?]).is_some(),
                Role::Json | Role::Other => {
                    sample.json = self.key_in_json(&name, start, &bytes)?.or(sample.json.take());
                    false
                }
            };
            if there {
                let what = format!(
                    "the example `{key}` has a second picture or label, `{name}`: leave one, or name \
                     the extension or key to take with `image` or `label`"
                );
                return Err(self.damaged(start, what));
            }
        }
        self.finish(sample, &mut shard)?;
        // At least one block of zeros ends a whole tar.
        if end + BLOCK > self.size {
            return Err(self.cut_off(shard.labels.len()));
        }
        Ok(shard)
    }

    /// Takes in an example that has no member more.
    fn finish(&self, sample: Option<Sample>, shard: &mut Shard) -> Result<(), DataError> {
        let Some(Sample { key, start, picture, classes, json }) = sample else { return Ok(()) };
        match (picture, classes.or(json)) {
            (Some((start, len, digest)), Some(classes)) => {
                shard.starts.push(start);
                shard.lengths.push(len);
                shard.labels.push(&classes);
                shard.digests.push(digest);
                Ok(())
            }
            // The shard's own description, or something else beside the examples.
            (None, None) => Ok(()),
            (None, Some(_)) => {
                let what = format!("the example `{key}` has no picture (`.jpg`, `.png`, `.webp`)");
                Err(self.damaged(start, what + ": add it, or leave the example out"))
            }
            (Some(_), None) => {
                let key_of_label = self.source.reading.label.as_deref().unwrap_or("label");
                let what = format!(
                    "the example `{key}` has no label: neither a member `.cls` nor `{key_of_label}` \
                     in a `.json`"
                );
                Err(self.damaged(start, what + ": add it, or name the key with `label`"))
            }
        }
    }

    fn role(&self, extension: &str) -> Role {
        let reading = &self.source.reading;
        let is = |known: &str| extension.eq_ignore_ascii_case(known);
        let picture = match &reading.image {
            Some(image) => is(image.trim_start_matches('.')),
            None => ["jpg", "jpeg", "png", "webp"].iter().any(|known| is(known)),
        };
        if picture {
            Role::Picture
        } else if is("json") {
            Role::Json
        } else if is("cls") && reading.label.is_none() {
            Role::Label
        } else {
            Role::Other
        }
    }

    /// The label in a `.cls`.
    fn number(&self, start: u64, bytes: &[u8]) -> Result<u32, DataError> {
        let text = String::from_utf8_lossy(bytes);
        let place = || Place::byte(self.path, start);
        if let (Some(map), Ok(raw)) = (self.source.reading.label_map, text.trim().parse()) {
            return classes::mapped(map, raw, place);
        }
        match text.trim().parse() {
            Ok(label) => classes::class(label, place),
            Err(_) => Err(DataError::BadLabel {
                place: place(),
                found: format!("`{}`", text.trim().chars().take(40).collect::<String>()),
                wanted: "a `.cls` holds one number, the class".to_owned(),
            }),
        }
    }

    /// The classes in a `.json`, if it has a label.
    fn key_in_json(
        &self,
        name: &str,
        start: u64,
        bytes: &[u8],
    ) -> Result<Option<Vec<u32>>, DataError> {
        let value: serde_json::Value = serde_json::from_slice(bytes)
            .map_err(|error| self.damaged(start, format!("`{name}` is no JSON: {error}")))?;
        let key = self.source.reading.label.as_deref().unwrap_or("label");
        let Some(found) = value.get(key) else { return Ok(None) };
        let place = || Place::byte(self.path, start);
        if let Some(map) = self.source.reading.label_map {
            let raw = found.as_f64().ok_or_else(|| DataError::BadLabel {
                place: place(),
                found: found.to_string().chars().take(40).collect(),
                wanted: format!("the label map `{}` takes {}", map.name(), map.domain()),
            });
            return classes::mapped(map, raw?, place).map(|class| Some(vec![class]));
        }
        let numbers: Option<Vec<i64>> = match found {
            serde_json::Value::Array(labels) => {
                labels.iter().map(serde_json::Value::as_i64).collect()
            }
            label => label.as_i64().map(|label| vec![label]),
        };
        let Some(numbers) = numbers else {
            return Err(DataError::BadLabel {
                place: place(),
                found: found.to_string().chars().take(40).collect(),
                wanted: format!("`{key}` must be a number, the class, or a list of numbers"),
            });
        };
        classes::classes(&numbers, place).map(Some)
    }
}
