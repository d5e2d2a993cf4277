//! The programs of Prometheus.

use std::path::PathBuf;

use trueup::demo::servers::unpacked;

/// The full path of `prometheus` or `promtool`: what `scripts/setup` unpacked, else what is
/// installed.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let unpacked = unpacked("prometheus-").into_iter().map(|root| root.join("usr/bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders =
        unpacked.chain([PathBuf::from("/usr/bin")]).chain(std::env::split_paths(&path));
    folders.find_map(|folder| Some(folder.join(name)).filter(|program| program.is_file()))
}
