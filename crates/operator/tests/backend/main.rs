//! Which state a directory means: written directories, and what is found in them.
#![allow(clippy::unwrap_used, missing_docs)]

mod access;
mod block;
mod identity;
mod recorded;
mod variables;
mod workspace;

use std::{collections::HashMap, fs, path::Path};

use tempfile::TempDir;
use tidelock_operator::backend::{self, Backend, BackendError};

/// A directory of configuration, and the environment of who works in it.
pub(crate) struct Project {
    dir: TempDir,
    variables: HashMap<String, String>,
    backend_config: Vec<String>,
}

impl Project {
    /// A directory with these files.
    pub(crate) fn with(files: &[(&str, &str)]) -> Project {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("home").display().to_string();
        let project = Project {
            dir,
            variables: HashMap::from([("HOME".to_owned(), home)]),
            backend_config: Vec::new(),
        };
        for (name, text) in files {
            project.write(name, text);
        }
        project
    }

    /// A `main.tf` with this backend block.
    pub(crate) fn block(block: &str) -> Project {
        Project::with(&[("main.tf", &format!("terraform {{\n{block}\n}}\n"))])
    }

    /// Where `init` recorded a backend of this kind with these settings, in JSON.
    pub(crate) fn recorded(self, kind: &str, config: &str) -> Project {
        let record = format!(
            r#"{{"version": 3, "terraform_version": "1.11.4", "backend": {{"type": "{kind}", "config": {config}, "hash": 1}}}}"#
        );
        self.write(".terraform/terraform.tfstate", &record);
        self
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn set(mut self, name: &str, value: &str) -> Project {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn config(mut self, given: &str) -> Project {
        self.backend_config.push(given.to_owned());
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn try_find(&self) -> Result<Backend, BackendError> {
        let environment = |name: &str| self.variables.get(name).cloned();
        backend::find(self.path(), &self.backend_config, &environment)
    }

    pub(crate) fn find(&self) -> Backend {
        self.try_find()
            .unwrap_or_else(|fault| panic!("{}", self.relative(&fault)))
    }

    pub(crate) fn address(&self) -> String {
        self.find().address.to_string()
    }

    /// The message, with paths as seen from the directory.
    pub(crate) fn fault(&self) -> String {
        match self.try_find() {
            Ok(found) => panic!("found {found:?}"),
            Err(fault) => {
                let debug = format!("{fault:?}");
                assert!(!debug.contains("hush"), "{debug}");
                self.relative(&fault)
            }
        }
    }

    fn relative(&self, fault: &BackendError) -> String {
        fault
            .to_string()
            .replace(&format!("{}/", self.path().display()), "")
    }
}

/// A block that names a state, with more in it.
pub(crate) fn s3(more: &str) -> String {
    format!("{}\n{more}\n}}", S3.trim_end_matches('}'))
}

/// A block that names a state.
pub(crate) const S3: &str = "backend \"s3\" {\n  bucket = \"states\"\n  key = \"net/a.tfstate\"\n}";
