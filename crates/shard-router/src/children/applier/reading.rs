//! Reading a child from the API server, and checking whose it is.

use std::sync::Arc;

use kube::{
    Client, Resource,
    api::{GetParams, Request},
};

use super::{
    super::{error::ApplyError, owner::Owner, ownership, place::described},
    Applier, Target,
};
use crate::{
    kind_type::{KindType, TypeInformation},
    owned_resource::{ChildObject, OwnedResource},
};

impl Applier {
    /// The child of this name from the API server, if it exists.
    ///
    /// # Errors
    /// If it could not be read, belongs to somebody else, or is being deleted.
    pub async fn get<C>(
        &self,
        client: &Client,
        owner: &Owner,
        name: &str,
    ) -> Result<Option<Arc<C>>, ApplyError>
    where
        C: OwnedResource,
    {
        self.get_of(&KindType::of::<C>(), client, owner, name).await
    }

    /// The same for a child of this kind.
    pub(crate) async fn get_of<C: ChildObject>(
        &self,
        kind: &KindType,
        client: &Client,
        owner: &Owner,
        name: &str,
    ) -> Result<Option<Arc<C>>, ApplyError> {
        let child = format!("{} {name}", kind.api.kind);
        let read = |source| ApplyError::Read { child: child.clone(), source };
        let request = requests::<C>(kind, owner.namespace.as_deref()).get(name, &GetParams::default());
        let request = request.map_err(|error| read(kube::Error::BuildRequest(error)))?;
        let found: Option<C> = match client.request(request).await {
            Ok(found) => Some(found),
            Err(kube::Error::Api(status)) if status.code == 404 => None,
            Err(error) => return Err(read(error)),
        };
        if let Some(object) = &found {
            ownership::check(object.meta(), owner, &self.digest, &child)?;
        }
        Ok(found.map(Arc::new))
    }

    /// Checks that an object with the name of a child belongs to the owner, and is not being deleted.
    ///
    /// # Errors
    /// If it belongs to somebody else, or is being deleted.
    pub fn check_owner<C: OwnedResource>(&self, owner: &Owner, object: &C) -> Result<(), ApplyError> {
        let name = described(&KindType::of::<C>(), object.meta());
        ownership::check(object.meta(), owner, &self.digest, &name)
    }

    /// What is there now under the name of a child that is applied.
    pub(super) async fn read<C: ChildObject>(
        &self,
        target: &Target<'_>,
        desired: &C,
    ) -> Result<Option<Arc<C>>, ApplyError> {
        let meta = desired.meta();
        let owner = Owner { namespace: meta.namespace.clone(), ..target.owner.clone() };
        self.get_of(target.kind, target.client, &owner, meta.name.as_deref().unwrap_or_default()).await
    }
}

/// The requests about objects of this kind. An `Api` would have to know at compile time whether the kind is namespaced.
pub(super) fn requests<C: Resource<DynamicType: TypeInformation>>(
    kind: &KindType,
    namespace: Option<&str>,
) -> Request {
    let namespace = namespace.filter(|_| kind.is_namespaced());
    Request::new(C::url_path(&kind.information(), namespace))
}
