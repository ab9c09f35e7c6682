//! The layout of a case's JSON for people: a value that fits on one line is written on one line, so that a diff shows
//! whole faults and operations.

/// The most columns of a line, with its indentation.
const WIDTH: usize = 120;
/// The columns of one level of indentation.
const INDENT: usize = 4;

/// Lays out JSON as `serde_json` writes it, whose first line begins at column `indent`. The members of objects keep
/// their order.
pub(crate) fn lay_out(json: &str, indent: usize) -> String {
    let mut reader = Reader { rest: json.trim() };
    let node = reader.node();
    let mut text = String::with_capacity(json.len() * 2);
    node.write(indent, 0, &mut text);
    text
}

/// Lays out JSON with its outermost object or array over several lines, however short it is.
pub(crate) fn lay_out_whole(json: &str) -> String {
    let mut text = String::with_capacity(json.len() * 2);
    Reader { rest: json.trim() }.node().write_open(0, &mut text);
    text
}

/// A JSON value. Everything except arrays and objects is kept as it is written.
enum Node<'a> {
    Leaf(&'a str),
    Array(Vec<Node<'a>>),
    Object(Vec<(&'a str, Node<'a>)>),
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn node(&mut self) -> Node<'a> {
        match self.rest.as_bytes().first() {
            Some(b'[') => Node::Array(self.list(Reader::node)),
            Some(b'{') => Node::Object(self.list(|reader| {
                let key = reader.leaf();
                reader.skip(":");
                (key, reader.node())
            })),
            _ => Node::Leaf(self.leaf()),
        }
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Reader<'a>) -> T) -> Vec<T> {
        let mut items = Vec::new();
        self.rest = self.rest.get(1..).unwrap_or_default().trim_start();
        while !self.rest.is_empty() && !self.rest.starts_with([']', '}']) {
            items.push(item(self));
            self.skip(",");
        }
        self.rest = self.rest.get(1..).unwrap_or_default().trim_start();
        items
    }

    fn skip(&mut self, mark: &str) {
        self.rest = self.rest.strip_prefix(mark).unwrap_or(self.rest).trim_start();
    }

    /// Reads a string, or anything else up to the next punctuation mark.
    fn leaf(&mut self) -> &'a str {
        let end = match self.rest.strip_prefix('"') {
            Some(text) => {
                let mut is_escaped = false;
                let close = text.bytes().position(|byte| {
                    let closes = byte == b'"' && !is_escaped;
                    is_escaped = byte == b'\\' && !is_escaped;
                    closes
                });
                close.map_or(self.rest.len(), |close| close + 2)
            }
            None => {
                // The first character is taken whatever it is, so that the reader always advances.
                let mut others = self.rest.char_indices().skip(1);
                others.find(|(_, c)| ",]}:".contains(*c)).map_or(self.rest.len(), |(end, _)| end)
            }
        };
        let (leaf, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        leaf.trim_end()
    }
}

impl Node<'_> {
    /// Writes the node where a line is already `used` columns long beyond its indentation.
    fn write(&self, indent: usize, used: usize, text: &mut String) {
        let mut line = String::new();
        self.write_line(&mut line);
        // A leaf cannot be broken, so it may be longer than the line.
        if matches!(self, Node::Leaf(_)) || indent + used + line.chars().count() <= WIDTH {
            text.push_str(&line);
        } else {
            self.write_open(indent, text);
        }
    }

    fn write_line(&self, text: &mut String) {
        match self {
            Node::Leaf(leaf) => text.push_str(leaf),
            Node::Array(items) => write_list(text, "[]", items, Node::write_line),
            Node::Object(members) => write_list(text, "{}", members, |(key, value), text| {
                text.push_str(key);
                text.push_str(": ");
                value.write_line(text);
            }),
        }
    }

    fn write_open(&self, indent: usize, text: &mut String) {
        let inner = indent + INDENT;
        match self {
            Node::Leaf(leaf) => text.push_str(leaf),
            Node::Array(items) => write_lines(text, "[]", indent, items, |item, text| item.write(inner, 1, text)),
            Node::Object(members) => write_lines(text, "{}", indent, members, |(key, value), text| {
                text.push_str(key);
                text.push_str(": ");
                value.write(inner, key.chars().count() + 3, text);
            }),
        }
    }
}

fn write_list<T>(text: &mut String, marks: &str, items: &[T], item: impl Fn(&T, &mut String)) {
    text.push_str(&marks[..1]);
    for (index, each) in items.iter().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        item(each, text);
    }
    text.push_str(&marks[1..]);
}

fn write_lines<T>(text: &mut String, marks: &str, indent: usize, items: &[T], item: impl Fn(&T, &mut String)) {
    text.push_str(&marks[..1]);
    for (index, each) in items.iter().enumerate() {
        text.push_str(if index == 0 { "\n" } else { ",\n" });
        text.extend(std::iter::repeat_n(' ', indent + INDENT));
        item(each, text);
    }
    if !items.is_empty() {
        text.push('\n');
        text.extend(std::iter::repeat_n(' ', indent));
    }
    text.push_str(&marks[1..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) {
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(read(a), read(b));
    }

    #[test]
    fn a_value_that_fits_is_on_one_line() {
        let check = |json: &str, expected: &str| {
            assert_eq!(lay_out(json, 0), expected);
            same(json, expected);
        };
        check("[]", "[]");
        check("{}", "{}");
        check(r#""a\"b,]""#, r#""a\"b,]""#);
        check(r#"{"b":1,"a":[true,null,"x, {y}\\"]}"#, r#"{"b": 1, "a": [true, null, "x, {y}\\"]}"#);
    }

    #[test]
    fn a_long_list_has_one_item_on_each_line() {
        let item = format!(r#"{{"after_ms":7,"operation":{{"place":"{}"}}}}"#, "ä".repeat(30));
        let json = format!(r#"{{"buyer":[[{item},{item},{item}],[]]}}"#);
        let text = lay_out(&json, 0);
        same(&json, &text);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0..2], ["{", "    \"buyer\": ["]);
        assert!(lines[3].starts_with("            {\"after_ms\": 7, ") && lines[3].ends_with("},"), "{text}");
        assert_eq!(lines.iter().filter(|line| line.contains("after_ms")).count(), 3);
        assert_eq!(lines[lines.len() - 2..], ["    ]", "}"]);
    }

    #[test]
    fn a_long_string_is_not_broken() {
        let json = format!(r#"{{"a":"{}","b":[]}}"#, "x".repeat(300));
        let text = lay_out(&json, 0);
        same(&json, &text);
        assert_eq!(text.lines().count(), 4);
    }

    #[test]
    fn lay_out_whole_always_opens_the_outermost_value() {
        assert_eq!(lay_out_whole(r#"{"a":{"b":1}}"#), "{\n    \"a\": {\"b\": 1}\n}");
    }
}
