//! Runs in real sandboxes: every language that this machine has does the same things, and what programs must not do does
//! no harm and is called by its name.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as expected")]

mod harness;

use std::sync::Arc;

use darter_core::run::{RunLimits, Verdict};
use darter_core::{AccountId, SystemRandom};
use darter_engine::run::{Language, Outcome, Program, Runs};
use harness::{World, world};

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

struct Person<'a> {
    world: &'a World,
    account: AccountId,
}

impl Person<'_> {
    fn new(world: &World) -> Person<'_> {
        Person { world, account: AccountId::generate(1, &SystemRandom) }
    }

    fn program(&self, word: &str, source: &str) -> Program {
        let language = Arc::clone(self.world.engine.runs().languages().find(word).unwrap());
        let limits = RunLimits { memory_bytes: language.recipe.memory_least.max(128 << 20), ..RunLimits::default() };
        Program {
            owner: self.account.clone(),
            files: vec![(language.recipe.file.clone(), source.as_bytes().to_vec())],
            language,
            arguments: Vec::new(),
            stdin: Vec::new(),
            limits,
        }
    }

    async fn run(&self, program: Program) -> Outcome {
        self.world.engine.runs().run(program).await.unwrap()
    }

    /// In an interpreter that has waited for it, or in none. Nobody is told when one is there: this tries again.
    async fn run_in(&self, waiting: bool, program: Program) -> Outcome {
        loop {
            let done = self.run(program.clone()).await;
            let has_waited = done.phases.iter().any(|(name, us)| name == "sandbox" && *us == 0);
            if waiting == has_waited || done.verdict == Verdict::CompileError {
                return done;
            }
        }
    }

    async fn try_all(&self, same: &Same, waiting: bool) {
        let program = |source| {
            let mut program = self.program(same.language, source);
            // One that does not wait has another disk.
            program.limits.disk_bytes += u64::from(!waiting);
            program
        };
        let recipe = &self.program(same.language, "").language.recipe;
        let hello = self.run_in(waiting, program(&recipe.hello)).await;
        let said = (hello.verdict, text(&hello.stdout.bytes));
        assert_eq!(said, (Verdict::Ok, "Hello!\n"), "{}: {hello:?}", same.language);

        let stdin = "grüß\n".as_bytes().to_vec();
        let asked = Program { stdin, arguments: vec!["-x; $(id)".into()], ..program(same.echo) };
        let echo = self.run_in(waiting, asked).await;
        assert_eq!(text(&echo.stdout.bytes), "grüß -x; $(id)\n", "{}: {echo:?}", same.language);

        let three = self.run_in(waiting, program(same.three)).await;
        assert_eq!((three.verdict, three.code), (Verdict::RuntimeError, Some(3)), "{}: {three:?}", same.language);

        let wrong = self.run_in(waiting, program(same.wrong)).await;
        let expected = if recipe.compile.is_some() { Verdict::CompileError } else { Verdict::RuntimeError };
        assert_eq!((wrong.verdict, wrong.line), (expected, same.line), "{}: {wrong:?}", same.language);
    }
}

/// Programs that every language can be asked for: one that reads a line and its first argument and says both, one that
/// ends with code 3, and one that cannot be right in the given line.
struct Same {
    language: &'static str,
    echo: &'static str,
    three: &'static str,
    wrong: &'static str,
    line: Option<u32>,
}

