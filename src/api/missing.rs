//! A name that nothing has: the refusal says which one was probably meant.

use super::kind::Kind;
use super::refusal::Refusal;
use super::resources::catalog;
use super::scene::{Name, Scene};
use super::server::Server;

/// Names compared with a wrong one at most: among more, a guess is slow and mostly wrong.
const COMPARED: usize = 2000;

/// The refusal of a name that no document of the kind has.
pub(super) fn missing(scene: &Scene<'_>, kind: Kind, name: &Name) -> Refusal {
    let refusal = Refusal::not_found(kind, &name.name);
    match kind {
        Kind::Event | Kind::CoreEvent => refusal,
        Kind::Job | Kind::JobVersion | Kind::Allocation | Kind::Deployment | Kind::Node | Kind::Namespace => {
            let namespace = Some(name.namespace.as_str()).filter(|namespace| !namespace.is_empty());
            let known = catalog::names(scene, kind, namespace);
            let known: Vec<&str> = known.iter().take(COMPARED).map(|known| known.name.as_str()).collect();
            refusal.or_meant(schemas::validate::nearest(&name.name, &known))
        }
    }
}

/// The refusal of a name that no job has.
pub(super) fn no_job(server: &Server, name: &Name) -> Refusal {
    server.look(|scene| missing(scene, Kind::Job, name))
}
