//! The doctor finds every wall standing on the machine the tests run on, and tells the truth about a fallen one.
#![allow(clippy::unwrap_used)]

mod harness;

use harness::world;

#[test]
fn every_wall_stands_here() {
    world(|world| async move {
        let mut walls = darter_sandbox::probe(&world.client).await;
        let folder = world.data.path().canonicalize().unwrap().join("workspaces");
        walls.push(darter_sandbox::probe_volumes(&world.client, &folder).await);
        let fallen: Vec<_> = walls.iter().filter(|wall| !wall.standing).collect();
        assert!(fallen.is_empty(), "{fallen:#?}");
        assert_eq!(walls.iter().filter(|wall| wall.required).count(), 11);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "nothing is left behind");
        assert!(walls.iter().all(|wall| wall.what_to_do.is_empty()));
    });
}
