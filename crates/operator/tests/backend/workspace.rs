//! The workspace that is selected, and where its state is.

use super::{Project, S3};

#[test]
fn the_variable_comes_before_the_selection_and_that_before_the_default() {
    let project = Project::block(S3);
    assert_eq!(project.find().workspace, "default");
    project.write(".terraform/environment", "staging\n");
    assert_eq!(project.address(), "states/env:/staging/net/a.tfstate");
    let project = project.set("TF_WORKSPACE", "live");
    assert_eq!(project.address(), "states/env:/live/net/a.tfstate");
    let project = project.set("TF_WORKSPACE", "default");
    assert_eq!(project.address(), "states/net/a.tfstate");
    let project = project.set("TF_WORKSPACE", "");
    assert_eq!(project.address(), "states/env:/staging/net/a.tfstate");
}

#[test]
fn an_empty_selection_is_the_default() {
    let project = Project::block(S3);
    project.write(".terraform/environment", "\n");
    assert_eq!(project.address(), "states/net/a.tfstate");
}

#[test]
fn the_prefix_of_workspaces_is_as_the_backend_says() {
    let block = format!(
        "{}\nworkspace_key_prefix = \"teams\"\n}}",
        S3.trim_end_matches('}')
    );
    let project = Project::block(&block).set("TF_WORKSPACE", "w");
    assert_eq!(project.address(), "states/teams/w/net/a.tfstate");
    let project = Project::block(S3)
        .config("workspace_key_prefix=")
        .set("TF_WORKSPACE", "w");
    assert_eq!(project.address(), "states/w/net/a.tfstate");
}

#[test]
fn a_name_that_no_workspace_has_is_refused() {
    for name in ["a b", "a/b", "é", "a%2Fb", "\u{1b}[31m", &"x".repeat(513)] {
        let fault = Project::block(S3).set("TF_WORKSPACE", name).fault();
        assert!(fault.starts_with("TF_WORKSPACE names the workspace '"), "{fault}");
        assert!(!fault.contains('\u{1b}'), "{fault:?}");
    }
    let project = Project::block(S3);
    project.write(".terraform/environment", "a b");
    assert!(
        project
            .fault()
            .starts_with(".terraform/environment names the workspace 'a b'")
    );
}
