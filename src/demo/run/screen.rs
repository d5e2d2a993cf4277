//! What a person sees of the demo: a table that is drawn again on a terminal, lines elsewhere.
//!
//! The texts are pure; only [`say`] and [`Screen`] write.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use super::compare::{Compared, Line};
use super::watch::Moment;
use crate::table::{Align, Table, safe};

/// Pause between two lines where there is no terminal.
const LINE_PAUSE: Duration = Duration::from_secs(5);

/// Writes a line to standard output. Nobody there to read it is no reason to fail: the demo's
/// answer is also its exit code.
pub(super) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).ok();
}

/// What happens here, for someone who sees it for the first time.
pub(super) const INTRODUCTION: &str = "\
Invented people work in legacy systems (an ERP, an HR). Trueup reads the logs of their databases,
makes business rows of the changes, and delivers them to the tables of other systems (a PSA, the books).";

/// The live part.
pub(super) struct Screen {
    is_terminal: bool,
    /// What is shown below the table: how to reach everything.
    doors: Vec<(&'static str, String)>,
    began: Instant,
    last_line: Option<Instant>,
}

impl Screen {
    pub(super) fn new(doors: Vec<(&'static str, String)>) -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        if is_terminal {
            say("\x1b[2J");
        } else {
            say(doors_text(&doors).trim_end());
        }
        Self { is_terminal, doors, began: Instant::now(), last_line: None }
    }

