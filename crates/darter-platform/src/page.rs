//! Pages of long lists: their sizes and the cursors between them.

use darter_api::page::PageQuery;
use darter_core::Fault;

/// Entries on a page unless told.
const USUAL: u32 = 50;
/// Entries on the longest page.
const MOST: u32 = 200;

/// How many entries the page shall have.
pub fn limit_of(page: &PageQuery) -> Result<u32, Fault> {
    match page.limit.unwrap_or(USUAL) {
        limit @ 1..=MOST => Ok(limit),
        other => {
            Err(Fault::invalid("page.limit_invalid", format!("limit is {other}; choose a number from 1 to {MOST}.")))
        }
    }
}

/// The answer to a cursor that was not ours.
pub fn malformed_cursor() -> Fault {
    Fault::invalid(
        "page.cursor_malformed",
        "This cursor is not one that a page before gave. Take it unchanged from `next`, or begin without one.",
    )
}

/// A cursor that is a time and an id.
pub fn time_and_id(cursor: &str) -> Result<(i64, String), Fault> {
    let (time, id) = cursor.split_once('.').ok_or_else(malformed_cursor)?;
    let shaped = id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let time = time.parse().map_err(|_| malformed_cursor())?;
    if shaped { Ok((time, id.to_owned())) } else { Err(malformed_cursor()) }
}

/// Cuts a list that was read one longer than the page: the items, and is there more?
pub fn cut<T>(mut found: Vec<T>, limit: u32) -> (Vec<T>, bool) {
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    (found, more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_a_strange_size_is_refused() {
        let limit = |limit| limit_of(&PageQuery { cursor: None, limit }).map_err(|fault| fault.code);
        assert_eq!([limit(None), limit(Some(1)), limit(Some(200))], [Ok(50), Ok(1), Ok(200)]);
        assert_eq!([limit(Some(0)), limit(Some(201))], [Err("page.limit_invalid"); 2]);
    }

    #[test]
    fn a_cursor_of_somebody_elses_making_is_refused() {
        assert_eq!(time_and_id("12.acc_0"), Ok((12, "acc_0".to_owned())));
        for bad in ["", "12", "x.y", "1.' OR 1=1", "."] {
            assert_eq!(time_and_id(bad).map_err(|fault| fault.code), Err("page.cursor_malformed"), "{bad}");
        }
    }
}
