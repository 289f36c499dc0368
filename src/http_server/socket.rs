//! A connection that is given up once its peer stops reading.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// How long bytes may wait without one being taken: a network that is away for longer breaks connections anyway.
const STALL: Duration = Duration::from_secs(30);

/// A stream, what was read of it before, and the time its peer has.
pub(super) struct Socket<T> {
    stream: T,
    head: Vec<u8>,
    /// Set while something waits to be written.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<T> Socket<T> {
    /// Goes on after `head`.
    pub(super) fn new(stream: T, head: Vec<u8>) -> Socket<T> {
        Socket { stream, head, stalled: None }
    }

    /// Progress ends the wait; waiting for too long is an error.
    fn watch<O>(&mut self, cx: &mut Context<'_>, wrote: Poll<io::Result<O>>) -> Poll<io::Result<O>> {
        if wrote.is_ready() {
            self.stalled = None;
            return wrote;
        }
        let patience =
            self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + STALL)));
        ready!(patience.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer does not read")))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Socket<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.head.is_empty() {
            return Pin::new(&mut this.stream).poll_read(cx, into);
        }
        let some = this.head.len().min(into.remaining());
        into.put_slice(&this.head[..some]);
        this.head.drain(..some);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Socket<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.watch(cx, wrote)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.stream).poll_write_vectored(cx, bytes);
        this.watch(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        this.watch(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_reads_nothing_is_given_up_and_a_slow_one_is_not() {
        let (ours, mut theirs) = tokio::io::duplex(16);
        let mut socket = Socket::new(ours, b"head ".to_vec());
        theirs.write_all(b"and more").await.unwrap();
        let mut read = [0; 13];
        socket.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"head and more");

        let slow = tokio::spawn(async move {
            let mut byte = [0];
            for _ in 0..8 {
                tokio::time::sleep(STALL.saturating_sub(Duration::from_secs(1))).await;
                theirs.read_exact(&mut byte).await.unwrap();
            }
            theirs
        });
        socket.write_all(&[7; 24]).await.unwrap();
        let theirs = slow.await.unwrap();
        let began = Instant::now();
        let error = socket.write_all(&[7; 24]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() >= STALL);
        drop(theirs);
    }
}
