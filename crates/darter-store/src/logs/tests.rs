//! The log store against crashes, floods, quotas and hostile messages.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use darter_core::record::{Level, LogRecord, LogSource};
use darter_core::{AppId, Clock, Millis};
use proptest::prelude::*;

use super::{Filter, LogOptions, LogStore, format_cursor, parse_cursor};

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Millis {
        43_200_000
    }
}

fn app(id: &str) -> AppId {
    id.parse().unwrap()
}

fn record(app: &AppId, time: i64, message: &str) -> LogRecord {
    LogRecord {
        time,
        app: app.clone(),
        source: LogSource::Function,
        level: Level::Info,
        function: "hello".into(),
        version: 1,
        request_id: format!("req-{time}"),
        message: message.into(),
    }
}

fn open(options: &LogOptions) -> LogStore {
    LogStore::open(options.clone(), Arc::new(Noon)).unwrap()
}

fn small(folder: &tempfile::TempDir) -> LogOptions {
    LogOptions { app_bytes: 64 << 10, ..LogOptions::new(folder.path().to_owned()) }
}

async fn messages(store: &LogStore, app: &AppId) -> Vec<String> {
    let found = store.search(app, Filter::default(), None, 100_000).await.unwrap();
    found.lines.into_iter().map(|line| line.record.message).collect()
}

fn newest_segment(folder: &tempfile::TempDir, app: &AppId) -> PathBuf {
    let mut paths: Vec<_> =
        fs::read_dir(folder.path().join(app.as_str())).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    paths.sort();
    paths.pop().unwrap()
}

#[tokio::test]
async fn lines_come_back_newest_first_and_page_by_page() {
    let folder = tempfile::tempdir().unwrap();
    let (store, app) = (open(&small(&folder)), app("aaaaaaaaaa"));
    for time in 1..=25 {
        store.append(record(&app, time, &format!("line {time}")));
    }
    store.flush().await;
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = store.search(&app, Filter::default(), before, 10).await.unwrap();
        seen.extend(page.lines.iter().map(|line| line.record.time));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(seen, (1..=25).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_reader_who_comes_back_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (store, app) = (open(&small(&folder)), app("aaaaaaaaaa"));
    for time in 1..=5 {
        store.append(record(&app, time, "x"));
    }
    store.flush().await;
    let found = store.onwards(&app, Filter::default(), 3, 10).await.unwrap();
    assert_eq!(found.lines.iter().map(|line| line.cursor).collect::<Vec<_>>(), [4, 5]);
}

#[tokio::test]
async fn one_app_never_reads_another_apps_lines() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&small(&folder));
    let (ours, theirs) = (app("aaaaaaaaaa"), app("bbbbbbbbbb"));
    let mut tail = store.subscribe(&ours);
    store.append(record(&theirs, 1, "theirs"));
    store.append(record(&ours, 2, "ours"));
    store.flush().await;
    assert_eq!(messages(&store, &ours).await, ["ours"]);
    assert_eq!(tail.try_recv().unwrap().record.message, "ours");
    assert!(tail.try_recv().is_err());
}

#[tokio::test]
async fn a_line_torn_by_a_crash_is_skipped_and_the_next_one_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let app = app("aaaaaaaaaa");
    {
        let store = open(&small(&folder));
        store.append(record(&app, 1, "kept"));
        store.flush().await;
    }
    let mut file = OpenOptions::new().append(true).open(newest_segment(&folder, &app)).unwrap();
    file.write_all(br#"{"c":2,"t":2,"s":"function","l":"in"#).unwrap();
    drop(file);
    let store = open(&small(&folder));
    assert_eq!(messages(&store, &app).await, ["kept"]);
    store.append(record(&app, 3, "after"));
    store.flush().await;
    assert_eq!(messages(&store, &app).await, ["after", "kept"]);
}

#[tokio::test]
async fn cursors_rise_across_restarts_and_segments() {
    let folder = tempfile::tempdir().unwrap();
    let app = app("aaaaaaaaaa");
    for round in 0..5 {
        let store = open(&small(&folder));
        for time in 0..40 {
            store.append(record(&app, round * 100 + time, &"y".repeat(100)));
            store.flush().await;
        }
    }
    let store = open(&small(&folder));
    let found = store.onwards(&app, Filter::default(), 0, 1_000).await.unwrap();
    assert_eq!(found.lines.iter().map(|line| line.cursor).collect::<Vec<_>>(), (1..=200).collect::<Vec<_>>());
    assert!(fs::read_dir(folder.path().join(app.as_str())).unwrap().count() > 4, "several segments were made");
}

