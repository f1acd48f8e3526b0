//! Where a match is in its line, and what is shown of it, in the units of editors: UTF-16.

use std::borrow::Cow;

/// Longest line that is shown whole, in bytes.
const WHOLE: usize = 1000;
/// What is shown around a match in a longer one.
const BEFORE: usize = 100;
const AFTER: usize = 400;

/// One match as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Preview {
    pub(super) column: usize,
    pub(super) length: usize,
    pub(super) text: String,
    /// Where the match is in `text`, when that is not `column`.
    pub(super) shifted: Option<usize>,
}

fn units(bytes: &[u8]) -> usize {
    String::from_utf8_lossy(bytes).encode_utf16().count()
}

/// Of the match `start..end` in a line of any bytes.
pub(super) fn of(line: &[u8], start: usize, end: usize) -> Preview {
    let line = trimmed(line);
    let (start, end) = (start.min(line.len()), end.min(line.len()));
    let (column, length) = (units(&line[..start]), units(&line[start..end]));
    if line.len() <= WHOLE {
        return Preview { column, length, text: lossy(line).into_owned(), shifted: None };
    }
    let from = boundary(line, start.saturating_sub(BEFORE));
    let to = boundary(line, (end.min(start + WHOLE) + AFTER).min(line.len()));
    let text = lossy(&line[from..to]).into_owned();
    Preview { column, length, text, shifted: Some(units(&line[from..start])) }
}

/// Without its end.
pub(super) fn trimmed(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// At most what is shown of a line that has no match.
pub(super) fn cut(line: &[u8]) -> String {
    let line = trimmed(line);
    lossy(&line[..boundary(line, line.len().min(WHOLE))]).into_owned()
}

fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// The nearest place before `at` where a character begins, when that is near.
fn boundary(line: &[u8], at: usize) -> usize {
    let begins = |at: usize| line.get(at).is_none_or(|byte| byte & 0b1100_0000 != 0b1000_0000);
    (at.saturating_sub(3)..=at).rev().find(|at| begins(*at)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn columns_are_counted_as_editors_count() {
        let line = "a😀b match\r\n".as_bytes();
        let at = line.windows(5).position(|window| window == b"match").unwrap();
        let preview = of(line, at, at + 5);
        assert_eq!(
            (preview.column, preview.length, preview.text.as_str(), preview.shifted),
            (5, 5, "a😀b match", None)
        );
    }

    proptest! {
        #[test]
        fn the_match_is_where_the_preview_says(
            before in "[a-zé😀]{0,900}", found in "[A-Z]{1,20}", after in "[a-zé😀]{0,900}",
        ) {
            let line = format!("{before}{found}{after}\n");
            let preview = of(line.as_bytes(), before.len(), before.len() + found.len());
            let shown: Vec<u16> = preview.text.encode_utf16().collect();
            let at = preview.shifted.unwrap_or(preview.column);
            let seen = String::from_utf16(&shown[at..at + preview.length]).unwrap();
            prop_assert_eq!(seen, found);
            prop_assert!(preview.text.len() <= 1600);
            let broken = preview.text.contains('\u{fffd}');
            prop_assert!(!broken);
        }

        #[test]
        fn any_bytes_have_a_preview(line in prop::collection::vec(any::<u8>(), 0..3000), a in 0_usize..3000, b in 0_usize..3000) {
            let _ = of(&line, a.min(b), a.max(b));
        }
    }
}
