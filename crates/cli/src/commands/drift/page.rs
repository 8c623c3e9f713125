//! Drift as one page for a browser: it asks for nothing from anywhere, and runs nothing.

use std::fmt::Write;

use tidelock_core::diff::visible;
use tidelock_operator::drift::{Action, Changed};

use super::{Checked, Counts, Outcome, text};

const STYLE: &str = "\
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #1c2024; background: #fff }
h1 { font-size: 1.4rem } section { border-top: 1px solid #d8dde3; padding: .6rem 0 }
h2 { font-size: 1rem; margin: 0; overflow-wrap: anywhere } h3 { font-size: .9rem; margin: .8rem 0 .2rem }
.none h2 span { color: #18794e } .drift h2 span { color: #ad5700 } .failed h2 span { color: #cd2b31 }
table { border-collapse: collapse; width: 100%; font: 13px/1.5 ui-monospace, monospace } td { padding: .1rem .6rem .1rem 0; vertical-align: top; overflow-wrap: anywhere }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: 13px/1.5 ui-monospace, monospace }
@media (prefers-color-scheme: dark) { body { color: #edeef0; background: #111418 } section { border-color: #363a40 } }";

/// The whole page.
pub(super) fn page(checked: &[Checked], counts: &Counts, now: jiff::Timestamp) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Drift</title>\n<style>\n{STYLE}\n</style>\n\
         <h1>Drift</h1>\n<p>{}, {}</p>\n",
        escaped(&text::sentence(counts)),
        now.strftime("%Y-%m-%d %H:%M UTC"),
    );
    // What needs somebody comes first.
    for result in [Outcome::Failed, Outcome::Drift, Outcome::None] {
        for one in checked.iter().filter(|one| one.result == result) {
            push(&mut page, one);
        }
    }
    page
}

fn push(page: &mut String, checked: &Checked) {
    let (class, words) = match checked.result {
        Outcome::None => ("none", "no drift"),
        Outcome::Drift => ("drift", "drift"),
        Outcome::Failed => ("failed", "could not be checked"),
    };
    let directory = escaped(&checked.directory);
    // A string takes everything.
    let _ = writeln!(
        page,
        "<section class=\"{class}\">\n<h2>{directory} <span>{words}</span></h2>"
    );
    if let Some(why) = &checked.error {
        let lines: Vec<String> = why.lines().map(escaped).collect();
        let _ = writeln!(page, "<pre>{}</pre>", lines.join("\n"));
    }
    push_changes(page, &checked.drift.resources);
    if !checked.drift.outputs.is_empty() {
        page.push_str("<h3>Outputs</h3>\n");
    }
    push_changes(page, &checked.drift.outputs);
    page.push_str("</section>\n");
}

fn push_changes(page: &mut String, changed: &[Changed]) {
    if changed.is_empty() {
        return;
    }
    page.push_str("<table>\n");
    for one in changed {
        let gone = if one.action == Action::Delete {
            "is gone"
        } else {
            ""
        };
        let (sign, address) = (text::sign(one.action), escaped(&one.address));
        let _ = writeln!(page, "<tr><td>{sign} {address}<td>{gone}");
        for value in &one.values {
            let (path, difference) = (escaped(&value.path), escaped(&text::difference(value)));
            let _ = writeln!(page, "<tr><td>&emsp;{path}<td>{difference}");
        }
    }
    page.push_str("</table>\n");
}

/// Text that a browser takes for nothing but text.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use tidelock_operator::drift::{Difference, Drift};

    use super::*;

    #[test]
    fn whatever_is_in_a_report_is_text_to_a_browser() {
        let hostile = "<script>alert('\u{202e}\"&')</script>";
        let drift = Drift {
            resources: vec![Changed {
                address: format!("r[{hostile}]"),
                action: Action::Update,
                values: vec![Difference {
                    path: hostile.to_owned(),
                    sensitive: false,
                    before: Some(hostile.into()),
                    after: None,
                }],
            }],
            outputs: Vec::new(),
        };
        let checked = [Checked {
            directory: hostile.to_owned(),
            result: Outcome::Failed,
            drift,
            error: Some(hostile.to_owned()),
        }];
        let page = page(&checked, &Counts::of(&checked), jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(page.matches("&lt;script&gt;alert(&#39;").count(), 5, "{page}");
        assert!(!page.contains("<script") && !page.contains('\u{202e}'), "{page}");
        assert!(page.contains("1 directory: 0 with drift, 1 could not be checked, 1970-01-01 00:00 UTC"));
    }
}
