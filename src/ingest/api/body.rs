//! Bodies as they were sent, decompressed: whatever the headers say, and whether or not they say it.

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::ingest::page::{GZIP, MOST, whole};

/// Returns the body that `sent` is, compressed or not; `None` when it is cut short, damaged or larger than [`MOST`].
///
/// The API compresses everything, also unasked, with gzip or deflate, and may not say so; early errors may be plain.
/// Source: api.stackexchange.com/docs/compression.
pub fn decoded(sent: Vec<u8>, said: Option<&str>) -> Option<Vec<u8>> {
    if sent.starts_with(&GZIP) {
        return whole(MultiGzDecoder::new(sent.as_slice())).ok();
    }
    let is_json = sent.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| b"{[<".contains(byte));
    if is_json || !said.is_some_and(|said| said.contains("deflate")) {
        return (sent.len() <= MOST).then_some(sent);
    }
    // `deflate` means zlib, and some servers send the bare stream. Source: RFC 9110, section 8.4.1.2.
    whole(ZlibDecoder::new(sent.as_slice())).or_else(|_| whole(DeflateDecoder::new(sent.as_slice()))).ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    const TEXT: &[u8] = b"{\"items\":[]}";

    #[test]
    fn every_encoding_is_seen_whatever_the_header_says() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(TEXT).unwrap();
        let gzip = gzip.finish().unwrap();
        for said in [Some("gzip"), None, Some("deflate")] {
            assert_eq!(decoded(gzip.clone(), said).unwrap(), TEXT);
            assert_eq!(decoded(TEXT.to_vec(), said).unwrap(), TEXT);
        }
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(TEXT).unwrap();
        assert_eq!(decoded(zlib.finish().unwrap(), Some("deflate")).unwrap(), TEXT);
        let mut bare = DeflateEncoder::new(Vec::new(), Compression::fast());
        bare.write_all(TEXT).unwrap();
        assert_eq!(decoded(bare.finish().unwrap(), Some("deflate")).unwrap(), TEXT);
        assert_eq!(decoded(gzip[..gzip.len() - 4].to_vec(), Some("gzip")), None);
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
        bomb.write_all(&vec![b' '; MOST + 1]).unwrap();
        assert_eq!(decoded(bomb.finish().unwrap(), None), None);
    }
}
