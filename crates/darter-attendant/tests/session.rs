//! The session, as the light editor speaks it: files, watches, search, terminals, programs; cut off, flooded, misused.

#![allow(clippy::unwrap_used)]

mod support;

use std::os::unix::fs::symlink;

use serde_json::{Value, json};
use support::session::Session;
use support::{Attendant, eventually, next, say};
use tokio_tungstenite::tungstenite::Message;

fn at(attendant: &Attendant, name: &str) -> String {
    attendant.at(name).to_str().unwrap().to_owned()
}

#[tokio::test]
async fn files_are_written_read_and_changed() {
    let attendant = Attendant::start();
    let mut session = Session::open(&attendant).await;
    let path = at(&attendant, "a.txt");
    let written =
        session.ask_with("fs.write", json!({"path": path, "create": true, "overwrite": true}), b"hello").await;
    assert_eq!(written.result()["size"], 5);
    let read = session.ask("fs.read", json!({"path": path})).await;
    assert_eq!((read.body.as_slice(), read.result()["size"].as_u64()), (b"hello".as_slice(), Some(5)));
    let part = session.ask("fs.read", json!({"path": path, "offset": 1, "length": 3})).await;
    assert_eq!(part.body, b"ell");
    session.ask_with("fs.write", json!({"path": path, "append": true}), b" again").await.result();
    assert_eq!(std::fs::read(&path).unwrap(), b"hello again");
    let stat = session.ask("fs.stat", json!({"path": path})).await;
    assert_eq!(stat.result()["type"], "file");
    assert!(stat.result()["mtime"].is_i64() && stat.result()["ctime"].is_i64());
    symlink("a.txt", attendant.at("link")).unwrap();
    let list = session.ask("fs.readdir", json!({"path": at(&attendant, "")})).await;
    assert_eq!(list.result()["entries"], json!([["a.txt", "file"], ["link", "link", "file"]]));
    session.ask("fs.rename", json!({"from": path, "to": at(&attendant, "b")})).await.result();
    session.ask("fs.copy", json!({"from": at(&attendant, "b"), "to": at(&attendant, "c")})).await.result();
    session.ask("fs.mkdir", json!({"path": at(&attendant, "d")})).await.result();
    session.ask("fs.delete", json!({"path": at(&attendant, "b")})).await.result();
    assert_eq!(session.ask("fs.read", json!({"path": at(&attendant, "b")})).await.code(), "file.not_found");
}

#[tokio::test]
async fn a_write_creates_and_overwrites_only_where_it_was_told_to() {
    let attendant = Attendant::start();
    let mut session = Session::open(&attendant).await;
    let path = at(&attendant, "a");
    for (create, overwrite, code) in
        [(false, true, "file.not_found"), (true, false, "none"), (true, false, "file.exists"), (false, true, "none")]
    {
        let params = json!({"path": path, "create": create, "overwrite": overwrite});
        assert_eq!(session.ask_with("fs.write", params, b"x").await.code(), code, "{create} {overwrite}");
    }
    std::fs::hard_link(&path, attendant.at("other")).unwrap();
    session.ask_with("fs.write", json!({"path": path}), b"both").await.result();
    assert_eq!(std::fs::read(attendant.at("other")).unwrap(), b"both", "a hard link stays one");
}

#[tokio::test]
async fn a_large_file_comes_in_pieces_and_a_slow_peer_makes_it_wait() {
    let attendant = Attendant::start();
    let content: Vec<u8> = (0..8_000_000_u32).flat_map(u32::to_le_bytes).collect();
    std::fs::write(attendant.at("large"), &content).unwrap();
    let mut session = Session::open(&attendant).await;
    let id = session.begin("fs.read", json!({"path": at(&attendant, "large")})).await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(attendant.private_memory() < 16 << 10, "{} KiB", attendant.private_memory());
    assert!(session.answer(id).await.body == content);
}

