//! Writing jobs.

use plan::view::Stored;
use schemas::job::{Job, Submission};
use schemas::key::Key;
use schemas::meta::ObjectMeta;
use serde_json::{Value, json};

use super::admission::{self, Admitted};
use super::body::Sent;
use super::commit::{Change, Done, Seen, Target, Weight, change};
use super::job_edit::{self, Edit, Wanted};
use super::kind::{GROUP_VERSION, Kind};
use super::mask;
use super::missing::no_job;
use super::ownership;
use super::patch::{self, APPLY, Patch};
use super::refusal::Refusal;
use super::resources::catalog;
use super::rollback::{self, Back};
use super::scale;
use super::scene::{Name, Scene, document, part};
use super::server::Server;
use super::unsaid;
use super::write::{Manner, shown};

/// Makes a job.
pub(super) async fn create(
    server: &Server,
    namespace: &str,
    sent: &Sent,
    manner: &Manner,
) -> Result<Done<Value>, Refusal> {
    let admit = || {
        let body = sent.document()?;
        let given = body["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        admission::job(body, &Name::new(namespace, given), manner.validation)
    };
    let admitted = server.think(admit).await??;
    let name = Name::new(namespace, &admitted.document.metadata.name);
    run(server, &name, manner, |stored| match stored {
        Some(_) => Err(Refusal::already_exists(Kind::Job, &name.name)),
        None => Ok(wanted(admitted.clone(), Seen::default(), submission(sent))),
    })
    .await
}

/// Replaces a job.
pub(super) async fn replace(
    server: &Server,
    name: &Name,
    sent: &Sent,
    manner: &Manner,
) -> Result<Done<Value>, Refusal> {
    let admit = || {
        let body = sent.document()?;
        let seen = Seen::of(&body["metadata"])?;
        Ok::<_, Refusal>((seen, admission::job(body, name, manner.validation)?))
    };
    let (seen, admitted) = server.think(admit).await??;
    run(server, name, manner, |stored| match stored {
        None if last_known(server, name).is_none() => Err(no_job(server, name)),
        Some(_) | None => Ok(wanted(admitted.clone(), seen.clone(), submission(sent))),
    })
    .await
}

/// Changes a job.
pub(super) async fn patch(
    server: &Server,
    name: &Name,
    patch: &Patch,
    manner: &Manner,
) -> Result<Done<Value>, Refusal> {
    run(server, name, manner, |stored| {
        let missing = || no_job(server, name);
        let last_known = last_known(server, name);
        let current = stored.or(last_known.as_ref());
        let current = current.map(|stored| whole(&stored.value, &mask::shown(&stored.value)));
        let changed = match patch {
            Patch::Merge(patch) => patch::merge(&current.ok_or_else(missing)?, patch),
            Patch::Json(patch) => patch::json(&current.ok_or_else(missing)?, patch)?,
            Patch::Apply(config) => return applied(server, name, stored, (config, manner)),
        };
        let seen = Seen::of(&changed["metadata"])?;
        Ok(wanted(admission::job(changed, name, manner.validation)?, seen, None))
    })
    .await
}

/// What an apply wants of a job.
fn applied(
    server: &Server,
    name: &Name,
    stored: Option<&Stored<Job>>,
    (config, manner): (&Value, &Manner),
) -> Result<Wish, Refusal> {
    let mut warnings = Vec::new();
    let old = stored.map(|stored| &stored.value);
    let whole = ownership::applied(server, manner, (name, old), config, &mut warnings)?;
    let seen = Seen::of(&whole["metadata"])?;
    let mut admitted = admission::job(whole, name, manner.validation)?;
    admitted.warnings.splice(0..0, warnings);
    Ok(Wish { is_applied: true, ..wanted(admitted, seen, None) })
}

/// What sending a job would write: by apply if that is what was sent, else as the whole that it should be.
pub(super) fn planned(
    server: &Server,
    name: &Name,
    stored: Option<&Stored<Job>>,
    (sent, manner): (&Sent, &Manner),
) -> Result<Change<Job>, Refusal> {
    let body = sent.document()?;
    let wish = if sent.media == APPLY {
        applied(server, name, stored, (&body, manner))?
    } else {
        wanted(admission::job(body, name, manner.validation)?, Seen::default(), submission(sent))
    };
    edited(server, stored, wish, manner)
}

/// Asks for a job's deletion.
pub(super) async fn delete(
    server: &Server,
    name: &Name,
    sent: &Sent,
    manner: &Manner,
) -> Result<Done<Value>, Refusal> {
    let read = || if sent.bytes.is_empty() { Ok(Value::Null) } else { sent.document() };
    let options = server.think(read).await??;
    let seen = Seen::of(&options["preconditions"])?;
    let is_dry = manner.is_dry || options["dryRun"].as_array().is_some_and(|dry| !dry.is_empty());
    let key = Key::job(&name.namespace, &name.name);
    let target = Target { kind: Kind::Job, name, key: &key, is_dry };
    let cached = server.look(|scene| scene.view.jobs.stored(&key).cloned());
    let done = change(server, &target, cached, |stored| {
        let last_known = last_known(server, name);
        let stored = stored.or(last_known.as_ref()).ok_or_else(|| no_job(server, name))?;
        let Edit { job, writes } = job_edit::deletion(stored, server.now());
        // A job without a document and without versions is gone: what else belongs to it is swept away, and its
        // allocations are stopped.
        let weight = Weight::Deletes(server.look(|scene| job_edit::last_documents(scene.view, name)));
        Ok(Change { document: job, writes, seen: seen.clone(), warnings: Vec::new(), weight })
    })
    .await?;
    if is_dry {
        return Ok(foreseen(server, name, done));
    }
    let mut last = as_written(&done.document);
    last["spec"] = mask::as_written(&done.document);
    let mut done = written(server, name, done);
    if done.document.is_null() {
        done.document = last;
    }
    Ok(done)
}

/// Sets the count of a group.
pub(super) async fn rescale(
    server: &Server,
    name: &Name,
    (group, count, seen): (Option<&str>, u32, Seen),
    manner: &Manner,
) -> Result<Done<Value>, Refusal> {
    run(server, name, manner, |stored| {
        let stored = stored.ok_or_else(|| no_job(server, name))?;
        let at = scale::group_of(&stored.value, name, group)?;
        let mut changed = as_written(&stored.value);
        changed["spec"]["groups"][at]["count"] = json!(count);
        Ok(wanted(admission::job(changed, name, manner.validation)?, seen.clone(), None))
    })
    .await
}

/// Goes back to an earlier version.
pub(super) async fn rollback(
    server: &Server,
    name: &Name,
    (to, why, seen): (u64, &str, Seen),
    manner: &Manner,
) -> Result<Done<Value>, Refusal> {
    run(server, name, manner, |stored| {
        let stored = stored.ok_or_else(|| no_job(server, name))?;
        let back = server.look(|scene| rollback::back(scene.view, (name, stored), (to, why), manner))?;
        let Back { job, submission, revert } = back;
        let wanted = Wanted { job, submission, revert: Some(revert) };
        Ok(Wish { wanted, seen: seen.clone(), warnings: Vec::new(), is_applied: true })
    })
    .await
}

/// What is known of a job that is there and cannot be read.
fn last_known(server: &Server, name: &Name) -> Option<Stored<Job>> {
    server.look(|scene| job_edit::last_known(scene.view, &name.namespace, &name.name))
}

/// What is wanted of a job, and what the sender has seen of it.
struct Wish {
    wanted: Wanted,
    seen: Seen,
    warnings: Vec<String>,
    /// Whether the owners of its fields are settled already.
    is_applied: bool,
}

fn wanted(admitted: Admitted<Job>, seen: Seen, submission: Option<Submission>) -> Wish {
    let Admitted { document: job, warnings } = admitted;
    Wish { wanted: Wanted { job, submission, revert: None }, seen, warnings, is_applied: false }
}

async fn run(
    server: &Server,
    name: &Name,
    manner: &Manner,
    make: impl Fn(Option<&Stored<Job>>) -> Result<Wish, Refusal> + Sync,
) -> Result<Done<Value>, Refusal> {
    let key = Key::job(&name.namespace, &name.name);
    let target = Target { kind: Kind::Job, name, key: &key, is_dry: manner.is_dry };
    let cached = server.look(|scene| scene.view.jobs.stored(&key).cloned());
    let done =
        change(server, &target, cached, |stored| edited(server, stored, make(stored)?, manner)).await?;
    Ok(if manner.is_dry { foreseen(server, name, done) } else { written(server, name, done) })
}

/// What a wish makes of a job.
fn edited(
    server: &Server,
    stored: Option<&Stored<Job>>,
    wish: Wish,
    manner: &Manner,
) -> Result<Change<Job>, Refusal> {
    let Wish { mut wanted, seen, warnings, is_applied } = wish;
    let ObjectMeta { namespace, name, .. } = &wanted.job.metadata;
    let unreadable = if stored.is_none() { last_known(server, &Name::new(namespace, name)) } else { None };
    let known = stored.or(unreadable.as_ref()).map(|stored| &stored.value);
    mask::settle(&mut wanted.job, known)?;
    if !is_applied {
        let old = stored.map(|stored| &stored.value);
        old.into_iter().for_each(|old| unsaid::leave_out(&mut wanted.job, old));
        wanted.job.metadata.managed_fields = ownership::updated(server, manner, old, &wanted.job);
    }
    let now = server.now();
    let Edit { job, writes } = server.look(|scene| job_edit::edit(scene.view, stored, wanted, now));
    let weight = match stored {
        Some(stored) if job_edit::only_ends(&stored.value, &job) => Weight::Relief,
        Some(_) | None => Weight::Growth,
    };
    Ok(Change { document: job, writes, seen, warnings, weight })
}

/// A job that was written, as it is shown now.
fn written(server: &Server, name: &Name, done: Done<Job>) -> Done<Value> {
    let Done { document: _, is_new, warnings } = done;
    Done { document: shown(server, Kind::Job, name), is_new, warnings }
}

/// A job as it would be shown if it had been written.
fn foreseen(server: &Server, name: &Name, done: Done<Job>) -> Done<Value> {
    let Done { document: job, is_new, warnings } = done;
    let metadata = ObjectMeta { generation: Some(job.version), ..job.metadata.clone() };
    let key = Key::job(&name.namespace, &name.name);
    let spec = server.look(|scene| mask::foreseen(&job, scene.view.jobs.get(&key)));
    let mut document = document(Kind::Job, &metadata, &[("spec", spec)]);
    // What a read of the one document says, so that a dry run differs in what would change only.
    let now = server.look(|scene| catalog::join(&Scene { explains: true, ..*scene }, Kind::Job, name));
    if let Some(now) = now {
        for field in ["uid", "resourceVersion"] {
            document["metadata"][field] = now["metadata"][field].clone();
        }
        document["status"] = now["status"].clone();
    }
    Done { document, is_new, warnings }
}

/// A job as its author would send it.
pub(super) fn as_written(job: &Job) -> Value {
    whole(job, &job.as_written())
}

fn whole(job: &Job, spec: &Value) -> Value {
    json!({
        "apiVersion": GROUP_VERSION, "kind": Kind::Job.words().kind, "metadata": part(&job.metadata), "spec": spec,
    })
}

fn submission(sent: &Sent) -> Option<Submission> {
    let format = sent.media.rsplit(['/', '-']).next().filter(|format| matches!(*format, "yaml" | "hcl"))?;
    let text = sent.text().ok()?.to_owned();
    Some(Submission { format: format.to_owned(), text, ..Submission::default() })
}
