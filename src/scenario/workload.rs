//! Clients whose operations are data: each is carried out by one function and recorded as it ends.

use std::future::Future;
use std::sync::Arc;

use proptest::strategy::Strategy;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Scenario;
use crate::history::Ended;
use crate::host::HostContext;

impl Scenario {
    /// Adds `count` clients that share one host, and each of which carries out its operations one after the other. They are
    /// drawn from `operations` before the run starts, and are part of the case; shrinking leaves out all that do not matter.
    ///
    /// Each operation is recorded in the history: under its name (that of its variant, as serde writes it), with the whole
    /// operation as its input, and with what `carry_out` returns. That is an [`Ended`], or a `Result`: its error says that the
    /// outcome is unknown, because most errors do not tell whether a request had an effect.
    ///
    /// ```
    /// use proptest::prelude::*;
    /// use serde::{Deserialize, Serialize};
    /// use squall::prelude::*;
    /// use tokio::io::AsyncReadExt;
    ///
    /// #[derive(Debug, Serialize, Deserialize)]
    /// enum Operation {
    ///     Ask(u16),
    ///     Pause(u64),
    /// }
    ///
    /// fn operations() -> impl Strategy<Value = Vec<Operation>> {
    ///     let one = prop_oneof![(80..82_u16).prop_map(Operation::Ask), (1..500_u64).prop_map(Operation::Pause)];
    ///     proptest::collection::vec(one, 1..20)
    /// }
    ///
    /// async fn carry_out(cx: HostContext, operation: Operation) -> std::io::Result<Option<u8>> {
    ///     match operation {
    ///         Operation::Ask(port) => Ok(Some(cx.connector().connect("server", port).await?.read_u8().await?)),
    ///         Operation::Pause(ms) => {
    ///             tokio::time::sleep(millis(ms)).await;
    ///             Ok(None)
    ///         }
    ///     }
    /// }
    ///
    /// fn each_question_is_recorded(_: &Trace, history: &History) -> Verdict {
    ///     match history.named("Ask").all(|operation| matches!(operation.input(), Ok(Operation::Ask(80 | 81)))) {
    ///         true => Verdict::Pass,
    ///         false => Verdict::fail("another operation is named like a question"),
    ///     }
    /// }
    ///
    /// let scenario = Scenario::new("questions")
    ///     .host("server", |_| async {})
    ///     .workload("client", 2, operations(), carry_out)
    ///     .check(each_question_is_recorded)
    ///     .run_for(secs(10));
    /// # use squall::internal::run::{Detail, run};
    /// # let run = run(&scenario, &scenario.case(Seed(1)), Detail::Lean);
    /// # assert!(run.outcome.verdict.is_pass(), "{:?}", run.outcome);
    /// # let drawn: usize = scenario.case(Seed(1)).input["client"].iter().map(|input| input.as_array().unwrap().len()).sum();
    /// # assert_eq!(run.history.operations.len(), drawn);
    /// # assert!(run.history.named("Ask").all(|operation| !operation.is_ok() && !operation.is_fail()), "nobody listens");
    /// # assert!(run.history.named("Pause").all(|operation| operation.is_ok()));
    /// ```
    pub fn workload<S, Operation, Answer, F, Fut>(self, name: &str, count: u32, operations: S, carry_out: F) -> Scenario
    where
        S: Strategy<Value = Vec<Operation>> + Send + Sync + 'static,
        Operation: Serialize + DeserializeOwned + std::fmt::Debug + 'static,
        Answer: Serialize,
        F: Fn(HostContext, Operation) -> Fut + Send + Sync + 'static,
        Fut: Future + 'static,
        Fut::Output: Into<Ended<Answer>>,
    {
        let carry_out = Arc::new(carry_out);
        self.clients(name, count, operations, move |cx: HostContext, operations: Vec<Operation>| {
            let carry_out = carry_out.clone();
            async move {
                for operation in operations {
                    let recorded = cx.recorder().invoke(&name_of(&operation), &operation);
                    match carry_out(cx.clone(), operation).await.into() {
                        Ended::Ok(answer) => recorded.ok(&answer),
                        Ended::Refused(why) => recorded.fail(why),
                        Ended::Unknown(why) => recorded.unknown(why),
                    }
                }
            }
        })
    }
}

/// The name of an operation: that of its variant. An operation that is no enum has none of its own.
fn name_of(operation: &impl Serialize) -> String {
    match serde_json::to_value(operation) {
        Ok(Value::String(name)) => Some(name),
        Ok(Value::Object(fields)) if fields.len() == 1 => fields.into_iter().next().map(|(name, _)| name),
        _ => None,
    }
    .unwrap_or_else(|| "operation".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_named_after_its_variant() {
        #[derive(Serialize)]
        #[serde(rename_all = "snake_case")]
        enum Operation {
            Audit,
            ReadOrder(u8),
            PlaceOrder { sku: u8, quantity: u8 },
        }
        let named = [Operation::Audit, Operation::ReadOrder(1), Operation::PlaceOrder { sku: 1, quantity: 2 }];
        assert_eq!(named.map(|operation| name_of(&operation)), ["audit", "read_order", "place_order"]);
        assert_eq!(name_of(&7), "operation");
    }
}
