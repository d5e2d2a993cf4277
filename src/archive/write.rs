//! One Parquet file: written piece by piece, on disk when it is done, and its digest known.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use sha2::{Digest, Sha256};

use super::manifest::hex;
use crate::error::{Context, ErrorKind, Result};

/// Rows of a group: what is in memory at once. An event has about 600 bytes.
const GROUP_ROWS_MAX: usize = 32_768;

/// What was written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// A file in the making.
pub(super) struct ParquetFile {
    writer: ArrowWriter<Digesting>,
    name: String,
    rows: u64,
}

impl ParquetFile {
    /// Begins the file, which must not be there.
    pub(super) fn create(path: &Path, schema: SchemaRef) -> Result<Self> {
        let name = path.display().to_string();
        let what = || format!("could not begin {name}");
        let file = File::create_new(path).context(ErrorKind::Ledger, what)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(GROUP_ROWS_MAX))
            .build();
        let sink = Digesting { file, digest: Sha256::new(), bytes: 0 };
        let writer =
            ArrowWriter::try_new(sink, schema, Some(properties)).context(ErrorKind::Bug, what)?;
        Ok(Self { writer, name, rows: 0 })
    }

    /// Its next rows.
    pub(super) fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        let what = || format!("could not write {}", self.name);
        self.writer.write(rows).context(ErrorKind::Ledger, what)?;
        self.rows += rows.num_rows() as u64;
        Ok(())
    }

    /// Ends it; it is on disk when this returns.
    pub(super) fn finish(self) -> Result<Written> {
        let Self { writer, name, rows } = self;
        let what = || format!("could not write {name}");
        let Digesting { file, digest, bytes } =
            writer.into_inner().context(ErrorKind::Ledger, what)?;
        file.sync_all().context(ErrorKind::Ledger, what)?;
        Ok(Written { rows, bytes, sha256: hex(digest) })
    }
}

/// Knows the digest of what went through it.
struct Digesting {
    file: File,
    digest: Sha256,
    bytes: u64,
}

impl Write for Digesting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.digest.update(bytes.get(..written).unwrap_or_default());
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
