//! Secrets of jobs: masked in whatever is shown, and put back where a mask is sent.
//!
//! The store holds them as they are, and agents read them there; every way in and out of this API passes here.

use schemas::job::{Job, JobSpec, Submission};
use schemas::masked::{self, NothingToKeep};
use schemas::meta::ObjectMeta;
use schemas::unknown;
use serde_json::Value;

use super::admission;
use super::kind::Kind;
use super::refusal::{Cause, Refusal};
use super::scene::part;
use super::unsaid;

/// Where `kubectl apply` keeps the whole document that it sent last.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What a job is to do, with what goes without saying and without its secrets.
pub(super) fn shown(job: &Job) -> Value {
    let mut spec = unsaid::shown(job);
    masked::mask(&mut spec);
    spec
}

/// The same of a job that is not written: a secret that would change is told apart from one that would not.
pub(super) fn foreseen(job: &Job, old: Option<&Job>) -> Value {
    let mut spec = unsaid::shown(job);
    masked::mask_against(&mut spec, &old.map(Job::as_written).unwrap_or_default());
    spec
}

/// A job as its author would send it, without its secrets.
pub(super) fn as_written(job: &Job) -> Value {
    let mut spec = job.as_written();
    masked::mask(&mut spec);
    spec
}

/// Two specs that may be compared in public.
pub(super) fn compared(old: Option<&JobSpec>, new: &JobSpec) -> Result<(Option<JobSpec>, JobSpec), Refusal> {
    let before = old.map(part);
    let mut after = part(new);
    masked::mask_against(&mut after, before.as_ref().unwrap_or(&Value::Null));
    let before = before.map(|mut before| {
        masked::mask(&mut before);
        before
    });
    Ok((before.map(understood).transpose()?, understood(after)?))
}

fn understood(spec: Value) -> Result<JobSpec, Refusal> {
    unknown::read_stored(spec).map_err(|wrong| Refusal::bad_request(wrong.message))
}

/// What a version was to do, without its secrets.
pub(super) fn template(spec: &JobSpec) -> Value {
    let mut spec = part(spec);
    masked::mask(&mut spec);
    spec
}

/// The text that a version was read from, without its secrets.
pub(super) fn submission(submission: &Submission, spec: &JobSpec) -> Submission {
    let secrets = masked::secrets(&part(spec));
    let Submission { format, text, variables } = submission;
    let masked = |text: &String| masked::mask_text(text, &secrets);
    // A variable need not hold any secret: the text shows whether they can be found.
    let is_hidden = masked(text) == masked::MASK;
    let of_variable = |value: &String| {
        let is_secret = is_hidden || secrets.iter().any(|secret| value.contains(secret.as_str()));
        if is_secret { masked::MASK.to_owned() } else { value.clone() }
    };
    Submission {
        format: format.clone(),
        text: masked(text),
        variables: variables.iter().map(|(name, value)| (name.clone(), of_variable(value))).collect(),
    }
}

/// Metadata without the secrets that a tool noted there.
pub(super) fn metadata(metadata: &mut ObjectMeta) {
    let Some(noted) = metadata.annotations.get_mut(LAST_APPLIED) else { return };
    let Ok(mut document) = serde_json::from_str::<Value>(noted) else { return };
    let Some(spec) = document.get_mut("spec") else { return };
    let before = spec.clone();
    masked::mask(spec);
    if *spec != before {
        // kubectl writes the line end too.
        let end = if noted.ends_with('\n') { "\n" } else { "" };
        *noted = format!("{document}{end}");
    }
}

/// Puts back what the masks of a spec stand for.
pub(super) fn restore(spec: &mut Value, name: &str, old: Option<&Job>) -> Result<(), Refusal> {
    let lost = masked::restore(spec, old.map(Job::as_written).as_ref());
    if lost.is_empty() { Ok(()) } else { Err(nothing_to_keep(name, lost)) }
}

/// The same for a job that was admitted, whose metadata is masked for good.
pub(super) fn settle(job: &mut Job, old: Option<&Job>) -> Result<(), Refusal> {
    metadata(&mut job.metadata);
    let name = job.metadata.name.clone();
    let mut written = job.as_written();
    let before = written.clone();
    restore(&mut written, &name, old)?;
    if written != before {
        job.spec = understood(written.clone())?.canonicalize(&name);
        job.written = Some(written);
    }
    Ok(())
}

fn nothing_to_keep(name: &str, lost: Vec<NothingToKeep>) -> Refusal {
    let cause = |NothingToKeep { pointer, message }| {
        let field = admission::field_path(&format!("/spec{pointer}"));
        Cause { reason: "FieldValueInvalid", message, field }
    };
    Refusal::invalid(Kind::Job, name, lost.into_iter().map(cause).collect())
}
