//! A call to the agent of a node. Where it answers is what it said itself, so nothing of that is trusted.
//!
//! Only a host and a port are dialled, never an address that leads to the metadata of a cloud or to everybody, looked
//! up once and dialled as found. Nothing sends the call elsewhere. What comes back is passed on if it is text and
//! comes within its time and size; what else it says is not repeated, since it may be the word of somebody else.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures::Stream;
use schemas::agent_address::{AgentAddress, Host, may_be_dialled};
use schemas::agent_documents;
use schemas::node::Fingerprint;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::refusal::Refusal;
use super::scene::Name;

/// How long a look-up and how long taking the call may take; the log itself may last.
const CONNECT: Duration = Duration::from_secs(3);
/// How long the head of an answer may take: an agent looks for the last lines of a large log.
const HEAD: Duration = Duration::from_secs(10);
/// How long a log that is not followed may say nothing.
const QUIET: Duration = Duration::from_secs(30);
/// How much of a log that is not followed is passed on: no task keeps more unless told to.
const WHOLE_BYTES: usize = 1024 * 1024 * 1024;
/// How many logs are passed on at once.
const CALLS: usize = 512;

static AGENTS: LazyLock<reqwest::Client> = LazyLock::new(|| {
    let client = http_client::builder().connect_timeout(CONNECT).no_proxy();
    let client = client.redirect(reqwest::redirect::Policy::none()).build();
    client.expect("a client without options of ours to be wrong")
});
static ROOM: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(CALLS)));

/// Which part of which log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// The allocation.
    pub name: &'a Name,
    /// Its task.
    pub task: &'a str,
    /// `stdout` or `stderr`.
    pub stream: &'static str,
    /// Whether what is written later is passed on too.
    pub follows: bool,
    /// Only so many last lines.
    pub tail: Option<u64>,
}

/// A node's agent, ready to be called.
#[derive(Debug)]
pub(super) struct AgentCall<'a> {
    node: &'a str,
    address: AgentAddress,
}

impl<'a> AgentCall<'a> {
    /// To where the node's fingerprint says.
    pub(super) fn to(node: &'a str, found: Option<&Fingerprint>) -> Result<AgentCall<'a>, Refusal> {
        let address = found.map_or(Ok(None), agent_documents::address);
        let address = address.map_err(|unfit| Refusal::bad_gateway(format!("node {node}: {unfit}")))?;
        let silent = || Refusal::bad_gateway(format!("node {node} does not say where its agent answers"));
        Ok(AgentCall { node, address: address.ok_or_else(silent)? })
    }

    /// A log, as it comes.
    pub(super) async fn log(&self, asked: Asked<'_>) -> Result<Response, Refusal> {
        let busy = |_| Refusal::unavailable("too many logs are being read; try again");
        let room = ROOM.clone().try_acquire_owned().map_err(busy)?;
        let mut query = vec![("type", asked.stream.to_owned())];
        query.extend(asked.follows.then(|| ("follow", "true".to_owned())));
        query.extend(asked.tail.map(|lines| ("tail", lines.to_string())));
        let url = self.url(&["v1", "logs", &asked.name.namespace, &asked.name.name, asked.task]).await?;
        let answer = timeout(HEAD, AGENTS.get(url).query(&query).send()).await;
        let answer = answer.map_err(|_| self.failed("says nothing"))?;
        let answer = answer.map_err(|error| self.failed(&format!("does not answer: {error}")))?;
        match answer.status() {
            StatusCode::OK if is_text(answer.headers()) => {
                let body = Body::from_stream(passed_on(answer, asked.follows, room));
                Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], body).into_response())
            }
            StatusCode::OK => Err(self.failed("answers with something that is no log")),
            StatusCode::NOT_FOUND => Err(Refusal::no_logs(format!(
                "allocation {} has no logs on node {}",
                asked.name.name, self.node
            ))),
            status => Err(self.failed(&format!("answers {}", status.as_u16()))),
        }
    }

    fn failed(&self, why: &str) -> Refusal {
        Refusal::bad_gateway(format!("the agent of node {} at {} {why}", self.node, self.address))
    }

    /// The address as it is dialled: found by now, and its path in pieces that no name can leave.
    async fn url(&self, path: &[&str]) -> Result<reqwest::Url, Refusal> {
        let socket = self.found().await?;
        let mut url =
            reqwest::Url::parse(&format!("http://{socket}/")).map_err(|_| self.failed("is no URL"))?;
        url.path_segments_mut().map_err(|()| self.failed("is no URL"))?.clear().extend(path);
        Ok(url)
    }

    async fn found(&self) -> Result<SocketAddr, Refusal> {
        let port = self.address.port();
        let name = match self.address.host() {
            Host::Ip(ip) => return Ok(SocketAddr::new(*ip, port)),
            Host::Name(name) => name,
        };
        let found = timeout(CONNECT, tokio::net::lookup_host((name.as_str(), port))).await;
        let found = found.ok().and_then(Result::ok).ok_or_else(|| self.failed("has a name nobody knows"))?;
        let mut allowed = found.filter(|socket| may_be_dialled(socket.ip()));
        allowed.next().ok_or_else(|| self.failed("has a name that leads where no agent is dialled"))
    }
}

