//! What is done to a server, as data.

use std::time::Duration;

use futures::future::BoxFuture;
use reqwest::Method;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};

/// How long an answer to a whole request may take.
const ANSWER: Duration = Duration::from_secs(10);

/// One act against the server at an address, `host:port`.
pub enum Act {
    /// A whole request, which must be refused: no success, and no fault of the server.
    Refused(Method, String, &'static str, Vec<u8>),
    /// A whole request, which may be answered in any way.
    Answered(Method, String, &'static str, Vec<u8>),
    /// These bytes, then silence: answered or closed within so many seconds.
    Say(Vec<u8>, u64),
    /// These bytes, then one more each half second: answered or closed within so many seconds.
    Trickle(Vec<u8>, u64),
    /// So many connections that say this and stay for some seconds.
    Crowd(usize, Vec<u8>),
    /// Anything else.
    Other(fn(String) -> BoxFuture<'static, Result<(), String>>),
}

impl Act {
    /// Whether it takes its time, so that others can be done meanwhile.
    pub fn is_slow(&self) -> bool {
        matches!(self, Act::Say(..) | Act::Trickle(..))
    }

    /// Does it.
    pub async fn perform(self, address: &str) -> Result<(), String> {
        match self {
            Act::Refused(method, path, media, body) => {
                let status = ask(address, method, &path, (media, body)).await?;
                let is_refused = (400..500).contains(&status);
                if is_refused { Ok(()) } else { Err(format!("it was answered with {status}")) }
            }
            Act::Answered(method, path, media, body) => {
                ask(address, method, &path, (media, body)).await.map(drop)
            }
            Act::Say(bytes, seconds) => say(address, &bytes, (seconds, false)).await,
            Act::Trickle(bytes, seconds) => say(address, &bytes, (seconds, true)).await,
            Act::Crowd(number, bytes) => crowd(address, number, &bytes).await,
            Act::Other(act) => act(address.to_owned()).await,
        }
    }
}

/// The status of an answer.
async fn ask(
    address: &str,
    method: Method,
    path: &str,
    (media, body): (&str, Vec<u8>),
) -> Result<u16, String> {
    let client = reqwest::Client::builder().timeout(ANSWER).build().map_err(|error| error.to_string())?;
    let request = client.request(method, format!("http://{address}{path}")).header("content-type", media);
    let answer = request.body(body).send().await;
    match answer {
        Ok(answer) => Ok(answer.status().as_u16()),
        Err(error) if error.is_timeout() => Err("it was not answered".to_owned()),
        // Closed in the middle of what was sent: refused in the shortest way.
        Err(error) if !error.is_connect() => Ok(400),
        Err(error) => Err(format!("the server is gone: {error}")),
    }
}

async fn say(address: &str, bytes: &[u8], (seconds, goes_on): (u64, bool)) -> Result<(), String> {
    let mut stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let until = Instant::now() + Duration::from_secs(seconds);
    if stream.write_all(bytes).await.is_err() {
        return Ok(());
    }
    let mut answer = [0; 1024];
    while Instant::now() < until {
        // Any byte is an answer, none or an error is the end.
        if timeout(Duration::from_millis(500), stream.read(&mut answer)).await.is_ok() {
            return Ok(());
        }
        if goes_on && stream.write_all(b"x").await.is_err() {
            return Ok(());
        }
    }
    Err(format!("it was neither answered nor closed within {seconds} s"))
}

/// Connections that say something and stay.
pub async fn connect_many(address: &str, number: usize, bytes: &[u8]) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for _ in 0..number {
        // A connection that is refused is what the server is to do at some point.
        let Ok(Ok(mut stream)) = timeout(Duration::from_secs(1), TcpStream::connect(address)).await else {
            break;
        };
        if timeout(Duration::from_secs(1), stream.write_all(bytes)).await.is_ok() {
            streams.push(stream);
        }
    }
    streams
}

async fn crowd(address: &str, number: usize, bytes: &[u8]) -> Result<(), String> {
    let streams = connect_many(address, number, bytes).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    drop(streams);
    Ok(())
}
