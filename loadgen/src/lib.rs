//! What a client of a load-balanced Service does, and what counts as a drop. Pure: no socket, clock or randomness.

pub mod chance;
