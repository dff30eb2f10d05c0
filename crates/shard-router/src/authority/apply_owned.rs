//! [`ApplyOwned`]: the apply of one child by a reconcile.

use std::{future::IntoFuture, sync::Arc};

use futures::{FutureExt, future::BoxFuture};

use super::held::Held;
use crate::{
    children::{Applied, ApplyError, Owner, place},
    kind_type::KindType,
    owned_resource::ChildObject,
    sharded::ShardedObject,
};

/// The apply of one child, which begins when this is awaited. Made by [`Held::apply_owned`].
#[must_use = "nothing is applied until this is awaited"]
pub struct ApplyOwned<'a, C> {
    held: &'a Held,
    owner: Owner,
    child: C,
    basis: Basis<C>,
}

/// The state of the child that decides what is written.
enum Basis<C> {
    /// That in the cache, when it is applied.
    Cache,
    /// One that was read before; `None` if there was none.
    Read(Option<Arc<C>>),
}

impl Held {
    /// Applies an object that `owner` owns, if it differs from what the caches have of it: with server-side apply, the bucket label, an owner reference, and
    /// uid and resourceVersion as preconditions. An object that is as wanted costs no request.
    ///
    /// ```no_run
    /// # use k8s_openapi::api::core::v1::ConfigMap;
    /// # async fn example<Site>(site: &Site, config: ConfigMap, held: shard_router::Held) -> Result<(), shard_router::ApplyError>
    /// # where Site: shard_router::Sharded {
    /// let applied = held.apply_owned(site, config).await?;
    /// println!("{}: {:?}", applied.name, applied.change);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Fields that others set and the child does not have are left alone. Fields of the child that somebody else changes are restored: at once the first time,
    /// then at intervals that double from one second to five minutes, until the child has been left alone for a while. What waits is in
    /// [`Applied::disputes`]; a reconcile that returns [`Action::await_change`](crate::Action::await_change) is repeated when the wait is over.
    /// Likewise where mutating admission changes what is applied.
    ///
    /// The child of a cluster-scoped owner has to say which namespace it is for, unless it is cluster-scoped itself. A namespaced owner cannot have a cluster-scoped
    /// child, because the garbage collector cannot follow such an owner reference.
    ///
    /// A child whose type is not known at compile time is a `DynamicObject` with `apiVersion` and `kind` (`DynamicObject::new(name, &resource)` sets them). Its type has to
    /// be declared with [`owns_dynamic`](crate::Controller::owns_dynamic), which says the rest.
    ///
    /// Declare the type with [`owns`](crate::Controller::owns). Otherwise each call costs a request, and nobody notices when the object is changed.
    ///
    /// # Errors
    ///
    /// If the object could not be written, or one of its name belongs to somebody else: [`ApplyError`] says what to do. Return the error, and the reconcile is
    /// repeated with backoff.
    pub fn apply_owned<K, C>(&self, owner: &K, child: C) -> ApplyOwned<'_, C>
    where
        K: ShardedObject,
    {
        let owner = Owner::of_with(owner, &self.kind().information::<K::DynamicType>());
        ApplyOwned { held: self, owner, child, basis: Basis::Cache }
    }
}

impl<C> ApplyOwned<'_, C> {
    /// Decides on this state of the child, which the reconcile has read before; `None` if there was none. By default the present state of the cache decides.
    pub fn based_on(self, seen: Option<Arc<C>>) -> Self {
        Self { basis: Basis::Read(seen), ..self }
    }

    /// See [`Owner::asks_for_more`].
    pub fn asks_for_more(self, asks_for_more: bool) -> Self {
        Self { owner: self.owner.asks_for_more(asks_for_more), ..self }
    }
}

impl<'a, C> IntoFuture for ApplyOwned<'a, C>
where
    C: ChildObject,
{
    type Output = Result<Applied<C>, ApplyError>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { held, owner, mut child, basis } = self;
        async move {
            held.label_child(child.meta_mut());
            let (client, applier) = (held.client(), held.applier());
            let declared = held.caches().owned_kinds().map(KindType::into_declared);
            let (api, scope) = child.kind_of(declared).ok_or_else(|| ApplyError::UnknownType {
                child: child.meta().name.clone().unwrap_or_default(),
            })?;
            let kind = KindType::dynamic(api, scope);
            place(&kind, child.meta_mut(), &owner)?;
            let owner =
                owner.with_children_in(child.meta().namespace.clone().filter(|_| kind.is_namespaced()));
            let name = child.meta().name.as_deref().unwrap_or_default();
            let seen = match basis {
                Basis::Read(seen) => seen,
                Basis::Cache => match held.caches().owned::<C>(&kind, owner.namespace(), name) {
                    Ok(found) => found,
                    // Not in a cache, or it does not decode there: the answer to a request says what is wrong with it.
                    Err(_) => applier.get_of(&kind, &client, &owner, name).await?,
                },
            };
            let result = applier.apply_of(&kind, &client, &owner, child, seen).await?;
            held.look_again(result.again);
            Ok(result)
        }
        .boxed()
    }
}
