//! `cargo sims watch`: an exploration in full view.

use std::process::{Command, Stdio};

use crate::{assert_contains, assert_one_line, cli, code, command, directory, forget_cases, stderr, stdout};

pub fn a_watched_exploration_stops_at_the_first_failure() {
    let name = "watch";
    forget_cases(name);
    let output = cli(name, &["watch", "fragile", "--seeds", "21..60"]);
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    assert_contains(
        &stdout(&output),
        &["FAILED: fragile, seed 0x", "shrunk from", "replay: cargo sims replay", "scenario "],
    );

    let output = cli(name, &["watch", "echo", "--seeds", "0..8"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_contains(&stdout(&output), &["echo", "0x0..0x8", "pass"]);
    assert!(
        !stdout(&output).contains('\u{1b}') && !stderr(&output).contains('\u{1b}'),
        "no terminal, no control codes"
    );

    assert_one_line(&cli(name, &["watch", "ekho"]), "ekho", 2);
}

/// A terminal sees the view change. `script` of util-linux makes one.
pub fn a_terminal_shows_the_view() {
    let name = "watch_terminal";
    let has_script =
        Command::new("script").arg("--version").stdout(Stdio::null()).status().is_ok_and(|it| it.success());
    if !has_script {
        println!("SKIPPED: `script` is not installed, so no view in a terminal is looked at");
        return;
    }
    let program = std::env::current_exe().unwrap();
    let inner = format!("stty cols 100 rows 40; {} cli watch echo --seeds 0..600", program.display());
    let mut watch = Command::new("script");
    for (variable, value) in command(name).get_envs() {
        match value {
            Some(value) => watch.env(variable, value),
            None => watch.env_remove(variable),
        };
    }
    watch.current_dir(directory(name)).env_remove("CI").env("TERM", "xterm").args(["-qec", &inner, "/dev/null"]);
    let output = watch.stdin(Stdio::null()).output().unwrap();
    let text = stdout(&output);
    assert_contains(&text, &["echo: ", " a second, ", "  verdicts   ", "  faults     kill server", "  slowest    0x"]);
    assert!(text.contains("\u{1b}[1A") || text.contains("\u{1b}[2K"), "the view is drawn over: {text:?}");
}
