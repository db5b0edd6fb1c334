//! Break-glass (S31): whoever may writes a workload with the annotation, and what it refers to becomes an override for that workload alone. The annotation
//! of anybody else, and on anything that is written for somebody, such as a pod of a Deployment, is without effect.

use engine::words::line;
use engine::{Actor, Answered, BreakGlass, Refusal, Role, Seat};
use model::SignedDuration;

use super::asking::Call;
use super::port::Inner;
use super::review::{BREAK_GLASS, BreakGlassAsked, Review};

/// How long an override is for that does not say it.
const USUAL: SignedDuration = SignedDuration::from_hours(1);

/// What a write asks for, and whether that may be.
pub(super) enum Glass {
    /// Nothing.
    Whole,
    /// An override, by whoever may.
    Broken(Actor, BreakGlass),
    /// Without effect, and why.
    Refused(String),
}

impl Glass {
    /// What whoever wrote it should know.
    pub(super) fn warning(&self) -> Option<String> {
        match self {
            Self::Refused(why) => Some(format!("ecr-gate: {BREAK_GLASS} is without effect: {why}")),
            Self::Whole | Self::Broken(..) => None,
        }
    }
}

impl Inner {
    /// Reads what a review asks for.
    pub(super) fn glass(&self, review: &Review<'_>) -> Glass {
        let Some(asked) = review.break_glass() else { return Glass::Whole };
        let user = line(&asked.user.name, 100);
        let Some(rights) = &self.settings.break_glass else {
            return Glass::Refused("`admission.breakGlass` is not configured".to_owned());
        };
        if !rights.are_of(&asked.user) {
            return Glass::Refused(format!("{user} may not ask for it"));
        }
        let longest = SignedDuration::try_from(rights.longest).unwrap_or(USUAL);
        match says(asked, longest) {
            Ok(says) => Glass::Broken(Actor::everywhere(&format!("kubernetes:{user}"), &[Role::BreakGlass]), says),
            Err(why) => Glass::Refused(why),
        }
    }

    /// Makes the override for what was refused by policy; whether the image then runs is asked again. What is wrong with it is a warning.
    pub(super) async fn broken(
        &self,
        call: &Call<'_>,
        glass: &Glass,
        refused: &Answered,
        seat: &Seat,
    ) -> Option<Result<(), String>> {
        let Glass::Broken(actor, says) = glass else { return None };
        if !matches!(refused.permit, Err(Refusal::Denied | Refusal::Pending)) {
            return None;
        }
        if call.review.dry_run {
            return Some(Err("a dry run breaks no glass".to_owned()));
        }
        let made = Box::pin(self.app.gate().break_glass(refused, seat, says.clone(), actor)).await;
        Some(made.map(|_| ()).map_err(|error| error.to_string()))
    }
}

fn says(asked: BreakGlassAsked, longest: SignedDuration) -> Result<BreakGlass, String> {
    let lasts = match &asked.lasts {
        None => USUAL.min(longest),
        Some(text) => text.parse().map_err(|_| format!("{text:?} is no time, such as 2h"))?,
    };
    if lasts <= SignedDuration::ZERO || lasts > longest {
        return Err(format!("it is for up to {} minutes here", longest.as_mins()));
    }
    if asked.reason.trim().is_empty() {
        return Err("its value says why".to_owned());
    }
    Ok(BreakGlass { reason: asked.reason, ticket: None, lasts })
}