const SAME: &[Same] = &[
    Same {
        language: "python",
        echo: "import sys\nprint(input(), sys.argv[1])",
        three: "import sys\nsys.exit(3)",
        wrong: "x = 1\n\nprint(y)",
        line: Some(3),
    },
    Same {
        language: "javascript",
        echo: "const line = require('fs').readFileSync(0, 'utf8').trim()\nconsole.log(line, process.argv[2])",
        three: "process.exit(3)",
        wrong: "const x = 1\n\nconsole.log(y)",
        line: Some(3),
    },
    Same {
        language: "typescript",
        echo: "import { readFileSync } from 'node:fs'\nconst line: string = readFileSync(0, 'utf8').trim()\nconsole.log(line, process.argv[2])",
        three: "enum Code { Three = 3 }\nprocess.exit(Code.Three)",
        wrong: "const x: number = 1\n\nthrow new Error('no')",
        line: Some(3),
    },
    Same {
        language: "c",
        echo: "#include <stdio.h>\n#include <string.h>\nint main(int n, char **a) { char l[99]; fgets(l, 99, stdin); l[strcspn(l, \"\\n\")] = 0; printf(\"%s %s\\n\", l, a[1]); }",
        three: "int main(void) { return 3; }",
        wrong: "int main(void) {\n    int x = 1;\n    return y;\n}",
        line: Some(3),
    },
    Same {
        language: "cpp",
        echo: "#include <iostream>\nint main(int n, char **a) { std::string l; std::getline(std::cin, l); std::cout << l << ' ' << a[1] << '\\n'; }",
        three: "int main() { return 3; }",
        wrong: "int main() {\n    int x = 1;\n    return y;\n}",
        line: Some(3),
    },
    Same {
        language: "java",
        echo: "class Main { public static void main(String[] a) throws Exception { System.out.println(new java.io.BufferedReader(new java.io.InputStreamReader(System.in)).readLine() + \" \" + a[0]); } }",
        three: "class Main { public static void main(String[] a) { System.exit(3); } }",
        wrong: "class Main {\n    public static void main(String[] a) {\n        int x = y;\n    }\n}",
        line: Some(3),
    },
    Same {
        language: "bash",
        echo: "read line; echo \"$line $1\"",
        three: "exit 3",
        wrong: "set -e\n\nfi",
        line: Some(3),
    },
    Same {
        language: "perl",
        echo: "my $line = <STDIN>; chomp $line; print \"$line $ARGV[0]\\n\";",
        three: "exit 3;",
        wrong: "my $x = 1;\n\ndie 'no';",
        line: Some(3),
    },
    Same {
        language: "ruby",
        echo: "puts \"#{$stdin.gets.chomp} #{ARGV[0]}\"",
        three: "exit 3",
        wrong: "x = 1\n\nputs y",
        line: Some(3),
    },
    Same {
        language: "php",
        echo: "<?php echo trim(fgets(STDIN)), ' ', $argv[1], \"\\n\";",
        three: "<?php exit(3);",
        wrong: "<?php\n$x = 1;\nthrow new Exception('no');",
        line: Some(3),
    },
    Same {
        language: "lua",
        echo: "print(io.read() .. ' ' .. arg[1])",
        three: "os.exit(3)",
        wrong: "x = 1\n\nerror('no')",
        line: Some(3),
    },
];

#[test]
fn every_language_reads_writes_is_told_words_and_says_where_it_fails() {
    world(
        |_| {},
        |world| async move {
            let person = Person::new(&world);
            for same in SAME {
                let language = person.program(same.language, "").language;
                assert_eq!(language.lacks(), Vec::<&str>::new(), "{} is needed for this test", same.language);
                person.try_all(same, false).await;
                if language.waiting.is_some() {
                    person.try_all(same, true).await;
                }
            }
        },
    );
}

#[test]
fn an_interpreter_that_has_waited_is_the_program_s_own() {
    world(
        |_| {},
        |world| async move {
            let person = Person::new(&world);
            let source = "import sys, __main__\nx = 1\nprint(sorted(n for n in dir(__main__) if not n.startswith('__')), __file__.split('/')[1:], __name__, sys.argv, sys.path[0])\ndef f(): return y\nf()";
            let done = person.run_in(true, person.program("python", source)).await;
            let said = "['sys', 'x'] ['work', 'main.py'] __main__ ['main.py'] /work\n";
            assert_eq!(text(&done.stdout.bytes), said, "{done:?}");
            assert!(!text(&done.stderr.bytes).contains("wait.py"), "{done:?}");
            assert_eq!((done.verdict, done.code, done.line), (Verdict::RuntimeError, Some(1), Some(4)), "{done:?}");
            let spin = Program {
                limits: RunLimits { cpu_ms: 300, ..RunLimits::default() },
                ..person.program("python", "while True: pass")
            };
            assert_eq!(person.run_in(true, spin).await.verdict, Verdict::CpuLimit);
            let files = [("main.py", "import lib.more\nprint(lib.more.x)"), ("lib/more.py", "x = 7")];
            let files = files.map(|(path, content)| (path.to_owned(), content.as_bytes().to_vec())).into();
            let done = person.run_in(true, Program { files, ..person.program("python", "") }).await;
            assert_eq!(text(&done.stdout.bytes), "7\n", "{done:?}");
        },
    );
}

