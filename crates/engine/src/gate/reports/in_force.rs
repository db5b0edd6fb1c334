//! Which policies judged at a time, and what they say (O7).

use model::Timestamp;
use model::reports::PoliciesInForce;

use super::super::policies::Bundle;
use super::super::{GateError, Inner};

/// How many activations are looked through.
const LOOKED_THROUGH: u32 = 1_000;

impl Inner {
    /// What was in force at this time; what cannot be told is said to be missing.
    pub(super) async fn in_force_at(
        &self,
        at: Timestamp,
        missing: &mut Vec<String>,
    ) -> Result<Option<PoliciesInForce>, GateError> {
        let activations = self.store.activations(LOOKED_THROUGH).await?;
        let was_all = activations.len() < LOOKED_THROUGH as usize;
        let Some(activation) = activations.into_iter().find(|one| one.at <= at) else {
            if !was_all {
                missing.push(format!("which policies were in force: more than {LOOKED_THROUGH} changes ago"));
            }
            return Ok(None);
        };
        let Some(row) = self.store.policy(&activation.policy).await? else {
            missing.push(format!("what the policies in force say: version {} is not kept", activation.policy));
            return Ok(None);
        };
        let bundle = Bundle::read(&row.bundle)?;
        let (rules, signers) =
            policy::written(&bundle.documents).map_err(|error| GateError::invalid(error.to_string()))?;
        let version = activation.policy.to_string();
        Ok(Some(PoliciesInForce { version, since: activation.at, by: activation.by, rules, signers }))
    }
}
