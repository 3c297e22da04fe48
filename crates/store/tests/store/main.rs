//! The store against real database files, one module a concern.

mod checked;
mod compute;
mod constraint;
mod control;
mod draft;
mod ingest;
mod migrate;
mod open;
mod pages;
mod query;
mod read;
mod reference;
mod register;
mod runs;
mod support;
mod view;
