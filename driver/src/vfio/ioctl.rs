//! The kernel's VFIO interface: its calls, and the structures that they fill.
//!
//! Numbers and structures are those of `linux/vfio.h` (crate `vfio-bindings`).
#![allow(unsafe_code)]

use std::ffi::{CStr, c_int, c_void};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use rustix::io::{Errno, Result};
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl, opcode};
use vfio_bindings::bindings::vfio::{
    VFIO_BASE, VFIO_TYPE, vfio_device_info, vfio_group_status, vfio_iommu_type1_dma_map,
    vfio_iommu_type1_dma_unmap, vfio_iommu_type1_info, vfio_irq_info, vfio_region_info,
};

/// A call: its number, and what its argument points to or is.
struct Call {
    number: u32,
    argument: *mut c_void,
}

// SAFETY: the opcode is that of `linux/vfio.h` for `number`; each user below gives the argument which that call
// takes, and the output is the plain number that the call returns.
unsafe impl Ioctl for Call {
    type Output = c_int;

    // The kernel may write through the argument; that is the callers' affair, who hold it exclusively.
    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        // All are `_IO(VFIO_TYPE, VFIO_BASE + n)`; the numbers stay below 256.
        opcode::none(VFIO_TYPE, (VFIO_BASE + self.number) as u8)
    }

    fn as_ptr(&mut self) -> *mut c_void {
        self.argument
    }

    unsafe fn output_from_ptr(output: IoctlOutput, _: *mut c_void) -> Result<c_int> {
        Ok(output)
    }
}

const GET_API_VERSION: u32 = 0;
const CHECK_EXTENSION: u32 = 1;
const SET_IOMMU: u32 = 2;
const GROUP_GET_STATUS: u32 = 3;
const GROUP_SET_CONTAINER: u32 = 4;
const GROUP_GET_DEVICE_FD: u32 = 6;
const DEVICE_GET_INFO: u32 = 7;
const DEVICE_GET_REGION_INFO: u32 = 8;
const DEVICE_GET_IRQ_INFO: u32 = 9;
const DEVICE_SET_IRQS: u32 = 10;
const DEVICE_RESET: u32 = 11;
const IOMMU_GET_INFO: u32 = 12;
const IOMMU_MAP_DMA: u32 = 13;
const IOMMU_UNMAP_DMA: u32 = 14;

/// A call whose argument is a number.
fn by_number(fd: impl AsFd, number: u32, argument: usize) -> Result<c_int> {
    let call = Call { number, argument: std::ptr::without_provenance_mut(argument) };
    // SAFETY: the calls made through here take a number (or nothing), which the kernel does not follow.
    unsafe { ioctl(fd, call) }
}

/// A call whose argument points to a structure whose first number is its size. The kernel reads and writes no more
/// than that size.
fn by_structure<T>(fd: impl AsFd, number: u32, argument: &mut T) -> Result<c_int> {
    let call = Call { number, argument: std::ptr::from_mut(argument).cast() };
    // SAFETY: the calls made through here take a pointer to such a structure, whose `argsz` the callers set to
    // its size; it is borrowed for the call, and any bytes are good values for its integers.
    unsafe { ioctl(fd, call) }
}

/// Version of the interface.
pub fn api_version(container: impl AsFd) -> Result<c_int> {
    by_number(container, GET_API_VERSION, 0)
}

/// Whether the container knows that kind of IOMMU.
pub fn has_extension(container: impl AsFd, kind: u32) -> Result<bool> {
    Ok(by_number(container, CHECK_EXTENSION, kind as usize)? == 1)
}

/// Uses that kind of IOMMU.
pub fn set_iommu(container: impl AsFd, kind: u32) -> Result<()> {
    by_number(container, SET_IOMMU, kind as usize).map(drop)
}

/// Flags of a group.
pub fn group_flags(group: impl AsFd) -> Result<u32> {
    let mut status = vfio_group_status { argsz: size_of::<vfio_group_status>() as u32, flags: 0 };
    by_structure(group, GROUP_GET_STATUS, &mut status)?;
    Ok(status.flags)
}

/// Puts a group into a container.
pub fn set_container(group: impl AsFd, container: c_int) -> Result<()> {
    let mut container = container;
    // The argument points to a plain number, whose size is known to both sides.
    by_structure(group, GROUP_SET_CONTAINER, &mut container).map(drop)
}

