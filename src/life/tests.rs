//! Each rule of a connection's life by itself, and what holds after every sequence of events.

use alloc::vec;
use alloc::vec::Vec;

use super::*;

/// Everything was read, and nothing waits.
const DONE: Progress = Progress {
    unread: false,
    drained: true,
    can_leave: false,
    close_has_left: false,
    in_frame: false,
    bounded: true,
};

/// Our Close frame is queued.
const QUEUED: Progress = Progress {
    drained: false,
    can_leave: true,
    ..DONE
};

/// Our Close frame has left.
const CLOSE_LEFT: Progress = Progress {
    close_has_left: true,
    ..DONE
};

fn open(role: Role) -> Life {
    let mut life = Life::new(role);
    life.established();
    life.take_open();
    life
}

fn both_closed(role: Role) -> Life {
    let mut life = open(role);
    life.close_received(DONE);
    life.close_queued();
    life
}

/// RFC 6455 §7.1.1: with both Close frames through the server closes, and the client waits for that.
#[test]
fn the_server_closes_first() {
    let server = both_closed(Role::Server);
    assert_eq!(server.transport(QUEUED), Transport::KeepOpen);
    assert_eq!(server.transport(CLOSE_LEFT), Transport::Close);
    assert_eq!(server.state(CLOSE_LEFT), State::Closed);
    let mut client = both_closed(Role::Client);
    assert_eq!(client.transport(QUEUED), Transport::KeepOpen);
    assert_eq!(client.transport(CLOSE_LEFT), Transport::AwaitPeerEnd);
    assert_eq!(client.state(CLOSE_LEFT), State::Closing);
    assert!(client.eof());
    assert_eq!(client.transport(CLOSE_LEFT), Transport::Close);
    assert_eq!(client.state(CLOSE_LEFT), State::Closed);
}

/// RFC 6455 §5.5.1: after our Close frame messages are still read, and none are sent; after the peer's neither.
#[test]
fn a_close_frame_ends_one_direction() {
    let mut ours = open(Role::Client);
    ours.close_queued();
    assert!(ours.reads_frames() && !ours.may_send() && !ours.discards());
    assert!(!ours.may_close(QUEUED));
    let mut peers = open(Role::Client);
    peers.close_received(DONE);
    assert!(!peers.reads_frames() && !peers.may_send() && peers.discards());
}

/// RFC 6455 §5.5.1: the answer to the peer's Close frame may wait, until there is nobody left to answer.
#[test]
fn who_may_answer_a_close_frame() {
    let mut asked = open(Role::Server);
    assert!(!asked.may_answer_close(QUEUED));
    asked.close_received(DONE);
    assert!(asked.may_answer_close(QUEUED));
    let ends: [fn(&mut Life); 7] = [
        Life::close_queued,
        Life::failed,
        |life| _ = life.write_lost(),
        |life| _ = life.lost(),
        |life| _ = life.eof(),
        Life::gave_up,
        Life::reported,
    ];
    for (at, end) in ends.into_iter().enumerate() {
        let mut life = asked;
        end(&mut life);
        assert!(!life.may_answer_close(QUEUED), "{at}");
    }
    let mut ours = open(Role::Server);
    ours.close_queued();
    assert!(!ours.may_answer_close(QUEUED));
}

/// RFC 6455 §7.1.4: only both Close frames make a clean end, and ours counts once it has left.
#[test]
fn clean_is_what_both_have_closed() {
    let life = both_closed(Role::Server);
    assert!(!life.is_clean(QUEUED) && life.is_clean(CLOSE_LEFT));
    let mut failed = life;
    failed.failed();
    assert!(!failed.is_clean(CLOSE_LEFT));
    let mut ours = open(Role::Server);
    ours.close_queued();
    assert!(!ours.is_clean(CLOSE_LEFT));
}

