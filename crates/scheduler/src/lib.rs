//! Decides what runs where, and drives it.
