//! Figures as JSON and as tables.

mod distribution;
mod document;
mod handover;
mod idle;
mod layout_change;
mod plot;
mod requests;
mod scale;
mod scale_out;
mod settings;
mod table;
mod throughput;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::handover::Handovers;
use crate::idle::Idle;
use crate::layout_change::LayoutChanges;
use crate::options::Common;
use crate::requests::Requests;
use crate::scale::Scale;
use crate::scale_out::Run;
use crate::throughput::Throughput;

use self::plot::Plot;

pub(crate) use settings::Settings;

/// All that one call has measured.
#[derive(Serialize)]
#[serde(tag = "verb", rename_all = "kebab-case")]
pub(crate) enum Report {
    Requests { settings: Settings, runs: Vec<Requests> },
    Throughput { settings: Settings, runs: Vec<Throughput> },
    Idle { settings: Settings, runs: Vec<Idle> },
    Scale { settings: Settings, runs: Vec<Scale> },
    Handover { settings: Settings, runs: Vec<Handovers> },
    LayoutChange { settings: Settings, runs: Vec<LayoutChanges> },
    ScaleOut { settings: Settings, runs: Vec<Run> },
}

impl Report {
    fn name(&self) -> &'static str {
        match self {
            Self::Requests { .. } => "requests",
            Self::Throughput { .. } => "throughput",
            Self::Idle { .. } => "idle",
            Self::Scale { .. } => "scale",
            Self::Handover { .. } => "handover",
            Self::LayoutChange { .. } => "layout-change",
            Self::ScaleOut { .. } => "scale-out",
        }
    }

    fn markdown(&self) -> String {
        let (settings, table) = match self {
            Self::Requests { settings, runs } => (settings, requests::table(runs)),
            Self::Throughput { settings, runs } => (settings, throughput::table(runs)),
            Self::Idle { settings, runs } => (settings, idle::table(runs)),
            Self::Scale { settings, runs } => (settings, scale::table(runs)),
            Self::Handover { settings, runs } => (settings, handover::table(runs)),
            Self::LayoutChange { settings, runs } => (settings, layout_change::table(runs)),
            Self::ScaleOut { settings, runs } => {
                return format!("{}\n{}", settings.commit_line(), scale_out::table(runs));
            }
        };
        format!("{}\n{table}\n{}", settings.headline(), settings.programs())
    }

    /// What is shown as a picture, too.
    fn plot(&self) -> Option<Plot> {
        match self {
            Self::Requests { runs, .. } => Some(requests::plot(runs)),
            Self::Throughput { runs, .. } => Some(throughput::plot(runs)),
            Self::Handover { runs, .. } => Some(handover::plot(runs)),
            Self::ScaleOut { runs, .. } => Some(scale_out::plot(runs)),
            Self::LayoutChange { runs, .. } => Some(layout_change::plot(runs)),
            Self::Idle { .. } | Self::Scale { .. } => None,
        }
    }

    /// Prints the table, and writes what was asked for.
    pub(crate) fn publish(&self, common: &Common) -> Result<()> {
        let table = self.markdown();
        println!("{table}");
        let json = common.json.clone();
        let json = json.unwrap_or_else(|| PathBuf::from(format!("target/bench/{}.json", self.name())));
        if let Some(parent) = json.parent() {
            std::fs::create_dir_all(parent)
                .with_context(|| format!("{} cannot be made", parent.display()))?;
        }
        std::fs::write(&json, serde_json::to_string_pretty(self)? + "\n")
            .with_context(|| format!("{} cannot be written", json.display()))?;
        eprintln!("wrote {}", json.display());
        if common.write {
            let mut shown = table;
            if let Some(plot) = self.plot() {
                let file = format!("plots/{}.svg", self.name());
                let path = Path::new(document::PATH).with_file_name(&file);
                plot.write(&path)?;
                eprintln!("wrote {}", path.display());
                shown = format!("![{}]({file})\n\n{shown}", plot.what());
            }
            document::replace(self.name(), &shown)?;
            eprintln!("wrote {}", document::PATH);
        }
        Ok(())
    }
}
