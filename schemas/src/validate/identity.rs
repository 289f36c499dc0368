//! Secrets, Vault tokens and signed identities.

use super::names::{name, required, signal, unique};
use super::problem::{Place, Report};
use crate::task::{ChangeMode, Identity, Secret, Vault};

/// The secrets of a job, group or task.
pub(super) fn secrets(report: &mut Report, place: &Place, secrets: &[Secret]) {
    for (place, secret) in place.each("secrets", secrets) {
        let Secret { name: own, provider, path, config: _, env: _ } = secret;
        name(report, &place.key("name"), "secret", own);
        required(report, &place.key("provider"), "the provider of the secret", provider);
        required(report, &place.key("path"), "the path of the secret", path);
    }
    unique(
        report,
        "secret",
        place.each("secrets", secrets).map(|(place, secret)| (place, secret.name.as_str())),
    );
}

/// A Vault block.
pub(super) fn vault(report: &mut Report, place: &Place, vault: Option<&Vault>) {
    let Some(vault) = vault else { return };
    no_script(report, &place.key("changeMode"), vault.change_mode);
    signal(report, &place.key("changeSignal"), vault.change_signal.as_deref());
}

/// The identities of a task.
pub(super) fn identities(report: &mut Report, place: &Place, identities: &[Identity]) {
    for (place, each) in place.each("identities", identities) {
        identity(report, &place, each);
    }
    unique(
        report,
        "identity",
        place.each("identities", identities).map(|(place, each)| (place, each.name.as_str())),
    );
}

/// One identity of a task or service.
pub(super) fn identity(report: &mut Report, place: &Place, identity: &Identity) {
    name(report, &place.key("name"), "identity", &identity.name);
    no_script(report, &place.key("changeMode"), identity.change_mode);
    signal(report, &place.key("changeSignal"), identity.change_signal.as_deref());
    if let Some(ttl) = identity.ttl.filter(|ttl| ttl.as_nanoseconds() <= 0) {
        report.error(&place.key("ttl"), format!("a token valid for {ttl} is never valid"));
    }
}

fn no_script(report: &mut Report, place: &Place, mode: ChangeMode) {
    if mode == ChangeMode::Script {
        report
            .error(place, "change mode `script` is for templates only")
            .allow(["noop", "restart", "signal"]);
    }
}
