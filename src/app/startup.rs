//! What ends a daemon while it starts: an error that only a person can mend.
//!
//! Once a source or target has worked, the same errors are tried again and shown: a password
//! that is being changed must not end the daemon.

use std::collections::BTreeMap;
use std::time::Duration;

use super::assemble::{Captures, Deliveries};
use crate::canon::MappingSet;
use crate::config::Config;
use crate::deliver::{self, Deliver};
use crate::error::{Error, Result};
use crate::store::evaluate::Evaluator;

/// Between two looks at what starts.
const LOOK_PAUSE: Duration = Duration::from_millis(100);

/// Compiles the mappings and the columns of the targets, as the loops will.
///
/// # Errors
/// The first that does not compile.
pub(super) fn plan(config: &Config, set: &MappingSet, deliveries: &[Deliver]) -> Result<()> {
    Evaluator::new(set, &BTreeMap::new())?;
    for delivery in deliveries {
        if let Some(target) = config.target.get(&delivery.name) {
            deliver::compile(&delivery.entities, target)?;
        }
    }
    Ok(())
}

/// Waits until a source or target that never worked refuses in a way that patience does not mend;
/// for ever once all have worked.
pub(super) async fn refused(captures: &Captures, deliveries: &Deliveries) -> Error {
    loop {
        let refusal = |(name, refused): (&String, Option<Error>), kind: &str| {
            refused.map(|error| {
                let hint = error.remedy().map(str::to_owned);
                let what = format!("{kind} {name} cannot be used");
                let named = Error::new(error.kind(), what).caused_by(error);
                match hint {
                    Some(hint) => named.hint(hint),
                    None => named,
                }
            })
        };
        let sources = captures.iter().map(|(name, state)| (name, state.seen().first_use.refusal()));
        let targets =
            deliveries.iter().map(|(name, state)| (name, state.seen().first_use.refusal()));
        let mut refusals = sources
            .filter_map(|one| refusal(one, "source"))
            .chain(targets.filter_map(|one| refusal(one, "target")));
        if let Some(error) = refusals.next() {
            return error;
        }
        drop(refusals);
        let all_work = captures.values().all(|state| state.seen().first_use.has_worked())
            && deliveries.values().all(|state| state.seen().first_use.has_worked());
        if all_work {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}
