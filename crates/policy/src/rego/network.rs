//! The builtins about networks: which address lies in which. An address is text, and nothing is looked up.

use std::net::IpAddr;

use regorus::Value;

/// A builtin of ours, with its number of arguments.
pub(super) type Function = fn(&[Value]) -> anyhow::Result<Value>;

/// Each by its name in OPA.
pub(super) const FUNCTIONS: &[(&str, u8, Function)] =
    &[("net.cidr_contains", 2, contains), ("net.cidr_intersects", 2, intersects), ("net.cidr_is_valid", 1, is_valid)];

/// A range of addresses of one family, by its first and last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    is_v4: bool,
    first: u128,
    last: u128,
}

impl Network {
    fn address(text: &str) -> Option<Self> {
        let (is_v4, bits) = number(read::<IpAddr>(text)?.to_canonical());
        Some(Self { is_v4, first: bits, last: bits })
    }

    /// `10.0.0.0/8`; bits after the prefix do not matter.
    fn parse(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/')?;
        if length.is_empty() || !length.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let (is_v4, bits) = number(read(address)?);
        let host = (if is_v4 { 32u32 } else { 128 }).checked_sub(read(length)?)?;
        let mask = 1u128.checked_shl(host).map_or(u128::MAX, |bit| bit - 1);
        Some(Self { is_v4, first: bits & !mask, last: bits | mask })
    }

    fn has(self, other: Self) -> bool {
        self.is_v4 == other.is_v4 && self.first <= other.first && other.last <= self.last
    }
}

fn read<T: std::str::FromStr>(text: &str) -> Option<T> {
    let Ok(value) = text.parse() else { return None };
    Some(value)
}

fn number(address: IpAddr) -> (bool, u128) {
    match address {
        IpAddr::V4(address) => (true, u128::from(address.to_bits())),
        IpAddr::V6(address) => (false, address.to_bits()),
    }
}

fn text<'a>(name: &str, arguments: &'a [Value], at: usize) -> anyhow::Result<&'a str> {
    match arguments.get(at) {
        Some(Value::String(text)) => Ok(text),
        _ => anyhow::bail!("`{name}` takes text"),
    }
}

fn network(name: &str, arguments: &[Value], at: usize) -> anyhow::Result<Network> {
    let text = text(name, arguments, at)?;
    Network::parse(text).ok_or_else(|| anyhow::anyhow!("`{name}`: {text:?} is no network, such as 10.0.0.0/8"))
}

fn contains(arguments: &[Value]) -> anyhow::Result<Value> {
    let name = "net.cidr_contains";
    let outer = network(name, arguments, 0)?;
    let inner = match Network::address(text(name, arguments, 1)?) {
        Some(address) => address,
        None => network(name, arguments, 1)?,
    };
    Ok(Value::from(outer.has(inner)))
}

fn intersects(arguments: &[Value]) -> anyhow::Result<Value> {
    let (one, other) = (network("net.cidr_intersects", arguments, 0)?, network("net.cidr_intersects", arguments, 1)?);
    Ok(Value::from(one.is_v4 == other.is_v4 && one.first <= other.last && other.first <= one.last))
}

fn is_valid(arguments: &[Value]) -> anyhow::Result<Value> {
    Ok(Value::from(Network::parse(text("net.cidr_is_valid", arguments, 0)?).is_some()))
}