/// RFC 6455 §7.1.2, §7.1.3: who sent the first Close frame.
#[test]
fn who_began() {
    let began = |events: fn(&mut Life)| {
        let mut life = open(Role::Client);
        events(&mut life);
        life.began()
    };
    assert_eq!(began(|_| ()), None);
    assert_eq!(began(Life::close_queued), Some(Side::Us));
    assert_eq!(began(|life| life.close_received(DONE)), Some(Side::Peer));
    let answered = |life: &mut Life| {
        life.close_received(DONE);
        life.close_queued();
    };
    assert_eq!(began(answered), Some(Side::Peer));
    let answers = |life: &mut Life| {
        life.close_queued();
        life.close_received(CLOSE_LEFT);
    };
    assert_eq!(began(answers), Some(Side::Us));
    let crossed = |life: &mut Life| {
        life.close_queued();
        life.close_received(QUEUED);
    };
    assert_eq!(began(crossed), Some(Side::Both));
}

/// RFC 6455 §7.1.7, §7.1.1: after a failure nothing is read, our Close frame leaves, and the end of
/// the peer is waited for where there is a deadline.
#[test]
fn after_a_failure() {
    let mut life = open(Role::Server);
    life.failed();
    life.close_queued();
    assert!(life.discards() && !life.may_send() && !life.may_close(DONE));
    assert_eq!(life.transport(QUEUED), Transport::KeepOpen);
    assert_eq!(life.transport(CLOSE_LEFT), Transport::ShutdownWrite);
    let unbounded = Progress {
        bounded: false,
        ..CLOSE_LEFT
    };
    assert_eq!(life.transport(unbounded), Transport::Close);
    life.eof();
    assert_eq!(life.transport(CLOSE_LEFT), Transport::Close);
}

/// RFC 6455 §7.1.5: the end of the stream ends the connection, once all before it was read.
#[test]
fn the_end_of_the_stream_comes_after_what_was_read() {
    let mut life = open(Role::Server);
    assert!(life.eof());
    let unread = Progress {
        unread: true,
        ..DONE
    };
    assert_eq!(life.state(unread), State::Open);
    assert_eq!(life.state(DONE), State::Closed);
    let mut unseen = Life::new(Role::Server);
    unseen.established();
    unseen.eof();
    assert_eq!(unseen.state(DONE), State::Open);
    assert!(unseen.take_open());
    assert_eq!(unseen.state(DONE), State::Closed);
}

/// RFC 6455 §5.5.1: a Close frame waits for the end of a frame in pieces. Once the peer reads no
/// more it never leaves.
#[test]
fn a_frame_in_pieces_is_not_waited_for_at_the_end() {
    let mut life = both_closed(Role::Server);
    let in_frame = Progress {
        drained: false,
        in_frame: true,
        ..DONE
    };
    assert_eq!(life.transport(in_frame), Transport::KeepOpen);
    life.eof();
    assert_eq!(life.transport(in_frame), Transport::Close);
}

/// RFC 6455 §4.1: a client connects from the first byte of its request on.
#[test]
fn before_the_connection() {
    let mut client = Life::new(Role::Client);
    assert_eq!(client.state(QUEUED), State::Initial);
    client.output_left(0);
    assert_eq!(client.state(QUEUED), State::Initial);
    client.output_left(1);
    assert_eq!(client.state(QUEUED), State::Connecting);
    let mut server = Life::new(Role::Server);
    server.output_left(1);
    assert_eq!(server.state(QUEUED), State::Initial);
    server.refused();
    assert_eq!(server.state(QUEUED), State::Closing);
    assert_eq!(server.state(DONE), State::Closed);
}

/// RFC 6455 §4.1: what is known of TLS outweighs that the transport is gone.
#[test]
fn tls() {
    let mut life = Life::new(Role::Client);
    assert!(life.lost() && !life.lost() && !life.eof());
    assert!(!life.is_tls_failed());
    life.tls_failed();
    assert!(life.is_tls_failed() && !life.lost());
}

