//! How a screen is laid out: its lines fit its width, and no word is broken.

use std::fmt::Write as _;

use console::style;
use textwrap::WordSeparator;
use textwrap::core::Word;

/// The width of a screen that is not drawn on a terminal, in columns.
const WIDTH: usize = 100;
/// The least width of a screen: on a narrower terminal, its lines are broken by the terminal.
const LEAST_WIDTH: usize = 60;
/// The largest width of a screen, as longer lines are hard to read.
const MOST_WIDTH: usize = 160;
/// The columns of a timeline before its lanes.
pub(super) const TIME_COLUMNS: usize = 12;

/// How a screen is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScreenStyle {
    /// Whether colours are used.
    pub colours: bool,
    /// The width of the terminal, in columns.
    pub columns: usize,
}

impl Default for ScreenStyle {
    fn default() -> ScreenStyle {
        ScreenStyle { colours: false, columns: WIDTH }
    }
}

/// A screen that is being drawn.
pub(super) struct Screen {
    pub(super) text: String,
    pub(super) style: ScreenStyle,
    pub(super) width: usize,
}

impl Screen {
    pub(super) fn new(style: ScreenStyle) -> Screen {
        Screen { text: String::new(), style, width: style.columns.clamp(LEAST_WIDTH, MOST_WIDTH) }
    }

    pub(super) fn title(&self, text: &str) -> String {
        style(text).bold().force_styling(self.style.colours).to_string()
    }

    pub(super) fn dim(&self, text: &str) -> String {
        style(text).dim().force_styling(self.style.colours).to_string()
    }

    pub(super) fn line(&mut self, text: &str) {
        let text = text.trim_end();
        if console::measure_text_width(text) <= self.width {
            let _ = writeln!(self.text, "{text}");
            return;
        }
        // Colours are lost, but no word is broken.
        let text = console::strip_ansi_codes(text);
        let cut = console::truncate_str(&text, self.width - 2, "");
        let cut = cut.rsplit_once(' ').map_or(&*cut, |(words, _)| words);
        let _ = writeln!(self.text, "{} …", cut.trim_end());
    }

    /// Lines that say what to do: each is wrapped, and nothing is left out.
    pub(super) fn paragraphs(&mut self, text: &str) {
        for line in text.lines() {
            let indent = " ".repeat(line.len() - line.trim_start().len());
            self.hanging(line.trim_start(), &indent, &format!("{indent}  "), usize::MAX);
        }
    }

    pub(super) fn gap(&mut self) {
        self.text.push('\n');
    }

    /// Text that is wrapped between words.
    pub(super) fn paragraph(&mut self, text: &str, indent: &str, most: usize) {
        self.hanging(text, indent, indent, most);
    }

    /// Text that is wrapped between words, with another indent from the second line on. A path or an identifier that is too
    /// long for a line stays whole.
    pub(super) fn hanging(&mut self, text: &str, first: &str, indent: &str, most: usize) {
        let options = textwrap::Options::new(self.width)
            .initial_indent(first)
            .subsequent_indent(indent)
            .break_words(false)
            .word_separator(WordSeparator::Custom(words))
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        let lines = textwrap::wrap(text, options);
        let count = lines.len();
        for line in lines.into_iter().take(most) {
            let _ = writeln!(self.text, "{}", line.trim_end());
        }
        if count > most {
            self.line(&format!("{indent}…"));
        }
    }
}

/// A line of a timeline as several, so that it fits. Beside `lanes` lanes, which go on, its words are wrapped.
pub(super) fn wrapped(line: &str, width: usize, lanes: usize) -> Vec<String> {
    if console::measure_text_width(line) <= width {
        return vec![line.to_owned()];
    }
    // The time, the lanes and the space behind them.
    let words_from = TIME_COLUMNS + 2 * lanes + 1;
    let split = line.char_indices().nth(words_from).map_or(line.len(), |(index, _)| index);
    let is_header = line.starts_with("lanes: ");
    let (first, words) = if is_header { line.split_at("lanes: ".len()) } else { line.split_at(split) };
    let beside = first.chars().map(|c| match c {
        '│' | '┼' | '●' | '◀' | '▶' | '▲' => '│',
        '·' | '✕' => '·',
        _ => ' ',
    });
    let beside: String = if is_header { " ".repeat(first.len()) } else { beside.chain("  ".chars()).collect() };
    let options = textwrap::Options::new(width)
        .initial_indent(first)
        .subsequent_indent(&beside)
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::wrap(words, options).into_iter().map(std::borrow::Cow::into_owned).collect()
}

/// The words of a line. One that is too long for many lines, such as a value in JSON, may also end after each comma.
fn words(line: &str) -> Box<dyn Iterator<Item = Word<'_>> + '_> {
    const LONG: usize = 40;
    Box::new(WordSeparator::AsciiSpace.find_words(line).flat_map(|word| {
        if word.word.len() <= LONG {
            return vec![word];
        }
        let mut parts: Vec<Word<'_>> = word.word.split_inclusive(',').map(Word::from).collect();
        if let Some(last) = parts.last_mut() {
            last.whitespace = word.whitespace;
        }
        parts
    }))
}
