//! The operator's toolkit: every change to what a user owns is inspected first, then planned, then applied.
//!
//! Nothing here prints: a [`profile::Plan`] says what would change, and the command line shows it and decides.

pub mod files;
pub mod ini;
pub mod profile;
