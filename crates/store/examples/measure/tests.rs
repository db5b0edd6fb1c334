use super::*;

#[test]
fn every_measurement_finds_what_it_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let databases = Databases::at(&format!("sqlite:{}", folder.path().display())).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let recorded = recording::measure(&databases, Duration::ZERO, 2).await.unwrap();
        assert!(recorded["turns"][0]["storePerSecond"].as_u64() > Some(0), "{recorded}");
        let queried = queries::measure(&databases, 500).await.unwrap();
        assert!(queried["sizes"][0]["medianMicros"].as_u64() > Some(0), "{queried}");
        let asked = packages::measure(&databases, 100).await.unwrap();
        assert_eq!(asked["asked"].as_array().map(Vec::len), Some(3), "{asked}");
    });
}
