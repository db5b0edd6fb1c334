//! How much of a layout or archive is read. Every limit ends in an error that names it.

/// Sizes and counts beyond which a layout or archive is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceLimits {
    /// Bytes of `index.json`, `manifest.json`, a manifest or an index.
    pub manifest_bytes: u64,
    /// Bytes of an image's configuration.
    pub config_bytes: u64,
    /// Images and referrers listed.
    pub images: usize,
    /// Layers of one image.
    pub layers: usize,
    /// Entries of an archive.
    pub entries: usize,
    /// Bytes of an archive, or of what a compressed one holds.
    pub archive_bytes: u64,
}

impl Default for SourceLimits {
    fn default() -> Self {
        Self {
            manifest_bytes: 4 << 20,
            config_bytes: 8 << 20,
            images: 1_000,
            layers: 500,
            entries: 100_000,
            archive_bytes: 64 << 30,
        }
    }
}
