//! What commands print: tables and sentences for a person, one stable JSON value for a script.
//! It must never let a byte that a tenant wrote steer the terminal.
#![allow(clippy::print_stdout, reason = "the one place where commands print")]

use std::io::{IsTerminal, Write};

use serde::Serialize;

/// How to print.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    pub json: bool,
}

impl Output {
    /// A value: as JSON, or as the words that `text` makes of it.
    pub fn value<T: Serialize>(&self, value: &T, text: impl FnOnce(&T) -> String) {
        if self.json {
            self.json(value);
        } else {
            line(&text(value));
        }
    }

    /// A list: as a JSON array, or as a table.
    pub fn list<T: Serialize>(&self, items: &[T], heads: &[&str], row: impl Fn(&T) -> Vec<String>) {
        if self.json {
            self.json(&items);
        } else {
            print(&table(heads, items.iter().map(row).collect(), std::io::stdout().is_terminal()));
        }
    }

    /// Something was done and there is nothing to show.
    pub fn done(&self, sentence: &str) {
        if self.json {
            self.json(&serde_json::json!({ "done": true }));
        } else {
            line(sentence);
        }
    }

    /// One JSON value on one line.
    pub fn json<T: Serialize>(&self, value: &T) {
        print(&format!("{}\n", json_text(value)));
    }

    /// Progress for a person who waits; nothing for a script.
    pub fn progress(&self, text: &str) {
        if !self.json {
            eprintln!("{}", plain(text));
        }
    }
}

/// One line on standard output.
pub fn line(text: &str) {
    print(&format!("{}\n", plain(text)));
}

/// JSON in which every character that could steer a terminal is escaped; those below U+0020 always are.
pub fn json_text<T: Serialize + ?Sized>(value: &T) -> String {
    let json = serde_json::to_string(value).unwrap_or_default();
    if !json.contains(steers) {
        return json;
    }
    json.chars().map(|c| if steers(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() }).collect()
}

/// What somebody else wrote: as it is for a file or another program, plain for a terminal.
pub fn foreign(text: &str) {
    if std::io::stdout().is_terminal() { print(&plain(text)) } else { print(text) }
}

/// Bytes as they are: archives, generated pages.
pub fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    // A reader that has gone away (`| head`) is no failure of ours.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Text without control characters other than line ends and tabs, and without those that turn its direction.
pub fn plain(text: &str) -> String {
    text.chars().filter(|c| !steers(*c) || matches!(c, '\n' | '\t')).collect()
}

fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Columns as wide as their widest cell; heads only on a terminal, so that scripts can cut lines.
fn table(heads: &[&str], rows: Vec<Vec<String>>, terminal: bool) -> String {
    let heads: Vec<String> = heads.iter().map(|head| head.to_uppercase()).collect();
    let rows = rows.into_iter().map(|row| row.iter().map(|cell| plain(cell).replace(['\n', '\t'], " ")).collect());
    let rows: Vec<Vec<String>> = terminal.then_some(heads).into_iter().chain(rows).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// A time as a person reads it, in UTC.
pub fn time(ms: i64) -> String {
    let days = ms.div_euclid(86_400_000);
    let seconds = ms.rem_euclid(86_400_000) / 1000;
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Days since 1970 as a date; Howard Hinnant's `civil_from_days`.
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

/// A size as a person reads it.
pub fn bytes(value: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = (0..units.len()).rev().find(|unit| value >> (10 * unit) > 0).unwrap_or(0);
    if unit == 0 {
        format!("{value} B")
    } else {
        format!("{:.1} {}", value as f64 / f64::from(1u32 << 10).powi(unit as i32), units[unit])
    }
}

/// Microseconds as a person reads them.
pub fn micros(value: u64) -> String {
    if value < 1000 { format!("{value} µs") } else { format!("{:.1} ms", value as f64 / 1000.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_and_cannot_steer_the_terminal() {
        let rows = vec![vec!["a".into(), "x\u{1b}[31m\ny".into()], vec!["longer".into(), "z".into()]];
        assert_eq!(table(&["id", "name"], rows.clone(), true), "ID      NAME\na       x[31m y\nlonger  z\n");
        assert_eq!(table(&["id", "name"], rows, false), "a       x[31m y\nlonger  z\n");
    }

    #[test]
    fn json_can_not_steer_the_terminal_and_says_the_same() {
        let text = "a\u{9b}31m\u{7f}\u{202e}\u{1b}]52;c;x\u{7} ä\n";
        let json = json_text(text);
        assert_eq!(json, r#""a\u009b31m\u007f\u202e\u001b]52;c;x\u0007 ä\n""#);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        assert_eq!(plain(text), "a31m]52;c;x ä\n");
    }

    #[test]
    fn times_and_sizes_read_well() {
        for (ms, text) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_400_000, "2000-02-29 00:00:00"),
            (1_795_246_439_999, "2026-11-21 07:33:59"),
        ] {
            assert_eq!(time(ms), text);
        }
        for (value, text) in [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (10 << 20, "10.0 MiB")] {
            assert_eq!(bytes(value), text);
        }
    }
}
