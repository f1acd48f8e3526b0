//! Ports that programs inside listen on, from the kernel's tables of our own network namespace.

use std::collections::HashMap;
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde::Serialize;

use crate::processes;

/// The way out, which the platform itself listens on inside: no tenant's port.
pub(crate) const EGRESS: u16 = 3128;
/// Most ports that are told.
const MOST: usize = 128;
const LISTENING: &str = "0A";

/// Somebody listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Port {
    pub(crate) port: u16,
    pub(crate) address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pid: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    port: u16,
    address: String,
    socket: u64,
}

/// Remembers who owns which socket: finding out reads every process's descriptors.
#[derive(Debug, Default)]
pub(crate) struct Ports {
    rows: Vec<Row>,
    seen: Vec<Port>,
}

impl Ports {
    pub(crate) fn look(&mut self) -> Vec<Port> {
        let rows = rows();
        if rows != self.rows {
            let owners = if rows.is_empty() { HashMap::new() } else { owners() };
            self.seen = rows.iter().map(|row| told(row, &owners)).collect();
            self.rows = rows;
        }
        self.seen.clone()
    }
}

fn told(row: &Row, owners: &HashMap<u64, (i32, String)>) -> Port {
    let owner = owners.get(&row.socket);
    Port {
        port: row.port,
        address: row.address.clone(),
        pid: owner.map(|(pid, _)| *pid),
        name: owner.map(|(_, name)| name.clone()),
    }
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for table in ["/proc/self/net/tcp", "/proc/self/net/tcp6"] {
        let text = fs::read_to_string(table).unwrap_or_default();
        rows.extend(text.lines().skip(1).filter_map(parse));
    }
    rows.sort();
    rows.dedup_by_key(|row| (row.port, row.address.clone()));
    rows.truncate(MOST);
    rows
}

fn parse(line: &str) -> Option<Row> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, local, _, state, _, _, _, _, _, socket, ..] = fields.as_slice() else { return None };
    let (address, port) = local.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    if *state != LISTENING || port == EGRESS {
        return None;
    }
    Some(Row { port, address: address_of(address)?, socket: socket.parse().ok()? })
}

/// The kernel prints words of 32 bits in the machine's byte order.
fn address_of(hex: &str) -> Option<String> {
    let word = |text: &str| u32::from_str_radix(text, 16).ok().map(u32::to_ne_bytes);
    match hex.len() {
        8 => Some(Ipv4Addr::from(word(hex)?).to_string()),
        32 => {
            let mut bytes = [0; 16];
            for (index, four) in bytes.chunks_exact_mut(4).enumerate() {
                four.copy_from_slice(&word(hex.get(index * 8..index * 8 + 8)?)?);
            }
            Some(Ipv6Addr::from(bytes).to_string())
        }
        _ => None,
    }
}

/// Which process has which socket.
fn owners() -> HashMap<u64, (i32, String)> {
    let mut owners = HashMap::new();
    for process in processes::all() {
        let Ok(folder) = fs::read_dir(format!("/proc/{}/fd", process.pid)) else { continue };
        for entry in folder.flatten().take(4096) {
            let Ok(link) = fs::read_link(entry.path()) else { continue };
            let socket = link.to_str().and_then(|text| text.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
            if let Some(socket) = socket {
                owners.entry(socket).or_insert_with(|| (process.pid, process.name.clone()));
            }
        }
    }
    owners
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listening_sockets_are_ports() {
        let row = |state: &str, local: &str| {
            parse(&format!("0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000 1000 0 77 1 0"))
        };
        let seen = row("0A", "0100007F:0BB8").unwrap();
        assert_eq!((seen.port, seen.address.as_str(), seen.socket), (3000, "127.0.0.1", 77));
        let six = row("0A", "00000000000000000000000001000000:0050").unwrap();
        assert_eq!((six.port, six.address.as_str()), (80, "::1"));
        assert_eq!(row("01", "0100007F:0BB8"), None);
        assert_eq!(row("0A", "0100007F:0C38"), None, "the way out is the platform's");
        assert_eq!(parse("nonsense"), None);
    }
}
