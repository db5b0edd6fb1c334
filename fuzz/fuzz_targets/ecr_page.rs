//! Pages of the ECR API, one after another, separated by a zero byte.
#![no_main]

use fuzz::{LIMITS, whole_or_nothing};
use signals::ecr::{Reading, page};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut pages = data.split(|byte| *byte == 0);
    let Some(first) = pages.next() else { return };
    whole_or_nothing(first, |bytes| page(bytes, &LIMITS));
    let Ok(first) = page(first, &LIMITS) else { return };
    let Ok(mut reading) = Reading::start(first) else { return };
    for next in pages {
        let Ok(next) = page(next, &LIMITS) else { return };
        if reading.add(next, &LIMITS).is_err() {
            return;
        }
    }
    let more = reading.next_token().is_some();
    if reading.complete(None, 2).is_ok() {
        assert!(!more, "complete although pages are missing");
    }
});
