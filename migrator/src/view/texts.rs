//! Texts by key, with what stands in them: read when they are put into a view, since every decision asks for it.

use std::{collections::BTreeMap, fmt, ops::Deref, sync::Arc};

use super::StringMap;

/// What can be read from texts by key.
pub trait Content: Sized {
    /// Reads it; none where it is absent or not ours to read.
    fn read(texts: &BTreeMap<String, String>) -> Option<Self>;
}

/// Texts by key and their content. The content is that of the texts: both change together, in [`Texts::edit`] alone.
pub struct Texts<T> {
    texts: StringMap,
    content: Option<Arc<T>>,
}

impl<T: Content> Texts<T> {
    /// What stands in them, if it can be read.
    pub fn content(&self) -> Option<&T> {
        self.content.as_deref()
    }

    /// Changes them.
    pub fn edit(&mut self, change: impl FnOnce(&mut BTreeMap<String, String>)) {
        change(Arc::make_mut(&mut self.texts));
        self.content = T::read(&self.texts).map(Arc::new);
    }
}

impl<T: Content> From<StringMap> for Texts<T> {
    fn from(texts: StringMap) -> Self {
        let content = T::read(&texts).map(Arc::new);
        Texts { texts, content }
    }
}

impl<T: Content> From<BTreeMap<String, String>> for Texts<T> {
    fn from(texts: BTreeMap<String, String>) -> Self {
        Arc::new(texts).into()
    }
}

impl<T> Deref for Texts<T> {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &Self::Target {
        &self.texts
    }
}

impl<T> Clone for Texts<T> {
    fn clone(&self) -> Self {
        Texts { texts: self.texts.clone(), content: self.content.clone() }
    }
}

impl<T> Default for Texts<T> {
    fn default() -> Self {
        Texts { texts: Arc::default(), content: None }
    }
}

impl<T> fmt::Debug for Texts<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.texts.fmt(f)
    }
}
