//! Addresses that an answer from outside may not send us to (S37): this machine, its link, and the metadata services of
//! clouds. A name is judged by what it resolves to, and the connection goes to the very addresses that were judged.
//! Private addresses are allowed: storage behind a private endpoint is the usual case in a company's network.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Metadata services that are not on a link-local address.
const METADATA: [IpAddr; 3] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
];

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

/// The IPv4 address inside an IPv6 one (mapped, compatible, NAT64), or the address itself.
fn unwrapped(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let segments = v6.segments();
    let [.., a, b, c, d] = v6.octets();
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

fn literal(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Resolves names and refuses those that lead to a forbidden address.
#[derive(Debug)]
pub(super) struct Resolver {
    /// The machines of the proxies that the environment names: with a proxy, it is their names that are resolved here.
    proxies: BTreeSet<String>,
}

impl Resolver {
    pub(super) fn new() -> Self {
        let names = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
        let proxies = names.iter().filter_map(|name| std::env::var(name).ok()).filter_map(|proxy| {
            let url = if proxy.contains("://") { proxy } else { format!("http://{proxy}") };
            Url::parse(&url).ok()?.host_str().map(str::to_owned)
        });
        Self { proxies: proxies.collect() }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let trusted = self.proxies.contains(name.as_str());
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if let Some(why) = addresses.iter().find_map(|address| kind(address.ip()))
                && !trusted
            {
                return Err(format!("{} is {why}, where an answer from outside may not send us", name.as_str()).into());
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

    #[tokio::test]
    async fn s37_a_name_is_judged_by_what_it_resolves_to() {
        let resolver = Resolver { proxies: BTreeSet::new() };
        let error = resolver.resolve("localhost".parse().unwrap()).await.err().unwrap();
        assert!(error.to_string().contains("this machine"), "{error}");
        let resolver = Resolver { proxies: ["localhost".to_owned()].into() };
        assert!(resolver.resolve("localhost".parse().unwrap()).await.is_ok(), "the proxy may be on this machine");
    }
}
