//! Sizes and times as people read them: *10 MiB*, *60 s*. Exact, never rounded.

use std::time::Duration;

/// Bytes in the largest unit that is whole.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0 => "0 bytes".into(),
        whole if whole.is_multiple_of(1 << 30) => format!("{} GiB", grouped(whole >> 30)),
        whole if whole.is_multiple_of(1 << 20) => format!("{} MiB", grouped(whole >> 20)),
        whole if whole.is_multiple_of(1 << 10) => format!("{} KiB", grouped(whole >> 10)),
        odd => format!("{} bytes", grouped(odd)),
    }
}

/// Whole seconds as such, what is finer in milliseconds.
pub(crate) fn span(time: Duration) -> String {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    if millis.is_multiple_of(1_000) {
        format!("{} s", grouped(millis / 1_000))
    } else {
        format!("{} ms", grouped(millis))
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_at_a_glance() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1_234_567, "1,234,567 bytes"),
            (512 << 10, "512 KiB"),
            (10 << 20, "10 MiB"),
            (2_048 << 20, "2 GiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        for (millis, text) in [(60_000, "60 s"), (1_500, "1,500 ms"), (90, "90 ms"), (3_600_000, "3,600 s")] {
            assert_eq!(span(Duration::from_millis(millis)), text);
        }
    }
}
