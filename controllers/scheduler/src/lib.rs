//! Roster slots without a placement to placements: where they run
