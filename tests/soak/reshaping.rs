//! Who changes tables while others write: columns come, go, and get other names and types; tables come
//! and go; keys change at times, which is a gap.
//!
//! Only what the manual promises to follow, or names as a gap. A row is written after each change, because
//! columns are shown by rows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::Rng;
use rand::rngs::StdRng;

use super::engine::{Alter, Engine, Session};
use super::statements::{put, salt};
use super::world::{Shape, World, count};
use super::writing::{self, BULK, Load};

/// A table whose key changes.
pub(crate) const REKEYED: &str = "rekeyed";
/// Tables that come and go, at once.
const EXTRA_MAX: usize = 4;
const EXTRA: &str = "extra";

/// Changes tables until the world is stopped.
pub(crate) async fn run(engine: Arc<dyn Engine>, world: Arc<World>, mut rng: StdRng, load: Load) {
    let gap_pause = Duration::from_secs(load.gap_pause_secs);
    let mut gap = Instant::now();
    loop {
        let pause_ms = rng.random_range(load.ddl_pause_ms / 2..load.ddl_pause_ms * 3 / 2);
        writing::pause(&world, Duration::from_millis(pause_ms)).await;
        let Some(mut session) = writing::session(engine.as_ref(), &world).await else { return };
        let makes_gap = load.gap_pause_secs > 0 && gap.elapsed() > gap_pause;
        let Some((shape, change)) = choose(&world, engine.as_ref(), &mut rng, makes_gap) else {
            continue;
        };
        if makes_gap {
            gap = Instant::now();
        }
        if apply(engine.as_ref(), session.as_mut(), &world, (&shape, &change), &mut rng)
            .await
            .is_ok()
        {
            count(&world.counts.ddl, 1);
        } else {
            session.run("ROLLBACK").await.ok();
        }
    }
}

/// What is done next, and to which table.
fn choose(
    world: &World,
    engine: &dyn Engine,
    rng: &mut StdRng,
    makes_gap: bool,
) -> Option<(Shape, Alter)> {
    let shapes = world.shapes();
    let extras: Vec<&Shape> = shapes.iter().filter(|one| one.name.starts_with(EXTRA)).collect();
    let extra = |rng: &mut StdRng| extras.get(rng.random_range(0..extras.len().max(1)));
    if makes_gap {
        let shape = shapes.iter().find(|shape| shape.name == REKEYED)?.clone();
        world.expect_gap(REKEYED);
        let column = shape.columns.first().map(|(name, _)| name.clone())?;
        let keys = ["id".to_owned(), format!("id, {column}"), format!("{column}, id")];
        return Some((shape, Alter::Key(keys[rng.random_range(0..keys.len())].clone())));
    }
    match rng.random_range(0..100) {
        0..=5 if extras.len() < EXTRA_MAX => {
            let columns = (0..rng.random_range(2..5))
                .map(|_| (world.fresh("c"), rng.random_range(0..engine.kinds().len())));
            let (name, columns) = (world.fresh(EXTRA), columns.collect());
            // Columns that change during a first copy are a gap.
            world.expect_gap(&name);
            let shape = Shape { name, columns, keys: 400, indexes: Vec::new() };
            return Some((shape, Alter::Create));
        }
        6..=9 => return Some((extra(rng)?.to_owned().clone(), Alter::Drop)),
        10 => {
            let (shape, to) = (extra(rng)?.to_owned().clone(), world.fresh(EXTRA));
            world.expect_gap(&to);
            return Some((shape, Alter::RenameTable(to)));
        }
        _ => {}
    }
    // Each change of columns has a table copied again: seldom the largest, never the one of keys.
    let is_small = |shape: &&Shape| shape.name != BULK && shape.name != REKEYED;
    let small: Vec<&Shape> = shapes.iter().filter(is_small).collect();
    let shape = match rng.random_ratio(1, 40) {
        true => shapes.iter().find(|shape| shape.name == BULK)?.clone(),
        false => small[rng.random_range(0..small.len())].clone(),
    };
    let change = of_columns(world, engine, rng, &shape);
    Some((shape, change))
}

