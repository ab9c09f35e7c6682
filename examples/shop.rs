//! The shop on localhost: `cargo run --example shop -- up` and `cargo run --example shop -- order 3`.

#[path = "shop/command.rs"]
mod command;
#[path = "../sims/shop/mod.rs"]
mod shop;

fn main() -> std::process::ExitCode {
    command::run(std::env::args_os())
}
