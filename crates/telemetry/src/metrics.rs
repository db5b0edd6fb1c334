//! The metrics. Names follow OpenMetrics: a unit at the end, `_total` added by the encoder.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::labels::{
    Cache, Class, OfAnswer, OfAsk, OfCache, OfDecision, OfPoint, OfRefusal, OfRequest, OfRoute, Outcome, Point,
    RefusalClass, StatusClass, Verdict, Via,
};

type Histograms<Labels> = Family<Labels, Histogram, fn() -> Histogram>;

/// Every metric of one process. Clones share them.
#[derive(Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

struct Inner {
    registry: Registry,
    requests: Family<OfRequest, Counter>,
    request_time: Histograms<OfRoute>,
    asks: Family<OfAsk, Counter>,
    decisions: Family<OfDecision, Counter>,
    push_to_decision: Histogram,
    scan_end_to_decision: Histogram,
    answer_time: Histograms<OfAnswer>,
    full_metadata: Counter,
    queue: Gauge,
    cache_hits: Family<OfCache, Counter>,
    cache_misses: Family<OfCache, Counter>,
    changes: Counter,
    lease_age: Gauge<f64, AtomicU64>,
    refusals: Family<OfRefusal, Counter>,
    deadline_hits: Family<OfPoint, Counter>,
    tags_resolved: Counter,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All of them, at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("ecr_gate");
        let requests = Family::default();
        let request_time = Family::new_with_constructor(quick as fn() -> Histogram);
        let asks = Family::default();
        let decisions = Family::default();
        let (push_to_decision, scan_end_to_decision) = (slow(), slow());
        let answer_time = Family::new_with_constructor(quick as fn() -> Histogram);
        let (full_metadata, changes) = (Counter::default(), Counter::default());
        let (cache_hits, cache_misses) = (Family::default(), Family::default());
        let queue = Gauge::default();
        let lease_age = Gauge::default();
        let (refusals, deadline_hits, tags_resolved) = (Family::default(), Family::default(), Counter::default());
        let mut add = |name: &str, means: &str, metric: &dyn Registered| metric.register(&mut registry, name, means);
        add("http_requests", "HTTP requests, by route and class of status", &requests);
        add("http_request_duration", "Time from a request to its answer, by route", &Seconds(&request_time));
        add("asks", "Asks for a decision, by what became of them", &asks);
        add("decisions", "Decisions that were recorded, by verdict and class of environment", &decisions);
        add("push_to_decision", "Time from the push of an image to its decision", &Seconds(&push_to_decision));
        add(
            "scan_end_to_decision",
            "Time from the end of the last scan to the decision",
            &Seconds(&scan_end_to_decision),
        );
        add("answer_duration", "Time from an ask to its answer, by how it came about", &Seconds(&answer_time));
        add(
            "decisions_with_full_metadata",
            "Recorded decisions whose pipeline, commit and asker are known",
            &full_metadata,
        );
        add("store_write_queue", "Batches that wait to be written", &queue);
        add("cache_hits", "Found in a cache, and still in force", &cache_hits);
        add("cache_misses", "Not found in a cache, or no longer in force", &cache_misses);
        add("changes_read", "Changes read from the store", &changes);
        add("lease_age", "Time since changes were last read", &Seconds(&lease_age));
        add("refusals", "Images that were stopped, by point and why", &refusals);
        add(
            "deadline_hits",
            "Images that were stopped because there was no decision in time, by point",
            &deadline_hits,
        );
        add("tags_resolved", "Tags that were replaced by digests at admission", &tags_resolved);
        Self {
            inner: Arc::new(Inner {
                registry,
                requests,
                request_time,
                asks,
                decisions,
                push_to_decision,
                scan_end_to_decision,
                answer_time,
                full_metadata,
                queue,
                cache_hits,
                cache_misses,
                changes,
                lease_age,
                refusals,
                deadline_hits,
                tags_resolved,
            }),
        }
    }

    /// All of them in the text format of OpenMetrics.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a text does not fail.
        let _ = encode(&mut text, &self.inner.registry);
        text
    }

    /// A request was answered. The route is the template, never the path.
    pub fn http_request(&self, route: &'static str, status: u16, took: Duration) {
        self.inner.requests.get_or_create(&OfRequest { route, status: StatusClass::of(status) }).inc();
        self.inner.request_time.get_or_create(&OfRoute { route }).observe(took.as_secs_f64());
    }

    /// An ask came to an end (M1: answered and degraded of all).
    pub fn asked(&self, outcome: Outcome) {
        self.inner.asks.get_or_create(&OfAsk { outcome }).inc();
    }

    /// A decision was recorded. `full_metadata`: pipeline, commit and asker are known (M8).
    pub fn decided(&self, verdict: Verdict, environment: Class, full_metadata: bool) {
        self.inner.decisions.get_or_create(&OfDecision { verdict, environment }).inc();
        if full_metadata {
            self.inner.full_metadata.inc();
        }
    }

    /// From the push to the decision (M2).
    pub fn push_to_decision(&self, took: Duration) {
        self.inner.push_to_decision.observe(took.as_secs_f64());
    }

    /// From the end of the last scan to the decision (M2).
    pub fn scan_end_to_decision(&self, took: Duration) {
        self.inner.scan_end_to_decision.observe(took.as_secs_f64());
    }

    /// From the ask to the answer (M2).
    pub fn answered(&self, via: Via, took: Duration) {
        self.inner.answer_time.get_or_create(&OfAnswer { via }).observe(took.as_secs_f64());
    }

    /// So many batches wait to be written.
    pub fn write_queue(&self, waiting: usize) {
        self.inner.queue.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    /// A cache had it.
    pub fn cache_hit(&self, cache: Cache) {
        self.inner.cache_hits.get_or_create(&OfCache { cache }).inc();
    }

    /// A cache did not have it.
    pub fn cache_miss(&self, cache: Cache) {
        self.inner.cache_misses.get_or_create(&OfCache { cache }).inc();
    }

    /// So many changes were read.
    pub fn changes_read(&self, number: u64) {
        self.inner.changes.inc_by(number);
    }

    /// An image was stopped (F9: where time ran out, that is counted by itself too).
    pub fn refused(&self, point: Point, class: RefusalClass) {
        self.inner.refusals.get_or_create(&OfRefusal { point, class }).inc();
        if class == RefusalClass::Deadline {
            self.inner.deadline_hits.get_or_create(&OfPoint { point }).inc();
        }
    }

    /// A tag was replaced by its digest.
    pub fn tag_resolved(&self) {
        self.inner.tags_resolved.inc();
    }

    /// Changes were last read this long ago.
    pub fn lease_age(&self, age: Duration) {
        self.inner.lease_age.set(age.as_secs_f64());
    }
}

