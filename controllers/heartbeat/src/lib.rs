//! Silence to node health: ready, down, and what that means for its allocations
