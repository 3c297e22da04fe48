//! Questions of a person: SQL that can only read, and filters over `v_jobs`.

use augreg_protocol::FailureKind;
use augreg_store::{
    GroupQuery, Heading, JobQuery, Kind, QueryError, RowSink, StoreError, Value, ValueRef,
};
use sqlx::{ConnectOptions, Executor};

use crate::support::{Study, job, jobs, text};

async fn filled() -> Study {
    let mut grid = jobs(3);
    grid.push(job("medium1", 0));
    let study = Study::with(&grid).await;
    study.finish(grid[0].id, 0.5).await;
    study.finish(grid[1].id, 0.75).await;
    study.fail(grid[3].id, FailureKind::Diverged, "NaN").await;
    study
}

async fn asked(study: &Study, filters: &[&str], sort: &[&str]) -> Vec<Vec<Value>> {
    let query = JobQuery {
        sweep: Some("mini".to_owned()),
        filters: filters.iter().map(|text| text.parse().expect("is a filter")).collect(),
        columns: Some(vec!["ordinal".to_owned()]),
        sort: sort.iter().map(|text| text.parse().expect("is a sort key")).collect(),
        limit: None,
    };
    study.store.query(&query).await.expect("answers").rows
}

fn numbers(numbers: &[i64]) -> Vec<Vec<Value>> {
    numbers.iter().map(|number| vec![Value::Integer(*number)]).collect()
}

#[tokio::test]
async fn filters_and_sort_keys_select_and_order_jobs() {
    let study = filled().await;
    assert_eq!(asked(&study, &[], &[]).await, numbers(&[1, 2, 3, 4]));
    assert_eq!(asked(&study, &["final_val>=0.5"], &["-final_val"]).await, numbers(&[2, 1]));
    assert_eq!(asked(&study, &["augmentation~DIUM"], &[]).await, numbers(&[4]));
    assert_eq!(asked(&study, &["failure!=lost"], &[]).await, numbers(&[1, 2, 3, 4]));
    assert_eq!(asked(&study, &["failure="], &["-ordinal"]).await, numbers(&[3, 2, 1]));
    assert_eq!(asked(&study, &["epochs=30", "state=queued"], &[]).await, numbers(&[3]));
    assert_eq!(asked(&study, &["model='R+Mu/7'", "seed<2"], &[]).await, numbers(&[1, 2, 4]));
    let sorted = asked(&study, &[], &["final_val"]).await;
    assert_eq!(sorted, numbers(&[1, 2, 3, 4]), "jobs without a value come last");
    assert_eq!(asked(&study, &["model=x'; DROP TABLE job; --"], &[]).await, numbers(&[]));
}

#[tokio::test]
async fn a_query_without_columns_has_the_usual_ones_and_a_limit_limits() {
    let study = filled().await;
    let query = JobQuery { limit: Some(2), ..JobQuery::default() };
    let rows = study.store.query(&query).await.expect("answers");
    assert_eq!(rows.columns, augreg_store::DEFAULT_COLUMNS);
    assert_eq!(rows.rows.len(), 2);
}

#[tokio::test]
async fn unknown_columns_and_sweeps_name_the_nearest() {
    let study = filled().await;
    let columns = Some(vec!["final_vall".to_owned()]);
    let error = study.store.query(&JobQuery { columns, ..JobQuery::default() }).await;
    let error = error.expect_err("there is none");
    assert_eq!(error.to_string(), "there is no column `final_vall`, did you mean `final_val`?");
    let sweep = Some("minni".to_owned());
    let error = study.store.query(&JobQuery { sweep, ..JobQuery::default() }).await;
    assert!(matches!(error, Err(QueryError::Store(StoreError::UnknownSweep { .. }))));
}

