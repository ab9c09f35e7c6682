//! The public API, as a list that is reviewed with each change: every item that a user can name, read from the source.

mod library;
mod render;

use library::Library;

#[test]
fn the_public_api_is_the_one_that_was_reviewed() {
    let listing = Library::read().public_api().join("\n");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("public-api", listing));
}
