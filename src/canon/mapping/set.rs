//! Everything that decides what canonical rows are: entities, the mappings of every source, and
//! the owner rules, as one set with one hash.
//!
//! A set can be kept as plain files and loaded again, so that a replay uses exactly the mappings
//! of the first run. It runs nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Mapping, load};
use crate::canon::entity::{Entities, Entity, suggest};
use crate::canon::owner::Owner;
use crate::config::EntityConfig;
use crate::error::{Context, Error, ErrorKind, Result};

/// What stands in a mapping for its source's time zone.
const TIMEZONE: &str = "$timezone";
/// The file of a kept set that says which source uses which pack, and who owns what.
const WIRING: &str = "set.json";

/// A mapping pack as one source uses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pack {
    /// Its name.
    pub name: String,
    /// What the source's zoneless timestamps mean: `$timezone` of its mappings, an IANA name.
    pub timezone: String,
}

impl Pack {
    /// For a source whose zoneless timestamps are UTC.
    #[must_use]
    pub fn utc(name: &str) -> Self {
        Self { name: name.to_owned(), timezone: "UTC".to_owned() }
    }
}

/// One source's mapping for one entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contribution {
    /// The source.
    pub source: String,
    /// Its mapping.
    pub mapping: Mapping,
}

/// Entities, mappings and owner rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappingSet {
    entities: Entities,
    contributions: Vec<Contribution>,
    owners: BTreeMap<String, Owner>,
    files: BTreeMap<String, String>,
    hash: String,
}

/// What no SQL file says.
#[derive(Serialize, Deserialize)]
struct Wiring {
    /// Source → pack.
    packs: BTreeMap<String, Pack>,
    /// Entity → attribute → source.
    owners: BTreeMap<String, BTreeMap<String, String>>,
}

impl MappingSet {
    /// Reads the canonical entities and, per source, its pack (`packs`: source → pack).
    /// `sql_dir/canonical/<entity>.sql` replaces or adds to the built-in entity of that name;
    /// a folder `sql_dir/mappings/<pack>` replaces the built-in pack as a whole.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a file that cannot be read or parsed, an unknown pack or entity,
    /// or owner rules that do not fit.
    pub fn load(
        sql_dir: Option<&Path>,
        packs: &BTreeMap<String, Pack>,
        owners: &BTreeMap<String, EntityConfig>,
    ) -> Result<Self> {
        let mut files = load::canonical(sql_dir)?;
        for pack in packs.values().map(|pack| &pack.name).collect::<BTreeSet<_>>() {
            files.extend(load::pack(sql_dir, pack)?);
        }
        let owners = owners.iter().filter(|(_, rules)| !rules.owner.is_empty());
        let owners = owners.map(|(entity, rules)| (entity.clone(), rules.owner.clone())).collect();
        let wiring = Wiring { packs: packs.clone(), owners };
        let wiring = serde_json::to_string_pretty(&wiring)
            .context(ErrorKind::Bug, || "could not write the mapping set as JSON".to_owned())?;
        files.insert(WIRING.to_owned(), wiring);
        Self::from_files(files)
    }

