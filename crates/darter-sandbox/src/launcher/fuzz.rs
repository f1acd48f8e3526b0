//! The protocol's decoders against bytes that no encoder made, and against those that one did.
//!
//! Both ends are ours, but a server that was taken over speaks to a launcher that has privileges.

use std::path::PathBuf;

use proptest::prelude::*;

use super::protocol::{Failure, Group, Groups, Plan, Reply, Request, Word};
use crate::client::Abilities;
use crate::inside::Report;
use crate::sandbox::{ExitReason, Usage};
use crate::spec::{Access, Bind, File, Limits, Link, Profile, Root, Scratch};

fn path() -> impl Strategy<Value = PathBuf> {
    "(/[a-z.]{1,8}){1,4}".prop_map(PathBuf::from)
}

fn bind() -> impl Strategy<Value = Bind> {
    let access = prop_oneof![Just(Access::ReadOnly), Just(Access::Writable), Just(Access::Volume)];
    (path(), path(), access).prop_map(|(source, target, access)| Bind { source, target, access })
}

fn root() -> impl Strategy<Value = Root> {
    let list = |each| prop::collection::vec(each, 0..4);
    let links = prop::collection::vec((path(), path()).prop_map(|(at, to)| Link { at, to }), 0..4);
    let content = prop::collection::vec(any::<u8>(), 0..64);
    let files = prop::collection::vec((path(), content).prop_map(|(at, content)| File { at, content }), 0..4);
    let scratch = (any::<u64>(), any::<u64>()).prop_map(|(size, inodes)| Scratch { size, inodes });
    let points = || prop::collection::vec(path(), 0..4);
    (list(bind()), links, files, points(), points(), scratch.clone(), scratch).prop_map(
        |(binds, links, files, attach_points, writable_points, tmp, work)| Root {
            binds,
            links,
            files,
            attach_points,
            writable_points,
            tmp,
            work,
        },
    )
}

fn plan() -> impl Strategy<Value = Plan> {
    let limits = (any::<u32>(), any::<u64>(), any::<u32>(), any::<u64>(), any::<u64>())
        .prop_map(|(cpu_millis, memory, pids, nofile, fsize)| Limits { cpu_millis, memory, pids, nofile, fsize });
    let text = || prop::collection::vec(".{0,12}", 0..5);
    let env = prop::collection::vec((".{0,8}", ".{0,8}"), 0..5);
    let numbers = prop::collection::vec(any::<i32>(), 0..8);
    let profile = prop_oneof![Just(Profile::Function), Just(Profile::Build), Just(Profile::Workspace)];
    (root(), text(), env, path(), numbers, limits, profile, ".{0,12}", any::<bool>()).prop_map(
        |(root, argv, env, cwd, fd_numbers, limits, profile, hostname, egress)| Plan {
            root,
            argv,
            env,
            cwd,
            fd_numbers,
            limits,
            profile,
            hostname,
            egress,
        },
    )
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        (any::<u64>(), plan()).prop_map(|(seq, plan)| Request::Create { seq, plan: Box::new(plan) }),
        (any::<u64>(), any::<u64>(), prop::collection::vec(bind(), 0..4))
            .prop_map(|(seq, id, binds)| Request::Attach { seq, id, binds }),
        (any::<u64>(), any::<u64>()).prop_map(|(seq, id)| Request::Reclaim { seq, id }),
        any::<u64>().prop_map(|id| Request::Kill { id }),
    ]
}

proptest! {
    #[test]
    fn a_request_survives_the_way_over(request in request()) {
        prop_assert_eq!(Request::decode(&request.encode()), Ok(request));
    }

    #[test]
    fn a_request_that_is_cut_off_or_goes_on_is_refused(request in request(), cut in any::<prop::sample::Index>()) {
        let whole = request.encode();
        prop_assert!(Request::decode(&whole[..cut.index(whole.len())]).is_err());
        prop_assert!(Request::decode(&[&whole[..], &[0]].concat()).is_err());
    }

    #[test]
    fn damaged_messages_are_refused_or_mean_something_else_but_never_harm(
        request in request(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut bytes = request.encode();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(other) = Request::decode(&bytes) {
            prop_assert_eq!(other.encode(), bytes);
        }
    }

    #[test]
    fn random_bytes_never_harm(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        // Whatever decodes must encode to the same bytes: no message has two forms.
        if let Ok(request) = Request::decode(&bytes) { prop_assert_eq!(request.encode(), bytes.clone()); }
        if let Ok(reply) = Reply::decode(&bytes) {
            prop_assert!(Reply::decode(&reply.encode()) == Ok(reply));
        }
        if let Ok(word) = Word::decode(&bytes) {
            prop_assert!(Word::decode(&word.encode()) == Ok(word));
        }
        let _ = Report::parse(&bytes, "/program");
    }
}

#[test]
fn every_reply_and_word_survives_the_way_over() {
    let failures = [
        Failure::Build { step: "a".into(), reason: "b".into() },
        Failure::Exec { program: "p".into(), reason: "r".into() },
        Failure::Ended,
        Failure::Full(7),
    ];
    let reasons = [
        ExitReason::Code(-1),
        ExitReason::Signal(9),
        ExitReason::OutOfMemory,
        ExitReason::Killed,
        ExitReason::LauncherGone,
    ];
    let usage = Usage { memory: 1, memory_peak: 2, cpu_usec: 3, pids: 4 };
    let abilities = Abilities {
        privileged: true,
        controllers: vec![("memory".into(), "v1 /x".into())],
        freezer: true,
        swap: false,
        landlock: 7,
    };
    let groups = Groups {
        memory: Some(Group { unified: false, folder: "/a".into() }),
        freezer: Some(Group { unified: true, folder: "/b".into() }),
        ..Groups::default()
    };
    let mut replies = vec![
        Reply::Hello { abilities, groups },
        Reply::Refused { why: "no".into() },
        Reply::Created { seq: 1, id: 2, pid: -3, micros: 4, egress: true, controls: 31 },
        Reply::Attached { seq: 1 },
        Reply::Reclaimed { seq: 1, bytes: None },
        Reply::Reclaimed { seq: 1, bytes: Some(5) },
    ];
    replies.extend(failures.iter().map(|failure| Reply::Failed { seq: 9, failure: failure.clone() }));
    replies.extend(reasons.map(|reason| Reply::Exited { id: 1, reason, oom_kills: 2, usage }));
    for reply in replies {
        assert_eq!(Reply::decode(&reply.encode()), Ok(reply));
    }
    let mut words = vec![
        Word::Born { pid: 7 },
        Word::Ready { egress: false, controls: 3 },
        Word::Attached,
        Word::Reclaimed { bytes: Some(1) },
    ];
    words.extend(failures.map(Word::Failed));
    for word in words {
        assert_eq!(Word::decode(&word.encode()), Ok(word));
    }
}
