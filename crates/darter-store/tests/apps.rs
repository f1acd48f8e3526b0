//! Every repository of the apps side, on SQLite and on PostgreSQL: what is written comes back, what is another app's
//! does not, and what may exist once exists once.

#![allow(clippy::unwrap_used, reason = "a test that can not go on fails")]

mod postgres;

use std::collections::BTreeMap;

use darter_core::app::AppState;
use darter_core::limits::AppLimits;
use darter_core::role::Role;
use darter_core::{AccountId, AppId, FunctionId, SystemRandom};
use darter_store::app::{self, App, AppFilter};
use darter_store::dependency::{self, Dependencies, Install};
use darter_store::domain::{self, Domain};
use darter_store::function::{self, Function, FunctionSummary};
use darter_store::metric::{self, Minute, Quarter, Start};
use darter_store::secret::{self, SealedSecret};
use darter_store::variable::{self, Variable};
use darter_store::version::{self, NewVersion};
use darter_store::{Store, Tx, member};

async fn account(tx: &mut Tx, name: &str) -> AccountId {
    let id = AccountId::generate(1, &SystemRandom);
    let text = "INSERT INTO accounts (id, username, email, email_verified, display_name, administrator, disabled, created_at, updated_at)
                VALUES ($1, $2, $2, 0, $2, 0, 0, 1, 1)";
    let unique = format!("{name}-{}", &id.as_str()[20..]);
    sqlx::query(text).bind(id.as_str()).bind(unique).execute(&mut **tx).await.unwrap();
    id
}

async fn make_app(tx: &mut Tx, owner: &AccountId, created_at: i64) -> App {
    let app = App {
        id: AppId::generate(&SystemRandom),
        owner: owner.clone(),
        name: "Shop".into(),
        state: AppState::Running,
        limits: AppLimits { queue: 7, ..AppLimits::default() },
        secret: "sealed".into(),
        revision: 1,
        created_at,
        updated_at: created_at,
        recycled_at: None,
    };
    app::insert(tx, &app).await.unwrap();
    member::set(tx, &app.id, owner, Role::Owner, created_at).await.unwrap();
    app
}

fn draft(app: &AppId, by: &AccountId, name: &str) -> Function {
    let summary = FunctionSummary {
        id: FunctionId::generate(1, &SystemRandom),
        app: app.clone(),
        name: name.into(),
        description: "d".into(),
        methods: vec!["GET".into()],
        digest: "x".into(),
        revision: 1,
        live_version: None,
        live_digest: None,
        last_version: 0,
        created_at: 1,
        updated_at: 1,
        updated_by: by.clone(),
        updated_by_name: String::new(),
    };
    Function { summary, source: format!("// {name} ü") }
}

fn publish_of(function: &Function, number: u32) -> NewVersion {
    NewVersion {
        function: function.summary.id.clone(),
        app: function.summary.app.clone(),
        number,
        source: function.source.clone(),
        code: format!("code {number}"),
        map: "map".into(),
        imports: vec!["@/other".into()],
        methods: vec!["POST".into()],
        digest: format!("digest {number}"),
        message: "m".into(),
        author: function.summary.updated_by.clone(),
        code_bytes: 100,
        created_at: 5,
    }
}

async fn apps_are_seen_by_members_only(store: &Store) {
    let mut tx = store.write().await.unwrap();
    let (ours, theirs) = (account(&mut tx, "ours").await, account(&mut tx, "theirs").await);
    let app = make_app(&mut tx, &ours, 10).await;
    assert_eq!(app::lookup(&mut tx, &ours, &app.id).await.unwrap().unwrap().app, app);
    assert_eq!(app::lookup(&mut tx, &theirs, &app.id).await.unwrap(), None);
    assert!(app::list(&mut tx, &theirs, &AppFilter { limit: 10, ..AppFilter::default() }).await.unwrap().is_empty());
    assert_eq!(member::role(&mut tx, &app.id, &theirs).await.unwrap(), None);
    assert_eq!(member::role(&mut tx, &app.id, &ours).await.unwrap(), Some(Role::Owner));
    assert_eq!(member::list(&mut tx, &app.id).await.unwrap().len(), 1);
    assert_eq!(
        (app::count_owned(&mut tx, &ours).await.unwrap(), app::count_owned(&mut tx, &theirs).await.unwrap()),
        (1, 0)
    );
}

