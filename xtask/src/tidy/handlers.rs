//! Law: a handler has at most 25 lines. It extracts, calls one use case, and maps; rules live in the platform.

use super::{Finding, Tree};

const LONGEST: usize = 25;

pub fn check(tree: &Tree) -> Vec<Finding> {
    let routes = tree.rust().filter(|file| file.path.starts_with("crates/darter-http/src/routes/") && !file.test());
    let mut findings = Vec::new();
    for file in routes {
        let mut start: Option<(usize, &str)> = None;
        let mut route = false;
        for (number, line) in file.lines() {
            route |= line.starts_with("#[utoipa::path");
            match start {
                None if route
                    && (line.starts_with("async fn ") || (line.starts_with("pub") && line.contains("async fn "))) =>
                {
                    start = Some((number, line));
                    route = false;
                }
                Some((first, head)) if line == "}" => {
                    let length = number - first + 1;
                    if length > LONGEST {
                        let name = head.split("fn ").nth(1).unwrap_or(head).split(['(', '<']).next().unwrap_or(head);
                        let what = format!(
                            "the handler {name} has {length} lines; at most {LONGEST}: move rules to a use case"
                        );
                        findings.push(Finding::new(&file.path, first, what));
                    }
                    start = None;
                }
                None | Some(_) => {}
            }
        }
    }
    findings
}
