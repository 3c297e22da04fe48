//! TFRecord: the frame around each event, length and content with a checksum of their own.

use std::io::{self, Write};

/// Writes one record: length, its checksum, content, its checksum.
pub(super) fn write(out: &mut impl Write, content: &[u8]) -> io::Result<()> {
    let length = (content.len() as u64).to_le_bytes();
    out.write_all(&length)?;
    out.write_all(&masked(&length).to_le_bytes())?;
    out.write_all(content)?;
    out.write_all(&masked(content).to_le_bytes())
}

/// CRC-32C, turned and moved, so that a record in a record has no checksum that looks like its own
/// (`tensorflow/core/lib/hash/crc32c.h`).
fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    /// The first record of a file that `torch.utils.tensorboard.SummaryWriter` wrote: `brain.Event:2`, its wall time set to 0.
    #[test]
    fn a_record_has_the_checksums_of_tensorflow() {
        // RFC 3720, B.4: 32 bytes of zeros.
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(
            super::masked(&[0; 32]),
            0x8a91_36aa_u32.rotate_right(15).wrapping_add(0xa282_ead8)
        );
    }
}
