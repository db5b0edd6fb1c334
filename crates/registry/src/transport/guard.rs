//! Addresses that are not connected to (S37): this machine, its link, the metadata services of clouds, and, for a service that has a list of its
//! registries, networks that are not public. A name is judged by what it resolves to, and the connection goes to the very addresses that were judged.
//! Where answers send somebody at a command line, private addresses are allowed: storage behind a private endpoint is the usual case in a company's network.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Metadata services that are not on a link-local address.
const METADATA: [IpAddr; 4] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0023)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
];

/// Which addresses a connection may go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Guard {
    /// All.
    Open,
    /// None of the link, and no metadata service.
    OffTheLink,
    /// Nor this machine.
    Foreign,
    /// Public ones, and those in the networks that are listed.
    Public,
}

impl Guard {
    /// Why this address is not connected to; `None` if it may be.
    pub(super) fn refuses(self, address: IpAddr, networks: &[IpNet]) -> Option<&'static str> {
        let plain = unwrapped(address);
        let special = kind(address);
        match self {
            Self::Open => None,
            Self::OffTheLink => special.filter(|_| !plain.is_loopback()),
            Self::Foreign => special,
            Self::Public => {
                let listed = networks.iter().any(|network| network.contains(&plain) || network.contains(&address));
                if listed { special.filter(|_| !plain.is_loopback()) } else { special.or_else(|| inner(plain)) }
            }
        }
    }
}

/// What kind of forbidden address this is; `None` if it may be reached.
fn kind(address: IpAddr) -> Option<&'static str> {
    let address = unwrapped(address);
    if METADATA.contains(&address) {
        return Some("a metadata service");
    }
    if address.is_loopback() {
        return Some("this machine");
    }
    if address.is_unspecified() || address.is_multicast() {
        return Some("no single machine");
    }
    match address {
        IpAddr::V4(v4) if v4.is_link_local() => Some("a link-local address"),
        IpAddr::V4(v4) if v4.is_broadcast() || v4.octets()[0] == 0 => Some("no single machine"),
        IpAddr::V6(v6) if v6.is_unicast_link_local() => Some("a link-local address"),
        _ => None,
    }
}

/// Why an address is not one of the public internet. Source: the special-purpose registries of IANA (RFC 6890).
fn inner(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let shared = a == 100 && (64..128).contains(&b);
            let special = (a == 198 && (b == 18 || b == 19)) || (a, b, c) == (192, 0, 0) || a >= 240;
            if v4.is_private() || shared {
                Some("a private address")
            } else {
                (special || v4.is_documentation()).then_some("no public address")
            }
        }
        IpAddr::V6(v6) => {
            let segments = v6.segments();
            if v6.is_unique_local() {
                return Some("a private address");
            }
            let global = segments[0] & 0xe000 == 0x2000;
            let special = segments[0] == 0x2001 && (segments[1] < 0x200 || segments[1] == 0xdb8);
            (!global || special).then_some("no public address")
        }
    }
}

/// The IPv4 address inside an IPv6 one (mapped, compatible, NAT64, 6to4), or the address itself.
fn unwrapped(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let segments = v6.segments();
    let octets = v6.octets();
    if segments[0] == 0x2002 {
        let [_, _, a, b, c, d, ..] = octets;
        return IpAddr::V4(Ipv4Addr::new(a, b, c, d));
    }
    let [.., a, b, c, d] = octets;
    let embedded = matches!(segments, [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..])
        || (segments[..6] == [0; 6] && segments[6] != 0);
    if embedded { IpAddr::V4(Ipv4Addr::new(a, b, c, d)) } else { address }
}

/// Why the host of this address may not be reached, as far as it can be told without resolving it.
pub(crate) fn forbidden(url: &Url) -> Option<&'static str> {
    match literal(url) {
        Some(address) => kind(address),
        None if is_loopback(url) => Some("this machine"),
        None => None,
    }
}

