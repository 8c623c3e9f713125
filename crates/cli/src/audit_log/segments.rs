//! The files of the log: `audit/NNNNNNNNNNNN.jsonl`, each named by the number of its first entry.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use tidelock_core::limits::AUDIT_LINE_BYTES_MAX;
use tidelock_operator::files;

const DIRECTORY: &str = "audit";
const DIRECTORY_MODE: u32 = 0o700;
const SUFFIX: &str = ".jsonl";
/// What the search for a line halves down to before it reads line by line.
const NEAR_BYTES: u64 = 64 * 1_024;
/// What is read at a time from the end of a file towards its start.
const BLOCK_BYTES: u64 = 1_024 * 1_024;

/// The directory of the log.
#[derive(Clone, Debug)]
pub(crate) struct Segments {
    dir: PathBuf,
}

impl Segments {
    /// The log of a data directory, there or not.
    pub(crate) fn of(data: &Path) -> Segments {
        Segments {
            dir: data.join(DIRECTORY),
        }
    }

    /// Makes the directory if need be.
    pub(crate) fn make(&self) -> io::Result<()> {
        match DirBuilder::new().mode(DIRECTORY_MODE).create(&self.dir) {
            Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made.and_then(|()| sync_dir(self.dir.parent().unwrap_or(&self.dir))),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The numbers that the segments begin with, in order.
    pub(crate) fn list(&self) -> io::Result<Vec<u64>> {
        let mut firsts = Vec::new();
        let entries = match fs::read_dir(&self.dir) {
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(firsts),
            entries => entries?,
        };
        for entry in entries {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
            firsts.extend(number.and_then(|number| number.parse::<u64>().ok()));
        }
        firsts.sort_unstable();
        Ok(firsts)
    }

    pub(crate) fn name(first: u64) -> String {
        format!("{first:012}{SUFFIX}")
    }

    /// A segment to write at its end, made if need be.
    pub(crate) fn append(&self, first: u64) -> io::Result<File> {
        let path = self.path(&Self::name(first));
        let mut options = OpenOptions::new();
        let file = options
            .append(true)
            .create(true)
            .mode(files::SECRET_MODE)
            .open(path)?;
        // Without this the name could be lost with the power.
        sync_dir(&self.dir)?;
        Ok(file)
    }

    /// The lines of a segment.
    pub(crate) fn lines(&self, first: u64) -> io::Result<Lines> {
        let file = File::open(self.path(&Self::name(first)))?;
        Ok(Lines {
            reader: BufReader::with_capacity(NEAR_BYTES as usize, file),
            offset: 0,
        })
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        sync_dir(&self.dir)
    }
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// The whole lines of a segment, one after the other.
pub(crate) struct Lines {
    reader: BufReader<File>,
    /// Where the next line begins.
    pub(crate) offset: u64,
}

impl Lines {
    /// Reads the next whole line, without its line feed. `false` when there is none, yet.
    pub(crate) fn next(&mut self, line: &mut Vec<u8>) -> io::Result<bool> {
        line.clear();
        let most = AUDIT_LINE_BYTES_MAX as u64;
        let read = (&mut self.reader).take(most).read_until(b'\n', line)? as u64;
        if line.pop_if(|byte| *byte == b'\n').is_some() {
            self.offset += read;
            return Ok(true);
        }
        if read == most {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("a line of more than {most} bytes"),
            ));
        }
        self.go_to(self.offset)?;
        Ok(false)
    }

    /// Goes on at the line that begins at `offset`.
    pub(crate) fn go_to(&mut self, offset: u64) -> io::Result<()> {
        self.reader.seek(SeekFrom::Start(offset))?;
        self.offset = offset;
        Ok(())
    }

    /// How many bytes there are now.
    pub(crate) fn len(&self) -> io::Result<u64> {
        Ok(self.reader.get_ref().metadata()?.len())
    }

    /// Goes on at the first line that is not before what is sought, where the lines before it are all before it.
    pub(crate) fn seek(&mut self, is_before: impl Fn(&[u8]) -> bool) -> io::Result<()> {
        let (mut low, mut high) = (0, self.len()?);
        let mut line = Vec::new();
        while high - low > NEAR_BYTES {
            let middle = low + (high - low) / 2;
            self.go_to(middle)?;
            // The rest of the line that the middle is in.
            let found = self.next(&mut line)? && self.next(&mut line)?;
            match found && self.offset < high && is_before(&line) {
                true => low = self.offset,
                false => high = middle,
            }
        }
        self.go_to(low)?;
        loop {
            let start = self.offset;
            if !self.next(&mut line)? {
                return Ok(());
            }
            if !is_before(&line) {
                return self.go_to(start);
            }
        }
    }

    /// Calls `look` with the lines from the last to the first, and where each begins and ends, until it answers `true`. What
    /// stands behind the last line feed is no line.
    pub(crate) fn backwards(&mut self, mut look: impl FnMut(&[u8], u64, u64) -> bool) -> io::Result<bool> {
        let mut rest: Vec<u8> = Vec::new();
        let mut start = self.len()?;
        // Whether `rest` ends with a line feed.
        let mut is_whole = false;
        while start > 0 {
            let size = start.min(BLOCK_BYTES);
            start -= size;
            let mut block = vec![0; size as usize];
            self.go_to(start)?;
            self.reader.read_exact(&mut block)?;
            block.append(&mut rest);
            while let Some(at) = block.iter().rposition(|byte| *byte == b'\n') {
                let from = start + at as u64 + 1;
                if is_whole && look(&block[at + 1..], from, from + (block.len() - at) as u64) {
                    return Ok(true);
                }
                block.truncate(at);
                is_whole = true;
            }
            if block.len() > AUDIT_LINE_BYTES_MAX {
                // No line of ours; what is before it is found all the same.
                block.clear();
                is_whole = false;
            }
            rest = block;
        }
        Ok(is_whole && look(&rest, 0, rest.len() as u64 + 1))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn log(text: &[u8]) -> (tempfile::TempDir, Segments) {
        let dir = tempfile::tempdir().unwrap();
        let segments = Segments::of(dir.path());
        segments.make().unwrap();
        fs::write(segments.path(&Segments::name(1)), text).unwrap();
        (dir, segments)
    }

    /// Lines of different lengths, each its number.
    fn numbered(count: usize) -> Vec<u8> {
        let lines = (0..count).map(|number| format!("{number}{}\n", " ".repeat(number % 997)));
        lines.collect::<String>().into_bytes()
    }

    fn number(line: &[u8]) -> usize {
        std::str::from_utf8(line).unwrap().trim().parse().unwrap()
    }

    #[test]
    fn any_line_is_found_by_halving() {
        let (_dir, segments) = log(&numbered(5_000));
        let mut lines = segments.lines(1).unwrap();
        let mut line = Vec::new();
        for sought in (0..5_000).step_by(331).chain([4_999]) {
            lines.seek(|line| number(line) < sought).unwrap();
            assert!(lines.next(&mut line).unwrap());
            assert_eq!(number(&line), sought);
        }
        lines.seek(|_| true).unwrap();
        assert!(!lines.next(&mut line).unwrap());
    }

    #[test]
    fn backwards_shows_every_whole_line_and_where_it_is() {
        let mut text = numbered(5_000);
        text.extend_from_slice(b"torn");
        let (_dir, segments) = log(&text);
        let mut expected = 5_000;
        let mut lines = segments.lines(1).unwrap();
        lines
            .backwards(|line, from, to| {
                expected -= 1;
                assert_eq!(number(line), expected);
                assert_eq!(&text[from as usize..to as usize - 1], line);
                false
            })
            .unwrap();
        assert_eq!(expected, 0);
    }

    #[test]
    fn an_empty_file_and_half_a_line_have_no_lines() {
        for text in ["", "half"] {
            let (_dir, segments) = log(text.as_bytes());
            let mut lines = segments.lines(1).unwrap();
            assert!(!lines.next(&mut Vec::new()).unwrap());
            assert!(!lines.backwards(|_, _, _| true).unwrap());
        }
    }
}