#[tokio::test]
async fn what_changes_in_watched_folders_is_told() {
    let attendant = Attendant::start();
    std::fs::create_dir_all(attendant.at("src/deep")).unwrap();
    std::fs::create_dir_all(attendant.at("node_modules/x")).unwrap();
    let mut session = Session::open(&attendant).await;
    let params = json!({"path": at(&attendant, ""), "recursive": true, "excludes": ["**/node_modules/**"]});
    let watch = session.ask("fs.watch", params).await.result()["watch"].clone();
    let told = |what: &str, name: &str| {
        let (watch, change) = (watch.clone(), json!([what, at(&attendant, name)]));
        move |params: &Value| params["watch"] == watch && params["changes"].as_array().unwrap().contains(&change)
    };
    std::fs::write(attendant.at("node_modules/x/y"), "").unwrap();
    std::fs::write(attendant.at("src/deep/a"), "").unwrap();
    let first = session.notified("fs.changed", told("created", "src/deep/a")).await;
    assert!(!first.to_string().contains("node_modules"), "{first}");
    std::fs::write(attendant.at("src/deep/a"), "more").unwrap();
    session.notified("fs.changed", told("changed", "src/deep/a")).await;
    std::fs::create_dir_all(attendant.at("new/below")).unwrap();
    session.notified("fs.changed", told("created", "new/below")).await;
    std::fs::write(attendant.at("new/below/b"), "").unwrap();
    session.notified("fs.changed", told("created", "new/below/b")).await;
    std::fs::rename(attendant.at("new"), attendant.at("moved")).unwrap();
    session.notified("fs.changed", told("deleted", "new")).await;
    std::fs::write(attendant.at("moved/below/c"), "").unwrap();
    session.notified("fs.changed", told("created", "moved/below/c")).await;
    std::fs::remove_dir_all(attendant.at("moved")).unwrap();
    session.notified("fs.changed", told("deleted", "moved")).await;
    session.ask("fs.unwatch", json!({"watch": watch})).await.result();
}

#[tokio::test]
async fn a_watched_file_is_told_alone_and_a_draft_is_not_told() {
    let attendant = Attendant::start();
    std::fs::write(attendant.at("settings.json"), "{}").unwrap();
    let mut session = Session::open(&attendant).await;
    let path = at(&attendant, "settings.json");
    session.ask("fs.watch", json!({"path": path})).await.result();
    std::fs::write(attendant.at("other"), "").unwrap();
    session.ask_with("fs.write", json!({"path": path}), b"{\"a\":1}").await.result();
    let changed = session.notified("fs.changed", |_| true).await;
    assert_eq!(changed["changes"].as_array().unwrap().len(), 1, "{changed}");
    assert_eq!(changed["changes"][0][1], path);
    assert_eq!(session.ask("fs.watch", json!({"path": at(&attendant, "none")})).await.code(), "file.not_found");
}

#[tokio::test]
async fn more_folders_than_can_be_watched_are_watched_in_part() {
    let attendant = Attendant::start();
    for index in 0..8200 {
        std::fs::create_dir_all(attendant.at(&format!("{}/{index}", index % 10))).unwrap();
    }
    let mut session = Session::open(&attendant).await;
    let answer = session.ask("fs.watch", json!({"path": at(&attendant, ""), "recursive": true})).await;
    assert_eq!(answer.result()["partial"], true);
    std::fs::write(attendant.at("top"), "").unwrap();
    session.notified("fs.changed", |_| true).await;
}

