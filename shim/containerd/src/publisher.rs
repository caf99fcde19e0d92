//! Events to containerd, in the order in which they happened. A containerd that is started anew gets those that wait.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, SystemTime};

use containerd_shim_protos::api::ForwardRequest;
use containerd_shim_protos::protobuf::MessageFull;
use containerd_shim_protos::protobuf::well_known_types::any::Any;
use containerd_shim_protos::shim::event::Envelope;
use containerd_shim_protos::ttrpc::context;
use containerd_shim_protos::{Client, EventsClient};

use crate::{log, typed};

/// How long containerd may take for one.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often, and after how long, one is sent again: as containerd's own shim does.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_secs(1);

/// The stack of a thread that does little.
const STACK: usize = 128 << 10;

/// Where events go.
#[derive(Debug)]
pub struct Publisher {
    queue: Sender<Event>,
}

#[derive(Debug)]
struct Event {
    topic: &'static str,
    at: SystemTime,
    content: Any,
}

impl Publisher {
    /// To the containerd at `address`, about containers in `namespace`.
    ///
    /// # Errors
    /// Where no thread can be had.
    pub fn start(address: String, namespace: String) -> std::io::Result<Self> {
        let (queue, events) = channel();
        thread::Builder::new()
            .name("events".to_owned())
            .stack_size(STACK)
            .spawn(move || send_all(&events, &address, &namespace))?;
        Ok(Self { queue })
    }

    /// Sends `event` under `topic`, after those before it.
    pub fn publish<M: MessageFull>(&self, topic: &'static str, event: &M) {
        match typed::pack(event) {
            Ok(content) => {
                // The other end lives as long as the process.
                let _ = self.queue.send(Event {
                    topic,
                    at: SystemTime::now(),
                    content,
                });
            }
            Err(error) => log::warn(&format!("event {topic}: {error}")),
        }
    }
}

fn send_all(events: &Receiver<Event>, address: &str, namespace: &str) {
    let mut client = None;
    for event in events {
        let topic = event.topic;
        let request = request(event, namespace);
        for attempt in 1..=TRIES {
            match send(&mut client, address, &request) {
                Ok(()) => break,
                Err(error) => {
                    client = None;
                    if attempt == TRIES {
                        log::warn(&format!("event {topic}: {error}"));
                    } else {
                        thread::sleep(PAUSE);
                    }
                }
            }
        }
    }
}

fn request(event: Event, namespace: &str) -> ForwardRequest {
    let mut envelope = Envelope::new();
    envelope.set_timestamp(typed::timestamp(event.at));
    envelope.set_namespace(namespace.to_owned());
    envelope.set_topic(event.topic.to_owned());
    envelope.set_event(event.content);
    let mut request = ForwardRequest::new();
    request.set_envelope(envelope);
    request
}

fn send(
    client: &mut Option<EventsClient>,
    address: &str,
    request: &ForwardRequest,
) -> containerd_shim_protos::ttrpc::Result<()> {
    let client = match client {
        Some(client) => client,
        None => {
            let url = match address.strip_prefix("unix://") {
                Some(_) => address.to_owned(),
                None => format!("unix://{address}"),
            };
            client.insert(EventsClient::new(Client::connect(&url)?))
        }
    };
    client
        .forward(context::with_duration(PATIENCE), request)
        .map(drop)
}
