//! The running loops: started, watched, and stopped in the order of the data.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::archive::{self, Archive};
use crate::capture::{self, Capture};
use crate::conform::{self, Conform, verify};
use crate::deliver::{self, Deliver};
use crate::error::{Error, ErrorKind};
use crate::kpi::{self, Kpis};
use crate::reconcile::{self, Reconcile};

/// All loops. Dropping it ends those that are not threads of their own.
pub(super) struct Loops {
    capture: Kind,
    conform: Kind,
    /// What reads the store beside conform.
    beside: Kind,
    deliver: Kind,
}

impl Loops {
    pub(super) fn start(
        captures: Vec<Capture>,
        conform: Arc<Conform>,
        (archive, kpis, reconcile): (Archive, Kpis, Reconcile),
        deliveries: Vec<Deliver>,
    ) -> Self {
        let mut loops = Self {
            capture: Kind::default(),
            conform: Kind::default(),
            beside: Kind::default(),
            deliver: Kind::default(),
        };
        let stop = loops.beside.stop.clone();
        loops.beside.spawn("archive".to_owned(), archive::run(archive, stop.clone()));
        loops.beside.spawn("key figures".to_owned(), kpi::run(kpis, stop.clone()));
        let comparing = reconcile::run(reconcile, stop.clone());
        loops.beside.spawn("comparison".to_owned(), comparing);
        let verifying = verify::run(Arc::clone(&conform), stop);
        loops.beside.spawn("verification".to_owned(), verifying);
        for one in deliveries {
            let name = format!("delivery ({})", one.name);
            let stop = loops.deliver.stop.clone();
            loops.deliver.spawn(name, deliver::run(one, stop));
        }
        for one in captures {
            let name = format!("capture ({})", one.name);
            let stop = loops.capture.stop.clone();
            loops.capture.spawn(name, capture::run(one, stop));
        }
        let stop = loops.conform.stop.clone();
        let runtime = tokio::runtime::Handle::current();
        let task = move || conform::run(&conform, &stop, &runtime);
        let id = loops.conform.tasks.spawn_blocking(task).id();
        loops.conform.names.insert(id, "conform".to_owned());
        loops
    }

    /// Waits until a loop ends although nobody asked it to: a bug, after which status and metrics
    /// would show a standstill as if nothing were the matter.
    pub(super) async fn failed(&mut self) -> Error {
        tokio::select! {
            // The others may end because conform did.
            biased;
            error = self.conform.failed() => error,
            error = self.capture.failed() => error,
            error = self.beside.failed() => error,
            error = self.deliver.failed() => error,
        }
    }

    /// Each one's input has ended when it is asked to end.
    pub(super) async fn drain(mut self) {
        self.capture.drain().await;
        // They hold snapshots of the store.
        self.beside.drain().await;
        self.conform.drain().await;
        self.deliver.drain().await;
    }
}

/// The loops of one kind.
#[derive(Default)]
struct Kind {
    tasks: JoinSet<()>,
    names: HashMap<Id, String>,
    stop: CancellationToken,
}

impl Kind {
    fn spawn(&mut self, name: String, task: impl Future<Output = ()> + Send + 'static) {
        let id = self.tasks.spawn(task).id();
        self.names.insert(id, name);
    }

    async fn failed(&mut self) -> Error {
        match self.tasks.join_next_with_id().await {
            // Without targets there is no delivery.
            None => std::future::pending().await,
            Some(ended) => self.report(ended),
        }
    }

    async fn drain(&mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next_with_id().await {
            if ended.is_err() {
                let error = self.report(ended);
                tracing::error!(error = %error.chain(), "a loop did not end in order");
            }
        }
    }

    fn report(&self, ended: Result<(Id, ()), JoinError>) -> Error {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, ())| *id);
        let name = self.names.get(&id).map_or("unknown", String::as_str);
        let error = Error::new(ErrorKind::Bug, format!("the {name} loop has ended by itself"))
            .hint("nothing is lost: start the daemon again, and report this with its log");
        match ended {
            Ok(_) => error,
            Err(cause) => error.caused_by(cause),
        }
    }
}
