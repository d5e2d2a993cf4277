//! What people ask of a capture: to copy a table again, or to stop doing so; to follow a source anew.
//!
//! It is done where a session begins, at a place in the log before which nothing is under way; the last,
//! where none can begin. Who asks waits for the answer; what nobody waits for any more is not done.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::change::condition::Condition;
use crate::error::Result;

/// What is to be done with a table, or with the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// The source has a gap, or could be followed better by now: its log is to be followed anew, and everything
    /// copied again.
    Anew,
    /// It is to be copied again.
    Resync,
    /// It is to be copied no further.
    Stop,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The resync has begun, or was under way already; or the log begins anew.
    Begun,
    /// A resync of other rows is under way.
    OfOthers,
    /// There is no gap to mend.
    NoGap,
    /// The resync is over before its end.
    Stopped,
    /// There is none to stop.
    NotUnderWay,
    /// The table is copied for the first time, or must be copied as if it were.
    FirstCopy,
    /// The table is not mirrored any more.
    NotMirrored,
}

/// A question, and where its answer goes.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) table: String,
    pub(super) wish: Wish,
    /// The rows that are to be copied again; `None`: all.
    pub(super) only: Option<Condition>,
    pub(super) answer: oneshot::Sender<Result<Answer>>,
}

/// The questions that wait.
#[derive(Debug, Default)]
pub(super) struct Asking(Mutex<Vec<Asked>>);

impl Asking {
    pub(super) fn ask(
        &self,
        table: &str,
        wish: Wish,
        only: Option<Condition>,
    ) -> oneshot::Receiver<Result<Answer>> {
        let (answer, answered) = oneshot::channel();
        self.open().push(Asked { table: table.to_owned(), wish, only, answer });
        answered
    }

    /// Takes the questions that somebody still waits for.
    pub(super) fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.open())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open().is_empty()
    }

    /// Whether somebody wants the log to begin anew.
    pub(super) fn is_anew(&self) -> bool {
        self.open().iter().any(|asked| asked.wish == Wish::Anew)
    }

    fn open(&self) -> MutexGuard<'_, Vec<Asked>> {
        let mut questions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        questions.retain(|asked| !asked.answer.is_closed());
        questions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_nobody_waits_for_is_not_done() {
        let asking = Asking::default();
        drop(asking.ask("a", Wish::Resync, None));
        assert!(asking.is_empty());
        let (first, second) =
            (asking.ask("b", Wish::Resync, None), asking.ask("b", Wish::Stop, None));
        assert!(!asking.is_empty());
        drop(second);
        for asked in asking.take() {
            assert_eq!((asked.table.as_str(), asked.wish), ("b", Wish::Resync));
            asked.answer.send(Ok(Answer::Begun)).unwrap();
        }
        assert_eq!(first.await.unwrap().unwrap(), Answer::Begun);
        assert!(asking.is_empty());
    }
}
