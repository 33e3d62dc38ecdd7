//! Cuts a stream of byte chunks into numbered lines.

use super::error::{DecodeError, Defect, FieldError};

/// Longest line kept in memory: a full book of 5,000 levels a side is about 0.3 MB.
const MAX_LINE: usize = 16 << 20;

/// Keeps the unfinished last line of a chunk for the next one.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    partial: Vec<u8>,
    /// Lines given out.
    count: u64,
}

impl Lines {
    /// Calls `use_line(number, line)` for every line that ends in `bytes`, without its line feed.
    ///
    /// # Errors
    /// Whatever `use_line` returns, at once; and a line longer than 16 MiB.
    pub fn feed(
        &mut self,
        mut bytes: &[u8],
        mut use_line: impl FnMut(u64, &[u8]) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            self.count += 1;
            bytes = rest;
            if self.partial.is_empty() {
                use_line(self.count, line)?;
            } else {
                self.partial.extend_from_slice(line);
                let result = use_line(self.count, &self.partial);
                self.partial.clear();
                result?;
            }
        }
        if self.partial.len() + bytes.len() > MAX_LINE {
            let found = format!("more than {MAX_LINE} bytes without a line feed");
            return Err(FieldError::new(Defect::Line, "line", found, "lines of text").at_line(self.count + 1));
        }
        self.partial.extend_from_slice(bytes);
        Ok(())
    }

    /// Gives out what follows the last line feed, if anything, and begins to count anew.
    ///
    /// # Errors
    /// Whatever `use_line` returns.
    pub fn finish(
        &mut self,
        use_line: impl FnOnce(u64, &[u8]) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let ended = std::mem::take(self);
        if ended.partial.is_empty() { Ok(()) } else { use_line(ended.count + 1, &ended.partial) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lines_are_the_same_however_the_bytes_are_cut(
            text in "[ab\n]{0,40}",
            cuts in prop::collection::vec(0usize..40, 0..6),
        ) {
            let mut seen = Vec::new();
            let mut lines = Lines::default();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let mut keep = |number: u64, line: &[u8]| { seen.push((number, line.to_vec())); Ok(()) };
            for pair in cuts.windows(2) {
                lines.feed(&text.as_bytes()[pair[0]..pair[1]], &mut keep).unwrap();
            }
            lines.finish(&mut keep).unwrap();
            let expected: Vec<_> =
                text.lines().zip(1u64..).map(|(line, number)| (number, line.as_bytes().to_vec())).collect();
            prop_assert_eq!(seen, expected);
        }
    }

    #[test]
    fn a_file_that_never_ends_a_line_is_refused_before_it_fills_memory() {
        let mut lines = Lines::default();
        let chunk = vec![0u8; MAX_LINE];
        lines.feed(&chunk, |_, _| Ok(())).unwrap();
        assert_eq!(lines.feed(b"x", |_, _| Ok(())).unwrap_err().error.defect, Defect::Line);
    }
}
