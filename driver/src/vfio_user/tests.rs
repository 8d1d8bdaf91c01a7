//! Peers that are silent, hostile or gone. A peer that serves a card is in `testbench`.
#![allow(clippy::unwrap_used)]

use super::protocol::{
    DEVICE_PCI, DEVICE_RESET, DmaAccess, Header, IrqInfo, Kind, MAP_READ, MAP_WRITE, RegionAccess, errno,
    version,
};
use super::socket::{Message, Socket};
use super::*;
use crate::dma::PAGE_BYTES;
use proptest::prelude::*;
use std::io::Write;
use std::thread::JoinHandle;

const LIMIT: Duration = Duration::from_millis(100);

fn options() -> Options {
    Options { limit: LIMIT, pages: PageSize::Small, ..Options::default() }
}

/// What a peer does with a message: its reply and descriptors, or `None` to stay silent.
type Answer = Box<dyn FnMut(&Message) -> Option<(Kind, Vec<u8>, Vec<OwnedFd>)> + Send>;

/// A peer that answers what it takes to open a card, and the rest by `answer`.
fn peer(mut answer: Answer) -> (UnixStream, JoinHandle<Socket>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let serve = move || {
        let mut socket = Socket::new(theirs).unwrap();
        while let Ok(message) = socket.receive(Duration::from_secs(20)) {
            let Some(message) = message else { break };
            if matches!(message.header.kind, Kind::Command { .. })
                && let Some((kind, payload, fds)) = answer(&message).or_else(|| opening(&message))
            {
                let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
                socket.send(Header { kind, ..message.header }, &payload, &fds, LIMIT).unwrap();
            }
        }
        socket
    };
    (ours, thread::spawn(serve))
}

fn opening(message: &Message) -> Option<(Kind, Vec<u8>, Vec<OwnedFd>)> {
    let payload = match Command::from_number(message.header.command)? {
        Command::Version => version("{}"),
        Command::DeviceGetInfo => {
            DeviceInfo { argsz: 16, flags: DEVICE_PCI | DEVICE_RESET, regions: 9, irqs: 5 }.to_bytes()
        }
        Command::GetRegionInfo => {
            let flags = REGION_READ | REGION_WRITE;
            RegionInfo { argsz: 32, flags, size: 4096, ..RegionInfo::default() }.to_bytes()
        }
        Command::GetIrqInfo => IrqInfo { argsz: 16, flags: 1, index: 2, count: 1 }.to_bytes(),
        Command::RegionRead => {
            let (access, _) = RegionAccess::split(&message.payload).unwrap();
            let mut reply = access.to_bytes();
            reply.resize(reply.len() + access.count as usize, 0x11);
            reply
        }
        Command::DmaMap
        | Command::DmaUnmap
        | Command::SetIrqs
        | Command::RegionWrite
        | Command::DeviceReset => Vec::new(),
        _ => return None,
    };
    Some((Kind::Reply, payload, Vec::new()))
}

fn silent_at(command: Command) -> Answer {
    // A reply of another number is no reply to this one.
    Box::new(move |message| {
        (message.header.command == command as u16)
            .then(|| (Kind::Command { wants_reply: false }, vec![], vec![]))
    })
}

#[test]
fn a_peer_that_stops_answering_is_an_error_in_time() {
    for command in [Command::Version, Command::DeviceGetInfo, Command::GetRegionInfo, Command::SetIrqs] {
        let start = Instant::now();
        let error = VfioUser::over(peer(silent_at(command)).0, options()).unwrap_err();
        assert!(matches!(error, OpenError::Peer(_)), "{command:?}: {error}");
        assert!(start.elapsed() < 5 * LIMIT, "{command:?}");
    }
    let (stream, _peer) = peer(Box::new(|message| {
        let access = RegionAccess::split(&message.payload).ok()?.0;
        let is_silent = message.header.command == Command::RegionRead as u16 && access.region == 0;
        is_silent.then(|| (Kind::Command { wants_reply: false }, vec![], vec![]))
    }));
    let mut card = VfioUser::over(stream, options()).unwrap();
    let start = Instant::now();
    let error = card.read_register(8).unwrap_err();
    assert!(matches!(error, TransportError::NoAnswer { offset: 8, .. }), "{error:?}");
    assert!(start.elapsed() < 5 * LIMIT);
    assert!(!card.wait_interrupt(1_000_000).unwrap());
}

#[test]
fn a_peer_that_refuses_or_goes_away_is_an_error() {
    for command in [Command::DmaMap, Command::DeviceReset] {
        let (stream, _peer) = peer(Box::new(move |message| {
            (message.header.command == command as u16).then(|| (Kind::Error(errno::EINVAL), vec![], vec![]))
        }));
        let mut card = VfioUser::over(stream, options()).unwrap();
        let error = match command {
            Command::DmaMap => card.map(4096, Direction::H2c).unwrap_err(),
            _ => card.reset_function().unwrap_err(),
        };
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(source, format!("the other side refuses {command:?} with error 22"));
    }
    let (ours, theirs) = UnixStream::pair().unwrap();
    drop(theirs);
    assert!(VfioUser::over(ours, options()).is_err());
}

