//! The host names of Amazon ECR private registries, in every AWS partition.
//! Source: "Amazon ECR endpoints and quotas" (AWS General Reference) and the partition list of the AWS SDKs.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// An AWS partition: accounts, regions and ARNs of different partitions never mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Partition {
    /// Commercial regions.
    Aws,
    /// China.
    AwsCn,
    /// GovCloud (US).
    AwsUsGov,
    /// ISO (US).
    AwsIso,
    /// ISOB (US).
    AwsIsoB,
    /// ISOE (Europe).
    AwsIsoE,
    /// ISOF.
    AwsIsoF,
    /// European Sovereign Cloud.
    AwsEusc,
}

impl Partition {
    /// As it stands in an ARN.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::AwsCn => "aws-cn",
            Self::AwsUsGov => "aws-us-gov",
            Self::AwsIso => "aws-iso",
            Self::AwsIsoB => "aws-iso-b",
            Self::AwsIsoE => "aws-iso-e",
            Self::AwsIsoF => "aws-iso-f",
            Self::AwsEusc => "aws-eusc",
        }
    }

    /// The partition of a region, by the prefix of its name.
    pub fn of_region(region: &str) -> Self {
        const PREFIXES: [(&str, Partition); 7] = [
            ("cn-", Partition::AwsCn),
            ("us-gov-", Partition::AwsUsGov),
            ("us-isob-", Partition::AwsIsoB),
            ("us-isof-", Partition::AwsIsoF),
            ("us-iso-", Partition::AwsIso),
            ("eu-isoe-", Partition::AwsIsoE),
            ("eusc-", Partition::AwsEusc),
        ];
        PREFIXES.iter().find(|(prefix, _)| region.starts_with(prefix)).map_or(Self::Aws, |(_, partition)| *partition)
    }

    /// The DNS suffix of its classic (IPv4) and of its dual-stack registry hosts.
    fn suffixes(self) -> (&'static str, &'static str) {
        match self {
            Self::Aws | Self::AwsUsGov => ("amazonaws.com", "on.aws"),
            Self::AwsCn => ("amazonaws.com.cn", "on.amazonwebservices.com.cn"),
            Self::AwsIso => ("c2s.ic.gov", "api.aws.ic.gov"),
            Self::AwsIsoB => ("sc2s.sgov.gov", "api.aws.scloud"),
            Self::AwsIsoE => ("cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
            Self::AwsIsoF => ("csp.hci.ic.gov", "api.aws.hci.ic.gov"),
            Self::AwsEusc => ("amazonaws.eu", "on.amazonwebservices.eu"),
        }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A private registry of Amazon ECR, read from its host name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EcrHost {
    /// The 12-digit account id.
    pub account: String,
    /// The region, such as `eu-west-1`.
    pub region: String,
    /// FIPS endpoint.
    pub fips: bool,
    /// Dual-stack (IPv4 and IPv6) endpoint.
    pub dual_stack: bool,
}

/// Why a host is not a private ECR registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EcrHostError {
    /// Amazon ECR Public.
    Public(String),
    /// Some other registry.
    NotEcr(String),
    /// ECR's shape, but the account is not 12 digits.
    Account(String),
    /// ECR's shape, but the region and the DNS suffix belong to different partitions.
    Partition {
        /// The host.
        host: String,
        /// The suffix that this region's hosts end with.
        expected: &'static str,
    },
}

impl fmt::Display for EcrHostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public(host) => {
                write!(f, "{host} is Amazon ECR Public, which never scans images: there is no scan result to judge")
            }
            Self::NotEcr(host) => write!(f, "{host} is not an Amazon ECR registry"),
            Self::Account(account) => write!(f, "{account:?} is not an AWS account id (12 digits)"),
            Self::Partition { host, expected } => {
                write!(f, "{host} mixes two AWS partitions: hosts of that region end with {expected}")
            }
        }
    }
}

impl std::error::Error for EcrHostError {}

impl EcrHost {
    /// The partition the region lies in.
    pub fn partition(&self) -> Partition {
        Partition::of_region(&self.region)
    }
}

impl FromStr for EcrHost {
    type Err = EcrHostError;

