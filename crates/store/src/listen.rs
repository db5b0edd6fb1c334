//! Hears of changes that other processes make: PostgreSQL's LISTEN, on a connection of its own. It only wakes; what changed is read from the table.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::place::Place;
use crate::writer::tell;

/// Between two tries to connect.
const PAUSE: Duration = Duration::from_secs(1);

pub(crate) fn start(place: Place, changed: Arc<Notify>) -> AbortHandle {
    let task = tokio::spawn(async move {
        loop {
            // Whatever ends it, the connection is made anew; what changed meanwhile is asked for by number.
            let _ended = listen(&place, &changed).await;
            tokio::time::sleep(PAUSE).await;
        }
    });
    task.abort_handle()
}

async fn listen(place: &Place, changed: &Notify) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect(place.url()).await?;
    listener.listen("ecr_gate_changes").await?;
    tell(changed); // there may have been some before we listened
    // `None`: the connection is gone.
    while listener.try_recv().await?.is_some() {
        tell(changed);
    }
    Ok(())
}
