//! What is decided and touched on the way to an answer: shared by a request's access, which is told, and its entry.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Decided, Touched};

/// See above.
#[derive(Default)]
pub(crate) struct Notes(Mutex<(Vec<Decided>, Vec<Touched>)>);

impl Notes {
    pub(crate) fn decided(&self, decided: Decided) {
        self.all().0.push(decided);
    }

    /// What is known of one address comes together.
    pub(crate) fn touched(&self, touched: Touched) {
        let touched_so_far = &mut self.all().1;
        let known = touched_so_far.iter_mut();
        match known.rev().find(|known| known.address == touched.address) {
            Some(known) => known.take_over(touched),
            None => touched_so_far.push(touched),
        }
    }

    pub(crate) fn take(&self) -> (Vec<Decided>, Vec<Touched>) {
        std::mem::take(&mut self.all())
    }

    fn all(&self) -> MutexGuard<'_, (Vec<Decided>, Vec<Touched>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
