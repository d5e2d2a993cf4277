//! Draws what happens next, from chance alone: no database, no clock.
//!
//! The same seed gives the same plans, given the same highest staff number.

use rand::Rng;

use super::activity::{ACTIVITIES, Activity};

/// Units that people work in: the ERP's cost centres, which the HR's units bear as short names.
const UNITS: [&str; 6] = ["K011", "K012", "K021", "K022", "K030", "K090"];
const GIVEN: [&str; 12] = [
    "Ada", "Björn", "Chloé", "Dmitri", "Elif", "Farid", "Güler", "Håkon", "Inês", "Jörg", "Kaja",
    "Łucja",
];
const FAMILY: [&str; 12] = [
    "Adler",
    "Böhm",
    "Çoban",
    "D'Angelo",
    "Ehlers",
    "Faßbinder",
    "Größl",
    "Hansen",
    "Ibsen",
    "Jürgens",
    "Kühn",
    "Löwe",
];
/// Texts as people type them: quotes, backslashes, line ends, wide letters, nothing.
const NOTES: [&str; 8] = [
    "Abstimmung",
    "O'Neill \"heute\"",
    "C:\\Pfad\\neu",
    "Zeile 1\nZeile 2",
    "Spalte\tzwei",
    "fertig 🚀 – 100 %",
    "",
    "ÄÖÜß 漢字",
];
/// Staff numbers begin after this one, in both databases.
const STAFF_MIN: u32 = 1001;
/// In a hundred: transactions that are rolled back.
const ROLLED_BACK: u32 = 6;
/// In a hundred: transactions of which a part is undone.
const UNDONE: u32 = 8;
/// In a hundred: transactions that do more than one thing.
const SEVERAL: u32 = 20;

/// One transaction to be, in each database that has a part in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// What it is about.
    first: &'static Activity,
    /// What else happens in the same transaction of the ERP; ERP activities only.
    pub(super) more: Vec<&'static Activity>,
    /// What is done first and taken back to a savepoint; an ERP activity.
    pub(super) undone: Option<&'static Activity>,
    /// How it ends.
    pub(super) ending: Ending,
    /// What the scripts read.
    pub(super) inputs: Inputs,
}

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Commit,
    Rollback,
}

/// What the scripts of a plan read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Inputs {
    /// Decides which of the fitting rows a script takes.
    pub(super) roll: String,
    /// A number for a new client, project or contract.
    pub(super) serial: String,
    /// A new person's staff number; set by who gives out numbers.
    pub(super) staff: u32,
    /// The staff number of the person it is about.
    pub(super) person: u32,
    pub(super) given: &'static str,
    pub(super) family: &'static str,
    pub(super) unit: &'static str,
    pub(super) note: String,
    /// A number from 0 to 9999, for scripts to make choices by.
    pub(super) number: u32,
    /// Days from today, 1 to 40.
    pub(super) days: u32,
    /// An amount of money in cents, below a million.
    cents: u32,
}

impl Plan {
    /// Draws a plan. Without an HR, nothing is drawn that happens only there.
    pub(super) fn draw(random: &mut impl Rng, has_hr: bool, staff_max: u32) -> Self {
        let first = pick(random, |activity| has_hr || activity.erp.is_some());
        let in_erp_only = |activity: &Activity| activity.hr.is_none();
        let undone = (random.random_range(0..100) < UNDONE).then(|| pick(random, in_erp_only));
        let more = match first.erp.is_some() && random.random_range(0..100) < SEVERAL {
            true => random.random_range(1..=4),
            false => 0,
        };
        let mut more: Vec<_> = (0..more).map(|_| pick(random, in_erp_only)).collect();
        // The inputs are drawn once: nothing could be made twice from them.
        more.sort_unstable_by_key(|activity| activity.name);
        more.dedup();
        more.retain(|activity| *activity != first);
        let ending = match random.random_range(0..100) < ROLLED_BACK {
            true => Ending::Rollback,
            false => Ending::Commit,
        };
        Self { first, more, undone, ending, inputs: Inputs::draw(random, staff_max) }
    }

    /// What the plan is about.
    pub(super) fn first(&self) -> &'static Activity {
        self.first
    }
}

impl Inputs {
    fn draw(random: &mut impl Rng, staff_max: u32) -> Self {
        let serial = random.random_range(0..36_u64.pow(6));
        Self {
            roll: random.random::<u64>().to_string(),
            serial: base36(serial),
            staff: 0,
            person: random.random_range(STAFF_MIN..=staff_max.max(STAFF_MIN)),
            given: one_of(random, &GIVEN),
            family: one_of(random, &FAMILY),
            unit: one_of(random, &UNITS),
            note: one_of(random, &NOTES).to_owned(),
            number: random.random_range(0..10_000),
            days: random.random_range(1..=40),
            cents: random.random_range(1..100_000_000),
        }
    }

