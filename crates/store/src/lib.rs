//! The SQLite database of an augreg study: schema, queries, result views.
