//! A cursor over the bytes of a binlog event: every read can fail, none can panic.
//!
//! It knows widths and byte orders, not what the bytes mean.

/// What is left to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    /// A little-endian integer of up to 8 bytes.
    pub(super) fn le(&mut self, bytes: usize) -> Option<u64> {
        let taken = self.take(bytes)?;
        Some(taken.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// A big-endian integer of up to 8 bytes.
    pub(super) fn be(&mut self, bytes: usize) -> Option<u64> {
        let taken = self.take(bytes)?;
        Some(taken.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// A little-endian integer of 2 bytes.
    pub(super) fn u16(&mut self) -> Option<u16> {
        u16::try_from(self.le(2)?).ok()
    }

    /// A little-endian integer of 4 bytes.
    pub(super) fn u32(&mut self) -> Option<u32> {
        u32::try_from(self.le(4)?).ok()
    }

    /// A length of 1 to 4 little-endian bytes, then that many bytes.
    pub(super) fn counted(&mut self, length_bytes: usize) -> Option<&'a [u8]> {
        let length = self.le(length_bytes)?;
        self.take(usize::try_from(length).ok()?)
    }

    /// The protocol's length-encoded integer.
    pub(super) fn length(&mut self) -> Option<usize> {
        let value = match self.u8()? {
            0xfc => self.le(2)?,
            0xfd => self.le(3)?,
            0xfe => self.le(8)?,
            byte @ 0..=0xfa => u64::from(byte),
            _ => return None,
        };
        usize::try_from(value).ok()
    }

    /// A length-encoded string.
    pub(super) fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        self.take(length)
    }
}

/// Bit `place` of a bitmap whose first bit is the lowest of its first byte.
pub(super) fn bit(map: &[u8], place: usize) -> bool {
    map.get(place / 8).is_some_and(|byte| byte >> (place % 8) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_as_the_protocol_writes_them() {
        let mut reader = Reader(&[0x05, 0xfc, 0x2c, 0x01, 0xfd, 1, 0, 1, 0xfb]);
        assert_eq!(reader.length(), Some(5));
        assert_eq!(reader.length(), Some(300));
        assert_eq!(reader.length(), Some(65_537));
        assert_eq!(reader.length(), None);
    }

    #[test]
    fn nothing_is_read_past_the_end() {
        let mut reader = Reader(&[1, 2]);
        assert_eq!(reader.be(2), Some(0x0102));
        assert_eq!(reader.u8(), None);
        assert_eq!(Reader(&[9, 1]).counted(1), None);
        assert!(bit(&[0, 2], 9) && !bit(&[0, 2], 20));
    }
}
