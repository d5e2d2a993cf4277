//! Every committed seed goes through its door, also where no fuzzer is.

use std::path::PathBuf;

use super::DOORS;

fn seeds(target: &str) -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

#[test]
fn every_target_has_a_door() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let mut targets: Vec<String> = std::fs::read_dir(folder.join("targets"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    targets.sort();
    assert_eq!(targets, DOORS.map(|(name, _)| name));
    for target in targets {
        assert!(manifest.contains(&format!("path = \"targets/{target}.rs\"")), "{target}");
    }
}

/// A seed is accepted, unless its name says that it is refused.
#[test]
fn every_seed_goes_through_its_door() {
    let mut wrong = Vec::new();
    for (target, door) in DOORS {
        let seeds = seeds(target);
        assert!(!seeds.is_empty(), "{target} has no seeds");
        for seed in seeds {
            let name = format!("{target}/{}", seed.file_name().unwrap().to_string_lossy());
            let data = std::fs::read(&seed).unwrap();
            let outcome = std::panic::catch_unwind(|| door(&data));
            match outcome {
                Ok(is_accepted) if is_accepted != name.contains("/refused-") => {}
                Ok(true) => wrong.push(format!("{name} is accepted")),
                Ok(false) => wrong.push(format!("{name} is refused")),
                Err(_) => wrong.push(format!("{name} fails an assertion")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
