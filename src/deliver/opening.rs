//! Taking a target: who may write to it, and whether ledger and target know the same events.
//!
//! Either may have been restored from a backup or cloned. Each check holds at every later start
//! too, even if the process died before anybody learnt of it.

use uuid::Uuid;

use super::{Deliver, DeliverPhase};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::standing::TargetFacts;
use crate::target::{Account, BaselineState, Claim, Target};

/// What a person does about a gap. An install of its own has an account of its own in the target.
const GAP_REMEDY: &str = "this state folder or the target was restored or cloned: find out which \
    daemon is the right one, compare the target, then give the daemon an empty state_dir: it copies \
    anew and takes the target's rows over by key";

/// Takes the target, or says why it must not be written to. Also: the epoch that it is held under.
pub(super) async fn take(deliver: &Deliver) -> Result<(Target, Account, u64)> {
    let (name, ledger) = (&deliver.name, &deliver.ledger);
    let mut facts = ledger.target(name)?;
    if let Some(gap) = remembered_gap(&facts) {
        return Err(gap);
    }
    deliver.state.entered(DeliverPhase::Opening);
    let mut target = Target::new(name, &ledger.install().to_string(), &deliver.config)?;
    // Written down first: should the answer be lost, the target may hold the token or not.
    let token = facts.claim.unwrap_or_else(|| Uuid::new_v4().to_string());
    facts.claim = Some(token.clone());
    facts.epoch += 1;
    ledger.set_target(name, &facts)?;
    let claim = Claim { epoch: facts.epoch, token, former: facts.holder.clone() };
    let account = target.open(&claim).await?;
    compare(deliver, &facts, &account)?;
    let epoch = claim.epoch;
    let held = TargetFacts { holder: Some(claim.token), claim: None, newest_before: None, ..facts };
    ledger.set_target(name, &held)?;
    Ok((target, account, epoch))
}

/// The gap that the ledger knows of, if there is one.
pub(super) fn remembered_gap(facts: &TargetFacts) -> Option<Error> {
    let gap = facts.gap.as_ref()?;
    Some(Error::new(ErrorKind::Gap, gap).hint(GAP_REMEDY))
}

/// Neither may have events that the other lacks for good.
fn compare(deliver: &Deliver, facts: &TargetFacts, account: &Account) -> Result<()> {
    let (name, ledger) = (&deliver.name, &deliver.ledger);
    // Events that were made since the start say nothing about what the target can have.
    let newest = match facts.newest_before {
        Some(newest) => newest,
        None => ledger.last_batch()?.map_or(0, |batch| batch.event_last),
    };
    if account.cursor > newest {
        return Err(ahead(name, account.cursor, newest));
    }
    // A target that never had anything begins with a baseline, and needs no older events.
    let has_begun =
        account.cursor > 0 || account.baselines.values().any(|state| *state == BaselineState::Done);
    let oldest = ledger.oldest_event()?;
    if has_begun && account.cursor < newest && account.cursor + 1 < oldest {
        return Err(behind(name, account.cursor, oldest));
    }
    Ok(())
}

/// The target has events the ledger never made: the ledger was restored.
fn ahead(target: &str, cursor: u64, newest: u64) -> Error {
    Error::new(
        ErrorKind::Gap,
        format!("target {target} has events up to {cursor}, the ledger only up to {newest}"),
    )
    .hint(GAP_REMEDY)
}

/// The target lost events that the queue does not have any more: the target was restored.
fn behind(target: &str, cursor: u64, oldest: u64) -> Error {
    Error::new(
        ErrorKind::Gap,
        format!(
            "target {target} has events up to {cursor}, the queue begins with {oldest}: the target \
             was restored to what it was before, and lacks what came in between"
        ),
    )
    .hint("give the daemon an empty state_dir: it copies anew and takes the target's rows over by key")
}
