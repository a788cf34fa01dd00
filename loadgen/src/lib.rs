//! What a client of a load-balanced Service does, and what counts as a drop. Pure: no socket, clock or randomness.
//!
//! [`profile`] says what a population of clients does, [`session`] when each of its connections opens and speaks,
//! [`outcome`] what the end of a connection means, [`recorder`] what all the ends together show, [`confidence`] what
//! they prove. [`traffic_file`] is how a user writes profiles down, [`duration`] how a span is written, [`chance`] where
//! draws come from.

pub mod chance;
pub mod confidence;
pub mod duration;
pub mod outcome;
pub mod profile;
pub mod recorder;
pub mod session;
pub mod traffic_file;
