//! The end of a run: nothing of it stays.

use std::path::Path;

use anyhow::{Context, Result};

use crate::harness::OPERATOR_NAMESPACE;
use crate::options::{Options, Provider};
use crate::resources::NAMESPACE;
use crate::tool::Tool;

/// Ends what was started, however far that came.
pub(crate) async fn everything(options: &Options, dir: &Path) -> Result<()> {
    let kubeconfig = dir.join("kubeconfig");
    match options.provider {
        Provider::Kind => {
            let tool = Tool::new("kind").args(["delete", "cluster", "--name", &options.name, "--kubeconfig"]);
            tool.args([&kubeconfig]).run().await.context("the kind cluster could not be deleted").map(|_| ())
        }
        // The user's own cluster: what the drills have made goes, one after the other, and what was never made is no
        // failure. The definition comes last, as resources could not be deleted without it.
        Provider::Existing => {
            let kubectl = |args: &[&str]| {
                let args = [args, &["--ignore-not-found", "--wait", "--timeout=180s"]].concat();
                Tool::new("kubectl").args(args).kubeconfig(&kubeconfig)
            };
            kubectl(&["delete", "namespace", NAMESPACE]).run().await?;
            for release in ["second", "operator"] {
                let args =
                    ["uninstall", release, "--namespace", OPERATOR_NAMESPACE, "--ignore-not-found", "--wait"];
                Tool::new("helm").args(args).kubeconfig(&kubeconfig).run().await?;
            }
            kubectl(&["delete", "namespace", OPERATOR_NAMESPACE]).run().await?;
            kubectl(&["delete", "customresourcedefinition", "memcacheds.cache.example.com"])
                .run()
                .await
                .map(|_| ())
        }
    }
}
