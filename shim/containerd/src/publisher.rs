//! Events to containerd, in the order in which they happened. A containerd that is started anew gets those that wait.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, SystemTime};

use containerd_shim_protos::api::ForwardRequest;
use containerd_shim_protos::protobuf::well_known_types::any::Any;
use containerd_shim_protos::shim::event::Envelope;

use crate::ttrpc::Client;
use crate::typed::Typed;
use crate::{log, typed};

/// How often, and after how long, one is sent again: as containerd's own shim does.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_secs(1);

/// The stack of a thread that does little.
const STACK: usize = 128 << 10;

/// containerd's service for events.
const SERVICE: &str = "containerd.services.events.ttrpc.v1.Events";

/// Where events go.
#[derive(Debug)]
pub struct Publisher {
    queue: Sender<Order>,
}

#[derive(Debug)]
enum Order {
    Send(Event),
    /// Tell when all before it are sent.
    Tell(Sender<()>),
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
        let (queue, orders) = channel();
        thread::Builder::new()
            .name("events".to_owned())
            .stack_size(STACK)
            .spawn(move || work(&orders, &address, &namespace))?;
        Ok(Self { queue })
    }

    /// Sends `event` under `topic`, after those before it.
    pub fn publish<M: Typed>(&self, topic: &'static str, event: &M) {
        match typed::pack(event) {
            Ok(content) => {
                // The other end lives as long as the process.
                let _ = self.queue.send(Order::Send(Event {
                    topic,
                    at: SystemTime::now(),
                    content,
                }));
            }
            Err(error) => log::warn(&format!("event {topic}: {error}")),
        }
    }

    /// Waits until all events are sent; `patience` at most.
    pub fn flush(&self, patience: Duration) {
        let (tell, told) = channel();
        // Whether they were or it took too long: there is nothing else to do.
        let _ = self.queue.send(Order::Tell(tell));
        let _ = told.recv_timeout(patience);
    }
}

fn work(orders: &Receiver<Order>, address: &str, namespace: &str) {
    let mut connection = None;
    for order in orders {
        match order {
            Order::Send(event) => send(&mut connection, address, event, namespace),
            Order::Tell(tell) => drop(tell),
        }
    }
}

fn send(connection: &mut Option<Client>, address: &str, event: Event, namespace: &str) {
    let topic = event.topic;
    let request = request(event, namespace);
    for attempt in 1..=TRIES {
        let Err(error) = try_to_send(connection, address, &request) else {
            return;
        };
        // What was connected may have been to a containerd that is gone; one that is started anew takes its time.
        let was_connected = connection.take().is_some();
        if attempt == TRIES {
            log::warn(&format!("event {topic}: {error}"));
        } else if !was_connected {
            thread::sleep(PAUSE);
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

fn try_to_send(
    connection: &mut Option<Client>,
    address: &str,
    request: &ForwardRequest,
) -> std::io::Result<()> {
    let client = match connection {
        Some(client) => client,
        None => connection.insert(Client::connect(address)?),
    };
    client.call(SERVICE, "Forward", request).map(drop)
}
