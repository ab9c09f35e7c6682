//! Pages that are one file of HTML: a template with named places that are filled in, and texts that must not end what they
//! stand in.

/// The colours of all pages.
pub(super) const COLOURS: &str = include_str!("colours.css");

/// The template with its places, `{{name}}`, filled in; `None` if a place has no part. What is filled in is never searched for
/// places to fill in.
pub(super) fn filled(template: &str, parts: &[(&str, &str)]) -> Option<String> {
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
pub(super) fn for_script(json: &str) -> String {
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
