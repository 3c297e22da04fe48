//! Vision Transformers, their initialisation and checkpoints.