    /// Shows a moment.
    pub(super) fn show(&mut self, moment: &Moment) {
        let seconds = self.began.elapsed().as_secs();
        if self.is_terminal {
            // Home, each line to its end, and nothing below: clearing all first would flicker.
            let text = format!("{}\n{}", picture(moment, seconds), doors_text(&self.doors));
            say(&format!("\x1b[H{}\x1b[J", text.replace('\n', "\x1b[K\n")));
        } else if self.last_line.is_none_or(|last| last.elapsed() >= LINE_PAUSE) {
            self.last_line = Some(Instant::now());
            say(&line(moment, seconds));
        }
    }
}

fn doors_text(doors: &[(&'static str, String)]) -> String {
    let mut text = String::new();
    for (name, door) in doors {
        // Writing to a String cannot fail.
        let _infallible = writeln!(text, "{name:<5} {}", safe(door));
    }
    text
}

/// The whole state as tables.
fn picture(moment: &Moment, seconds: u64) -> String {
    let left = |name| (name, Align::Left);
    let right = |name| (name, Align::Right);
    let mut sources =
        Table::new([left("SOURCE"), left("STATE"), left("POSITION"), right("BEHIND ITS LOG")]);
    for source in &moment.status.sources {
        let state = match &source.copy {
            Some(copy) => format!(
                "{} {}/{} tables, {} rows",
                source.state.word(),
                copy.tables_done,
                copy.tables_total,
                copy.rows_copied
            ),
            None => source.state.word().to_owned(),
        };
        let position = source.position.clone().unwrap_or_default();
        let lag = moment.lag(&source.name).unwrap_or_default();
        sources.row([source.name.as_str(), &state, &position, &lag]);
    }
    let mut entities = Table::new([
        left("ENTITY"),
        right("ROWS"),
        right("CREATED"),
        right("UPDATED"),
        right("DELETED"),
    ]);
    for entity in &moment.status.entities {
        let count = |op| count(moment, &entity.name, op).to_string();
        let rows = entity.rows.to_string();
        let cells =
            [entity.name.clone(), rows, count("created"), count("updated"), count("deleted")];
        entities.row(cells);
    }
    let mut targets = Table::new([
        left("TARGET"),
        left("STATE"),
        right("IN FLIGHT"),
        right("DELIVERED TO"),
        right("PARKED"),
        right("ROWS WRITTEN"),
    ]);
    for target in &moment.status.targets {
        targets.row([
            target.name.clone(),
            target.state.word().to_owned(),
            moment.in_flight_events(target.cursor).to_string(),
            format!("event {}", target.cursor),
            (target.parked + target.dead).to_string(),
            written(moment, &target.name).map_or_else(String::new, |rows| rows.to_string()),
        ]);
    }
    let behind = moment.status.conform.journal_behind_entries;
    format!(
        "Trueup demo, {seconds} s (Ctrl-C ends it and compares all sides)\n{INTRODUCTION}\n\n\
         {}\ncapture log: {behind} entries behind\n\n\
         {}\n{}",
        sources.render(),
        entities.render(),
        targets.render()
    )
}

/// The state on one line.
fn line(moment: &Moment, seconds: u64) -> String {
    let mut parts = Vec::new();
    for source in &moment.status.sources {
        let lag = moment.lag(&source.name).unwrap_or_else(|| "?".to_owned());
        parts.push(format!("{} {}, {lag} behind", source.name, source.state.word()));
    }
    parts.push(format!("capture log {} behind", moment.status.conform.journal_behind_entries));
    let changed = moment.status.entities.iter().filter_map(|entity| {
        let of = |op| count(moment, &entity.name, op);
        let (created, updated, deleted) = (of("created"), of("updated"), of("deleted"));
        let any = created + updated + deleted > 0;
        any.then(|| format!("{} +{created} ~{updated} -{deleted}", entity.name))
    });
    let changed: Vec<String> = changed.collect();
    if !changed.is_empty() {
        parts.push(format!("events: {}", changed.join(", ")));
    }
    for target in &moment.status.targets {
        let in_flight = moment.in_flight_events(target.cursor);
        let written = written(moment, &target.name);
        let written = written.map_or_else(String::new, |rows| format!("{rows} rows written, "));
        let parked = target.parked + target.dead;
        parts.push(format!(
            "{} {}, {in_flight} in flight, {written}{parked} parked",
            target.name,
            target.state.word()
        ));
    }
    format!("{seconds:>4} s · {}", parts.join(" · "))
}

/// What the target's own statistics say; they are asked of the PSA only.
fn written(moment: &Moment, target: &str) -> Option<i64> {
    (target == "psa").then(|| moment.written.iter().sum())
}

fn count(moment: &Moment, entity: &str, op: &str) -> u64 {
    let of = |event: &&(String, String, u64)| event.0 == entity && event.1 == op;
    moment.events.iter().filter(of).map(|event| event.2).sum()
}

/// The result of all comparisons; its last line begins with the verdict.
pub(super) fn verdict(lines: &[Line], undrained: Option<&str>) -> (String, bool) {
    let mut text = String::new();
    for line in lines {
        let compared: Vec<String> =
            line.compared.iter().map(|(between, one)| compared(between, one)).collect();
        // Writing to a String cannot fail.
        let _infallible = writeln!(text, "{:<14} {}", line.what, compared.join(" · "));
    }
    let differences: u64 = lines.iter().map(Line::differences).sum();
    let rows: u64 = lines.iter().map(Line::rows).sum();
    let agree = differences == 0 && undrained.is_none();
    let last = match (agree, undrained) {
        (true, _) => format!("agree: {rows} rows compared on all sides, no difference"),
        (false, None) => format!("DISAGREE: {differences} differences in {rows} rows"),
        (false, Some(flight)) => format!(
            "DISAGREE: not everything arrived in time ({}), {differences} differences in {rows} \
                rows",
            safe(flight)
        ),
    };
    text.push_str(&last);
    (text, agree)
}

fn compared(between: &str, one: &Compared) -> String {
    let rows = one.left_rows.max(one.right_rows);
    if one.differences == 0 {
        return format!("{between} {rows} rows equal");
    }
    let more = if one.differences > one.named.len() as u64 { ", …" } else { "" };
    let named: Vec<String> = one.named.iter().map(|named| safe(named)).collect();
    format!("{between} {rows} rows, {} DIFFER: {}{more}", one.differences, named.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line_of(differences: u64, named: &[&str]) -> Line {
        let named = named.iter().map(ToString::to_string).collect();
        let compared = Compared { left_rows: 7, right_rows: 6, differences, named };
        Line { what: "worker".to_owned(), compared: vec![("source→store", compared)] }
    }

    #[test]
    fn equal_sides_agree_and_one_difference_does_not() {
        let (text, agree) = verdict(&[line_of(0, &[])], None);
        assert!(agree);
        assert_eq!(
            text,
            "worker         source→store 7 rows equal\n\
             agree: 7 rows compared on all sides, no difference"
        );
        let (text, agree) = verdict(&[line_of(0, &[]), line_of(2, &["M01001 (name)"])], None);
        assert!(!agree);
        assert!(text.contains("7 rows, 2 DIFFER: M01001 (name), …"), "{text}");
        assert!(text.lines().last().unwrap().starts_with("DISAGREE: 2 differences"), "{text}");
    }

    #[test]
    fn what_did_not_arrive_disagrees_even_if_the_rest_is_equal() {
        let (text, agree) = verdict(&[line_of(0, &[])], Some("3 entries"));
        assert!(!agree);
        assert!(text.lines().last().unwrap().starts_with("DISAGREE: not everything"), "{text}");
    }
}
