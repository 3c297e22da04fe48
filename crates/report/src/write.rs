//! Putting a report on disk, each file whole or not at all.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::{HeatMap, Report, data, page, sections, svg};

/// The files of a written report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The page.
    pub page: PathBuf,
    /// Every file, the page included.
    pub files: Vec<PathBuf>,
}

/// A report could not be written.
#[derive(Debug, Error)]
pub enum ReportError {
    /// The folder could not be created.
    #[error("failed to create the report's folder `{path}`", path = path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file could not be written; what stood there before still stands.
    #[error("failed to write the report's file `{path}`", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The data of a table could not be put into CSV.
    #[error("failed to write `{name}` as CSV")]
    Csv {
        /// The file's name.
        name: &'static str,
        /// What the CSV writer said.
        source: csv::Error,
    },
}

impl Report {
    /// Writes `index.html`, one `figure4-<dataset>-<epochs>.svg` per upstream, `figure4.csv`,
    /// `results.csv`, an SVG and a CSV for each exhibit, and `index.csv` where the study has an index,
    /// into `folder`, creating it where it is missing. Files of the same names are replaced, the
    /// page last; others stay.
    ///
    /// # Errors
    ///
    /// [`ReportError`] naming the file or folder that could not be written.
    pub fn write(&self, folder: &Path) -> Result<Written, ReportError> {
        std::fs::create_dir_all(folder)
            .map_err(|source| ReportError::Folder { path: folder.to_owned(), source })?;

        let csv = |name| move |source| ReportError::Csv { name, source };
        let figure_files = svg_names(&self.heat_maps);
        let mut contents = vec![
            ("figure4.csv".to_owned(), data::figure4(self).map_err(csv("figure4.csv"))?),
            ("results.csv".to_owned(), data::results(self).map_err(csv("results.csv"))?),
        ];
        if let Some(index) = &self.index {
            let bytes = data::index(index).map_err(csv("index.csv"))?;
            contents.push(("index.csv".to_owned(), bytes));
        }
        for exhibit in self.exhibits.iter().filter(|exhibit| exhibit.body.has_numbers()) {
            let bytes = data::exhibit(&exhibit.body).map_err(csv(exhibit.name))?;
            contents.push((format!("{}.csv", exhibit.name), bytes));
            if let Some(picture) = sections::picture(exhibit, &BTreeSet::new(), true) {
                let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}\n", picture.0);
                contents.push((format!("{}.svg", exhibit.name), text.into_bytes()));
            }
        }
        for (map, name) in self.heat_maps.iter().zip(&figure_files) {
            contents.push((name.clone(), svg::standalone(map, self.scale()).into_bytes()));
        }
        contents.push(("index.html".to_owned(), page::render(self, &figure_files).into_bytes()));

        let mut files = Vec::new();
        for (name, bytes) in contents {
            let path = folder.join(name);
            replace(folder, &path, &bytes)
                .map_err(|source| ReportError::File { path: path.clone(), source })?;
            files.push(path);
        }
        Ok(Written { page: folder.join("index.html"), files })
    }
}

/// Writes beside and renames, with the permissions that any new file of the user gets.
fn replace(folder: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".augreg-report-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// A file name for each heat map: safe on every file system, and no two alike.
fn svg_names(maps: &[HeatMap]) -> Vec<String> {
    let mut taken = BTreeSet::new();
    maps.iter()
        .map(|map| {
            let source = map.source.as_ref().map_or_else(String::new, |name| format!("-{name}"));
            let name = format!("figure4{source}-{}-{}", map.dataset, map.epochs);
            let stem: String = name
                .chars()
                .take(80)
                .map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' })
                .collect();
            let candidates =
                std::iter::once(stem.clone()).chain((2..).map(|n| format!("{stem}-{n}")));
            let free = candidates.into_iter().find(|name| taken.insert(name.to_lowercase()));
            format!("{}.svg", free.unwrap_or(stem))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_safe_and_differ_even_where_case_does_not_count() {
        let map = |dataset: &str, epochs| HeatMap {
            source: None,
            dataset: dataset.to_owned(),
            epochs,
            columns: Vec::new(),
            rows: Vec::new(),
        };
        let maps = [map("a/../b", 3.0), map("a:..:b", 3.0), map("A/../B", 3.0), map("c", 0.5)];
        assert_eq!(
            svg_names(&maps),
            [
                "figure4-a-..-b-3.svg",
                "figure4-a-..-b-3-2.svg",
                "figure4-A-..-B-3-3.svg",
                "figure4-c-0.5.svg"
            ]
        );
    }
}