    fn from_str(host: &str) -> Result<Self, EcrHostError> {
        let host = host.to_ascii_lowercase();
        let host = host.strip_suffix(":443").map_or(host.clone(), str::to_owned);
        if host == "public.ecr.aws" || host.ends_with(".public.ecr.aws") || host.starts_with("ecr-public.") {
            return Err(EcrHostError::Public(host));
        }
        let not_ecr = || EcrHostError::NotEcr(host.clone());
        let (account, rest) = host.split_once('.').ok_or_else(not_ecr)?;
        // Classic `ACCOUNT.dkr.ecr[-fips].REGION.SUFFIX`, dual-stack `ACCOUNT.dkr-ecr[-fips].REGION.SUFFIX`.
        let forms = [
            ("dkr.ecr.", false, false),
            ("dkr.ecr-fips.", true, false),
            ("dkr-ecr.", false, true),
            ("dkr-ecr-fips.", true, true),
        ];
        let (rest, fips, dual_stack) = forms
            .iter()
            .find_map(|(prefix, fips, dual)| rest.strip_prefix(prefix).map(|rest| (rest, *fips, *dual)))
            .ok_or_else(not_ecr)?;
        let (region, suffix) = rest.split_once('.').ok_or_else(not_ecr)?;
        let region_like = region.contains('-') && region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !region_like {
            return Err(not_ecr());
        }
        if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
            return Err(EcrHostError::Account(account.to_owned()));
        }
        let (classic, dual) = Partition::of_region(region).suffixes();
        let expected = if dual_stack { dual } else { classic };
        if suffix != expected {
            let known = [
                Partition::Aws,
                Partition::AwsCn,
                Partition::AwsIso,
                Partition::AwsIsoB,
                Partition::AwsIsoE,
                Partition::AwsIsoF,
                Partition::AwsEusc,
            ];
            let of_aws = known.iter().any(|p| p.suffixes().0 == suffix || p.suffixes().1 == suffix);
            return Err(if of_aws { EcrHostError::Partition { host, expected } } else { not_ecr() });
        }
        Ok(Self { account: account.to_owned(), region: region.to_owned(), fips, dual_stack })
    }
}

impl fmt::Display for EcrHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let service = match (self.dual_stack, self.fips) {
            (false, false) => "dkr.ecr",
            (false, true) => "dkr.ecr-fips",
            (true, false) => "dkr-ecr",
            (true, true) => "dkr-ecr-fips",
        };
        let (classic, dual) = self.partition().suffixes();
        let suffix = if self.dual_stack { dual } else { classic };
        write!(f, "{}.{service}.{}.{suffix}", self.account, self.region)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_partition_dual_stack_and_fips_parse_and_print_back() {
        for (host, region, partition, fips, dual) in [
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "eu-west-1", "aws", false, false),
            ("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com", "us-east-1", "aws", true, false),
            ("123456789012.dkr-ecr.eu-west-1.on.aws", "eu-west-1", "aws", false, true),
            ("123456789012.dkr-ecr-fips.us-west-2.on.aws", "us-west-2", "aws", true, true),
            ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1", "aws-cn", false, false),
            (
                "123456789012.dkr-ecr.cn-northwest-1.on.amazonwebservices.com.cn",
                "cn-northwest-1",
                "aws-cn",
                false,
                true,
            ),
            ("123456789012.dkr.ecr.us-gov-west-1.amazonaws.com", "us-gov-west-1", "aws-us-gov", false, false),
            ("123456789012.dkr.ecr-fips.us-gov-east-1.amazonaws.com", "us-gov-east-1", "aws-us-gov", true, false),
            ("123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov", "us-iso-east-1", "aws-iso", false, false),
            ("123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1", "aws-iso-b", false, false),
            ("123456789012.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1", "aws-iso-e", false, false),
            ("123456789012.dkr.ecr.us-isof-south-1.csp.hci.ic.gov", "us-isof-south-1", "aws-iso-f", false, false),
            ("123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1", "aws-eusc", false, false),
        ] {
            let parsed: EcrHost = host.parse().unwrap_or_else(|e| panic!("{host}: {e}"));
            assert_eq!((parsed.region.as_str(), parsed.partition().as_str()), (region, partition), "{host}");
            assert_eq!((parsed.fips, parsed.dual_stack), (fips, dual), "{host}");
            assert_eq!(parsed.to_string(), host);
        }
    }

    #[test]
    fn other_hosts_are_refused_with_their_reason() {
        for (host, wanted) in [
            ("public.ecr.aws", "ECR Public"),
            ("ghcr.io", "not an Amazon ECR"),
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example", "not an Amazon ECR"),
            ("123456789012.dkr.ecr.amazonaws.com", "not an Amazon ECR"),
            ("12345.dkr.ecr.eu-west-1.amazonaws.com", "12 digits"),
            ("123456789012.dkr.ecr.cn-north-1.amazonaws.com", "amazonaws.com.cn"),
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com.cn", "amazonaws.com"),
            ("123456789012.dkr-ecr.eu-west-1.amazonaws.com", "on.aws"),
        ] {
            let error = host.parse::<EcrHost>().expect_err(host).to_string();
            assert!(error.contains(wanted), "{host}: {error}");
        }
    }
}
