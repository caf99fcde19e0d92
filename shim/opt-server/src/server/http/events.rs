//! An execution as a stream of server-sent events: where it stands, what it prints, how it ended.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc::{Sender, channel};
use tokio_stream::wrappers::ReceiverStream;

use super::Server;
use super::auth::Authenticated;
use super::describe::{self, blocking};
use super::error::Failure;
use crate::server::App;
use crate::server::execution::{Execution, State as Stands, Work};
use crate::server::output_log::{PIECE, piece};

/// How often it is looked for new output. The command writes into a file, which nobody is told of.
const EVERY: Duration = Duration::from_millis(100);

/// Where a client that comes again left off.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
pub struct Place {
    /// Bytes of standard output that it has.
    stdout: u64,
    /// Likewise of standard error.
    stderr: u64,
}

/// `GET /v1/executions/{execution}/events?stdout=BYTES&stderr=BYTES`
pub async fn follow(
    State(app): Server,
    caller: Authenticated,
    Path(id): Path<String>,
    Query(place): Query<Place>,
) -> Result<Response, Failure> {
    let execution = caller.execution(&app, &id)?;
    Ok(stream(app, execution, place))
}

/// The events of an execution from `place` on, until it has ended.
pub fn stream(app: Arc<App>, execution: Execution, place: Place) -> Response {
    // A client that doesn't read fills this, and then nothing is read for it.
    let (sender, receiver) = channel(4);
    tokio::spawn(async move {
        // Nobody reads any more, or the server can't: either way the stream ends here.
        if tell(&app, &execution, place, &sender).await.is_err() {
            tracing::debug!(execution = %execution.id, "nobody follows any more");
        }
    });
    Sse::new(ReceiverStream::new(receiver))
        .keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
        .into_response()
}

type Events = Sender<Result<Event, Infallible>>;

/// There is nobody to tell any more.
struct Gone;

async fn tell(
    app: &Arc<App>,
    first: &Execution,
    mut place: Place,
    events: &Events,
) -> Result<(), Gone> {
    let id = &first.id;
    let mut last = Value::Null;
    loop {
        let Some(execution) = app.registry.get(id) else {
            return send(events, "deleted", &json!({ "id": id })).await;
        };
        let is_final = execution.state.is_final();
        let stands = standing(app, &execution);
        if stands != last {
            send(events, "status", &stands).await?;
            last = stands;
        }
        let has_more = output(app, &execution, &mut place, events).await?;
        if has_more {
            continue;
        }
        if is_final {
            let app = Arc::clone(app);
            let told = blocking(move || Ok(describe::execution(&app, &execution))).await;
            return send(events, "ended", &told.map_err(|_| Gone)?).await;
        }
        wait(app, id, execution.state, events).await?;
    }
}

/// Where it stands, as far as it is told before the end.
fn standing(app: &App, execution: &Execution) -> Value {
    let mut told = json!({
        "id": execution.id,
        "state": execution.state.as_str(),
        "status": execution.state.as_status(),
    });
    if let Some(object) = told.as_object_mut() {
        describe::waiting(app, execution, object);
    }
    told
}

/// Tells what was printed since; whether there may be more at once.
async fn output(
    app: &Arc<App>,
    execution: &Execution,
    place: &mut Place,
    events: &Events,
) -> Result<bool, Gone> {
    let files = app.place(&execution.id);
    let mut streams = vec![("stdout", files.stdout(), &mut place.stdout)];
    if matches!(execution.work, Work::Command { .. }) {
        streams.push(("stderr", files.stderr(), &mut place.stderr));
    }
    let is_whole = execution.state.is_final();
    let mut has_more = false;
    for (name, path, at) in streams {
        let from = *at;
        let found = tokio::task::spawn_blocking(move || piece(&path, from, PIECE, is_whole)).await;
        let Ok(Ok(found)) = found else {
            return Err(Gone);
        };
        if found.next > from {
            let told = json!({ "from": from, "next": found.next, "text": found.text });
            send(events, name, &told).await?;
            *at = found.next;
            has_more = true;
        }
    }
    Ok(has_more)
}

/// Waits for a change, or for the time to look again, as long as anybody reads.
async fn wait(app: &App, id: &str, state: Stands, events: &Events) -> Result<(), Gone> {
    let Some(mut changes) = app.registry.watch(id) else {
        return Ok(());
    };
    // Positions change without a change of state.
    let patience = match state {
        Stands::Running => EVERY,
        _ => EVERY * 5,
    };
    let changed = tokio::time::timeout(patience, changes.wait_for(|now| *now != state));
    tokio::select! {
        () = events.closed() => Err(Gone),
        _ = changed => Ok(()),
    }
}

async fn send(events: &Events, name: &str, data: &Value) -> Result<(), Gone> {
    let event = Event::default().event(name).data(data.to_string());
    events.send(Ok(event)).await.map_err(|_| Gone)
}