/// Whether an answer is text. Agents of older versions do not say.
fn is_text(headers: &HeaderMap) -> bool {
    let Some(named) = headers.get(header::CONTENT_TYPE) else { return true };
    named.to_str().is_ok_and(|named| named.starts_with("text/plain"))
}

fn passed_on(
    mut answer: reqwest::Response,
    follows: bool,
    room: OwnedSemaphorePermit,
) -> impl Stream<Item = io::Result<Bytes>> {
    async_stream::try_stream! {
        let _room = room;
        let mut left = WHOLE_BYTES;
        loop {
            let chunk = if follows {
                answer.chunk().await
            } else {
                timeout(QUIET, answer.chunk()).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
            };
            let Some(chunk) = chunk.map_err(io::Error::other)? else { return };
            if !follows {
                let after = left.checked_sub(chunk.len());
                left = after.ok_or_else(|| io::Error::from(io::ErrorKind::FileTooLarge))?;
            }
            yield chunk;
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// What is passed on of an agent that answers this to one call, and what it was asked.
    async fn call(answer: &str) -> (Result<String, String>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let answer = answer.replace("ADDRESS", &address);
        let agent = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = vec![0; 4096];
            let read = stream.read(&mut asked).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&asked[..read]).lines().next().unwrap_or_default().to_owned()
        });
        let found = Fingerprint { address, ..Fingerprint::default() };
        let name = Name::new("default", "we?b/../x");
        let asked = Asked { name: &name, task: "t", stream: "stdout", follows: false, tail: None };
        let answer = match AgentCall::to("n1", Some(&found)).unwrap().log(asked).await {
            Ok(response) => {
                let bytes = response.into_body().collect().await.unwrap().to_bytes();
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            }
            Err(refusal) => Err(refusal.message().to_owned()),
        };
        (answer, agent.await.unwrap())
    }

    #[tokio::test]
    async fn only_logs_are_passed_on_and_nothing_foreign_is_repeated() {
        let ok = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n";
        let (answer, asked) =
            call(&format!("{ok}content-type: text/plain; charset=utf-8\r\n\r\nlines")).await;
        assert_eq!(answer.as_deref(), Ok("lines"));
        assert_eq!(asked, "GET /v1/logs/default/we%3Fb%2F..%2Fx/t?type=stdout HTTP/1.1");
        assert_eq!(call(&format!("{ok}\r\nlines")).await.0.as_deref(), Ok("lines"), "an older agent");
        for foreign in [
            format!("{ok}content-type: application/json\r\n\r\ns3cr!"),
            format!("{ok}content-type: text/html\r\n\r\ns3cr!"),
            "HTTP/1.1 302 Found\r\nlocation: http://ADDRESS/s3cr!\r\ncontent-length: 0\r\n\r\n".to_owned(),
            "HTTP/1.1 400 Bad\r\ncontent-length: 5\r\n\r\ns3cr!".to_owned(),
            "HTTP/1.1 404 Gone\r\ncontent-length: 5\r\n\r\ns3cr!".to_owned(),
            "HTTP/1.1 500 s3cr!\r\ncontent-length: 5\r\n\r\ns3cr!".to_owned(),
            "s3cr!\r\n\r\n".to_owned(),
        ] {
            let said = call(&foreign).await.0.unwrap_err();
            assert!(!said.contains("s3cr!"), "{said}");
        }
    }

    #[test]
    fn nobody_is_dialled_at_what_is_no_address() {
        for address in ["", "http://127.0.0.1:80", "127.0.0.1:80/x", "169.254.169.254:80", "0.0.0.0:80"] {
            let found = Fingerprint { address: address.to_owned(), ..Fingerprint::default() };
            assert!(AgentCall::to("n1", Some(&found)).is_err(), "{address}");
        }
        assert!(AgentCall::to("n1", None).is_err());
    }
}
