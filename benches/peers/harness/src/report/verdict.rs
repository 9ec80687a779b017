//! Who is ahead in a row.

use crate::building::Build;
use crate::peers::Standing;
use crate::run::Row;

/// A difference below this is none.
const EVEN: f64 = 1.1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Won,
    Even,
    Lost,
}

/// A row in short.
#[derive(Debug)]
pub struct Summary<'a> {
    pub ours: f64,
    pub best: Option<(&'a str, f64)>,
    pub tokio: Option<f64>,
    pub bare: Option<(&'a str, f64)>,
    /// Ours at the revision of `--against`.
    pub before: Option<f64>,
    /// How many times better than the best other runtime ours is.
    pub ahead: Option<f64>,
}

impl<'a> Summary<'a> {
    /// `None` where ours has no figure.
    pub fn of(row: &Row, builds: &'a [Build]) -> Option<Self> {
        let figures: Vec<(&Build, f64)> = builds
            .iter()
            .zip(&row.cells)
            .filter_map(|(build, cell)| Some((build, cell.as_ref()?.spread(row.measure.key())?.median)))
            .collect();
        let best = |standing| {
            let of = figures.iter().filter(|(build, _)| build.peer.standing == standing);
            let best = of.min_by(|a, b| a.1.total_cmp(&b.1));
            best.map(|(build, value)| (&*build.name, *value))
        };
        let ours = figures.iter().find(|(build, _)| build.name == "unboxed" || build.name == "kv")?.1;
        let other = best(Standing::Runtime);
        let ahead = other.map(|(_, other)| other / ours);
        let tokio = figures.iter().find(|(build, _)| build.name == "tokio").map(|(_, value)| *value);
        let before = figures.iter().find(|(build, _)| build.name.contains('@')).map(|(_, value)| *value);
        Some(Self { ours, best: other, tokio, bare: best(Standing::Bare), before, ahead })
    }

    pub fn verdict(&self) -> Option<Verdict> {
        self.ahead.map(|ahead| match ahead {
            _ if ahead >= EVEN => Verdict::Won,
            _ if ahead > 1.0 / EVEN => Verdict::Even,
            _ => Verdict::Lost,
        })
    }
}