    /// The set that [`Self::files`] gave.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn from_files(files: BTreeMap<String, String>) -> Result<Self> {
        let wiring = files.get(WIRING).ok_or_else(|| {
            Error::new(ErrorKind::Config, format!("a kept mapping set lacks {WIRING}"))
                .hint("restore the state folder from its backup")
        })?;
        let wiring: Wiring = serde_json::from_str(wiring)
            .context(ErrorKind::Config, || format!("could not read {WIRING} of a mapping set"))?;
        let mut entities = Vec::new();
        for (path, text) in within(&files, "canonical/") {
            entities.push(Entity::parse(path, text)?);
        }
        let entities = Entities::new(entities)?;
        let mut contributions = Vec::new();
        for (source, pack) in &wiring.packs {
            let zone = format!("'{}'", pack.timezone.replace('\'', "''"));
            for (path, text) in within(&files, &format!("mappings/{}/", pack.name)) {
                let mapping = Mapping::parse(path, &text.replace(TIMEZONE, &zone))?;
                known_entity(&entities, &mapping)?;
                contributions.push(Contribution { source: source.clone(), mapping });
            }
        }
        once_per_entity(&contributions)?;
        let owners = owners(&entities, &contributions, &wiring)?;
        contributions.sort_by_key(|one| {
            let entity = &one.mapping.entity;
            (entities.rank(entity), entity.clone(), one.source.clone())
        });
        let hash = hash(&files);
        Ok(Self { entities, contributions, owners, files, hash })
    }

    /// SHA-256 over every file and the owner rules, hexadecimal.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Everything the set was made from: path → text.
    #[must_use]
    pub fn files(&self) -> &BTreeMap<String, String> {
        &self.files
    }

    /// All known entities.
    #[must_use]
    pub fn entities(&self) -> &Entities {
        &self.entities
    }

    /// Mappings of all sources, referenced entities first.
    #[must_use]
    pub fn contributions(&self) -> &[Contribution] {
        &self.contributions
    }

    /// Entities that some source contributes to, in delivery order.
    pub fn contributed(&self) -> impl Iterator<Item = &Entity> {
        self.entities.iter().filter(|entity| self.owners.contains_key(&entity.name))
    }

    /// Who owns the attributes of `entity`; `None` if no source contributes to it.
    #[must_use]
    pub fn owner(&self, entity: &str) -> Option<&Owner> {
        self.owners.get(entity)
    }
}

fn within<'a>(
    files: &'a BTreeMap<String, String>,
    folder: &str,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let folder = folder.to_owned();
    let inside = files.iter().filter(move |(path, _)| path.starts_with(&folder));
    inside.map(|(path, text)| (path.as_str(), text.as_str()))
}

fn known_entity(entities: &Entities, mapping: &Mapping) -> Result<()> {
    if entities.get(&mapping.entity).is_some() {
        return Ok(());
    }
    let names = entities.iter().map(|entity| entity.name.as_str());
    let what = format!("{}: unknown entity `{}`", mapping.path, mapping.entity);
    let hint = suggest(&mapping.entity, names, "add its file to sql/canonical");
    Err(Error::new(ErrorKind::Config, what).hint(hint))
}

fn once_per_entity(contributions: &[Contribution]) -> Result<()> {
    let mut seen = BTreeMap::new();
    for one in contributions {
        let place = (one.source.as_str(), one.mapping.entity.as_str());
        if let Some(first) = seen.insert(place, &one.mapping.path) {
            let what = format!("{first} and {} both map {}", one.mapping.path, one.mapping.entity);
            return Err(Error::new(ErrorKind::Config, what)
                .hint("join them into one SELECT with a derived table and `affects` routes"));
        }
    }
    Ok(())
}

fn owners(
    entities: &Entities,
    contributions: &[Contribution],
    wiring: &Wiring,
) -> Result<BTreeMap<String, Owner>> {
    for name in wiring.owners.keys() {
        if entities.get(name).is_none() {
            let names = entities.iter().map(|entity| entity.name.as_str());
            let hint = suggest(name, names, "add its file to sql/canonical");
            let what = format!("[entity.{name}] is not a known entity");
            return Err(Error::new(ErrorKind::Config, what).hint(hint));
        }
    }
    let mut owners = BTreeMap::new();
    let none = BTreeMap::new();
    for entity in entities.iter() {
        let by = contributions.iter().filter(|one| one.mapping.entity == entity.name);
        let sources: BTreeSet<String> = by.map(|one| one.source.clone()).collect();
        let rules = wiring.owners.get(&entity.name).unwrap_or(&none);
        if !sources.is_empty() {
            owners.insert(entity.name.clone(), Owner::new(entity, rules, &sources)?);
        }
    }
    Ok(owners)
}