/// Opens a device of the group.
pub fn device(group: impl AsFd, name: &CStr) -> Result<OwnedFd> {
    let call = Call { number: GROUP_GET_DEVICE_FD, argument: name.as_ptr().cast_mut().cast() };
    // SAFETY: the call reads a C string, which lives longer than it, and writes nothing.
    let fd = unsafe { ioctl(group, call) }?;
    if fd < 0 {
        return Err(Errno::BADF);
    }
    // SAFETY: the call returned a new descriptor, which nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// What the device has.
pub fn device_info(device: impl AsFd) -> Result<vfio_device_info> {
    let mut info = vfio_device_info { argsz: size_of::<vfio_device_info>() as u32, ..Default::default() };
    by_structure(device, DEVICE_GET_INFO, &mut info)?;
    Ok(info)
}

/// Where a region is.
pub fn region_info(device: impl AsFd, index: u32) -> Result<vfio_region_info> {
    let argsz = size_of::<vfio_region_info>() as u32;
    let mut info = vfio_region_info { argsz, index, ..Default::default() };
    by_structure(device, DEVICE_GET_REGION_INFO, &mut info)?;
    Ok(info)
}

/// What an interrupt index has.
pub fn irq_info(device: impl AsFd, index: u32) -> Result<vfio_irq_info> {
    let mut info = vfio_irq_info { argsz: size_of::<vfio_irq_info>() as u32, index, ..Default::default() };
    by_structure(device, DEVICE_GET_IRQ_INFO, &mut info)?;
    Ok(info)
}

/// `vfio_irq_set` with one eventfd behind it.
#[repr(C)]
struct IrqSet {
    argsz: u32,
    flags: u32,
    index: u32,
    start: u32,
    count: u32,
    eventfd: c_int,
}

/// Sends the first interrupt of an index to an eventfd.
pub fn set_irq(device: impl AsFd, flags: u32, index: u32, eventfd: c_int) -> Result<()> {
    let argsz = size_of::<IrqSet>() as u32;
    let mut set = IrqSet { argsz, flags, index, start: 0, count: 1, eventfd };
    by_structure(device, DEVICE_SET_IRQS, &mut set).map(drop)
}

/// Resets the function.
pub fn reset(device: impl AsFd) -> Result<()> {
    by_number(device, DEVICE_RESET, 0).map(drop)
}

/// Bytes of [`IommuInfo`].
pub const IOMMU_INFO_BYTES: usize = 4096;

/// `vfio_iommu_type1_info` with room for the capabilities behind it, as bytes.
#[repr(C, align(8))]
pub struct IommuInfo {
    /// The structure.
    pub info: vfio_iommu_type1_info,
    /// What is behind it.
    pub rest: [u8; IOMMU_INFO_BYTES - size_of::<vfio_iommu_type1_info>()],
}

/// What the IOMMU can do.
pub fn iommu_info(container: impl AsFd) -> Result<IommuInfo> {
    let info = vfio_iommu_type1_info { argsz: IOMMU_INFO_BYTES as u32, ..Default::default() };
    let mut info = IommuInfo { info, rest: [0; IOMMU_INFO_BYTES - size_of::<vfio_iommu_type1_info>()] };
    by_structure(container, IOMMU_GET_INFO, &mut info)?;
    Ok(info)
}

/// Maps memory of this process for the card. The kernel pins its pages, so they stay until [`unmap`], also when the
/// process frees them: nothing of the process can come to lie there.
pub fn map(container: impl AsFd, flags: u32, vaddr: u64, iova: u64, size: u64) -> Result<()> {
    let argsz = size_of::<vfio_iommu_type1_dma_map>() as u32;
    let mut map = vfio_iommu_type1_dma_map { argsz, flags, vaddr, iova, size };
    by_structure(container, IOMMU_MAP_DMA, &mut map).map(drop)
}

/// Takes a mapping away; gives the bytes unmapped.
pub fn unmap(container: impl AsFd, iova: u64, size: u64) -> Result<u64> {
    let argsz = size_of::<vfio_iommu_type1_dma_unmap>() as u32;
    let mut unmap = vfio_iommu_type1_dma_unmap { argsz, flags: 0, iova, size, ..Default::default() };
    by_structure(container, IOMMU_UNMAP_DMA, &mut unmap)?;
    Ok(unmap.size)
}
