//! Tokens as one line of text, spaced as people write it.

use proc_macro2::TokenStream;

/// Spacing as token streams print it, and as people write it; the replacements are made in this order.
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
