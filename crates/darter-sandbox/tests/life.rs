//! How sandboxes begin, rest, change and end.

mod harness;

use darter_sandbox::{ExitReason, SandboxError};
use harness::{run, run_spec, shell, spec, start, world};

#[test]
fn a_program_runs_and_its_exit_code_comes_back() {
    world(|world| async move {
        for (script, expected) in [("exit 0", 0), ("exit 7", 7), ("exit 255", 255)] {
            assert_eq!(run_spec(&world.client, shell(script)).await.exit.reason, ExitReason::Code(expected));
        }
        let ran = run(&world.client, ["/bin/echo", "hello"]).await;
        assert_eq!(ran.output, "hello\n");
    });
}

#[test]
fn a_missing_program_is_named() {
    world(|world| async move {
        let error = world.client.create(spec(["/no/such/program"])).await.unwrap_err();
        assert!(matches!(&error, SandboxError::Exec { program, .. } if program == "/no/such/program"), "{error}");
    });
}
