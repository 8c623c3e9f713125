//! The expression language: conditions, filters, key conditions, projections and updates.
//!
//! Every parser works on a text of bounded length and recurses to a bounded depth; what it builds is therefore bounded
//! too, so that evaluating and dropping it cannot overflow the stack. The grammar is that of
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html>.

mod apply;
mod condition;
mod evaluate;
mod functions;
mod key_condition;
mod lexer;
mod parser;
mod path;
mod placeholders;
mod projection;
mod update;

pub(crate) use condition::Condition;
pub(crate) use key_condition::KeyCondition;
pub(crate) use placeholders::Placeholders;
pub(crate) use projection::Projection;
pub(crate) use update::Update;

#[cfg(test)]
mod tests;

/// Reads `text` as each kind of expression, and evaluates what could be read against a small item: the entry of the
/// fuzzer, which must never find a panic, a hang or an overflow here.
pub fn fuzz_expression(text: &str) {
    let placeholders = &mut Placeholders::for_fuzzing();
    let item = placeholders.item_of_values();
    if let Ok(condition) = Condition::parse("ConditionExpression", text, placeholders) {
        condition.holds(&item);
    }
    if let Ok(update) = Update::parse(text, placeholders) {
        let _ = update.apply(&item);
    }
    if let Ok(projection) = Projection::parse(text, placeholders) {
        projection.apply(&item);
    }
    let _ = KeyCondition::parse(text, placeholders);
}
