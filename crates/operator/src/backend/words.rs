//! What `TF_CLI_ARGS_init` and `TF_CLI_ARGS` give to `init` as `-backend-config`.
//!
//! Source: `mergeEnvArgs` in `main.go` of Terraform, and go-shellwords, by which it takes the words apart.

use super::{BackendError, Environment, Place};

/// In the order in which `init` meets them: the later comes over the earlier.
pub(super) const VARIABLES: [&str; 2] = ["TF_CLI_ARGS_init", "TF_CLI_ARGS"];

/// The values of `-backend-config` in this variable.
pub(super) fn backend_config(
    variable: &str,
    environment: Environment<'_>,
) -> Result<Vec<String>, BackendError> {
    let words = split(&environment(variable).unwrap_or_default()).ok_or_else(|| BackendError::Syntax {
        at: Place::named(variable),
        why: "a quote that is not closed, or a parenthesis; Terraform refuses it too".to_owned(),
    })?;
    let mut given = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let flag = word.strip_prefix("--").or_else(|| word.strip_prefix('-'));
        match flag.and_then(|flag| flag.strip_prefix("backend-config")) {
            Some("") => given.extend(words.next()),
            Some(rest) => given.extend(rest.strip_prefix('=').map(str::to_owned)),
            None => {}
        }
    }
    Ok(given)
}

/// The words, as a shell that expands nothing would take them apart; `None` when one has no end.
fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', None | Some('"')) => word.get_or_insert_default().push(chars.next()?),
            (c, Some(open)) if c == open => quote = None,
            (c, Some(_)) => word.get_or_insert_default().push(c),
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            ('(' | ')', None) => return None,
            // What another command would begin with ends this one.
            (';' | '&' | '|' | '<' | '>', None) => break,
            (c, None) if c.is_ascii_whitespace() => words.extend(word.take()),
            (c, None) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn words_are_taken_apart_as_terraform_does() {
        for (text, expected) in [
            ("", vec![]),
            ("  -a  b\tc\n", vec!["-a", "b", "c"]),
            (r#"-a="b c" 'd "e\f' """#, vec!["-a=b c", r#"d "e\f"#, ""]),
            (r#"a\ b "c\"d\\""#, vec!["a b", r#"c"d\"#]),
            ("a b; c", vec!["a", "b"]),
            ("a$HOME", vec!["a$HOME"]),
        ] {
            assert_eq!(split(text).unwrap(), expected, "{text}");
        }
        for text in ["'a", "\"a", "a\\", "$(a)"] {
            assert_eq!(split(text), None, "{text}");
        }
    }

    #[test]
    fn only_backend_config_is_taken() {
        let text = "-backend-config=a=b --backend-config 'c d=e' -reconfigure -backend-configs=x -backend=false -backend-config";
        let environment = |_: &str| Some(text.to_owned());
        assert_eq!(backend_config("X", &environment).unwrap(), ["a=b", "c d=e"]);
    }
}
