//! The process's own environment.

/// Removes the variable `name`, for code of others that reads it.
pub(crate) fn remove_variable(name: &str) {
    // SAFETY: the runtime has one thread, so nobody reads the environment meanwhile.
    unsafe { std::env::remove_var(name) }
}