fn hash(files: &BTreeMap<String, String>) -> String {
    let mut digest = Sha256::new();
    for part in files.iter().flat_map(|(path, text)| [path, text]) {
        // Lengths first, so that no two sets of files give the same bytes.
        digest.update(part.len().to_be_bytes());
        digest.update(part.as_bytes());
    }
    use std::fmt::Write as _;
    digest.finalize().iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, path: &str, text: &str) {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let gadget = "-- entity: gadget\n-- key: no\nCREATE TABLE gadget (\n no VARCHAR -- No.\n);";
        write(folder.path(), "canonical/gadget.sql", gadget);
        let mapping = "-- entity: gadget\n-- version: 1\n-- unit: id\n-- driver: g\n-- watch: g = g.id\n\
                       SELECT g.no AS no, g.id AS id, g.id AS _from_g FROM g";
        write(folder.path(), "mappings/own/gadget.sql", mapping);
        write(folder.path(), "mappings/own/fixture/tables.sql", "CREATE TABLE g (id INTEGER);");
        folder
    }

    fn packs(pairs: &[(&str, &str)]) -> BTreeMap<String, Pack> {
        pairs.iter().map(|(source, pack)| ((*source).to_owned(), Pack::utc(pack))).collect()
    }

    #[test]
    fn a_source_says_what_its_zoneless_timestamps_mean() {
        let folder = folder();
        let mapping = "-- entity: gadget\n-- version: 1\n-- unit: id\n-- driver: g\n-- watch: g = g.id\n\
                       SELECT g.at AT TIME ZONE $timezone AS no, g.id AS id, g.id AS _from_g FROM g";
        write(folder.path(), "mappings/own/gadget.sql", mapping);
        let load = |timezone: &str| {
            let pack = Pack { timezone: timezone.to_owned(), ..Pack::utc("own") };
            let packs = BTreeMap::from([("erp".to_owned(), pack)]);
            MappingSet::load(Some(folder.path()), &packs, &BTreeMap::new()).unwrap()
        };
        let (berlin, utc) = (load("Europe/Berlin"), load("UTC"));
        // Another zone is another set: everything is evaluated again, and a replay keeps its own.
        assert_ne!(berlin.hash(), utc.hash());
        let again = MappingSet::from_files(berlin.files().clone()).unwrap();
        assert_eq!(again, berlin);
        let select = &berlin.contributions()[0].mapping;
        assert!(format!("{select:?}").contains("AT TIME ZONE 'Europe/Berlin'"), "{select:?}");
    }

    #[test]
    fn a_set_loads_again_from_its_files_with_the_same_hash() {
        let folder = folder();
        let packs = packs(&[("erp", "own")]);
        let set = MappingSet::load(Some(folder.path()), &packs, &BTreeMap::new()).unwrap();
        assert_eq!(set.contributions().len(), 1);
        assert_eq!(set.owner("gadget").unwrap().default(), "erp");
        assert!(set.files().keys().all(|path| !path.contains("fixture")));
        let again = MappingSet::from_files(set.files().clone()).unwrap();
        assert_eq!(again, set);
        let mut files = set.files().clone();
        files.get_mut("mappings/own/gadget.sql").unwrap().push(' ');
        assert_ne!(MappingSet::from_files(files).unwrap().hash(), set.hash());
    }

    #[test]
    fn unknown_packs_and_entities_are_named() {
        let folder = folder();
        let load = |pack: &str| {
            MappingSet::load(Some(folder.path()), &packs(&[("erp", pack)]), &BTreeMap::new())
        };
        let error = load("owm").unwrap_err();
        assert!(error.chain().contains("owm") && error.remedy().unwrap().contains("own"));
        let file = folder.path().join("mappings/own/gadget.sql");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("entity: gadget", "entity: gadgets")).unwrap();
        let error = load("own").unwrap_err();
        assert!(error.remedy().unwrap().contains("`gadget`"), "{}", error.chain());
    }
}