#[tokio::test]
async fn hostile_messages_come_back_as_they_were_and_stay_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let (store, app) = (open(&small(&folder)), app("aaaaaaaaaa"));
    let hostile = ["a\nb\r\n{\"c\":99}", "\u{1b}[31mred\u{1b}[0m\0", "\u{2028}\u{202e}", "\"}\n{\"c\":1,\"t\":0}"];
    for message in hostile {
        store.append(record(&app, 1, message));
    }
    store.flush().await;
    let mut expected = hostile.to_vec();
    expected.reverse();
    assert_eq!(messages(&store, &app).await, expected);
    let written = fs::read_to_string(newest_segment(&folder, &app)).unwrap();
    assert_eq!(written.lines().count(), hostile.len());
}

#[tokio::test]
async fn a_message_over_the_limit_is_cut_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (store, app) = (open(&LogOptions::new(folder.path().to_owned())), app("aaaaaaaaaa"));
    store.append(record(&app, 1, &"ü".repeat(20_000)));
    store.flush().await;
    let kept = messages(&store, &app).await.remove(0);
    assert!(kept.len() <= 16 << 10 && kept.ends_with("(cut at 16 KiB)"), "{} bytes", kept.len());
}

#[tokio::test]
async fn the_oldest_lines_go_when_the_app_is_over_its_quota() {
    let folder = tempfile::tempdir().unwrap();
    let options = small(&folder);
    let (store, app) = (open(&options), app("aaaaaaaaaa"));
    for time in 0..2_000 {
        store.append(record(&app, time, &"z".repeat(100)));
        if time % 20 == 0 {
            store.flush().await;
        }
    }
    store.flush().await;
    let found = store.search(&app, Filter::default(), None, 10_000).await.unwrap();
    assert_eq!(found.lines.first().map(|line| line.record.time), Some(1_999));
    assert!(found.lines.len() < 2_000 && found.lines.len() > 200, "{} lines", found.lines.len());
    assert!(super::sweep::measure(folder.path()) <= options.app_bytes + 2 * options.segment_bytes());
}

#[tokio::test]
async fn all_apps_together_stay_within_the_total() {
    let folder = tempfile::tempdir().unwrap();
    let options = LogOptions { total_bytes: 100 << 10, ..small(&folder) };
    let store = open(&options);
    let apps: Vec<_> = ["aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc"].map(app).into();
    for time in 0..1_200 {
        store.append(record(&apps[time as usize % 3], time, &"z".repeat(100)));
        if time % 30 == 0 {
            store.flush().await;
        }
    }
    store.flush().await;
    assert!(super::sweep::measure(folder.path()) <= options.total_bytes + 3 * options.segment_bytes());
    for app in &apps {
        assert!(!messages(&store, app).await.is_empty(), "the newest lines of {app} are there");
    }
}

#[tokio::test]
async fn a_flood_is_bounded_counted_and_said_in_the_apps_own_log() {
    let folder = tempfile::tempdir().unwrap();
    let options = LogOptions { pending_bytes: 4 << 10, ..small(&folder) };
    let store = open(&options);
    let (loud, quiet) = (app("aaaaaaaaaa"), app("bbbbbbbbbb"));
    // The writer is stopped at the app's own lock, so the flood meets a full queue whatever the machine does.
    store.flush().await;
    let log = store.inner.app(&loud).unwrap();
    let stopped = log.lock().unwrap();
    for time in 0..100 {
        store.append(record(&loud, time, &"!".repeat(1_000)));
    }
    store.append(record(&quiet, 1, "still heard"));
    drop(stopped);
    store.flush().await;
    assert!(store.losses().dropped > 0);
    store.append(record(&loud, 200, "after"));
    store.flush().await;
    assert_eq!(messages(&store, &quiet).await, ["still heard"]);
    let said = messages(&store, &loud).await;
    assert!(said.iter().any(|message| message.contains("log lines before this one were dropped")), "{said:?}");
}

