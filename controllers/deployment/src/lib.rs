//! Job to roster: which slots must exist, at which version
