//! What can be called, on record.

use super::host::{Features, OnRecord};
use super::session::entry::{Body, Entry, FeatureEntry};
use super::session::{LogError, SessionLog};
use crate::feature::catalog::Catalog;
use crate::limit::{Limit, Limits};

/// Writes down what can be called, and gives the line. What was written down before is named by its
/// hash, so that a reload adds no more than what it changed.
pub fn record(log: &SessionLog, catalog: &Catalog, features: &Features) -> Result<u64, LogError> {
    let key = key_of(catalog, features);
    let known = key.as_ref().and_then(|key| log.remembered(key));
    let features = match known {
        Some(known) => known,
        None => {
            let written = write_features(log, catalog, features)?;
            if let Some(key) = key {
                log.remember(&key, &written);
            }
            written
        }
    };
    log.record(&Entry::Catalog { instance: log.instance().to_owned(), features })
}

/// All that a catalog on record is made of: a digest stands for the source, and with the version of
/// peasy for the descriptor that was read from it. `None` where a path is no text.
fn key_of(catalog: &Catalog, features: &Features) -> Option<String> {
    let usual = Limits::default();
    let parts = catalog.features().map(|feature| {
        let on_record = features.get(feature.id());
        let digest = on_record.map_or("", |on_record| on_record.digest.as_str());
        let descriptor = digest.is_empty().then(|| feature.descriptor());
        let root = on_record.map(|on_record| on_record.root.to_string_lossy());
        let grants: Vec<_> = feature.grants().iter().collect();
        (feature.id(), root, digest, descriptor, grants, unusual(feature.limits(), &usual))
    });
    serde_json::to_string(&(env!("CARGO_PKG_VERSION"), parts.collect::<Vec<_>>())).ok()
}

/// The bounds that are not the usual ones.
fn unusual(limits: &Limits, usual: &Limits) -> Vec<(Limit, u64)> {
    let all = Limit::all().map(|limit| (limit, limits.get(limit)));
    all.filter(|(limit, value)| usual.get(*limit) != *value).collect()
}

fn write_features(
    log: &SessionLog,
    catalog: &Catalog,
    features: &Features,
) -> Result<Body, LogError> {
    let usual = Limits::default();
    let entries = catalog.features().map(|feature| {
        let OnRecord { root, digest, source } =
            features.get(feature.id()).cloned().unwrap_or_default();
        let descriptor = serde_json::to_value(feature.descriptor()).unwrap_or_default();
        Ok(FeatureEntry {
            feature: feature.id().clone(),
            root,
            digest,
            descriptor: log.body_of_feature(&descriptor, REPEATED)?,
            source: source.map(|source| log.body_of_feature(&source(), REPEATED)).transpose()?,
            grants: feature.grants().iter().cloned().collect(),
            limits: unusual(feature.limits(), &usual),
        })
    });
    let features = entries.collect::<Result<Vec<_>, LogError>>()?;
    let features = serde_json::to_value(features).unwrap_or_default();
    log.body_of_feature(&features, REPEATED)
}

/// Descriptors, sources and the list of them are the same from one opening to the next: what is longer
/// than this stands in a file of its own, once.
const REPEATED: usize = 256;
