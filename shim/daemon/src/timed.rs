//! A connection that is given up when the other side stops reading what it asked for, and whose end waits a
//! moment for what the other side still sends.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// How long a client may be silent that was told all and hasn't hung up.
const SILENCE: Duration = Duration::from_secs(2);

/// How long it may go on sending, and how much, in bytes.
const REST: Duration = Duration::from_secs(5);
const REST_SIZE: usize = 64 << 20;

/// A stream whose writes fail when none of them gets anywhere within the limit.
#[derive(Debug)]
pub struct Timed<S> {
    stream: S,
    limit: Duration,
    deadline: Pin<Box<Sleep>>,
    is_waiting: bool,
    rest: Option<Rest>,
}

impl<S> Timed<S> {
    /// Around `stream`.
    pub fn new(stream: S, limit: Duration) -> Self {
        Self {
            stream,
            limit,
            deadline: Box::pin(sleep(limit)),
            is_waiting: false,
            rest: None,
        }
    }

    /// What a write or flush came to, or the end of patience.
    fn judge<T>(
        &mut self,
        context: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.is_waiting = false;
            return outcome;
        }
        if !self.is_waiting {
            self.is_waiting = true;
            self.deadline.as_mut().reset(Instant::now() + self.limit);
        }
        match self.deadline.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(context, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.judge(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(context);
        self.judge(context, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.rest.is_none() {
            let outcome = Pin::new(&mut this.stream).poll_shutdown(context);
            ready!(this.judge(context, outcome))?;
        }
        let rest = this.rest.get_or_insert_with(Rest::new);
        rest.poll(&mut this.stream, context).map(Ok)
    }
}

/// What a client still sends that has had its answer: of a request that was refused before it was read, all
/// of it. Closing a socket with something unread in it takes the answer away from whoever hasn't read it yet.
#[derive(Debug)]
struct Rest {
    silence: Pin<Box<Sleep>>,
    end: Pin<Box<Sleep>>,
    left: usize,
}

impl Rest {
    fn new() -> Self {
        Self {
            silence: Box::pin(sleep(SILENCE)),
            end: Box::pin(sleep(REST)),
            left: REST_SIZE,
        }
    }

    /// Reads it and throws it away, until the client hangs up or its time or its bytes are over.
    fn poll<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        let mut space = [0; 8 << 10];
        loop {
            let mut buffer = ReadBuf::new(&mut space);
            // Before the clocks: what is there already came in time.
            match Pin::new(&mut *stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    self.left = self.left.saturating_sub(buffer.filled().len());
                    self.silence.as_mut().reset(Instant::now() + SILENCE);
                    if self.left == 0 || self.end.as_mut().poll(context).is_ready() {
                        return Poll::Ready(());
                    }
                }
                // The answer is out, whatever becomes of the connection.
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => {
                    let is_over = self.silence.as_mut().poll(context).is_ready()
                        || self.end.as_mut().poll(context).is_ready();
                    return if is_over {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    };
                }
            }
        }
    }
}
