//! Standing still: what `SIGSTOP` does to a process, and sleep to a machine. Time goes on meanwhile; timers that ring
//! are heard afterwards.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

/// Whether somebody stands still. A clone is about the same one.
#[derive(Clone, Default)]
pub(crate) struct Pause(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    is_on: bool,
    asleep: Vec<Waker>,
}

impl Pause {
    /// From now on nothing moves.
    pub(crate) fn begin(&self) {
        self.0.lock().unwrap().is_on = true;
    }

    /// All goes on.
    pub(crate) fn end(&self) {
        let asleep = {
            let mut state = self.0.lock().unwrap();
            state.is_on = false;
            std::mem::take(&mut state.asleep)
        };
        asleep.into_iter().for_each(Waker::wake);
    }

    /// Whether nothing moves.
    pub(crate) fn is_on(&self) -> bool {
        self.0.lock().unwrap().is_on
    }

    /// Waits until all goes on.
    pub(crate) async fn over(&self) {
        self.stoppable(Box::pin(std::future::ready(()))).await;
    }

    /// The same future, which stands still too.
    pub(crate) fn stoppable(&self, inner: Pin<Box<dyn Future<Output = ()> + Send>>) -> Stoppable {
        Stoppable { pause: self.clone(), inner }
    }
}

/// A future that can stand still.
pub(crate) struct Stoppable {
    pause: Pause,
    inner: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Future for Stoppable {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        {
            let mut state = self.pause.0.lock().unwrap();
            if state.is_on {
                state.asleep.push(context.waker().clone());
                return Poll::Pending;
            }
        }
        self.inner.as_mut().poll(context)
    }
}
