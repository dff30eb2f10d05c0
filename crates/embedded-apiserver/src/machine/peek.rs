//! Looks from beside the server: what is kept, without asking for it.

use serde_json::Value;

use super::Machine;

impl Machine {
    /// An object as it is kept. No request, so it has no shape and costs nothing; whoever is judged has to ask.
    pub fn peek(&self, group: &str, plural: &str, namespace: &str, name: &str) -> Option<&Value> {
        let kind = self.catalogue.all().find(|kind| kind.group == group && kind.plural == plural)?;
        self.store.get(&Self::key(kind, Some(namespace), name)).map(|object| &***object)
    }

    /// All objects of a resource in a namespace, by name.
    pub fn peek_all(
        &self,
        group: &str,
        plural: &str,
        namespace: &str,
    ) -> impl Iterator<Item = (&str, &Value)> {
        let kind = self.catalogue.all().find(|kind| kind.group == group && kind.plural == plural);
        let all = kind.into_iter().flat_map(|kind| self.store.list(&kind.storage));
        let inside = all.filter(move |(key, _)| key.namespace == namespace);
        inside.map(|(key, object)| (key.name.as_str(), &***object))
    }
}
