//! Messages over a UNIX socket, with file descriptors beside them and a limit to every wait.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};

use super::protocol::{FDS_MAX, HEADER_BYTES, Header, ProtocolError};

/// Why a message could not be sent or received.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The other side closed the socket.
    #[error("the other side has closed the socket")]
    Closed,
    /// The other side did not take or send a message in time.
    #[error("the other side did nothing for {} ms", .0.as_millis())]
    Timeout(Duration),
    /// The kernel refused.
    #[error("the socket failed")]
    System(#[from] Errno),
    /// The other side does not keep to the protocol.
    #[error("the other side does not keep to the vfio-user protocol")]
    Protocol(#[from] ProtocolError),
    /// A message was cut off before; nothing on the socket makes sense any more.
    #[error("the socket is broken by an earlier error")]
    Broken,
}

/// A message that came.
#[derive(Debug)]
pub struct Message {
    /// Its header.
    pub header: Header,
    /// What is behind the header.
    pub payload: Vec<u8>,
    /// File descriptors that came with it.
    pub fds: Vec<OwnedFd>,
}

/// A socket that carries messages.
#[derive(Debug)]
pub struct Socket {
    stream: UnixStream,
    /// The message that is coming in: header, and payload as far as it came.
    partial: Vec<u8>,
    header: Option<Header>,
    fds: Vec<OwnedFd>,
    is_broken: bool,
}

impl Socket {
    /// Over a connected socket.
    ///
    /// # Errors
    /// Where it cannot be made non-blocking.
    pub fn new(stream: UnixStream) -> std::io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { stream, partial: Vec::new(), header: None, fds: Vec::new(), is_broken: false })
    }

    /// Waits until a message, or something in `more`, is at hand; says whether anything is.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn wait(&self, more: Option<BorrowedFd<'_>>, limit: Duration) -> Result<bool, SocketError> {
        wait_for(&self.stream, more, PollFlags::IN, limit)
    }

    /// Sends a message whole within `limit`.
    ///
    /// # Errors
    /// Where the other side is gone or does not take it in time.
    pub fn send(
        &mut self,
        header: Header,
        payload: &[u8],
        fds: &[BorrowedFd<'_>],
        limit: Duration,
    ) -> Result<(), SocketError> {
        if self.is_broken {
            return Err(SocketError::Broken);
        }
        let head = Header { payload: payload.len(), ..header }.to_bytes();
        let (total, deadline) = (head.len() + payload.len(), Instant::now() + limit);
        let mut sent = 0;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
        while sent < total {
            let (from_head, from_payload) =
                (&head[sent.min(head.len())..], &payload[sent.saturating_sub(head.len())..]);
            let mut beside = SendAncillaryBuffer::new(&mut space);
            // They go with the first byte.
            if sent == 0 && !fds.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(fds)) {
                let (what, value) = ("the number of file descriptors", fds.len() as u64);
                return Err(ProtocolError::Value { what, value }.into());
            }
            let parts = [IoSlice::new(from_head), IoSlice::new(from_payload)];
            match sendmsg(&self.stream, &parts, &mut beside, SendFlags::NOSIGNAL) {
                Ok(count) => sent += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() || !wait_for(&self.stream, None, PollFlags::OUT, left)? {
                        self.is_broken = sent > 0;
                        return Err(SocketError::Timeout(limit));
                    }
                }
                Err(Errno::PIPE | Errno::CONNRESET) => return Err(SocketError::Closed),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The next message, if it comes within `limit`.
    ///
    /// # Errors
    /// Where the other side is gone or sent something that is no message. A message that comes in part is kept
    /// for the next call.
    pub fn receive(&mut self, limit: Duration) -> Result<Option<Message>, SocketError> {
        if self.is_broken {
            return Err(SocketError::Broken);
        }
        let deadline = Instant::now() + limit;
        loop {
            match self.receive_part() {
                Ok(true) => {}
                Ok(false) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() || !self.wait(None, left)? {
                        return Ok(None);
                    }
                }
                Err(error) => {
                    self.is_broken = true;
                    return Err(error);
                }
            }
            if let Some(header) = self.header.filter(|header| self.partial.len() == header.payload) {
                self.header = None;
                let (payload, fds) = (std::mem::take(&mut self.partial), std::mem::take(&mut self.fds));
                return Ok(Some(Message { header, payload, fds }));
            }
        }
    }

    /// Takes what is there, up to the end of the header or of the message; says whether anything was.
    fn receive_part(&mut self) -> Result<bool, SocketError> {
        let (have, want) = (self.partial.len(), self.header.map_or(HEADER_BYTES, |header| header.payload));
        if have == want {
            return Ok(true);
        }
        self.partial.resize(want, 0);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
        let mut beside = RecvAncillaryBuffer::new(&mut space);
        let mut part = [IoSliceMut::new(&mut self.partial[have..])];
        let received = recvmsg(&self.stream, &mut part, &mut beside, RecvFlags::CMSG_CLOEXEC);
        let count = received.as_ref().map_or(0, |message| message.bytes);
        self.partial.truncate(have + count);
        match received {
            Ok(_) if count == 0 => return Err(SocketError::Closed),
            Ok(_) => {}
            Err(Errno::AGAIN | Errno::INTR) => return Ok(false),
            Err(Errno::CONNRESET) => return Err(SocketError::Closed),
            Err(error) => return Err(error.into()),
        }
        for message in beside.drain() {
            if let RecvAncillaryMessage::ScmRights(fds) = message {
                self.fds.extend(fds);
            }
        }
        if self.fds.len() > FDS_MAX {
            let (what, value) = ("the number of file descriptors", self.fds.len() as u64);
            return Err(ProtocolError::Value { what, value }.into());
        }
        if self.header.is_none()
            && let Some(head) = self.partial.first_chunk::<HEADER_BYTES>()
        {
            self.header = Some(Header::from_bytes(head)?);
            self.partial.clear();
        }
        Ok(true)
    }
}

