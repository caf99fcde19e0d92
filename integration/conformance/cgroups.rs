//! The container's cgroup: where it is, what it limits, what the container sees of it, and what becomes of it.

mod block_io;
mod counts;
mod cpu;
mod devices;
mod limit;
mod memory;
mod places;
mod view;
