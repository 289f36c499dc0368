//! The first bytes of a connection: which HTTP it speaks.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What every connection of HTTP/2 begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Which HTTP a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Anything that is not the other.
    Http1,
    /// It said its whole preface.
    Http2,
}

/// Reads until it is clear, and gives back what was read. It may wait for ever: the caller has the clock.
pub(super) async fn greet(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(Protocol, Vec<u8>)> {
    let mut said = Vec::with_capacity(PREFACE.len());
    loop {
        let left = PREFACE.len() - said.len();
        if left == 0 {
            return Ok((Protocol::Http2, said));
        }
        let mut more = [0_u8; PREFACE.len()];
        let read = stream.read(&mut more[..left]).await?;
        said.extend(&more[..read]);
        if said.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if read == 0 || !PREFACE.starts_with(&said) {
            return Ok((Protocol::Http1, said));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_not_the_preface_is_the_older_one() {
        let said = async |mut bytes: &[u8]| greet(&mut bytes).await.ok().map(|(protocol, _)| protocol);
        assert_eq!(said(PREFACE).await, Some(Protocol::Http2));
        for bytes in [&b"GET / HTTP/1.1\r\n"[..], b"P", b"PRI * HTTP/2.0\r\n\r\nXX", b"\x16\x03\x01"] {
            assert_eq!(said(bytes).await, Some(Protocol::Http1), "{bytes:?}");
        }
        assert_eq!(said(b"").await, None);
    }
}
