//! What processes take, from `/proc`.

use std::collections::HashSet;
use std::fs;

use anyhow::{Context, Result};
use serde::Serialize;

/// In which `/proc/<pid>/stat` counts: USER_HZ, 100 a second on every Linux that Rust runs on.
const TICKS_A_SECOND: f64 = 100.0;

/// Seconds of CPU that a process has used so far, by itself and in the kernel.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = read(pid, "stat")?;
    cpu_of_stat(&stat).with_context(|| format!("/proc/{pid}/stat is not as expected"))
}

/// Memory of a process, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Memory {
    /// All that is resident, the program's own text included, which processes on one machine share.
    pub(crate) resident: u64,
    /// What the process has allocated: its heap and its stacks.
    pub(crate) allocated: u64,
}

/// What a process takes now.
pub(crate) fn memory(pid: u32) -> Result<Memory> {
    let status = read(pid, "status")?;
    memory_of_status(&status).with_context(|| format!("/proc/{pid}/status has no VmRSS or no RssAnon"))
}

/// How many connections to this port of this machine a process has open.
pub(crate) fn connections(pid: u32, port: u16) -> Result<usize> {
    let descriptors =
        fs::read_dir(format!("/proc/{pid}/fd")).with_context(|| format!("/proc/{pid}/fd cannot be read"))?;
    let targets = descriptors.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    let sockets: HashSet<String> = targets
        .filter_map(|target| Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let tables = ["net/tcp", "net/tcp6"].map(|table| read(pid, table).unwrap_or_default());
    Ok(tables
        .iter()
        .flat_map(|table| connected(table, port))
        .filter(|inode| sockets.contains(*inode))
        .count())
}

fn read(pid: u32, file: &str) -> Result<String> {
    let path = format!("/proc/{pid}/{file}");
    fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))
}

fn cpu_of_stat(stat: &str) -> Option<f64> {
    // The program's name is in parentheses, and may have anything in it.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(11).map(|field| field.parse::<f64>().ok());
    Some((times.next()?? + times.next()??) / TICKS_A_SECOND)
}

fn memory_of_status(status: &str) -> Option<Memory> {
    let bytes = |field| {
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
    };
    Some(Memory { resident: bytes("VmRSS:")?, allocated: bytes("RssAnon:")? })
}

/// The inodes of established connections whose other end is this port.
fn connected(table: &str, port: u16) -> impl Iterator<Item = &str> {
    const ESTABLISHED: &str = "01";
    let wanted = format!(":{port:04X}");
    table.lines().skip(1).filter_map(move |line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        (fields.get(2)?.ends_with(&wanted) && *fields.get(3)? == ESTABLISHED)
            .then(|| fields.get(9).copied())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proc_says_is_read() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194304 1 2 3 4 150 50 0 0 20 0 1 0 100 1 1";
        assert_eq!(cpu_of_stat(stat), Some(2.0));
        let status = "Name:\tx\nVmRSS:\t    2048 kB\nRssAnon:\t     512 kB\n";
        assert_eq!(
            memory_of_status(status),
            Some(Memory { resident: 2 * 1024 * 1024, allocated: 512 * 1024 })
        );
    }

    #[test]
    fn established_connections_to_the_port_are_found() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:8001 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 4711 1\n\
            1: 0100007F:8002 0100007F:1F90 06 00000000:00000000 00:00000000 00000000     0        0 4712 1\n\
            2: 0100007F:1F90 0100007F:8001 01 00000000:00000000 00:00000000 00000000     0        0 4713 1\n";
        assert_eq!(connected(table, 8080).collect::<Vec<_>>(), ["4711"]);
    }
}