async fn apps_page_by_time_and_leave_out_the_recycle_bin(store: &Store) {
    let mut tx = store.write().await.unwrap();
    let owner = account(&mut tx, "owner").await;
    let mut made = Vec::new();
    for time in [10, 20, 20, 30] {
        made.push(make_app(&mut tx, &owner, time).await);
    }
    let mut binned = made.pop().unwrap();
    (binned.state, binned.recycled_at, binned.revision) = (AppState::Recycled, Some(40), 2);
    assert!(app::update(&mut tx, &binned).await.unwrap());
    assert!(!app::update(&mut tx, &binned).await.unwrap(), "the revision has moved on");
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = app::list(&mut tx, &owner, &AppFilter { before, limit: 1, ..AppFilter::default() }).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some((last.app.created_at, last.app.id.to_string()));
        seen.push(last.app.id.clone());
    }
    let mut expected: Vec<_> = made.iter().map(|app| (app.created_at, app.id.clone())).collect();
    expected.sort();
    expected.reverse();
    assert_eq!(seen, expected.into_iter().map(|(_, id)| id).collect::<Vec<_>>());
    let bin =
        app::list(&mut tx, &owner, &AppFilter { recycled: true, limit: 10, ..AppFilter::default() }).await.unwrap();
    assert_eq!(bin.iter().map(|found| &found.app.id).collect::<Vec<_>>(), [&binned.id]);
    assert!(!app::routes(&mut tx).await.unwrap().iter().any(|(id, ..)| *id == binned.id));
    assert_eq!(app::recycled_before(&mut tx, 41).await.unwrap(), [binned.id.clone()]);
    assert!(app::recycled_before(&mut tx, 40).await.unwrap().is_empty());
    assert!(!app::remove(&mut tx, &made[0].id).await.unwrap(), "an app outside of the bin is not removed");
    assert!(app::remove(&mut tx, &binned.id).await.unwrap());
}

async fn functions_and_versions_belong_to_one_app(store: &Store) {
    let mut tx = store.write().await.unwrap();
    let owner = account(&mut tx, "owner").await;
    let (ours, theirs) = (make_app(&mut tx, &owner, 1).await.id, make_app(&mut tx, &owner, 1).await.id);
    let mut hello = draft(&ours, &owner, "hello");
    function::insert(&mut tx, &hello).await.unwrap();
    function::insert(&mut tx, &draft(&theirs, &owner, "hello")).await.unwrap();
    (hello.summary.live_version, hello.summary.last_version) = (Some(1), 1);
    assert!(function::update(&mut tx, &hello, 1).await.unwrap());
    version::insert(&mut tx, &publish_of(&hello, 1)).await.unwrap();
    let found = function::lookup(&mut tx, &ours, "hello").await.unwrap().unwrap();
    assert_eq!((found.source.as_str(), found.summary.live_digest.as_deref()), ("// hello ü", Some("digest 1")));
    assert!(found.summary.updated_by_name.starts_with("owner"));
    assert_eq!(function::lookup(&mut tx, &theirs, "hello").await.unwrap().unwrap().summary.live_version, None);
    assert!(version::lookup(&mut tx, &theirs, "hello", 1).await.unwrap().is_none());
    assert!(version::code(&mut tx, &theirs, "hello", 1).await.unwrap().is_none());
    assert_eq!(version::sizes(&mut tx, &ours, "other").await.unwrap(), (11, 100));
    assert_eq!(version::sizes(&mut tx, &ours, "hello").await.unwrap(), (11, 0));
    assert_eq!(version::sizes(&mut tx, &theirs, "").await.unwrap(), (0, 0));
    assert!(version::list(&mut tx, &theirs, "hello", u32::MAX, 9).await.unwrap().is_empty());
    assert!(function::live(&mut tx, &theirs).await.unwrap().is_empty());
    let live = function::live(&mut tx, &ours).await.unwrap();
    assert_eq!(
        (live[0].code.as_str(), live[0].methods.clone(), live[0].imports.clone()),
        ("code 1", vec!["POST".to_owned()], vec!["@/other".to_owned()])
    );
    assert_eq!(
        function::live_imports(&mut tx, &ours).await.unwrap(),
        [("hello".to_owned(), vec!["@/other".to_owned()])]
    );
    let (shown, source) = version::lookup(&mut tx, &ours, "hello", 1).await.unwrap().unwrap();
    assert_eq!((shown.live, shown.source_bytes, source.as_str()), (true, 11, "// hello ü"));
    let source = function::lookup(&mut tx, &ours, "hello").await.unwrap().unwrap().source;
    assert_eq!(function::draft_bytes(&mut tx, &ours, "other").await.unwrap(), source.len() as u64);
    assert_eq!(function::draft_bytes(&mut tx, &ours, "hello").await.unwrap(), 0);
    assert!(!function::remove(&mut tx, &theirs, "nothing").await.unwrap());
    assert!(function::remove(&mut tx, &ours, "hello").await.unwrap());
    assert!(version::code(&mut tx, &ours, "hello", 1).await.unwrap().is_none(), "versions go with their function");
    assert_eq!(function::count(&mut tx, &theirs).await.unwrap(), 1);
}

