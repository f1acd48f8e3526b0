//! Mails: through an SMTP server, or into a folder. Without either none are sent, and the sign-in page says so.

use std::time::Duration;

use darter_core::Fault;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncFileTransport, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use crate::config::{MailConfig, MailSecurity};

/// How long an SMTP server may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

enum Way {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    Folder(AsyncFileTransport<Tokio1Executor>),
    None,
}

/// Sends mails.
pub(crate) struct Mailer {
    way: Way,
    from: Option<Mailbox>,
}

impl Mailer {
    /// As configured.
    pub fn new(config: &MailConfig) -> Result<Self, Fault> {
        let from = config.from.parse().ok();
        if let Some(folder) = &config.folder {
            std::fs::create_dir_all(folder)
                .map_err(|error| Fault::internal(format!("mail.folder {}: {error}", folder.display())))?;
            return Ok(Self { way: Way::Folder(AsyncFileTransport::new(folder)), from });
        }
        if config.host.is_empty() {
            return Ok(Self { way: Way::None, from: None });
        }
        let builder = match config.security {
            MailSecurity::Starttls => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(&config.host),
            MailSecurity::Tls => AsyncSmtpTransport::<Tokio1Executor>::relay(&config.host),
            MailSecurity::None => Ok(AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.host)),
        };
        let mut builder = builder
            .map_err(|error| Fault::internal(format!("mail.host: {error}")))?
            .port(config.port)
            .timeout(Some(PATIENCE));
        if !config.username.is_empty() {
            builder =
                builder.credentials(Credentials::new(config.username.clone(), config.password.reveal().to_owned()));
        }
        Ok(Self { way: Way::Smtp(builder.build()), from })
    }

    /// Can mails be sent?
    pub fn works(&self) -> bool {
        !matches!(self.way, Way::None)
    }

    /// Sends a text. The error is for the log.
    pub async fn send(&self, to: &str, subject: &str, text: String) -> Result<(), String> {
        let from = self.from.clone().ok_or("no sender is configured")?;
        let to = to.parse::<Mailbox>().map_err(|error| format!("the address can not be written to: {error}"))?;
        let message = Message::builder().from(from).to(to).subject(subject).header(ContentType::TEXT_PLAIN);
        let message = message.body(text).map_err(|error| error.to_string())?;
        match &self.way {
            Way::Smtp(transport) => transport.send(message).await.map(|_| ()).map_err(|error| error.to_string()),
            Way::Folder(transport) => transport.send(message).await.map(|_| ()).map_err(|error| error.to_string()),
            Way::None => Err("no way to send mails is configured".to_owned()),
        }
    }
}
