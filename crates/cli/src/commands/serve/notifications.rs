//! Who is told of what, from the words of the configuration to what the engine tells.

use engine::{NoticeEvent, NoticeKind, NoticeTarget, Repositories, Secret};

use crate::config::{NotificationEntry, NotificationEvent, NotificationKind};
use crate::failure::Failure;
use crate::files;

/// The longest secret.
const SECRET: usize = 4 << 10;

/// Those who are told.
pub(super) fn targets(entries: &[NotificationEntry]) -> Result<Vec<NoticeTarget>, Failure> {
    entries.iter().map(target).collect()
}

fn target(entry: &NotificationEntry) -> Result<NoticeTarget, Failure> {
    let wrong = |why: String| Failure::configuration(format!("notifications: {}: {why}", entry.name));
    let secret = entry.secret_file.as_deref().map(|path| files::read_text("the secret of a webhook", path, SECRET));
    let secret = secret.transpose()?.map(|text| Secret::new(text.trim()));
    let repositories = entry.repositories.iter().map(|one| Repositories::parse(one)).collect::<Result<_, _>>();
    Ok(NoticeTarget {
        name: entry.name.clone(),
        url: entry.url.0.clone(),
        kind: match entry.kind {
            NotificationKind::Webhook => NoticeKind::Webhook,
            NotificationKind::Slack => NoticeKind::Slack,
        },
        events: entry.events.iter().copied().map(event).collect(),
        repositories: repositories.map_err(wrong)?,
        teams: entry.teams.clone(),
        environments: entry.environments.clone(),
        secret,
    })
}

fn event(event: NotificationEvent) -> NoticeEvent {
    match event {
        NotificationEvent::Block => NoticeEvent::Block,
        NotificationEvent::Flip => NoticeEvent::Flip,
        NotificationEvent::ExceptionExpiring => NoticeEvent::ExceptionExpiring,
        NotificationEvent::ExceptionRequested => NoticeEvent::ExceptionRequested,
        NotificationEvent::OverrideGranted => NoticeEvent::OverrideGranted,
        NotificationEvent::PolicyActivated => NoticeEvent::PolicyActivated,
        NotificationEvent::DenialAdded => NoticeEvent::DenialAdded,
    }
}
