//! One agent on the other end of a socket.

use std::{
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
};

use crate::process::wire::{Notice, Order};

/// More than any order has; a peer that sends longer lines is dropped.
const LONGEST_ORDER: usize = 64 * 1024;

/// A connection. Whoever does not read or speaks nonsense is dropped, never waited for.
#[derive(Debug)]
pub(super) struct Peer {
    stream: UnixStream,
    unread: Vec<u8>,
    is_open: bool,
}

impl Peer {
    pub(super) fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { stream, unread: Vec::new(), is_open: true })
    }

    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    pub(super) fn tell(&mut self, notice: &Notice) {
        let mut line = serde_json::to_vec(notice).expect("notices have only text keys");
        line.push(b'\n');
        self.is_open &= self.stream.write_all(&line).is_ok();
    }

    /// The orders that have arrived whole.
    pub(super) fn orders(&mut self) -> Vec<Order> {
        let mut chunk = [0; 4096];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => self.is_open = false,
                Ok(count) => {
                    self.unread.extend_from_slice(&chunk[..count]);
                    self.is_open &= self.unread.len() <= LONGEST_ORDER;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.is_open = false,
            }
            if !self.is_open {
                break;
            }
        }
        let mut orders = Vec::new();
        while let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.unread.drain(..=end).collect();
            match serde_json::from_slice(&line) {
                Ok(order) => orders.push(order),
                Err(_) => self.is_open = false,
            }
        }
        orders
    }
}

impl AsFd for Peer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
