//! Watching documents: JSON lines, each sent as soon as this server has seen the change.
//!
//! A watch is level-triggered: what changed twice before a line could be sent is sent once, as it is now. It
//! ends with 410 when the changes it is owed are no longer remembered; then the reader lists again.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use schemas::key::Revision;
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use super::feed::{How, Moment};
use super::read::{Listed, SLICE, shape};
use super::refusal::Refusal;
use super::request::{ReadQuery, is_set};
use super::resources::catalog;
use super::scene::{Name, Scene};
use super::server::Server;

/// How often a quiet watch says how far it has seen.
const BOOKMARK_EVERY: Duration = Duration::from_secs(15);
/// How long a watch lasts if the request does not say: clients come back by themselves.
const LASTS: Duration = Duration::from_hours(1);

/// Opens a watch.
pub(super) fn stream(server: &Server, listed: Listed, query: &ReadQuery) -> Result<Response, Refusal> {
    let after = match query.resource_version.as_deref() {
        None | Some("" | "0") => None,
        Some(text) => Some(Revision(
            text.parse()
                .map_err(|_| Refusal::bad_request(format!("resourceVersion: {text:?} is not a revision")))?,
        )),
    };
    let sends_initial = after.is_none() || is_set(query.send_initial_events.as_ref());
    // Subscribe first, then look: what happens between the two is seen twice and sent once.
    let from = if sends_initial { Revision(u64::MAX) } else { after.unwrap_or_default() };
    let (past, news) = server.feed().after(from)?;
    let mut watch = Watching {
        server: server.clone(),
        known: None,
        sent: BTreeMap::new(),
        listed,
        bookmarks: is_set(query.allow_watch_bookmarks.as_ref()),
        seen: after.unwrap_or_default(),
    };
    let mut first = Vec::new();
    if sends_initial {
        first = watch.initial();
    } else {
        watch.remember(&past);
    }
    if sends_initial && is_set(query.send_initial_events.as_ref()) && watch.bookmarks {
        first.extend(watch.bookmark(&json!({"k8s.io/initial-events-end": "true"})));
    }
    first.extend(watch.lines(&past));
    let lasts = query.timeout_seconds.map_or(LASTS, Duration::from_secs);
    let body = Body::from_stream(watch.run(first, news, lasts));
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// One open watch.
struct Watching {
    server: Server,
    listed: Listed,
    bookmarks: bool,
    /// What the reader knows of, where a selector makes that differ from what there is.
    known: Option<BTreeSet<Name>>,
    /// A digest of what was sent last of each document, so that nothing is sent twice.
    sent: BTreeMap<Name, u64>,
    seen: Revision,
}

impl Watching {
    /// Everything there is, as new. What changes between the slices is news that is waiting already.
    fn initial(&mut self) -> Vec<u8> {
        let server = self.server.clone();
        let (names, seen) = server.look(|scene| (self.listed.names(scene), scene.view.revision));
        self.seen = seen;
        let (mut lines, mut known) = (Vec::new(), BTreeSet::new());
        for slice in names.chunks(SLICE) {
            server.look(|scene| {
                for name in slice {
                    let Some(document) = self.listed.join(scene, name) else { continue };
                    self.is_news(name, &document);
                    known.insert(name.clone());
                    self.line(&mut lines, "ADDED", (document, scene));
                }
            });
        }
        self.known = Some(known);
        lines
    }

    /// Notes what the reader knows of from its list; needed only where a selector hides documents. What came and
    /// went since that list is in `past`.
    fn remember(&mut self, past: &[Arc<Moment>]) {
        if self.listed.selector.is_everything() {
            return;
        }
        let server = self.server.clone();
        let names = server.look(|scene| self.listed.names(scene));
        let mut known = BTreeSet::new();
        for slice in names.chunks(SLICE) {
            server.look(|scene| {
                let is_selected = |name: &&Name| self.listed.join(scene, name).is_some();
                known.extend(slice.iter().filter(is_selected).cloned());
            });
        }
        // By name, whether it came into being first: then the reader cannot know of it.
        let mut born: BTreeMap<&Name, bool> = BTreeMap::new();
        let touched = past.iter().flat_map(|moment| &moment.touched);
        for touched in touched.filter(|touched| touched.kind == self.listed.kind) {
            let is_new = *born.entry(&touched.name).or_insert(touched.how == How::Added);
            match &touched.how {
                How::Added if is_new => drop(known.remove(&touched.name)),
                How::Gone(ghost) if !is_new && self.listed.selector.selects(ghost) => {
                    known.insert(touched.name.clone());
                }
                How::Added | How::Modified | How::Gone(_) => {}
            }
        }
        self.known = Some(known);
    }

    async fn next(news: &mut Receiver<Arc<Moment>>) -> Result<Vec<Arc<Moment>>, RecvError> {
        let mut moments = vec![news.recv().await?];
        loop {
            match news.try_recv() {
                Ok(moment) => moments.push(moment),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return Ok(moments),
                Err(TryRecvError::Lagged(missed)) => return Err(RecvError::Lagged(missed)),
            }
        }
    }

    fn run(
        mut self,
        first: Vec<u8>,
        mut news: Receiver<Arc<Moment>>,
        lasts: Duration,
    ) -> impl futures::Stream<Item = Result<Bytes, std::convert::Infallible>> {
        async_stream::stream! {
            if !first.is_empty() {
                yield Ok(first.into());
            }
            let stop = self.server.stop().clone();
            let end = tokio::time::sleep(lasts);
            tokio::pin!(end);
            let mut quiet = tokio::time::interval(BOOKMARK_EVERY);
            quiet.tick().await;
            loop {
                let lines = tokio::select! { biased;
                    () = stop.cancelled() => return,
                    () = &mut end => return,
                    moments = Self::next(&mut news) => match moments {
                        Ok(moments) if moments.iter().all(|moment| !moment.is_gap) => self.lines(&moments),
                        Ok(_) | Err(RecvError::Lagged(_) | RecvError::Closed) => {
                            let error = json!({"type": "ERROR", "object": Refusal::expired().status()});
                            yield Ok(format!("{error}\n").into());
                            return;
                        }
                    },
                    _ = quiet.tick(), if self.bookmarks => {
                        let told = self.server.feed().told();
                        // What is told is here by now, unless it waits to be read.
                        if news.is_empty() { self.seen = self.seen.max(told) }
                        self.bookmark(&Value::Null)
                    }
                };
                if !lines.is_empty() {
                    yield Ok(lines.into());
                }
            }
        }
    }

    /// The lines for some moments: each document once, as it is now.
    fn lines(&mut self, moments: &[Arc<Moment>]) -> Vec<u8> {
        let mut latest: BTreeMap<&Name, (Revision, Option<&Value>, bool)> = BTreeMap::new();
        for moment in moments {
            self.seen = self.seen.max(moment.revision);
            let touched = moment.touched.iter().filter(|touched| touched.kind == self.listed.kind);
            for touched in touched.filter(|touched| self.listed.admits(&touched.name)) {
                let entry = latest.entry(&touched.name).or_default();
                entry.0 = moment.revision;
                match &touched.how {
                    How::Added => entry.2 = true,
                    How::Modified => {}
                    How::Gone(ghost) => *entry = (moment.revision, Some(ghost), false),
                }
            }
        }
        if latest.is_empty() {
            return Vec::new();
        }
        let server = self.server.clone();
        server.look(|scene| {
            let mut lines = Vec::new();
            for (name, (revision, ghost, is_new)) in latest {
                if let Some(ghost) = ghost {
                    self.gone(&mut lines, name, (ghost.clone(), scene));
                }
                self.changed(&mut lines, (name, revision, is_new || ghost.is_some()), scene);
            }
            lines
        })
    }

    /// A document may look different, or may have come into or gone out of sight.
    fn changed(
        &mut self,
        lines: &mut Vec<u8>,
        (name, revision, is_new): (&Name, Revision, bool),
        scene: &Scene<'_>,
    ) {
        let Some(mut document) = catalog::join(scene, self.listed.kind, name) else { return };
        if !self.listed.selector.selects(&document) {
            if self.known.as_ref().is_some_and(|known| known.contains(name)) {
                self.gone(lines, name, (document, scene));
            }
            return;
        }
        if !self.is_news(name, &document) {
            return;
        }
        let is_new = match &mut self.known {
            Some(known) => known.insert(name.clone()),
            None => is_new,
        };
        raise(&mut document, revision);
        self.line(lines, if is_new { "ADDED" } else { "MODIFIED" }, (document, scene));
    }

    fn gone(&mut self, lines: &mut Vec<u8>, name: &Name, (last, scene): (Value, &Scene<'_>)) {
        self.sent.remove(name);
        let was_known = self.known.as_mut().is_none_or(|known| known.remove(name));
        if was_known {
            self.line(lines, "DELETED", (last, scene));
        }
    }

    /// Whether a document differs from what was sent last.
    fn is_news(&mut self, name: &Name, document: &Value) -> bool {
        let mut hasher = DefaultHasher::new();
        document.to_string().hash(&mut hasher);
        let digest = hasher.finish();
        self.sent.insert(name.clone(), digest) != Some(digest)
    }

    fn line(&self, lines: &mut Vec<u8>, verb: &str, (document, scene): (Value, &Scene<'_>)) {
        let object = shape(self.listed.kind, self.listed.form, self.listed.include, (document, scene));
        lines.extend(json!({"type": verb, "object": object}).to_string().into_bytes());
        lines.push(b'\n');
    }

    /// How far this watch has seen.
    fn bookmark(&self, annotations: &Value) -> Vec<u8> {
        let seen = self.seen;
        let mut object = json!({
            "apiVersion": self.listed.kind.api_version(), "kind": self.listed.kind.words().kind,
            "metadata": {"resourceVersion": seen.to_string()},
        });
        if !annotations.is_null() {
            object["metadata"]["annotations"] = annotations.clone();
        }
        format!("{}\n", json!({"type": "BOOKMARK", "object": object})).into_bytes()
    }
}

/// A line's resourceVersion never goes back, even where a half of the document was removed.
fn raise(document: &mut Value, revision: Revision) {
    let own = document["metadata"]["resourceVersion"].as_str().and_then(|text| text.parse().ok());
    if own.is_none_or(|own: u64| own < revision.0) {
        document["metadata"]["resourceVersion"] = json!(revision.to_string());
    }
}
