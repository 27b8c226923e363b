//! Connections on their way: each batch is one message over a Unix socket, with the descriptors beside it.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// The most descriptors that Linux takes with one message (`SCM_MAX_FD`).
pub const BATCH: usize = 253;

/// The states of a batch: no more is believed.
const LONGEST: usize = 1 << 30;

/// How many states follow, and how many bytes they take.
const HEAD: usize = 8;

/// Sends descriptors with what belongs to each; an empty batch says that there are no more.
pub fn give(to: &UnixStream, descriptors: &[BorrowedFd<'_>], states: &[Vec<u8>]) -> io::Result<()> {
    let mut bytes = vec![0; HEAD];
    for state in states {
        bytes.extend_from_slice(&number(state.len())?);
        bytes.extend_from_slice(state);
    }
    let len = bytes.len() - HEAD;
    bytes[..4].copy_from_slice(&number(states.len())?);
    bytes[4..HEAD].copy_from_slice(&number(len)?);

    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let head = [IoSlice::new(&bytes)];
    let sent = sendmsg(to, &head, &mut beside, SendFlags::NOSIGNAL)?;
    // They went with the first bytes.
    let mut to = to;
    to.write_all(&bytes[sent..])
}

/// Descriptors with what belongs to each.
pub type Batch = Vec<(OwnedFd, Vec<u8>)>;

/// The next batch; an empty one is the last.
pub fn take(from: &UnixStream) -> io::Result<Batch> {
    let mut head = [0; HEAD];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let got = recvmsg(
        from,
        &mut [IoSliceMut::new(&mut head)],
        &mut beside,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    let mut descriptors = Vec::new();
    for message in beside.drain() {
        if let RecvAncillaryMessage::ScmRights(some) = message {
            descriptors.extend(some);
        }
    }
    if got.bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut from = from;
    from.read_exact(&mut head[got.bytes..])?;
    let [a, b, c, d, e, f, g, h] = head;
    let count = u32::from_le_bytes([a, b, c, d]) as usize;
    let len = u32::from_le_bytes([e, f, g, h]) as usize;
    if count != descriptors.len() || len > LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = vec![0; len];
    from.read_exact(&mut bytes)?;
    let mut rest = &bytes[..];
    let mut taken = Vec::with_capacity(count);
    for descriptor in descriptors {
        let Some((own, after)) = rest.split_first_chunk() else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let Some((state, after)) = after.split_at_checked(u32::from_le_bytes(*own) as usize) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        rest = after;
        taken.push((descriptor, state.to_vec()));
    }
    Ok(taken)
}

/// What a batch of these is sent with.
pub fn borrowed<T: AsFd>(owners: &[T]) -> Vec<BorrowedFd<'_>> {
    owners.iter().map(AsFd::as_fd).collect()
}

fn number(number: usize) -> io::Result<[u8; 4]> {
    let number = u32::try_from(number).map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok(number.to_le_bytes())
}
