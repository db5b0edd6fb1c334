//! How long an answer may take: as long as the API server says it waits, less the time to answer (F9).

use std::time::Duration;

/// What an API server waits that does not say.
const USUAL: Duration = Duration::from_secs(10);
/// The longest that an API server waits.
const LONGEST: Duration = Duration::from_secs(30);
/// The shortest time to answer in.
const MARGIN: Duration = Duration::from_millis(250);

/// How long to look for an answer.
///
/// # Errors
/// What is given is no duration.
pub(super) fn of(query: Option<&str>) -> Result<Duration, String> {
    let given = query.unwrap_or("").split('&').find_map(|pair| pair.strip_prefix("timeout="));
    let timeout = match given {
        None => USUAL,
        Some(text) => parse(text).ok_or_else(|| "timeout is no duration, such as 10s".to_owned())?,
    };
    let timeout = timeout.min(LONGEST);
    Ok(timeout.saturating_sub(MARGIN.max(timeout / 10)))
}

/// A duration as Go writes it: `10s`, `1m30s`, `1.5s`, `500ms`.
fn parse(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    if text.is_empty() || text.len() > 40 {
        return None;
    }
    let (mut rest, mut sum) = (text, 0.0);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest.get(..end)?.parse().ok()?;
        rest = rest.get(end..)?;
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let seconds = match rest.get(..end)? {
            "ns" => 1e-9,
            "us" | "%C2%B5s" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        rest = rest.get(end..)?;
        sum += number * seconds;
    }
    Duration::try_from_secs_f64(sum).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f9_the_deadline_is_the_api_servers_less_the_time_to_answer() {
        let of = |query: &str| of(Some(query)).map(|time| time.as_millis());
        assert_eq!(of("timeout=10s"), Ok(9_000));
        assert_eq!(of("a=b&timeout=1s&c=d"), Ok(750));
        assert_eq!(of("timeout=1.5s"), Ok(1_250));
        assert_eq!(of("timeout=1m30s"), Ok(27_000), "at most what an API server waits");
        assert_eq!(of("timeout=100ms"), Ok(0));
        assert_eq!(of("timeout=0"), Ok(0));
        assert_eq!(super::of(None).map(|time| time.as_millis()), Ok(9_000));
        for wrong in [
            "",
            "s",
            "10",
            "-1s",
            "1d",
            "1..2s",
            "1s1",
            "999999999999999999999999999999999999h2",
            "NaNs",
            "infs",
            "1e9s",
        ] {
            assert!(of(&format!("timeout={wrong}")).is_err(), "{wrong:?}");
        }
    }
}
