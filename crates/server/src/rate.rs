//! How often one client may ask: token buckets in a map of bounded size.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::app::PerClient;

/// The most clients that are told apart. Beyond them, new ones share a bucket.
const CLIENTS: usize = 10_000;

/// Whom a bucket belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    /// A token's name.
    Named(Arc<str>),
    /// An address; of IPv6, the network of one customer (/64).
    Address(IpAddr),
    /// Whoever did not find a place.
    Others,
}

impl Client {
    pub(crate) fn at(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self::Address(IpAddr::V6([a, b, c, d, 0, 0, 0, 0].into()))
            }
            address @ IpAddr::V4(_) => Self::Address(address),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// Thousandths of a request.
    left: u64,
    at: Instant,
}

/// The buckets.
#[derive(Debug)]
pub(crate) struct Rates {
    limit: PerClient,
    buckets: Mutex<HashMap<Client, Bucket>>,
}

impl Rates {
    pub(crate) fn new(limit: PerClient) -> Self {
        Self { limit, buckets: Mutex::new(HashMap::new()) }
    }

    /// Takes one request from the bucket; or says when there will be one.
    pub(crate) fn take(&self, client: Client, now: Instant) -> Result<(), Duration> {
        let full = u64::from(self.limit.burst.max(1)) * 1000;
        let mut buckets = self.buckets.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut client = client;
        if buckets.len() >= CLIENTS && !buckets.contains_key(&client) {
            buckets.retain(|_, bucket| self.filled(*bucket, now) < full);
            if buckets.len() >= CLIENTS {
                client = Client::Others;
            }
        }
        let bucket = buckets.entry(client).or_insert(Bucket { left: full, at: now });
        let left = self.filled(*bucket, now).min(full);
        if let Some(rest) = left.checked_sub(1000) {
            *bucket = Bucket { left: rest, at: now };
            return Ok(());
        }
        *bucket = Bucket { left, at: now };
        let missing = 1000 - left;
        Err(Duration::from_millis(missing.div_ceil(u64::from(self.limit.per_second.max(1)))))
    }

    fn filled(&self, bucket: Bucket, now: Instant) -> u64 {
        let passed = now.saturating_duration_since(bucket.at).as_millis();
        let more = passed.saturating_mul(u128::from(self.limit.per_second));
        bucket.left.saturating_add(u64::try_from(more).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates() -> Rates {
        Rates::new(PerClient { per_second: 2, burst: 3 })
    }

    fn client(number: u32) -> Client {
        Client::at(IpAddr::V4(number.into()))
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let (rates, start) = (rates(), Instant::now());
        for _ in 0..3 {
            rates.take(client(1), start).unwrap();
        }
        assert_eq!(rates.take(client(1), start), Err(Duration::from_millis(500)));
        rates.take(client(2), start).unwrap();
        let later = start + Duration::from_millis(500);
        rates.take(client(1), later).unwrap();
        assert!(rates.take(client(1), later).is_err());
        let much_later = later + Duration::from_hours(1);
        for _ in 0..3 {
            rates.take(client(1), much_later).unwrap();
        }
        assert!(rates.take(client(1), much_later).is_err(), "a bucket never holds more than its burst");
    }

    #[test]
    fn more_clients_than_are_told_apart_share_a_bucket_and_take_no_memory() {
        let (rates, start) = (rates(), Instant::now());
        let many = u32::try_from(CLIENTS).unwrap() * 2;
        let refused = (0..many).filter(|number| rates.take(client(*number), start).is_err()).count();
        assert!(refused > CLIENTS / 2, "{refused}");
        assert!(rates.buckets.lock().unwrap().len() <= CLIENTS + 1);
        let later = start + Duration::from_secs(10);
        rates.take(client(many + 1), later).unwrap();
        assert!(rates.buckets.lock().unwrap().len() < 10, "full buckets are forgotten");
    }

    #[test]
    fn addresses_of_one_customer_are_one_client() {
        let at = |text: &str| Client::at(text.parse().unwrap());
        assert_eq!(at("2001:db8:1:2::1"), at("2001:db8:1:2:ffff::9"));
        assert_ne!(at("2001:db8:1:2::1"), at("2001:db8:1:3::1"));
        assert_eq!(at("::ffff:192.0.2.1"), at("192.0.2.1"));
    }
}
