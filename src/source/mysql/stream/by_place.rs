//! What is different where a log is followed by places in its files, without GTIDs: a place is come to by adding
//! up the sizes of all events before it, and it is the position wherever no transaction is in flight.

use mysql_async::binlog::events::Event as RawEvent;

use super::MysqlStream;
use crate::change::{BinlogPlace, Position};
use crate::error::Result;
use crate::source::mysql::event::{Event, FLAG_ARTIFICIAL, kind};

impl MysqlStream {
    pub(super) fn follows_files(&self) -> bool {
        matches!(self.position, Position::File(_))
    }

    /// Moves on by an event; where it begins, if it is in a file and that counts.
    ///
    /// # Errors
    /// Something before it was left out.
    pub(super) fn go_on(&mut self, raw: &RawEvent, event: &Event) -> Result<Option<BinlogPlace>> {
        let (header, begin) = (raw.header(), self.place.offset);
        self.place.reach(header.log_pos());
        let Position::File(read) = &self.position else { return Ok(None) };
        let is_in_file = header.log_pos() > 0
            && event.flags & FLAG_ARTIFICIAL == 0
            && !matches!(event.kind, kind::HEARTBEAT | kind::HEARTBEAT_V2);
        if !is_in_file {
            return Ok(None);
        }
        if self.place.offset != begin + u64::from(header.event_size()) {
            let (file, end) = (&self.place.file, self.place.offset);
            return Err(self.log.broken(&format!("left out what lies before {file}:{end}")));
        }
        Ok(BinlogPlace::new(read.server, &self.place.file, begin))
    }

    /// Whether that was read before: the server was asked to begin further back.
    pub(super) fn is_read_already(&self) -> bool {
        let Position::File(read) = &self.position else { return false };
        let is_before = self.place.file == read.file() && self.place.offset <= read.offset;
        self.group.is_none() && is_before
    }

    /// Between two transactions, the place is the position.
    pub(super) fn move_on(&mut self) {
        let Position::File(read) = &self.position else { return };
        let here = BinlogPlace::new(read.server, &self.place.file, self.place.offset);
        if let Some(here) = here.filter(|here| here.covers(read)) {
            self.position = Position::File(here);
        }
    }
}
