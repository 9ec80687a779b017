//! Bars: for each row a block, the best first, and what half of the rounds lay within as a thin line.

use super::number::short;
use crate::building::Build;
use crate::figures::Spread;
use crate::peers::Standing;
use crate::run::Row;
use std::fmt::Write;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 140.0;
const RIGHT: f64 = 90.0;
const LINE: f64 = 18.0;
const GAP: f64 = 30.0;

pub fn chart(title: &str, rows: &[&Row], builds: &[Build]) -> String {
    let blocks: Vec<(&Row, Vec<(&Build, Spread)>)> =
        rows.iter().map(|row| (*row, bars(row, builds))).collect();
    let lines: usize = blocks.iter().map(|(_, bars)| bars.len()).sum();
    let height = 50.0 + lines as f64 * LINE + blocks.len() as f64 * (GAP + LINE);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n<text x=\"10\" y=\"26\" \
         font-size=\"17\">{title}</text>\n"
    );
    let mut y = 50.0;
    for (row, bars) in &blocks {
        let _ = writeln!(
            svg,
            "<text x=\"10\" y=\"{:.0}\" font-weight=\"bold\">{}</text>\n<text x=\"{LEFT}\" y=\"{:.0}\" \
             fill=\"#666666\">{}, less is better</text>",
            y + 13.0,
            row.name,
            y + 13.0,
            row.measure.unit()
        );
        y += LINE + 4.0;
        // A stray round must not squeeze the bars: its line ends where the chart does.
        let most = bars.iter().map(|(_, spread)| spread.median).fold(f64::MIN_POSITIVE, f64::max) * 1.2;
        for (build, spread) in bars {
            let shown = Spread { most: spread.most.min(most), ..*spread };
            svg += &bar(build, shown, (WIDTH - LEFT - RIGHT) / most, y);
            y += LINE;
        }
        y += GAP - 4.0;
    }
    svg + "</svg>\n"
}

fn bars<'a>(row: &Row, builds: &'a [Build]) -> Vec<(&'a Build, Spread)> {
    let figure = |(build, cell): (&'a Build, &Option<crate::figures::Cell>)| {
        let cell = cell.as_ref().filter(|cell| cell.failed.is_none())?;
        Some((build, cell.spread(row.measure.key())?))
    };
    let mut bars: Vec<_> = builds.iter().zip(&row.cells).filter_map(figure).collect();
    bars.sort_by(|a, b| a.1.median.total_cmp(&b.1.median));
    bars
}

fn bar(build: &Build, spread: Spread, scale: f64, y: f64) -> String {
    let color = match build.peer.standing {
        Standing::Ours => "#d9480f",
        Standing::Runtime => "#7a8b99",
        Standing::Bare => "#c9d3da",
    };
    let [least, median, most] = [spread.least, spread.median, spread.most].map(|value| value * scale);
    format!(
        "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{}</text>\n<rect x=\"{LEFT}\" y=\"{:.0}\" \
         width=\"{median:.1}\" height=\"13\" fill=\"{color}\"/>\n<line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{:.1}\" \
         y2=\"{:.1}\" stroke=\"#222222\"/>\n<text x=\"{:.1}\" y=\"{:.0}\">{}</text>\n",
        LEFT - 8.0,
        y + 11.0,
        build.name,
        y,
        LEFT + least,
        LEFT + most,
        y + 6.5,
        y + 6.5,
        LEFT + most + 6.0,
        y + 11.0,
        short(spread.median)
    )
}
