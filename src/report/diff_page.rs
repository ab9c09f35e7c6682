//! Two runs side by side as a page: one file of HTML that needs no network and no script.

use std::fmt::Write as _;

use super::diff::{DiffRow, Side, diff_rows, heads, parting};
use super::html::escaped;

const STYLE: &str = "
:root { color-scheme: light dark; --page: light-dark(#f6f7f8, #14171c); --panel: light-dark(#fff, #1b1f26);
  --ink: light-dark(#1b2028, #e4e8ee); --muted: light-dark(#667080, #929cab); --line: light-dark(#d8dce2, #343b46);
  --left: light-dark(#fbe3e1, #4a2323); --right: light-dark(#dff1ec, #1d3f37); }
body { margin: 0; padding: 12px 16px; background: var(--page); color: var(--ink);
  font: 13px/1.45 system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif; }
h1 { font-size: 17px; margin: 0 0 6px; } p { margin: 2px 0; white-space: pre-wrap; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; margin-top: 10px; background: var(--panel); table-layout: fixed; }
th { position: sticky; top: 0; background: var(--page); text-align: left; }
th, td { border: 1px solid var(--line); padding: 1px 8px; vertical-align: top; overflow-wrap: anywhere; }
th:first-child, td:first-child { width: 7em; text-align: right; color: var(--muted); font-variant-numeric: tabular-nums; }
tr.both td { color: var(--muted); } tr.left td.a, tr.differs td.a { background: var(--left); }
tr.right td.b, tr.differs td.b { background: var(--right); }
td a { color: inherit; text-decoration: none; }
";

/// The page. The address `#parting` leads to where the runs part, and `#t=3.214` to a moment.
pub fn diff_page(left: &Side, right: &Side) -> String {
    let rows = diff_rows(&left.lines, &right.lines);
    let mut page = String::from("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n");
    let _ =
        writeln!(page, "<title>Two runs side by side</title>\n<style>{STYLE}</style>\n<h1>Two runs side by side</h1>");
    for line in heads(left, right) {
        let _ = writeln!(page, "<p>{}</p>", escaped(&line));
    }
    let _ = writeln!(page, "<p><a href=\"#parting\">{}</a></p>", escaped(&parting(&rows)));
    page.push_str("<table>\n<thead><tr><th>time</th><th>A</th><th>B</th></tr></thead>\n<tbody>\n");
    let parts_at = rows.iter().position(|row| !row.is_common());
    for (place, row) in rows.iter().enumerate() {
        let class = match row {
            DiffRow::Both(_) => "both",
            DiffRow::Left(_) => "left",
            DiffRow::Right(_) => "right",
            DiffRow::Differs(..) => "differs",
        };
        let (a, _, b) = row.cells();
        let id = if Some(place) == parts_at { " id=\"parting\"" } else { "" };
        let at = format!("{:.3}", row.at().as_secs_f64());
        let _ = writeln!(
            page,
            "<tr class=\"{class}\"{id}><td><a id=\"t={at}\" href=\"#t={at}\">{at}s</a></td><td class=\"a\">{}</td><td class=\"b\">{}</td></tr>",
            escaped(&a),
            escaped(&b)
        );
    }
    page.push_str("</tbody>\n</table>\n</html>\n");
    page
}
