//! One kind of work, the programs that do it, and what is asked of the figures.

use std::time::Duration;

/// Who does the work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Ours,
    /// A crate that does the checks and the assembly itself.
    Full,
    /// A crate that leaves them to its user.
    Partial,
    /// The least code that could work.
    Floor,
}

pub struct Row {
    pub name: String,
    /// How it is done, where that differs.
    note: String,
    pub kind: Kind,
    run: Box<dyn FnMut() -> Duration>,
}

/// What a figure of ours is held against.
pub enum Against {
    Row(String),
    FastestFull,
    FastestPeer,
}

pub struct Target {
    /// The row of ours.
    pub of: String,
    pub against: Against,
    pub at_most: Bound,
}

#[derive(Clone, Copy)]
pub enum Bound {
    /// Times the other.
    Ratio(f64),
    /// The other plus nanoseconds a message.
    Plus(f64),
}

/// A row that is a sum of measured ones: the median of the first and the least of the others.
struct Sum {
    name: String,
    of: String,
    and_least: Vec<String>,
}

pub struct Work {
    pub title: String,
    /// Messages in a run of a row.
    pub messages: usize,
    rows: Vec<Row>,
    sums: Vec<Sum>,
    targets: Vec<Target>,
}

impl Work {
    pub fn new(title: impl Into<String>, messages: usize) -> Self {
        Self {
            title: title.into(),
            messages,
            rows: Vec::new(),
            sums: Vec::new(),
            targets: Vec::new(),
        }
    }

    pub fn row(
        &mut self,
        name: impl Into<String>,
        kind: Kind,
        run: impl FnMut() -> Duration + 'static,
    ) {
        self.row_with_note(name, String::new(), kind, run);
    }

    pub fn row_with_note(
        &mut self,
        name: impl Into<String>,
        note: String,
        kind: Kind,
        run: impl FnMut() -> Duration + 'static,
    ) {
        self.rows.push(Row {
            name: name.into(),
            note,
            kind,
            run: Box::new(run),
        });
    }

    pub fn sum(&mut self, name: &str, of: &str, and_least: &[&str]) {
        self.sums.push(Sum {
            name: name.into(),
            of: of.into(),
            and_least: and_least.iter().map(|&name| name.into()).collect(),
        });
    }

    pub fn target(&mut self, of: &str, against: Against, at_most: Bound) {
        self.targets.push(Target {
            of: of.into(),
            against,
            at_most,
        });
    }

    /// Runs the rows in turns, after one turn that is not counted, and takes the medians.
    pub fn run(mut self, rounds: usize) -> Measured {
        let mut times = vec![Vec::with_capacity(rounds); self.rows.len()];
        for round in 0..=rounds {
            // Not always the same one after the same other.
            for i in 0..self.rows.len() {
                let i = (i + round) % self.rows.len();
                let took = (self.rows[i].run)();
                if round > 0 {
                    times[i].push(took.as_secs_f64() * 1e9 / self.messages as f64);
                }
            }
        }
        let mut figures: Vec<Figure> = self
            .rows
            .iter()
            .zip(&mut times)
            .map(|(row, times)| {
                times.sort_by(f64::total_cmp);
                Figure {
                    name: row.name.clone(),
                    note: row.note.clone(),
                    kind: row.kind,
                    nanos: times[times.len() / 2],
                }
            })
            .collect();
        for sum in &self.sums {
            let of = |name: &String| {
                let figure = figures.iter().find(|figure| figure.name == *name);
                figure.unwrap_or_else(|| panic!("no row {name}")).nanos
            };
            let least = sum.and_least.iter().map(of).fold(f64::INFINITY, f64::min);
            figures.push(Figure {
                note: String::new(),
                nanos: of(&sum.of) + least,
                name: sum.name.clone(),
                kind: Kind::Floor,
            });
        }
        Measured {
            title: self.title,
            verdicts: self
                .targets
                .iter()
                .filter_map(|target| verdict(target, &figures))
                .collect(),
            figures,
        }
    }
}

pub struct Figure {
    pub name: String,
    pub note: String,
    pub kind: Kind,
    /// A message.
    pub nanos: f64,
}

pub struct Verdict {
    pub text: String,
    pub figure: String,
    pub met: bool,
}

pub struct Measured {
    pub title: String,
    pub figures: Vec<Figure>,
    pub verdicts: Vec<Verdict>,
}

impl Measured {
    /// The best of our ways to do all of it.
    pub fn ours(&self) -> Option<&Figure> {
        let ours = self.figures.iter().filter(|figure| {
            figure.kind == Kind::Ours && !figure.name.ends_with("without the fill")
        });
        ours.min_by(|a, b| a.nanos.total_cmp(&b.nanos))
    }
}

fn verdict(target: &Target, figures: &[Figure]) -> Option<Verdict> {
    let ours = figures.iter().find(|figure| figure.name == target.of)?;
    let fastest = |kinds: &[Kind]| {
        figures
            .iter()
            .filter(|figure| kinds.contains(&figure.kind))
            .min_by(|a, b| a.nanos.total_cmp(&b.nanos))
    };
    let (other, what) = match &target.against {
        Against::Row(name) => (
            figures.iter().find(|figure| figure.name == *name)?,
            name.clone(),
        ),
        Against::FastestFull => {
            let other = fastest(&[Kind::Full])?;
            (
                other,
                format!("the fastest peer that checks ({})", other.name),
            )
        }
        Against::FastestPeer => {
            let other = fastest(&[Kind::Full, Kind::Partial])?;
            (
                other,
                format!("the fastest peer of any kind ({})", other.name),
            )
        }
    };
    let ratio = ours.nanos / other.nanos;
    let (bound, figure, met) = match target.at_most {
        Bound::Ratio(most) => (
            format!("{most:.2} ×"),
            format!("{ratio:.2} ×"),
            ratio <= most,
        ),
        Bound::Plus(nanos) => (
            format!("{nanos} ns over"),
            format!("{:+.1} ns", ours.nanos - other.nanos),
            ours.nanos <= other.nanos + nanos,
        ),
    };
    Some(Verdict {
        text: format!("{} at most {bound} {what}", target.of),
        figure,
        met,
    })
}
