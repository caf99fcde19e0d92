//! `TaskOOM`: telling that the kernel ended a process of a container for want of memory.

use std::sync::Arc;
use std::thread;

use containerd_shim_protos::events::task::TaskOOM;
use runtime::container::{OutOfMemory, Store};
use rustix::event::{PollFd, PollFlags, poll};

use super::{Place, Shim};
use crate::log;

/// Tells of it from now on, until the container's cgroup is gone.
pub fn watch(shim: &Arc<Shim>, place: &Place) {
    let store = Store::at(Some(place.store.clone()));
    let watched = store
        .look(&place.id)
        .and_then(|state| state.cgroup.out_of_memory());
    // Without a cgroup that counts memory, there is nothing to tell.
    let Ok(watched) = watched else {
        return;
    };
    let (shim, id) = (Arc::clone(shim), place.id.clone());
    let spawned = thread::Builder::new()
        .name("oom".to_owned())
        .stack_size(64 << 10)
        .spawn(move || tell(&shim, &id, watched));
    if let Err(error) = spawned {
        log::warn(&format!("watch the memory of {}: {error}", place.id));
    }
}

fn tell(shim: &Shim, id: &str, mut watched: OutOfMemory) {
    loop {
        let mut waiting = [PollFd::new(&watched, PollFlags::IN)];
        match poll(&mut waiting, None) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return,
        }
        if watched.has_happened() {
            let event = TaskOOM {
                container_id: id.to_owned(),
                ..TaskOOM::default()
            };
            shim.publisher.publish("/tasks/oom", &event);
        } else if watched.is_over() {
            return;
        }
    }
}
