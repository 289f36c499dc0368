//! Digests, and identifiers derived from names. What needs chance is refused: a job that differs every time
//! it is read could never be seen to be unchanged.

use std::fmt::Write as _;

use sha1::Digest as _;

use super::collections::plain;
use super::function::{Arguments, Function, Kind, Outcome, fault};
use crate::text::hcl::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    plain("md5", &[Kind::Text], |a| Ok(hex(&md5::Md5::digest(a.text(0))))),
    plain("sha1", &[Kind::Text], |a| Ok(hex(&sha1::Sha1::digest(a.text(0))))),
    plain("sha256", &[Kind::Text], |a| Ok(hex(&sha2::Sha256::digest(a.text(0))))),
    plain("sha512", &[Kind::Text], |a| Ok(hex(&sha2::Sha512::digest(a.text(0))))),
    plain("uuidv5", &[Kind::Text, Kind::Text], uuid_v5),
];

fn hex(bytes: &[u8]) -> Value {
    Value::Text(digits(bytes))
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        write!(out, "{byte:02x}").expect("writing to a String cannot fail");
        out
    })
}

/// RFC 4122's name-based identifier, version 5.
fn uuid_v5(a: &Arguments) -> Outcome {
    let namespace = match a.text(0) {
        "dns" => "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "url" => "6ba7b811-9dad-11d1-80b4-00c04fd430c8",
        "oid" => "6ba7b812-9dad-11d1-80b4-00c04fd430c8",
        "x500" => "6ba7b814-9dad-11d1-80b4-00c04fd430c8",
        other => other,
    };
    let plain: String = namespace.chars().filter(|c| *c != '-').collect();
    let Some(number) = u128::from_str_radix(&plain, 16).ok().filter(|_| plain.len() == 32) else {
        return fault(0, "the namespace is dns, url, oid, x500 or a UUID");
    };
    let digest = sha1::Sha1::new().chain_update(number.to_be_bytes()).chain_update(a.text(1)).finalize();
    let mut bytes: Vec<u8> = digest[..16].to_vec();
    bytes[6] = (bytes[6] & 0x0f) | 0x50;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let text = digits(&bytes);
    let parts = [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]];
    Ok(Value::Text(parts.join("-")))
}