async fn what_may_exist_once_exists_once(store: &Store) {
    let (ours, theirs, hello) = {
        let mut tx = store.write().await.unwrap();
        let owner = account(&mut tx, "owner").await;
        let (ours, theirs) = (make_app(&mut tx, &owner, 1).await.id, make_app(&mut tx, &owner, 1).await.id);
        let hello = draft(&ours, &owner, "hello");
        function::insert(&mut tx, &hello).await.unwrap();
        version::insert(&mut tx, &publish_of(&hello, 1)).await.unwrap();
        for app in [&ours, &theirs] {
            domain::insert(
                &mut tx,
                app,
                &Domain { host: format!("{ours}.example"), verified: false, challenge: "c".into(), created_at: 1 },
            )
            .await
            .unwrap();
        }
        assert!(domain::verify(&mut tx, &ours, &format!("{ours}.example")).await.unwrap());
        tx.commit().await.unwrap();
        (ours, theirs, hello)
    };
    let mut tx = store.write().await.unwrap();
    let mut twin = draft(&ours, &hello.summary.updated_by, "hello");
    twin.source.clear();
    assert!(function::insert(&mut tx, &twin).await.unwrap_err().is_duplicate());
    drop(tx);
    let mut tx = store.write().await.unwrap();
    assert!(version::insert(&mut tx, &publish_of(&hello, 1)).await.unwrap_err().is_duplicate());
    drop(tx);
    let mut tx = store.write().await.unwrap();
    let host = format!("{ours}.example");
    assert!(
        domain::is_taken(&mut tx, &theirs, &host).await.unwrap()
            && !domain::is_taken(&mut tx, &ours, &host).await.unwrap()
    );
    assert!(domain::verify(&mut tx, &theirs, &host).await.unwrap_err().is_duplicate());
    drop(tx);
    let mut tx = store.read().await.unwrap();
    assert!(domain::verified(&mut tx).await.unwrap().contains(&(host.clone(), ours.clone())));
    assert!(domain::lookup(&mut tx, &ours, &host).await.unwrap().unwrap().verified);
    assert!(!domain::lookup(&mut tx, &theirs, &host).await.unwrap().unwrap().verified);
}

async fn values_belong_to_one_app(store: &Store) {
    let mut tx = store.write().await.unwrap();
    let owner = account(&mut tx, "owner").await;
    let (ours, theirs) = (make_app(&mut tx, &owner, 1).await.id, make_app(&mut tx, &owner, 1).await.id);
    for value in ["1", "2"] {
        variable::set(&mut tx, &ours, &Variable { name: "A".into(), value: value.into(), updated_at: 3 })
            .await
            .unwrap();
        secret::set(&mut tx, &ours, &SealedSecret { name: "S", sealed: value, updated_at: 3, updated_by: &owner })
            .await
            .unwrap();
    }
    assert_eq!(variable::list(&mut tx, &ours).await.unwrap()[0].value, "2");
    assert_eq!(secret::sealed(&mut tx, &ours).await.unwrap(), [("S".to_owned(), "2".to_owned())]);
    assert!(secret::list(&mut tx, &ours).await.unwrap()[0].updated_by.starts_with("owner"));
    assert_eq!(
        (
            variable::count_others(&mut tx, &ours, "A").await.unwrap(),
            variable::count_others(&mut tx, &ours, "B").await.unwrap()
        ),
        (0, 1)
    );
    assert_eq!(
        (
            secret::count_others(&mut tx, &ours, "S").await.unwrap(),
            secret::count_others(&mut tx, &ours, "B").await.unwrap()
        ),
        (0, 1)
    );
    assert!(variable::list(&mut tx, &theirs).await.unwrap().is_empty());
    assert!(
        secret::list(&mut tx, &theirs).await.unwrap().is_empty()
            && secret::sealed(&mut tx, &theirs).await.unwrap().is_empty()
    );
    assert!(
        !variable::remove(&mut tx, &theirs, "A").await.unwrap()
            && !secret::remove(&mut tx, &theirs, "S").await.unwrap()
    );
    assert!(variable::remove(&mut tx, &ours, "A").await.unwrap() && secret::remove(&mut tx, &ours, "S").await.unwrap());
}

