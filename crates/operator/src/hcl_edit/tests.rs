//! Settings set and taken away in every way of writing them, byte by byte.
#![allow(clippy::unwrap_used)]
use super::*;

const ADD: Change<'_> = Change::Set {
    name: "use_lockfile",
    value: Literal::True,
    after: "dynamodb_table",
};
const DROP: Change<'_> = Change::Remove {
    name: "dynamodb_table",
};

fn made(name: &str, text: &str, change: &Change<'_>) -> String {
    let scope = match name.ends_with("tfbackend") || name == "b.json" {
        true => Scope::File,
        false => Scope::Blocks,
    };
    edited(Path::new(name), text, scope, change)
        .unwrap()
        .unwrap()
        .text
}

#[test]
fn a_setting_is_added_beside_the_table_and_aligned_with_it() {
    for (name, before, after) in [
        (
            "main.tf",
            "terraform {\n  backend \"s3\" {\n    bucket         = \"b\"\n    dynamodb_table = \"t\" # locks\n    key            = \"k\"\n  }\n}\n",
            "terraform {\n  backend \"s3\" {\n    bucket         = \"b\"\n    dynamodb_table = \"t\" # locks\n    use_lockfile   = true\n    key            = \"k\"\n  }\n}\n",
        ),
        (
            "main.tf",
            "\u{feff}terraform {\r\n\tbackend \"s3\" {\r\n\t\tdynamodb_table=\"t\"\r\n\t}\r\n}\r\n",
            "\u{feff}terraform {\r\n\tbackend \"s3\" {\r\n\t\tdynamodb_table=\"t\"\r\n\t\tuse_lockfile=true\r\n\t}\r\n}\r\n",
        ),
        (
            "main.tofu",
            "terraform {\n  backend \"s3\" {}\n}",
            "terraform {\n  backend \"s3\" { use_lockfile = true }\n}",
        ),
        (
            "main.tf",
            "terraform {\n\tbackend \"s3\" { dynamodb_table = \"t\" }\n}\n",
            "terraform {\n\tbackend \"s3\" {\n\t\tdynamodb_table = \"t\"\n\t\tuse_lockfile   = true\n\t}\n}\n",
        ),
        (
            "main.tf",
            "terraform {\n  backend \"s3\" {\n    # from CI\n  }\n}\n",
            "terraform {\n  backend \"s3\" {\n    use_lockfile = true\n    # from CI\n  }\n}\n",
        ),
        (
            "main.tf",
            "terraform {\n  backend \"s3\" {\n    assume_role = {\n      role_arn = \"r\"\n    }\n  }\n}\n",
            "terraform {\n  backend \"s3\" {\n    assume_role = {\n      role_arn = \"r\"\n    }\n    use_lockfile = true\n  }\n}\n",
        ),
        (
            "main.tf",
            "terraform {\n  backend \"s3\" {\n    dynamodb_table = <<EOT\nt\nEOT\n    key = 1\n  }\n}\n",
            "terraform {\n  backend \"s3\" {\n    dynamodb_table = <<EOT\nt\nEOT\n    use_lockfile   = true\n    key = 1\n  }\n}\n",
        ),
        (
            "p.tfbackend",
            "bucket = \"b\"\ndynamodb_table = \"t\"",
            "bucket = \"b\"\ndynamodb_table = \"t\"\nuse_lockfile   = true",
        ),
        (
            "main.tf",
            "terraform {\n  backend \"s3\" {\n    use_lockfile = false // no\n    dynamodb_table = \"t\"\n  }\n}\n",
            "terraform {\n  backend \"s3\" {\n    use_lockfile = true // no\n    dynamodb_table = \"t\"\n  }\n}\n",
        ),
    ] {
        assert_eq!(made(name, before, &ADD), after);
    }
}