/// True for `localhost` and for loopback addresses.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match literal(url) {
        Some(address) => unwrapped(address).is_loopback(),
        None => url.host_str().is_some_and(|host| {
            let host = host.trim_end_matches('.');
            host == "localhost" || host.ends_with(".localhost")
        }),
    }
}

/// The address that stands where a host does.
pub(super) fn literal(url: &Url) -> Option<IpAddr> {
    address(url.host_str()?)
}

/// The address that a host is; `None` for a name.
pub(super) fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// An address that is not connected to: inside the errors of the HTTP library.
#[derive(Debug, thiserror::Error)]
#[error("{host} is {why}, {whose}")]
pub(super) struct Refused {
    host: String,
    why: &'static str,
    whose: &'static str,
}

impl Refused {
    pub(super) fn new(guard: Guard, host: &str, why: &'static str) -> Self {
        let whose = match guard {
            Guard::Open | Guard::OffTheLink => "where no registry is",
            Guard::Foreign => "where an answer from outside may not send us",
            Guard::Public => "and in no network that is listed for registries",
        };
        Self { host: host.to_owned(), why, whose }
    }

    /// What was refused, if that is why a request failed.
    pub(super) fn of(error: &reqwest::Error) -> Option<String> {
        let mut cause = std::error::Error::source(error);
        while let Some(inner) = cause {
            if let Some(refused) = inner.downcast_ref::<Self>() {
                return Some(refused.to_string());
            }
            cause = inner.source();
        }
        None
    }
}

/// Resolves names and refuses those that lead to a forbidden address.
#[derive(Debug)]
pub(super) struct Resolver {
    guard: Guard,
    networks: Arc<[IpNet]>,
    /// The machines of the proxies that the environment names: with a proxy, it is their names that are resolved here.
    proxies: BTreeSet<String>,
}

