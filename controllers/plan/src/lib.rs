//! The shape of a decision: what a controller sees and what it answers
