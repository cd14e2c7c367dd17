//! A Parquet file that is an object in a store: its footer by one read, then only the column chunks that are asked for.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::{Bytes, BytesMut};
use parquet::DecodeResult;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReader};
use parquet::arrow::push_decoder::{ParquetPushDecoder, ParquetPushDecoderBuilder};
use parquet::errors::ParquetError;
use parquet::file::FOOTER_SIZE;
use parquet::file::metadata::{FooterTail, ParquetMetaData, ParquetMetaDataReader};

use super::parquet_file::{BATCH_ROWS, broken};
use super::reader::{Reader, Room};
use crate::error::{Error, Result};
use crate::store::Object;

/// Read from the end for the footer. A footer takes about 100 bytes for each column of each row group.
pub(super) const TAIL: u64 = 64 << 10;

/// Chunks closer than this are read together: 1 MiB arrives in the time that another request would take to begin.
const GAP: u64 = 1 << 20;

/// An object of a store.
pub(super) struct Remote {
    reader: Arc<Reader>,
    object: Object,
    /// All of a small file.
    whole: Option<Bytes>,
}

/// The rows of some row groups, of which one is in memory.
pub(super) struct RemoteRows<'a, F> {
    remote: &'a Remote,
    decoder: ParquetPushDecoder,
    group: Option<Group>,
    failed: F,
}

/// A row group, and what allows to have its bytes in memory.
type Group = (ParquetRecordBatchReader, Option<Room>);

impl Remote {
    /// Reads the footer: one read, two when it is longer than 64 KiB. None but a listing is needed before.
    pub fn open(object: &Object, reader: &Arc<Reader>) -> Result<(Self, ParquetMetaData)> {
        let broken = |error: ParquetError| broken(&object.uri, None, error);
        let size = object.bytes;
        if size < FOOTER_SIZE as u64 {
            return Err(broken(ParquetError::EOF(format!("a file of {size} bytes has no footer"))));
        }
        let start = size.saturating_sub(TAIL);
        let mut tail = reader.part(object, start..size)?;
        let end = FooterTail::try_from(&tail[tail.len() - FOOTER_SIZE..]).map_err(broken)?;
        if end.is_encrypted_footer() {
            return Err(broken(ParquetError::General("it is encrypted".into())));
        }
        let length = end.metadata_length() + FOOTER_SIZE;
        let Some(footer) = size.checked_sub(length as u64) else {
            return Err(broken(ParquetError::EOF(format!("the footer has {length} bytes, the file {size}"))));
        };
        let whole = (start == 0 && reader.may_keep(size)).then(|| tail.clone());
        if footer < start {
            let mut longer = BytesMut::from(reader.part(object, footer..start)?);
            longer.extend_from_slice(&tail);
            tail = longer.freeze();
        }
        let metadata = &tail[tail.len() - length..tail.len() - FOOTER_SIZE];
        let metadata = ParquetMetaDataReader::decode_metadata(metadata).map_err(broken)?;
        check_chunks(&metadata, footer).map_err(broken)?;
        Ok((Self { reader: reader.clone(), object: object.clone(), whole }, metadata))
    }

    /// Returns the columns of `mask` in some row groups, one after the other. Reads nothing that is further than 1 MiB
    /// from them. `failed` makes the error of what makes no sense.
    pub fn rows<F: Fn(ParquetError) -> Error>(
        &self,
        groups: Vec<usize>,
        prepared: ArrowReaderMetadata,
        mask: ProjectionMask,
        failed: F,
    ) -> Result<RemoteRows<'_, F>> {
        let decoder = ParquetPushDecoderBuilder::new_with_metadata(prepared).with_projection(mask);
        let decoder = decoder.with_row_groups(groups).with_batch_size(BATCH_ROWS).build();
        Ok(RemoteRows { remote: self, decoder: decoder.map_err(&failed)?, group: None, failed })
    }

    /// Returns the bytes of each range, read in as few pieces as is worth it.
    fn parts(&self, wanted: &[Range<u64>], held: Option<Room>) -> Result<(Vec<Bytes>, Option<Room>)> {
        let slice = |whole: &Bytes, start: u64, range: &Range<u64>| {
            whole.slice((range.start - start) as usize..(range.end - start) as usize)
        };
        if let Some(whole) = &self.whole {
            return Ok((wanted.iter().map(|range| slice(whole, 0, range)).collect(), held));
        }
        let pieces = coalesced(wanted);
        let room = match held {
            Some(held) => held,
            None => self.reader.room(pieces.iter().map(|piece| piece.end - piece.start).sum())?,
        };
        let read = |piece: &Range<u64>| Ok((piece.clone(), self.reader.part(&self.object, piece.clone())?));
        let pieces = pieces.iter().map(read).collect::<Result<Vec<_>>>()?;
        let of = |range: &Range<u64>| {
            let (piece, bytes) = &pieces[pieces.partition_point(|(piece, _)| piece.end < range.end)];
            slice(bytes, piece.start, range)
        };
        Ok((wanted.iter().map(of).collect(), Some(room)))
    }
}

impl<F: Fn(ParquetError) -> Error> RemoteRows<'_, F> {
    /// Reads the next row group; `None` after the last one.
    fn advance(&mut self) -> Result<Option<Group>> {
        let mut room = None;
        loop {
            match self.decoder.try_next_reader().map_err(&self.failed)? {
                DecodeResult::Data(rows) => return Ok(Some((rows, room))),
                DecodeResult::Finished => return Ok(None),
                DecodeResult::NeedsData(wanted) => {
                    let (parts, taken) = self.remote.parts(&wanted, room)?;
                    room = taken;
                    self.decoder.push_ranges(wanted, parts).map_err(&self.failed)?;
                }
            }
        }
    }
}

impl<F: Fn(ParquetError) -> Error> Iterator for RemoteRows<'_, F> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(batch) = self.group.as_mut().and_then(|(rows, _)| rows.next()) {
                return Some(batch.map_err(|error| (self.failed)(error.into())));
            }
            // First the room of the last row group, then that of the next one.
            self.group = None;
            match self.advance().transpose()? {
                Ok(group) => self.group = Some(group),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// Refuses a footer that places columns where they cannot be: nothing is asked of a store that it does not have.
fn check_chunks(metadata: &ParquetMetaData, end: u64) -> Result<(), ParquetError> {
    for chunk in metadata.row_groups().iter().flat_map(|group| group.columns()) {
        let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
        let inside = || {
            let (start, length) = (u64::try_from(start).ok()?, u64::try_from(chunk.compressed_size()).ok()?);
            start.checked_add(length).filter(|chunk_end| *chunk_end <= end)
        };
        if inside().is_none() {
            let column = chunk.column_path();
            return Err(ParquetError::General(format!("the footer places column {column} outside of the file")));
        }
    }
    Ok(())
}

/// Returns sorted ranges that together cover `wanted`, those closer than 1 MiB as one.
fn coalesced(wanted: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut sorted = wanted.to_vec();
    sorted.sort_unstable_by_key(|range| (range.start, range.end));
    let mut pieces: Vec<Range<u64>> = Vec::new();
    for range in sorted {
        match pieces.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(GAP) => last.end = last.end.max(range.end),
            _ => pieces.push(range),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_read_together_and_others_apart() {
        let apart = 20 + GAP + 1..40 + GAP;
        assert_eq!(coalesced(&[30..40, 10..20, apart.clone(), 15..18]), vec![10..40 + GAP]);
        assert_eq!(coalesced(&[apart.clone(), 10..20]), [10..20, apart]);
        assert_eq!(coalesced(&[]), []);
    }
}
