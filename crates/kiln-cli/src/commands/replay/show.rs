//! A replay in words and one picture.

use kiln::git::Attribute;
use kiln::predict::Remedy;
use kiln::replay::{Note, Replay, Replayed, ReplayedImage, Saving, Totals, Whose, WorstFile};
use kiln::text::{Text, count, seconds};

use crate::commands::foresee::sentence;

/// Columns where the terminal does not say, or stdout is none.
const COLUMNS: usize = 100;
/// Columns of the picture: more could not be told apart.
const WIDEST: usize = 72;
/// How many files are named.
const NAMED: usize = 5;
/// Nothing, and eight heights.
const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Width of the terminal.
pub(super) fn columns() -> usize {
    let columns = rustix::termios::tcgetwinsize(std::io::stdout()).ok().map(|size| usize::from(size.ws_col));
    columns.filter(|columns| *columns > 0).unwrap_or(COLUMNS)
}

pub(super) fn text(replay: &Replay, columns: usize) -> String {
    let mut text = Text::default();
    let day = |at: Option<&kiln::replay::ReplayedCommit>| at.map(|commit| commit.time.strftime("%Y-%m-%d").to_string());
    let (first, last) = (day(replay.commits.first()), day(replay.commits.last()));
    let days = match (first, last) {
        (Some(first), Some(last)) if first == last => format!(" of {first}"),
        (Some(first), Some(last)) => format!(" from {first} to {last}"),
        _ => String::new(),
    };
    text += format_args!("{}{days}, each built after the one before it\n", count(replay.commits.len(), "commit"));
    let mut at = 0;
    while at < replay.images.len() {
        let image = &replay.images[at];
        let same = |other: &ReplayedImage| (&other.service, other.variant) == (&image.service, image.variant);
        let number = replay.images[at..].iter().take_while(|other| same(other)).count();
        of_image(&mut text, replay, at..at + number, columns);
        at += number;
    }
    for note in &replay.notes {
        text += format_args!("\nnote: {}\n", sentence_of(note));
    }
    text.finish()
}

/// One image, under each Dockerfile.
fn of_image(text: &mut Text, replay: &Replay, numbers: std::ops::Range<usize>, columns: usize) {
    let images = &replay.images[numbers.clone()];
    let Some(first) = images.first() else { return };
    let name = match first.variant {
        Some(variant) => format!("{} {}", first.service, variant.name()),
        None => first.service.clone(),
    };
    let timed = images.iter().any(|image| image.totals.seconds > 0.0);
    let what = if timed { "Seconds" } else { "Steps to run" };
    *text += format_args!("\n{name}\n");
    let width = columns.saturating_sub(16).clamp(8, WIDEST).min(replay.commits.len());
    let worth = |build: &Replayed| if timed { build.seconds } else { running(build) as f64 };
    let bucketed: Vec<Vec<f64>> = numbers
        .clone()
        .map(|image| buckets(replay.commits.iter().map(|commit| commit.builds.get(image).map_or(0.0, &worth)), width))
        .collect();
    let highest = bucketed.iter().flatten().copied().fold(0.0, f64::max);
    for (image, values) in images.iter().zip(&bucketed).filter(|_| highest > 0.0) {
        *text += format_args!("  {:<12}{}\n", label(image.whose), picture(values, highest));
    }
    if highest > 0.0 {
        let top = if timed { seconds(highest) } else { count(highest as usize, "step") };
        let each = replay.commits.len().div_ceil(width.max(1));
        let commits = if each > 1 { format!("up to {}", count(each, "commit")) } else { "one commit".to_owned() };
        *text += format_args!("  {:<12}{what}, oldest commits first; a column is {commits}, the highest {top}\n", "");
    }
    for (number, image) in numbers.zip(images) {
        let own = match image.whose {
            Whose::Kiln => "as kiln would write it".to_owned(),
            // Of services there is only one row where both are the same.
            Whose::Repository if images.len() == 1 && image.variant.is_some() => {
                format!("{}, as kiln would write it too", image.dockerfile)
            }
            Whose::Repository => image.dockerfile.to_string(),
        };
        *text += format_args!("  {own}: {}\n", totals(&image.totals, replay.commits.len()));
        details(text, image);
        unbuildable(text, replay, number);
    }
    if let [repository, kiln] = images
        && repository.totals.unmeasured == 0
        && kiln.totals.unmeasured == 0
        && repository.totals.seconds > kiln.totals.seconds
    {
        *text += format_args!("  kiln's would have saved {}\n", seconds(repository.totals.seconds - kiln.totals.seconds));
    }
}