#[tokio::test]
async fn sql_answers_with_columns_even_without_rows() {
    let study = filled().await;
    let rows = study.store.sql("SELECT 1 AS a, 2.5, 'x', NULL, x'00ff';").await.expect("answers");
    let values = vec![Value::Integer(1), Value::Real(2.5), text("x"), Value::Null, text("00ff")];
    assert_eq!(rows.rows, [values]);
    let rows = study.store.sql("SELECT id, state FROM job WHERE 0").await.expect("answers");
    assert_eq!((rows.columns, rows.rows.len()), (vec!["id".to_owned(), "state".to_owned()], 0));
    let json = serde_json::to_string(&study.store.sql("SELECT 1, NULL").await.expect("answers"));
    assert_eq!(json.expect("serializes"), r#"{"columns":["1","NULL"],"rows":[[1,null]]}"#);
}

#[tokio::test]
async fn sql_that_is_wrong_says_what_and_names_the_nearest() {
    let study = filled().await;
    for (sql, expected) in [
        ("SELECT final_vall FROM v_jobs", "no such column: final_vall, did you mean `final_val`?"),
        ("SELECT j.modl FROM job j", "no such column: j.modl, did you mean `model`?"),
        ("SELECT * FROM jobs", "no such table: jobs, did you mean `job`?"),
        ("SELECT FROM", "near \"FROM\": syntax error"),
        ("SELECT count(*", "incomplete input"),
        ("SELECT nonsense_function(1)", "no such function: nonsense_function"),
    ] {
        let error = study.store.sql(sql).await.expect_err(sql);
        assert_eq!(error.to_string(), format!("SQLite cannot answer the query: {expected}"));
    }
}

#[tokio::test]
async fn sql_cannot_write_attach_or_set_pragmas() {
    let study = filled().await;
    for sql in [
        "DELETE FROM job",
        "WITH x AS (SELECT 1) DELETE FROM job",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA query_only = off",
        "ATTACH 'other.db' AS other",
        "VACUUM INTO 'copy.db'",
        "SELECT 1; DELETE FROM job",
        "CREATE TEMP TABLE x (y)",
    ] {
        let error = study.store.sql(sql).await.expect_err(sql);
        let refused = matches!(error, QueryError::NotAReadingStatement | QueryError::Sql { .. });
        assert!(refused, "{sql}: {error}");
    }
    assert_eq!(study.count("job").await, 4);
}

/// The readers' connections refuse by themselves what the check of the statement lets through.
#[tokio::test]
async fn sqlite_itself_refuses_writes_of_a_reader() {
    let study = filled().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(study.database())
        .read_only(true)
        .pragma("query_only", "on");
    let mut connection = options.connect().await.expect("opens");
    assert!(connection.execute("DELETE FROM event").await.is_err());
    let error = study.store.sql("WITH x AS (SELECT 1) DELETE FROM event").await;
    let error = error.expect_err("is a write").to_string();
    assert!(error.contains("readonly database"), "{error}");
}

#[tokio::test]
async fn groups_are_summed_up_in_the_order_of_their_first_jobs() {
    let study = filled().await;
    let group = async |by: &[&str], show: &[&str], sort: &[&str], limit| {
        let query = GroupQuery {
            sweep: Some("mini".to_owned()),
            filters: Vec::new(),
            by: by.iter().map(|name| (*name).to_owned()).collect(),
            show: show.iter().map(|text| text.parse().expect("an aggregate")).collect(),
            sort: sort.iter().map(|key| (*key).to_owned()).collect(),
            limit,
        };
        study.store.group(&query).await
    };
    let rows = group(&["state"], &["count", "mean(final_val)", "max(seed)"], &[], None).await;
    let rows = rows.expect("answers");
    assert_eq!(rows.columns, ["state", "count", "mean(final_val)", "max(seed)"]);
    let row = |state: &str, count: i64, mean: Option<f64>, seed: i64| {
        vec![text(state), Value::Integer(count), mean.into(), Value::Integer(seed)]
    };
    let expected =
        [row("succeeded", 2, Some(0.625), 1), row("queued", 1, None, 2), row("failed", 1, None, 0)];
    assert_eq!(rows.rows, expected);

    let sorted =
        group(&["state"], &["count"], &["count", "-state"], Some(2)).await.expect("answers");
    assert_eq!(
        sorted.rows,
        [vec![text("queued"), 1_i64.into()], vec![text("failed"), 1_i64.into()]]
    );
    let all = group(&[], &["count", "count(final_val)"], &[], None).await.expect("answers");
    assert_eq!(all.rows, [vec![Value::Integer(4), Value::Integer(2)]]);

    let error = group(&["modle"], &["count"], &[], None).await.expect_err("there is none");
    assert!(error.to_string().contains("did you mean `model`?"), "{error}");
    let error = group(&["state"], &["mean(final_val)"], &["-mean(final_vall)"], None).await;
    let error = error.expect_err("there is none").to_string();
    assert!(error.contains("did you mean `mean(final_val)`?"), "{error}");
}

/// Takes columns and nothing else.
struct Columns(Vec<Heading>);

impl RowSink for Columns {
    fn needs_kinds(&self) -> bool {
        true
    }

    fn begin(&mut self, headings: &[Heading]) -> std::io::Result<()> {
        self.0 = headings.to_vec();
        Ok(())
    }

    fn row(&mut self, _: &[ValueRef<'_>]) -> std::io::Result<()> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }
}

#[tokio::test]
async fn a_sink_that_needs_kinds_is_told_what_all_values_are() {
    let study = filled().await;
    let sql = "WITH n (n) AS (VALUES (1), (2.5), ('x')), m AS (SELECT n FROM n WHERE n < 2)
               SELECT m.n AS whole, iif(n.n = 2.5, 2.5, 1) AS real, n.n AS mixed, NULL AS none,
                      NULL AS final_val FROM n, m";
    let mut sink = Columns(Vec::new());
    let error = study.store.sql_into(sql, &mut sink).await.expect_err("the sink fails");
    assert!(
        matches!(error, QueryError::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe)
    );
    let kinds: Vec<_> = sink.0.iter().map(|heading| heading.kind).collect();
    let expected = [Kind::Integer, Kind::Real, Kind::Text, Kind::Text, Kind::Real].map(Some);
    assert_eq!(kinds, expected);
}

#[tokio::test]
async fn bytes_are_shown_in_hexadecimal_and_what_is_no_text_is_marked() {
    let study = filled().await;
    let rows = study.store.sql("SELECT x'00ff10', CAST(x'41ff42' AS TEXT), x''").await;
    assert_eq!(rows.expect("answers").rows, [["00ff10", "A\u{fffd}B", ""].map(Value::from)]);
}

#[tokio::test]
async fn what_goes_wrong_at_a_row_is_told_in_sqlites_words_and_before_any_heading() {
    let study = filled().await;
    let mut sink = Columns(Vec::new());
    let sql = "SELECT abs(-9223372036854775807 - 1)";
    let error = study.store.sql_into(sql, &mut sink).await.expect_err("has no answer");
    assert!(
        matches!(&error, QueryError::Sql { message, .. } if message == "integer overflow"),
        "{error:?}"
    );
    assert!(sink.0.is_empty());
}
