//! The sessions of clients of the handshake era, which begin with `initialize` and end with `DELETE`.
//!
//! Many clients never end theirs, so there is a bound, and who was not heard of for longest makes room.

use crate::mcp::channel::Channel;
use crate::mcp::session::Session;
use crate::mcp::state::draw_name;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Most sessions.
const MOST: usize = 1_024;

#[derive(Default)]
pub(super) struct Sessions(Mutex<All>);

#[derive(Default)]
struct All {
    by_id: HashMap<String, Known>,
    /// Counts the uses.
    uses: u64,
}

struct Known {
    session: Arc<Session>,
    used: u64,
    streams: Vec<Weak<dyn Channel>>,
}

impl Sessions {
    fn all(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a session, and gives the name that it goes by.
    ///
    /// # Errors
    ///
    /// The system gives no random numbers.
    pub fn add(&self, session: Arc<Session>) -> io::Result<String> {
        let id = draw_name::<16>()?;
        let mut all = self.all();
        let oldest = match all.by_id.len() >= MOST {
            true => all.by_id.iter().min_by_key(|(_, known)| known.used).map(|(id, _)| id.clone()),
            false => None,
        };
        let removed = oldest.and_then(|oldest| all.by_id.remove(&oldest));
        all.uses += 1;
        let used = all.uses;
        all.by_id.insert(id.clone(), Known { session, used, streams: Vec::new() });
        drop(all);
        if let Some(removed) = removed {
            removed.end();
        }
        Ok(id)
    }

    pub fn get(&self, id: &str) -> Option<Arc<Session>> {
        let mut all = self.all();
        all.uses += 1;
        let uses = all.uses;
        let known = all.by_id.get_mut(id)?;
        known.used = uses;
        Some(Arc::clone(&known.session))
    }

    /// Keeps a stream of that session in mind, for its end.
    pub fn listen(&self, session: &Arc<Session>, channel: Weak<dyn Channel>) {
        let mut all = self.all();
        let is_it = |known: &&mut Known| Arc::ptr_eq(&known.session, session);
        if let Some(known) = all.by_id.values_mut().find(is_it) {
            known.streams.retain(|stream| stream.strong_count() > 0);
            known.streams.push(channel);
        }
    }

    pub fn remove(&self, session: &Arc<Session>) {
        let mut all = self.all();
        let is_it = |known: &Known| Arc::ptr_eq(&known.session, session);
        let id = all.by_id.iter().find(|(_, known)| is_it(known)).map(|(id, _)| id.clone());
        let removed = id.and_then(|id| all.by_id.remove(&id));
        drop(all);
        if let Some(removed) = removed {
            removed.end();
        }
    }

    /// Ends what goes on until its session ends.
    pub fn end_listening(&self) {
        let streams: Vec<_> =
            self.all().by_id.values().flat_map(|known| known.streams.clone()).collect();
        for stream in streams.iter().filter_map(Weak::upgrade) {
            stream.end(None);
        }
    }
}

impl Known {
    fn end(self) {
        self.session.cancel_all();
        for stream in self.streams.iter().filter_map(Weak::upgrade) {
            stream.end(None);
        }
    }
}
