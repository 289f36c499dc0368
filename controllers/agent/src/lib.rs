//! Placements and what really runs to start, stop and report
