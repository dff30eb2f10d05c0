//! The resources of the kind that is not sharded, and who asks for them.

use http::Method;
use kube::CustomResourceExt;
use serde_json::{Value, json};

use super::World;
use crate::observations::DesiredProfile;
use crate::profile::{GROUP, PLURAL, Profile};
use crate::schedule::{ProfileEdit, ResourceIndex};
use crate::world::names::NAMESPACE;

fn profiles() -> String {
    format!("/apis/{GROUP}/v1/namespaces/{NAMESPACE}/{PLURAL}")
}

fn profile_name(profile: ResourceIndex) -> String {
    format!("profile-{}", profile.0)
}

impl World {
    /// The definition, and the resources that are there from the start, in schedules that have any.
    pub(super) fn install_profiles(&mut self) {
        if self.schedule.profiles == 0 {
            return;
        }
        let definition = serde_json::to_value(Profile::crd()).expect("a definition is plain data");
        let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        let accepted = self.api.ask(self.now, Method::POST, definitions, Some(&definition));
        assert!(accepted.is_some(), "the API server refuses the definition of Profile");
        for profile in 0..self.schedule.profiles {
            self.edit_profile(ResourceIndex(profile), ProfileEdit::Write(1));
        }
    }

    pub(super) fn edit_profile(&mut self, profile: ResourceIndex, what: ProfileEdit) {
        let name = profile_name(profile);
        let uri = format!("{}/{name}", profiles());
        match what {
            // There is no such kind.
            _ if self.schedule.profiles == 0 => {}
            ProfileEdit::Write(level) => match self.actors.profiles.get_mut(&name) {
                Some(wish) => {
                    wish.level = level;
                    self.by_hand(Method::PATCH, &uri, Some(&json!({"spec": {"level": level}})));
                }
                None => self.create_profile(name, level),
            },
            ProfileEdit::Delete => {
                if self.actors.profiles.remove(&name).is_some() {
                    self.by_hand(Method::DELETE, &uri, None);
                }
            }
        }
    }

    fn create_profile(&mut self, name: String, level: i32) {
        let object = json!({
            "apiVersion": format!("{GROUP}/v1"), "kind": "Profile", "metadata": {"name": name}, "spec": {"level": level},
        });
        let Some(created) = self.api.ask(self.now, Method::POST, &profiles(), Some(&object)) else { return };
        let created: Value = serde_json::from_slice(&created).expect("the server answers with the object");
        let uid = created["metadata"]["uid"].as_str().expect("it has a uid").to_owned();
        self.actors.profiles.insert(name, DesiredProfile { uid, level, created: self.now });
        self.show_changes(self.now);
    }

    /// What has not been reconciled as it was written last, one sentence each.
    pub(super) fn missing_profiles(&self) -> Vec<String> {
        let unlike = self.actors.profiles.iter().filter(|(name, wish)| {
            let found = self.api.look().peek(GROUP, PLURAL, NAMESPACE, name);
            found.is_none_or(|profile| profile["status"]["level"] != wish.level)
        });
        unlike.map(|(name, _)| format!("{name}: not reconciled as it was written last")).collect()
    }
}
