//! Jobs that start by calendar or on demand, and tasks that run in certain hours.
//!
//! Calendar expressions are read for their form only: when they fire, and whether the time zone is known to the
//! machine, is the business of whoever starts the runs.

use std::ops::RangeInclusive;

use super::names::required;
use super::problem::{Place, Report};
use crate::job::JobSpec;
use crate::task::{DispatchPayload, Schedule};

/// The job's `periodic` and `parameterized` blocks.
pub(super) fn starts(report: &mut Report, place: &Place, job: &JobSpec) {
    if let Some(periodic) = &job.periodic {
        let place = place.key("periodic");
        only_batch(report, &place, job, "periodic");
        if periodic.crons.is_empty() {
            report
                .error(&place.key("crons"), "no calendar expression is given")
                .hint("such as `0 3 * * *` or `@daily`");
        }
        for (place, cron) in place.each("crons", &periodic.crons) {
            expression(report, &place, cron);
        }
        time_zone(report, &place.key("timeZone"), &periodic.time_zone);
    }
    if let Some(parameterized) = &job.parameterized {
        let place = place.key("parameterized");
        only_batch(report, &place, job, "parameterized");
        for (place, key) in place.each("metaOptional", &parameterized.meta_optional) {
            if parameterized.meta_required.contains(key) {
                report.error(&place, format!("`{key}` is required as well as optional"));
            }
        }
    }
}

/// The hours of a task.
pub(super) fn schedule(report: &mut Report, place: &Place, schedule: &Schedule) {
    let place = place.key("cron");
    let Some(cron) = &schedule.cron else {
        report.error(&place, "the schedule gives no hours");
        return;
    };
    expression(report, &place.key("start"), &cron.start);
    required(report, &place.key("end"), "the end of the hours", &cron.end);
    time_zone(report, &place.key("timezone"), &cron.timezone);
}

/// Where a dispatch's payload goes.
pub(super) fn payload(report: &mut Report, place: &Place, payload: &DispatchPayload) {
    required(report, &place.key("file"), "the file for the payload", &payload.file);
    super::files::inside(report, &place.key("file"), &payload.file);
}

fn only_batch(report: &mut Report, place: &Place, job: &JobSpec, block: &str) {
    if !job.job_type.is_batch() {
        report
            .error(place, format!("a {} job cannot be {block}", job.job_type))
            .hint("only batch and sysbatch jobs end, so only they can be started again and again")
            .depends_on(&Place::spec().key("type"));
    }
}

const MACROS: &[&str] = &["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];
const MONTHS: &[&str] = &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// One field of a calendar expression: its name, its numbers, its words.
type Field = (&'static str, RangeInclusive<u32>, &'static [&'static str]);

const FIELDS: [Field; 7] = [
    ("second", 0..=59, &[]),
    ("minute", 0..=59, &[]),
    ("hour", 0..=23, &[]),
    ("day of the month", 1..=31, &[]),
    ("month", 1..=12, MONTHS),
    ("day of the week", 0..=7, DAYS),
    ("year", 1970..=2099, &[]),
];

fn expression(report: &mut Report, place: &Place, cron: &str) {
    if cron.starts_with('@') {
        if !MACROS.contains(&cron) {
            report.unknown(place, "calendar word", cron, MACROS);
        }
        return;
    }
    let parts: Vec<&str> = cron.split_whitespace().collect();
    let fields = match parts.len() {
        5 => &FIELDS[1..6],
        6 => &FIELDS[1..7],
        7 => &FIELDS[..],
        other => {
            report.error(place, format!("`{cron}` has {other} fields")).hint(
                "write 5 (minute hour day month weekday), 6 (with a year) or 7 (with seconds and a year)",
            );
            return;
        }
    };
    for ((name, numbers, words), part) in fields.iter().zip(parts) {
        if !part.split(',').all(|item| is_item(item, numbers, words)) {
            report.error(place, format!("`{part}` is not a {name} (in `{cron}`)"));
        }
    }
}

/// One of `*`, `?`, `5`, `MON`, `1-5`, `*/10`, `5L`, `15W`, `LW`, `MON#2`.
fn is_item(item: &str, numbers: &RangeInclusive<u32>, words: &[&str]) -> bool {
    let (range, step) = item.split_once('/').map_or((item, None), |(range, step)| (range, Some(step)));
    if step.is_some_and(|step| !step.parse::<u32>().is_ok_and(|step| step > 0)) {
        return false;
    }
    let is_value = |text: &str| {
        let is_word = words.iter().any(|word| text.eq_ignore_ascii_case(word));
        is_word || text.parse::<u32>().is_ok_and(|number| numbers.contains(&number))
    };
    if matches!(range, "*" | "?" | "L" | "LW") || is_value(range) {
        return true;
    }
    if let Some((first, last)) = range.split_once('-') {
        return is_value(first) && is_value(last) || range.starts_with("L-") && is_value(last);
    }
    if let Some((day, nth)) = range.split_once('#') {
        return is_value(day) && matches!(nth, "1" | "2" | "3" | "4" | "5");
    }
    range.strip_suffix(['L', 'W']).is_some_and(is_value)
}

/// Names such as `Europe/Berlin`, by their form.
fn time_zone(report: &mut Report, place: &Place, zone: &str) {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '+');
    let is_sound = zone.split('/').all(|part| !part.is_empty() && part.chars().all(is_letter));
    if !is_sound {
        report
            .error(place, format!("`{zone}` is not the name of a time zone"))
            .hint("such as `UTC` or `Europe/Berlin`");
    }
}
