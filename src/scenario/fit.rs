//! Whether a case fits a scenario: its faults, their hosts, and the clients' input. It runs nothing.

use super::{Case, Scenario};
use crate::fault;

impl Scenario {
    /// What is wrong with a case for this scenario, in one line; none if it can be run.
    pub fn defect(&self, case: &Case) -> Option<String> {
        let topology = self.topology();
        for (index, fault) in case.plan.faults.iter().enumerate() {
            if let Some(defect) = fault.defect() {
                return Some(format!("plan[{index}]: {defect}"));
            }
            let of_trigger = fault.trigger.selectors().into_iter().map(|(_, selector)| selector);
            for selector in fault.target.selectors().into_iter().chain(of_trigger) {
                let defect = match selector {
                    fault::Selector::Here => None,
                    fault::Selector::Names(names) => {
                        let unknown = names.iter().find(|name| topology.hosts.iter().all(|host| &host.name != *name));
                        unknown.map(|name| format!("the scenario has no host named `{name}`"))
                    }
                    pattern => {
                        let none = pattern.resolve(&topology, 0).is_empty();
                        none.then(|| format!("no host of the scenario is meant by `{pattern}`"))
                    }
                };
                if let Some(defect) = defect {
                    return Some(format!("plan[{index}]: {defect}"));
                }
            }
        }
        let unknown_in_fates = case.plan.faults.iter().enumerate().find_map(|(index, fault)| {
            let names = fault.kind.segments()?.iter().flat_map(|fate| [&fate.from, &fate.to]);
            let unknown = names.into_iter().find(|name| topology.hosts.iter().all(|host| host.name != **name))?;
            Some(format!("plan[{index}]: the scenario has no host named `{unknown}`"))
        });
        if unknown_in_fates.is_some() {
            return unknown_in_fates;
        }
        for (name, inputs) in &case.input {
            let Some(client) = self.clients.iter().find(|client| &client.name == name) else {
                return Some(format!("input: the scenario has no clients named `{name}`"));
            };
            if inputs.len() > client.count as usize {
                let (given, count) = (inputs.len(), client.count);
                return Some(format!("input.{name}: input for {given} clients, of which there are {count}"));
            }
            for (number, input) in inputs.iter().enumerate() {
                if let Some(defect) = (client.defect)(input) {
                    return Some(format!("input.{name}[{number}]: {defect}"));
                }
            }
        }
        None
    }
}
