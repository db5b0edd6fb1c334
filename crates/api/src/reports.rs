//! What happened in a time, and what changed in an incident: `/api/v1/reports`, `/api/v1/incidents`.

use model::Timestamp;
use serde::{Deserialize, Serialize};

pub use model::reports::{IncidentReport, PeriodReport};

/// Which time a report is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReportsQuery {
    /// The days before then; now if it is left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ending: Option<Timestamp>,
    /// About repositories of this team alone; `none`: of no team.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub team: Option<String>,
}

/// Which time and place an incident is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IncidentsQuery {
    /// From this time; two hours before its end if it is left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<Timestamp>,
    /// To before this time; now if it is left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<Timestamp>,
    /// `production` if it is left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub environment: Option<String>,
    /// `host/repository`
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub repository: Option<String>,
}
