//! Targets for records.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use parking_lot::Mutex;

/// Writes one line at a time. It must return only when the line has left this process: a line in a buffer would be lost if
/// the process is killed.
pub trait RecordSink: Send + Sync + 'static {
    /// Writes `line` (without its newline) and flushes.
    ///
    /// # Errors
    ///
    /// If the line may not have been written.
    fn write_line(&self, line: &str) -> io::Result<()>;
}

/// The target of the records, as a flag: `off`, `stdout`, `stderr`, or the path of a file to append to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RecordTarget {
    /// Nowhere.
    #[default]
    Off,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file, appended to.
    File(PathBuf),
}

impl RecordTarget {
    /// Opens the target; `None` for `off`.
    ///
    /// # Errors
    ///
    /// If the file could not be opened.
    pub fn open(&self) -> io::Result<Option<Arc<dyn RecordSink>>> {
        Ok(match self {
            Self::Off => None,
            Self::Stdout => Some(Arc::new(StandardSink::Stdout)),
            Self::Stderr => Some(Arc::new(StandardSink::Stderr)),
            Self::File(path) => Some(Arc::new(FileSink::append_to(path)?)),
        })
    }
}

impl FromStr for RecordTarget {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "" | "off" => Self::Off,
            "stdout" => Self::Stdout,
            "stderr" => Self::Stderr,
            path => Self::File(path.into()),
        })
    }
}

/// A standard stream.
#[derive(Debug, Clone, Copy)]
pub enum StandardSink {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl RecordSink for StandardSink {
    fn write_line(&self, line: &str) -> io::Result<()> {
        match self {
            Self::Stdout => write_whole(&mut io::stdout().lock(), line),
            Self::Stderr => write_whole(&mut io::stderr().lock(), line),
        }
    }
}

/// A file that several replicas may append to at once: each line is one write.
#[derive(Debug)]
pub struct FileSink(Mutex<File>);

impl FileSink {
    /// Opens or creates the file.
    ///
    /// # Errors
    ///
    /// If the file could not be opened.
    pub fn append_to(path: &Path) -> io::Result<Self> {
        Ok(Self(Mutex::new(OpenOptions::new().create(true).append(true).open(path)?)))
    }
}

impl RecordSink for FileSink {
    fn write_line(&self, line: &str) -> io::Result<()> {
        write_whole(&mut *self.0.lock(), line)
    }
}

/// One `write` for line and newline together, so that lines of two writers do not mix.
fn write_whole(target: &mut impl Write, line: &str) -> io::Result<()> {
    target.write_all(format!("{line}\n").as_bytes())?;
    target.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_in_the_file_when_the_call_returns() {
        let path = std::env::temp_dir().join(format!("records-{}.jsonl", std::process::id()));
        let Some(sink) = path.to_str().unwrap().parse::<RecordTarget>().unwrap().open().unwrap() else {
            panic!("a path is a sink")
        };
        sink.write_line("{\"a\":1}").unwrap();
        sink.write_line("{\"a\":2}").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(text, "{\"a\":1}\n{\"a\":2}\n");
    }

    #[test]
    fn targets_are_read_as_the_flag_states_them() {
        assert_eq!("off".parse(), Ok(RecordTarget::Off));
        assert_eq!("stderr".parse(), Ok(RecordTarget::Stderr));
        assert_eq!("/var/log/r.jsonl".parse(), Ok(RecordTarget::File("/var/log/r.jsonl".into())));
    }
}
