//! Seccomp profiles as data, compiled to BPF and simulated.
