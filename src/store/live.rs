//! What the process knows and the store does not, as a function of SQL: the views of `ops` in
//! `sql/store/ops.sql` unfold it, so that lag, queues and dead letters are as they are at the
//! moment of the question and nothing is written for it.

use std::fmt;
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, AsArray, StringArray};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use duckdb::Connection;
use duckdb::vscalar::{ArrowFunctionSignature, VArrowScalar};

use crate::error::Result;
use crate::store::refusal::InStore;

/// The function's name. It takes a topic and gives a JSON array.
const NAME: &str = "trueup_now";

/// Answers topics, each with a JSON array of objects; `[]` for one it does not know.
pub type Teller = dyn Fn(&str) -> String + Send + Sync;

/// Who answers; nobody until [`Live::tell`]. Clones are the same.
#[derive(Clone, Default)]
pub struct Live(Arc<OnceLock<Box<Teller>>>);

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("is_told", &self.0.get().is_some()).finish()
    }
}

impl Live {
    /// From now on `teller` answers; the first call counts.
    pub fn tell(&self, teller: Box<Teller>) {
        self.0.get_or_init(|| teller);
    }

    /// Makes the function known to a database.
    pub(super) fn register(&self, connection: &Connection) -> Result<()> {
        let registered = connection.register_scalar_function_with_state::<Self>(NAME, self);
        registered.in_store(|| format!("could not register {NAME}"))
    }

    fn answer(&self, topic: &str) -> String {
        self.0.get().map_or_else(|| "[]".to_owned(), |teller| teller(topic))
    }
}

impl VArrowScalar for Live {
    type State = Self;

    fn invoke(
        live: &Self,
        input: RecordBatch,
    ) -> std::result::Result<Arc<dyn Array>, Box<dyn std::error::Error>> {
        let topics = input.column(0).as_string_opt::<i32>().ok_or("the topic is not a text")?;
        let answers = topics.iter().map(|topic| topic.map(|topic| live.answer(topic)));
        Ok(Arc::new(answers.collect::<StringArray>()))
    }

    fn signatures() -> Vec<ArrowFunctionSignature> {
        vec![ArrowFunctionSignature::exact(vec![DataType::Utf8], DataType::Utf8)]
    }

    fn volatile() -> bool {
        true
    }
}