#[test]
fn a_mapped_bar_is_used_and_a_card_that_is_gone_from_it_is_noticed() {
    let file = Pool::new(PageSize::Small).take(PAGE_BYTES).unwrap();
    let fd = file.file().unwrap().0.try_clone_to_owned().unwrap();
    let (stream, _peer) = peer(Box::new(move |message| {
        let (info, _) = RegionInfo::split(&message.payload).ok()?;
        let flags = REGION_READ | REGION_WRITE | REGION_MMAP;
        let is_bar = message.header.command == Command::GetRegionInfo as u16 && info.index == 0;
        let info = RegionInfo { flags, size: PAGE_BYTES as u64, ..info };
        is_bar.then(|| (Kind::Reply, info.to_bytes(), vec![fd.try_clone().unwrap()]))
    }));
    let mut card = VfioUser::over(stream, options()).unwrap();
    assert!(card.is_bar_mapped());
    card.write_register(12, 0x1234_5678).unwrap();
    assert_eq!(file.load(8) >> 32, 0x1234_5678);
    file.store(16, u64::MAX);
    assert_eq!(card.read_register(16).unwrap(), u32::MAX);
    file.store(0, u64::MAX);
    assert!(matches!(card.read_register(16), Err(TransportError::Gone { offset: 16 })));
    assert_eq!(card.read_register(12).unwrap(), 0x1234_5678);
}

/// The card's side of DMA by message, as a peer asks for it while this side waits.
fn ask(socket: &mut Socket, command: Command, payload: &[u8]) {
    let kind = Kind::Command { wants_reply: true };
    socket.send(Header { id: 77, command: command as u16, payload: 0, kind }, payload, &[], LIMIT).unwrap();
}

#[test]
fn the_card_reaches_by_message_what_is_mapped_in_its_direction_and_nothing_else() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (stream, relay) = peer(Box::new(|_| None));
    drop((ours, theirs));
    let mut card = VfioUser::over(stream, Options { dma: DmaBy::Message, ..options() }).unwrap();
    let read = card.map(64, Direction::H2c).unwrap();
    let write = card.map(64, Direction::C2h).unwrap();
    read.memory().store(8, 0x55aa);
    let answer = |address: u64, count: u64, data: Option<&[u8]>| {
        let mut payload = DmaAccess { address, count }.to_bytes();
        payload.extend_from_slice(data.unwrap_or_default());
        let client = card.client();
        let result = match data {
            None => client.dma_read(&payload),
            Some(_) => client.dma_write(&payload),
        };
        result.map(|reply| reply[DmaAccess::BYTES..].to_vec())
    };
    let (from, to) = (read.iova().0, write.iova().0);
    assert_eq!(answer(from + 8, 8, None).unwrap(), [0xaa, 0x55, 0, 0, 0, 0, 0, 0]);
    assert_eq!(answer(to, 16, Some(&[7; 16])).unwrap(), []);
    assert_eq!(write.memory().load(8), 0x0707_0707_0707_0707);
    for (address, count, data, error) in [
        (to, 8, None, errno::EFAULT),
        (from, 8, Some(&[0; 8][..]), errno::EFAULT),
        (from + 4096, 8, None, errno::EFAULT),
        (from + 4088, 16, None, errno::EFAULT),
        (from - 8, 8, None, errno::EFAULT),
        (u64::MAX - 7, 8, None, errno::EFAULT),
        (from + 4, 8, None, errno::EINVAL),
        (from, 12, None, errno::EINVAL),
        (from, u64::MAX, None, errno::E2BIG),
        (to, 16, Some(&[0; 8][..]), errno::EINVAL),
    ] {
        assert_eq!(answer(address, count, data), Err(error), "{address:#x} + {count}");
    }
    drop((read, write));
    assert_eq!(card.client().dma_read(&DmaAccess { address: from, count: 8 }.to_bytes()), Err(errno::EFAULT));
    drop(card);
    drop(relay.join());
}

#[test]
fn requests_of_the_card_are_answered_while_this_side_waits() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let relay = thread::spawn(move || {
        let mut socket = Socket::new(theirs).unwrap();
        let mut asked = false;
        let mut answers = Vec::new();
        while let Ok(Some(message)) = socket.receive(Duration::from_secs(20)) {
            if !matches!(message.header.kind, Kind::Command { .. }) {
                answers.push((message.header.kind, message.payload.len()));
                continue;
            }
            let map = protocol::DmaMap::split(&message.payload).ok();
            let is_map = message.header.command == Command::DmaMap as u16;
            if let Some((map, _)) = map.filter(|_| is_map && !asked) {
                assert_eq!((map.flags, message.fds.len()), (MAP_READ, 0));
                asked = true;
                ask(&mut socket, Command::DmaRead, &DmaAccess { address: map.address, count: 64 }.to_bytes());
                ask(&mut socket, Command::DmaWrite, &[1, 2, 3]);
                ask(&mut socket, Command::Version, &[]);
            }
            let (kind, payload, _) = opening(&message).unwrap();
            socket.send(Header { kind, ..message.header }, &payload, &[], LIMIT).unwrap();
        }
        answers
    });
    let mut card = VfioUser::over(ours, Options { dma: DmaBy::Message, ..options() }).unwrap();
    assert_ne!(MAP_READ, MAP_WRITE);
    drop(card.map(64, Direction::H2c).unwrap());
    drop(card);
    let answers = relay.join().unwrap();
    // The region was not there yet when the card asked for it.
    let refused = [errno::EFAULT, errno::EINVAL, errno::ENOSYS].map(|number| (Kind::Error(number), 0));
    assert_eq!(answers, refused);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn bytes_of_any_kind_from_the_peer_end_in_an_error(
        bytes in prop::collection::vec(any::<u8>(), 1..400),
        is_framed: bool,
    ) {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        if is_framed {
            // A good header in front, so that the payload is what is wrong.
            let header = Header { id: 0, command: 1, payload: bytes.len(), kind: Kind::Reply };
            theirs.write_all(&header.to_bytes()).unwrap();
        }
        theirs.write_all(&bytes).unwrap();
        let short = Options { limit: Duration::from_millis(5), ..options() };
        prop_assert!(VfioUser::over(ours, short).is_err());
    }
}
