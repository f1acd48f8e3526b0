//! Ctrl-C and SIGTERM: the first asks the server to end in peace, the second ends it at once. The launcher clears up
//! after both.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit code of a server that was told twice, as shells know it from Ctrl-C.
const TWICE: i32 = 130;

/// Cancelled at the first signal.
pub fn token() -> std::io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let told = token.clone();
    tokio::spawn(async move {
        either(&mut interrupt, &mut terminate).await;
        tracing::info!("stopping: requests in flight may finish; once more ends at once");
        told.cancel();
        either(&mut interrupt, &mut terminate).await;
        std::process::exit(TWICE);
    });
    Ok(token)
}

async fn either(a: &mut Signal, b: &mut Signal) {
    tokio::select! {
        _ = a.recv() => {}
        _ = b.recv() => {}
    }
}
