//! Landlock: a second opinion on writes, and on signals and abstract sockets, should a mount ever be wrong.
//!
//! Reading is left to the mounts: a bind that arrives later must be readable without a new rule. Best effort by ABI; a
//! kernel that cannot grant moving files between folders (ABI 1) would break every installer, so it is left out there.

use std::io;
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr,
    Scope,
};

/// Confines this process: writing below `trees` only, to existing files of `/dev` and `/proc`, nowhere else.
pub(crate) fn confine<'a>(version: u32, trees: impl Iterator<Item = &'a Path>) -> io::Result<()> {
    if version < 2 {
        return Ok(());
    }
    let broken = |error: landlock::RulesetError| io::Error::other(error.to_string());
    let abi = ABI::V6;
    let writes = AccessFs::from_write(abi) & !AccessFs::IoctlDev;
    let in_trees = writes & !(AccessFs::MakeChar | AccessFs::MakeBlock);
    let in_files = AccessFs::WriteFile | AccessFs::Truncate;
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(writes)
        .map_err(broken)?
        .scope(Scope::from_all(abi))
        .map_err(broken)?
        .create()
        .map_err(broken)?;
    let fixed = [("/dev", in_files), ("/proc", in_files)].map(|(path, access)| (Path::new(path), access));
    for (path, access) in trees.map(|tree| (tree, in_trees)).chain(fixed) {
        // What does not exist needs no rule.
        let Ok(at) = PathFd::new(path) else { continue };
        rules = rules.add_rule(PathBeneath::new(at, access)).map_err(broken)?;
    }
    rules.restrict_self().map_err(broken).map(drop)
}
