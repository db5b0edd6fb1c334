//! Which registries are asked at all, and at which addresses (S37). Somebody at a command line goes where they say; a service that others ask goes where
//! its configuration says, and never to an address at which a cloud keeps credentials.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::location::canonical;

/// Where a client goes.
#[derive(Debug, Clone, Default)]
pub enum Reach {
    /// Wherever the caller says.
    #[default]
    Anywhere,
    /// Wherever the caller says, but to no address of the link and to no metadata service, whatever name stands for it.
    OffTheLink,
    /// To the registries that are listed, at public addresses and in the networks that are listed.
    Listed(Listed),
}

/// The registries that are asked, and the networks they may be in.
#[derive(Debug, Clone, Default)]
pub struct Listed {
    hosts: Vec<String>,
    networks: Vec<IpNet>,
}

impl Reach {
    /// To these hosts (as in image references; `*.` and the end of hosts stands for all of them), at public addresses and in these networks. A host that is
    /// itself an address, or `localhost`, needs no network.
    ///
    /// # Errors
    /// What is no host, or no network that can hold a registry.
    pub fn listed(hosts: &[String], networks: &[String]) -> Result<Self, String> {
        let hosts = hosts.iter().map(|host| host_of(host)).collect::<Result<_, _>>()?;
        let networks = networks.iter().map(|network| network_of(network)).collect::<Result<_, _>>()?;
        Ok(Self::Listed(Listed { hosts, networks }))
    }

    /// Whether a host, as image references name it, may be asked.
    pub fn allows(&self, host: &str) -> bool {
        match self {
            Self::Anywhere | Self::OffTheLink => true,
            Self::Listed(listed) => listed.has(host),
        }
    }

    /// The networks that private addresses may be in.
    pub(crate) fn networks(&self) -> &[IpNet] {
        match self {
            Self::Anywhere | Self::OffTheLink => &[],
            Self::Listed(listed) => &listed.networks,
        }
    }

    /// The hosts that are listed by themselves, not by how they end.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let hosts = match self {
            Self::Anywhere | Self::OffTheLink => [].as_slice(),
            Self::Listed(listed) => &listed.hosts,
        };
        hosts.iter().map(String::as_str).filter(|host| !host.starts_with('*'))
    }
}

impl Listed {
    fn has(&self, host: &str) -> bool {
        let host = canonical(host);
        self.hosts.iter().any(|listed| match listed.strip_prefix('*') {
            Some(ending) => host.strip_suffix(ending).is_some_and(|start| !start.is_empty()),
            None => *listed == host,
        })
    }
}

fn host_of(text: &str) -> Result<String, String> {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    if name.is_empty() || name.starts_with('.') || !name.bytes().all(is_part) {
        return Err(format!("{text:?} is no registry's host, nor `*.` and the end of hosts"));
    }
    Ok(canonical(text))
}

fn network_of(text: &str) -> Result<IpNet, String> {
    let network: IpNet = text
        .parse()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| format!("{text:?} is no network, such as 10.0.0.0/8 or fd12::/16"))?;
    let link = ["169.254.0.0/16", "fe80::/10"].iter().filter_map(|link| link.parse::<IpNet>().ok());
    if link.into_iter().any(|link| link.contains(&network)) {
        return Err(format!(
            "{text:?} is of the link, where no registry is; one that is there is listed by its address"
        ));
    }
    Ok(network.trunc())
}

/// The host of `HOST[:PORT]`.
pub fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(hosts: &[&str], networks: &[&str]) -> Result<Reach, String> {
        let owned = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        Reach::listed(&owned(hosts), &owned(networks))
    }

    #[test]
    fn s37_only_hosts_that_are_listed_are_asked() {
        let reach =
            listed(&["ghcr.io", "docker.io", "*.corp.example", "10.0.0.5:5000", "*.zone.example:5000"], &[]).unwrap();
        for host in [
            "ghcr.io",
            "GHCR.io",
            "docker.io",
            "index.docker.io",
            "a.corp.example",
            "a.b.corp.example",
            "10.0.0.5:5000",
            "x.zone.example:5000",
        ] {
            assert!(reach.allows(host), "{host}");
        }
        for host in [
            "quay.io",
            "ghcr.io:5000",
            "ghcr.io.evil.example",
            "corp.example",
            ".corp.example",
            "evilcorp.example",
            "a.corp.example:5000",
            "10.0.0.5",
            "10.0.0.5:5001",
            "x.zone.example",
            "localhost",
            "",
        ] {
            assert!(!reach.allows(host), "{host}");
        }
        assert!(Reach::Anywhere.allows("quay.io") && Reach::OffTheLink.allows("quay.io"));
    }

    #[test]
    fn s37_what_is_no_host_or_no_network_is_refused() {
        for host in [
            "",
            "*",
            "*.",
            "*.*.example",
            "a.*.example",
            "https://ghcr.io",
            "ghcr.io/team",
            "user@ghcr.io",
            "a b",
            "*..example",
        ] {
            assert!(listed(&[host], &[]).is_err(), "{host:?}");
        }
        for network in ["", "10.0.0.0/33", "10/8", "corp.example", "169.254.0.0/16", "169.254.169.254", "fe80::/64"] {
            assert!(listed(&["ghcr.io"], &[network]).is_err(), "{network:?}");
        }
        let reach = listed(&["ghcr.io"], &["10.1.2.3/8", "192.168.1.7", "fd12:3456::/32"]).unwrap();
        let shown: Vec<String> = reach.networks().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["10.0.0.0/8", "192.168.1.7/32", "fd12:3456::/32"]);
    }

    #[test]
    fn a_port_is_no_part_of_an_address() {
        for (host, expected) in [
            ("10.0.0.5:5000", "10.0.0.5"),
            ("[::1]:5000", "[::1]"),
            ("[::1]", "[::1]"),
            ("localhost", "localhost"),
            ("ghcr.io:443", "ghcr.io"),
        ] {
            assert_eq!(without_port(host), expected);
        }
    }
}
