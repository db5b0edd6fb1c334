//! `time.add_date`, as OPA means it: where a month is too short for the day, the rest of the days goes on into the next one.

use jiff::civil::Date;
use regorus::Value;

type Builtin<'a> = &'a dyn Fn(&[Value]) -> anyhow::Result<Value>;

/// Adds years, months and days to a time. `original` adds days in the time's zone, and `date` says which day it is there.
pub(super) fn add_date(arguments: &[Value], original: Builtin<'_>, date: Builtin<'_>) -> anyhow::Result<Value> {
    let [time, years, months, days] = arguments else {
        return original(arguments); // it says what is wrong
    };
    let day = match date(std::slice::from_ref(time))? {
        Value::Array(parts) => Date::new(
            i16::try_from(part(parts.first())?)?,
            i8::try_from(part(parts.get(1))?)?,
            i8::try_from(part(parts.get(2))?)?,
        )?,
        _ => anyhow::bail!("a time without a day"),
    };
    let months = part(Some(months))?;
    let added = part(Some(years))?.checked_mul(12).and_then(|sum| sum.checked_add(months));
    let month = added.and_then(|sum| sum.checked_add(i64::from(day.year()) * 12 + i64::from(day.month()) - 1));
    let Some(month) = month else { anyhow::bail!("a time that is too far away") };
    let first = Date::new(i16::try_from(month.div_euclid(12))?, i8::try_from(month.rem_euclid(12) + 1)?, 1)?;
    let Some(days) = part(Some(days))?.checked_add(i64::from(day.day()) - 1) else {
        anyhow::bail!("a time that is too far away")
    };
    let there = first.checked_add(jiff::Span::new().try_days(days)?)?;
    let distance = day.until(there)?.get_days();
    let none = Value::from(0i64);
    original(&[time.clone(), none.clone(), none, Value::from(i64::from(distance))])
}

fn part(value: Option<&Value>) -> anyhow::Result<i64> {
    match value {
        Some(value) => value.as_i64(),
        None => anyhow::bail!("a part of a date is missing"),
    }
}
