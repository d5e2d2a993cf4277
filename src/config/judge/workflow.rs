//! What a workflow must be: its entity known, its targets there and taking it, its time readable.

use super::{Judge, known_or_nearest};
use crate::config::{Config, WorkflowConfig};

impl Judge<'_> {
    pub(super) fn workflow(&mut self, config: &Config, name: &str, workflow: &WorkflowConfig) {
        let place = ["workflow", name];
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(plain) {
            self.add(
                &place,
                format!("`{name}` cannot name a workflow"),
                "use lower-case letters, digits, `-` and `_`, beginning with a letter",
            );
        }
        self.entity_name(&place, &workflow.entity);
        if workflow.targets.is_empty() {
            self.add(
                &["workflow", name, "targets"],
                format!("[workflow.{name}] ends nowhere"),
                "name in `targets` who must have it",
            );
        }
        for target in &workflow.targets {
            self.workflow_target(config, name, workflow, target);
        }
        if workflow.sla.is_some() && workflow.level().is_none() {
            self.add(
                &["workflow", name, "sla"],
                format!("`sla` in [workflow.{name}] is not a time"),
                "write it as \"90s\", \"15m\" or \"4h\"",
            );
        }
    }

    fn workflow_target(
        &mut self,
        config: &Config,
        name: &str,
        workflow: &WorkflowConfig,
        target: &str,
    ) {
        let place = ["workflow", name, "targets"];
        let entity = &workflow.entity;
        match config.target.get(target) {
            None => {
                let names = config.target.keys().map(String::as_str);
                self.add(
                    &place,
                    format!("`{target}` in `targets` of [workflow.{name}] is no target"),
                    known_or_nearest(target, names, "target"),
                );
            }
            Some(known) if !known.entity.contains_key(entity) => self.add(
                &place,
                format!("target `{target}` of [workflow.{name}] does not take {entity}"),
                format!("add [target.{target}.entity.{entity}], or take the target out"),
            ),
            Some(_) => {}
        }
    }
}
