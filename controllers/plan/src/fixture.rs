//! Pictures of a cluster for the tests of the controllers.