type Happens = (&'static str, fn(&mut Life, Progress));

/// Whatever may happen, where it may: nothing is read or queued once a connection is over.
const HAPPENS: [Happens; 14] = [
    ("established", |life, progress| {
        if life.is_opening() && !life.is_over(progress) {
            life.established();
        }
    }),
    ("refused", |life, progress| {
        if life.is_opening() {
            if life.is_over(progress) {
                life.gave_up();
            }
            life.refused();
        }
    }),
    ("close_queued", |life, progress| {
        if !life.is_over(progress) && !life.is_unwritable() {
            life.close_queued();
        }
    }),
    ("close_received", |life, progress| {
        if !life.is_over(progress) && !life.discards() {
            life.close_received(progress);
        }
    }),
    ("failed", |life, progress| {
        if !life.is_over(progress) {
            life.failed();
        }
    }),
    ("failure_is_due", |life, progress| {
        if !life.is_over(progress) {
            life.failure_is_due();
        }
    }),
    ("eof", |life, _| _ = life.eof()),
    ("write_lost", |life, _| _ = life.write_lost()),
    ("lost", |life, _| _ = life.lost()),
    ("tls_failed", |life, _| life.tls_failed()),
    ("gave_up", |life, _| life.gave_up()),
    ("reported", |life, progress| {
        if life.is_over(progress) {
            life.reported();
        }
    }),
    ("output_left", |life, _| life.output_left(1)),
    ("events taken", |life, _| {
        _ = life.take_open();
        _ = life.take_failure();
    }),
];

fn all_progress() -> Vec<Progress> {
    let all = (0..64).map(|n| Progress {
        unread: n & 1 != 0,
        drained: n & 2 != 0,
        can_leave: n & 4 != 0,
        close_has_left: n & 8 != 0,
        in_frame: n & 16 != 0,
        bounded: n & 32 != 0,
    });
    all.filter(|progress| !progress.drained || !progress.can_leave)
        .collect()
}

fn holds(life: &Life, progress: Progress) {
    let over = life.is_over(progress);
    assert_eq!(over, life.state(progress) == State::Closed);
    assert_eq!(life.reads_frames, life.facts.read_frames());
    assert_eq!(life.may_send, life.facts.let_send());
    // §5.5.1, §7.1.7: who discards neither reads nor sends messages.
    assert!(!life.discards() || !life.reads_frames() && !life.may_send());
    assert!(!life.may_send() || life.is_established() && !life.close_is_queued());
    // Who may send is open, unless the stream ended.
    assert!(!life.may_send() || life.state(progress) == State::Open || life.facts.reported);
    // §7.1.1: the transport is closed only when the connection is over.
    match life.transport(progress) {
        Transport::KeepOpen => assert!(!life.is_lost() && !life.is_given_up()),
        Transport::AwaitPeerEnd => {
            assert!(!over && life.role() == Role::Client && life.closes_are_exchanged());
        }
        Transport::ShutdownWrite => {
            assert!(over && progress.bounded && !life.has_eof() && !progress.can_leave);
        }
        Transport::Close => assert!(over),
    }
    // §7.1.4: a clean end has both Close frames.
    assert!(!life.is_clean(progress) || life.peer_has_closed() && !life.has_failed());
    assert_eq!(life.began().is_some(), life.closes() != Closes::None);
    // Nothing that is asked for is there before the opening handshake is.
    assert!(life.is_established() || !life.event_is_due() && life.began().is_none());
}

/// Nothing leads back, whatever comes after it.
fn goes_on(before: &Life, after: &Life, progress: Progress, name: &str) {
    let back = before.is_over(progress) && !after.is_over(progress);
    assert!(!back, "{name}: {before:?} {after:?} {progress:?}");
    assert!(!before.discards() || after.discards());
    assert!(before.may_send() || !after.may_send() || before.is_opening());
    assert!(!before.is_refused() || after.is_refused());
    assert!(!before.is_established() || after.is_established());
    if let Some(side) = before.began() {
        // Only ours can turn out to have crossed the peer's.
        let now = after.began();
        assert!(now == Some(side) || side == Side::Us && now == Some(Side::Both));
    }
}

/// Every life that any sequence of events leads to, at every progress. Sequences that lead to the
/// same life go on in the same way, so that each is looked at once.
#[test]
fn whatever_happens() {
    let all = all_progress();
    let mut known = vec![Life::new(Role::Client), Life::new(Role::Server)];
    let mut at = 0;
    while let Some(before) = known.get(at).copied() {
        at += 1;
        let mut next = Vec::new();
        for &progress in &all {
            holds(&before, progress);
            for (name, happens) in HAPPENS {
                let mut after = before;
                happens(&mut after, progress);
                goes_on(&before, &after, progress, name);
                if !next.contains(&after) {
                    next.push(after);
                }
            }
        }
        next.retain(|after| !known.contains(after));
        known.append(&mut next);
    }
    assert!((100..5000).contains(&known.len()), "{}", known.len());
}
