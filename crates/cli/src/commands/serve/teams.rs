//! Whose which repositories are, from the words of the configuration to the table of the engine.

use engine::{Repositories, Team, Teams};

use crate::config::TeamEntry;
use crate::failure::Failure;

/// The table.
pub(super) fn teams(entries: &[TeamEntry]) -> Result<Teams, Failure> {
    let wrong = |why: String| Failure::configuration(format!("teams: {why}"));
    let team = |entry: &TeamEntry| {
        let repositories = entry.repositories.iter().map(|one| Repositories::parse(one)).collect::<Result<_, _>>()?;
        Ok(Team { name: entry.name.clone(), repositories })
    };
    let teams: Result<Vec<Team>, String> = entries.iter().map(team).collect();
    teams.and_then(Teams::new).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s35_a_table_that_cannot_be_meant_so_is_refused_before_anything_listens() {
        let entry = |name: &str, patterns: &[&str]| TeamEntry {
            name: name.to_owned(),
            repositories: patterns.iter().map(|&one| one.to_owned()).collect(),
        };
        let table = teams(&[entry("a", &["r.example/a/**"]), entry("b", &["r.example/**"])]).unwrap();
        assert_eq!((table.of("r.example/a/x"), table.of("r.example/x"), table.of("x/y")), ("a", "b", "none"));
        for (entries, why) in [
            (vec![entry("A", &["**"])], "no name of a team"),
            (vec![entry("a", &["**"]), entry("a", &["x/**"])], "twice"),
            (vec![entry("a", &[])], "patterns"),
            (vec![entry("a", &["x/["])], "no pattern"),
        ] {
            let failure = teams(&entries).unwrap_err();
            assert!(failure.what.starts_with("teams: ") && failure.what.contains(why), "{}", failure.what);
        }
    }
}
