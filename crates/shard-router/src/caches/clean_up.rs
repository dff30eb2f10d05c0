//! What `deleted-is-clean-up` does: a `DELETED` event of a filtered watch is believed. Mutants only.

use std::fmt::Debug;

use futures::{FutureExt, future::BoxFuture};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, ListParams},
    core::ObjectMeta,
};
use serde::de::DeserializeOwned;

use crate::{
    kind_type::{KindType, TypeInformation},
    mutants::{Mutant, active, clean_ups},
    owned_resource::ChildObject,
    watch::lenient::Lenient,
};

/// Deletes the children of one type. Arguments: client, namespace, uid of their owner.
pub(crate) type CleanUp = Box<dyn Fn(Client, Option<String>, String) -> BoxFuture<'static, ()> + Send + Sync>;

/// For children of this type.
pub(super) fn clean_up<C: ChildObject>(kind: KindType) -> CleanUp {
    Box::new(move |client, namespace, owner| {
        let namespace = namespace.filter(|_| kind.is_namespaced());
        delete_all::<C>(Lenient::api(&kind, client, namespace.as_deref()), owner).boxed()
    })
}

/// `object` has left the watch: deletes its children of these types, by a client without a gate.
pub(crate) fn after<'a>(types: impl IntoIterator<Item = &'a CleanUp>, client: &Client, object: &ObjectMeta) {
    if !active(Mutant::DeletedIsCleanUp) {
        return;
    }
    let (namespace, uid) = (object.namespace.clone(), object.uid.clone().unwrap_or_default());
    for clean_up in types {
        clean_ups().spawn(clean_up(client.clone(), namespace.clone(), uid.clone()));
    }
}

async fn delete_all<C>(api: Api<Lenient<C>>, owner: String)
where
    C: Resource<DynamicType: TypeInformation> + Clone + Debug + DeserializeOwned,
{
    let Ok(children) = api.list_metadata(&ListParams::default()).await else { return };
    for child in children {
        if child.owner_references().iter().any(|reference| reference.uid == owner)
            && let Err(error) = api.delete(&child.name_any(), &DeleteParams::default()).await
        {
            tracing::warn!(%error, child = child.name_any(), "the mutant could not delete a child");
        }
    }
}