#[test]
fn a_setting_goes_with_its_line_and_nothing_else() {
    for (name, before, after) in [
        (
            "main.tf",
            "terraform {\n  backend \"s3\" {\n    # the table\n    dynamodb_table = \"t\" // locks\n    key = 1 # k\n  }\n}\n",
            "terraform {\n  backend \"s3\" {\n    # the table\n    key = 1 # k\n  }\n}\n",
        ),
        (
            "main.tf",
            "terraform {\n  backend \"s3\" { dynamodb_table = \"t\" }\n}\n",
            "terraform {\n  backend \"s3\" {}\n}\n",
        ),
        (
            "main.tf",
            "terraform {\n  backend \"s3\" {\n    /* a */ dynamodb_table = \"t\" /* b\n    c */\n    key = 1\n  }\n}\n",
            "terraform {\n  backend \"s3\" {\n    /* a */  /* b\n    c */\n    key = 1\n  }\n}\n",
        ),
        (
            "main.tf",
            "terraform {\n  backend \"s3\" {\n    dynamodb_table = <<EOT\nt\nEOT\n    key = 1\n  }\n}\n",
            "terraform {\n  backend \"s3\" {\n    key = 1\n  }\n}\n",
        ),
        ("p.tfbackend", "key = 1\r\ndynamodb_table = \"t\"", "key = 1\r\n"),
    ] {
        assert_eq!(made(name, before, &DROP), after);
    }
}

#[test]
fn json_keeps_its_layout() {
    let of = |s3: &str| {
        format!("{{\n  \"//\": \"x\",\n  \"terraform\": [{{\"backend\": {{\"s3\": {s3}}}}}]\n}}\n")
    };
    for (before, added) in [
        ("{}", "{\"use_lockfile\": true}"),
        (
            "{\"key\":\"k\",\"dynamodb_table\":\"t\"}",
            "{\"key\":\"k\",\"dynamodb_table\":\"t\",\"use_lockfile\":true}",
        ),
        (
            "{\r\n    \"dynamodb_table\" : \"t\",\r\n    \"key\" : \"k\"\r\n  }",
            "{\r\n    \"dynamodb_table\" : \"t\",\r\n    \"use_lockfile\" : true,\r\n    \"key\" : \"k\"\r\n  }",
        ),
    ] {
        assert_eq!(made("main.tf.json", &of(before), &ADD), of(added));
    }
    for (before, dropped) in [
        ("{ \"dynamodb_table\": \"t\" }", "{}"),
        ("{\"key\":\"k\",\"dynamodb_table\":\"t\" }", "{\"key\":\"k\" }"),
        (
            "{\n    \"dynamodb_table\": \"t\",\n    \"key\": \"k\"\n  }",
            "{\n    \"key\": \"k\"\n  }",
        ),
    ] {
        assert_eq!(made("main.tf.json", &of(before), &DROP), of(dropped));
    }
    assert_eq!(
        made("b.json", "{\"key\": \"k\"}", &ADD),
        "{\"key\": \"k\", \"use_lockfile\": true}"
    );
}

#[test]
fn other_blocks_and_files_that_say_it_already_are_left() {
    for text in [
        "",
        "# backend \"s3\" { }\n",
        "terraform {\n  backend \"local\" {\n    dynamodb_table = \"t\"\n  }\n}\nbackend \"s3\" {\n}\n",
        "terraform {\n  backend \"s3\" {\n    use_lockfile = true\n  }\n}\n",
    ] {
        for change in [ADD, DROP] {
            assert_eq!(
                edited(Path::new("main.tf"), text, Scope::Blocks, &change),
                Ok(None),
                "{text}"
            );
        }
    }
    let replace = Change::Replace {
        name: "use_lockfile",
        value: Literal::True,
    };
    for (name, text) in [("p.tfbackend", "key = 1\n"), ("b.json", "{}")] {
        assert_eq!(edited(Path::new(name), text, Scope::File, &replace), Ok(None));
    }
}

#[test]
fn what_cannot_be_changed_safely_is_left_to_people() {
    let entangled = "terraform {\n  backend \"s3\" {\n    dynamodb_table = \"t\" /* a\n    b */\n  }\n}\n";
    let refused = edited(Path::new("main.tf"), entangled, Scope::Blocks, &ADD).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "line 4: use_lockfile is written in a way that cannot be changed safely"
    );
    let twice = "{\"terraform\":{\"backend\":{\"s3\":{\"dynamodb_table\":\"a\",\"dynamodb_table\":\"b\"}}}}";
    assert!(edited(Path::new("a.tf.json"), twice, Scope::Blocks, &DROP).is_err());
    for (name, text) in [
        ("a.tf", "terraform {\n  backend \"s3\"\n"),
        ("a.tf.json", "{\n\"a\""),
    ] {
        let refused = edited(Path::new(name), text, Scope::Blocks, &ADD).unwrap_err();
        assert!(matches!(refused, Unable::Syntax { .. }), "{refused}");
    }
}