#[test]
fn a_script_of_sql_answers_and_says_where_it_fails() {
    world(
        |_| {},
        |world| async move {
            let person = Person::new(&world);
            let good = "VALUES (3 + 4);";
            let done = person.run(person.program("sql", good)).await;
            assert_eq!((done.verdict, text(&done.stdout.bytes)), (Verdict::Ok, "7\n"), "{done:?}");
            let wrong = person.run(person.program("sql", "VALUES (1);\n\nVALUES (y);")).await;
            assert_eq!((wrong.verdict, wrong.line), (Verdict::RuntimeError, Some(3)), "{wrong:?}");
        },
    );
}

#[test]
fn a_program_may_have_several_files() {
    world(
        |_| {},
        |world| async move {
            let person = Person::new(&world);
            for (language, files) in [
                ("python", [("main.py", "import lib.more\nprint(lib.more.x)"), ("lib/more.py", "x = 7")]),
                (
                    "c",
                    [
                        ("main.c", "#include <stdio.h>\nint x(void);\nint main(void) { printf(\"%d\\n\", x()); }"),
                        ("more.c", "int x(void) { return 7; }"),
                    ],
                ),
            ] {
                let files = files.map(|(path, content)| (path.to_owned(), content.as_bytes().to_vec())).into();
                let done = person.run(Program { files, ..person.program(language, "") }).await;
                assert_eq!(text(&done.stdout.bytes), "7\n", "{language}: {done:?}");
            }
        },
    );
}

#[test]
fn what_was_compiled_is_used_again_by_the_same_account_only() {
    world(
        |_| {},
        |world| async move {
            let (one, other) = (Person::new(&world), Person::new(&world));
            let source = "#include <stdio.h>\nint main(void) { puts(\"x\"); }";
            for (person, cached) in [(&one, false), (&one, true), (&other, false)] {
                let done = person.run(person.program("c", source)).await;
                assert_eq!((text(&done.stdout.bytes), done.compiled.unwrap().cached), ("x\n", cached));
            }
        },
    );
}

/// Programs that take what they may not have, and the word for it.
const HOSTILE: &[(&str, &str, Verdict)] = &[
    ("python", "while True: pass", Verdict::CpuLimit),
    (
        "python",
        "import threading\ndef spin():\n    while True: pass\nfor _ in range(8): threading.Thread(target=spin).start()",
        Verdict::CpuLimit,
    ),
    ("python", "import time\ntime.sleep(60)", Verdict::WallLimit),
    (
        "python",
        "import signal, time\nfor one in (2, 15, 24): signal.signal(one, signal.SIG_IGN)\ntime.sleep(60)",
        Verdict::WallLimit,
    ),
    ("python", "x = []\nwhile True: x.append('x' * 1000000)", Verdict::MemoryLimit),
    ("python", "while True: print('y' * 1000)", Verdict::OutputLimit),
    ("python", "import sys\nwhile True: sys.stderr.write('y' * 1000)", Verdict::OutputLimit),
    ("c", "int main(void) { for (;;); }", Verdict::CpuLimit),
    (
        "c",
        "#include <stdlib.h>\n#include <string.h>\nint main(void) { for (;;) memset(malloc(1 << 20), 1, 1 << 20); }",
        Verdict::MemoryLimit,
    ),
    ("c", "#include <stdio.h>\nint main(void) { for (;;) puts(\"y\"); }", Verdict::OutputLimit),
    ("c", "int main(void) { int *p = 0; return *(volatile int *)p; }", Verdict::RuntimeError),
    ("c", "#include \"/dev/random\"", Verdict::CompileError),
    ("c", "#include \"/etc/shadow\"\nint main(void) { return 0; }", Verdict::CompileError),
    ("c", "int a[1 << 30] = {1};\nint main(void) { return a[1]; }", Verdict::CompileError),
    ("bash", "yes", Verdict::OutputLimit),
];

