//! Moves bytes between a connection and the stream below it, and tells the connection the time.
//!
//! All progress is kept here: a future that polls this can be dropped at any time.

mod writing;

use std::future::Future;
use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use sansocket::error::{CloseError, SendError, Unsent};
use sansocket::event::CloseReport;
use sansocket::{CloseCode, Connection, Event, Message, Outgoing, Role, State, Transport};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::buffers::{Input, give_spare, take_spare};
use crate::wakers::{Place, Wakers};

/// How long a peer may take nothing while somebody waits to send, before deadlines pass although not
/// all that came from it was looked at.
const STALLED: Duration = Duration::from_secs(20);

/// How long the stream may take to say goodbye when all is over.
const GOODBYE: Duration = Duration::from_secs(5);

/// Until tokio has looked for what has come.
const LOOK: Duration = Duration::from_millis(1);

pub(crate) struct Driver<S> {
    ws: Connection,
    io: S,
    wakers: Arc<Wakers>,
    /// The origin of the connection's time.
    born: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    /// Since when a sender has waited and nothing has left.
    stalled: Option<Instant>,
    /// Since when the stream is asked to say goodbye.
    goodbye: Option<Instant>,
    report: Option<Box<CloseReport>>,
    /// Who else wants the report.
    #[cfg(feature = "client")]
    last: Option<crate::connect::Last>,
    /// The first error of the stream.
    error: Option<io::Error>,
    /// Something was written that the stream may still keep to itself.
    unflushed: bool,
    /// The stream's writing end was shut down, or is broken.
    shut: bool,
    /// Writing has failed.
    broken: bool,
    /// The stream's reading end was reached, or is broken.
    ended: bool,
    /// A message came or went since the task last waited.
    busy: bool,
    /// There may be a deadline that is earlier than the timer.
    rearm: bool,
    /// A message may have begun.
    partial: bool,
    /// The connection has one of the thread's buffers.
    lent: bool,
    /// `Event::Closed` was handed out, and the stream is done with.
    over: bool,
}

/// With what waits for it and a timer, all that an idle connection takes beside its stream.
const _: () = assert!(size_of::<Driver<()>>() <= 384);

impl<S> Driver<S> {
    pub(crate) fn new(mut ws: Connection, io: S) -> Self {
        ws.advance_time(Duration::ZERO);
        Self {
            ws,
            io,
            wakers: Arc::default(),
            born: Instant::now(),
            timer: None,
            stalled: None,
            goodbye: None,
            report: None,
            #[cfg(feature = "client")]
            last: None,
            error: None,
            unflushed: false,
            shut: false,
            broken: false,
            ended: false,
            lent: false,
            busy: false,
            rearm: true,
            partial: false,
            over: false,
        }
    }

    pub(crate) const fn connection(&self) -> &Connection {
        &self.ws
    }

    /// What is called on it takes effect when the driver is polled next.
    pub(crate) const fn connection_mut(&mut self) -> &mut Connection {
        self.rearm = true;
        &mut self.ws
    }

    /// All who wait, as the stream and the timer see them. Whoever polls keeps one: a clone for each poll
    /// would cost.
    pub(crate) fn waker(&self) -> Waker {
        self.wakers.clone().into()
    }

    pub(crate) const fn wakers(&self) -> &Arc<Wakers> {
        &self.wakers
    }

    pub(crate) const fn io(&self) -> &S {
        &self.io
    }

    pub(crate) fn report(&self) -> Option<&CloseReport> {
        self.report.as_deref()
    }

