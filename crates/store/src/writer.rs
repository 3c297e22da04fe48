//! The one writer of a study: a connection, and a task that commits what waits in groups.
//!
//! A commit costs an fsync, whatever it holds. Writes that arrive while one is under way are
//! committed together by the next; should one of them fail, each is committed alone, so that it takes
//! no other with it. A caller hears of success only when its write is on disk.

use std::sync::Arc;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Sqlite, SqliteConnection, Transaction};
use tokio::sync::{Mutex, MutexGuard, mpsc, oneshot};

use crate::batch::Batch;
use crate::error::database;
use crate::ingest::{self, Expected, Ingested, JournalPart};
use crate::{Change, StoreError};

/// Writes that may wait before callers do: more than a scheduler with a thousand slots has.
const QUEUE: usize = 1024;

/// Writes committed together. Bounds how long the first of a group waits.
const GROUP: usize = 256;

/// One write: entries of journals, if any, then changes; all of it or nothing.
pub(crate) struct Write {
    pub(crate) journals: Vec<JournalPart>,
    pub(crate) changes: Vec<Change>,
}

enum Message {
    Write(Write, oneshot::Sender<Result<Ingested, StoreError>>),
    Close(oneshot::Sender<()>),
}

/// A handle to the writer.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Message>,
    connection: Arc<Mutex<WriteConnection>>,
}

impl Writer {
    pub(crate) fn new(options: SqliteConnectOptions, connection: SqliteConnection) -> Self {
        let (queue, messages) = mpsc::channel(QUEUE);
        let connection =
            WriteConnection { options, connection: Some(connection), is_closed: false };
        let connection = Arc::new(Mutex::new(connection));
        tokio::spawn(run(messages, Arc::clone(&connection)));
        Self { queue, connection }
    }

    /// Queues a write and waits until it is on disk.
    pub(crate) async fn write(&self, write: Write) -> Result<Ingested, StoreError> {
        let (reply, answer) = oneshot::channel();
        let message = Message::Write(write, reply);
        self.queue.send(message).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// The connection itself, for a write too large to queue. Others wait meanwhile.
    pub(crate) async fn connection(&self) -> MutexGuard<'_, WriteConnection> {
        self.connection.lock().await
    }

    pub(crate) async fn close(&self) {
        let (reply, done) = oneshot::channel();
        if self.queue.send(Message::Close(reply)).await.is_ok() {
            // An error means that the task is gone, and the connection with it.
            let _ = done.await;
        }
    }
}

/// A connection that is replaced when a failed commit left it in an unknown state.
#[derive(Debug)]
pub(crate) struct WriteConnection {
    options: SqliteConnectOptions,
    connection: Option<SqliteConnection>,
    is_closed: bool,
}

impl WriteConnection {
    /// Begins a transaction that holds the write lock from the start.
    pub(crate) async fn begin(&mut self) -> Result<Transaction<'_, Sqlite>, StoreError> {
        let connection = self.open().await?;
        connection.begin_with("BEGIN IMMEDIATE").await.map_err(database("begin a transaction"))
    }

    /// The connection, outside of any transaction.
    async fn open(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        if self.is_closed {
            return Err(StoreError::Closed);
        }
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.options.connect().await.map_err(database("reconnect"))?,
        };
        Ok(self.connection.insert(connection))
    }

    /// Gives the connection up; the next transaction gets a new one.
    pub(crate) fn discard(&mut self) {
        self.connection = None;
    }

    async fn close(&mut self) {
        self.is_closed = true;
        if let Some(connection) = self.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "the database did not close in order");
        }
    }
}

async fn run(mut messages: mpsc::Receiver<Message>, connection: Arc<Mutex<WriteConnection>>) {
    let mut received = Vec::with_capacity(GROUP);
    let mut closing = Vec::new();
    let mut expected = Expected::new();
    while closing.is_empty() && messages.recv_many(&mut received, GROUP).await > 0 {
        let (mut writes, mut replies) = (Vec::new(), Vec::new());
        for message in received.drain(..) {
            match message {
                Message::Write(write, reply) => {
                    writes.push(write);
                    replies.push(reply);
                }
                Message::Close(reply) => closing.push(reply),
            }
        }
        let results = commit(&mut *connection.lock().await, &mut expected, &writes).await;
        for (reply, result) in replies.into_iter().zip(results) {
            // A caller that no longer waits needs no answer; its write stands.
            let _ = reply.send(result);
        }
    }
    connection.lock().await.close().await;
    for reply in closing {
        let _ = reply.send(());
    }
}

/// Commits all writes together, or, should that fail as a whole, each alone.
async fn commit(
    connection: &mut WriteConnection,
    expected: &mut Expected,
    writes: &[Write],
) -> Vec<Result<Ingested, StoreError>> {
    if writes.len() > 1 {
        match commit_together(connection, expected, writes).await {
            Ok(results) => return results,
            Err(error) => {
                tracing::debug!(%error, "a group failed to commit; trying each write alone");
            }
        }
    }
    let mut results = Vec::with_capacity(writes.len());
    for write in writes {
        let alone = commit_together(connection, expected, std::slice::from_ref(write)).await;
        results
            .push(alone.and_then(|mut results| results.pop().unwrap_or(Err(StoreError::Closed))));
    }
    results
}

/// Commits writes in one transaction. Those that make no sense are left out and say so; an error
/// of the others is everybody's.
async fn commit_together(
    connection: &mut WriteConnection,
    expected: &mut Expected,
    writes: &[Write],
) -> Result<Vec<Result<Ingested, StoreError>>, StoreError> {
    let open = connection.open().await?;
    let mut committed = async || {
        ingest::look_up(open, writes, expected).await?;
        let mut batch = Batch::default();
        let results: Vec<_> =
            writes.iter().map(|write| ingest::plan(write, expected, &mut batch)).collect();
        batch.commit(open).await?;
        Ok(results)
    };
    let results = committed().await;
    if let Err(error) = &results {
        // What was planned is not so, and neither is what was expected to follow it.
        expected.clear();
        if matches!(error, StoreError::Database { .. }) {
            connection.discard();
        }
    }
    results
}