/// What is registered under its name; of times, with their unit.
trait Registered {
    fn register(&self, registry: &mut Registry, name: &str, means: &str);
}

impl<M: prometheus_client::registry::Metric + Clone> Registered for M {
    fn register(&self, registry: &mut Registry, name: &str, means: &str) {
        registry.register(name, means, self.clone());
    }
}

struct Seconds<'a, M>(&'a M);

impl<M: prometheus_client::registry::Metric + Clone> Registered for Seconds<'_, M> {
    fn register(&self, registry: &mut Registry, name: &str, means: &str) {
        registry.register_with_unit(name, means, Unit::Seconds, self.0.clone());
    }
}

/// For answers: from a tenth of a millisecond to the longest wait.
fn quick() -> Histogram {
    Histogram::new([0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0])
}

/// For what scanners take.
fn slow() -> Histogram {
    Histogram::new([1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 86400.0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m1_m2_m8_each_method_counts_what_it_says() {
        let metrics = Metrics::new();
        let other = metrics.clone();
        other.http_request("/api/v1/decide", 200, Duration::from_millis(3));
        other.http_request("/api/v1/decide", 503, Duration::from_millis(3));
        other.asked(Outcome::Answered);
        other.asked(Outcome::Degraded);
        other.decided(Verdict::Deny, Class::Production, true);
        other.decided(Verdict::Allow, Class::NonProduction, false);
        other.push_to_decision(Duration::from_secs(20));
        other.scan_end_to_decision(Duration::from_secs(2));
        other.answered(Via::Recorded, Duration::from_micros(200));
        other.write_queue(7);
        other.cache_hit(Cache::Judgements);
        other.cache_miss(Cache::Facts);
        other.changes_read(3);
        other.lease_age(Duration::from_millis(250));
        other.refused(Point::Admission, RefusalClass::Policy);
        other.refused(Point::Admission, RefusalClass::Deadline);
        other.tag_resolved();
        let text = metrics.text();
        for line in [
            "ecr_gate_http_requests_total{route=\"/api/v1/decide\",status=\"2xx\"} 1",
            "ecr_gate_http_requests_total{route=\"/api/v1/decide\",status=\"5xx\"} 1",
            "ecr_gate_http_request_duration_seconds_count{route=\"/api/v1/decide\"} 2",
            "ecr_gate_asks_total{outcome=\"answered\"} 1",
            "ecr_gate_asks_total{outcome=\"degraded\"} 1",
            "ecr_gate_decisions_total{verdict=\"deny\",environment=\"production\"} 1",
            "ecr_gate_decisions_total{verdict=\"allow\",environment=\"non-production\"} 1",
            "ecr_gate_push_to_decision_seconds_sum 20.0",
            "ecr_gate_scan_end_to_decision_seconds_sum 2.0",
            "ecr_gate_answer_duration_seconds_count{via=\"recorded\"} 1",
            "ecr_gate_decisions_with_full_metadata_total 1",
            "ecr_gate_store_write_queue 7",
            "ecr_gate_cache_hits_total{cache=\"judgements\"} 1",
            "ecr_gate_cache_misses_total{cache=\"facts\"} 1",
            "ecr_gate_changes_read_total 3",
            "ecr_gate_lease_age_seconds 0.25",
            "ecr_gate_refusals_total{point=\"admission\",class=\"policy\"} 1",
            "ecr_gate_refusals_total{point=\"admission\",class=\"deadline\"} 1",
            "ecr_gate_deadline_hits_total{point=\"admission\"} 1",
            "ecr_gate_tags_resolved_total 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
