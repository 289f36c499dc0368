//! Signals as something to read, with none of them blocked: a program inherits what is blocked or ignored, so a task
//! would never hear them. What is caught is as by default again once another program runs.

use std::{
    io::{self, Read as _},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::signal::Signal;

/// Wakes whoever polls it when a signal has come.
#[derive(Debug)]
pub(crate) struct Signals {
    woken: UnixStream,
    is_asked_to_end: Arc<AtomicBool>,
}

impl Signals {
    /// Catches these from now on, and SIGTERM and SIGCHLD.
    pub(crate) fn catch(others: &[Signal]) -> io::Result<Self> {
        let (woken, waker) = UnixStream::pair()?;
        woken.set_nonblocking(true)?;
        let is_asked_to_end = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(Signal::TERM.number(), is_asked_to_end.clone())?;
        for signal in [Signal::TERM, Signal::CHLD].iter().chain(others) {
            signal_hook::low_level::pipe::register(signal.number(), waker.try_clone()?)?;
        }
        Ok(Self { woken, is_asked_to_end })
    }

    /// Sleeps again; tells whether a SIGTERM has come since the last time.
    pub(crate) fn heed(&mut self) -> bool {
        let mut bytes = [0; 64];
        while matches!(self.woken.read(&mut bytes), Ok(count) if count > 0) {}
        self.is_asked_to_end.swap(false, Ordering::SeqCst)
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.woken.as_fd()
    }
}