fn matches(session: &mut Session) -> Vec<(String, Value)> {
    let told = session.notifications.drain(..).filter(|(method, _)| method == "search.match");
    let mut all: Vec<(String, Value)> = told
        .map(|(_, params)| {
            (params["path"].as_str().unwrap().rsplit('/').next().unwrap().to_owned(), params["matches"].clone())
        })
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

#[tokio::test]
async fn text_is_found_where_it_is_and_nowhere_else() {
    let attendant = Attendant::start();
    let write = |name: &str, text: &[u8]| {
        std::fs::create_dir_all(attendant.at(name).parent().unwrap()).unwrap();
        std::fs::write(attendant.at(name), text).unwrap();
    };
    write("a.txt", "one Needle\r\nzwei 😀 needle needle\n".as_bytes());
    write("sub/b.rs", b"needles\n");
    write("sub/ignored.rs", b"needle\n");
    write(".gitignore", b"ignored.rs\n");
    write("binary", b"needle\0\n");
    symlink("/etc", attendant.at("out")).unwrap();
    let fifo = attendant.at("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    let mut session = Session::open(&attendant).await;
    let all = |pattern: &str| json!({"folders": [at(&attendant, "")], "pattern": pattern});
    let ask = async |session: &mut Session, more: Value| {
        let mut params = all("needle");
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = session.ask("search.text", params).await;
        (answer.result()["limit_hit"].as_bool().unwrap(), matches(session))
    };
    let names = |found: &[(String, Value)]| found.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let (hit, found) = ask(&mut session, json!({})).await;
    assert_eq!((hit, names(&found)), (false, vec!["a.txt".into(), "b.rs".into()]));
    assert_eq!(found[0].1[0], json!({"line": 0, "column": 4, "length": 6, "preview": "one Needle"}));
    assert_eq!(found[0].1[2], json!({"line": 1, "column": 15, "length": 6, "preview": "zwei 😀 needle needle"}));
    let rows = [
        (json!({"case": true, "word": true}), vec!["a.txt"]),
        (json!({"includes": ["**/*.rs"]}), vec!["b.rs"]),
        (json!({"excludes": ["sub"]}), vec!["a.txt"]),
        (json!({"ignore_files": false}), vec!["a.txt", "b.rs", "ignored.rs"]),
        (json!({"pattern": "^n.+s$", "regexp": true}), vec!["b.rs"]),
        (json!({"pattern": "(n|x)eedle", "regexp": false}), vec![]),
    ];
    for (more, expected) in rows {
        let (_, found) = ask(&mut session, more.clone()).await;
        assert_eq!(names(&found), expected, "{more}");
    }
    let (hit, found) = ask(&mut session, json!({"max": 1})).await;
    assert!(hit);
    assert_eq!(found.iter().map(|(_, matches)| matches.as_array().unwrap().len()).sum::<usize>(), 1);
    for (more, code) in
        [(json!({"pattern": "(", "regexp": true}), "request.invalid"), (json!({"folders": ["x"]}), "request.invalid")]
    {
        let mut params = all("needle");
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(session.ask("search.text", params).await.code(), code);
    }
}

#[tokio::test]
async fn lines_without_end_and_greedy_patterns_are_survived() {
    let attendant = Attendant::start();
    std::fs::write(attendant.at("long"), vec![b'a'; 64 << 20]).unwrap();
    std::fs::write(attendant.at("short"), "aab\n").unwrap();
    std::fs::write(attendant.at("minified"), format!("{}needle{}\n", "é".repeat(100_000), "x".repeat(100_000)))
        .unwrap();
    let mut session = Session::open(&attendant).await;
    let folders = json!([at(&attendant, "")]);
    session.ask("search.text", json!({"folders": folders, "pattern": "(a*)*b", "regexp": true})).await.result();
    assert_eq!(matches(&mut session)[0].0, "short");
    let huge = json!({"folders": folders, "pattern": "(a{1000}){1000}", "regexp": true});
    assert_eq!(session.ask("search.text", huge).await.code(), "request.invalid");
    session.ask("search.text", json!({"folders": folders, "pattern": "needle"})).await.result();
    let found = matches(&mut session);
    let told = &found[0].1[0];
    assert_eq!((told["column"].as_u64(), told["length"].as_u64()), (Some(100_000), Some(6)));
    let preview: Vec<u16> = told["preview"].as_str().unwrap().encode_utf16().collect();
    let column = told["preview_column"].as_u64().unwrap() as usize;
    assert_eq!(String::from_utf16(&preview[column..column + 6]).unwrap(), "needle");
    assert!(attendant.private_memory() < 48 << 10, "{} KiB", attendant.private_memory());
}

#[tokio::test]
async fn a_search_is_cancelled() {
    let attendant = Attendant::start();
    for folder in 0..20 {
        std::fs::create_dir(attendant.at(&format!("{folder}"))).unwrap();
        for file in 0..50 {
            std::fs::write(attendant.at(&format!("{folder}/{file}")), "needle\n".repeat(2000)).unwrap();
        }
    }
    let mut session = Session::open(&attendant).await;
    let params = json!({"folders": [at(&attendant, "")], "pattern": "needle", "max": 100_000});
    let search = session.begin("search.text", params).await;
    session.notified("search.match", |_| true).await;
    session.ask("cancel", json!({"id": search})).await.result();
    let answer = session.answer(search).await;
    assert!(matches!(answer.code(), "cancelled" | "none"), "{answer:?}");
    session.ask("ping", json!({})).await.result();
}

#[tokio::test]
async fn files_are_found_by_name() {
    let attendant = Attendant::start();
    std::fs::create_dir_all(attendant.at("src/deep")).unwrap();
    for name in ["src/main.rs", "src/deep/mod.rs", "readme.md"] {
        std::fs::write(attendant.at(name), "").unwrap();
    }
    let mut session = Session::open(&attendant).await;
    let mut find = async |pattern: &str, max: u64| {
        let params = json!({"folders": [at(&attendant, "")], "pattern": pattern, "max": max});
        let answer = session.ask("search.files", params).await;
        let mut paths: Vec<String> = serde_json::from_value(answer.result()["paths"].clone()).unwrap();
        paths.sort();
        (paths, answer.result()["limit_hit"].as_bool().unwrap())
    };
    assert_eq!(find("main", 10).await, (vec![at(&attendant, "src/main.rs")], false));
    assert_eq!(find("", 2).await.0.len(), 2);
    assert_eq!(find("*.rs", 10).await.0.len(), 2);
}

#[tokio::test]
async fn a_terminal_outlives_its_session_and_is_found_again() {
    let attendant = Attendant::start();
    let mut session = Session::open(&attendant).await;
    let opened = session.ask("terminal.open", json!({"cols": 81, "rows": 25})).await;
    let terminal = opened.result()["terminal"].as_u64().unwrap() as u32;
    session.frame(4, terminal, b"stty size; echo sum $((20+22))\n").await;
    let text = session.printed(3, terminal, "sum 42").await;
    assert!(text.contains("25 81"), "{text}");
    drop(session);
    let mut again = Session::open(&attendant).await;
    let list = again.ask("terminal.list", json!({})).await;
    assert_eq!(list.result()["terminals"][0]["terminal"], terminal);
    let attached = again.ask("terminal.attach", json!({"terminal": terminal, "cols": 90, "rows": 30})).await;
    assert!(attached.result()["replay"].as_u64().unwrap() > 0);
    again.printed(3, terminal, "sum 42").await;
    again.frame(4, terminal, b"stty size\n").await;
    again.printed(3, terminal, "30 90").await;
    again.frame(4, terminal, b"exit 9\n").await;
    let exit = again.notified("terminal.exit", |_| true).await;
    assert_eq!(exit, json!({"terminal": terminal, "exit": 9}));
    assert_eq!(again.ask("terminal.attach", json!({"terminal": terminal})).await.code(), "terminal.not_found");
}

#[tokio::test]
async fn a_program_is_fed_and_its_output_and_end_are_told() {
    let attendant = Attendant::start();
    let mut session = Session::open(&attendant).await;
    let script = json!({"argv": ["sh", "-c", "cat; echo oops >&2; exit 4"], "cwd": "/tmp", "env": {}});
    let program = session.ask("program.start", script).await.result()["program"].as_u64().unwrap() as u32;
    session.frame(7, program, b"fed").await;
    session.frame(7, program, b"").await;
    let exit = session.notified("program.exit", |_| true).await;
    assert_eq!(exit, json!({"program": program, "exit": 4}));
    assert_eq!(session.output[&(5, program)], b"fed");
    assert_eq!(session.output[&(6, program)], b"oops\n");
    assert_eq!(session.ask("program.start", json!({"argv": ["no-such-program"]})).await.code(), "program.not_found");
}

#[tokio::test]
async fn a_program_that_is_killed_says_so_and_one_left_behind_ends_with_its_session() {
    let attendant = Attendant::start();
    let mut session = Session::open(&attendant).await;
    let start = json!({"argv": ["sleep", "1000"]});
    let killed = session.ask("program.start", start.clone()).await.result()["program"].clone();
    session.ask("program.kill", json!({"program": killed, "signal": "KILL"})).await.result();
    let exit = session.notified("program.exit", |_| true).await;
    assert_eq!(exit, json!({"program": killed, "exit": null, "signal": "KILL"}));
    let left = session.ask("program.start", start).await.result()["pid"].as_u64().unwrap();
    drop(session);
    eventually("it is gone", async || !std::path::Path::new(&format!("/proc/{left}/exe")).exists()).await;
}

#[tokio::test]
async fn a_program_waits_for_a_peer_that_does_not_read_and_loses_nothing() {
    let attendant = Attendant::start();
    let mut session = Session::open(&attendant).await;
    let start = json!({"argv": ["head", "-c", "200M", "/dev/zero"]});
    let program = session.ask("program.start", start).await.result()["program"].as_u64().unwrap() as u32;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert!(attendant.private_memory() < 16 << 10, "{} KiB", attendant.private_memory());
    session.notified("program.exit", |_| true).await;
    assert_eq!(session.output[&(5, program)].len(), 200 << 20);
}

#[tokio::test]
async fn nonsense_is_answered_and_the_session_goes_on() {
    let attendant = Attendant::start();
    let mut session = Session::open(&attendant).await;
    for text in ["", "[]", "{\"id\":-1}", "{\"method\":\"ping\"}"] {
        say(&mut session.socket, Message::text(text)).await;
        assert_eq!(session.answer(u32::MAX).await.code(), "request.invalid", "{text}");
    }
    for frame in [&b""[..], b"\x01\0\0\0\x01x", b"\x63\0\0\0\x01"] {
        say(&mut session.socket, Message::binary(frame.to_vec())).await;
        assert_eq!(session.answer(u32::MAX).await.code(), "request.invalid");
    }
    session.frame(2, 77, b"nobody announced it").await;
    assert_eq!(session.answer(77).await.code(), "request.invalid");
    session.frame(4, 77, b"no such terminal").await;
    session.frame(7, 77, b"no such program").await;
    for (method, params, code) in [
        ("fs.nothing", json!({}), "request.unknown"),
        ("nothing", json!({}), "request.unknown"),
        ("fs.read", json!({}), "request.invalid"),
        ("fs.read", json!({"path": "relative"}), "request.invalid"),
        ("fs.read", json!({"path": "/dev/zero"}), "file.not_a_file"),
        ("terminal.open", json!({"args": "x"}), "request.invalid"),
        ("activity", json!({"kind": "dance"}), "request.invalid"),
    ] {
        assert_eq!(session.ask(method, params).await.code(), code, "{method}");
    }
    session.ask("activity", json!({"kind": "editor"})).await.result();
}

#[tokio::test]
async fn a_frame_that_is_too_large_ends_the_session_and_nothing_else() {
    let attendant = Attendant::start();
    let mut session = Session::open(&attendant).await;
    use futures_util::SinkExt;
    let sent = session.socket.send(Message::binary(vec![4_u8; 65 << 20])).await;
    assert!(sent.is_err() || next(&mut session.socket).await.is_none());
    Session::open(&attendant).await.ask("ping", json!({})).await.result();
}

#[tokio::test]
async fn there_are_so_many_sessions_and_no_more() {
    let attendant = Attendant::start();
    let mut open = Vec::new();
    for _ in 0..16 {
        open.push(Session::open(&attendant).await);
    }
    assert_eq!(attendant.get("/v1/session").await.fault(), (429, "limit.reached".into()));
    open.pop();
    eventually("there is room again", async || attendant.get("/v1/session").await.status == 400).await;
}

#[tokio::test]
async fn an_open_session_costs_little_memory() {
    let attendant = Attendant::start();
    let mut session = Session::open(&attendant).await;
    session.ask("fs.watch", json!({"path": at(&attendant, ""), "recursive": true})).await.result();
    session.ask("terminal.open", json!({})).await.result();
    session.ask("ping", json!({})).await.result();
    println!("private with a session, a watch and a terminal: {} KiB", attendant.private_memory());
    assert!(attendant.private_memory() < 12 << 10);
}