#[tokio::test]
async fn filters_narrow_the_search() {
    let folder = tempfile::tempdir().unwrap();
    let (store, app) = (open(&small(&folder)), app("aaaaaaaaaa"));
    for time in 1..=10 {
        let mut line = record(&app, time, if time == 7 { "Straße GESPERRT" } else { "ordinary" });
        line.level = if time % 2 == 0 { Level::Error } else { Level::Info };
        line.version = u32::try_from(time).unwrap();
        line.function = if time > 5 { "late".into() } else { "early".into() };
        store.append(line);
    }
    store.flush().await;
    let rows: Vec<(Filter, Vec<i64>)> = vec![
        (Filter { function: Some("late".into()), ..Filter::default() }, vec![10, 9, 8, 7, 6]),
        (Filter { version: Some(3), ..Filter::default() }, vec![3]),
        (Filter { request_id: Some("req-4".into()), ..Filter::default() }, vec![4]),
        (Filter { level: Some(Level::Warn), ..Filter::default() }, vec![10, 8, 6, 4, 2]),
        (Filter { since: Some(4), until: Some(6), ..Filter::default() }, vec![5, 4]),
        (Filter { text: Some("gesperrt".into()), ..Filter::default() }, vec![7]),
        (Filter { text: Some("nothing like it".into()), ..Filter::default() }, vec![]),
    ];
    for (filter, expected) in rows {
        let found = store.search(&app, filter.clone(), None, 100).await.unwrap();
        assert_eq!(found.lines.iter().map(|line| line.record.time).collect::<Vec<_>>(), expected, "{filter:?}");
    }
}

#[tokio::test]
async fn an_app_that_is_gone_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let (store, app) = (open(&small(&folder)), app("aaaaaaaaaa"));
    store.append(record(&app, 1, "x"));
    store.flush().await;
    store.forget(&app).await;
    assert!(messages(&store, &app).await.is_empty());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_lost_or_false_index_costs_a_scan_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let app = app("aaaaaaaaaa");
    {
        let store = open(&small(&folder));
        for time in 0..300 {
            store.append(record(&app, time, &"i".repeat(100)));
            if time % 20 == 0 {
                store.flush().await;
            }
        }
        store.flush().await;
    }
    for (number, entry) in fs::read_dir(folder.path().join(app.as_str())).unwrap().enumerate() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "idx") {
            if number % 2 == 0 { fs::remove_file(path).unwrap() } else { fs::write(path, b"{\"first\":1}").unwrap() }
        }
    }
    assert_eq!(messages(&open(&small(&folder)), &app).await.len(), 300);
}

proptest! {
    #[test]
    fn cursors_survive_the_way_out_and_back(cursor: u64) {
        prop_assert_eq!(parse_cursor(&format_cursor(cursor)), Some(cursor));
    }

    #[test]
    fn no_text_makes_a_cursor_by_accident(text in "\\PC{0,20}") {
        if let Some(cursor) = parse_cursor(&text) {
            prop_assert_eq!(format_cursor(cursor), text.to_lowercase());
        }
    }

    #[test]
    fn a_segment_cut_anywhere_keeps_every_whole_line_before_the_cut(
        texts in proptest::collection::vec("\\PC{0,40}", 1..20),
        cut in 0.0f64..1.0,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let app = app("aaaaaaaaaa");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let store = open(&small(&folder));
            texts.iter().enumerate().for_each(|(time, text)| store.append(record(&app, time as i64, text)));
            store.flush().await;
        });
        let path = newest_segment(&folder, &app);
        let content = fs::read(&path).unwrap();
        let keep = (content.len() as f64 * cut) as usize;
        fs::write(&path, &content[..keep]).unwrap();
        let whole = content[..keep].iter().filter(|byte| **byte == b'\n').count();
        let kept = runtime.block_on(async {
            let store = open(&small(&folder));
            store.append(record(&app, 99, "after the crash"));
            store.flush().await;
            messages(&store, &app).await
        });
        let mut expected = texts[..whole].to_vec();
        expected.push("after the crash".to_owned());
        expected.reverse();
        prop_assert_eq!(kept, expected);
    }
}