/// Waits for an event of `first`, or for something to read from `more`.
pub(crate) fn wait_for(
    first: impl AsFd,
    more: Option<BorrowedFd<'_>>,
    event: PollFlags,
    limit: Duration,
) -> Result<bool, SocketError> {
    let mut fds = vec![PollFd::from_borrowed_fd(first.as_fd(), event)];
    fds.extend(more.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
    let limit = Timespec { tv_sec: limit.as_secs() as i64, tv_nsec: limit.subsec_nanos().into() };
    match poll(&mut fds, Some(&limit)) {
        Ok(count) => Ok(count > 0),
        // A signal came: nothing is at hand yet.
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::vfio_user::protocol::{DATA_BYTES_MAX, Kind};
    use std::io::Write;
    use std::thread;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(10);

    fn pair() -> (Socket, Socket) {
        let (a, b) = UnixStream::pair().unwrap();
        (Socket::new(a).unwrap(), Socket::new(b).unwrap())
    }

    fn header(id: u16) -> Header {
        Header { id, command: 10, payload: 0, kind: Kind::Reply }
    }

    #[test]
    fn messages_of_all_sizes_and_their_descriptors_arrive_in_order() {
        let (mut a, mut b) = pair();
        let sender = thread::spawn(move || {
            for (id, size) in [0, 1, 15, 4096, DATA_BYTES_MAX].into_iter().enumerate() {
                let file = rustix::event::eventfd(id as u32, rustix::event::EventfdFlags::empty()).unwrap();
                a.send(header(id as u16), &vec![id as u8; size], &[file.as_fd()], LONG).unwrap();
            }
            a
        });
        for (id, size) in [0, 1, 15, 4096, DATA_BYTES_MAX].into_iter().enumerate() {
            let message = b.receive(LONG).unwrap().unwrap();
            assert_eq!((message.header.id, message.header.payload), (id as u16, size));
            assert_eq!((message.payload, message.fds.len()), (vec![id as u8; size], 1));
        }
        drop(sender.join().unwrap());
        assert!(matches!(b.receive(LONG), Err(SocketError::Closed)));
    }

    #[test]
    fn a_message_in_parts_is_waited_for_and_nothing_is_waited_for_too_long() {
        let (stream, other) = UnixStream::pair().unwrap();
        let mut socket = Socket::new(stream).unwrap();
        let mut other = other;
        let bytes = Header { payload: 3, ..header(7) }.to_bytes();
        assert!(socket.receive(SHORT).unwrap().is_none());
        for part in [&bytes[..5], &bytes[5..], &[1, 2]] {
            other.write_all(part).unwrap();
            assert!(socket.receive(SHORT).unwrap().is_none());
        }
        other.write_all(&[3]).unwrap();
        assert_eq!(socket.receive(SHORT).unwrap().unwrap().payload, [1, 2, 3]);
        let start = Instant::now();
        let stuck = (0..1000).find_map(|_| socket.send(header(1), &[0; 100_000], &[], SHORT).err());
        assert!(matches!(stuck, Some(SocketError::Timeout(_))), "{stuck:?}");
        assert!(start.elapsed() < LONG);
        assert!(matches!(socket.send(header(1), &[], &[], SHORT), Err(SocketError::Broken)));
    }

    #[test]
    fn what_is_no_message_breaks_the_socket_for_good() {
        let (stream, mut other) = UnixStream::pair().unwrap();
        let mut socket = Socket::new(stream).unwrap();
        other.write_all(&[0xff; 64]).unwrap();
        assert!(matches!(socket.receive(SHORT), Err(SocketError::Protocol(_))));
        assert!(matches!(socket.receive(SHORT), Err(SocketError::Broken)));
    }
}
