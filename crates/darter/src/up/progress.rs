//! What the first start does, for whoever watches: bars on a terminal, a line for each step elsewhere.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use darter_engine::{Progress, Step};
use indicatif::{ProgressBar, ProgressStyle};

/// How often a download says where it is, when nobody can see a bar: each time another quarter is there.
const QUARTERS: u64 = 4;

/// Hears the engine's steps.
pub fn listener() -> Progress {
    let terminal = std::io::stderr().is_terminal();
    let shown = Mutex::new(Shown { last: String::new(), installing: false, bar: None });
    Arc::new(move |step| {
        let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
        if terminal { shown.draw(&step) } else { shown.write(&step) }
    })
}

struct Shown {
    last: String,
    installing: bool,
    bar: Option<ProgressBar>,
}

impl Shown {
    /// One line for each new thing.
    fn write(&mut self, step: &Step) {
        let text = match step {
            Step::Download { what, bytes, total } if *total > 0 => {
                format!("first start: fetching {what}, {} %", bytes * QUARTERS / total * (100 / QUARTERS))
            }
            // Hundreds of packages: their names are only for the eye of a person.
            Step::Packages { line } if self.installing && !line.starts_with("added") => return,
            other => match words(other) {
                Some(text) => format!("first start: {text}"),
                None => return,
            },
        };
        self.installing = matches!(step, Step::Packages { .. });
        if text != self.last {
            eprintln!("{text}");
            self.last = text;
        }
    }

    fn draw(&mut self, step: &Step) {
        let Some(text) = words(step) else {
            if let Some(bar) = self.bar.take() {
                bar.finish_and_clear();
                eprintln!("The runtime is installed.");
            }
            return;
        };
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::new_spinner();
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        match step {
            Step::Download { bytes, total, .. } if *total > 0 => {
                bar.set_style(style("{spinner} {wide_msg} {bar:28} {bytes}/{total_bytes}"));
                bar.set_length(*total);
                bar.set_position(*bytes);
            }
            _ => bar.set_style(style("{spinner} {wide_msg}")),
        }
        bar.set_message(text);
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// `None`: all is there.
fn words(step: &Step) -> Option<String> {
    Some(match step {
        Step::Download { what, .. } => format!("fetching {what}"),
        Step::Unpack { what } => format!("unpacking {what}"),
        Step::Packages { line } if line.is_empty() => "installing the built-in packages".into(),
        Step::Packages { line } => format!("installing the built-in packages: {}", package(line)),
        Step::Warm => "compiling ahead".into(),
        Step::Ready => return None,
    })
}

/// The package of a line of npm's (`… GET 200 https://host/lodash/-/lodash-4.17.21.tgz 10ms …`), or the line.
fn package(line: &str) -> &str {
    let address = line.split(' ').find_map(|word| word.split_once("://")?.1.split_once('/'));
    address.map_or(line, |(_, path)| path.split("/-/").next().unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_npms_becomes_the_name_of_a_package() {
        let fetched = "npm http fetch GET 200 https://npm.example/@aws-sdk/core/-/core-3.981.0.tgz 5099ms (cache miss)";
        for (line, name) in [(fetched, "@aws-sdk/core"), ("added 351 packages in 14s", "added 351 packages in 14s")] {
            assert_eq!(package(line), name);
        }
    }
}
