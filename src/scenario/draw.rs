//! What a seed makes of a scenario: the case that is drawn, and the hosts that run on its input.

use std::sync::Arc;

use super::{Case, ClientSpec, Input, Scenario, StartClient};
use crate::fault::{self, Generator, Swarm, Topology, Trigger};
use crate::host::{HostContext, HostSpec, Program};
use crate::seed::Seed;

impl Scenario {
    /// The trigger points that its generators wait for, each once.
    pub fn trigger_points(&self) -> Vec<Trigger> {
        let mut trigger_points: Vec<Trigger> = Vec::new();
        for trigger_point in self.generators.iter().filter_map(Generator::trigger_point) {
            if !trigger_points.contains(trigger_point) {
                trigger_points.push(trigger_point.clone());
            }
        }
        trigger_points
    }

    /// The trigger points that the generators used by this seed wait for, each once.
    pub(crate) fn trigger_points_for(&self, seed: Seed, swarm: &Swarm) -> Vec<Trigger> {
        let mut trigger_points = self.trigger_points();
        if !trigger_points.is_empty() {
            let shares = swarm.shares(seed, &self.generators);
            let used = || self.generators.iter().zip(&shares).filter(|(_, share)| share.is_some());
            trigger_points
                .retain(|trigger_point| used().any(|(generator, _)| generator.trigger_point() == Some(trigger_point)));
        }
        trigger_points
    }

    /// Draws the case of this seed. Generators that wait for trigger points draw nothing here, because nothing has
    /// counted those yet; [`run::draw`](crate::run::draw) counts them.
    pub fn case(&self, seed: Seed) -> Case {
        self.case_on(&self.topology(), seed, &Swarm::default())
    }

    /// Draws the case of this seed on another topology, for example one with counted trigger points.
    pub(crate) fn case_on(&self, topology: &Topology, seed: Seed, swarm: &Swarm) -> Case {
        let plan = fault::draw(topology, &self.generators, seed, swarm);
        Case { plan, input: self.draw_input(seed), ..Case::new(&self.name, seed) }.engine(self.engine)
    }

    /// The case of this seed without faults: the control.
    pub fn control(&self, seed: Seed) -> Case {
        Case { input: self.draw_input(seed), ..Case::new(&self.name, seed) }.engine(self.engine)
    }

    fn draw_input(&self, seed: Seed) -> Input {
        let draw = |spec: &ClientSpec| {
            let inputs = (0..spec.count).map(|client| (spec.draw)(seed, &format!("input {} {client}", spec.name)));
            (spec.name.clone(), inputs.collect())
        };
        self.clients.iter().map(draw).collect()
    }

    /// The hosts, with those of clients running on this input.
    pub(crate) fn hosts_for(&self, input: &Input) -> Vec<HostSpec> {
        let mut hosts = self.configured_hosts();
        for client in &self.clients {
            let inputs = input.get(&client.name).cloned().unwrap_or_default();
            let start = client.start.clone();
            let program = Program::new(move |context: HostContext| run_clients(context, inputs.clone(), start.clone()));
            let host = hosts.iter_mut().find(|host| host.name == client.name);
            host.expect("each group of clients has a host").program = program;
        }
        hosts
    }
}

async fn run_clients(
    context: HostContext,
    inputs: Vec<serde_json::Value>,
    start: Arc<StartClient>,
) -> Result<(), String> {
    let mut running = Vec::new();
    for (client, input) in inputs.into_iter().enumerate() {
        running.push(tokio::task::spawn_local(start(context.of_client(client as u32), input)));
    }
    for (client, task) in running.into_iter().enumerate() {
        match task.await {
            Ok(result) => result.map_err(|error| format!("client {client}: {error}"))?,
            Err(error) => return Err(format!("client {client}: {error}")),
        }
    }
    Ok(())
}
