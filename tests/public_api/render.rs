//! Tokens as one line of text, spaced as people write it.

use proc_macro2::TokenStream;

/// What stands on the left in the text of a token stream stands on the right in ours; the order matters.
const SPACING: [(&str, &str); 23] = [
    (" :: ", "::"),
    (":: ", "::"),
    (" ::", "::"),
    (" ,", ","),
    (" ;", ";"),
    (" :", ":"),
    ("& ", "&"),
    (" < ", "<"),
    ("< ", "<"),
    (" <", "<"),
    (" >", ">"),
    ("( ", "("),
    (" )", ")"),
    (" (", "("),
    ("[ ", "["),
    (" ]", "]"),
    (" .", "."),
    ("' ", "'"),
    (" ?", "?"),
    (" !", "!"),
    (",(", ", ("),
    ("->(", "-> ("),
    (",)", ")"),
];

/// The tokens as text.
pub fn text(tokens: TokenStream) -> String {
    let mut text = tokens.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    for (from, to) in SPACING {
        text = text.replace(from, to);
    }
    text
}
