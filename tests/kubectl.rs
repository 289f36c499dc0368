//! The stock kubectl against a served API: every verb that we say works, by what it prints.
//!
//! No controller runs here: jobs stay pending unless a test writes what a controller would.
#![expect(clippy::unwrap_used, reason = "a test")]

mod kubectl {
    mod changing;
    mod deleting;
    mod ours;
    mod owning;
    mod reading;
    mod stand;
    mod watching;
}
