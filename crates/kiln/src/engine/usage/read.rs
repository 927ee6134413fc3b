//! Reads lists of cache records: the engine's API, and `docker buildx du --verbose`.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::CacheRecord;
use crate::engine::look::bytes;

/// `GET /system/df?type=build-cache` of the Engine's API.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DiskUsage {
    build_cache: Option<Vec<ApiRecord>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ApiRecord {
    #[serde(rename = "ID")]
    id: String,
    #[serde(default)]
    parents: Option<Vec<String>>,
    #[serde(default)]
    description: String,
    #[serde(default, rename = "Type")]
    kind: String,
    #[serde(default)]
    in_use: bool,
    #[serde(default)]
    shared: bool,
    #[serde(default)]
    size: u64,
    created_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    #[serde(default)]
    usage_count: u64,
}

/// Reads the answer of the engine's API, with its head. `None` if it is none, or of an engine without parents of records.
pub(super) fn api_records(answer: &str) -> Option<Vec<CacheRecord>> {
    // What was read line by line has lost its carriage returns.
    let (head, body) = answer.split_once("\r\n\r\n").or_else(|| answer.split_once("\n\n"))?;
    if !head.lines().next()?.contains(" 200 ") {
        return None;
    }
    let usage: DiskUsage = serde_json::from_str(body).ok()?;
    let records = usage.build_cache.unwrap_or_default().into_iter().map(|record| CacheRecord {
        id: record.id,
        parents: record.parents.unwrap_or_default(),
        description: record.description,
        kind: record.kind,
        bytes: record.size,
        created: record.created_at,
        last_used: record.last_used_at,
        rounded: SignedDuration::ZERO,
        usage_count: record.usage_count,
        shared: record.shared,
        in_use: record.in_use,
    });
    Some(records.collect())
}

/// Takes the output of `docker buildx du --verbose` apart. `now` is when it was asked for: it says how long ago things were used.
#[must_use]
pub fn verbose_records(text: &str, now: Timestamp) -> Vec<CacheRecord> {
    let mut records: Vec<CacheRecord> = Vec::new();
    for line in text.lines() {
        if let Some(parent) = line.strip_prefix(" - ")
            && let Some(record) = records.last_mut()
        {
            record.parents.push(parent.trim().to_owned());
            continue;
        }
        let Some((key, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        if key == "ID" {
            records.push(CacheRecord { id: value.to_owned(), ..CacheRecord::default() });
            continue;
        }
        let Some(record) = records.last_mut() else { continue };
        match key {
            "Description" => value.clone_into(&mut record.description),
            "Size" => record.bytes = bytes(value).unwrap_or_default(),
            "Type" => value.clone_into(&mut record.kind),
            "Shared" => record.shared = value == "true",
            "Usage count" => record.usage_count = value.parse().unwrap_or_default(),
            "Created at" => record.created = created(value),
            "Last used" => {
                let age = age(value);
                record.last_used = age.and_then(|age| now.checked_sub(age).ok());
                record.rounded = rounding(age.unwrap_or_default());
            }
            "Reclaimable" => record.in_use = value == "false",
            _ => {}
        }
    }
    records
}

/// `2026-11-25 16:35:43.408246319 +0000 UTC`
fn created(text: &str) -> Option<Timestamp> {
    let mut words = text.split(' ');
    let (date, time, offset) = (words.next()?, words.next()?, words.next()?);
    let (hours, minutes) = offset.split_at_checked(3)?;
    format!("{date}T{time}{hours}:{minutes}").parse().ok()
}

/// `32 minutes ago`: the least time that fits.
fn age(text: &str) -> Option<SignedDuration> {
    let text = text.strip_suffix(" ago")?;
    let (number, unit) = match text {
        "Less than a second" => return Some(SignedDuration::ZERO),
        "About a minute" => return Some(SignedDuration::from_mins(1)),
        "About an hour" => return Some(SignedDuration::from_mins(46)),
        _ => text.split_once(' ')?,
    };
    let number: i64 = number.parse().ok()?;
    let hours = match unit.trim_end_matches('s') {
        "second" => return Some(SignedDuration::from_secs(number)),
        "minute" => return Some(SignedDuration::from_mins(number)),
        "hour" => return Some(SignedDuration::from_mins(number * 60 - 30)),
        "day" => 24,
        "week" => 7 * 24,
        "month" => 30 * 24,
        "year" => 365 * 24,
        _ => return None,
    };
    Some(SignedDuration::from_hours(number * hours))
}

/// By how much the client has rounded.
fn rounding(age: SignedDuration) -> SignedDuration {
    match age.as_mins() {
        0 => SignedDuration::from_secs(1),
        1..46 => SignedDuration::from_mins(1),
        46..2880 => SignedDuration::from_hours(1),
        2880..20_160 => SignedDuration::from_hours(24),
        20_160..86_400 => SignedDuration::from_hours(7 * 24),
        _ => SignedDuration::from_hours(365 * 24),
    }
}

/// The sum at the end of what `docker buildx prune` prints: `Total: 1.46GB`.
pub(super) fn total(text: &str) -> u64 {
    let line = text.lines().rev().find_map(|line| line.strip_prefix("Total:"));
    line.and_then(|value| bytes(value.trim())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_has_exact_numbers() {
        let answer = "HTTP/1.0 200 OK\r\nServer: x\r\n\r\n{\"LayersSize\":0,\"BuildCache\":[{\"ID\":\"a\",\"Type\":\"exec.cachemount\",\
            \"Description\":\"cached mount /x from exec y with id \\\"/shop-cargo\\\"\",\"InUse\":false,\"Shared\":false,\"Size\":3841,\
            \"CreatedAt\":\"2026-11-25T17:12:22.186581921Z\",\"LastUsedAt\":null,\"UsageCount\":2,\"Parents\":[\"b\"]}]}";
        let records = api_records(answer).unwrap();
        assert_eq!((records[0].bytes, records[0].usage_count, records[0].mount_id()), (3841, 2, Some("shop-cargo")));
        assert_eq!((records[0].parents.clone(), records[0].last_used), (vec!["b".to_owned()], None));
        assert_eq!(api_records(&answer.replace('\r', "")).unwrap(), records, "as a reader of lines hands it on");
        for bad in ["", "HTTP/1.0 500 no\r\n\r\n{}", "HTTP/1.0 200 OK\r\n\r\nnonsense"] {
            assert_eq!(api_records(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_clients_list_is_read() {
        let text = "ID:           a\nParents:\n - b\n - c\nCreated at:   2026-11-25 16:35:43.5 +0000 UTC\nMutable:      false\n\
            Reclaimable:  true\nShared:       true\nSize:         1.5MB\nDescription:  mount / from exec /bin/sh -c echo a: b\n\
            Usage count:  3\nLast used:    32 minutes ago\nType:         regular\n\nID:  d\nReclaimable: false\nShared:\t\t827.1MB\nTotal:\t1.46GB\n";
        let now: Timestamp = "2026-11-25T17:00:00Z".parse().unwrap();
        let records = verbose_records(text, now);
        assert_eq!(records.len(), 2);
        let first = &records[0];
        assert_eq!((first.bytes, first.usage_count, first.shared, first.in_use), (1_500_000, 3, true, false));
        assert_eq!(first.description, "mount / from exec /bin/sh -c echo a: b");
        assert_eq!(first.created, Some("2026-11-25T16:35:43.5Z".parse().unwrap()));
        assert_eq!(first.last_used, Some("2026-11-25T16:28:00Z".parse().unwrap()));
        assert!(records[1].in_use);
        assert_eq!(total(text), 1_460_000_000);
    }
}
