//! What a notebook has left before its end: pieces of its log, and the notebook as it was saved last.

use aws_sdk_s3::types::Object;
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use reveille_domain::layout::AttemptRef;

use super::{AT_ONCE, Account, executions::time};
use crate::error::CliError;

/// A runner uploads no larger one. Notebooks have the instance's role and may put anything there: it is left out.
const MAX_PIECE: i64 = 2 << 20;

/// A piece of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The place of its first byte in the whole log.
    pub(crate) from: u64,
    pub(crate) bytes: Vec<u8>,
    /// When it was uploaded.
    pub(crate) at: DateTime<Utc>,
}

/// An object that is there, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Uploaded {
    pub(crate) key: String,
    pub(crate) at: DateTime<Utc>,
}

impl Account {
    /// The pieces of an attempt's log, in their order: all, or those behind the one at a place.
    pub(crate) async fn pieces(&self, at: &AttemptRef, behind: Option<u64>) -> Result<Vec<Piece>, CliError> {
        let prefix = self.layout.live(at) + "log-";
        let after = behind.map(|from| self.layout.live_log(at, from));
        let found = self.uploaded(&prefix, after).await?;
        let placed = found.into_iter().filter_map(|it| Some((self.layout.place_of_live_log(at, &it.key)?, it)));
        let placed: Vec<(u64, Uploaded)> = placed.collect();
        let read = async |(from, Uploaded { key, at }): (u64, Uploaded)| match self.object(&key, MAX_PIECE).await {
            Ok(bytes) => Ok(bytes.map(|bytes| Piece { from, bytes, at })),
            Err(CliError::Record { .. }) => Ok(None),
            Err(error) => Err(error),
        };
        stream::iter(placed).map(read).buffered(AT_ONCE).try_filter_map(async |piece| Ok(piece)).try_collect().await
    }

    /// The newest piece of an attempt's log, if there is any.
    pub(crate) async fn newest_piece(&self, at: &AttemptRef) -> Result<Option<Uploaded>, CliError> {
        Ok(self.uploaded(&(self.layout.live(at) + "log-"), None).await?.pop())
    }

    /// The notebook as it was saved last, if it was uploaded.
    pub(crate) async fn partial_notebook(&self, at: &AttemptRef) -> Result<Option<Uploaded>, CliError> {
        Ok(self.uploaded(&self.layout.live_notebook(at), None).await?.pop())
    }

    /// Whether the stack was told to upload nothing before a notebook's end. A stack of an earlier version cannot.
    pub(crate) fn shows_nothing_live(&self) -> bool {
        self.parameter("LiveOutputSeconds").is_none_or(|seconds| seconds == "0")
    }

    async fn uploaded(&self, prefix: &str, after: Option<String>) -> Result<Vec<Uploaded>, CliError> {
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let call = self.s3.list_objects_v2().bucket(&self.layout.bucket).prefix(prefix);
            let call = call.set_start_after(after.clone()).set_continuation_token(token.take());
            let listed = call.send().await;
            let listed = listed.map_err(|error| CliError::asked("list what the notebook has left so far", &error))?;
            let uploaded = |object: Object| Some(Uploaded { key: object.key?, at: time(object.last_modified?) });
            found.extend(listed.contents.unwrap_or_default().into_iter().filter_map(uploaded));
            match listed.next_continuation_token {
                Some(next) => token = Some(next),
                None => return Ok(found),
            }
        }
    }
}
