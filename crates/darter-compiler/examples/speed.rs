//! How long a source of about 5 KB takes. `cargo run --release -p darter-compiler --example speed`

use std::io::Write;
use std::time::Instant;

fn main() -> std::io::Result<()> {
    let function = "interface User { id: string; age?: number }\n\nexport async function find(users: User[], id: string): Promise<User | null> {\n  const found = users.filter((user) => user.id === id && (user.age ?? 0) > 18)\n  if (found.length > 1) {\n    throw new Error(`more than one ${id}`)\n  }\n  return found[0] ?? null\n}\n\n";
    let mut source = String::from("import cloud from '@lafjs/cloud'\nimport dayjs from 'dayjs'\n");
    for number in 0..16 {
        source.push_str(&function.replace("find(", &format!("find{number}(")));
    }
    source.push_str("export default async (ctx) => cloud.env + dayjs().format()\n");
    let mut times = Vec::new();
    for _ in 0..200 {
        let begin = Instant::now();
        let compiled = darter_compiler::compile("speed", &source);
        times.push(begin.elapsed());
        assert!(compiled.is_ok(), "{compiled:?}");
    }
    times.sort();
    writeln!(std::io::stdout(), "{} bytes: p50 {:?}, p99 {:?}", source.len(), times[100], times[197])
}
