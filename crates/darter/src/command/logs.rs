//! Log lines: a search, or a live tail. Text of tenants is printed without its control characters.

use clap::Args;
use darter_api::log::LogLine;
use darter_api::page::Page;
use reqwest::Method;

use super::Context;
use super::output::{line, time};
use crate::client::{Exit, Failure};

/// Which lines.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// Go on with every new line until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// This level and above
    #[arg(long, value_parser = ["debug", "info", "warn", "error"])]
    level: Option<String>,
    /// Only this version of the function
    #[arg(long)]
    version: Option<u32>,
    /// Only this request
    #[arg(long, value_name = "ID")]
    request: Option<String>,
    /// Only lines that hold this text
    #[arg(long)]
    text: Option<String>,
    /// Not older than this many seconds
    #[arg(long, value_name = "SECONDS")]
    since: Option<u32>,
    /// How many lines
    #[arg(short = 'n', long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

impl LogArgs {
    pub async fn run(&self, context: &Context, app: &str, function: Option<&str>) -> Result<(), Failure> {
        let app = context.api.app(app).await?;
        let mut page: Page<LogLine> =
            context.api.value(self.request(context, &format!("/apps/{}/logs", app.id), function)?).await?;
        page.items.reverse();
        if context.out.json && !self.follow {
            context.out.json(&page.items);
            return Ok(());
        }
        let newest = page.items.last().map(|last| last.cursor.clone());
        page.items.iter().for_each(|one| print(context, one));
        if self.follow { self.follow(context, &app.id, function, newest).await } else { Ok(()) }
    }

    async fn follow(
        &self,
        context: &Context,
        app: &str,
        function: Option<&str>,
        after: Option<String>,
    ) -> Result<(), Failure> {
        let request = self.request(context, &format!("/apps/{app}/logs/stream"), function)?;
        let mut events = context.api.events(request.query(&[("cursor", &after)])).await?;
        while let Some(event) = events.next().await? {
            if event.name == "log" {
                let one: LogLine = serde_json::from_str(&event.data)
                    .map_err(|error| Failure::new(Exit::Failed, format!("A log line of another shape: {error}")))?;
                print(context, &one);
            }
        }
        Err(Failure::new(Exit::Unreachable, "The server ended the stream. Start the command again to go on."))
    }

    fn request(
        &self,
        context: &Context,
        path: &str,
        function: Option<&str>,
    ) -> Result<reqwest::RequestBuilder, Failure> {
        use darter_core::Clock;
        let since = self.since.map(|seconds| darter_core::SystemClock.now() - i64::from(seconds) * 1000);
        let request = context.api.request(Method::GET, path)?.query(&[
            ("function", function),
            ("level", self.level.as_deref()),
            ("request_id", self.request.as_deref()),
            ("text", self.text.as_deref()),
        ]);
        Ok(request.query(&[("version", self.version)]).query(&[("since", since)]).query(&[("limit", self.limit)]))
    }
}

fn print(context: &Context, one: &LogLine) {
    if context.out.json {
        context.out.json(one);
        return;
    }
    let place = if one.function.is_empty() { one.source.clone() } else { format!("{}@{}", one.function, one.version) };
    line(&format!("{} {:5} {place} {} {}", time(one.time), one.level.to_uppercase(), one.request_id, one.message));
}

/// Prints lines that came with an answer.
pub fn print_all(context: &Context, lines: &[LogLine]) {
    lines.iter().for_each(|one| print(context, one));
}
