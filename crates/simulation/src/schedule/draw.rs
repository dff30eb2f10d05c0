//! Drawing a schedule from a seed.
