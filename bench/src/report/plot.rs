//! Plots, as SVG files beside the page.

use std::path::Path;

use anyhow::{Context as _, Result};
use plotters::prelude::{
    BLACK, ChartBuilder, Color, IntoDrawingArea, IntoSegmentedCoord, LineSeries, Palette, Palette99,
    Rectangle, SVGBackend, SegmentValue, SeriesLabelPosition, WHITE,
};

const SIZE: (u32, u32) = (760, 360);

/// A plot of what one verb has measured.
pub(super) enum Plot {
    /// One bar for each operator.
    Bars { what: &'static str, bars: Vec<(String, f64)> },
    /// One line for each series of points.
    Lines { what: &'static str, along: &'static str, lines: Vec<(String, Vec<(f64, f64)>)> },
}

impl Plot {
    pub(super) fn what(&self) -> &'static str {
        match self {
            Self::Bars { what, .. } | Self::Lines { what, .. } => what,
        }
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)
                .with_context(|| format!("{} cannot be made", parent.display()))?;
        }
        let mut svg = String::new();
        match self {
            Self::Bars { what, bars } => draw_bars(&mut svg, what, bars),
            Self::Lines { what, along, lines } => draw_lines(&mut svg, (what, along), lines),
        }
        .map_err(|error| anyhow::anyhow!("{} cannot be drawn: {error}", path.display()))?;
        std::fs::write(path, svg).with_context(|| format!("{} cannot be written", path.display()))
    }
}

type Drawn = Result<(), Box<dyn std::error::Error>>;

fn draw_bars(svg: &mut String, what: &str, bars: &[(String, f64)]) -> Drawn {
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let most = bars.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    let mut chart = ChartBuilder::on(&area)
        .caption(what, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(32)
        .y_label_area_size(44)
        .build_cartesian_2d((0..bars.len()).into_segmented(), 0.0..most * 1.1)?;
    let name = |at: &SegmentValue<usize>| match at {
        SegmentValue::CenterOf(bar) => bars.get(*bar).map(|(name, _)| name.clone()).unwrap_or_default(),
        SegmentValue::Exact(_) | SegmentValue::Last => String::new(),
    };
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(bars.len() + 1)
        .x_label_formatter(&name)
        .label_style(("sans-serif", 13))
        .draw()?;
    chart.draw_series(bars.iter().enumerate().map(|(nth, (_, value))| {
        let (left, right) = (SegmentValue::Exact(nth), SegmentValue::Exact(nth + 1));
        let mut bar = Rectangle::new([(left, 0.0), (right, *value)], Palette99::pick(nth).filled());
        bar.set_margin(0, 0, 30, 30);
        bar
    }))?;
    area.present()?;
    Ok(())
}

fn draw_lines(svg: &mut String, (what, along): (&str, &str), lines: &[(String, Vec<(f64, f64)>)]) -> Drawn {
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let points = || lines.iter().flat_map(|(_, points)| points);
    let widest = points().map(|point| point.0).fold(0.0, f64::max);
    let highest = points().map(|point| point.1).fold(0.0, f64::max);
    let mut chart = ChartBuilder::on(&area)
        .caption(what, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(44)
        .build_cartesian_2d(0.0..widest * 1.05, 0.0..highest * 1.1)?;
    chart.configure_mesh().x_desc(along).label_style(("sans-serif", 13)).draw()?;
    for (nth, (name, points)) in lines.iter().enumerate() {
        let colour = Palette99::pick(nth).to_rgba();
        chart
            .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)).point_size(3))?
            .label(name)
            .legend(move |(x, y)| Rectangle::new([(x, y - 1), (x + 16, y + 1)], colour.filled()));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.2))
        .label_font(("sans-serif", 13))
        .draw()?;
    area.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_is_named_in_the_plot() {
        let directory = std::env::temp_dir().join(format!("bench-plot-{}", std::process::id()));
        let path = directory.join("plot.svg");
        let bars = vec![("ours".to_owned(), 6.0), ("peer".to_owned(), 12.0)];
        Plot::Bars { what: "requests", bars }.write(&path).expect("drawn");
        let svg = std::fs::read_to_string(&path).expect("written");
        for text in ["requests", "ours", "peer"] {
            assert!(svg.contains(text), "{text} is not in {svg}");
        }
        let lines = vec![("ideal".to_owned(), vec![(1.0, 1.0), (5.0, 5.0)])];
        Plot::Lines { what: "speedup", along: "replicas", lines }.write(&path).expect("drawn");
        let svg = std::fs::read_to_string(&path).expect("written");
        assert!(svg.contains("ideal") && svg.contains("replicas"), "{svg}");
        std::fs::remove_dir_all(&directory).expect("removed");
    }
}