impl Resolver {
    pub(super) fn new(guard: Guard, networks: Arc<[IpNet]>) -> Self {
        let names = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
        let proxies = names.iter().filter_map(|name| std::env::var(name).ok()).filter_map(|proxy| {
            let url = if proxy.contains("://") { proxy } else { format!("http://{proxy}") };
            Url::parse(&url).ok()?.host_str().map(str::to_owned)
        });
        Self { guard, networks, proxies: proxies.collect() }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let trusted = self.proxies.contains(name.as_str());
        let (guard, networks) = (self.guard, Arc::clone(&self.networks));
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if let Some(why) = addresses.iter().find_map(|address| guard.refuses(address.ip(), &networks))
                && !trusted
            {
                return Err(Refused::new(guard, name.as_str(), why).into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s37_no_answer_sends_us_to_this_machine_its_link_or_a_metadata_service() {
        for bad in [
            "http://127.0.0.1/",
            "http://localhost:5000/",
            "http://LOCALHOST./",
            "https://x.localhost/",
            "http://169.254.169.254/latest",
            "http://[fe80::1]/",
            "http://[::ffff:169.254.169.254]/",
            "http://[::ffff:7f00:1]/",
            "http://[64:ff9b::a9fe:a9fe]/",
            "http://[::1]/",
            "http://[::]/",
            "http://0.0.0.0/",
            "http://[fd00:ec2::254]/",
            "http://100.100.100.200/",
            "http://2130706433/", // 127.0.0.1 as one number
            "http://0x7f.1/",
            "http://224.0.0.1/",
        ] {
            assert!(forbidden(&Url::parse(bad).unwrap()).is_some(), "{bad}");
        }
        for fine in ["https://10.0.0.1/", "https://example.com/", "https://192.168.1.1:5000/", "https://[2001:db8::1]/"]
        {
            assert_eq!(forbidden(&Url::parse(fine).unwrap()), None, "{fine}");
        }
    }

    fn resolver(guard: Guard, networks: &[&str], proxies: &[&str]) -> Resolver {
        let networks = networks.iter().map(|network| network.parse().unwrap()).collect();
        Resolver { guard, networks, proxies: proxies.iter().map(|proxy| (*proxy).to_owned()).collect() }
    }

    #[tokio::test]
    async fn s37_a_name_is_judged_by_what_it_resolves_to() {
        let localhost = || "localhost".parse().unwrap();
        for guard in [Guard::Foreign, Guard::Public] {
            let error = resolver(guard, &[], &[]).resolve(localhost()).await.err().unwrap();
            assert!(error.to_string().contains("this machine"), "{error}");
        }
        let proxied = resolver(Guard::Foreign, &[], &["localhost"]).resolve(localhost()).await;
        assert!(proxied.is_ok(), "the proxy may be on this machine");
        let listed = resolver(Guard::Public, &["127.0.0.0/8", "::1/128"], &[]).resolve(localhost()).await;
        assert!(listed.is_ok(), "the network is listed");
        assert!(resolver(Guard::OffTheLink, &[], &[]).resolve(localhost()).await.is_ok());
    }

    #[test]
    fn s37_each_guard_refuses_its_addresses() {
        use Guard::{Foreign, OffTheLink, Open, Public};
        let all = [Open, OffTheLink, Foreign, Public];
        for (address, expected) in [
            ("169.254.169.254", [false, true, true, true]),
            ("::ffff:169.254.169.254", [false, true, true, true]),
            ("2002:a9fe:a9fe::1", [false, true, true, true]),
            ("fe80::1", [false, true, true, true]),
            ("100.100.100.200", [false, true, true, true]),
            ("fd00:ec2::23", [false, true, true, true]),
            ("0.0.0.0", [false, true, true, true]),
            ("127.0.0.1", [false, false, true, true]),
            ("::1", [false, false, true, true]),
            ("10.1.2.3", [false, false, false, true]),
            ("172.31.0.1", [false, false, false, true]),
            ("192.168.0.1", [false, false, false, true]),
            ("100.64.0.1", [false, false, false, true]),
            ("fd12::1", [false, false, false, true]),
            ("fec0::1", [false, false, false, true]),
            ("::ffff:10.1.2.3", [false, false, false, true]),
            ("198.18.0.1", [false, false, false, true]),
            ("203.0.113.1", [false, false, false, true]),
            ("240.0.0.1", [false, false, false, true]),
            ("2001:db8::1", [false, false, false, true]),
            ("2001::1", [false, false, false, true]),
            ("64:ff9b:1::a00:1", [false, false, false, true]),
            ("8.8.8.8", [false; 4]),
            ("172.32.0.1", [false; 4]),
            ("2a00:1450:4001::1", [false; 4]),
            ("64:ff9b::808:808", [false; 4]),
        ] {
            let found = all.map(|guard| guard.refuses(address.parse().unwrap(), &[]).is_some());
            assert_eq!(found, expected, "{address}");
        }
    }

    #[test]
    fn s37_a_listed_network_opens_what_is_in_it_and_no_metadata_service() {
        let networks: Vec<IpNet> = ["10.1.0.0/16", "100.64.0.0/10", "fd00::/8", "127.0.0.0/8", "0.0.0.0/0"]
            .map(|net| net.parse().unwrap())
            .into();
        let refuses = |address: &str, networks: &[IpNet]| Guard::Public.refuses(address.parse().unwrap(), networks);
        for address in ["10.1.2.3", "::ffff:10.1.2.3", "100.64.0.1", "fd12::1", "127.0.0.1"] {
            assert_eq!(refuses(address, &networks), None, "{address}");
        }
        assert!(refuses("10.2.0.1", &networks[..4]).is_some(), "another network");
        for address in ["100.100.100.200", "fd00:ec2::254", "169.254.169.254", "0.0.0.0", "168.63.129.16"] {
            assert!(refuses(address, &networks).is_some(), "{address}");
        }
    }
}
