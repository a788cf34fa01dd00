//! A table of objects of one kind: dense, by id, with the last state of what is gone kept for its name.

use std::{collections::BTreeMap, marker::PhantomData, sync::Arc};

/// Objects of one kind. States are shared: a reader may keep the `Arc` of a version while the world goes on.
#[derive(Debug, Clone)]
pub struct Table<Id, T> {
    states: Vec<Arc<T>>,
    alive: Vec<bool>,
    by_name: BTreeMap<(Arc<str>, Arc<str>), u32>,
    id: PhantomData<Id>,
}

impl<Id, T> Default for Table<Id, T> {
    fn default() -> Self {
        Table { states: Vec::new(), alive: Vec::new(), by_name: BTreeMap::new(), id: PhantomData }
    }
}

impl<Id: Copy + From<usize> + Into<u32>, T: Clone> Table<Id, T> {
    /// Adds an object under its name; a namesake must be gone.
    pub(crate) fn insert(&mut self, namespace: &Arc<str>, name: &Arc<str>, state: T) -> Id {
        let id = self.states.len();
        self.states.push(Arc::new(state));
        self.alive.push(true);
        self.by_name.insert((namespace.clone(), name.clone()), id as u32);
        Id::from(id)
    }

    /// The state of an object, also of one that is gone.
    pub fn last(&self, id: Id) -> &Arc<T> {
        &self.states[id.into() as usize]
    }

    /// The state of an object that exists.
    pub fn get(&self, id: Id) -> Option<&Arc<T>> {
        let index = id.into() as usize;
        self.alive.get(index).copied().unwrap_or(false).then(|| &self.states[index])
    }

    /// Whether the object exists.
    pub fn exists(&self, id: Id) -> bool {
        self.alive.get(id.into() as usize).copied().unwrap_or(false)
    }

    /// To change a state; a version that somebody still holds is copied first.
    pub(crate) fn edit(&mut self, id: Id) -> &mut T {
        Arc::make_mut(&mut self.states[id.into() as usize])
    }

    /// Removes an object; its last state stays readable by id.
    pub(crate) fn remove(&mut self, id: Id, namespace: &Arc<str>, name: &Arc<str>) {
        self.alive[id.into() as usize] = false;
        self.by_name.remove(&(namespace.clone(), name.clone()));
    }

    /// The object of this name that exists.
    pub fn find(&self, namespace: &str, name: &str) -> Option<Id> {
        self.by_name.get(&(Arc::from(namespace), Arc::from(name))).map(|&index| Id::from(index as usize))
    }

    /// What exists, by id.
    pub fn iter(&self) -> impl Iterator<Item = (Id, &Arc<T>)> {
        self.states
            .iter()
            .enumerate()
            .filter(|&(index, _)| self.alive[index])
            .map(|(index, state)| (Id::from(index), state))
    }

    /// What exists, by namespace and name.
    pub fn by_name(&self) -> impl Iterator<Item = (&(Arc<str>, Arc<str>), &Arc<T>)> {
        self.by_name.iter().map(|(name, &index)| (name, &self.states[index as usize]))
    }

    /// Number of ids given out so far.
    pub fn ids(&self) -> usize {
        self.states.len()
    }

    /// Number of objects that exist.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }
}