fn of_columns(world: &World, engine: &dyn Engine, rng: &mut StdRng, shape: &Shape) -> Alter {
    let kind = rng.random_range(0..engine.kinds().len());
    let (column, of) = shape.columns[rng.random_range(0..shape.columns.len())].clone();
    match rng.random_range(0..20) {
        0..=4 if shape.columns.len() < 9 => Alter::Add(world.fresh("c"), kind, rng.random()),
        5..=7 if shape.columns.len() > 2 => Alter::DropColumn(column),
        8..=10 => Alter::Rename(column, of, world.fresh("c")),
        11..=14 if kind != of => Alter::Retype(column, kind),
        15 => Alter::Truncate,
        16 => Alter::Index(world.fresh("i"), column),
        17 => match shape.indexes.first() {
            Some(index) => Alter::DropIndex(index.clone()),
            None => Alter::Index(world.fresh("i"), column),
        },
        _ => Alter::Comment(format!("about {column}")),
    }
}

/// Does it, with rows before and after it, partly in one transaction, which is rolled back at times.
async fn apply(
    engine: &dyn Engine,
    session: &mut dyn Session,
    world: &World,
    (shape, change): (&Shape, &Alter),
    rng: &mut StdRng,
) -> Result<(), String> {
    let after = after(shape, change);
    world.expect_drift(&shape.name);
    let (before, last) = (salt(rng), salt(rng));
    let is_whole = engine.alters_in_transactions() && rng.random();
    let is_undone = is_whole && rng.random_ratio(1, 5);
    if is_whole {
        session.run("BEGIN").await?;
        if !matches!(change, Alter::Create) {
            for statement in put(engine, shape, 1, 3, before) {
                session.run(&statement).await?;
            }
        }
    }
    session.run(&engine.alter(shape, change)).await?;
    if !is_whole {
        learn(world, shape, after.clone(), change);
    }
    if let Some(after) = &after {
        // Not by their keys, which are others then.
        let rows = if matches!(change, Alter::Create) { 300 } else { 2 };
        for statement in put(engine, after, 2, rows, last) {
            match change {
                Alter::Key(_) => {
                    let clear = format!("DELETE FROM {} WHERE id BETWEEN 2 AND 3", after.name);
                    session.run(&clear).await?;
                }
                _ => drop(session.run(&statement).await?),
            }
        }
    }
    match (is_whole, is_undone) {
        (false, _) => {}
        (true, true) => drop(session.run("ROLLBACK").await?),
        (true, false) => {
            session.run("COMMIT").await?;
            learn(world, shape, after, change);
        }
    }
    Ok(())
}

/// The table afterwards; `None` if it is gone.
fn after(shape: &Shape, change: &Alter) -> Option<Shape> {
    let mut after = shape.clone();
    let place = |name: &String| shape.columns.iter().position(|(column, _)| column == name);
    match change {
        Alter::Drop => return None,
        Alter::RenameTable(to) => after.name.clone_from(to),
        Alter::Add(name, kind, _) => after.columns.push((name.clone(), *kind)),
        Alter::DropColumn(name) => after.columns.retain(|(column, _)| column != name),
        Alter::Rename(from, _, to) => after.columns[place(from)?].0.clone_from(to),
        Alter::Retype(name, kind) => after.columns[place(name)?].1 = *kind,
        Alter::Index(name, _) => after.indexes.push(name.clone()),
        Alter::DropIndex(name) => after.indexes.retain(|index| index != name),
        Alter::Create | Alter::Truncate | Alter::Comment(_) | Alter::Key(_) => {}
    }
    Some(after)
}

fn learn(world: &World, shape: &Shape, after: Option<Shape>, change: &Alter) {
    match after {
        Some(after) => {
            if matches!(change, Alter::RenameTable(_)) {
                world.remove(&shape.name);
            }
            world.put(after);
        }
        None => world.remove(&shape.name),
    }
}
