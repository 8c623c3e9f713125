//! Every engine passes the same suite; beside it stands what only one of them promises.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod child;
mod conformance;
mod crash;
mod data_directory;
mod embedded_file;
mod same_as_memory;

mod memory {
    crate::conformance_tests!((tidelock_engine::MemoryEngine::new(), ()));
}

mod embedded {
    crate::conformance_tests!(
        {
            let dir = tempfile::tempdir().unwrap();
            (tidelock_engine::EmbeddedEngine::open(dir.path()).unwrap(), dir)
        },
        with_snapshots
    );
}
