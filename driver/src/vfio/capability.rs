//! What the kernel says of the IOMMU beyond the fixed structure: the addresses that can be mapped.

use vfio_bindings::bindings::vfio::{VFIO_IOMMU_INFO_CAPS, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE};

use super::ioctl::{IOMMU_INFO_BYTES, IommuInfo};
use crate::vfio_user::protocol::{Fields, ProtocolError};

/// Bytes of the fixed structure in front of the capabilities.
const FIXED_BYTES: usize = size_of::<vfio_bindings::bindings::vfio::vfio_iommu_type1_info>();
/// The range where a kernel (before 5.4) names none: what every IOMMU of a PC maps.
const DEFAULT_RANGE: (u64, u64) = (1 << 32, (1 << 39) - 1);

/// First and last address of each range that can be mapped.
///
/// # Errors
/// Where the capabilities contradict themselves or do not fit the buffer.
pub fn iova_ranges(info: &IommuInfo) -> Result<Vec<(u64, u64)>, ProtocolError> {
    if info.info.argsz as usize > IOMMU_INFO_BYTES {
        let (what, value) = ("the size of what the kernel says of the IOMMU", info.info.argsz.into());
        return Err(ProtocolError::Value { what, value });
    }
    if info.info.flags & VFIO_IOMMU_INFO_CAPS == 0 {
        return Ok(vec![DEFAULT_RANGE]);
    }
    ranges(info.info.cap_offset as usize, &info.rest)
}

/// Follows the list of capabilities: each is an id (16 bits), a version (16 bits), and the offset of the next one
/// from the front of the fixed structure (32 bits).
fn ranges(first: usize, rest: &[u8]) -> Result<Vec<(u64, u64)>, ProtocolError> {
    let (mut at, mut seen) = (first, 0);
    while at != 0 {
        let wrong =
            ProtocolError::Value { what: "the offset of a capability of the IOMMU", value: at as u64 };
        // A list that goes round ends here too.
        seen += 1;
        let bytes =
            at.checked_sub(FIXED_BYTES).and_then(|at| rest.get(at..)).filter(|_| seen < 64).ok_or(wrong)?;
        let mut fields = Fields(bytes);
        let (id, _version, next) = (fields.u16()?, fields.u16()?, fields.u32()?);
        if u32::from(id) == VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE {
            let (count, _reserved) = (fields.u32()?, fields.u32()?);
            return (0..count).map(|_| Ok((fields.u64()?, fields.u64()?))).collect();
        }
        at = next as usize;
    }
    Ok(vec![DEFAULT_RANGE])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn capability(id: u16, next: u32, body: &[u64]) -> Vec<u8> {
        let mut bytes = id.to_le_bytes().to_vec();
        bytes.extend(1u16.to_le_bytes());
        bytes.extend(next.to_le_bytes());
        bytes.extend(body.iter().flat_map(|word| word.to_le_bytes()));
        bytes
    }

    #[test]
    fn ranges_are_found_behind_other_capabilities() {
        let mut bytes = capability(2, (FIXED_BYTES + 16) as u32, &[7]);
        bytes.extend(capability(1, 0, &[2, 0, 0xfedf_ffff, 0xfef0_0000, 0x7f_ffff_ffff]));
        let expected = vec![(0, 0xfedf_ffff), (0xfef0_0000, 0x7f_ffff_ffff)];
        assert_eq!(ranges(FIXED_BYTES, &bytes), Ok(expected));
        assert_eq!(ranges(0, &bytes), Ok(vec![DEFAULT_RANGE]));
    }

    #[test]
    fn a_list_that_goes_round_or_ends_early_is_an_error() {
        let round = capability(2, FIXED_BYTES as u32, &[]);
        assert!(ranges(FIXED_BYTES, &round).is_err());
        assert!(ranges(3, &round).is_err());
        assert!(ranges(FIXED_BYTES + 4, &round).is_err());
        assert!(ranges(FIXED_BYTES, &capability(1, 0, &[u64::from(u32::MAX), 1, 2])).is_err());
    }
}
