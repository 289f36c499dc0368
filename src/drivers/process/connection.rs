//! The agent's end of a supervisor's socket.

use std::{collections::VecDeque, io};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, oneshot},
};

use super::{
    record::ExitRecord,
    wire::{Notice, Order},
};

/// An order and where its answer goes.
pub(super) type Asked = (Order, oneshot::Sender<Option<String>>);

/// One connection.
pub(super) struct Connection {
    lines: Lines<BufReader<OwnedReadHalf>>,
    write: OwnedWriteHalf,
}

impl Connection {
    pub(super) fn new(stream: UnixStream) -> Self {
        let (read, write) = stream.into_split();
        Self { lines: BufReader::new(read).lines(), write }
    }

    pub(super) async fn send(&mut self, order: &Order) -> io::Result<()> {
        let mut line = serde_json::to_vec(order)?;
        line.push(b'\n');
        self.write.write_all(&line).await
    }

    /// The next notice; `None` when the supervisor is gone.
    pub(super) async fn next(&mut self) -> io::Result<Option<Notice>> {
        let line = self.lines.next_line().await?;
        Ok(line.map(|line| serde_json::from_str(&line)).transpose()?)
    }

    /// Passes orders on until the supervisor leaves; the exit if it told one.
    pub(super) async fn follow(mut self, mut asked: mpsc::Receiver<Asked>) -> Option<ExitRecord> {
        let mut waiting: VecDeque<oneshot::Sender<Option<String>>> = VecDeque::new();
        loop {
            tokio::select! { biased;
                notice = self.next() => match notice {
                    Ok(Some(Notice::Exited(exit))) => return Some(exit),
                    Ok(Some(Notice::Done(failure))) => {
                        if let Some(Err(_)) = waiting.pop_front().map(|asker| asker.send(failure)) {
                            tracing::debug!("nobody waits for the answer any more");
                        }
                    }
                    Ok(Some(Notice::Running(_))) => {}
                    Ok(Some(Notice::Failed(_)) | None) | Err(_) => return None,
                },
                Some((order, asker)) = asked.recv() => {
                    waiting.push_back(asker);
                    if self.send(&order).await.is_err() {
                        return None;
                    }
                }
            }
        }
    }
}