const fn label(whose: Whose) -> &'static str {
    match whose {
        Whose::Repository => "today's",
        Whose::Kiln => "kiln's",
    }
}

fn running(build: &Replayed) -> usize {
    build.steps.iter().filter(|step| step.verdict == kiln::predict::Verdict::Runs).count()
}

/// Sums of neighbours, so that there are no more of them than columns.
fn buckets(values: impl ExactSizeIterator<Item = f64>, width: usize) -> Vec<f64> {
    let number = values.len();
    let mut sums = vec![0.0; width];
    for (at, value) in values.enumerate() {
        sums[at * width / number.max(1)] += value;
    }
    sums
}

fn picture(values: &[f64], highest: f64) -> String {
    let height = |value: f64| {
        if value <= 0.0 || highest <= 0.0 {
            return BARS[0];
        }
        BARS[((value / highest * 8.0).ceil() as usize).clamp(1, 8)]
    };
    values.iter().map(|value| height(*value)).collect::<String>().trim_end().to_owned()
}

/// `412 of 1000 commits rebuild, 1930 steps, 3 h 20 min`
fn totals(totals: &Totals, commits: usize) -> String {
    if totals.unbuildable == commits {
        return "no commit could be built".to_owned();
    }
    if totals.rebuilds == 0 && totals.unknown == 0 {
        return "no commit runs a step".to_owned();
    }
    let mut parts = vec![format!("{} of {} rebuild", totals.rebuilds, count(commits, "commit"))];
    parts.push(priced(totals.steps, totals.seconds, totals.unmeasured));
    if totals.unknown > 0 {
        let time =
            if totals.unknown_seconds > 0.0 { format!(" (up to {})", seconds(totals.unknown_seconds)) } else { String::new() };
        parts.push(format!("{} may run{time}", count(totals.unknown, "more step")));
    }
    parts.join(", ")
}

/// `12 steps, 3 min 20 s`; what was never measured is said to be so.
fn priced(steps: usize, time: f64, unmeasured: usize) -> String {
    let steps_in_words = count(steps, "step");
    match unmeasured {
        0 => format!("{steps_in_words}, {}", seconds(time)),
        all if all >= steps => format!("{steps_in_words}, never measured"),
        some => format!("{steps_in_words}, {} and {some} that were never measured", seconds(time)),
    }
}

fn details(text: &mut Text, image: &ReplayedImage) {
    // Under kiln's Dockerfile only what could be ignored is worth a word: sources are named above.
    let counts = |file: &&WorstFile| file.alone > 0 && (image.whose == Whose::Repository || file.ignorable);
    let worst: Vec<&WorstFile> = image.worst.iter().filter(counts).take(NAMED).collect();
    if !worst.is_empty() {
        *text += "    the files that cost most by themselves:\n";
    }
    for file in worst {
        let cost = match (file.seconds > 0.0, file.unmeasured) {
            (true, 0) => format!(", {}", seconds(file.seconds)),
            (true, some) => format!(", {} and {} never measured", seconds(file.seconds), count(some, "step")),
            (false, _) => String::new(),
        };
        let others = match file.rebuilds - file.alone {
            0 => String::new(),
            more => format!(" (and {more} together with others)"),
        };
        let way_out = if file.ignorable { "; ignore it" } else { "" };
        *text += format_args!("      `{}` cost {}{cost}{others}{way_out}\n", file.path, count(file.alone, "rebuild"));
    }
    for saving in &image.savings {
        *text += format_args!("    {}\n", remedy(saving));
    }
}

