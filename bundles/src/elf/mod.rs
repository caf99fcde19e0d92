//! What an executable needs to start, found by parsing and never by running it.
