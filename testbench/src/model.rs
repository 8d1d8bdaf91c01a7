//! The Verilated card in a loaded library.
#![allow(unsafe_code)]

use std::ffi::{CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;

use libloading::Library;

use crate::library::{BuildError, library};
use crate::ports::{Inputs, LAYOUT, Outputs};

type New = unsafe extern "C" fn() -> *mut c_void;
type Delete = unsafe extern "C" fn(*mut c_void);
type Step = unsafe extern "C" fn(*mut c_void, *const Inputs, *mut Outputs);
type Trace = unsafe extern "C" fn(*mut c_void, *const c_char) -> c_int;
type Layout = unsafe extern "C" fn() -> u64;

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The library could not be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The library could not be loaded.
    #[error("cannot load the simulated card from {}", .path.display())]
    Load {
        /// The library.
        path: PathBuf,
        /// What came between.
        #[source]
        source: libloading::Error,
    },
    /// The library is for other ports.
    #[error("the simulated card has other ports than this program ({is:#x}, should be {should:#x})")]
    Layout {
        /// Sizes of the library.
        is: u64,
        /// Sizes of this program.
        should: u64,
    },
    /// No memory for the model.
    #[error("no memory for the simulated card")]
    Memory,
    /// The trace file could not be written.
    #[error("cannot write the trace {}", .0.display())]
    Trace(PathBuf),
}

/// One simulated card. It stays on the thread that made it, as Verilator asks for.
pub struct Model {
    card: NonNull<c_void>,
    step: Step,
    delete: Delete,
    /// Keeps the code of the functions above in memory; dropped behind the card.
    _library: Library,
}

impl Model {
    /// Builds (where the cache does not have it) and loads the model of a Verilog text; with `trace`,
    /// every signal goes to that VCD file.
    ///
    /// # Errors
    /// See [`ModelError`].
    pub fn new(verilog: &str, trace: Option<&Path>) -> Result<Self, ModelError> {
        let path = library(verilog, trace.is_some())?;
        let load = |source| ModelError::Load { path: path.clone(), source };
        // SAFETY: the library was made by `library` from the shim and Verilator's output, whose
        // initialisers only set up their own data.
        let code = unsafe { Library::new(&path) }.map_err(load)?;
        // SAFETY: these are the functions of shim/card.cpp, with the types declared there; they are used
        // only as long as `_library` lives.
        let (new, delete, step, trace_to, layout) = unsafe {
            (
                *code.get::<New>(b"wiresift_new\0").map_err(load)?,
                *code.get::<Delete>(b"wiresift_delete\0").map_err(load)?,
                *code.get::<Step>(b"wiresift_step\0").map_err(load)?,
                *code.get::<Trace>(b"wiresift_trace\0").map_err(load)?,
                *code.get::<Layout>(b"wiresift_layout\0").map_err(load)?,
            )
        };
        // SAFETY: it takes nothing and gives two sizes.
        let is = unsafe { layout() };
        if is != LAYOUT {
            return Err(ModelError::Layout { is, should: LAYOUT });
        }
        // SAFETY: it takes nothing and gives a new card or null.
        let card = NonNull::new(unsafe { new() }).ok_or(ModelError::Memory)?;
        let model = Self { card, step, delete, _library: code };
        if let Some(file) = trace {
            let error = || ModelError::Trace(file.to_owned());
            let name = CString::new(file.as_os_str().as_encoded_bytes()).map_err(|_| error())?;
            // SAFETY: the card is alive, the name is a C string that outlives the call.
            if unsafe { trace_to(model.card.as_ptr(), name.as_ptr()) } != 0 {
                return Err(error());
            }
        }
        Ok(model)
    }

    /// One cycle: the inputs settle, the outputs are what the rising edge sees, then comes the edge.
    pub fn step(&mut self, inputs: &Inputs) -> Outputs {
        let mut outputs = Outputs::default();
        // SAFETY: the card is alive and only reached through `self`; both structures have the sizes that
        // the library gave (checked in `new`) and the fields that its `ports.h` was made from.
        unsafe { (self.step)(self.card.as_ptr(), inputs, &mut outputs) };
        outputs
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: the card came from `wiresift_new` of this library and is used no more.
        unsafe { (self.delete)(self.card.as_ptr()) }
    }
}
