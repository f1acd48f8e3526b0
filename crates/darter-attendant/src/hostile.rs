//! For fuzzing and for the tests that replay what it found: a home's stream, as whoever has replaced the attendant might
//! write it. Nothing in the product calls this.

use crate::snapshot::line::{Body, Entry, Line};
use crate::snapshot::reader::{Part, Reader};

/// A stream, read outside; and each of its lines, written again.
pub fn snapshot(stream: &[u8]) {
    for line in stream.split(|byte| *byte == b'\n') {
        if let Ok(read) = Line::read(line) {
            let again = read.write();
            assert_eq!(Line::read(&again[..again.len() - 1]).as_ref(), Ok(&read), "what is kept is what was read");
            sound(&read);
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    if let Ok(runtime) = runtime {
        runtime.block_on(whole(stream));
    }
}

fn sound(line: &Line) {
    let Line::Entry(Entry { path, size, body, .. }) = line else { return };
    let parts = || path.split(|byte| *byte == b'/');
    assert!(parts().all(|part| !matches!(part, b"" | b"." | b"..")), "a path below the root: {path:?}");
    if let Body::Bytes(length, Some(data)) = body {
        let sum = data.iter().fold(0_u64, |sum, (_, length)| sum.saturating_add(*length));
        assert!(sum == *length && sum <= *size, "no more bytes than the file has");
    }
}

async fn whole(stream: &[u8]) {
    let mut reader = Reader::new(stream);
    let (mut size, mut taken) = (0, 0);
    while let Ok(Some(part)) = reader.next().await {
        match part {
            Part::Entry(entry) => size = entry.size,
            Part::Bytes(offset, bytes) => {
                taken += bytes.len();
                assert!(offset.saturating_add(bytes.len() as u64) <= size, "bytes beyond the end of their file");
            }
            Part::Torn => {}
        }
    }
    assert!(taken <= stream.len(), "no byte is given twice");
}
