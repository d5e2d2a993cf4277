//! Frames to journal entries: pure.
//!
//! Whole transactions share an entry up to its size; a transaction that is larger gets entries
//! of its own, of which only the last one ends it. So a crash can leave at most one transaction
//! without an end, and never half of an entry.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::BytesMut;

use crate::change::{Reached, Table};
use crate::source::frame;

/// What is to be written as one journal entry.
#[derive(Debug, PartialEq)]
pub struct Piece {
    /// Frames.
    pub bytes: BytesMut,
    /// Tables as they are from here on.
    pub schemas: Vec<Arc<Table>>,
    /// True if it goes on with a transaction that an earlier piece began.
    pub continues: bool,
    /// Where the log continues after it; `None` if the transaction has no end yet.
    pub end: Option<Reached>,
    /// Whole transactions in it.
    pub transactions: u64,
}

/// Collects frames.
#[derive(Debug)]
pub struct Assembler {
    piece_bytes_max: usize,
    /// Whole transactions, and where the log continues after them.
    whole: Gathered,
    whole_end: Option<Reached>,
    transactions: u64,
    /// The transaction in flight, or what is left of it.
    open: Gathered,
    /// A piece of the transaction in flight was already given out.
    is_split: bool,
    pieces: VecDeque<Piece>,
}

#[derive(Debug, Default)]
struct Gathered {
    bytes: BytesMut,
    schemas: Vec<Arc<Table>>,
}

impl Assembler {
    /// `piece_bytes_max`: size from which on a piece is given out.
    #[must_use]
    pub fn new(piece_bytes_max: usize) -> Self {
        Self {
            piece_bytes_max,
            whole: Gathered::default(),
            whole_end: None,
            transactions: 0,
            open: Gathered::default(),
            is_split: false,
            pieces: VecDeque::new(),
        }
    }

    /// A frame of the transaction in flight.
    pub fn frame(&mut self, bytes: &[u8]) {
        frame::push(&mut self.open.bytes, bytes);
        if self.whole.bytes.len() + self.open.bytes.len() < self.piece_bytes_max {
            return;
        }
        self.flush();
        if self.open.bytes.len() >= self.piece_bytes_max {
            let open = std::mem::take(&mut self.open);
            self.give_out(open, None, 0);
            self.is_split = true;
        }
    }

    /// A table as it is from the transaction in flight on.
    pub fn schema(&mut self, table: Arc<Table>) {
        self.open.schemas.push(table);
    }

    /// The transaction in flight is whole.
    pub fn end(&mut self, reached: Reached) {
        let mut open = std::mem::take(&mut self.open);
        if self.is_split {
            self.give_out(open, Some(reached), 1);
            self.is_split = false;
            return;
        }
        self.whole.bytes.unsplit(open.bytes.split());
        self.whole.schemas.append(&mut open.schemas);
        self.whole_end = Some(reached);
        self.transactions += 1;
    }

    /// Gives out what is whole, however small: the log has nothing more right now.
    pub fn flush(&mut self) {
        if let Some(end) = self.whole_end.take() {
            let whole = std::mem::take(&mut self.whole);
            let transactions = std::mem::take(&mut self.transactions);
            self.give_out(whole, Some(end), transactions);
        }
    }

    /// The next piece to write, in order.
    pub fn pop(&mut self) -> Option<Piece> {
        self.pieces.pop_front()
    }

    /// True if no transaction is in flight.
    #[must_use]
    pub fn is_between_transactions(&self) -> bool {
        self.open.bytes.is_empty() && self.open.schemas.is_empty() && !self.is_split
    }

    fn give_out(&mut self, from: Gathered, end: Option<Reached>, transactions: u64) {
        let Gathered { bytes, schemas } = from;
        let continues = self.is_split;
        self.pieces.push_back(Piece { bytes, schemas, continues, end, transactions });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Position;
    use proptest::prelude::*;

    fn drain(assembler: &mut Assembler) -> Vec<Piece> {
        std::iter::from_fn(|| assembler.pop()).collect()
    }

    #[test]
    fn small_transactions_share_a_piece() {
        let mut assembler = Assembler::new(100);
        for n in 0..3 {
            assembler.frame(b"abc");
            assembler.end(Position::Lsn(n).into());
        }
        assert!(drain(&mut assembler).is_empty(), "nothing is given out before it must");
        assembler.flush();
        let pieces = drain(&mut assembler);
        assert_eq!(pieces.len(), 1);
        assert_eq!((pieces[0].transactions, &pieces[0].end), (3, &Some(Position::Lsn(2).into())));
        assert_eq!(pieces[0].bytes.len(), 21);
    }

    #[test]
    fn a_large_transaction_is_split_and_never_shares_a_piece() {
        let mut assembler = Assembler::new(20);
        assembler.frame(b"small");
        assembler.end(Position::Lsn(1).into());
        for _ in 0..3 {
            assembler.frame(&[0; 18]);
        }
        assert!(!assembler.is_between_transactions());
        assembler.frame(b"rest");
        assembler.end(Position::Lsn(2).into());
        assert!(assembler.is_between_transactions());
        let pieces = drain(&mut assembler);
        let shape: Vec<_> =
            pieces.iter().map(|p| (p.continues, p.end.is_some(), p.transactions)).collect();
        let part = (true, false, 0);
        assert_eq!(shape, vec![(false, true, 1), (false, false, 0), part, part, (true, true, 1)]);
    }

    proptest! {
        /// Whatever the sizes: the frames come out once, in order, and each piece but a part
        /// holds whole transactions only.
        #[test]
        fn nothing_is_lost_or_reordered(
            sizes in proptest::collection::vec(proptest::collection::vec(0..40_usize, 1..8), 1..20),
            max in 1..60_usize,
            flushes in proptest::collection::vec(any::<bool>(), 20),
        ) {
            let mut assembler = Assembler::new(max);
            let mut expected = BytesMut::new();
            let mut pieces = Vec::new();
            for (n, transaction) in sizes.iter().enumerate() {
                for (m, size) in transaction.iter().enumerate() {
                    let body = vec![u8::try_from(n * 8 + m).unwrap_or(0); *size];
                    frame::push(&mut expected, &body);
                    assembler.frame(&body);
                }
                assembler.end(Position::Lsn(n as u64).into());
                if flushes[n] {
                    assembler.flush();
                }
                pieces.extend(drain(&mut assembler));
            }
            assembler.flush();
            pieces.extend(drain(&mut assembler));
            let written: Vec<u8> = pieces.iter().flat_map(|piece| piece.bytes.to_vec()).collect();
            prop_assert_eq!(written, expected.to_vec());
            let ends: u64 = pieces.iter().map(|piece| piece.transactions).sum();
            prop_assert_eq!(ends, sizes.len() as u64);
            let mut open = false;
            for piece in &pieces {
                prop_assert_eq!(piece.continues, open);
                open = piece.end.is_none();
            }
        }
    }
}