#[test]
fn what_takes_too_much_is_ended_and_called_by_its_name() {
    world(
        |_| {},
        |world| async move {
            let person = Person::new(&world);
            for (language, source, verdict) in HOSTILE {
                let mut program = person.program(language, source);
                program.limits = RunLimits { cpu_ms: 1_000, wall_ms: 4_000, ..program.limits };
                let done = person.run(program).await;
                // A compiler that reads without end, or writes a huge file, is stopped by one wall or the other.
                let stopped = matches!(done.verdict, Verdict::CpuLimit | Verdict::WallLimit | Verdict::MemoryLimit);
                let same = done.verdict == *verdict || (*verdict == Verdict::CompileError && stopped);
                assert!(same, "{source}: {done:?}");
                assert!(done.stdout.bytes.len() <= 1 << 20 && done.stderr.bytes.len() <= 1 << 20);
            }
        },
    );
}

#[test]
fn what_a_program_leaves_behind_ends_with_it() {
    world(
        |_| {},
        |world| async move {
            let person = Person::new(&world);
            let source = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: time.sleep(60)\n    os._exit(0)\nprint('gone')";
            let done = person.run(person.program("python", source)).await;
            // What it left behind holds the pipe until the wall: waiting for that would be another word.
            assert_eq!((done.verdict, text(&done.stdout.bytes)), (Verdict::Ok, "gone\n"));
            let bomb = "import os\nwhile True:\n    try: os.fork()\n    except OSError as error: print(error); break";
            let mut program = person.program("python", bomb);
            program.limits = RunLimits { wall_ms: 4_000, ..program.limits };
            let done = person.run(program).await;
            let said = format!("{}{}", text(&done.stdout.bytes), text(&done.stderr.bytes));
            assert!(said.contains("Resource temporarily unavailable"), "it comes to the wall of processes: {done:?}");
            let after = person.run(person.program("python", "print('well')")).await;
            assert_eq!((after.verdict, text(&after.stdout.bytes)), (Verdict::Ok, "well\n"), "{after:?}");
        },
    );
}

#[test]
fn a_program_sees_its_own_files_and_nothing_of_the_platform() {
    world(
        |_| {},
        |world| async move {
            let person = Person::new(&world);
            let source = "import os, socket\nprint(sorted(os.listdir('/work')), sorted(os.environ), os.listdir('/proc/self/fd'), os.getuid())\nfor path in ('/etc/shadow', '/root', '/var/lib', '/proc/1/environ', '/sys/kernel'):\n    try: print(path, os.listdir(path) if os.path.isdir(path) else open(path).read())\n    except OSError as error: print(path, type(error).__name__)\ntry: socket.create_connection(('1.1.1.1', 53), 1)\nexcept OSError as error: print('net', error.errno)";
            let done = person.run(person.program("python", source)).await;
            let said = text(&done.stdout.bytes);
            assert_eq!(done.verdict, Verdict::Ok, "{done:?}");
            assert!(said.starts_with("['main.py'] "), "{said}");
            for secret in ["DARTER", "root:", "DATABASE"] {
                assert!(!said.contains(secret), "{secret}: {said}");
            }
            // Its own three, and the one that lists them.
            assert!(said.contains("['0', '1', '2', '3'] 1000"), "{said}");
            assert!(said.contains("net 101"), "{said}");
            assert!(!said.contains("/etc/shadow root"), "{said}");
        },
    );
}

#[test]
fn a_language_without_its_program_says_what_to_install() {
    world(
        |config| {
            let folder = config.data.join("languages/klingon");
            std::fs::create_dir_all(&folder).unwrap();
            let recipe = "title = \"Klingon\"\nendings = [\"tlh\"]\nfile = \"main.tlh\"\nhello = \"nuqneH\"\nversion = [\"/usr/bin/klingon\"]\nrun = [\"/usr/bin/klingon\", \"{main}\"]\n[host]\n\"/usr/bin/klingon\" = \"klingon\"\n";
            std::fs::write(folder.join("language.toml"), recipe).unwrap();
        },
        |world| async move {
            let person = Person::new(&world);
            let runs = world.engine.runs();
            let language: &Arc<Language> = runs.languages().find("klingon").unwrap();
            assert_eq!(runs.standing(language).await.lacks, ["klingon"]);
            let fault = runs.run(person.program("klingon", "nuqneH")).await.unwrap_err();
            assert_eq!(fault.code, "language.missing");
            assert!(fault.message.contains("apt-get install -y klingon"), "{}", fault.message);
            let python = runs.standing(runs.languages().find("python").unwrap()).await;
            assert!(python.version.unwrap().starts_with("Python 3"));
        },
    );
}