/// Commits that lack what the Dockerfile copies.
fn unbuildable(text: &mut Text, replay: &Replay, image: usize) {
    let builds = || replay.commits.iter().filter_map(|commit| commit.builds.get(image));
    let number = builds().filter(|build| !build.missing.is_empty()).count();
    if number == 0 {
        return;
    }
    let missing: std::collections::BTreeSet<String> = builds().flat_map(|build| build.missing.iter().cloned()).collect();
    let missing: Vec<String> = missing.into_iter().collect();
    *text += format_args!(
        "    {} could not be built, as git did not have what is copied: {}\n",
        count(number, "commit"),
        listed(&missing)
    );
}

fn remedy(saving: &Saving) -> String {
    let Saving { steps, seconds: time, unmeasured, rebuilds, .. } = saving;
    let time = match *unmeasured {
        0 => seconds(*time),
        all if all >= *steps => "never measured".to_owned(),
        some => format!("{} and {} never measured", seconds(*time), count(some, "step")),
    };
    let saved = format!("{} less in {}, {time}", count(*steps, "step"), count(*rebuilds, "commit"));
    let what = match &saving.remedy {
        Remedy::Ignore { patterns } if patterns.len() > NAMED => {
            let first = Remedy::Ignore { patterns: patterns[..NAMED].to_vec() };
            format!("{} (and {} more)", sentence::remedy(&first), patterns.len() - NAMED)
        }
        remedy => sentence::remedy(remedy),
    };
    format!("{what}; {saved}")
}

fn sentence_of(note: &Note) -> String {
    match note {
        Note::Shallow => "this clone is shallow, so history ends early: `git fetch --unshallow` brings the rest".to_owned(),
        Note::Submodules { paths } => {
            format!("kiln does not look into {}: a submodule counts as changed when its commit does", listed(paths))
        }
        Note::Attributes { attributes } => {
            let how = attributes.iter().map(|attribute| match attribute {
                Attribute::Lfs => "Git LFS",
                Attribute::Filter => "a filter",
                Attribute::LineEndings => "line endings",
                Attribute::Encoding => "an encoding",
                Attribute::Ident => "`$Id$`",
            });
            format!(
                "git writes some files otherwise than it keeps them ({}): they count as changed when what it keeps does",
                how.collect::<Vec<_>>().join(", ")
            )
        }
        Note::GitFolder { dockerfile } => {
            format!("`.git` is not ignored for `{dockerfile}`: it is another one after each commit, and so is what copies it")
        }
        Note::LackingManifests { paths } => {
            format!("{} is not in this clone: recipes that need it are unknown", listed(paths))
        }
        _ => String::new(),
    }
}

fn listed(paths: &[String]) -> String {
    let named: Vec<String> = paths.iter().take(NAMED).map(|path| format!("`{path}`")).collect();
    let more = paths.len().saturating_sub(NAMED);
    if more > 0 { format!("{} and {more} more", named.join(", ")) } else { named.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_no_more_columns_than_there_are() {
        assert_eq!(buckets([1.0, 2.0, 3.0, 4.0].into_iter(), 2), [3.0, 7.0]);
        assert_eq!(buckets([1.0, 2.0, 3.0].into_iter(), 2), [3.0, 3.0]);
        assert_eq!(picture(&[0.0, 0.1, 4.0, 8.0], 8.0), " ▁▄█");
        assert_eq!(picture(&[0.0, 0.0], 0.0), "");
    }

    #[test]
    fn what_was_never_measured_has_no_price() {
        assert_eq!(priced(3, 0.0, 3), "3 steps, never measured");
        assert_eq!(priced(3, 12.0, 1), "3 steps, 12.0 s and 1 that were never measured");
        assert_eq!(priced(1, 12.0, 0), "1 step, 12.0 s");
    }
}
