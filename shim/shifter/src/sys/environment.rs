//! The process's own environment.

/// Sets the variable `name`, for whatever this process executes.
pub(crate) fn set_variable(name: &str, value: &str) {
    // SAFETY: called from `main` before there is a second thread, so nobody reads the environment meanwhile.
    unsafe { std::env::set_var(name, value) }
}
