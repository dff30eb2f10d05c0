//! The images that run in the cluster: the operator's, in two tags, memcached's, and that of its client.

mod debian;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use anyhow::{Context, Result};

use crate::cluster::Cluster;
use crate::options::Options;
use crate::screen::Screen;
use crate::tool::Tool;

/// What the drills install.
pub(crate) struct Images {
    pub(crate) operator: Image,
    /// Another name for the same, so that a rollout has something to roll out.
    pub(crate) operator_next: Image,
    pub(crate) memcached: String,
    pub(crate) client: String,
}

/// An image as the chart's values want it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) repository: String,
    pub(crate) tag: String,
}

impl Images {
    /// Builds what is not named, and loads it into the cluster.
    pub(crate) async fn prepare(
        options: &Options,
        cluster: &Cluster,
        dir: &Path,
        screen: Screen,
    ) -> Result<Self> {
        let operator = if let Some(image) = &options.operator_image {
            Image::parse(image)
        } else {
            screen.say("Building the operator's image …");
            let image = Image { repository: "memcached-operator".into(), tag: "e2e".into() };
            xtask_image(&image.reference()).await?;
            image
        };
        let operator_next = if load(cluster, &operator.reference(), screen).await? {
            let next = Image { tag: format!("{}-next", operator.tag), ..operator.clone() };
            Tool::new("docker").args(["tag", &operator.reference(), &next.reference()]).run().await?;
            load(cluster, &next.reference(), screen).await?;
            next
        } else {
            operator.clone()
        };
        let memcached = match &options.memcached_image {
            Some(image) => image.clone(),
            None => memcached(dir, screen).await?,
        };
        load(cluster, &memcached, screen).await?;
        let client = match &options.client_image {
            Some(image) => image.clone(),
            None => client(dir, screen).await?,
        };
        load(cluster, &client, screen).await?;
        Ok(Self { operator, operator_next, memcached, client })
    }
}

impl Image {
    fn parse(reference: &str) -> Self {
        // A colon after the last slash separates the tag; one before it is a registry's port.
        let slash = reference.rfind('/').map_or(0, |at| at + 1);
        match reference[slash..].split_once(':') {
            Some((name, tag)) => {
                Self { repository: format!("{}{name}", &reference[..slash]), tag: tag.into() }
            }
            None => Self { repository: reference.into(), tag: "latest".into() },
        }
    }

    pub(crate) fn reference(&self) -> String {
        format!("{}:{}", self.repository, self.tag)
    }
}

async fn xtask_image(tag: &str) -> Result<()> {
    let tool = Tool::new(env!("CARGO")).args(["xtask", "image", "--tag", tag]).dir(root());
    tool.run().await.context("the operator's image could not be built").map(|_| ())
}

/// The image that the operator uses where a resource names none, or a stand-in where it cannot be pulled.
async fn memcached(dir: &Path, screen: Screen) -> Result<String> {
    use memcached_operator::crd::{DEFAULT_REPOSITORY, DEFAULT_VERSION};
    let image = format!("{DEFAULT_REPOSITORY}:{DEFAULT_VERSION}");
    if is_here(&image).await? || Tool::new("docker").args(["pull", "--quiet", &image]).attempt().await?.ok {
        return Ok(image);
    }
    screen.say(&format!("{image} cannot be pulled: an image is made of Debian's package memcached …"));
    debian::memcached_image(dir).await
}

/// A static binary and nothing else, like the operator's.
async fn client(dir: &Path, screen: Screen) -> Result<String> {
    screen.say("Building the image of the memcached client …");
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    // On machines without rustup, the target is there or the build says that it is not.
    let _ = Tool::new("rustup").args(["target", "add", &target]).dir(root()).attempt().await;
    let out = dir.join("client");
    let args =
        ["build", "--quiet", "--release", "--package", "e2e-client", "--target", &target, "--target-dir"];
    let built = Tool::new(env!("CARGO")).args(args).args([&out]).dir(root()).run().await;
    built.context("the memcached client could not be built")?;
    let image = "memcached-client:e2e";
    // A copy: cargo's own file is a hard link, and docker's cache compares those by name, not by content.
    let context = out.join("image");
    std::fs::create_dir_all(&context)?;
    std::fs::copy(out.join(&target).join("release/e2e-client"), context.join("e2e-client"))
        .context("the memcached client's binary could not be copied")?;
    let dockerfile =
        "FROM scratch\nCOPY e2e-client /e2e-client\nUSER 65532:65532\nENTRYPOINT [\"/e2e-client\"]\n";
    build(&context, dockerfile, image).await?;
    Ok(image.to_owned())
}

/// Builds an image of files that are there already.
async fn build(context: &Path, dockerfile: &str, tag: &str) -> Result<()> {
    let path = context.join("Dockerfile");
    std::fs::write(&path, dockerfile).with_context(|| format!("{} could not be written", path.display()))?;
    let tool = Tool::new("docker").args(["build", "--quiet", "--tag", tag]).args([context]);
    tool.run().await.with_context(|| format!("the image {tag} could not be built")).map(|_| ())
}

/// Copies an image to every node; false where the nodes have to pull it themselves.
async fn load(cluster: &Cluster, image: &str, screen: Screen) -> Result<bool> {
    let Some(kind) = cluster.kind() else { return Ok(false) };
    if !is_here(image).await? {
        return Ok(false);
    }
    screen.say(&format!("Loading {image} into the nodes …"));
    kind.load(image).await.with_context(|| format!("{image} could not be loaded into the nodes"))?;
    Ok(true)
}

async fn is_here(image: &str) -> Result<bool> {
    Ok(Tool::new("docker").args(["image", "inspect", image]).attempt().await?.ok)
}

/// The workspace's root, by what the cargo that started `xtask`, or this, says now: where two checkouts share a target
/// directory, this program may have been built from the other one.
pub(crate) fn root() -> &'static Path {
    static PACKAGE: LazyLock<PathBuf> = LazyLock::new(|| {
        std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into()).into()
    });
    PACKAGE.parent().expect("this package lies in the workspace")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_taken_apart() {
        let image = Image::parse("registry.example.com:5000/team/operator:1.2");
        assert_eq!(
            (image.repository.as_str(), image.tag.as_str()),
            ("registry.example.com:5000/team/operator", "1.2")
        );
        assert_eq!(Image::parse("registry.example.com:5000/operator").tag, "latest");
    }
}