    /// The ERP's form of a new staff number.
    pub(super) fn staff_no(&self) -> String {
        format!("M{:05}", self.staff)
    }

    /// The ERP's form of the person's staff number.
    pub(super) fn person_no(&self) -> String {
        format!("M{:05}", self.person)
    }

    /// Money as the legacy systems write it: `52.000,50`.
    pub(super) fn money_text(&self) -> String {
        german(self.cents)
    }

    /// The price of an hour, likewise: `40,00` to `139,99`.
    pub(super) fn rate_text(&self) -> String {
        german(4_000 + self.cents % 10_000)
    }

    /// A plain decimal for numeric columns: `40.00` to `1039.99`.
    pub(super) fn amount_text(&self) -> String {
        let cents = 4_000 + self.cents % 100_000;
        format!("{}.{:02}", cents / 100, cents % 100)
    }
}

/// Draws by weight among those that fit.
fn pick(random: &mut impl Rng, fits: impl Fn(&Activity) -> bool) -> &'static Activity {
    let fitting = || ACTIVITIES.iter().filter(|activity| fits(activity));
    let total: u32 = fitting().map(|activity| activity.weight).sum();
    let mut rest = random.random_range(0..total.max(1));
    for activity in fitting() {
        if rest < activity.weight {
            return activity;
        }
        rest -= activity.weight;
    }
    &ACTIVITIES[0]
}

fn one_of(random: &mut impl Rng, list: &[&'static str]) -> &'static str {
    list.get(random.random_range(0..list.len().max(1))).copied().unwrap_or_default()
}

fn base36(mut number: u64) -> String {
    let mut text = String::new();
    while text.len() < 6 {
        let digit = u32::try_from(number % 36).unwrap_or_default();
        text.push(char::from_digit(digit, 36).unwrap_or('0').to_ascii_uppercase());
        number /= 36;
    }
    text
}

/// Thousands with points, cents after a comma.
fn german(cents: u32) -> String {
    let digits = (cents / 100).to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('.');
        }
        text.push(digit);
    }
    format!("{text},{:02}", cents % 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use std::collections::BTreeSet;

    fn plans(seed: u64, has_hr: bool) -> Vec<Plan> {
        let mut random = StdRng::seed_from_u64(seed);
        (0..3_000).map(|_| Plan::draw(&mut random, has_hr, 1040)).collect()
    }

    #[test]
    fn a_seed_repeats_its_plans() {
        assert_eq!(plans(7, true), plans(7, true));
        assert_ne!(plans(7, true), plans(8, true));
    }

    #[test]
    fn everything_is_drawn_and_the_erp_alone_never_waits_for_an_hr() {
        let names = |has_hr| {
            let plans = plans(1, has_hr);
            plans.iter().map(|plan| plan.first().name).collect::<BTreeSet<_>>()
        };
        let all = ACTIVITIES.iter().map(|activity| activity.name).collect::<BTreeSet<_>>();
        assert_eq!(names(true), all);
        let missing = all.difference(&names(false)).copied().collect::<Vec<_>>();
        assert_eq!(missing, ["leave_of_absence", "rename_person", "unit_head"]);
    }

    #[test]
    fn transactions_differ_in_size_and_ending() {
        let plans = plans(2, true);
        let sizes = plans.iter().map(|plan| 1 + plan.more.len()).collect::<BTreeSet<_>>();
        assert_eq!(sizes, BTreeSet::from([1, 2, 3, 4, 5]));
        let rolled_back = plans.iter().filter(|plan| plan.ending == Ending::Rollback).count();
        assert!((100..300).contains(&rolled_back), "{rolled_back} of 3000");
        let undone = plans.iter().filter(|plan| plan.undone.is_some()).count();
        assert!((150..350).contains(&undone), "{undone} of 3000");
        for plan in &plans {
            let others = plan.more.iter().copied().chain(plan.undone);
            assert!(others.into_iter().all(|activity| activity.hr.is_none()));
            assert!((1001..=1040).contains(&plan.inputs.person));
        }
    }

    #[test]
    fn money_is_written_as_the_legacy_systems_do() {
        let texts = [5, 99_950, 100_000, 5_200_050, 99_999_999].map(german);
        assert_eq!(texts, ["0,05", "999,50", "1.000,00", "52.000,50", "999.999,99"]);
    }
}