async fn installs_and_packages_belong_to_one_app(store: &Store) {
    let mut tx = store.write().await.unwrap();
    let owner = account(&mut tx, "owner").await;
    let (ours, theirs) = (make_app(&mut tx, &owner, 1).await.id, make_app(&mut tx, &owner, 1).await.id);
    assert_eq!(dependency::get(&mut tx, &ours).await.unwrap(), Dependencies::default());
    let wanted = Dependencies {
        wanted: BTreeMap::from([("lodash".into(), "^4".into())]),
        installed: BTreeMap::from([("lodash".into(), "4.17.21".into())]),
        lockfile: Some("{}".into()),
        digest: Some("d".into()),
        bytes: 9,
    };
    let install = Install {
        id: "i".into(),
        state: "running".into(),
        phase: "resolve".into(),
        message: None,
        output: vec!["a\nb".into()],
        started_at: 1,
        ended_at: None,
    };
    dependency::set(&mut tx, &ours, &Dependencies::default()).await.unwrap();
    dependency::set(&mut tx, &ours, &wanted).await.unwrap();
    dependency::set_install(&mut tx, &ours, &install).await.unwrap();
    assert_eq!(dependency::get(&mut tx, &ours).await.unwrap(), wanted);
    assert_eq!(dependency::install(&mut tx, &ours).await.unwrap().as_ref(), Some(&install));
    assert_eq!(dependency::get(&mut tx, &theirs).await.unwrap(), Dependencies::default());
    assert_eq!(dependency::install(&mut tx, &theirs).await.unwrap(), None);
    assert_eq!(dependency::interrupt_all(&mut tx, 7, "restart").await.unwrap(), 1);
    let ended = dependency::install(&mut tx, &ours).await.unwrap().unwrap();
    assert_eq!(
        (ended.state.as_str(), ended.message.as_deref(), ended.ended_at),
        ("interrupted", Some("restart"), Some(7))
    );
}

async fn numbers_add_up_over_writers_and_belong_to_one_app(store: &Store) {
    let mut tx = store.write().await.unwrap();
    let owner = account(&mut tx, "owner").await;
    let (ours, theirs) = (make_app(&mut tx, &owner, 1).await.id, make_app(&mut tx, &owner, 1).await.id);
    let gone: AppId = AppId::generate(&SystemRandom);
    for (writer, calls) in [(1, 2), (2, 5), (1, 3)] {
        for app in [&ours, &gone] {
            let (app, function) = (app.clone(), "hello".to_owned());
            let minute = Minute {
                app: app.clone(),
                function,
                minute: 100,
                writer,
                calls,
                errors: 1,
                starts: 0,
                histogram: "1:2".into(),
            };
            metric::put_minute(&mut tx, &minute).await.unwrap();
            metric::put_quarter(&mut tx, &Quarter { app: app.clone(), quarter: 6, writer, calls, errors: 1 })
                .await
                .unwrap();
            metric::put_start(&mut tx, &Start { app, time: 6_000_000, sequence: writer, phases: "{}".into() })
                .await
                .unwrap();
        }
    }
    let rows = metric::minutes(&mut tx, &ours, 100, 101).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.calls).sum::<u64>(), 8);
    assert_eq!(metric::quarters(&mut tx, &ours, 6).await.unwrap(), [(6, 8, 2)]);
    assert_eq!(metric::starts(&mut tx, &ours, 0, 9).await.unwrap().len(), 2);
    assert!(metric::minutes(&mut tx, &ours, 101, 200).await.unwrap().is_empty());
    for app in [&theirs, &gone] {
        assert!(metric::minutes(&mut tx, app, 0, 1_000).await.unwrap().is_empty());
        assert!(
            metric::quarters(&mut tx, app, 0).await.unwrap().is_empty()
                && metric::starts(&mut tx, app, 0, 9).await.unwrap().is_empty()
        );
    }
    assert_eq!(metric::remove_before(&mut tx, 7 * 900_000).await.unwrap(), 6);
    assert!(metric::minutes(&mut tx, &ours, 0, 1_000).await.unwrap().is_empty());
}

async fn what_was_not_committed_was_never_there(store: &Store) {
    let mut tx = store.write().await.unwrap();
    let owner = account(&mut tx, "owner").await;
    let app = make_app(&mut tx, &owner, 1).await.id;
    drop(tx);
    let mut tx = store.read().await.unwrap();
    assert!(app::find(&mut tx, &app).await.unwrap().is_none());
}

async fn every_promise(store: &Store) {
    apps_are_seen_by_members_only(store).await;
    apps_page_by_time_and_leave_out_the_recycle_bin(store).await;
    functions_and_versions_belong_to_one_app(store).await;
    what_may_exist_once_exists_once(store).await;
    values_belong_to_one_app(store).await;
    installs_and_packages_belong_to_one_app(store).await;
    numbers_add_up_over_writers_and_belong_to_one_app(store).await;
    what_was_not_committed_was_never_there(store).await;
}

#[tokio::test]
async fn the_repositories_of_apps_keep_their_promises_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_file(&folder.path().join("control.db")).await.unwrap();
    every_promise(&store).await;
    store.close().await;
}

#[tokio::test]
async fn the_repositories_of_apps_keep_their_promises_on_postgresql() {
    let server = postgres::start().await;
    let store = Store::open(&server.url).await.unwrap();
    every_promise(&store).await;
    store.close().await;
}
