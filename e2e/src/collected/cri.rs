//! The log files of containers, as the kubelet has them written: `2026-01-01T00:00:00.1Z stdout F text`.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// One log file while it grows.
#[derive(Debug, Default)]
pub(super) struct LogFile {
    read: u64,
    /// Parts of long lines whose end has not come yet.
    partial: String,
    pub(super) other_lines: u64,
}

impl LogFile {
    /// The records that were added since the last time, one per line. A line that is still being written is left for the
    /// next time.
    pub(super) fn read(&mut self, path: &Path) -> io::Result<String> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(self.read))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        self.read += whole as u64;
        Ok(self.take(&String::from_utf8_lossy(&bytes[..whole])))
    }

    fn take(&mut self, text: &str) -> String {
        let mut records = String::new();
        for line in text.lines() {
            let mut parts = line.splitn(4, ' ');
            let (Some(_), Some(_), Some(tag), Some(content)) =
                (parts.next(), parts.next(), parts.next(), parts.next())
            else {
                self.other_lines += 1;
                continue;
            };
            self.partial.push_str(content);
            if tag == "P" {
                continue;
            }
            let whole = std::mem::take(&mut self.partial);
            if whole.starts_with('{') && whole.contains(r#""record":"#) {
                records.push_str(&whole);
                records.push('\n');
            } else {
                self.other_lines += 1;
            }
        }
        records
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_told_from_other_lines() {
        let mut file = LogFile::default();
        let text = "2026-01-01T00:00:00Z stdout F {\"a\":1,\"record\":\"begin\"}\n2026-01-01T00:00:00Z stderr F hello {}\n";
        assert_eq!(file.take(text), "{\"a\":1,\"record\":\"begin\"}\n");
        assert_eq!(file.other_lines, 1);
    }

    #[test]
    fn long_lines_are_put_together() {
        let mut file = LogFile::default();
        assert_eq!(file.take("t stdout P {\"record\":\n"), "");
        assert_eq!(file.take("t stdout F \"end\"}\n"), "{\"record\":\"end\"}\n");
    }
}