    pub(crate) const fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    /// The event that [`poll_event`](Self::poll_event) found.
    pub(crate) fn event<'a>(&mut self, input: &'a mut Input) -> Option<Event<'a>> {
        let some = !input.is_empty();
        let event = input.offer(|rest| self.ws.receive(rest));
        match &event {
            Some(Event::Message(_)) => self.busy = true,
            Some(event) => self.happened(event),
            None => self.used_up(some),
        }
        event
    }

    /// All input was taken; there was some. A message may have begun, which has to end in time, and whose rest
    /// may be read to where it belongs.
    const fn used_up(&mut self, some: bool) {
        self.rearm |= some;
        self.partial |= some;
    }

    /// What else follows from an event.
    fn happened(&mut self, event: &Event<'_>) {
        self.rearm = true;
        if let Event::Closed(report) = event {
            self.reported(report.clone());
        }
        // A sender that waits for room can no longer send.
        if self.ws.state() > State::Open {
            self.wakers.wake_senders();
        }
    }

    fn reported(&mut self, report: Box<CloseReport>) {
        #[cfg(feature = "client")]
        if let Some(last) = self.last.take() {
            let mut last = last
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            *last = Some(CloseReport::clone(&report));
        }
        self.report = Some(report);
    }

    /// The report goes there as well.
    #[cfg(feature = "client")]
    pub(crate) fn tell_end(&mut self) -> crate::connect::Last {
        self.last.get_or_insert_default().clone()
    }

    /// Queues a message.
    pub(crate) fn send<M: Outgoing>(&mut self, message: M) -> Result<(), Unsent<M::Back>> {
        self.lend_buffer();
        self.busy = true;
        self.ws.send(message)
    }

    /// For output, or for a message that is gathered.
    fn lend_buffer(&mut self) {
        if !self.lent {
            self.lent = true;
            if let Some(buffer) = take_spare() {
                self.ws.lend_buffer(buffer);
            }
        }
    }

    /// The task waits: an idle connection owns no heap. A client's draws its randomness in blocks and
    /// keeps them as long as it is busy.
    fn rest(&mut self) {
        if !mem::take(&mut self.busy) || self.ws.role() == Role::Server {
            self.lent = false;
            if let Some(buffer) = self.ws.take_buffer() {
                give_spare(buffer);
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    // ── the receiver

    /// The next message. `None`: all is over.
    pub(crate) fn poll_message(
        &mut self,
        input: &mut Input,
        all: &Waker,
        cx: &Context<'_>,
    ) -> Poll<Option<Message<'static>>> {
        loop {
            match self.event(input) {
                Some(Event::Message(message)) => {
                    let message = message.into_owned();
                    // The application may wait for something else now.
                    input.rest();
                    return Poll::Ready(Some(message));
                }
                Some(_) => {}
                None => {
                    if !ready!(self.poll_more(input, all, cx)) {
                        return Poll::Ready(None);
                    }
                }
            }
        }
    }

    /// Works on until an event is certain: `true`, and [`event`](Self::event) has it. `false`: all is
    /// over.
    pub(crate) fn poll_event(
        &mut self,
        input: &mut Input,
        all: &Waker,
        cx: &Context<'_>,
    ) -> Poll<bool> {
        loop {
            let some = !input.is_empty();
            if input.offer(|rest| self.ws.find_event(rest)) {
                return Poll::Ready(true);
            }
            self.used_up(some);
            if !ready!(self.poll_more(input, all, cx)) {
                return Poll::Ready(false);
            }
        }
    }

    /// Ready when something has happened that may bring an event: all that was read has been looked at.
    /// `false`: all is over.
    fn poll_more(&mut self, input: &mut Input, all: &Waker, cx: &Context<'_>) -> Poll<bool> {
        if !self.over {
            self.wakers.receiver_waits(cx.waker());
            let moved = self.turn(input, &mut Context::from_waker(all));
            if moved.is_ready() && !self.over {
                return Poll::Ready(true);
            }
        }
        input.rest();
        self.rest();
        if !self.over {
            return Poll::Pending;
        }
        self.timer = None;
        Poll::Ready(false)
    }

    fn turn(&mut self, input: &mut Input, cx: &mut Context<'_>) -> Poll<()> {
        if self.poll_write(cx).is_ready() || self.poll_end(cx).is_ready() {
            return Poll::Ready(());
        }
        if self.poll_read(input, cx).is_ready() {
            return Poll::Ready(());
        }
        self.poll_time(cx)
    }

    // ── senders

    /// Ready when a message would not be refused for want of room.
    pub(crate) fn poll_room(
        &mut self,
        place: &mut Option<Place>,
        all: &Waker,
        cx: &Context<'_>,
    ) -> Poll<()> {
        self.poll_output(place, all, cx, |ws| {
            !matches!(ws.can_send(), Err(SendError::Full { .. }))
        })
    }

    /// Ready when everything that is queued has left, or nothing can leave any more.
    pub(crate) fn poll_flush(
        &mut self,
        place: &mut Option<Place>,
        all: &Waker,
        cx: &Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        ready!(self.poll_output(place, all, cx, |ws| ws.output().is_empty()));
        if self.unflushed && !self.shut {
            self.wait_in(place, cx);
            ready!(self.poll_flush_io(&mut Context::from_waker(all)));
            *place = None;
            self.tell_receiver();
        }
        self.rest();
        Poll::Ready(if self.broken {
            Err(SendError::Closing)
        } else {
            Ok(())
        })
    }

    fn wait_in(&self, place: &mut Option<Place>, cx: &Context<'_>) {
        let place = place.get_or_insert_with(|| Place::new(&self.wakers));
        place.waits(cx.waker());
    }

    fn poll_output(
        &mut self,
        place: &mut Option<Place>,
        all: &Waker,
        cx: &Context<'_>,
        enough: impl Fn(&Connection) -> bool,
    ) -> Poll<()> {
        if enough(&self.ws) {
            return Poll::Ready(());
        }
        self.wait_in(place, cx);
        let cx = &mut Context::from_waker(all);
        loop {
            let moved = self.poll_write(cx).is_ready() || self.poll_stall(cx).is_ready();
            if enough(&self.ws) {
                *place = None;
                self.tell_receiver();
                return Poll::Ready(());
            }
            if !moved {
                return Poll::Pending;
            }
        }
    }

    /// Starts the closing handshake.
    pub(crate) fn close(
        &mut self,
        all: &Waker,
        code: Option<CloseCode>,
        reason: &str,
    ) -> Result<(), CloseError> {
        self.ws.advance_time(self.born.elapsed());
        self.ws.close(code, reason)?;
        self.rearm = true;
        self.push(all);
        Ok(())
    }

    /// The end needs the receiver: to read what comes, to wait for no longer than the deadline, and to end
    /// the stream, which can write now.
    fn tell_receiver(&self) {
        if matches!(self.ws.can_send(), Err(SendError::Closing)) {
            self.wakers.wake_receiver();
        }
    }

    // ── the stream

    /// Ready when something was read, or the stream has ended.
    fn poll_read(&mut self, input: &mut Input, cx: &mut Context<'_>) -> Poll<()> {
        if self.ended {
            return Poll::Pending;
        }
        self.lend_buffer();
        let target = if self.partial {
            self.ws.receive_target()
        } else {
            None
        };
        let into_target = target.is_some();
        self.partial = into_target;
        let mut buf = ReadBuf::new(target.unwrap_or_else(|| input.room()));
        let read = ready!(Pin::new(&mut self.io).poll_read(cx, &mut buf));
        let n = buf.filled().len();
        match read {
            Ok(()) if n == 0 => self.end_of_input(),
            Ok(()) => {
                self.ws.advance_time(self.born.elapsed());
                if into_target {
                    self.ws.receive_target_filled(n);
                } else {
                    input.filled(n);
                }
            }
            // TLS without a goodbye: what counts is the closing handshake.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.error.get_or_insert(error);
                self.end_of_input();
            }
            Err(error) => {
                self.ended = true;
                self.shut = true;
                self.error.get_or_insert(error);
                self.ws.transport_lost();
            }
        }
        Poll::Ready(())
    }

    fn end_of_input(&mut self) {
        self.ended = true;
        self.ws.receive_eof();
    }

    /// Ends the stream as the connection asks for (RFC 6455 §7.1.1). Ready when that is done.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let open = self.ws.can_send().is_ok();
        if open || !self.ws.output().is_empty() {
            return Poll::Pending;
        }
        match self.ws.transport() {
            Transport::ShutdownWrite if !self.shut => {
                let shut = ready!(Pin::new(&mut self.io).poll_shutdown(cx));
                self.shut = true;
                if let Err(error) = shut {
                    self.write_failed(error);
                }
                Poll::Ready(())
            }
            Transport::Close => {
                ready!(self.poll_goodbye(cx));
                self.over = true;
                Poll::Ready(())
            }
            _ => Poll::Pending,
        }
    }

    /// After a clean end the stream says goodbye, as TLS does. After any other it is dropped: a stream of
    /// HTTP/2 is reset then (RFC 8441 §5).
    fn poll_goodbye(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let clean = self.report.as_ref().is_some_and(|report| report.clean);
        if self.shut || !clean {
            return Poll::Ready(());
        }
        let since = *self.goodbye.get_or_insert_with(Instant::now);
        let shut = Pin::new(&mut self.io).poll_shutdown(cx);
        if shut.is_pending() && Instant::now() < since + GOODBYE {
            ready!(self.poll_timer(since + GOODBYE, cx));
        }
        self.shut = true;
        Poll::Ready(())
    }

    // ── the time

    /// Ready when a deadline has passed. The stream has just said that nothing has come; what came before
    /// the deadline is read first, as the connection asks for that once before it judges.
    fn poll_time(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self.timer.as_ref();
        if !self.rearm && !timer.is_some_and(|timer| timer.is_elapsed()) {
            return Poll::Pending;
        }
        // It may have said so because others are to run first.
        if !coop::has_budget_remaining() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let now = self.born.elapsed();
        let passed = self.ws.next_deadline().is_some_and(|at| at <= now);
        self.ws.advance_time(now);
        self.rearm = passed;
        if passed {
            if self.ws.next_deadline().is_some_and(|at| at <= now) {
                // It counts what came before. After a stop of the whole process tokio knows of the time
                // before it knows what came, so it gets to look.
                self.rearm = false;
                return self.poll_timer(Instant::now() + LOOK, cx);
            }
            return Poll::Ready(());
        }
        self.poll_deadline(cx)
    }

    /// The same for a sender that waits. What the peer has sent is not looked at, such as the answer to
    /// a ping, so that no deadline passes as long as the peer takes something now and then.
    fn poll_stall(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        let since = *self.stalled.get_or_insert(now);
        self.rearm = true;
        if now < since + STALLED {
            return self.poll_timer(since + STALLED, cx);
        }
        self.poll_time(cx)
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = self.ws.next_deadline();
        match deadline.and_then(|at| self.born.checked_add(at)) {
            Some(at) => self.poll_timer(at, cx),
            None => Poll::Pending,
        }
    }

    /// Sees to it that we are woken then. Each read makes deadlines later: the timer is left alone as
    /// long as it is early enough.
    fn poll_timer(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.timer {
            None => self.timer = Some(Box::pin(sleep_until(at))),
            Some(timer) if at < timer.deadline() || timer.is_elapsed() => timer.as_mut().reset(at),
            Some(_) => return Poll::Pending,
        }
        let Some(timer) = &mut self.timer else {
            return Poll::Pending;
        };
        // Without tokio's budget, so that it is certain that the timer knows our waker.
        let mut timer = coop::unconstrained(timer.as_mut());
        Pin::new(&mut timer).poll(cx)
    }
}
