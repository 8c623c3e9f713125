//! A fault of a connection, told down to its cause.

/// What went wrong and why: hyper's outermost sentence says next to nothing.
#[must_use]
pub fn chain(why: &dyn std::error::Error) -> String {
    let mut text = why.to_string();
    let mut cause = why.source();
    while let Some(why) = cause {
        let more = why.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = why.source();
    }
    text
}
