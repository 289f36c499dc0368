//! What takes more than one request.

use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::attack::connect_many;

/// What every connection of HTTP/2 begins with, and empty settings.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";

/// Beats of nodes that do not exist: so many are heard as may be about to register, and none becomes a node.
pub fn invented_beats(address: String) -> BoxFuture<'static, Result<(), String>> {
    async move {
        let client = reqwest::Client::new();
        let mut heard = 0;
        for number in 0..400 {
            let url = format!("http://{address}/apis/encamp.dev/v1/nodes/invented-{number}/beat");
            let answer = client.post(url).send().await.map_err(|error| error.to_string())?;
            match answer.status().as_u16() {
                200 => heard += 1,
                503 => {}
                other => return Err(format!("a beat of nobody was answered with {other}")),
            }
        }
        if heard > 256 {
            return Err(format!("{heard} invented names were heard"));
        }
        let nodes = client.get(format!("http://{address}/apis/encamp.dev/v1/nodes")).send().await;
        let nodes =
            nodes.map_err(|error| error.to_string())?.text().await.map_err(|error| error.to_string())?;
        if nodes.contains("invented") { Err("an invented name became a node".to_owned()) } else { Ok(()) }
    }
    .boxed()
}

/// A hundred ask for all jobs, which are some megabytes, and read nothing.
pub fn readers_who_do_not_read(address: String) -> BoxFuture<'static, Result<(), String>> {
    async move {
        let ask = b"GET /apis/encamp.dev/v1/jobs HTTP/1.1\r\nhost: x\r\n\r\n";
        let streams = connect_many(&address, 100, ask).await;
        tokio::time::sleep(Duration::from_secs(6)).await;
        drop(streams);
        Ok(())
    }
    .boxed()
}

/// The same over HTTP/2, whose windows hide it from the socket.
pub fn streams_that_do_not_read(address: String) -> BoxFuture<'static, Result<(), String>> {
    async move {
        let mut bytes = PREFACE.to_vec();
        for stream in (1..100_u32).step_by(2) {
            headers(&mut bytes, stream, b"/apis/encamp.dev/v1/jobs");
        }
        let streams = connect_many(&address, 4, &bytes).await;
        tokio::time::sleep(Duration::from_secs(4)).await;
        drop(streams);
        Ok(())
    }
    .boxed()
}

/// Requests that are taken back as soon as they are sent.
pub fn rapid_resets(address: String) -> BoxFuture<'static, Result<(), String>> {
    async move {
        let mut bytes = PREFACE.to_vec();
        for stream in (1..4_000_u32).step_by(2) {
            headers(&mut bytes, stream, b"/apis/encamp.dev/v1/jobs");
            bytes.extend([0, 0, 4, 3, 0]);
            bytes.extend(stream.to_be_bytes());
            bytes.extend(8_u32.to_be_bytes());
        }
        flood(&address, &bytes).await
    }
    .boxed()
}

/// Settings without end.
pub fn settings(address: String) -> BoxFuture<'static, Result<(), String>> {
    async move {
        let one = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00";
        flood(&address, &[PREFACE, &one.repeat(50_000)].concat()).await
    }
    .boxed()
}

/// Headers that go on and never end.
pub fn continuations(address: String) -> BoxFuture<'static, Result<(), String>> {
    async move {
        let mut bytes = PREFACE.to_vec();
        bytes.extend(b"\x00\x00\x01\x01\x00\x00\x00\x00\x01\x82");
        for _ in 0..2_000 {
            bytes.extend(b"\x00\x01\x00\x09\x00\x00\x00\x00\x01");
            bytes.extend([0x82; 256]);
        }
        flood(&address, &bytes).await
    }
    .boxed()
}

/// Sends all of it, and expects that it is taken or cut.
async fn flood(address: &str, bytes: &[u8]) -> Result<(), String> {
    let mut stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let (mut read, mut write) = stream.split();
    let reading = async {
        let mut answer = vec![0; 65_536];
        while read.read(&mut answer).await.is_ok_and(|read| read > 0) {}
    };
    let sending = async { drop(write.write_all(bytes).await) };
    let both = async { tokio::join!(timeout(Duration::from_secs(2), reading), sending) };
    timeout(Duration::from_secs(10), both).await.map(drop).map_err(|_| "the flood was held up".to_owned())
}

/// A `GET` of HTTP/2 in the words of its static table.
fn headers(bytes: &mut Vec<u8>, stream: u32, path: &[u8]) {
    let length = u8::try_from(path.len()).expect("a short path");
    let block = [&[0x82, 0x86, 0x04, length], path, &[0x01, 0x01, b'x']].concat();
    let size = u8::try_from(block.len()).expect("a short block");
    bytes.extend([0, 0, size, 1, 5]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(block);
}
