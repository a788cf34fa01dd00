//! Whole-world tests.
