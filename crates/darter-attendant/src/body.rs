//! What somebody sends, taken piece by piece in threads that may wait for the disk.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

use crate::blocking::blocking;
use crate::fault::Fault;

/// Who is refused is listened to for so long, so that they hear why instead of a broken connection.
const MANNERS: Duration = Duration::from_secs(5);

/// All of a body, when it is no larger than `most`.
pub(crate) async fn collect(body: Incoming, most: usize) -> Result<Bytes, Fault> {
    let collected = Limited::new(body, most).collect().await;
    let too_large = |error| Fault::new("request.too_large", format!("a body has at most {most} bytes here: {error}"));
    Ok(collected.map_err(too_large)?.to_bytes())
}

/// Takes in a body.
pub(crate) trait Consume: Send + Sized + 'static {
    fn take(self, piece: Bytes) -> Result<Self, Fault>;
}

/// Gives all of the body to `consumer`. After a fault the rest is read and forgotten, for a while.
pub(crate) async fn consume<C: Consume>(mut body: Incoming, mut consumer: C) -> Result<C, Fault> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Fault::invalid(format!("the content was cut off: {error}")))?;
        let Ok(piece) = frame.into_data() else { continue };
        consumer = match blocking(move || consumer.take(piece)).await {
            Ok(consumer) => consumer,
            Err(fault) => {
                let rest = async { while let Some(Ok(_)) = body.frame().await {} };
                // A peer that goes on for longer is cut off.
                let _ = tokio::time::timeout(MANNERS, rest).await;
                return Err(fault);
            }
        };
    }
    Ok(consumer)
}
