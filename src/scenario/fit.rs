//! Decides whether a case fits a scenario: its faults, their hosts, and the clients' input.

use super::{Case, Scenario};
use crate::fault::{Fault, Generator, Plan, Selector, Topology};

impl Scenario {
    /// What is wrong with a case for this scenario, in one line; `None` if it can be run.
    pub fn defect(&self, case: &Case) -> Option<String> {
        if let Some(defect) = self.defect_of_plan(&case.plan) {
            return Some(defect);
        }
        for (name, inputs) in &case.input {
            let Some(client) = self.clients.iter().find(|client| &client.name == name) else {
                return Some(format!("input: the scenario has no clients named `{name}`: rename or remove this input"));
            };
            if inputs.len() > client.count as usize {
                let (given, count) = (inputs.len(), client.count);
                return Some(format!(
                    "input.{name}: there is input for {given} clients, but the scenario has {count}: remove the rest"
                ));
            }
            for (number, input) in inputs.iter().enumerate() {
                if let Some(defect) = (client.defect)(input) {
                    return Some(format!("input.{name}[{number}]: {defect}"));
                }
            }
        }
        None
    }

    /// What is wrong with a plan for this scenario, in one line; `None` if it fits.
    pub(crate) fn defect_of_plan(&self, plan: &Plan) -> Option<String> {
        let topology = self.topology();
        let defect = |(index, fault)| Some(format!("plan[{index}]: {}", defect_of(fault, &topology)?));
        plan.faults.iter().enumerate().find_map(defect)
    }

    /// What is wrong with a fault that a user-defined generator drew, in one line that names the generator. All other
    /// generators are validated before any draw, because they declare which hosts they need.
    pub(crate) fn defect_of_own_generators(&self, plan: &Plan) -> Option<String> {
        let own: Vec<&str> =
            self.generators.iter().filter(|generator| generator.outline().is_none()).map(Generator::name).collect();
        if own.is_empty() {
            return None;
        }
        let topology = self.topology();
        plan.faults.iter().filter(|fault| own.contains(&fault.generator.as_str())).find_map(|fault| {
            let defect = defect_of(fault, &topology)?;
            Some(format!("fault generator `{}` of `{}` drew `{fault}`: {defect}", fault.generator, self.name))
        })
    }
}

fn defect_of(fault: &Fault, topology: &Topology) -> Option<String> {
    if let Some(defect) = fault.defect() {
        return Some(defect);
    }
    let is_unknown = |name: &&String| topology.hosts.iter().all(|host| host.name != **name);
    let unknown_text = |name: &String| format!("the scenario has no host named `{name}`: name one of its hosts");
    let of_trigger = fault.trigger.selectors().into_iter().map(|(_, selector)| selector);
    for selector in fault.target.selectors().into_iter().chain(of_trigger) {
        let defect = match selector {
            Selector::Here => None,
            Selector::Names(names) => names.iter().find(is_unknown).map(unknown_text),
            pattern => {
                let is_unmatched = pattern.resolve(topology, 0).is_empty();
                is_unmatched.then(|| {
                    format!(
                        "no host of the scenario matches `{pattern}`: name a host, a group or a pattern such as `api-*`"
                    )
                })
            }
        };
        if defect.is_some() {
            return defect;
        }
    }
    fault.kind.segments()?.iter().flat_map(|fate| [&fate.from, &fate.to]).find(is_unknown).map(unknown_text)
}
