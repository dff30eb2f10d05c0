//! `cargo xtask demo`.

use anyhow::Result;
use clap::Args;

/// What to show.
#[derive(Args)]
pub(crate) struct DemoOptions {}

pub(crate) fn run(_: &DemoOptions) -> Result<()> {
    Ok(())
}
