//! Curves of latencies, as a drawing.

use std::fmt::Write;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 30.0;
const COLOURS: [&str; 3] = ["#1b6ca8", "#c26a1b", "#7a7a7a"];
const NINES_MOST: f64 = 4.0;
/// Decades of microseconds, from 1.
const DECADES: f64 = 5.0;

fn x(nines: f64) -> f64 {
    LEFT + nines / NINES_MOST * (WIDTH - LEFT - 30.0)
}

fn y(us: f64) -> f64 {
    TOP + (1.0 - us.max(1.0).log10() / DECADES) * (HEIGHT - TOP - 50.0)
}

/// Latency in microseconds, growing by tens, over the part of the requests that it covers, growing by nines.
pub fn draw(curves: &[(&str, Vec<(f64, f64)>)]) -> String {
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let mut line = |text: String| writeln!(out, "{text}").expect("a string takes all");
    for decade in 0..=DECADES as u32 {
        let us = 10f64.powi(decade as i32);
        let (label, y) =
            (if us < 1000.0 { format!("{us} us") } else { format!("{} ms", us / 1000.0) }, y(us));
        line(format!("<path d=\"M{} {y:.1}H{:.1}\" stroke=\"#ddd\"/>", LEFT, x(NINES_MOST)));
        line(format!("<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>", LEFT - 6.0, y + 4.0));
    }
    for (nines, label) in [
        (0.0, "0"),
        (std::f64::consts::LOG10_2, "50 %"),
        (1.0, "90 %"),
        (2.0, "99 %"),
        (3.0, "99.9 %"),
        (4.0, "99.99 %"),
    ] {
        let (x, bottom) = (x(nines), y(1.0));
        line(format!("<path d=\"M{x:.1} {TOP}V{bottom:.1}\" stroke=\"#ddd\"/>"));
        line(format!("<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>", bottom + 18.0));
    }
    for (at, (name, curve)) in curves.iter().enumerate() {
        let colour = COLOURS[at % COLOURS.len()];
        let points: Vec<_> =
            curve.iter().map(|&(nines, us)| format!("{:.1},{:.1}", x(nines), y(us))).collect();
        line(format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            points.join(" ")
        ));
        let y = TOP + 16.0 + 18.0 * at as f64;
        line(format!("<text x=\"{}\" y=\"{y}\" fill=\"{colour}\">{name}</text>", LEFT + 12.0));
    }
    line(format!(
        "<text x=\"{LEFT}\" y=\"{}\">part of the requests that took at most so long</text>",
        HEIGHT - 8.0
    ));
    out + "</svg>\n"
}
