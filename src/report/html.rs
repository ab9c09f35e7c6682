//! Pages that are one file of HTML with data and a script that draws them: what all of them share, and texts that must not end
//! what they stand in.

/// What stands around every page.
const SHELL: &str = include_str!("shell.html");

/// The colours of all pages.
pub(super) const COLOURS: &str = include_str!("colours.css");

/// The parts of a page.
pub(super) struct Page<'a> {
    /// Any text.
    pub(super) title: &'a str,
    /// Style sheets, besides the colours.
    pub(super) styles: &'a [&'a str],
    /// HTML.
    pub(super) body: &'a str,
    /// JSON.
    pub(super) data: &'a str,
    /// Scripts, which read the data.
    pub(super) scripts: &'a [&'a str],
}

impl Page<'_> {
    /// The page as one file.
    pub(super) fn html(&self) -> String {
        let parts = [
            ("title", escaped(self.title)),
            ("style", [COLOURS, &self.styles.concat()].concat()),
            ("body", self.body.to_owned()),
            ("data", for_script(self.data)),
            ("scripts", self.scripts.concat()),
        ];
        filled(SHELL, &parts.each_ref().map(|(name, part)| (*name, part.as_str()))).expect("the shell has these places")
    }
}

/// The template with its places, `{{name}}`, filled in; `None` if a place has no part. What is filled in is never searched for
/// places to fill in.
fn filled(template: &str, parts: &[(&str, &str)]) -> Option<String> {
    let mut page = String::with_capacity(template.len() + parts.iter().map(|(_, part)| part.len()).sum::<usize>());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}")?;
        page.push_str(before);
        page.push_str(parts.iter().find(|(known, _)| *known == name)?.1);
        rest = after;
    }
    page.push_str(rest);
    Some(page)
}

/// Text as part of HTML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// JSON that stands inside a `script` element: no text in it may end the element, or begin a comment.
fn for_script(json: &str) -> String {
    json.replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_a_run_ends_the_script_element() {
        let hostile = serde_json::to_string("</script><!--<script>").unwrap();
        let written = for_script(&hostile);
        assert!(!written.contains('<'), "{written}");
        assert_eq!(serde_json::from_str::<String>(&written).unwrap(), "</script><!--<script>");
        assert_eq!(escaped("a<b>&c"), "a&lt;b&gt;&amp;c");
    }

    #[test]
    fn what_is_filled_in_is_not_searched() {
        let page = filled("<b>{{title}}</b>{{data}}", &[("title", "{{data}}"), ("data", "1")]);
        assert_eq!(page.as_deref(), Some("<b>{{data}}</b>1"));
        assert_eq!(filled("{{nothing}}", &[]), None);
    }
}
