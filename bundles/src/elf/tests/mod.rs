//! The resolver on programs built for the purpose.
mod hostile;
mod programs;
mod scripts;
mod search;
