//! The training and evaluation loops of augreg.
