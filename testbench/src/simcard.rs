//! The simulated card as a PCI device that another process uses over the vfio-user protocol.
//!
//! 1. [`pci`]: the configuration space: identity, BARs, MSI-X, function-level reset.
//! 2. [`memory`]: what the client mapped for the card, by file or to be asked for by message.
//! 3. [`function`]: what is behind the registers: the Verilated card, or the software card of the driver.
//! 4. [`server`]: the protocol.
//!
//! [`spawn`] serves a card in this process on a socketpair; the program `wiresift-simcard` listens on a path,
//! for the driver (`--device vfio-user:PATH`) and for QEMU (`vfio-user-pci`).
//!
//! A client can do no harm but one: shortening a file that it shares ends the server (SIGBUS).

pub mod function;
pub mod memory;
pub mod pci;
pub mod server;

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use wiresift_driver::vfio_user::DmaBy;

pub use function::{Function, SoftCard, VerilatedCard};
pub use memory::ClientMemory;
pub use server::{ServeError, Served, Server};

/// A card that is served in this process; it ends when its client goes or when this is dropped.
#[derive(Debug)]
pub struct Serving {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Served, ServeError>>>,
}

impl Serving {
    /// Waits for the end of the session, which comes when the client goes.
    ///
    /// # Errors
    /// As [`Server::run`].
    ///
    /// # Panics
    /// Where the card panicked.
    pub fn join(mut self) -> Result<Served, ServeError> {
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(Served::default()),
            Some(Ok(result)) => result,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
        }
    }

    /// Takes the card off the bus in the middle of whatever it does.
    pub fn unplug(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.unplug();
        if let Some(thread) = self.thread.take() {
            // Whoever wants to know how it ended calls `join`.
            drop(thread.join());
        }
    }
}

/// Serves a card on a thread of this process and gives the client's end of the socket. `make` makes the card on
/// that thread, with the memory that it is to reach.
///
/// # Errors
/// Where there is no socket or thread.
pub fn spawn<F: Function>(
    by: DmaBy,
    make: impl FnOnce(ClientMemory) -> Result<F, ServeError> + Send + 'static,
) -> io::Result<(UnixStream, Serving)> {
    let (ours, theirs) = UnixStream::pair()?;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let serve = move || {
        let memory = ClientMemory::new(by);
        let function = make(memory.clone())?;
        Server::new(function, memory).run(ours, &stopped)
    };
    let thread = thread::Builder::new().name("simcard".to_owned()).spawn(serve)?;
    Ok((theirs, Serving { stop, thread: Some(thread) }))
}
