//! The list of what clerks do, how often, and with which scripts.
//!
//! Data only; drawing from it is in [`plan`](super::plan).

/// One kind of activity.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Activity {
    /// Its name, in the report.
    pub(super) name: &'static str,
    /// How often it is drawn, compared with the others.
    pub(super) weight: u32,
    /// Its script in the ERP, if it has a part there.
    pub(super) erp: Option<&'static str>,
    /// Its script in the HR, if it has a part there.
    pub(super) hr: Option<&'static str>,
    /// Which part comes first.
    pub(super) order: Order,
    /// Whether it takes a new staff number.
    pub(super) takes_number: bool,
}

/// Which of two databases hears of it first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// As usual: HR decides, the ERP follows.
    HrFirst,
    /// A removal: what refers to the person goes before the person.
    ErpFirst,
}

impl Activity {
    const fn in_erp(name: &'static str, weight: u32, script: &'static str) -> Self {
        let (erp, hr) = (Some(script), None);
        Self { name, weight, erp, hr, order: Order::HrFirst, takes_number: false }
    }

    const fn in_hr(name: &'static str, weight: u32, script: &'static str) -> Self {
        let (erp, hr) = (None, Some(script));
        Self { name, weight, erp, hr, order: Order::HrFirst, takes_number: false }
    }

    const fn in_both(name: &'static str, weight: u32, scripts: [&'static str; 2]) -> Self {
        let [erp, hr] = scripts;
        let (erp, hr) = (Some(erp), Some(hr));
        Self { name, weight, erp, hr, order: Order::HrFirst, takes_number: false }
    }
}

/// An action's script in the ERP.
macro_rules! erp {
    ($name:literal) => {
        include_str!(concat!("../../../sql/demo/erp/actions/", $name, ".sql"))
    };
}

/// An action's script in the HR.
macro_rules! hr {
    ($name:literal) => {
        include_str!(concat!("../../../sql/demo/hr/actions/", $name, ".sql"))
    };
}

/// Everything that happens. Weights: mostly time, as in life.
pub(super) const ACTIVITIES: &[Activity] = &[
    Activity { takes_number: true, ..Activity::in_both("hire", 6, [erp!("hire"), hr!("hire")]) },
    Activity::in_both("transfer", 5, [erp!("transfer"), hr!("transfer")]),
    Activity::in_both("new_manager", 4, [erp!("new_manager"), hr!("new_manager")]),
    Activity::in_both("terminate", 2, [erp!("terminate"), hr!("terminate")]),
    Activity {
        order: Order::ErpFirst,
        ..Activity::in_both("forget_person", 4, [erp!("forget_person"), hr!("forget_person")])
    },
    Activity::in_both("rate_change", 4, [erp!("rate_change"), hr!("rate_change")]),
    Activity::in_both("rate_correct", 3, [erp!("rate_correct"), hr!("rate_correct")]),
    Activity::in_both("unit_rename", 2, [erp!("unit_rename"), hr!("unit_rename")]),
    Activity::in_both("noise", 5, [erp!("noise"), hr!("noise")]),
    Activity::in_hr("leave_of_absence", 3, hr!("leave_of_absence")),
    Activity::in_hr("rename_person", 3, hr!("rename_person")),
    Activity::in_hr("unit_head", 2, hr!("unit_head")),
    Activity::in_erp("staff", 8, erp!("staff")),
    Activity::in_erp("move_staffing", 3, erp!("move_staffing")),
    Activity::in_erp("toggle_staffing", 2, erp!("toggle_staffing")),
    Activity::in_erp("log_week", 24, erp!("log_week")),
    Activity::in_erp("log_line", 16, erp!("log_line")),
    Activity::in_erp("correct_line", 12, erp!("correct_line")),
    Activity::in_erp("cancel_line", 4, erp!("cancel_line")),
    Activity::in_erp("move_line", 4, erp!("move_line")),
    Activity::in_erp("drop_line", 4, erp!("drop_line")),
    Activity::in_erp("submit", 14, erp!("submit")),
    Activity::in_erp("approve", 12, erp!("approve")),
    Activity::in_erp("reject", 4, erp!("reject")),
    Activity::in_erp("reopen", 3, erp!("reopen")),
    Activity::in_erp("month_end", 2, erp!("month_end")),
    Activity::in_erp("expense", 7, erp!("expense")),
    Activity::in_erp("expense_step", 9, erp!("expense_step")),
    Activity::in_erp("invoice_draft", 6, erp!("invoice_draft")),
    Activity::in_erp("invoice_step", 9, erp!("invoice_step")),
    Activity::in_erp("invoice_drop", 2, erp!("invoice_drop")),
    Activity::in_erp("invoice_void", 1, erp!("invoice_void")),
    Activity::in_erp("payment", 6, erp!("payment")),
    Activity::in_erp("payment_back", 1, erp!("payment_back")),
    Activity::in_erp("project_new", 4, erp!("project_new")),
    Activity::in_erp("project_state", 4, erp!("project_state")),
    Activity::in_erp("project_budget", 3, erp!("project_budget")),
    Activity::in_erp("project_text", 2, erp!("project_text")),
    Activity::in_erp("project_move", 2, erp!("project_move")),
    Activity::in_erp("project_drop", 2, erp!("project_drop")),
    Activity::in_erp("client_new", 3, erp!("client_new")),
    Activity::in_erp("client_rename", 3, erp!("client_rename")),
    Activity::in_erp("client_merge", 2, erp!("client_merge")),
    Activity::in_erp("contract_change", 4, erp!("contract_change")),
    Activity::in_erp("contract_renumber", 2, erp!("contract_renumber")),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// A script nobody draws would be dead, and a list by hand forgets.
    #[test]
    fn every_script_is_drawn_by_its_name() {
        for (folder, part) in [("erp", 0), ("hr", 1)] {
            let path = format!("{}/sql/demo/{folder}/actions", env!("CARGO_MANIFEST_DIR"));
            let mut scripts = 0;
            for entry in std::fs::read_dir(Path::new(&path)).unwrap() {
                let path = entry.unwrap().path();
                let text = std::fs::read_to_string(&path).unwrap();
                let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
                let activity = ACTIVITIES.iter().find(|activity| activity.name == name);
                let activity = activity.unwrap_or_else(|| panic!("nobody draws {folder}/{name}"));
                assert_eq!([activity.erp, activity.hr][part], Some(text.as_str()), "{name}");
                scripts += 1;
            }
            let drawn = ACTIVITIES.iter().filter(|a| [a.erp, a.hr][part].is_some()).count();
            assert_eq!(scripts, drawn, "{folder}");
        }
    }
}
