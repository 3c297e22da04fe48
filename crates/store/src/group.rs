//! Questions over groups of jobs: by the values of some columns, summed up by aggregates.

use std::collections::HashMap;
use std::fmt::Write;

use augreg_spec::nearest;

use crate::direct::{Part, walk};
use crate::error::database;
use crate::filter::column;
use crate::fold::{Fold, order};
use crate::query::{statement, sweep_of};
use crate::views::Column;
use crate::{
    Aggregate, Filter, Heading, JobQuery, QueryError, RowSink, Rows, Store, StoreError, Value,
    ValueRef,
};

/// A question over the view `v_jobs`, one row a group of jobs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GroupQuery {
    /// Only jobs that this sweep asks for.
    pub sweep: Option<String>,
    /// Only jobs that pass all of these.
    pub filters: Vec<Filter>,
    /// Jobs with the same values in these columns are a group.
    pub by: Vec<String>,
    /// What each group is summed up by.
    pub show: Vec<Aggregate>,
    /// The order: by the first key, then the next, `-` before it for descending, then as the first
    /// job of each group was registered. A key is a column of `by` or an aggregate of `show`.
    pub sort: Vec<String>,
    /// At most so many groups.
    pub limit: Option<u64>,
}

/// A group on its way through the jobs.
struct Group {
    key: Vec<Value>,
    folds: Vec<Fold>,
}

impl Store {
    /// Answers a question over groups of jobs.
    ///
    /// # Errors
    ///
    /// [`QueryError::UnknownColumn`], [`QueryError::UnknownGroupKey`], `StoreError::UnknownSweep`.
    pub async fn group(&self, query: &GroupQuery) -> Result<Rows, QueryError> {
        let mut rows = Rows::default();
        self.group_into(query, &mut rows).await?;
        Ok(rows)
    }

    /// [`Store::group`], with rows passed on to a sink. Memory grows with the groups.
    ///
    /// # Errors
    ///
    /// Those of [`Store::group`], and [`QueryError::Output`] if the sink fails.
    pub async fn group_into(
        &self,
        query: &GroupQuery,
        sink: &mut impl RowSink,
    ) -> Result<(), QueryError> {
        let by: Vec<&'static Column> =
            query.by.iter().map(|name| column(name.trim())).collect::<Result<_, _>>()?;
        let headings = headings(&by, &query.show);
        let keys = sort_keys(query, &headings)?;
        let mut rows = self.grouped(query, &by).await?;
        rows.sort_by(|a, b| {
            let compare = |&(at, descending): &(usize, bool)| match (&a[at], &b[at]) {
                // Groups without a value come last either way.
                (Value::Null, _) | (_, Value::Null) => order(&a[at], &b[at]),
                (a, b) if descending => order(b, a),
                (a, b) => order(a, b),
            };
            keys.iter()
                .map(compare)
                .find(|order| order.is_ne())
                .unwrap_or(std::cmp::Ordering::Equal)
        });
        sink.begin(&headings)?;
        let limit =
            query.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        for row in rows.into_iter().take(limit) {
            let row: Vec<_> = row.iter().map(Value::by_ref).collect();
            sink.row(&row)?;
        }
        Ok(())
    }

    /// Groups and what they are summed up by, as the first job of each was registered.
    async fn grouped(
        &self,
        query: &GroupQuery,
        by: &[&'static Column],
    ) -> Result<Vec<Vec<Value>>, QueryError> {
        let of_show = query.show.iter().filter_map(|aggregate| aggregate.column);
        let mut columns: Vec<&Column> = by.iter().copied().chain(of_show).collect();
        if columns.is_empty() {
            columns.push(column("ordinal")?); // There is no answer without a column.
        }
        let jobs = JobQuery {
            sweep: query.sweep.clone(),
            filters: query.filters.clone(),
            ..JobQuery::default()
        };
        let mut reader = self.readers().acquire().await.map_err(database("begin reading"))?;
        let sweep = sweep_of(&mut reader, &jobs).await?;
        let question = statement(&jobs, &columns, sweep);
        let mut groups = Groups {
            by: by.len(),
            show: &query.show,
            places: HashMap::new(),
            key: String::new(),
            all: Vec::new(),
        };
        let take = |part: Part<'_>| {
            if let Part::Row(row) = part {
                groups.take(row);
            }
            Ok::<_, StoreError>(())
        };
        walk(&mut reader, &question, take).await?;
        Ok(groups.rows())
    }
}

/// All groups, in the order of their first jobs.
struct Groups<'a> {
    by: usize,
    show: &'a [Aggregate],
    places: HashMap<String, usize>,
    /// Where keys are written.
    key: String,
    all: Vec<Group>,
}

impl Groups<'_> {
    fn take(&mut self, row: &[ValueRef<'_>]) {
        let (key, rest) = row.split_at(self.by);
        let place = self.place(key);
        let mut rest = rest.iter();
        for (fold, aggregate) in self.all[place].folds.iter_mut().zip(self.show) {
            let value = if aggregate.column.is_some() { rest.next() } else { None };
            fold.take(aggregate, value.unwrap_or(&Value::Null));
        }
    }

    /// The group of a key.
    fn place(&mut self, key: &[ValueRef<'_>]) -> usize {
        self.key.clear();
        for value in key {
            // Reals as their shortest text, so that equal numbers are equal keys.
            let _ = write!(self.key, "{value:?},"); // Writing to a string cannot fail.
        }
        if let Some(place) = self.places.get(&self.key) {
            return *place;
        }
        let folds = self.show.iter().map(|_| Fold::default()).collect();
        self.all.push(Group { key: key.iter().map(Value::to_value).collect(), folds });
        self.places.insert(self.key.clone(), self.all.len() - 1);
        self.all.len() - 1
    }

    fn rows(self) -> Vec<Vec<Value>> {
        let ended = |group: Group| {
            let folded = group.folds.into_iter().zip(self.show);
            let folded = folded.map(|(fold, aggregate)| fold.end(aggregate));
            group.key.into_iter().chain(folded).collect()
        };
        self.all.into_iter().map(ended).collect()
    }
}

fn headings(by: &[&'static Column], show: &[Aggregate]) -> Vec<Heading> {
    let of_by = by.iter().map(|column| (column.name.to_owned(), column.kind));
    let of_show = show.iter().map(|aggregate| (aggregate.to_string(), aggregate.kind()));
    of_by.chain(of_show).map(|(name, kind)| Heading { name, kind: Some(kind) }).collect()
}

/// Places of the columns to sort by, and whether each descends.
fn sort_keys(query: &GroupQuery, headings: &[Heading]) -> Result<Vec<(usize, bool)>, QueryError> {
    let key = |text: &String| {
        let (name, descending) = match text.trim().strip_prefix('-') {
            Some(name) => (name, true),
            None => (text.trim(), false),
        };
        if name.is_empty() {
            return Err(QueryError::SortGrammar { text: text.clone() });
        }
        let spelt = name.parse::<Aggregate>().map_or(name.to_owned(), |known| known.to_string());
        let place = headings.iter().position(|heading| heading.name == spelt);
        let names = headings.iter().map(|heading| heading.name.as_str());
        place.map(|at| (at, descending)).ok_or_else(|| QueryError::UnknownGroupKey {
            name: name.to_owned(),
            nearest: nearest(name, names).map(str::to_owned),
        })
    };
    query.sort.iter().map(key).collect()
}
