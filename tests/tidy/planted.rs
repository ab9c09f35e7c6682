//! Tests of the search for cycles on small planted sets of files: what it finds, and what it does not mistake for an
//! import.

use crate::cycles::cycles;
use crate::imports::{Sources, imports};

/// The cycles among these files, the first of which is the root.
fn cycles_of(files: &[(&str, &str)]) -> Vec<String> {
    let sources: Sources = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    cycles(&imports(files[0].0, &sources)).iter().map(|cycle| cycle.join(" -> ")).collect()
}

#[test]
fn a_cycle_of_two_files_is_printed() {
    let found = cycles_of(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::B; pub struct A;"),
        ("b.rs", "pub struct B(super::a::A);"),
    ]);
    assert_eq!(found, ["a.rs -> b.rs -> a.rs"]);
}

#[test]
fn a_cycle_of_three_files_is_printed_once() {
    let found = cycles_of(&[
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "use crate::{b::{self as other, B as _}, std::fmt}; pub trait A {}"),
        ("b.rs", "pub trait B { fn b(&self) { vec![crate::c::c()]; } }"),
        ("c.rs", "use super::a; pub fn c() -> impl a::A {}"),
    ]);
    assert_eq!(found, ["a.rs -> b.rs -> c.rs -> a.rs"]);
}

#[test]
fn a_cycle_through_facades_names_the_files_behind_them() {
    let found = cycles_of(&[
        ("src/lib.rs", "mod net; mod disk;"),
        ("src/net/mod.rs", "mod socket; mod wire; pub use self::socket::{Socket as Stream}; pub(crate) use wire::*;"),
        ("src/net/socket.rs", "use crate::disk::Image; pub struct Socket;"),
        ("src/net/wire.rs", "pub struct Wire;"),
        ("src/disk.rs", "mod image; pub(super) use image::Image;"),
        ("src/disk/image.rs", "use crate::net; pub struct Image(net::Stream, net::Wire);"),
    ]);
    assert_eq!(found, ["src/disk/image.rs -> src/net/socket.rs -> src/disk/image.rs"]);
}

#[test]
fn a_child_that_uses_its_parent_makes_a_cycle_if_the_parent_uses_the_child() {
    let child = ("a/b.rs", "use super::Error; pub fn work() -> Error {}");
    let parent = "mod b; pub struct Error; fn all() { b::work() }";
    assert_eq!(cycles_of(&[("lib.rs", "mod a;"), ("a.rs", parent), child]), ["a.rs -> a/b.rs -> a.rs"]);

    let facade = "mod b; pub use b::work; pub struct Error;";
    assert!(cycles_of(&[("lib.rs", "mod a;"), ("a.rs", facade), child]).is_empty());

    let facade_that_uses = "mod b; pub use b::work; pub struct Error; fn all() { work() }";
    assert_eq!(cycles_of(&[("lib.rs", "mod a;"), ("a.rs", facade_that_uses), child]), ["a.rs -> a/b.rs -> a.rs"]);
}

#[test]
fn names_that_a_glob_brings_in_are_followed() {
    let found = cycles_of(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::*; pub struct A; fn a(_: B) {}"),
        ("b.rs", "use crate::a::A; pub struct B;"),
    ]);
    assert_eq!(found, ["a.rs -> b.rs -> a.rs"]);
}

#[test]
fn inline_modules_and_attributes_belong_to_their_file() {
    let found = cycles_of(&[
        ("lib.rs", "#[path = \"a/mod.rs\"] mod a; mod b;"),
        ("a/mod.rs", "mod adapter { use super::super::b::B; } pub mod text {}"),
        ("b.rs", "#[serde(with = \"crate::a::text\")] pub struct B; fn b() { crate::a::text::write() }"),
    ]);
    assert_eq!(found, ["a/mod.rs -> b.rs -> a/mod.rs"]);
}

#[test]
fn an_item_is_found_in_one_of_two_files_for_a_module() {
    let found = cycles_of(&[
        (
            "lib.rs",
            "#[cfg(unix)] #[path = \"unix.rs\"] mod system; #[cfg(windows)] #[path = \"other.rs\"] mod system; mod a;",
        ),
        ("unix.rs", "pub struct Call;"),
        ("other.rs", "use crate::a::A; pub struct Nothing;"),
        ("a.rs", "pub struct A(crate::system::Call);"),
    ]);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn comments_strings_tests_and_names_of_other_things_are_not_imports() {
    let found = cycles_of(&[
        ("lib.rs", "mod a; mod b; pub use a::A;"),
        ("a.rs", "use crate::b::B; pub struct A; pub fn run() {}"),
        (
            "b.rs",
            "//! See [`crate::a::A`].
            /* use crate::a::A; */
            pub struct B { run: u8 }
            const TEXT: &str = \"crate::a::A\";
            fn b(b: B) { let run = b.run; std::a::run(); }
            #[cfg(test)] use crate::a::A;
            #[cfg(test)] mod tests { use super::*; use crate::a::A; }",
        ),
    ]);
    assert!(found.is_empty(), "{found:?}");
}
